"""A signed statement of what the tokens say of their keys, and its verification.

Two lines: canonical JSON, and the base64 of its signature by the audit key (ECDSA, DER).
"""

import base64
import binascii
import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from ca.certificates import sign_octets
from ca.errors import MalformedRequest
from ca.key_quality import spki_sha256
from ca.signatures import algorithms_of
from hsm.errors import TokenNotFound
from hsm.labels import AUDIT_KEY
from server.tokens import Tokens

KIND = "tillid token statement 1"
_CEILING = 1 << 20


def attest(tokens: Tokens, names: tuple[str, ...], now: datetime) -> str:
    """The signed statement about the tokens named, all of the settings when none is.

    Raises: TokenUnavailable, PinRejected; TokenNotFound only for a token that was named.
    """
    key = tokens.service_key(AUDIT_KEY)
    stated: list[dict[str, Any]] = []
    absent: list[str] = []
    for name in names or tokens.labels:
        try:
            stated.append(asdict(tokens.open(name).state()))
        except TokenNotFound:
            if names:
                raise
            absent.append(name)
    document = {
        "statement": KIND,
        "at": now.isoformat(),
        "signed_by": spki_sha256(key.public_key()),
        "tokens": stated,
        "absent": absent,
    }
    body = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return f"{body}\n{base64.b64encode(sign_octets(key, body.encode())).decode()}\n"


def verify_statement(text: str, key: ec.EllipticCurvePublicKey) -> dict[str, Any]:
    """The statement, if this key signed it.

    Raises: MalformedRequest when it is no statement, or not signed by this key.
    """
    body, _, rest = text.partition("\n")
    if len(text) > _CEILING or not rest.endswith("\n"):
        raise _not_valid("it is not two lines")
    try:
        signature = base64.b64decode(rest[:-1], validate=True)
        algorithms_of(key)[0].verify(key, signature, body.encode())
        document = json.loads(body)
    except (binascii.Error, ValueError, IndexError, RecursionError):
        raise _not_valid("it is not JSON and a signature") from None
    except InvalidSignature:
        raise _not_valid("its signature does not verify under that key") from None
    if not isinstance(document, dict) or document.get("statement") != KIND:
        raise _not_valid("it is signed, but says something else")
    if not isinstance(document.get("at"), str) or not isinstance(document.get("tokens"), list):
        raise _not_valid("it is signed, but lacks its time or its tokens")
    return document


def differences(statement: dict[str, Any], tokens: Tokens) -> list[str]:
    """What the tokens say otherwise now, a sentence each; keys made since are no difference."""
    found = []
    for stated in statement["tokens"]:
        name = stated["label"]
        try:
            now = asdict(tokens.open(name).state())
        except TokenNotFound:
            found.append(f"Token {name} is not present.")
            continue
        if now["serial"] != stated["serial"]:
            found.append(f"Token {name} has the serial number {now['serial']}.")
        keys = [json.dumps(key, sort_keys=True) for key in now["keys"]]
        found += [
            f"Token {name}: key {key['label']} is gone or has changed."
            for key in stated["keys"]
            if json.dumps(key, sort_keys=True) not in keys
        ]
    return found


def _not_valid(sentence: str) -> MalformedRequest:
    return MalformedRequest("token statement", sentence)

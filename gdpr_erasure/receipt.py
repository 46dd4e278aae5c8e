"""The receipt of an erasure: what was done, without a word about whom, signed in the token.

It stands for itself: with the public key of the service anyone can check offline that it was
signed, and that the destruction it tells of is written down in the audit log under a signed head
(RFC 9162 section 2.1.3). Who kept the key of `holder` can show that the receipt is hers.
"""

import base64
import binascii
import hmac
import json
import secrets
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from audit.errors import AuditError
from audit.events import parse_header
from audit.heads import parse_head, verify_head
from audit.tree import leaf_hash, verify_inclusion
from ca.certificates import sign_octets
from ca.signatures import SigningKey
from gdpr_erasure.erasures import AuditProof, Erasure
from gdpr_erasure.errors import ReceiptInvalid

REMAINS = {
    "revocation": "issuer, serial number, time and reason, until the certificate would have"
    " expired (GDPR 17(3)(b), RFC 5280 3.3)",
    "audit": "events without personal data (GDPR 5(2))",
}
_KEY_OCTETS: Final = 32
_MOST_OCTETS: Final = 1024 * 1024


def sign_receipt(
    case: Erasure, proof: AuditProof, key: SigningKey, now: datetime, *, settled: bool = False
) -> str:
    """A receipt as two lines: canonical JSON, and the base64 of its signature.

    `settled` once the directories that had owed a withdrawal were seen without the certificates.
    """
    body = json.dumps(
        {
            "receipt": case.id,
            "number": len(case.receipts) + 1,
            "at": now.isoformat(),
            "policies": list(case.assessment.policies),
            "done": case.evidence,
            "pending": 0 if settled else _pending(case),
            "remains": REMAINS,
            "kept": _kept(case, now),
            "holder": case.holder,
            "audit": {
                "header": base64.b64encode(proof.header).decode(),
                "index": proof.index,
                "path": [node.hex() for node in proof.path],
                "head": proof.head,
            },
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    signature = base64.b64encode(sign_octets(key, body.encode())).decode()
    return f"{body}\n{signature}\n"


def _kept(case: Erasure, now: datetime) -> list[dict[str, object]]:
    """What a duty keeps, until when, and why: the reasoned answer (GDPR 12(4), 17(3))."""
    return [
        {
            "class": of,
            "until": None if ruling.until is None else ruling.until.isoformat(),
            "basis": ruling.basis,
            "text": dict(ruling.text),
        }
        for of, ruling in case.assessment.kept(now.date()).items()
    ]


def _pending(case: Erasure) -> int:
    """How many directories still owe a withdrawal."""
    told = case.evidence.get("directories")
    seen = told if isinstance(told, list) else []
    return sum(each.get("outcome") == "owed" for each in seen)


def verify_receipt(text: str, key: ec.EllipticCurvePublicKey, origin: str) -> Mapping[str, Any]:
    """What a receipt says, once its signature and its proof stand; `origin` is the log's name.

    Raises:
        ReceiptInvalid: it does not stand.
    """
    body, told = _signed(text, key)
    try:
        proof = told["audit"]
        header = base64.b64decode(proof["header"], validate=True)
        head = parse_head(proof["head"])
        verify_head(head, key, origin)
        path = [bytes.fromhex(node) for node in proof["path"]]
        verify_inclusion(leaf_hash(header), int(proof["index"]), head.size, path, head.root)
        event = parse_header(header)
    except AuditError as error:
        raise ReceiptInvalid(f"its proof: {error}") from None
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise ReceiptInvalid("its proof cannot be read") from None
    if (event.event.type, event.event.object_id) != ("erasure.destroyed", told.get("receipt")):
        raise ReceiptInvalid("its proof is of another event")
    if json.dumps(told, sort_keys=True, separators=(",", ":")) != body:
        raise ReceiptInvalid("it is not in its one form")
    return told


def _signed(text: str, key: ec.EllipticCurvePublicKey) -> tuple[str, dict[str, Any]]:
    lines = text.split("\n")
    if len(lines) != 3 or lines[2] or len(text) > _MOST_OCTETS:  # noqa: PLR2004 - and the end
        raise ReceiptInvalid("it is not two lines")
    body = lines[0]
    try:
        signature = base64.b64decode(lines[1], validate=True)
        key.verify(signature, body.encode(), ec.ECDSA(hashes.SHA256()))
        told = json.loads(body)
    except InvalidSignature:
        raise ReceiptInvalid("its signature") from None
    except ValueError:
        raise ReceiptInvalid("it cannot be read") from None
    if not isinstance(told, dict):
        raise ReceiptInvalid("it cannot be read")
    return body, told


def new_holder(identity: str) -> tuple[str, str]:
    """The key that the requester keeps, and what the case keeps: both in hexadecimal.

    `identity` is the name as it stands in the certificate. Without the key nobody can tell from
    the second whom it is about.
    """
    key = secrets.token_bytes(_KEY_OCTETS)
    return key.hex(), _holder(key, identity)


def is_holder(holder: str, key: str, identity: str) -> bool:
    """Whether somebody who shows this key and is called so is the one the receipt is for."""
    try:
        octets = bytes.fromhex(key)
    except ValueError:
        return False
    return hmac.compare_digest(holder, _holder(octets, identity))


def _holder(key: bytes, identity: str) -> str:
    words = unicodedata.normalize("NFC", " ".join(identity.split())).casefold()
    return hmac.digest(key, words.encode(), "sha256").hex()

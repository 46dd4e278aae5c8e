"""What a token says of its keys, and whether a key is one that a CA may sign with.

CKA_LOCAL: made in the token. CKA_SENSITIVE and CKA_NEVER_EXTRACTABLE: never outside it since
(PKCS#11 v2.40 sections 4.4 and 4.9). CKA_EXTRACTABLE would allow it only from now on.
"""

import secrets
from dataclasses import dataclass
from typing import Any

import pkcs11
from cryptography.exceptions import InvalidSignature
from pkcs11 import Attribute, ObjectClass

from hsm.errors import KeyUnfit, TokenUnavailable
from hsm.keys import WrappingKey
from hsm.signing_keys import TokenPrivateKey, sign_and_verify

DEMANDED = (Attribute.SENSITIVE, Attribute.NEVER_EXTRACTABLE, Attribute.LOCAL)


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A private or secret key as the token describes it."""

    label: str
    kind: str
    """Its type in PKCS#11's word: EC, EC_EDWARDS, RSA, ML_DSA, AES."""
    attributes: tuple[str, ...]
    """Those of `DEMANDED` that it has, as CKA_ names."""
    extractable: bool = False
    """Whether it could leave from now on, if only wrapped."""


def facts_of(key: Any) -> KeyFacts:
    """What the token says of a private or secret key."""
    has = tuple(_name(each) for each in DEMANDED if _is_set(key, each))
    extractable = _is_set(key, Attribute.EXTRACTABLE)
    return KeyFacts(str(key[Attribute.LABEL]), key.key_type.name, has, extractable)


def key_facts(session: pkcs11.Session) -> list[KeyFacts]:
    """What the token says of each private and secret key, by label."""
    kinds = (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY)
    keys = [key for kind in kinds for key in list(session.get_objects({Attribute.CLASS: kind}))]
    return sorted(map(facts_of, keys), key=lambda facts: facts.label)


def check_stays_inside(facts: KeyFacts) -> None:
    """Raises: KeyUnfit with the first attribute that is missing."""
    for each in DEMANDED:
        if _name(each) not in facts.attributes:
            raise KeyUnfit(facts.label, _name(each))


def check_stays_inside_from_now(facts: KeyFacts) -> None:
    """For a key that was brought in. Raises: KeyUnfit unless it is sensitive and stays."""
    if _name(Attribute.SENSITIVE) not in facts.attributes:
        raise KeyUnfit(facts.label, _name(Attribute.SENSITIVE))
    if facts.extractable:
        raise KeyUnfit(facts.label, _name(Attribute.EXTRACTABLE))


def check_never_outside(key: Any) -> None:
    """For a key that all others depend on: made in the token, never readable, never to leave.

    Raises: KeyUnfit with the first attribute that is missing.
    """
    for each in (*DEMANDED, Attribute.ALWAYS_SENSITIVE):
        if not _is_set(key, each):
            raise KeyUnfit(str(key[Attribute.LABEL]), _name(each))


def check_signs(key: TokenPrivateKey) -> None:
    """Sign something random and verify it. Raises: TokenUnavailable when it is wrong."""
    # No certificate, CRL or OCSP answer begins so: each is a DER SEQUENCE.
    message = b"tillid key check: " + secrets.token_bytes(16)
    try:
        sign_and_verify(key, message)
    except InvalidSignature as error:
        raise TokenUnavailable(key.label, "the signature does not verify") from error


def check_wraps(key: WrappingKey) -> None:
    """Encrypt something random and decrypt it. Raises: TokenUnavailable, IntegrityFailed."""
    message = secrets.token_bytes(32)
    if key.decrypt(key.encrypt(message, b"check"), b"check") != message:
        raise TokenUnavailable(key.label, "what was encrypted is not what was decrypted")


def _is_set(key: Any, attribute: Attribute) -> bool:
    try:
        return bool(key[attribute])
    except pkcs11.AttributeTypeInvalid:  # a token that does not say is taken at its word
        return False


def _name(attribute: Attribute) -> str:
    return f"CKA_{attribute.name}"

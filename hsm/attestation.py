"""What a token says of itself and of each key, for an auditor to keep.

It is the module's word: a hardware token's own signed attestation is made with its maker's tools,
and SoftHSM has none to give.
"""

import ctypes
import hashlib
from dataclasses import dataclass
from typing import Any, cast

import pkcs11
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, Mechanism, ObjectClass

from hsm.key_kinds import read_public_key
from hsm.module import Module

_FLAGS = {
    "local": Attribute.LOCAL,
    "sensitive": Attribute.SENSITIVE,
    "always_sensitive": Attribute.ALWAYS_SENSITIVE,
    "extractable": Attribute.EXTRACTABLE,
    "never_extractable": Attribute.NEVER_EXTRACTABLE,
}
_UNAVAILABLE_INFORMATION = (1 << 64) - 1  # CK_UNAVAILABLE_INFORMATION: the key was brought in
_GET_INFO = 2
_MAKERS_TOOLS = {
    "SoftHSM project": "SoftHSM is software and has no attestation",
    "Yubico": "make it with yubihsm-shell, sign-attestation-certificate",
    "nCipher": "make it with nfkmattest",
    "SafeNet": "make it with cmu getpkc",
    "Thales": "make it with cmu getpkc",
}


class _Info(ctypes.Structure):
    """CK_INFO (PKCS#11 v2.40 section 3.1)."""

    _fields_ = (
        ("cryptoki_version", ctypes.c_ubyte * 2),
        ("manufacturer", ctypes.c_char * 32),
        ("flags", ctypes.c_ulong),
        ("description", ctypes.c_char * 32),
        ("library_version", ctypes.c_ubyte * 2),
    )


@dataclass(frozen=True, slots=True)
class KeyStatement:
    """One private or secret key."""

    label: str
    id: str
    """CKA_ID, hexadecimal."""
    type: str
    flags: dict[str, bool | None]
    """Attributes by name; None where the token does not say."""
    made_by: str
    """The mechanism that made it in the token; empty when it was brought in, or is not said."""
    public_key_sha256: str
    """SHA-256 of the SubjectPublicKeyInfo, hexadecimal; empty for a secret key."""


@dataclass(frozen=True, slots=True)
class TokenStatement:
    """A token, the module that was asked, and every key."""

    label: str
    serial: str
    manufacturer: str
    model: str
    hardware_version: str
    firmware_version: str
    module: dict[str, str]
    maker_attestation: str
    """Why there is none here, and where it is to be had."""
    keys: tuple[KeyStatement, ...]


def state(session: pkcs11.Session, module: Module) -> TokenStatement:
    """What can be said of the token of this session, which is logged in."""
    token = session.token
    maker = token.manufacturer_id.strip()
    told = next((said for name, said in _MAKERS_TOOLS.items() if maker.startswith(name)), None)
    private = list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}))
    secret = list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY}))
    keys = [_key(key, _public_digest(session, key)) for key in private]
    keys += [_key(key, "") for key in secret]
    return TokenStatement(
        token.label.strip(),
        token.serial.decode("utf-8", "replace").strip(),
        maker,
        token.model.strip(),
        "{}.{}".format(*token.hardware_version),
        "{}.{}".format(*token.firmware_version),
        _module_facts(module),
        told or "none is read here: see what the maker offers",
        tuple(sorted(keys, key=lambda key: (key.label, key.id))),
    )


def _key(key: Any, public_key_sha256: str) -> KeyStatement:
    return KeyStatement(
        str(key[Attribute.LABEL]),
        bytes(key[Attribute.ID]).hex(),
        key.key_type.name,
        {name: _said(key, attribute) for name, attribute in _FLAGS.items()},
        _made_by(key),
        public_key_sha256,
    )


def _said(key: Any, attribute: Attribute) -> bool | None:
    try:
        return bool(key[attribute])
    except pkcs11.AttributeTypeInvalid:
        return None


def _made_by(key: Any) -> str:
    try:
        number = int(key[Attribute.KEY_GEN_MECHANISM])
        return "" if number == _UNAVAILABLE_INFORMATION else f"CKM_{Mechanism(number).name}"
    except (pkcs11.AttributeTypeInvalid, ValueError):
        return ""


def _public_digest(session: pkcs11.Session, key: Any) -> str:
    wanted = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: bytes(key[Attribute.ID])}
    for public in list(session.get_objects(wanted)):
        try:
            found = read_public_key(key, cast("pkcs11.PublicKey", public))
        except UnsupportedAlgorithm:
            return ""
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(found.public_bytes(*form)).hexdigest()
    return ""


def _module_facts(module: Module) -> dict[str, str]:
    info = _Info()
    ask = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.POINTER(_Info))(
        module.functions.functions[_GET_INFO]
    )
    ask(ctypes.byref(info))
    return {
        "path": str(module.path),
        "sha256": hashlib.sha256(module.path.read_bytes()).hexdigest(),
        "manufacturer": info.manufacturer.decode("utf-8", "replace").strip(),
        "description": info.description.decode("utf-8", "replace").strip(),
        "version": "{}.{}".format(*info.library_version),
        "cryptoki": "{}.{}".format(*info.cryptoki_version),
    }

"""The same key in several tokens, as the makers' ways of cloning put it there."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, KeyType, ObjectClass

from hsm.module import load_module
from hsm.token import Token

_P256 = bytes.fromhex("06082a8648ce3d030107")


def put_key(token: Token, label: str, key: ec.EllipticCurvePrivateKey) -> None:
    """Store a P-256 key pair, sensitive and not extractable, in an open token."""
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    common = {
        Attribute.KEY_TYPE: KeyType.EC,
        Attribute.TOKEN: True,
        Attribute.LABEL: label,
        Attribute.ID: b"id of " + label.encode(),
        Attribute.EC_PARAMS: _P256,
    }
    private = {
        Attribute.CLASS: ObjectClass.PRIVATE_KEY,
        Attribute.PRIVATE: True,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.SIGN: True,
        Attribute.VALUE: key.private_numbers().private_value.to_bytes(32),
    }
    public = {
        Attribute.CLASS: ObjectClass.PUBLIC_KEY,
        Attribute.PRIVATE: False,
        Attribute.VERIFY: True,
        Attribute.EC_POINT: b"\x04" + bytes((len(point),)) + point,
    }
    module = load_module(token.location.module)
    with module.token(token.location.label).open(rw=True) as session:
        session.create_object(common | private)
        session.create_object(common | public)


def import_wrapping_key(token: Token, label: str) -> None:
    """Put an AES key into a token from outside, as CKA_LOCAL tells."""
    module = load_module(token.location.module)
    with module.token(token.location.label).open(rw=True) as session:
        session.create_object(
            {
                Attribute.CLASS: ObjectClass.SECRET_KEY,
                Attribute.KEY_TYPE: KeyType.AES,
                Attribute.TOKEN: True,
                Attribute.PRIVATE: True,
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.LABEL: label,
                Attribute.ID: label.encode()[:20],
                Attribute.VALUE: bytes(32),
            }
        )

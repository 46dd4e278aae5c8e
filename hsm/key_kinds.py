"""The kinds of key that tokens make and sign with, by the words that profiles use.

How a kind is asked for in PKCS#11, and how its public key is read back from the token (PKCS#11
v3.0 mechanisms sections 2.1 and 2.3; ML-DSA: v3.2 section 6.67).
"""

from collections.abc import Callable
from enum import StrEnum
from struct import Struct
from typing import Any

import pkcs11
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from pkcs11 import Attribute, KeyType, Mechanism
from pkcs11.attributes import AttributeMapper
from pkcs11.mechanisms import MLDSAParameterSet

MLDSAPublicKey = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey | MLDSAPublicKey

_ULONG = Struct("L")
_CURVES: tuple[ec.EllipticCurve, ...] = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
_CURVE_PARAMETERS = {
    "secp256r1": bytes.fromhex("06082a8648ce3d030107"),
    "secp384r1": bytes.fromhex("06052b81040022"),
    "secp521r1": bytes.fromhex("06052b81040023"),
}
"""Name of the curve to CKA_EC_PARAMS: the DER of its object identifier (RFC 5480 2.1.1.1)."""
_EDWARDS25519_PARAMETERS = bytes.fromhex("06032b6570")  # RFC 8410 section 3
_ED25519_OCTETS = 32
_ML_DSA: dict[MLDSAParameterSet, Callable[[bytes], MLDSAPublicKey]] = {
    MLDSAParameterSet.ML_DSA_44: mldsa.MLDSA44PublicKey.from_public_bytes,
    MLDSAParameterSet.ML_DSA_65: mldsa.MLDSA65PublicKey.from_public_bytes,
    MLDSAParameterSet.ML_DSA_87: mldsa.MLDSA87PublicKey.from_public_bytes,
}


class KeyKind(StrEnum):
    """A kind of signing key.

    An RSA key of a PSS kind may sign with RSASSA-PSS alone, which its token enforces by
    CKA_ALLOWED_MECHANISMS; the others sign with RSASSA-PKCS1-v1_5.
    """

    EC_P256 = "EC-P256"
    EC_P384 = "EC-P384"
    EC_P521 = "EC-P521"
    RSA_2048 = "RSA-2048"
    RSA_3072 = "RSA-3072"
    RSA_4096 = "RSA-4096"
    RSA_2048_PSS = "RSA-2048-PSS"
    RSA_3072_PSS = "RSA-3072-PSS"
    RSA_4096_PSS = "RSA-4096-PSS"
    ED25519 = "Ed25519"
    ML_DSA_44 = "ML-DSA-44"
    ML_DSA_65 = "ML-DSA-65"
    ML_DSA_87 = "ML-DSA-87"

    @property
    def is_ml_dsa(self) -> bool:
        """Whether it is one of FIPS 204."""
        return self in _PARAMETER_SETS

    @property
    def makes(self) -> Mechanism:
        """The mechanism that makes keys of this kind."""
        if self in _PARAMETER_SETS:
            return Mechanism.ML_DSA_KEY_PAIR_GEN
        if self is KeyKind.ED25519:
            return Mechanism.EC_EDWARDS_KEY_PAIR_GEN
        return (
            Mechanism.EC_KEY_PAIR_GEN if self in _CURVE_KINDS else Mechanism.RSA_PKCS_KEY_PAIR_GEN
        )


_CURVE_KINDS = {
    KeyKind.EC_P256: "secp256r1",
    KeyKind.EC_P384: "secp384r1",
    KeyKind.EC_P521: "secp521r1",
}
_PARAMETER_SETS = {
    KeyKind.ML_DSA_44: MLDSAParameterSet.ML_DSA_44,
    KeyKind.ML_DSA_65: MLDSAParameterSet.ML_DSA_65,
    KeyKind.ML_DSA_87: MLDSAParameterSet.ML_DSA_87,
}


def kind_of_curve(curve: ec.EllipticCurve) -> KeyKind:
    """The kind of an elliptic-curve key. Raises: UnsupportedAlgorithm."""
    for kind, name in _CURVE_KINDS.items():
        if name == curve.name:
            return kind
    raise UnsupportedAlgorithm("token keys are made on P-256, P-384 and P-521")


def generate(
    session: pkcs11.Session, kind: KeyKind, common: dict[str, Any], private: dict[Attribute, Any]
) -> None:
    """Make a key pair of this kind, with these common arguments and attributes of its own."""
    if kind in _PARAMETER_SETS:
        parameter_set = {Attribute.PARAMETER_SET: _PARAMETER_SETS[kind]}
        session.generate_keypair(
            KeyType.ML_DSA, **common, public_template=parameter_set, private_template=private
        )
    elif kind in _CURVE_KINDS or kind is KeyKind.ED25519:
        name = _CURVE_KINDS.get(kind)
        parameters = _CURVE_PARAMETERS[name] if name else _EDWARDS25519_PARAMETERS
        domain = session.create_domain_parameters(
            KeyType.EC if name else KeyType.EC_EDWARDS,
            {Attribute.EC_PARAMS: parameters},
            local=True,
        )
        domain.generate_keypair(**common, private_template=private)
    else:
        _, bits, *pss = kind.split("-")
        if pss:
            private = private | {Attribute.ALLOWED_MECHANISMS: (Mechanism.RSA_PKCS_PSS,)}
        session.generate_keypair(KeyType.RSA, int(bits), **common, private_template=private)


def read_public_key(private: pkcs11.PrivateKey, public: pkcs11.PublicKey) -> PublicKey:
    """The public key of a pair; an unknown kind or curve raises UnsupportedAlgorithm."""
    if private.key_type is KeyType.RSA:
        exponent, modulus = public[Attribute.PUBLIC_EXPONENT], public[Attribute.MODULUS]
        numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus))
        return numbers.public_key()
    if private.key_type is KeyType.EC:
        for curve in _CURVES:
            if public[Attribute.EC_PARAMS] == _CURVE_PARAMETERS[curve.name]:
                # CKA_EC_POINT is an OCTET STRING by the standard, the bare point on some tokens.
                octets = 1 + 2 * ((curve.key_size + 7) // 8)
                point = bytes(public[Attribute.EC_POINT])[-octets:]
                return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    if private.key_type is KeyType.EC_EDWARDS:
        point = bytes(public[Attribute.EC_POINT])[-_ED25519_OCTETS:]
        return ed25519.Ed25519PublicKey.from_public_bytes(point)
    if private.key_type is KeyType.ML_DSA:
        read = _ML_DSA[MLDSAParameterSet(public[Attribute.PARAMETER_SET])]
        return read(bytes(public[Attribute.VALUE]))
    raise UnsupportedAlgorithm("the key in the token is of a kind that nothing here signs with")


def signs_with_pss_alone(private: pkcs11.PrivateKey) -> bool:
    """Whether CKA_ALLOWED_MECHANISMS leaves an RSA key nothing but RSASSA-PSS."""
    try:
        return bool(private[Attribute.ALLOWED_MECHANISMS] == (Mechanism.RSA_PKCS_PSS,))
    except pkcs11.PKCS11Error:  # a token without that attribute restricts nothing
        return False


class Attributes(AttributeMapper):
    """python-pkcs11's translation of attributes, with the one it does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.register_handler(
            Attribute.ALLOWED_MECHANISMS,
            lambda mechanisms: b"".join(_ULONG.pack(int(each)) for each in mechanisms),
            lambda octets: tuple(each for (each,) in _ULONG.iter_unpack(octets)),
        )

"""Which signature a key makes, and the signed envelope that CRL and OCSP share.

Keys are cryptography key objects; a key in a token signs through the same `sign`.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from revocation import der
from revocation.errors import KeyRefused

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """How one kind of key signs: its AlgorithmIdentifier (DER) and its hash."""

    algorithm_identifier: bytes
    hash_algorithm: hashes.HashAlgorithm

    def sign(self, key: PrivateKey, tbs: bytes) -> bytes:
        """The signature over the to-be-signed octets."""
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(tbs, padding.PKCS1v15(), self.hash_algorithm)
        return key.sign(tbs, ec.ECDSA(self.hash_algorithm))

    def verify(self, key: PublicKeyTypes, signature: bytes, tbs: bytes) -> None:
        """Raise cryptography's InvalidSignature unless the signature is by this key."""
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, tbs, padding.PKCS1v15(), self.hash_algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, tbs, ec.ECDSA(self.hash_algorithm))
        else:
            raise KeyRefused(type(key).__name__)


_RSA = SignatureScheme(der.sequence(der.oid("1.2.840.113549.1.1.11"), der.NULL), hashes.SHA256())
_ECDSA = {
    "secp256r1": SignatureScheme(der.sequence(der.oid("1.2.840.10045.4.3.2")), hashes.SHA256()),
    "secp384r1": SignatureScheme(der.sequence(der.oid("1.2.840.10045.4.3.3")), hashes.SHA384()),
    "secp521r1": SignatureScheme(der.sequence(der.oid("1.2.840.10045.4.3.4")), hashes.SHA512()),
}


def signature_for(key: PublicKeyTypes) -> SignatureScheme:
    """The scheme of a public key: ECDSA on P-256, P-384 or P-521, or RSA PKCS#1 v1.5 with SHA-256.

    Raises:
        KeyRefused: any other kind of key or curve.
    Source: RFC 5758 section 3.2, RFC 4055 section 5.
    """
    if isinstance(key, rsa.RSAPublicKey):
        return _RSA
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _ECDSA:
        return _ECDSA[key.curve.name]
    raise KeyRefused(type(key).__name__)


def signed(scheme: SignatureScheme, key: PrivateKey, tbs: bytes, *after: bytes) -> bytes:
    """SEQUENCE of the to-be-signed element, its algorithm, its signature and what comes after."""
    signature = der.bit_string(scheme.sign(key, tbs))
    return der.sequence(tbs, scheme.algorithm_identifier, signature, *after)

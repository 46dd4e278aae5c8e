"""Which signature a key makes: its AlgorithmIdentifier, its hash, its padding.

One table for certificates, CRLs, OCSP answers and receipts. The key decides: the hash of ECDSA is
as wide as the curve, an RSA key that says `pss` of itself signs with RSASSA-PSS, any other with
PKCS#1 v1.5. Sources: RFC 5758 section 3.2, RFC 4055 sections 3.1 and 5, RFC 8410 section 3,
RFC 9881 section 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

MLDSAPrivateKey = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
MLDSAPublicKey = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
SigningKey = (
    ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | MLDSAPrivateKey
)
VerifyingKey = (
    ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey | MLDSAPublicKey
)
CmsKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
"""Keys that officers sign with: CMS signatures by others are not read here."""
CmsPublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """How one kind of key signs.

    `identifier` is the DER of the AlgorithmIdentifier; `hash_algorithm` is None for schemes that
    hash by themselves, `rsa_padding` for all but RSA.
    """

    identifier: bytes
    hash_algorithm: Hash | None = None
    rsa_padding: padding.PKCS1v15 | padding.PSS | None = None

    def sign(self, key: SigningKey, octets: bytes) -> bytes:
        """One signature over the octets."""
        if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            return self._sign(key, octets, self._hash())
        return key.sign(octets)

    def sign_digest(self, key: SigningKey, digest: bytes) -> bytes:
        """One signature over octets of which only the digest is at hand."""
        if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            return self._sign(key, digest, Prehashed(self._hash()))
        raise UnsupportedAlgorithm("this scheme hashes by itself")

    def _sign(self, key: CmsKey, octets: bytes, hashed_by: Hash | Prehashed) -> bytes:
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(octets, ec.ECDSA(hashed_by))
        if self.rsa_padding is None:
            raise UnsupportedAlgorithm("an RSA key signs with a padding")
        return key.sign(octets, self.rsa_padding, hashed_by)

    def verify(self, key: Any, signature: bytes, octets: bytes) -> None:
        """Raise cryptography's InvalidSignature unless the signature is by this public key."""
        if self not in algorithms_of(key):
            raise InvalidSignature
        if self.hash_algorithm is None:
            key.verify(signature, octets)
        else:
            self._verify(key, signature, octets, self.hash_algorithm)

    def verify_digest(self, key: Any, signature: bytes, digest: bytes) -> None:
        """As `verify`, over octets of which only the digest is at hand."""
        if self not in algorithms_of(key):
            raise InvalidSignature
        self._verify(key, signature, digest, Prehashed(self._hash()))

    def _verify(
        self, key: Any, signature: bytes, octets: bytes, hashed_by: Hash | Prehashed
    ) -> None:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, octets, ec.ECDSA(hashed_by))
        elif isinstance(key, rsa.RSAPublicKey) and self.rsa_padding is not None:
            key.verify(signature, octets, self.rsa_padding, hashed_by)

    def _hash(self) -> Hash:
        if self.hash_algorithm is None:
            raise UnsupportedAlgorithm("this scheme hashes by itself")
        return self.hash_algorithm


def signature_hash(key: CmsKey) -> Hash:
    """The hash that goes with a key: as wide as the curve; SHA-256 for RSA."""
    algorithm = algorithm_of(key).hash_algorithm
    if algorithm is None:
        raise UnsupportedAlgorithm("this scheme hashes by itself")
    return algorithm


def algorithm_of(key: SigningKey) -> SignatureAlgorithm:
    """How a private key signs. Raises: UnsupportedAlgorithm."""
    accepted = algorithms_of(key.public_key())
    if not accepted:
        raise UnsupportedAlgorithm(f"nothing here signs with {type(key).__name__}")
    # Only an RSA key has a choice; software keys have no `pss`, keys in tokens say it.
    return accepted[-1] if getattr(key, "pss", False) else accepted[0]


def algorithms_of(key: object) -> tuple[SignatureAlgorithm, ...]:
    """How a public key's signatures may be made, the usual way first; empty for other keys."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _ECDSA.get(key.curve.name, ())
    if isinstance(key, rsa.RSAPublicKey):
        return _RSA
    return next((found for kind, found in _PURE.items() if isinstance(key, kind)), ())


_RSA = (
    SignatureAlgorithm(
        bytes.fromhex("300d06092a864886f70d01010b0500"), hashes.SHA256(), padding.PKCS1v15()
    ),
    SignatureAlgorithm(
        bytes.fromhex(
            "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
            "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
        ),
        hashes.SHA256(),
        padding.PSS(padding.MGF1(hashes.SHA256()), 32),
    ),
)
_ECDSA: Mapping[str, tuple[SignatureAlgorithm, ...]] = MappingProxyType(
    {
        name: (SignatureAlgorithm(bytes.fromhex(f"300a06082a8648ce3d0403{last}"), algorithm),)
        for name, last, algorithm in (
            ("secp256r1", "02", hashes.SHA256()),
            ("secp384r1", "03", hashes.SHA384()),
            ("secp521r1", "04", hashes.SHA512()),
        )
    }
)
_PURE: Mapping[type, tuple[SignatureAlgorithm, ...]] = MappingProxyType(
    {
        kind: (SignatureAlgorithm(bytes.fromhex(identifier)),)
        for kind, identifier in (
            (ed25519.Ed25519PublicKey, "300506032b6570"),
            (mldsa.MLDSA44PublicKey, "300b0609608648016503040311"),
            (mldsa.MLDSA65PublicKey, "300b0609608648016503040312"),
            (mldsa.MLDSA87PublicKey, "300b0609608648016503040313"),
        )
    }
)

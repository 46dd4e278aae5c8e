"""The signed envelope that CRL and OCSP share.

Keys are cryptography key objects; a key in a token signs through the same `sign`.
"""

import hashlib

from ca.signatures import SignatureAlgorithm, SigningKey, algorithm_of, algorithms_of
from revocation import der
from revocation.errors import KeyRefused


def algorithm_for(key: SigningKey) -> SignatureAlgorithm:
    """How a private key signs. Raises: KeyRefused for any other kind of key or curve."""
    if not algorithms_of(key.public_key()):
        raise KeyRefused(type(key).__name__)
    return algorithm_of(key)


def declared_algorithm(key: object, identifier: bytes) -> SignatureAlgorithm | None:
    """The algorithm of this AlgorithmIdentifier (DER), if the public key has such signatures."""
    return next((each for each in algorithms_of(key) if each.identifier == identifier), None)


def signed(algorithm: SignatureAlgorithm, key: SigningKey, tbs: bytes, *after: bytes) -> bytes:
    """SEQUENCE of the to-be-signed element, its algorithm, its signature and what comes after."""
    signature = der.bit_string(algorithm.sign(key, tbs))
    return der.sequence(tbs, algorithm.identifier, signature, *after)


class ToBeSigned:
    """To-be-signed octets as they come; a scheme that hashes by itself needs them all at once."""

    def __init__(self, algorithm: SignatureAlgorithm) -> None:
        self._algorithm = algorithm
        hashed_by = algorithm.hash_algorithm
        self._hash = None if hashed_by is None else hashlib.new(hashed_by.name)
        self._octets = bytearray()

    def update(self, octets: bytes) -> None:
        """Take the next octets."""
        if self._hash is None:
            self._octets += octets
        else:
            self._hash.update(octets)

    @property
    def digest(self) -> bytes:
        """What goes to the token; SHA-256 of the octets when the scheme hashes by itself."""
        return (self._hash or hashlib.sha256(self._octets)).digest()

    def sign(self, key: SigningKey) -> bytes:
        """The signature over all octets so far."""
        if self._hash is None:
            return self._algorithm.sign(key, bytes(self._octets))
        return self._algorithm.sign_digest(key, self._hash.digest())

    def verify(self, key: object, signature: bytes) -> None:
        """Raise cryptography's InvalidSignature unless it is one over all octets so far."""
        if self._hash is None:
            self._algorithm.verify(key, signature, bytes(self._octets))
        else:
            self._algorithm.verify_digest(key, signature, self._hash.digest())

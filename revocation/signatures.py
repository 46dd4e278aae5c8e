"""The signed envelope that CRL and OCSP share.

Keys are cryptography key objects; a key in a token signs through the same `sign`.
"""

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

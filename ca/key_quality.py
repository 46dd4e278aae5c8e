"""What makes a public key too weak to certify: one record a check, each with its clause.

Implements CA/Browser Forum BR 6.1.1.3 and 6.1.6 and NIST SP 800-89 section 5.3.3. Points that are
not on their curve, or at infinity, never become a key: the library refuses to load them
(SP 800-56A section 5.6.2.3).
"""

import functools
import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gmpy2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.errors import Finding, MalformedRequest, Refused
from ca.signatures import VerifyingKey

SubjectPublicKey = VerifyingKey
"""What can be certified; requests from outside bring RSA and elliptic curves alone."""

_CURVES = {"secp256r1": "EC-P256", "secp384r1": "EC-P384", "secp521r1": "EC-P521"}
_OF_ONE_SIZE: dict[type, str] = {
    ed25519.Ed25519PublicKey: "Ed25519",
    mldsa.MLDSA44PublicKey: "ML-DSA-44",
    mldsa.MLDSA65PublicKey: "ML-DSA-65",
    mldsa.MLDSA87PublicKey: "ML-DSA-87",
}
_RSA_BITS = frozenset({2048, 3072, 4096})
_RSA_EXPONENT = 65537
_FERMAT_ROUNDS = 100
_PRIMES = tuple(n for n in range(2, 752) if all(n % d for d in range(2, math.isqrt(n) + 1)))
_ODD_PRIMES_PRODUCT = math.prod(_PRIMES[1:])
# The first 39 primes divide the number M that the faulty generator used for every key size.
_ROCA_PRIMES = _PRIMES[1:39]
_DIGEST = re.compile(r"[0-9a-f]{64}")
_WAY_OUT = "make a new key: P-256, P-384, P-521, or RSA of 2048 to 4096 bits with exponent 65537"


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """One weakness: `found` says what is wrong with a key, or None."""

    id: str
    clause: str
    found: Callable[[SubjectPublicKey], str | None]
    way_out: str = _WAY_OUT


def key_type(key: SubjectPublicKey) -> str:
    """The word that profiles use for a key: EC-P256, RSA-2048, ..."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, f"EC-{key.curve.name}")
    return next(word for kind, word in _OF_ONE_SIZE.items() if isinstance(key, kind))


def spki(key: SubjectPublicKey) -> bytes:
    """The SubjectPublicKeyInfo in DER."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def spki_sha256(key: SubjectPublicKey) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, in hexadecimal."""
    return hashlib.sha256(spki(key)).hexdigest()


def check_key(key: SubjectPublicKey) -> None:
    """Refuse a weak key with the first check that finds something; the cheap ones come first."""
    for check in CHECKS if isinstance(key, rsa.RSAPublicKey) else CHECKS[:1]:
        sentence = check.found(key)
        if sentence is not None:
            raise Refused(Finding(check.id, check.clause, sentence, check.way_out))


def read_compromised(path: Path) -> frozenset[str]:
    """Digests of known-compromised keys: SHA-256 of the SPKI in hexadecimal, one a line.

    Raises:
        MalformedRequest: the file cannot be read, or a line is neither digest, comment nor empty.
    """
    digests = set()
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        raise MalformedRequest(str(path), "it cannot be read as a list of digests") from None
    for number, line in enumerate(lines, start=1):
        digest = line.partition("#")[0].strip().lower()
        if digest and not _DIGEST.fullmatch(digest):
            raise MalformedRequest(str(path), f"line {number} is no SHA-256 in hexadecimal")
        digests.add(digest)
    return frozenset(digests - {""})


def _curve(key: SubjectPublicKey) -> str | None:
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name in _CURVES:
        return None
    return "the key is on a curve other than P-256, P-384 and P-521"


def _of_rsa(
    found: Callable[[rsa.RSAPublicNumbers], str | None],
) -> Callable[[SubjectPublicKey], str | None]:
    """A check of RSA numbers; any other key passes."""
    return lambda key: found(key.public_numbers()) if isinstance(key, rsa.RSAPublicKey) else None


def _size(numbers: rsa.RSAPublicNumbers) -> str | None:
    bits = numbers.n.bit_length()
    if bits in _RSA_BITS:
        return None
    return f"the RSA key has {bits} bits; 2048, 3072 or 4096 are certified"


def _exponent(numbers: rsa.RSAPublicNumbers) -> str | None:
    return None if numbers.e == _RSA_EXPONENT else "the RSA exponent is not 65537"


def _even(numbers: rsa.RSAPublicNumbers) -> str | None:
    return None if numbers.n % 2 else "the RSA modulus is even"


def _small_factor(numbers: rsa.RSAPublicNumbers) -> str | None:
    if math.gcd(numbers.n, _ODD_PRIMES_PRODUCT) == 1:
        return None
    return "the RSA modulus has a small factor"


def _roca(numbers: rsa.RSAPublicNumbers) -> str | None:
    """Whether the modulus is a power of 65537 modulo every small prime (CVE-2017-15361).

    The faulty generator made primes k * M + (65537^a mod M), M being a product of small primes, so
    their product is such a power, too. A modulus of other origin passes all of these by chance
    about once in 2^27 (Nemec et al., The Return of Coppersmith's Attack, CCS 2017).
    """
    if all(numbers.n % prime in powers for prime, powers in _powers_of_65537().items()):
        return "the RSA modulus has the fingerprint of a faulty generator (ROCA)"
    return None


@functools.cache
def _powers_of_65537() -> dict[int, frozenset[int]]:
    return {
        prime: frozenset(pow(_RSA_EXPONENT, a, prime) for a in range(prime))
        for prime in _ROCA_PRIMES
    }


def _close_primes(numbers: rsa.RSAPublicNumbers) -> str | None:
    """Fermat's factorisation: n = a^2 - b^2 is found at once where the primes are close."""
    a = math.isqrt(numbers.n)
    a += a * a < numbers.n
    for _ in range(_FERMAT_ROUNDS):
        rest = a * a - numbers.n
        if gmpy2.is_square(rest):
            return "the RSA modulus is a square or the product of two close primes (Fermat)"
        a += 1
    return None


def _prime_power(numbers: rsa.RSAPublicNumbers) -> str | None:
    if gmpy2.is_power(numbers.n) or _is_prime(numbers.n):
        return "the RSA modulus is a prime or a power of one"
    return None


@functools.lru_cache(maxsize=256)
def _is_prime(modulus: int) -> bool:
    """Whether an odd modulus passes one strong test to base 2 (FIPS 186-5 B.3.1), as all primes do.

    So no prime is certified, whoever chose it. A composite that passes is refused as well: that of
    two random primes never does, for it would need both to have 2 in the same tiny subgroup, and
    one that was made to pass is nothing to certify. Further rounds would cost a prime, which comes
    from outside, many times as much as a good key.

    It is still the costly check, so an answer is kept: the gate looks again at the key that the
    request was read with.
    """
    return bool(gmpy2.is_strong_prp(modulus, 2))


_BR = "CA/B BR 6.1.1.3"
CHECKS = (
    KeyCheck("key.curve", "CA/B BR 6.1.5, ETSI TS 119 312", _curve),
    KeyCheck("key.size", "CA/B BR 6.1.5, ETSI TS 119 312", _of_rsa(_size)),
    KeyCheck("key.exponent", "CA/B BR 6.1.6", _of_rsa(_exponent)),
    KeyCheck("key.even", "CA/B BR 6.1.6, NIST SP 800-89 5.3.3", _of_rsa(_even)),
    KeyCheck("key.small-factor", "CA/B BR 6.1.6, NIST SP 800-89 5.3.3", _of_rsa(_small_factor)),
    KeyCheck(
        "key.roca",
        f"{_BR}, CVE-2017-15361",
        _of_rsa(_roca),
        "make a new key outside the device that made this one; its generator is faulty",
    ),
    KeyCheck("key.fermat", _BR, _of_rsa(_close_primes)),
    KeyCheck("key.prime-power", "CA/B BR 6.1.6, NIST SP 800-89 5.3.3", _of_rsa(_prime_power)),
)
"""In the order in which they are looked at; each leans on those before it.

All but the first are of RSA.
"""

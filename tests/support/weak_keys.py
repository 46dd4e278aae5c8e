"""RSA keys as faulty generators made them, and the arithmetic to make them again."""

import math
import random
from functools import cache

import gmpy2
from cryptography.hazmat.primitives.asymmetric import rsa

_PRIMES = tuple(n for n in range(2, 1430) if all(n % d for d in range(2, math.isqrt(n) + 1)))
# How many of the first primes the generator multiplied to M, by the bits of the modulus.
_ROCA_FACTORS = {2048: 126, 3072: 126}


def public_key(modulus: int, exponent: int = 65537) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


@cache
def a_roca_modulus(bits: int) -> int:
    """The product of two primes k * M + (65537^a mod M) (CVE-2017-15361)."""
    chance = random.Random(bits)  # noqa: S311 - a weak key on purpose
    product = math.prod(_PRIMES[: _ROCA_FACTORS[bits]])
    return math.prod(_roca_prime(bits // 2, product, chance) for _ in range(2))


def _roca_prime(bits: int, product: int, chance: random.Random) -> int:
    lowest, highest = (3 << bits - 2) // product, (1 << bits) // product - 1
    while True:
        k = chance.randint(lowest, highest)
        candidate = k * product + pow(65537, chance.randrange(product), product)
        if is_prime(candidate):
            return candidate


@cache
def a_product_of_close_primes(bits: int) -> int:
    """Primes that differ in their lower half only."""
    p = _next_prime((3 << bits // 2 - 2) + random.Random(bits).getrandbits(bits // 2 - 2))  # noqa: S311
    return p * _next_prime(p + (1 << bits // 4))


@cache
def a_prime(bits: int) -> int:
    """The prime of the MODP group of that many bits, which everybody has (RFC 3526)."""
    added = {2048: 124476, 3072: 1690314, 4096: 240904}[bits]
    with gmpy2.context(precision=bits):
        middle = int(gmpy2.floor(gmpy2.mul_2exp(gmpy2.const_pi(), bits - 130))) + added
    return (1 << bits) - (1 << bits - 64) - 1 + (middle << 64)


def a_strong_pseudoprime() -> int:
    """A modulus that is no prime and passes the strong test to base 2, made to do so.

    It is p * (2p - 1), whose factors are a square root away.
    """
    p = (math.isqrt(3 << 2045) | 1) + 251620
    return p * (2 * p - 1)


@cache
def a_prime_after_a_multiple(bits: int) -> int:
    """A prime that is one more than a multiple of 2, 3, 5, 7 and many primes after 11."""
    product = math.prod(prime for prime in _PRIMES[:132] if prime != 11)
    number = (3 << bits - 2) // product * product + 1
    while number % 11 != 2 or not is_prime(number, 1):
        number += product
    return number


@cache
def a_prime_power(bits: int, power: int) -> int:
    """A prime to that power, of that many bits."""
    return _next_prime(1 + _root((1 << bits) - (1 << bits - 2), power)) ** power


def is_prime(number: int, rounds: int = 4) -> bool:
    """Miller-Rabin with small bases: good enough for numbers that nobody chose against us."""
    if any(number % prime == 0 for prime in _PRIMES[:150]):
        return number in _PRIMES
    twos = ((number - 1) & -(number - 1)).bit_length() - 1
    return all(_passes(number, base, twos) for base in _PRIMES[:rounds])


def _passes(number: int, base: int, twos: int) -> bool:
    power = pow(base, (number - 1) >> twos, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False


def _next_prime(number: int) -> int:
    number |= 1
    while not is_prime(number, 1):
        number += 2
    return number


def _root(number: int, power: int) -> int:
    low, high = 1, 1 << (number.bit_length() // power + 1)
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**power <= number else (low, middle)
    return low

"""Key quality: every known kind of weak key is refused by its own check, and good keys never."""

import hashlib
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ca import key_quality
from ca.errors import MalformedRequest, Refused
from ca.key_quality import (
    CHECKS,
    check_key,
    key_type,
    read_compromised,
    spki,
    spki_sha256,
)
from tests.support.ca_builders import a_key, an_rsa_key
from tests.support.request_builders import an_rsa_modulus
from tests.support.weak_keys import (
    a_prime,
    a_prime_after_a_multiple,
    a_prime_power,
    a_product_of_close_primes,
    a_roca_modulus,
    a_strong_pseudoprime,
    is_prime,
    public_key,
)

CURVES = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
WEAK_MODULI = {
    "2040 bits": (lambda: an_rsa_modulus(2040, 1), "key.size"),
    "1024 bits": (lambda: an_rsa_modulus(1024, 1), "key.size"),
    "8192 bits": (lambda: an_rsa_modulus(8192, 1), "key.size"),
    "even": (lambda: an_rsa_modulus(2048, 2), "key.even"),
    "three": (lambda: an_rsa_modulus(2048, 3), "key.small-factor"),
    "751": (lambda: an_rsa_modulus(4096, 751), "key.small-factor"),
    "ROCA 2048": (lambda: a_roca_modulus(2048), "key.roca"),
    "ROCA 3072": (lambda: a_roca_modulus(3072), "key.roca"),
    "close primes 2048": (lambda: a_product_of_close_primes(2048), "key.fermat"),
    "close primes 3072": (lambda: a_product_of_close_primes(3072), "key.fermat"),
    "square": (lambda: a_prime_power(2048, 2), "key.fermat"),
    "cube": (lambda: a_prime_power(2048, 3), "key.prime-power"),
    "fifth power": (lambda: a_prime_power(3072, 5), "key.prime-power"),
    "seventh power": (lambda: a_prime_power(4096, 7), "key.prime-power"),
    "high power": (lambda: a_prime_power(2048, 127), "key.prime-power"),
    "prime 2048": (lambda: a_prime(2048), "key.prime-power"),
    "prime 3072": (lambda: a_prime(3072), "key.prime-power"),
    "prime 4096": (lambda: a_prime(4096), "key.prime-power"),
    "strong pseudoprime": (a_strong_pseudoprime, "key.prime-power"),
    "prime after a multiple": (lambda: a_prime_after_a_multiple(2048), "key.prime-power"),
}


def broken_check(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    with pytest.raises(Refused) as refused:
        check_key(key)
    (finding,) = refused.value.findings
    assert finding.clause
    assert finding.way_out
    return finding.rule


@pytest.mark.parametrize("kind", WEAK_MODULI)
def test_a_weak_modulus_is_refused_by_the_check_it_fails(kind: str) -> None:
    modulus, broken = WEAK_MODULI[kind]
    assert broken_check(public_key(modulus())) == broken


@pytest.mark.parametrize("exponent", [3, 5, 17, 257, 65539, 2**31 - 1])
def test_another_exponent_is_refused(exponent: int) -> None:
    modulus = an_rsa_key().public_key().public_numbers().n
    assert broken_check(public_key(modulus, exponent)) == "key.exponent"


def test_a_curve_that_is_not_on_the_list_is_refused() -> None:
    for curve in (ec.SECP224R1(), ec.SECP256K1(), ec.BrainpoolP256R1()):
        assert broken_check(ec.generate_private_key(curve).public_key()) == "key.curve"


def test_every_check_refuses_something_and_has_a_clause() -> None:
    refusing = {broken for _, broken in WEAK_MODULI.values()} | {"key.curve", "key.exponent"}
    assert refusing == {check.id for check in CHECKS}
    assert all(check.clause and check.way_out for check in CHECKS)


def test_a_thousand_good_keys_pass() -> None:
    chance = random.Random(1)  # noqa: S311 - which keys does not matter
    for number in range(980):
        curve = CURVES[number % len(CURVES)]
        check_key(ec.derive_private_key(chance.getrandbits(250) + 1, curve).public_key())
    for number in range(20):
        bits = 3072 if number == 0 else 2048
        check_key(rsa.generate_private_key(65537, bits).public_key())


@pytest.mark.parametrize("kind", ["EC-P256", "EC-P521", "RSA-2048", "RSA-4096"])
def test_a_key_is_looked_at_in_two_milliseconds_but_for_the_test_of_primes(kind: str) -> None:
    key, took = a_key(kind).public_key(), []
    for _ in range(9):
        began = time.thread_time()
        assert not [c.id for c in CHECKS if c.id != "key.prime-power" and c.found(key)]
        took.append(time.thread_time() - began)
    assert median(took) <= 0.002


@pytest.mark.parametrize("hostile", [False, True], ids=["a good key", "a prime"])
def test_to_exclude_a_prime_costs_less_than_a_third_of_an_exponentiation_in_python(
    hostile: bool,  # noqa: FBT001 - as pytest hands it over
) -> None:
    """A prime must not cost more than a good key: strangers choose what is asked."""
    good = [rsa.generate_private_key(65537, 2048).public_key() for _ in range(3)]
    check = next(c for c in CHECKS if c.id == "key.prime-power")
    took = []
    for key in [public_key(a_prime(2048))] * 3 if hostile else good:
        key_quality._is_prime.cache_clear()
        took.append((_seconds(lambda k=key: check.found(k)), _seconds(lambda k=key: _fermat(k))))
    assert median(check for check, _ in took) < median(power for _, power in took) / 3


def test_a_number_that_was_made_to_pass_the_test_of_primes_is_none() -> None:
    assert not is_prime(a_strong_pseudoprime(), 4)
    assert is_prime(a_strong_pseudoprime(), 1)


def _fermat(key: rsa.RSAPublicKey) -> int:
    modulus = key.public_numbers().n
    return pow(3, modulus - 1, modulus)


def _seconds(act: Callable[[], object]) -> float:
    began = time.thread_time()
    act()
    return time.thread_time() - began


def test_a_point_that_is_not_on_its_curve_never_becomes_a_key() -> None:
    """The library validates points (SP 800-56A 5.6.2.3); the checks build on that."""
    good = a_key().public_key()
    assert isinstance(good, ec.EllipticCurvePublicKey)
    numbers = good.public_numbers()
    with pytest.raises(ValueError, match=r"(?i)point|curve|invalid"):
        ec.EllipticCurvePublicNumbers(numbers.x, numbers.y ^ 1, numbers.curve).public_key()
    der = bytearray(spki(good))
    der[-1] ^= 1
    infinity = spki(good)[:-66].replace(b"\x30\x59", b"\x30\x19") + b"\x03\x02\x00\x00"
    for octets in (bytes(der), infinity):
        with pytest.raises((ValueError, UnsupportedAlgorithm)):
            load_der_public_key(octets)


def test_the_word_for_a_key_is_the_profiles() -> None:
    words = [key_type(a_key(kind).public_key()) for kind in ("EC-P521", "RSA-2048")]
    assert words == ["EC-P521", "RSA-2048"]


def test_a_list_of_compromised_keys_is_read_with_its_comments(tmp_path: Path) -> None:
    digest, other = spki_sha256(a_key().public_key()), hashlib.sha256(b"").hexdigest()
    path = tmp_path / "compromised.txt"
    path.write_text(f"# found on the street\n\n{digest}\n  {other.upper()}  # twice\n{other}\n")
    assert read_compromised(path) == {digest, other}


@pytest.mark.parametrize("content", [b"12ab\n", b"\xff\n", b"0" * 65, b"x" * 64, None])
def test_a_list_that_cannot_be_read_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "compromised.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MalformedRequest, match=r"compromised\.txt"):
        read_compromised(path)

"""A token that breaks is left alone, comes back by itself, and never signs twice for one call."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hsm.errors import KeyNotFound, QuotaExhausted, TokenUnavailable
from hsm.module import load_module
from hsm.quota import SignQuota
from hsm.recovery import Breaker, Gate
from hsm.token import Token
from tests.support.pkcs11_shim import (
    DEVICE_ERROR,
    DEVICE_REMOVED,
    GENERAL_ERROR,
    SESSION_HANDLE_INVALID,
    USER_NOT_LOGGED_IN,
    Shim,
)
from tests.support.softhsm import SoftHsm, run_python

ECDSA = ec.ECDSA(hashes.SHA256())
P256 = ec.SECP256R1()

PRELUDE = """
import sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hsm.errors import HsmError
from hsm.softhsm import SoftHsmStore
from hsm.token import Token
from tests.support import pkcs11_shim as shims
shim = shims.Shim(Path(sys.argv[1]))
store = SoftHsmStore(shim.folder / "softhsm", shim.module)
token = Token.open(store.create_token("token"))
key = token.generate_ec_key("key", ec.SECP256R1())
algorithm = ec.ECDSA(hashes.SHA256())
key.sign(b"warm", algorithm)
shim.forget()
def sign():
    try:
        key.public_key().verify(key.sign(b"m", algorithm), b"m", algorithm)
    except HsmError as error:
        return f"{type(error).__name__} {error.ckr}"
    return "signed"
"""

ONE_FAULT = (
    PRELUDE
    + """
shim.fail(int(sys.argv[3]), sys.argv[2], calls=(1, 1))
print(sign(), sign(), sign(), len(shim.inputs()), sep=", ")
"""
)

OUTAGE = (
    PRELUDE
    + """
def seconds(call):
    began = time.monotonic()
    call()
    return time.monotonic() - began
shim.fail(shims.DEVICE_REMOVED, "C_OpenSession", "C_Login", "C_SignInit", "C_Sign")
said, slowest, until = set(), 0.0, time.monotonic() + 2.5
def meanwhile(_):
    global slowest
    while time.monotonic() < until:
        slowest = max(slowest, seconds(lambda: said.add(sign())))
        threading.Event().wait(0.002)
with ThreadPoolExecutor(4) as threads:
    list(threads.map(meanwhile, range(4)))
shim.obey()
began = time.monotonic()
while sign() != "signed":
    threading.Event().wait(0.02)
back = time.monotonic() - began
print(sorted(said), slowest < 1.0, back < 10, token._module.epoch > 0, len(shim.inputs()))
"""
)

LOCKED_PIN = (
    PRELUDE
    + """
shim.obey(f"C_Sign 1 1 return {shims.USER_NOT_LOGGED_IN}", f"C_Login 1 0 return {shims.PIN_LOCKED}")
said = [sign(), sign()]
shim.obey()
print(*said, sign(), sep=", ")
"""
)

SLOW = (
    PRELUDE
    + """
shim.obey("C_Sign 1 1 sleep 1500")
with ThreadPoolExecutor(2) as threads:
    slow = threads.submit(sign)
    threading.Event().wait(0.3)
    quick = [sign() for _ in range(20)]
    print(slow.done(), set(quick), slow.result())
"""
)


@pytest.mark.parametrize("function", ["C_Sign", "C_SignInit"])
@pytest.mark.parametrize(
    ("ckr", "name"),
    [
        (DEVICE_ERROR, "CKR_DEVICE_ERROR"),
        (DEVICE_REMOVED, "CKR_DEVICE_REMOVED"),
        (GENERAL_ERROR, "CKR_GENERAL_ERROR"),
        (SESSION_HANDLE_INVALID, "CKR_SESSION_HANDLE_INVALID"),
        (USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN"),
    ],
)
def test_one_fault_costs_one_signature_and_nothing_is_signed_twice(
    shim: Shim, function: str, ckr: int, name: str
) -> None:
    said = run_python(ONE_FAULT, str(shim.folder), function, str(ckr), **shim.environment)
    assert said == f"TokenUnavailable {name}, signed, signed, 2"


def test_an_outage_is_answered_at_once_and_ends_by_itself(shim: Shim) -> None:
    said = run_python(OUTAGE, str(shim.folder), **shim.environment)
    told = ["TokenLeftAlone CKR_DEVICE_REMOVED", "TokenUnavailable CKR_DEVICE_REMOVED"]
    assert said == f"{told} True True True 1"


def test_a_locked_pin_is_said_so_and_works_again_once_unlocked(shim: Shim) -> None:
    said = run_python(LOCKED_PIN, str(shim.folder), **shim.environment)
    assert said == "TokenUnavailable CKR_USER_NOT_LOGGED_IN, PinRejected CKR_PIN_LOCKED, signed"


def test_a_slow_call_holds_up_no_other(shim: Shim) -> None:
    assert run_python(SLOW, str(shim.folder), **shim.environment) == "False {'signed'} signed"


def test_a_restart_of_the_module_under_load_is_not_seen(softhsm: SoftHsm) -> None:
    tokens = [softhsm.token("restart-a"), softhsm.token("restart-b")]
    keys = [token.generate_ec_key("key", P256) for token in tokens]
    module, stop = load_module(tokens[0].location.module), threading.Event()

    def sign_on(number: int) -> int:
        signed = 0
        while not stop.is_set():
            key = keys[number % 2]
            key.public_key().verify(key.sign(b"m", ECDSA), b"m", ECDSA)
            signed += 1
        return signed

    with ThreadPoolExecutor(4) as threads:
        signing = [threads.submit(sign_on, number) for number in range(4)]
        for _ in range(5):
            stop.wait(0.1)
            module.restart()
        stop.wait(0.1)
        stop.set()
    assert all(each.result() > 0 for each in signing)


def test_a_key_that_a_lost_login_hides_is_found_at_the_next_try(softhsm: SoftHsm) -> None:
    token = softhsm.token("hidden")
    token.generate_ec_key("key", P256)
    load_module(token.location.module).logins["hidden"].close()  # C_Logout
    token.close()
    with pytest.raises(KeyNotFound):
        token.private_key("key")
    assert token.private_key("key").label == "key"


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_token_that_fails_three_times_is_left_alone_and_then_tried_by_one() -> None:
    clock = Clock()
    breaker = Breaker("token", clock)
    for _ in range(3):
        assert not breaker.admit()
        breaker.failed("CKR_DEVICE_ERROR")
    with pytest.raises(TokenUnavailable) as refusal:
        breaker.admit()
    assert (refusal.value.subject, refusal.value.ckr) == ("token", "CKR_DEVICE_ERROR")
    clock.seconds = 1.0
    assert breaker.admit()
    with pytest.raises(TokenUnavailable):
        breaker.admit()
    clock.seconds = 2.0
    assert breaker.admit()
    breaker.succeeded()
    assert not breaker.admit()


def test_a_token_that_goes_on_failing_is_tried_less_often() -> None:
    clock, waited = Clock(), []
    breaker = Breaker("token", clock)
    for _ in range(3):
        breaker.failed("CKR_DEVICE_ERROR")
    for _ in range(5):
        began = clock.seconds
        while not is_admitted(breaker):
            clock.seconds += 0.5
        waited.append(clock.seconds - began)
        breaker.failed("CKR_DEVICE_ERROR")
    assert waited == [1.0, 2.0, 4.0, 4.0, 4.0]


def is_admitted(breaker: Breaker) -> bool:
    try:
        return breaker.admit()
    except TokenUnavailable:
        return False


def test_only_failures_in_a_row_count() -> None:
    breaker = Breaker("token", Clock())
    for _ in range(5):
        breaker.failed("CKR_DEVICE_ERROR")
        breaker.failed("CKR_DEVICE_ERROR")
        breaker.succeeded()
        assert not breaker.admit()


def test_whoever_wants_to_be_alone_waits_for_those_inside_and_gives_up_in_time() -> None:
    gate = Gate()
    gate.enter()
    with gate.alone(0.01) as empty:
        assert not empty
    gate.leave()
    with ThreadPoolExecutor(1) as threads:
        with gate.alone(0.01) as empty:
            assert empty
            waiting = threads.submit(gate.enter)
            assert not waiting.done()
        waiting.result(timeout=5)
    gate.leave()


def test_a_key_signs_as_often_in_an_hour_as_it_may() -> None:
    clock = Clock()
    quota = SignQuota(2, clock)
    quota.spend("key")
    quota.spend("other")
    quota.spend("key")
    with pytest.raises(QuotaExhausted):
        quota.spend("key")
    quota.spend("other")
    clock.seconds = 3600
    quota.spend("key")


def test_a_token_key_obeys_its_quota(softhsm: SoftHsm) -> None:
    location = softhsm.store.create_token("quota")
    key = Token.open(location, SignQuota(2)).generate_ec_key("key", P256)
    for _ in range(2):
        key.sign(b"m", ECDSA)
    with pytest.raises(QuotaExhausted) as refusal:
        key.sign(b"m", ECDSA)
    assert refusal.value.subject == "key"


def test_a_breaker_is_shared_by_all_who_opened_the_token(softhsm: SoftHsm) -> None:
    first = softhsm.token("shared-breaker")
    assert Token.open(first.location)._breaker is first._breaker

"""A token in one process: keys, wrapping, threads, wrong PINs, lost logins."""

import _ctypes
import os
import shutil
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pkcs11
import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hsm.errors import (
    HsmError,
    IntegrityFailed,
    KeyExists,
    KeyNotFound,
    LockHeld,
    ModuleForked,
    PinRejected,
    PinUnreadable,
    TokenNotFound,
    TokenUnavailable,
)
from hsm.keys import TokenRSAPrivateKey
from hsm.module import exclusive, load_module
from hsm.token import Token, TokenLocation
from tests.support.softhsm import SoftHsm, run_python
from tests.support.token_keys import a_token_rsa_key

SIGN_PLAINLY = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hsm.token import Token, TokenLocation
module, label, pin_file, lock_dir = sys.argv[1:]
token = Token.open(TokenLocation(Path(module), label, Path(pin_file), Path(lock_dir)))
print(token.private_key("key").sign(b"message", ec.ECDSA(hashes.SHA256())).hex())
assert "hsm.softhsm" not in sys.modules
"""

ECDSA = ec.ECDSA(hashes.SHA256())
P256 = ec.SECP256R1()


@pytest.fixture(scope="session")
def token(softhsm: SoftHsm) -> Token:
    return softhsm.token("token")


def test_a_key_is_found_again_by_its_label(token: Token) -> None:
    made = token.generate_ec_key("found-again", P256)
    found = token.private_key("found-again")
    assert found.public_key() == made.public_key()
    assert token.has_key("found-again")
    assert "found-again" in token.key_labels()


def test_an_rsa_key_is_found_again_by_its_label(token: Token) -> None:
    made = a_token_rsa_key(token, "rsa-again")
    found = token.private_key("rsa-again")
    assert isinstance(found, TokenRSAPrivateKey)
    assert found.public_key() == made.public_key()


def test_a_key_that_was_destroyed_signs_no_more_and_its_label_is_free(token: Token) -> None:
    destroyed, kept = (token.generate_ec_key(label, P256) for label in ("destroyed", "kept"))
    assert destroyed.sign(b"message", ECDSA)
    token.destroy_key("destroyed")
    with pytest.raises(HsmError):
        destroyed.sign(b"message", ECDSA)
    assert not token.has_key("destroyed")
    assert kept.sign(b"message", ECDSA)
    with pytest.raises(KeyNotFound):
        token.destroy_key("destroyed")
    assert token.generate_ec_key("destroyed", P256).public_key() != destroyed.public_key()


def test_a_label_is_used_once(token: Token) -> None:
    token.generate_ec_key("once", P256)
    with pytest.raises(KeyExists) as refusal:
        a_token_rsa_key(token, "once")
    assert refusal.value.subject == "once"


def test_an_unknown_key_is_not_found(token: Token) -> None:
    assert not token.has_key("nobody")
    with pytest.raises(KeyNotFound) as refusal:
        token.private_key("nobody")
    assert (refusal.value.subject, refusal.value.ckr) == ("nobody", "")


def test_an_unknown_curve_is_refused(token: Token) -> None:
    with pytest.raises(UnsupportedAlgorithm):
        token.generate_ec_key("brainpool", ec.BrainpoolP256R1())


def test_private_parts_are_sensitive_and_cannot_be_extracted(token: Token) -> None:
    token.generate_ec_key("inside", P256)
    attributes = [
        pkcs11.Attribute.TOKEN,
        pkcs11.Attribute.PRIVATE,
        pkcs11.Attribute.SENSITIVE,
        pkcs11.Attribute.EXTRACTABLE,
        pkcs11.Attribute.NEVER_EXTRACTABLE,
        pkcs11.Attribute.LABEL,
    ]
    values = token.use_private_key("inside", lambda key: [key[name] for name in attributes])
    assert values == [True, True, True, False, True, "inside"]
    assert len(token.use_private_key("inside", lambda key: key[pkcs11.Attribute.ID])) == 20


def test_eight_threads_sign_without_a_single_error(token: Token) -> None:
    key = token.generate_ec_key("threads", P256)
    start = threading.Barrier(8)

    def sign_many(thread: int) -> list[tuple[bytes, bytes]]:
        start.wait()
        messages = [b"%d of %d" % (number, thread) for number in range(200)]
        return [(message, key.sign(message, ECDSA)) for message in messages]

    with ThreadPoolExecutor(8) as threads:
        signed = [pair for pairs in threads.map(sign_many, range(8)) for pair in pairs]
    assert len(signed) == 1600
    for message, signature in signed:
        key.public_key().verify(signature, message, ECDSA)
    assert len(token._idle) <= 8


def test_two_tokens_of_one_module_work_side_by_side(softhsm: SoftHsm) -> None:
    first, second = softhsm.token("side-a"), softhsm.token("side-b")
    first.generate_ec_key("only-in-a", P256)
    assert first.has_key("only-in-a")
    assert not second.has_key("only-in-a")


def test_a_token_opened_twice_shares_the_login(softhsm: SoftHsm) -> None:
    first = softhsm.token("twice")
    key = first.generate_ec_key("shared", P256)
    with Token.open(first.location) as second:
        second.private_key("shared").public_key()
    signature = key.sign(b"after the other was closed", ECDSA)
    key.public_key().verify(signature, b"after the other was closed", ECDSA)


def test_a_token_that_someone_else_logged_in_to_opens(softhsm: SoftHsm) -> None:
    location = softhsm.store.create_token("foreign-login")
    module = load_module(location.module)
    foreign = module.token(location.label).open(user_pin=location.pin_file.read_text())
    assert Token.open(location).key_labels() == []
    module.logins.pop(location.label)
    foreign.close()


def test_an_error_drops_the_session_and_the_next_call_works(token: Token) -> None:
    key = token.generate_ec_key("drops", P256)
    key.sign(b"warm", ECDSA)
    idle = len(token._idle)
    with pytest.raises(KeyNotFound):
        token.wrapping_key("drops-not")
    assert len(token._idle) == idle - 1
    key.sign(b"again", ECDSA)


def test_a_lost_login_is_renewed_after_one_error(softhsm: SoftHsm) -> None:
    token = softhsm.token("lost-login")
    key = token.generate_ec_key("key", P256)
    key.sign(b"before", ECDSA)
    load_module(token.location.module).logins[token.location.label].close()  # C_Logout
    with pytest.raises(TokenUnavailable):
        key.sign(b"while logged out", ECDSA)
    key.public_key().verify(key.sign(b"after", ECDSA), b"after", ECDSA)


def test_a_wrapping_key_returns_what_it_was_given(token: Token) -> None:
    key = token.generate_wrapping_key("wrap")
    sealed = key.encrypt(b"data key", b"subject 1")
    assert len(sealed) == 12 + len(b"data key") + 16
    assert token.wrapping_key("wrap").decrypt(sealed, b"subject 1") == b"data key"
    assert key.encrypt(b"data key", b"subject 1") != sealed
    large = bytes(100_000)
    assert key.decrypt(key.encrypt(large, b""), b"") == large


def test_a_changed_ciphertext_fails_its_integrity_check(token: Token) -> None:
    key = token.generate_wrapping_key("tamper")
    sealed = key.encrypt(b"data key", b"subject 1")
    for position in (0, 12, len(sealed) - 1):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(IntegrityFailed):
            key.decrypt(bytes(changed), b"subject 1")
    with pytest.raises(IntegrityFailed):
        key.decrypt(sealed, b"subject 2")
    with pytest.raises(IntegrityFailed):
        key.decrypt(sealed[:27], b"subject 1")
    assert key.decrypt(sealed, b"subject 1") == b"data key"


def test_a_lost_login_is_not_mistaken_for_tampering(softhsm: SoftHsm) -> None:
    token = softhsm.token("lost-while-unwrapping")
    key = token.generate_wrapping_key("key")
    sealed = key.encrypt(b"data key", b"")
    load_module(token.location.module).logins[token.location.label].close()  # C_Logout
    with pytest.raises(TokenUnavailable):
        key.decrypt(sealed, b"")
    assert key.decrypt(sealed, b"") == b"data key"


def test_a_ciphertext_of_another_key_fails_its_integrity_check(token: Token) -> None:
    key = token.generate_wrapping_key("foreign")
    with pytest.raises(IntegrityFailed):
        key.decrypt(bytes(12) + AESGCM(bytes(32)).encrypt(bytes(12), b"x", b""), b"")


def test_a_wrong_pin_is_rejected_and_not_tried_twice(softhsm: SoftHsm, tmp_path: Path) -> None:
    location = softhsm.store.create_token("wrong-pin")
    wrong = replace(location, pin_file=tmp_path / "pin")
    wrong.pin_file.write_text("not the PIN\n")
    with pytest.raises(PinRejected) as refusal:
        Token.open(wrong)
    assert refusal.value.ckr == "CKR_PIN_INCORRECT"
    with pytest.raises(PinRejected) as refusal:
        Token.open(wrong)
    assert refusal.value.ckr == "not tried again"
    assert "not the PIN" not in str(refusal.value)
    Token.open(location).key_labels()


def test_a_missing_pin_file_is_said_so(softhsm: SoftHsm, tmp_path: Path) -> None:
    location = softhsm.store.create_token("no-pin-file")
    with pytest.raises(PinUnreadable):
        Token.open(replace(location, pin_file=tmp_path / "missing"))


def test_a_missing_token_is_not_found(softhsm: SoftHsm) -> None:
    location = softhsm.store.create_token("present")
    with pytest.raises(TokenNotFound):
        Token.open(replace(location, label="absent"))


def copied_library(library: Path, folder: Path) -> Path:
    return Path(shutil.copy(library, folder / "plain.so"))


def p11_kit_proxy(_library: Path, _folder: Path) -> Path:
    return next(Path("/usr/lib").glob("*/p11-kit-proxy.so"))


@pytest.mark.parametrize("choose", [copied_library, p11_kit_proxy])
def test_another_module_needs_nothing_of_softhsms_store(
    softhsm: SoftHsm, tmp_path: Path, choose: Callable[[Path, Path], Path]
) -> None:
    token = softhsm.token("other-module")
    made = token.private_key("key") if token.has_key("key") else token.generate_ec_key("key", P256)
    location = token.location
    module = choose(location.module, tmp_path)
    values = [str(value) for value in (module, location.label, location.pin_file, tmp_path)]
    signature = run_python(SIGN_PLAINLY, *values, SOFTHSM2_CONF=os.environ["SOFTHSM2_CONF"])
    made.public_key().verify(bytes.fromhex(signature), b"message", ECDSA)


@pytest.mark.parametrize("module", ["/nowhere/module.so", _ctypes.__file__])
def test_what_is_no_module_is_unavailable(module: str, tmp_path: Path) -> None:
    location = TokenLocation(Path(module), "any", tmp_path / "pin", tmp_path / "locks")
    with pytest.raises(TokenUnavailable):
        Token.open(location)


def test_a_lock_that_is_never_released_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "login.lock"
    with exclusive(path), pytest.raises(LockHeld), exclusive(path, patience=0.02):
        pass
    with exclusive(path, patience=0):
        pass


def in_forked_child(action: object) -> str:
    """The name of the error that the action raises in a forked child."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            assert callable(action)
            action()
            os.write(writer, b"nothing")
        except BaseException as error:  # noqa: BLE001 - the child must report and never return
            os.write(writer, type(error).__name__.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read().decode()


def test_a_forked_child_may_not_use_what_the_parent_opened(token: Token) -> None:
    key = token.generate_ec_key("fork", P256)
    assert in_forked_child(lambda: key.sign(b"x", ECDSA)) == ModuleForked.__name__
    assert in_forked_child(token.close) == ModuleForked.__name__
    assert in_forked_child(lambda: token.generate_ec_key("child", P256)) == ModuleForked.__name__
    key.public_key().verify(key.sign(b"parent", ECDSA), b"parent", ECDSA)


def sign_afresh(location: TokenLocation) -> None:
    """Open the token in this process, sign, and let a child of its own do the same."""
    key = Token.open(location).private_key("fork-afresh")
    key.public_key().verify(key.sign(b"child", ECDSA), b"child", ECDSA)  # type: ignore[call-arg]


def test_a_forked_child_that_opens_the_token_itself_signs_and_so_does_its_own_child(
    token: Token,
) -> None:
    key = token.generate_ec_key("fork-afresh", P256)

    def child() -> None:
        sign_afresh(token.location)
        assert in_forked_child(lambda: sign_afresh(token.location)) == "nothing"
        sign_afresh(token.location)

    assert in_forked_child(child) == "nothing"
    key.public_key().verify(key.sign(b"parent", ECDSA), b"parent", ECDSA)


def test_children_that_are_forked_while_threads_sign_all_sign(token: Token) -> None:
    key, stop = token.generate_ec_key("fork-busy", P256), threading.Event()

    def sign_on(_: int) -> int:
        signed = 0
        while not stop.is_set():
            key.sign(b"m", ECDSA)
            signed += 1
        return signed

    def child() -> None:
        Token.open(token.location).check_health()

    with ThreadPoolExecutor(3) as threads:
        signing = [threads.submit(sign_on, number) for number in range(3)]
        said = [in_forked_child(child) for _ in range(20)]
        stop.set()
    assert said == ["nothing"] * 20
    assert all(each.result() > 0 for each in signing)


def test_a_child_that_was_forked_in_the_midst_of_a_call_is_refused(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hsm.module.RESTART_PATIENCE", 0.01)
    module = load_module(token.location.module)
    with module.gate.inside():
        assert in_forked_child(lambda: Token.open(token.location)) == ModuleForked.__name__
    assert in_forked_child(lambda: Token.open(token.location)) == "nothing"


def test_a_lock_that_was_held_at_a_fork_is_free_when_the_parent_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "fork.lock"
    with exclusive(path):
        child = os.fork()
        if child == 0:
            signal.pause()
    try:
        with exclusive(path, patience=0):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

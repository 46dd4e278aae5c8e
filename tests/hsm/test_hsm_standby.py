"""While a token is down its standby signs with the same key, and is not left too soon."""

import os
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hsm.errors import KeyNotFound, KeyUnfit, TokenNotFound
from hsm.standby import TokenPair
from hsm.token import Token
from server.settings_sources import load_settings
from server.tokens import Tokens
from tests.support.imported_keys import put_key
from tests.support.pkcs11_shim import Shim
from tests.support.softhsm import SoftHsm, run_python

PRELUDE = """
import sys, threading, time
from pathlib import Path
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hsm.errors import HsmError
from hsm.standby import Pace, TokenPair
from hsm.token import Token, TokenLocation
from tests.support import pkcs11_shim as shims
folder, copied, pins, locks = map(Path, sys.argv[1:])
shim = shims.Shim(folder)
def opener(module, label):
    opened = []
    def open_token():
        if not opened:
            opened.append(Token.open(TokenLocation(module, label, pins / f"{label}.pin", locks)))
        return opened[0]
    return open_token
pause, changes = threading.Event(), []
def a_pair():
    tokens = opener(shim.module, "pair-a"), opener(copied, "pair-b")
    return TokenPair(*tokens, changes.append, Pace(0.1, 1.0))
ecdsa = ec.ECDSA(hashes.SHA256())
def sign(key):
    try:
        key.public_key().verify(key.sign(b"m", ecdsa), b"m", ecdsa)
    except HsmError:
        return "failed"
    return "signed"
def remove():
    shim.fail(shims.DEVICE_REMOVED, "C_OpenSession", "C_Login", "C_SignInit", "C_Sign")
"""

FALL_OVER = (
    PRELUDE
    + """
pair = a_pair()
key = pair.private_key("key")
print(sign(key), pair.on_standby, changes)
remove()
print([sign(key) for _ in range(30)].count("failed"), pair.on_standby, changes)
for _ in range(4):
    shim.obey()
    pause.wait(0.3)
    print(sign(key), end=" ")
    remove()
    pause.wait(0.3)
    print(sign(key), end=" ")
print(pair.on_standby, changes)
shim.obey()
shim.forget()
said = set()
until = time.monotonic() + 15
while pair.on_standby and time.monotonic() < until:
    said.add(sign(key))
said.add(sign(key))
print(said, changes, len(shim.inputs()) > 0)
"""
)

DOWN_FROM_THE_START = (
    PRELUDE
    + """
remove()
pair = a_pair()
key = pair.private_key("key")
print([sign(key) for _ in range(10)], pair.on_standby)
pair.close()
"""
)

LOCKED_PIN = (
    PRELUDE
    + """
shim.obey(f"C_Login 1 0 return {shims.PIN_LOCKED}")
print(sign(a_pair().private_key("key")))
"""
)


@pytest.fixture(scope="module")
def twins(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two tokens with one key, each through a module of its own; arguments of the scripts."""
    key = ec.generate_private_key(ec.SECP256R1())
    for label in ("pair-a", "pair-b"):
        put_key(softhsm.token(label), "key", key)
    copied = shutil.copy(softhsm.store.module, tmp_path_factory.mktemp("standby") / "second.so")
    location = softhsm.store.location("pair-a")
    return [str(copied), str(location.pin_file.parent), str(location.lock_dir)]


def run(code: str, shim: Shim, twins: list[str]) -> list[str]:
    environment = shim.environment | {"SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"]}
    return run_python(code, str(shim.folder), *twins, **environment).splitlines()


@pytest.mark.slow
def test_the_standby_signs_while_the_token_is_down_and_is_not_left_too_soon(
    shim: Shim, twins: list[str]
) -> None:
    assert run(FALL_OVER, shim, twins) == [
        "signed False []",
        "3 True [True]",
        "signed " * 8 + "True [True]",
        "{'signed'} [True, False] True",
    ]


def test_a_token_that_is_down_from_the_start_is_not_waited_for(
    shim: Shim, twins: list[str]
) -> None:
    assert run(DOWN_FROM_THE_START, shim, twins) == [f"{['signed'] * 10} True"]


def test_a_token_whose_pin_is_locked_is_down(shim: Shim, twins: list[str]) -> None:
    assert run(LOCKED_PIN, shim, twins) == ["signed"]


START = """
import os, sys
from pathlib import Path
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hsm.errors import HsmError
from server.settings_sources import load_settings
from server.tokens import Tokens
from tests.support import pkcs11_shim as shims
folder, copied, pins, locks = map(Path, sys.argv[1:])
shim = shims.Shim(folder)
shim.fail(shims.DEVICE_REMOVED, "C_OpenSession", "C_Login", "C_SignInit", "C_Sign")
environment = {
    "TILLID_STATE": str(folder),
    "TILLID_HSM__MODULE": str(shim.module),
    "TILLID_HSM__SOFTHSM_DIRECTORY": "",
    "TILLID_HSM__PIN_DIRECTORY": str(pins),
    "TILLID_HSM__ISSUING_TOKEN": "pair-a",
}
standby = f"pkcs11:token=pair-b?module-path={copied}&pin-source=file:{pins}/pair-b.pin"
for settings in (environment, environment | {"TILLID_HSM__ISSUING_STANDBY": standby}):
    tokens = Tokens(load_settings(settings, folder).hsm)
    try:
        tokens.check_keys([("pair-a", "key")])
        tokens.check_for_use("pair-a", "key")
        key = tokens.find("pair-a", "key")
        key.sign(b"m", ec.ECDSA(hashes.SHA256()))
        print("signed", tokens.on_standby())
    except HsmError as error:
        print(type(error).__name__)
    tokens.close()
"""


def test_a_start_with_the_token_down_needs_a_standby(shim: Shim, twins: list[str]) -> None:
    assert run(START, shim, twins) == ["TokenUnavailable", "signed {'pair-a': True}"]


def absent() -> Token:
    raise TokenNotFound("in the safe")


def test_a_standby_with_another_key_signs_nothing(softhsm: SoftHsm) -> None:
    first, standby = softhsm.token("differs-a"), softhsm.token("differs-b")
    made = first.generate_ec_key("key", ec.SECP256R1())
    standby.generate_ec_key("key", ec.SECP256R1())
    pair = TokenPair(absent, lambda: standby, lambda _: None)
    pair._public["key"] = made.public_key()
    with pytest.raises(KeyUnfit):
        pair.private_key("key")
    with pytest.raises(KeyUnfit):
        pair.sign_with("key", lambda _: pytest.fail("it signed"))
    pair.close()


def test_a_wrapping_key_is_asked_of_its_own_token_alone(softhsm: SoftHsm) -> None:
    first, standby = softhsm.token("wraps-a"), softhsm.token("wraps-b")
    standby.generate_wrapping_key("wrap")
    pair = TokenPair(lambda: first, lambda: standby, lambda _: None)
    with pytest.raises(KeyNotFound):
        pair.use_secret_key("wrap", lambda _: pytest.fail("the standby was asked"))


def test_a_token_that_comes_later_than_its_standby_is_looked_at_then(
    softhsm: SoftHsm, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    put_key(softhsm.token("sooner"), "key", key)
    settings = load_settings(
        {
            "TILLID_STATE": str(tmp_path),
            "TILLID_HSM__SOFTHSM_DIRECTORY": str(softhsm.store.directory),
            "TILLID_HSM__ISSUING_TOKEN": "later",
            "TILLID_HSM__ISSUING_STANDBY": "sooner",
        },
        tmp_path,
    )
    tokens = Tokens(settings.hsm)
    for _ in range(2):
        tokens.check_for_use("later", "key")
    put_key(softhsm.token("later"), "key", key)
    with pytest.raises(KeyUnfit):
        tokens.check_for_use("later", "key")
    tokens.close()


def test_the_settings_name_a_standby_and_what_it_must_hold(
    softhsm: SoftHsm, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    first, standby = softhsm.token("named"), softhsm.token("named-standby")
    first.generate_ec_key("made-here", ec.SECP256R1())
    put_key(standby, "made-here", key)
    put_key(standby, "key", key)
    settings = load_settings(
        {
            "TILLID_STATE": str(tmp_path),
            "TILLID_HSM__SOFTHSM_DIRECTORY": str(softhsm.store.directory),
            "TILLID_HSM__ISSUING_TOKEN": "pkcs11:token=named;manufacturer=SoftHSM%20project",
            "TILLID_HSM__ISSUING_STANDBY": "named-standby",
        },
        tmp_path,
    )
    tokens = Tokens(settings.hsm)
    with pytest.raises(KeyUnfit):
        tokens.check_keys([("named", "made-here")])
    with pytest.raises(KeyUnfit):
        tokens.check_for_use("named", "made-here")
    tokens.open("named-standby").check_copied_key("key", key.public_key())
    health = tokens.check_health()
    health.pop("tillid-service")  # which other tests may have made
    assert health == {"named": None, "named-standby": None}
    assert tokens.on_standby() == {"named": False}
    assert tokens.find("named", "made-here") is not None
    tokens.close()

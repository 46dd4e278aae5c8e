"""A PIN is changed so that a crash at any moment leaves a file with the PIN that works."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hsm.errors import PinKeptElsewhere
from hsm.pin_change import change_pin
from hsm.softhsm import SoftHsmStore
from hsm.token import Token, TokenLocation
from tests.support.command_line import ROOT, clean_environment
from tests.support.pkcs11_shim import Shim
from tests.support.softhsm import SoftHsm, run_python

PRELUDE = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric import ec
from hsm.pin_change import change_pin
from hsm.softhsm import SoftHsmStore
from hsm.token import Token
store = SoftHsmStore(Path(sys.argv[1]), Path(sys.argv[2]))
def open_token():
    store.activate()
    return Token.open(store.location("token"))
"""
MAKE = PRELUDE + "store.create_token('token'); open_token().generate_ec_key('key', ec.SECP256R1())"
CHANGE = PRELUDE + "change_pin(open_token, lambda: store.refresh_copy('token'))"
KEYS = PRELUDE + "print(open_token().key_labels())"


@pytest.fixture
def made(shim: Shim, tmp_path: Path) -> Path:
    run_python(MAKE, *places(tmp_path, shim), **shim.environment)
    return tmp_path / "store" / "pins" / "token.pin"


def places(folder: Path, shim: Shim) -> tuple[str, str]:
    return str(folder / "store"), str(shim.module)


def opens(folder: Path, shim: Shim) -> bool:
    return run_python(KEYS, *places(folder, shim), **shim.environment) == "['key']"


def killed(shim: Shim, folder: Path, rule: str) -> None:
    shim.obey(rule)
    done = subprocess.run(
        [sys.executable, "-c", CHANGE, *places(folder, shim)],
        env=clean_environment({"PYTHONPATH": str(ROOT), **shim.environment}),
        check=False,
        timeout=30,
    )
    shim.obey()
    assert done.returncode == -signal.SIGKILL


def test_a_changed_pin_is_the_only_one(shim: Shim, made: Path, tmp_path: Path) -> None:
    old = made.read_text()
    run_python(CHANGE, *places(tmp_path, shim), **shim.environment)
    assert made.read_text() != old
    assert opens(tmp_path, shim)
    files = sorted(path.name for path in made.parent.iterdir())
    assert files == ["token.pin", "token.so-pin"]


LOGGED_IN = (
    PRELUDE
    + f"""
import os, subprocess
from cryptography.hazmat.primitives import hashes
key, ecdsa = open_token().private_key("key"), ec.ECDSA(hashes.SHA256())
key.sign(b"before", ecdsa)
environment = os.environ | {{"PYTHONPATH": "{ROOT}"}}
subprocess.run([sys.executable, "-c", sys.argv[3], *sys.argv[1:3]], env=environment, check=True)
key.sign(b"in the session that there was", ecdsa)
open_token()._module.restart()
key.sign(b"after another login", ecdsa)
print("signed")
"""
)


def test_a_process_that_is_logged_in_goes_on(shim: Shim, made: Path, tmp_path: Path) -> None:
    old = made.read_text()
    said = run_python(LOGGED_IN, *places(tmp_path, shim), CHANGE, **shim.environment)
    assert said == "signed"
    assert made.read_text() != old


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_the_change_leaves_a_token_that_opens(
    shim: Shim, made: Path, tmp_path: Path, when: str
) -> None:
    old, waiting = made.read_text(), made.with_name("token.pin.new")
    killed(shim, tmp_path, f"C_SetPIN 1 1 {when} 0")
    assert made.read_text() == old
    fresh = waiting.read_text()
    assert opens(tmp_path, shim)
    assert waiting.read_text() == fresh
    run_python(CHANGE, *places(tmp_path, shim), **shim.environment)
    assert not waiting.exists()
    assert made.read_text() not in (old, fresh)
    assert opens(tmp_path, shim)


@pytest.mark.slow
def test_a_token_torn_in_the_change_comes_back_with_a_pin_that_works(
    shim: Shim, made: Path, tmp_path: Path
) -> None:
    killed(shim, tmp_path, "C_SetPIN 1 1 after 0")
    (torn,) = (tmp_path / "store" / "tokens").glob("*/token.object")
    torn.write_bytes(b"")
    assert opens(tmp_path, shim)  # the copy is older than the change
    run_python(CHANGE, *places(tmp_path, shim), **shim.environment)
    torn.write_bytes(b"")
    assert opens(tmp_path, shim)  # and is as new as the change now
    assert not made.with_name("token.pin.new").exists()


def test_a_refused_change_changes_nothing(shim: Shim, made: Path, tmp_path: Path) -> None:
    old = made.read_text()
    shim.obey("C_SetPIN 1 1 return 0x54")  # CKR_FUNCTION_NOT_SUPPORTED
    code = CHANGE.replace("change_pin(open", "open_token()\ntry: change_pin(open") + (
        "\nexcept Exception as error: print(error)"
    )
    said = run_python(code, *places(tmp_path, shim), **shim.environment)
    assert "CKR_FUNCTION_NOT_SUPPORTED" in said
    assert made.read_text() == old
    assert not made.with_name("token.pin.new").exists()
    assert opens(tmp_path, shim)


def test_a_pin_that_is_in_no_file_is_not_changed(softhsm: SoftHsm) -> None:
    location = softhsm.store.create_token("credential")
    token = Token.open(location)
    elsewhere = TokenLocation(
        location.module, location.label, Path("credential:credential.pin"), location.lock_dir
    )
    token.location = elsewhere
    with pytest.raises(PinKeptElsewhere):
        change_pin(lambda: token, lambda: None)
    assert SoftHsmStore(softhsm.store.directory).location("credential") == location

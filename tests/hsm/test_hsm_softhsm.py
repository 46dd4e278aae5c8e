"""The SoftHSM store: made once, repaired when torn, shared by processes, silent about PINs."""

import os
from pathlib import Path

import pytest

from hsm.errors import TokenNotFound, TokenUnavailable
from hsm.softhsm import SoftHsmStore
from tests.support.softhsm import SoftHsm, run_python

MAKE = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric import ec
from hsm.softhsm import SoftHsmStore
from hsm.token import Token
store = SoftHsmStore(Path(sys.argv[1]))
token = Token.open(store.create_token("torn"))
token.generate_ec_key("key", ec.SECP256R1())
"""

SIGN = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hsm.softhsm import SoftHsmStore
from hsm.token import Token
store = SoftHsmStore(Path(sys.argv[1]))
def sign():
    key = Token.open(store.location("torn")).private_key("key")
    key.public_key().verify(key.sign(b"m", ec.ECDSA(hashes.SHA256())), b"m",
                            ec.ECDSA(hashes.SHA256()))
"""

SIGN_ONCE = SIGN + "store.activate(); sign(); print('signed')"

PAIRS = (
    SIGN
    + """
import os
store.activate()
failures = 0
for _ in range(20):
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                sign()
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    failures += sum(os.waitpid(child, 0)[1] != 0 for child in children)
print(failures, "failures")
"""
)

WATCH = (
    """
import sys
started = []
names = ("subprocess.", "os.exec", "os.posix_spawn", "os.fork", "os.system", "os.spawn")
sys.addaudithook(lambda event, _: started.append(event) if event.startswith(names) else None)
"""
    + MAKE
    + """
import os
pins = [path.read_text() for path in Path(sys.argv[1], "pins").iterdir()]
seen = Path("/proc/self/cmdline").read_text() + str(dict(os.environ)) + repr(token.location)
print(len(pins), started, any(pin in seen for pin in pins))
"""
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    run_python(MAKE, str(tmp_path))
    return tmp_path


def token_object(directory: Path) -> Path:
    (found,) = (directory / "tokens").glob("*/token.object")
    return found


def test_a_token_torn_by_a_kill_during_login_is_restored(directory: Path) -> None:
    os.truncate(token_object(directory), 0)
    assert SoftHsmStore(directory).repair() == ["torn"]
    assert token_object(directory).stat().st_size > 0
    assert SoftHsmStore(directory).repair() == []


def test_the_next_process_repairs_the_token_and_signs(directory: Path) -> None:
    os.truncate(token_object(directory), 0)
    assert run_python(SIGN_ONCE, str(directory)) == "signed"


def test_two_processes_opening_at_once_always_succeed(directory: Path) -> None:
    assert run_python(PAIRS, str(directory)) == "0 failures"


def test_pins_are_in_no_argument_environment_or_child_process(tmp_path: Path) -> None:
    assert run_python(WATCH, str(tmp_path)) == "2 [] False"


def test_a_token_is_made_once(softhsm: SoftHsm) -> None:
    first = softhsm.store.create_token("made-once")
    pin = first.pin_file.read_text()
    assert softhsm.store.create_token("made-once") == first
    assert first.pin_file.read_text() == pin
    assert softhsm.store.labels().count("made-once") == 1
    assert softhsm.store.location("made-once") == first


def test_a_token_left_half_made_by_a_crash_is_finished(softhsm: SoftHsm) -> None:
    made = softhsm.store.create_token("half-made")
    (copy,) = (softhsm.store.directory / "token-objects" / "half-made").iterdir()
    copy.unlink()
    assert "half-made" not in softhsm.store.labels()
    assert softhsm.store.create_token("half-made") == made
    assert copy.exists()


def test_files_of_the_store_are_for_their_owner_alone(softhsm: SoftHsm) -> None:
    softhsm.store.create_token("private-files")
    root = softhsm.store.directory
    ours = [*root.iterdir(), *(root / "pins").iterdir(), *(root / "token-objects").rglob("*")]
    assert root / "pins" / "private-files.pin" in ours
    assert [path for path in ours if path.stat().st_mode & 0o077] == []


def test_the_copy_follows_the_token(softhsm: SoftHsm) -> None:
    softhsm.store.create_token("copied")
    (copy,) = (softhsm.store.directory / "token-objects" / "copied").iterdir()
    copy.write_bytes(b"old")
    softhsm.store.refresh_copy("copied")
    original = softhsm.store.directory / "tokens" / copy.name / "token.object"
    assert copy.read_bytes() == original.read_bytes()


def test_an_unknown_label_is_not_found(softhsm: SoftHsm) -> None:
    with pytest.raises(TokenNotFound):
        softhsm.store.location("unknown")
    with pytest.raises(TokenNotFound):
        softhsm.store.refresh_copy("unknown")


@pytest.mark.parametrize("label", ["", "../up", "Upper", "a" * 33])
def test_a_label_that_is_no_file_name_is_refused(softhsm: SoftHsm, label: str) -> None:
    with pytest.raises(ValueError, match="label"):
        softhsm.store.create_token(label)


def test_a_second_store_in_one_process_is_refused(softhsm: SoftHsm, tmp_path: Path) -> None:
    softhsm.token()
    with pytest.raises(TokenUnavailable):
        SoftHsmStore(tmp_path / "second").activate()

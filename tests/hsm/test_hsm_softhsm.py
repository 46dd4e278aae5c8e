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

CHANGE_PIN = """
import sys
from pathlib import Path
from hsm.softhsm import SoftHsmStore
from hsm.token import Token
store = SoftHsmStore(Path(sys.argv[1]))
store.activate()
location = store.location("torn")
old = location.pin_file.read_text()
Token.open(location).change_pin(old, old[::-1])
location.pin_file.write_text(old[::-1])
"""

MAKE_AGAIN = """
import ctypes, sys
from pathlib import Path
from hsm import module as modules
from hsm.softhsm import SoftHsmStore
store = SoftHsmStore(Path(sys.argv[1]))
store.activate()
module = modules.load_module(store.module)
init_token = modules._C_InitToken(module.functions.functions[modules._INIT_TOKEN])
pin = (store.pins / "torn.so-pin").read_bytes()
slot = module.token("torn").slot.slot_id
assert init_token(slot, pin, len(pin), b"another".ljust(32)) == 0
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


def copy_of(directory: Path) -> bytes:
    """One login older than the token.object, and else the same."""
    (found,) = (directory / "token-objects" / "torn").iterdir()
    return found.read_bytes()


def test_a_token_torn_by_a_kill_during_login_is_restored(directory: Path) -> None:
    os.truncate(token_object(directory), 0)
    assert SoftHsmStore(directory).repair() == ["torn"]
    assert token_object(directory).stat().st_size > 0
    assert SoftHsmStore(directory).repair() == []


def test_a_token_object_cut_anywhere_is_torn_and_put_back(directory: Path) -> None:
    store, file = SoftHsmStore(directory), token_object(directory)
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert store.torn() == ["torn"], length
    assert store.repair() == ["torn"]
    assert file.read_bytes() == copy_of(directory)
    assert file.with_name("token.object.torn").read_bytes() == whole[:-1]
    file.unlink()
    assert store.repair() == ["torn"]
    assert store.torn() == []


@pytest.mark.parametrize("junk", [b"\0", b"\xff", b"\0\0\0\0\0\0\0\1", bytes(range(32))])
def test_junk_in_the_place_of_a_token_object_is_torn(directory: Path, junk: bytes) -> None:
    file = token_object(directory)
    whole = file.read_bytes()
    for octets in (junk * (len(whole) // len(junk)), whole[:160] + whole[:160], whole + junk):
        file.write_bytes(octets)
        assert SoftHsmStore(directory).repair() == ["torn"]
        assert file.read_bytes() == copy_of(directory)


def test_the_token_object_of_another_token_is_torn(directory: Path) -> None:
    file = token_object(directory)
    whole = file.read_bytes()
    file.write_bytes(whole.replace(file.parent.name.replace("-", "")[-16:].encode(), b"0" * 16))
    assert SoftHsmStore(directory).repair() == ["torn"]
    assert file.read_bytes() == copy_of(directory)


def test_a_token_object_newer_than_its_copy_is_left_as_it_is(directory: Path) -> None:
    store, file = SoftHsmStore(directory), token_object(directory)
    before = file.read_bytes()
    run_python(CHANGE_PIN, str(directory))
    changed = file.read_bytes()
    assert changed[-72:] != before[-72:]
    assert run_python(SIGN_ONCE, str(directory)) == "signed"
    assert store.repair() == []
    assert file.read_bytes()[-72:] == changed[-72:]
    run_python(MAKE_AGAIN, str(directory))
    made_again = file.read_bytes()
    assert len(made_again) < len(changed)
    assert store.repair() == []
    assert file.read_bytes() == made_again


def test_a_torn_token_object_is_not_copied(softhsm: SoftHsm) -> None:
    softhsm.store.create_token("not-copied")
    (copy,) = (softhsm.store.directory / "token-objects" / "not-copied").iterdir()
    original = softhsm.store.directory / "tokens" / copy.name / "token.object"
    whole = original.read_bytes()
    original.write_bytes(whole[:100])
    with pytest.raises(TokenUnavailable, match="torn"):
        softhsm.store.refresh_copy("not-copied")
    assert copy.read_bytes() == whole
    original.write_bytes(whole)


@pytest.mark.parametrize("length", [0, 1, 100, 200, 300])
def test_the_next_process_repairs_the_token_and_signs(directory: Path, length: int) -> None:
    os.truncate(token_object(directory), length)
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

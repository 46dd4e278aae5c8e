"""Where a PIN comes from: a file, a systemd credential, or a descriptor the process was born with.

A path `credential:NAME` is a file of $CREDENTIALS_DIRECTORY (systemd.exec(5), LoadCredential=).
The path `pinpad:` says that the device asks for the PIN by itself, past this program.
A path `fd:N` is an open descriptor of a file, not of a pipe: the PIN is not kept in memory, so it
is read again when the token has come back.

Beside a file there may be a second one, `FILE.new`: the PIN that a change of the PIN was about to
set, or had just set, when it was interrupted. One of the two is the token's (`hsm.pin_change`).
"""

import os
import secrets
from pathlib import Path

from hsm.errors import PinUnreadable
from hsm.files import write_owner_only

PIN_PAD = Path("pinpad:")

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"

LONGEST_PIN_FILE = 4096
"""Octets; what is longer is some other file."""

_PIN_OCTETS = 12


def credential(name: str) -> Path | None:
    """The path of a systemd credential, if this process was given one of that name."""
    folder = os.environ.get(CREDENTIALS_DIRECTORY)
    return Path(f"credential:{name}") if folder and (Path(folder) / name).exists() else None


def new_pin_file(pin_file: Path) -> Path:
    """Where the PIN is written that is to take the place of the one in `pin_file`."""
    return pin_file.with_name(f"{pin_file.name}.new")


def is_file(source: Path) -> bool:
    """Whether the PIN is in a file, which can be written anew."""
    return str(source).partition(":")[0] not in {"fd", "credential", "pinpad"}


def read_pins(source: Path) -> list[str]:
    """The PIN, and the one that may have replaced it. Raises: PinUnreadable."""
    pins = [read_pin(source)]
    if is_file(source) and new_pin_file(source).exists():
        pins.append(read_pin(new_pin_file(source)))
    return pins


def read_pin(source: Path) -> str:
    """The PIN, without the end of its line. Raises: PinUnreadable."""
    kind, _, name = str(source).partition(":")
    try:
        if kind == "fd":
            octets = os.pread(int(name), LONGEST_PIN_FILE + 1, 0)
        elif kind == "credential":
            octets = _start_of(Path(os.environ[CREDENTIALS_DIRECTORY]) / name)
        else:
            octets = _start_of(source)
        if len(octets) > LONGEST_PIN_FILE:
            raise PinUnreadable(str(source), f"longer than {LONGEST_PIN_FILE} octets")
        return octets.decode().rstrip("\n")
    except (OSError, ValueError, KeyError) as error:
        raise PinUnreadable(str(source)) from error


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LONGEST_PIN_FILE + 1)


def keep_pin(path: Path) -> str:
    """The PIN in this file; a new random one is written when there is none."""
    if not path.exists():
        write_owner_only(path, random_pin().encode())
    return read_pin(path)


def random_pin() -> str:
    """24 digits and letters a to f: OpenSSL's pkcs11 engine cuts a PIN of 32 off."""
    return secrets.token_hex(_PIN_OCTETS)

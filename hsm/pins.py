"""Where a PIN comes from: a file, a systemd credential, or a descriptor the process was born with.

A path `credential:NAME` is a file of $CREDENTIALS_DIRECTORY (systemd.exec(5), LoadCredential=).
The path `pinpad:` says that the device asks for the PIN by itself, past this program.
A path `fd:N` is an open descriptor of a file, not of a pipe: the PIN is not kept in memory, so it
is read again when the token has come back.
"""

import os
from pathlib import Path

from hsm.errors import PinUnreadable

PIN_PAD = Path("pinpad:")

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"

_LONGEST = 4096


def credential(name: str) -> Path | None:
    """The path of a systemd credential, if this process was given one of that name."""
    folder = os.environ.get(CREDENTIALS_DIRECTORY)
    return Path(f"credential:{name}") if folder and (Path(folder) / name).exists() else None


def read_pin(source: Path) -> str:
    """The PIN, without the end of its line. Raises: PinUnreadable."""
    kind, _, name = str(source).partition(":")
    try:
        if kind == "fd":
            octets = os.pread(int(name), _LONGEST, 0)
        elif kind == "credential":
            octets = (Path(os.environ[CREDENTIALS_DIRECTORY]) / name).read_bytes()
        else:
            octets = source.read_bytes()
        return octets.decode().rstrip("\n")
    except (OSError, ValueError, KeyError) as error:
        raise PinUnreadable(str(source)) from error

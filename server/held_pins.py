"""PINs that are in no file: those that custodians hold, and those that a device asks for itself."""

import os
import resource
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from ceremony.custody import Custody
from hsm.errors import PinUnreadable, TokenLocked
from hsm.files import write_owner_only
from hsm.pins import PIN_PAD

AskPin = Callable[[str, Custody], str]
"""Asks custodians for the PIN of a token."""


def forbid_core_dumps() -> None:
    """What is in memory, PINs and shares, is not to be on a disk when a process crashes.

    It holds for the processes that this one starts, too (setrlimit(2)).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class HeldPins:
    """How the PINs of tokens are split, and those that were given and not yet forgotten."""

    def __init__(self, folder: Path, ask: AskPin | None) -> None:
        """`folder` is where the PIN files are; without `ask` nobody is there to be asked."""
        self._folder = folder
        self._ask = ask
        self._given: dict[str, Path] = {}

    def given(self, label: str) -> Path | None:
        """Where the PIN is read from, if it was given."""
        return self._given.get(label)

    def custody(self, label: str) -> Custody | None:
        """How the PIN of a token is split, if it is. Raises: PinUnreadable."""
        try:
            return Custody.parse(self._file(label).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise PinUnreadable(str(self._file(label))) from error

    def keep_custody(self, label: str, custody: Custody) -> None:
        """Remember how the PIN of a token is split."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_owner_only(self._file(label), custody.encode())

    def ask(self, label: str) -> None:
        """Ask the custodians, if there are any and they were not asked. Raises: TokenLocked."""
        custody = None if label in self._given else self.custody(label)
        if custody is None:
            return
        if self._ask is None:
            raise TokenLocked(label)
        self._given[label] = PIN_PAD if custody.by_device else _in_memory(self._ask(label, custody))

    def give(self, label: str, pin: str) -> None:
        """Use this PIN; it is in memory alone."""
        self.forget(label)
        self._given[label] = _in_memory(pin)

    def take(self, label: str, source: Path) -> None:
        """Use a PIN that was given to the process that started this one."""
        self.forget(label)
        self._given[label] = source

    def leave_to_device(self, label: str) -> None:
        """Let the device ask for the PIN."""
        self.forget(label)
        self._given[label] = PIN_PAD

    def forget(self, label: str) -> None:
        """Forget a PIN that was given."""
        kind, _, descriptor = str(self._given.pop(label, "")).partition(":")
        if kind == "fd":
            os.close(int(descriptor))

    def forget_all(self) -> None:
        """Forget every PIN that was given."""
        for label in list(self._given):
            self.forget(label)

    def _file(self, label: str) -> Path:
        return self._folder / f"{quote(label, safe=' ')}.custodians"


def _in_memory(pin: str) -> Path:
    """A source of this PIN that is no file of any disk and is handed down to no process."""
    descriptor = os.memfd_create("pin", os.MFD_CLOEXEC)
    os.write(descriptor, pin.encode())
    return Path(f"fd:{descriptor}")

"""What a ceremony can be refused for, or stopped by.

CeremonyError
├── ScriptFaulty         the script or the binding is wrong; carries every fault at once
├── ShareRefused         what a custodian typed is no share that is needed here
├── NoTerminal           people are to be asked, and there is no terminal
├── Conflict             this ceremony is another one than was begun, or is held by somebody now
├── Awaited              a foreign authority's certificate is not there yet
├── ClockBehind          the clock says a time before the last entry of the journal
├── JournalDamaged       the journal is not what this program wrote
├── Unwritable           a file of the ceremony cannot be written; the same command goes on
└── TranscriptMalformed  the file holds no transcript
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a script or a binding, and where."""

    line: int
    key: str
    problem: str
    way_out: str


class CeremonyError(Exception):
    """Root of the errors of this package."""


class ScriptFaulty(CeremonyError):
    """A script or a binding cannot be used; every fault is named."""

    def __init__(self, source: str, faults: tuple[Fault, ...]) -> None:
        super().__init__(f"{source}: {len(faults)} faults")
        self.source = source
        self.faults = faults


class ShareRefused(CeremonyError):
    """What was typed is not a share that is needed; never quotes it."""


class NoTerminal(CeremonyError):
    """There is nobody to ask: no terminal is attached."""


class Conflict(CeremonyError):
    """The ceremony of this name cannot go on as it is asked to."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"ceremony {name}: {why}")
        self.name = name
        self.why = why


class Awaited(CeremonyError):
    """The ceremony goes on when the certificate of an issuer lies in a file."""

    def __init__(self, issuer: str, path: Path) -> None:
        super().__init__(f"{issuer}: {path}")
        self.issuer = issuer
        self.path = path


class ClockBehind(CeremonyError):
    """The clock says a time before something that has happened."""

    def __init__(self, now: datetime, last: datetime) -> None:
        super().__init__(f"{now.isoformat()} is before {last.isoformat()}")
        self.now = now
        self.last = last


class JournalDamaged(CeremonyError):
    """A line of the journal, counted from 1, cannot be read."""

    def __init__(self, path: Path, line: int) -> None:
        super().__init__(f"{path}, line {line}")
        self.path = path
        self.line = line


class Unwritable(CeremonyError):
    """A file cannot be written, and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


class TranscriptMalformed(CeremonyError):
    """The file does not hold a transcript, and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why

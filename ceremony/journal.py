"""The journal of a ceremony: one JSON object a line, on disk before anybody is told of it.

A step that was begun and not done is done again by the next run, which looks first at what is
there. Half a last line is what a power cut leaves, and is cut off.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from audit.events import utc_text
from ceremony.errors import ClockBehind, JournalDamaged, Unwritable

Entry = Mapping[str, Any]
_TOLERANCE = timedelta(seconds=5)
_KINDS = frozenset({"begun", "resumed", "started", "set", "handed", "deviation", "done", "ended"})


@dataclass(slots=True)
class Journal:
    """The entries so far, and the file that they are appended to."""

    path: Path
    clock: Callable[[], datetime]
    entries: list[Entry] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path, clock: Callable[[], datetime]) -> "Journal":
        """Read a journal, or begin one.

        Raises: JournalDamaged, Unwritable.
        """
        octets = path.read_bytes() if path.exists() else b""
        whole = octets[: octets.rfind(b"\n") + 1]
        if whole != octets:
            with path.open("r+b") as file:
                file.truncate(len(whole))
        entries = []
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                entry = json.loads(line)
                datetime.fromisoformat(entry["at"])
                known = entry["kind"] in _KINDS and (entry["kind"] == "begun") == (number == 1)
            except (ValueError, TypeError, KeyError):
                known = False
            if not known:
                raise JournalDamaged(path, number)
            entries.append(entry)
        return cls(path, clock, entries)

    def now(self) -> datetime:
        """The time. Raises: ClockBehind when it is before the last entry."""
        now = self.clock()
        if self.entries:
            last = datetime.fromisoformat(self.entries[-1]["at"])
            if now < last - _TOLERANCE:
                raise ClockBehind(now, last)
        return now

    def append(self, kind: str, **members: Any) -> None:
        """Write an entry and sync it. Raises: Unwritable, ClockBehind."""
        entry = {"kind": kind, "at": utc_text(self.now()), **members}
        line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                _append_whole(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise Unwritable(self.path, error.strerror or "it cannot be written") from error
        self.entries.append(entry)

    def of(self, kind: str) -> list[Entry]:
        """The entries of a kind, oldest first."""
        return [entry for entry in self.entries if entry["kind"] == kind]

    def done(self, step: int) -> Entry | None:
        """The entry of a step that is done."""
        return next((entry for entry in self.of("done") if entry["step"] == step), None)

    def begun(self, step: int) -> bool:
        """Whether a step was begun."""
        return any(entry["step"] == step for entry in self.of("started"))


def _append_whole(descriptor: int, line: bytes) -> None:
    """Append all of the line and sync it, or leave the file as it was."""
    before = os.fstat(descriptor).st_size
    try:
        rest = line
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise

"""What could truthfully be said of a certificate at any moment, from a history of changes."""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from threading import Lock

from revocation.status import Status

_EVER = float("inf")


@dataclass(frozen=True)
class Change:
    """A status that began at some moment between `asked` and `acknowledged` (seconds)."""

    asked: float
    acknowledged: float
    status: Status


@dataclass
class History:
    """The changes of many serials; what is not in it was never issued, or never changed."""

    _changes: defaultdict[int, list[Change]] = field(default_factory=lambda: defaultdict(list))
    _lock: Lock = field(default_factory=Lock)

    def begin(self, serial: int, status: Status, at: float) -> None:
        """The status since before anyone asked."""
        self._changes[serial] = [Change(at, at, status)]

    def add(self, serial: int, change: Change) -> None:
        """A change that was acknowledged; changes of one serial come one after the other."""
        with self._lock:
            self._changes[serial].append(change)

    def intend(self, serial: int, asked: float, status: Status) -> None:
        """A change that is on its way: from now on it may be seen."""
        self.add(serial, Change(asked, _EVER, status))

    def settle(self, serial: int, change: Change | None) -> None:
        """What became of the change on its way; None if it was not made."""
        with self._lock:
            self._changes[serial].pop()
            if change is not None:
                self._changes[serial].append(change)

    def possible(self, serial: int, since: float, until: float) -> list[Status]:
        """The statuses that were true at some moment between."""
        with self._lock:
            changes = list(self._changes[serial])
        found = []
        for number, change in enumerate(changes):
            following = changes[number + 1].acknowledged if number + 1 < len(changes) else _EVER
            if change.asked <= until and following >= since:
                found.append(change.status)
        return found


@dataclass
class Windows:
    """Stretches of time in which something was broken on purpose, and had to recover."""

    recovery: float
    _began: list[float] = field(default_factory=list)
    _ended: list[float] = field(default_factory=list)

    def begin(self, at: float) -> None:
        """Something is broken from now on."""
        self._began.append(at)
        self._ended.append(_EVER)

    def end(self, at: float) -> None:
        """It is whole again, and everything has to recover."""
        self._ended[-1] = at + self.recovery

    def touch(self, since: float, until: float) -> bool:
        """Whether any part of the time between lies in one."""
        number = bisect_right(self._began, until)
        return any(ended >= since for ended in self._ended[:number])

    def __len__(self) -> int:
        return len(self._began)

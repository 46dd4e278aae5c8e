"""One thread for each directory, so that none waits for another."""

import os
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime

_A_MOMENT = 0.5
_CHECK_AGAIN_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What one thread did: since when, and how much, or why it failed."""

    began: datetime
    outcome: int | Exception


@dataclass(slots=True)
class DirectoryWork:
    """What this process is doing in directories; at most one thing in each at a time."""

    holder: str = field(default_factory=lambda: f"{os.getpid()}-{secrets.token_hex(8)}")
    _threads: dict[str, ThreadPoolExecutor] = field(default_factory=dict)
    _running: dict[str, tuple[datetime, Future[int]]] = field(default_factory=dict)
    _unchecked: dict[str, float] = field(default_factory=dict)

    def run(self, names: Iterable[str], work: Callable[[str], int], now: datetime) -> list[Ended]:
        """Begin where nothing runs, wait for a moment, and give what has ended by then.

        What goes on for longer is given at a later call, and holds up nobody.
        """
        for name in names:
            if name not in self._running:
                threads = self._threads.setdefault(name, ThreadPoolExecutor(1, f"ldap-{name}"))
                self._running[name] = (now, threads.submit(work, name))
        wait([future for _, future in self._running.values()], _A_MOMENT)
        ended = [name for name, (_, future) in self._running.items() if future.done()]
        return [_ended(*self._running.pop(name)) for name in ended]

    def could_not_check(self, name: str, monotonic: float) -> None:
        """Take note that a directory did not answer when it was to be compared."""
        self._unchecked[name] = monotonic

    def may_check(self, name: str, monotonic: float) -> bool:
        """Whether it is long enough ago that it did not answer."""
        last = self._unchecked.get(name)
        return last is None or monotonic - last > _CHECK_AGAIN_SECONDS

    def close(self) -> None:
        """Wait for what is running; each of its waits has an end."""
        for threads in self._threads.values():
            threads.shutdown(wait=True)
        self._threads.clear()
        self._running.clear()


def _ended(began: datetime, future: Future[int]) -> Ended:
    error = future.exception()
    if error is None:
        return Ended(began, future.result())
    if isinstance(error, Exception):
        return Ended(began, error)
    raise error

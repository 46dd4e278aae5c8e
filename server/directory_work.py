"""One thread for each directory, so that none waits for another."""

import os
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

_A_MOMENT = 0.5


@dataclass(slots=True)
class DirectoryWork:
    """What this process is doing in directories; at most one thing in each at a time."""

    holder: str = field(default_factory=lambda: f"{os.getpid()}-{secrets.token_hex(8)}")
    _threads: dict[str, ThreadPoolExecutor] = field(default_factory=dict)
    _running: dict[str, Future[int]] = field(default_factory=dict)

    def run(self, names: Iterable[str], work: Callable[[str], int]) -> list[int | Exception]:
        """Begin where nothing runs, wait for a moment, and give what has ended by then.

        What goes on for longer is given at a later call, and holds up nobody.
        """
        for name in names:
            if name not in self._running:
                threads = self._threads.setdefault(name, ThreadPoolExecutor(1, f"ldap-{name}"))
                self._running[name] = threads.submit(work, name)
        wait(self._running.values(), _A_MOMENT)
        ended = [name for name, future in self._running.items() if future.done()]
        return [_outcome(self._running.pop(name)) for name in ended]

    def close(self) -> None:
        """Wait for what is running; each of its waits has an end."""
        for threads in self._threads.values():
            threads.shutdown(wait=True)
        self._threads.clear()
        self._running.clear()


def _outcome(future: Future[int]) -> int | Exception:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, Exception):
        return error
    raise error

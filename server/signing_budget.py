"""How many answers a public worker may sign on demand: so many a second, and so many at once.

Whoever asks with a nonce makes the token work. Without a limit a flood of such questions would take
the token from everybody else, and every thread of the worker with it.
"""

import time
from threading import Lock


class SigningBudget:
    """A bucket of signatures that is filled at a steady rate and holds those of one second."""

    def __init__(self, a_second: float, at_once: int) -> None:
        """Full at first."""
        self._a_second = a_second
        self._left = float(a_second)
        self._at = time.monotonic()
        self._free = at_once
        self._lock = Lock()

    def take(self) -> bool:
        """Whether one may be signed now; then `give_back` follows when it is done."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._a_second, self._left + (now - self._at) * self._a_second)
            self._at = now
            if self._left < 1 or self._free == 0:
                return False
            self._left -= 1
            self._free -= 1
            return True

    def give_back(self) -> None:
        """One that was taken is done, well or not: another may be signed at the same time."""
        with self._lock:
            self._free += 1

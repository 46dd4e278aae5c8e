"""How a token that failed comes back: when it is asked again, and when no call is under way.

Nothing here knows PKCS#11; `hsm.token` says what counts as a failure, `hsm.module` what is done
while no call is under way.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hsm.errors import TokenLeftAlone

FAILURES = 3
"""Failures in a row after which a token is left alone."""

PAUSE = 1.0
"""Seconds that a token is left alone before one caller may try it again."""

LONGEST_PAUSE = 4.0
"""Seconds to which the pause grows while the tries fail: each of them restarts the module under
the login lock, which every other process waits for."""


class Breaker:
    """Lets callers of a broken token fail at once instead of waiting for it one by one."""

    def __init__(self, subject: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Closed at first; the clock gives seconds and never runs backwards."""
        self._subject = subject
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._retry_at: float | None = None
        self._ckr = ""

    def admit(self) -> bool:
        """Let a call through; True for the one that tries a token that was left alone.

        Raises: TokenLeftAlone, with the latest return value, while the token is left alone.
        """
        if self._retry_at is None:
            return False
        with self._lock:
            now = self._clock()
            if self._retry_at is None:
                return False
            if now < self._retry_at:
                raise TokenLeftAlone(self._subject, self._ckr)
            self._retry_at = now + self._pause()  # the next goes through if this one hangs
            return True

    def failed(self, ckr: str) -> None:
        """Count a failure; the last of several in a row is what callers are told meanwhile."""
        with self._lock:
            self._failures += 1
            self._ckr = ckr
            if self._failures >= FAILURES:
                self._retry_at = self._clock() + self._pause()

    def _pause(self) -> float:
        """Twice as long after each failed try, up to a limit."""
        tries = min(max(self._failures - FAILURES, 0), 8)
        return min(PAUSE * 2.0**tries, LONGEST_PAUSE)

    @property
    def is_open(self) -> bool:
        """Whether the token is left alone now, or waits for one caller to try it."""
        return self._retry_at is not None

    def succeeded(self) -> None:
        """Forget all failures."""
        if self._failures:
            with self._lock:
                self._failures = 0
                self._retry_at = None


class Gate:
    """Many threads at once inside, or one of them alone."""

    def __init__(self) -> None:
        """Open and empty."""
        self._changed = threading.Condition(threading.Lock())
        self._inside = 0
        self._closed = False

    def enter(self) -> None:
        """Come in, after the one that is alone, if there is one."""
        with self._changed:
            while self._closed:
                self._changed.wait()
            self._inside += 1

    def leave(self) -> None:
        """Go out again, in the thread that came in."""
        with self._changed:
            self._inside -= 1
            if self._closed:
                self._changed.notify_all()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be one of many."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    @contextmanager
    def alone(self, patience: float) -> Iterator[bool]:
        """As `close`, until the block ends."""
        empty = self.close(patience)
        try:
            yield empty
        finally:
            self.open()

    def close(self, patience: float) -> bool:
        """Let nobody in and wait for all to be out; False when the seconds are over before."""
        with self._changed:
            while self._closed:
                self._changed.wait()
            self._closed = True
            return self._changed.wait_for(lambda: self._inside == 0, patience)

    def open(self) -> None:
        """Let everybody in again."""
        with self._changed:
            self._closed = False
            self._changed.notify_all()

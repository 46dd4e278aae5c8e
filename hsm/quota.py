"""How many signatures a key may make in an hour: what a stolen process can do before it is seen."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hsm.errors import QuotaExhausted

HOUR = 3600.0
"""Seconds."""


@dataclass(slots=True, eq=False)
class SignQuota:
    """Counts the signatures of each key label in this process; 0 an hour means no limit.

    An hour begins with the first signature after the one before has ended.
    """

    per_hour: int = 0
    clock: Callable[[], float] = time.monotonic
    """Seconds; never runs backwards."""
    _hours: dict[str, tuple[float, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, label: str) -> None:
        """Take one signature from this hour's. Raises: QuotaExhausted."""
        if not self.per_hour:
            return
        with self._lock:
            began, used = self._hour(label)
            if used >= self.per_hour:
                raise QuotaExhausted(label)
            self._hours[label] = (began, used + 1)

    def check(self, label: str, wanted: int) -> None:
        """See that so many signatures are left, and take none. Raises: QuotaExhausted."""
        if not self.per_hour:
            return
        with self._lock:
            if self._hour(label)[1] + wanted > self.per_hour:
                raise QuotaExhausted(label)

    def _hour(self, label: str) -> tuple[float, int]:
        """When the hour began, and the signatures since then."""
        now = self.clock()
        began, used = self._hours.get(label, (now, 0))
        return (now, 0) if now - began >= HOUR else (began, used)

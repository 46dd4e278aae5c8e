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
            now = self.clock()
            began, used = self._hours.get(label, (now, 0))
            if now - began >= HOUR:
                began, used = now, 0
            if used >= self.per_hour:
                raise QuotaExhausted(label)
            self._hours[label] = (began, used + 1)

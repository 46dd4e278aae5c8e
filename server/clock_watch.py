"""Nothing is signed by an authority while the clock lies behind what the audit log has seen.

A certificate that is dated back is valid at a time when nobody had decided on it.
"""

import time
from dataclasses import dataclass
from datetime import datetime

from audit.errors import ClockBehind
from audit.log import TIME_TOLERANCE
from records.audit_log import audit_log
from records.database import Database

_SECONDS = 1.0
"""How old, by a clock that never goes back, the last look at the log may be."""


@dataclass(slots=True)
class ClockWatch:
    """Remembers for a moment when the latest head of the log was signed."""

    database: Database
    _latest: datetime | None = None
    _looked_at: float = float("-inf")

    def check(self, now: datetime) -> None:
        """Raises: ClockBehind, when `now` is before the latest head by more than the tolerance."""
        if time.monotonic() - self._looked_at > _SECONDS:
            with audit_log(self.database) as log:
                head = log.latest_head()
            self._latest = None if head is None else head.time
            self._looked_at = time.monotonic()
        if self._latest is not None and now < self._latest - TIME_TOLERANCE:
            raise ClockBehind(now, self._latest)

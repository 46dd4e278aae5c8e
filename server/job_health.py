"""How the jobs of this process fare, told to the others now and then.

A row for each run would cost more than the jobs do: what changed is written every few seconds.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from records.job_runs import JobRun, JobRuns

TELL_SECONDS = 5.0


@dataclass(slots=True)
class JobHealth:
    """The latest run of each job."""

    _runs: dict[str, JobRun] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _told_at: float = float("-inf")

    def begin(self, names: Iterable[str], now: datetime) -> None:
        """From now on these jobs are to succeed."""
        with self._lock:
            self._runs = {name: JobRun(name, now) for name in names}

    def ran(self, name: str, trouble: str | None, now: datetime) -> None:
        """A job ended: well, or with what was in its way."""
        with self._lock:
            before = self._runs.get(name, JobRun(name))
            if trouble is None:
                self._runs[name] = JobRun(name, now)
            else:
                since = before.failing_since or now
                self._runs[name] = JobRun(name, before.succeeded_at, since, trouble)

    def tell(self, to: JobRuns) -> None:
        """Write how the jobs fare, unless that was done just now. Raises: RecordsError."""
        if time.monotonic() - self._told_at < TELL_SECONDS:
            return
        with self._lock:
            runs = list(self._runs.values())
        to.tell(runs)
        self._told_at = time.monotonic()

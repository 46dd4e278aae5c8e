"""The loop of the process that does the work: makes jobs due at each tick, by lease.

A monotonic tick makes jobs due; APScheduler runs them, each in one thread at a time. Times of day
decide nothing about when a job runs, so a clock that jumps cannot stop the work. One process of
all that share a database does the work.
"""

import os
import secrets
from datetime import UTC
from threading import Event
from time import monotonic

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from records.errors import RecordsError
from records.leases import Leases
from revocation.errors import CrlAbandoned
from server.assembly import Assembly
from server.clock import utc_now
from server.heartbeat import LEASE, LEASE_LIFE
from server.job_health import JobHealth
from server.jobs import EVERYWHERE, JOBS, try_job
from server.logs import get_logger
from server.metrics import Metrics

# Nobody waits for these: with a short tick, they are not run at each.
UNHURRIED = frozenset(
    {
        "after-care",
        "check-directories",
        "check-tokens",
        "close-cases",
        "directory-debts",
        "end-activations",
        "end-holds",
        "forget-plans",
        "lapse-applications",
        "own-certificates",
        "retention",
        "revocation-duties",
        "tell-holders",
        "watch-alarms",
    }
)
_UNHURRIED_SECONDS = 2.0
_NEVER_BY_THE_CLOCK = 3650


class JobLoop:
    """Runs every job at every tick while this process holds the lease; some less often."""

    def __init__(self, parts: Assembly, metrics: Metrics) -> None:
        """Prepare the scheduler; nothing runs yet."""
        self._parts = parts
        self._metrics = metrics
        self._leases = Leases(parts.database)
        self._holder = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._running: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._health = JobHealth()
        self._leads = False
        self._logger = get_logger("jobs")
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(len(JOBS))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for name in JOBS:
            self._scheduler.add_job(
                self._run,
                "interval",
                days=_NEVER_BY_THE_CLOCK,
                id=name,
                args=[name],
            )

    def run(self, stop: Event) -> None:
        """Tick until told to stop; then wait for the jobs that are running."""
        self._scheduler.start()
        while not stop.wait(self._parts.settings.jobs.tick_seconds):
            self._tick()
        self._parts.crl_work.stopping.set()  # a long CRL is not made to its end
        self._scheduler.shutdown(wait=True)
        try:
            self._leases.give_back(LEASE, self._holder, utc_now())
        except RecordsError as error:  # then it runs out by itself
            self._logger.error("jobs.lease_kept", exc_info=error)  # noqa: TRY400 - structlog

    def _tick(self) -> None:
        leads = self._has_lease()
        if leads and not self._leads:
            self._health.begin(JOBS, utc_now())
        self._leads = leads
        if leads:
            self._tell()
        for name in [name for name in JOBS if leads or name in EVERYWHERE]:
            if name not in self._running and self._not_before.get(name, 0.0) <= monotonic():
                self._scheduler.modify_job(name, next_run_time=utc_now())
                if name in UNHURRIED:
                    self._not_before[name] = monotonic() + _UNHURRIED_SECONDS

    def _has_lease(self) -> bool:
        try:
            return self._leases.take(LEASE, self._holder, utc_now(), LEASE_LIFE)
        except Exception as error:
            self._logger.error("jobs.no_lease", exc_info=error)  # noqa: TRY400 - structlog
            return False

    def _tell(self) -> None:
        try:
            self._health.tell(self._parts.job_runs)
        except RecordsError as error:  # told again at the next tick
            self._logger.error("jobs.health_untold", exc_info=error)  # noqa: TRY400 - structlog

    def _run(self, name: str) -> None:
        self._running.add(name)
        try:
            trouble = try_job(name, self._parts, self._metrics)
            self._health.ran(name, trouble, utc_now())
        except CrlAbandoned as error:
            self._logger.info("job.abandoned", job=name, issuer=error.issuer)
        except Exception as error:
            self._health.ran(name, type(error).__name__, utc_now())
            self._metrics.jobs.labels(name, "failed").inc()
            self._logger.error("job.failed", job=name, exc_info=error)  # noqa: TRY400 - structlog
        finally:
            self._running.discard(name)

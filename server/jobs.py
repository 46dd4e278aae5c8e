"""Background work: each job looks at what is there and does what is missing.

A monotonic tick makes every job due; APScheduler runs them, each in one thread at a time. Times of
day decide nothing about when a job runs, so a clock that jumps cannot stop the work. One process
of all that share a database does the work, by lease.
"""

import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from audit.log import make_head
from ca.issuance import INTENT_LIFETIME, resolve_open_intents
from gdpr_erasure.saga import Saga
from publish_ldap.publication import drain
from ra.applications import ApplicationState
from records.audit_log import audit_log
from records.guards import schema_digest
from records.leases import Leases
from revocation.publication import (
    CrlDue,
    IssuingKey,
    crl_is_due,
    is_published,
    issue_crl,
    write_published,
)
from server.assembly import AUDIT_ORIGIN, Assembly
from server.clock import utc_now
from server.errors import IssuerOffline
from server.logs import get_logger
from server.metrics import Metrics
from server.own_certificates import ensure_ocsp_signer
from server.probe import PublicProbe
from server.registration import fulfil_application
from server.tokens import AUDIT_KEY

LEASE = "jobs"
LEASE_LIFE = timedelta(seconds=8)
_BATCH = 100
_NEVER_BY_THE_CLOCK = 3650

Job = Callable[[Assembly, Metrics, datetime], int]


def close_intents(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Revoke the serials that a crash left between intent and certificate."""
    return len(resolve_open_intents(parts.certificates, now))


def renew_own_certificates(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Renew the OCSP signers of every issuer that answers OCSP."""
    records = [r for r in parts.issuers.all() if r.name != r.parent and r.certificate is not None]
    return sum(ensure_ocsp_signer(parts, record, now) for record in records)


def fulfil_applications(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Issue for applications that are approved and have no certificate yet."""
    # A fresh approval is fulfilled by the process that recorded it, and an intent that is still
    # open may yet be committed by the process that made it.
    waiting = parts.applications.in_state(ApplicationState.APPROVED)
    done = 0
    for application in waiting:
        if now - application.updated_at < INTENT_LIFETIME:
            continue
        found = parts.certificates.find(application_id=application.id)
        if not any(record.status == "intent" for record in found):
            fulfil_application(parts, application, now)
            done += 1
    return done


def renew_crls(parts: Assembly, metrics: Metrics, now: datetime) -> int:
    """Issue and publish every CRL that is due."""
    done = 0
    for record in parts.issuers.all():
        if record.certificate is None:
            continue
        path, policy = parts.crl_file(record.name), parts.crl_policy(record)
        snapshot = parts.crls.crl_snapshot(record.name)
        latest = snapshot.latest
        if latest is not None:
            metrics.crl_next_update.labels(record.name).set(latest.next_update.timestamp())
        published = latest is not None and is_published(path, latest)
        due = crl_is_due(snapshot, now, policy, published=published)
        if due is None:
            continue
        if due is not CrlDue.NOT_PUBLISHED or latest is None:
            key = parts.issuer(record.name).key
            issuing = IssuingKey(record.name, record.certificate, key)
            latest = issue_crl(parts.crls, issuing, now, policy)
        write_published(path, latest.der)
        metrics.crl_next_update.labels(record.name).set(latest.next_update.timestamp())
        if due is CrlDue.REVOCATIONS_CHANGED:
            for revoked_at in parts.crls.revoked_since(record.name, snapshot.latest):
                metrics.revocation_visible.observe((utc_now() - revoked_at).total_seconds())
        done += 1
    return done


def publish_entries(parts: Assembly, metrics: Metrics, now: datetime) -> int:
    """Publish to the directory, and withdraw from it, what is due."""
    directory = parts.directory()
    done = 0
    if directory is not None:
        done = drain(parts.publications, directory, now, _BATCH).done
    for state, number in parts.publications.counts().items():
        metrics.publications.labels(state).set(number)
    return done


def carry_on_erasures(parts: Assembly, _: Metrics, __: datetime) -> int:
    """Take every open erasure as far as it can go."""
    cases = parts.erasures.open_erasures()
    if not cases:
        return 0
    key = parts.tokens.service_key(AUDIT_KEY)
    saga = Saga(parts.erasures, PublicProbe(parts.issuers), key)
    return sum(saga.carry_on(case, utc_now).state != case.state for case in cases)


def seal_audit_log(parts: Assembly, metrics: Metrics, now: datetime) -> int:
    """Sign a head over the newest events, and put a copy where anyone can keep it."""
    digest = bytes.fromhex(schema_digest(parts.database.dialect))
    key = parts.tokens.service_key(AUDIT_KEY)
    with audit_log(parts.database) as log:
        metrics.audit_events.set(log.size())
        head = make_head(log, key, now, digest, AUDIT_ORIGIN)
    if head is None:
        return 0
    folder = parts.settings.state / "public" / "audit"
    folder.mkdir(parents=True, exist_ok=True)
    write_published(folder / "head.txt", head.text.encode())
    return 1


JOBS: dict[str, Job] = {
    "close-intents": close_intents,
    "own-certificates": renew_own_certificates,
    "fulfil-applications": fulfil_applications,
    "renew-crls": renew_crls,
    "publish-entries": publish_entries,
    "carry-on-erasures": carry_on_erasures,
    "seal-audit-log": seal_audit_log,
}


def run_job(name: str, parts: Assembly, metrics: Metrics) -> int:
    """Run one job now; gives how much it did."""
    done = JOBS[name](parts, metrics, utc_now())
    metrics.jobs.labels(name, "done" if done else "nothing").inc()
    return done


class JobLoop:
    """Runs every job at every tick while this process holds the lease."""

    def __init__(self, parts: Assembly, metrics: Metrics) -> None:
        """Prepare the scheduler; nothing runs yet."""
        self._parts = parts
        self._metrics = metrics
        self._leases = Leases(parts.database)
        self._holder = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._running: set[str] = set()
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
        self._scheduler.shutdown(wait=True)
        self._leases.give_back(LEASE, self._holder, utc_now())

    def _tick(self) -> None:
        try:
            if not self._leases.take(LEASE, self._holder, utc_now(), LEASE_LIFE):
                return
        except Exception as error:
            self._logger.error("jobs.no_lease", exc_info=error)  # noqa: TRY400 - structlog
            return
        for name in JOBS.keys() - self._running:
            self._scheduler.modify_job(name, next_run_time=utc_now())

    def _run(self, name: str) -> None:
        self._running.add(name)
        try:
            done = run_job(name, self._parts, self._metrics)
            if done:
                self._logger.info("job.done", job=name, count=done)
        except IssuerOffline as error:
            self._metrics.jobs.labels(name, "offline").inc()
            self._logger.warning("job.issuer_offline", job=name, issuer=error.issuer)
        except Exception as error:
            self._metrics.jobs.labels(name, "failed").inc()
            self._logger.error("job.failed", job=name, exc_info=error)  # noqa: TRY400 - structlog
        finally:
            self._running.discard(name)

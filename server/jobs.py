"""Background work: each job looks at what is there and does what is missing.

`server.job_loop` makes them due.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from audit.log import make_head
from ca.issuance import INTENT_LIFETIME, resolve_open_intents
from ca.issuers import IssuerRecord
from hsm.labels import AUDIT_KEY
from ra.applications import Application, ApplicationState
from records.audit_log import audit_log
from records.schema import digest_in_force
from revocation.preproduction import preproduce
from revocation.published_files import write_published
from server.alarms import AlarmName
from server.assembly import AUDIT_ORIGIN, Assembly
from server.bulk_issuance import FIRST_BATCH, next_size
from server.case_jobs import case_work
from server.clock import utc_now
from server.crls import publish_crl, renew_crl
from server.delivery import awaits_activation
from server.delivery_jobs import end_activations
from server.directory_jobs import check_directories, publish_entries
from server.duty_jobs import duty_work
from server.erasure_nights import (
    is_first_tonight,
    look_after,
    open_overdue,
    overdue,
    pay_debts,
)
from server.erasures import carry_on_one, due_cases, saga
from server.errors import IssuerOffline
from server.fulfilment import fulfil_all
from server.holder_notices import tell_holders
from server.job_items import each as _each
from server.job_items import tell_failures as _tell_failures
from server.lapses import lapse_applications
from server.logs import get_logger
from server.metrics import Metrics
from server.observations import alarms_now
from server.own_certificates import ensure_ocsp_signer, ocsp_policy, ocsp_responder
from server.seal_job import seal_keys
from server.watch import watch_status

_BATCH = 100
_RESPONSES = 250  # certificates whose responses are kept in one transaction
_PRODUCE_SECONDS = 1.0  # then the tick ends, so that a stop is not kept waiting
_REVOKE_SECONDS = 4.0  # likewise
_LONGEST_PAUSE = 30  # seconds between two tries to issue for one application

Job = Callable[[Assembly, Metrics, datetime], int]


def close_intents(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Revoke the serials that a crash left between intent and certificate."""
    return len(resolve_open_intents(parts.certificates, now))


def end_holds(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Revoke what has been on hold for longer than the settings allow."""
    longest = timedelta(days=parts.settings.revocation.longest_hold_days)
    return parts.statuses.end_holds(now - longest, _BATCH, now)


def carry_on_revocations(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Carry on the bulk revocations that were begun, a batch at a time."""
    return _each(parts.bulk_revocations.open(), lambda job: _revoke_many(parts, job, now))


def _revoke_many(parts: Assembly, job: str, now: datetime) -> bool:
    end = time.monotonic() + _REVOKE_SECONDS
    while parts.bulk_revocations.carry_on(job, now).ended_at is None:
        if time.monotonic() > end:
            break
    return True


def forget_plans(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Delete lists of bulk revocations that are done, and plans that nobody began in a week."""
    done, end = 0, time.monotonic() + _PRODUCE_SECONDS
    while count := parts.bulk_revocations.forget(now):
        done += count
        if time.monotonic() > end:
            break
    return done


def renew_own_certificates(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Renew the OCSP signers of every issuer that answers OCSP."""
    records = [record for record in parts.issuers.all() if record.answers_ocsp]
    return _each(records, lambda record: ensure_ocsp_signer(parts, record, now))


def produce_ocsp_responses(parts: Assembly, metrics: Metrics, now: datetime) -> int:
    """Make the OCSP responses that are due, and forget those of expired certificates."""
    responses = parts.ocsp_responses
    answering = [record for record in parts.issuers.all() if record.answers_ocsp]
    waiting, records = 0, []
    for record in answering:
        ends = now + ocsp_policy(parts.settings, record).validity
        found = responses.waiting(record.name, ends, now)
        if found.ahead:
            responses.make_due(record.name, ends, now)
            found = responses.waiting(record.name, ends, now)
        if found.ended:
            responses.forget_expired(record.name, now)
        waiting += found.due
        records += [record] if found.due else []
    metrics.ocsp_responses_due.set(waiting)
    return _each(records, lambda record: _produce(parts, record, now))


def _produce(parts: Assembly, record: IssuerRecord, now: datetime) -> bool:
    parts.clock.check(now)
    responder = ocsp_responder(parts, record, now)
    if responder is None:
        return False
    end = time.monotonic() + _PRODUCE_SECONDS
    while preproduce(responder, parts.ocsp_responses, now, _RESPONSES) == _RESPONSES:
        if time.monotonic() > end:
            break
    return True


def fulfil_applications(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Issue for applications that are approved and have no certificate yet, in batches."""
    waiting = [
        application
        for application in parts.applications.in_state(ApplicationState.APPROVED)
        if _is_due(parts, application, now)
    ]
    outcomes: list[Application | Exception] = []
    size, end = FIRST_BATCH, time.monotonic() + _PRODUCE_SECONDS
    while len(outcomes) < len(waiting) and time.monotonic() < end:
        began = time.monotonic()
        batch = waiting[len(outcomes) : len(outcomes) + size]
        # An intent's age counts from here.
        outcomes += fulfil_all(parts, batch, utc_now())
        size = next_size(size, time.monotonic() - began)
    failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    return _tell_failures(len(outcomes) - len(failures), failures)


def _is_due(parts: Assembly, application: Application, now: datetime) -> bool:
    # A fresh approval is fulfilled by the process that recorded it, and an intent that is still
    # open may yet be committed by the process that made it.
    if abs(now - application.updated_at) < INTENT_LIFETIME:
        return False
    if awaits_activation(parts, application):
        return False
    found = parts.certificates.find(application_id=application.id)
    if any(record.status == "intent" for record in found):
        return False
    # Each failure leaves a revoked serial behind, so the next try waits longer.
    pause = timedelta(seconds=min(2 ** len(found), _LONGEST_PAUSE))
    ended = [r.revoked_at for r in found if r.revoked_at and r.issued_at is None]
    return not any(abs(now - revoked_at) < pause for revoked_at in ended)


def renew_crls(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Issue and publish every CRL that is due, but those of roots: their keys are offline."""
    # Without a key, as an imported issuer can be, the last CRL of its former hands is served.
    able = [record for record in _certified(parts) if record.key_label and not record.is_root]
    return _each(able, lambda record: renew_crl(parts, record, now, paced=True) is not None)


def publish_crls(parts: Assembly, metrics: Metrics, _: datetime) -> int:
    """Put the latest CRL of every issuer where this host serves it from."""
    return _each(_certified(parts), lambda record: _publish_crl(parts, metrics, record))


def _publish_crl(parts: Assembly, metrics: Metrics, record: IssuerRecord) -> bool:
    latest, written = publish_crl(parts, record)
    if latest is not None:
        metrics.crl_next_update.labels(record.name).set(latest.next_update.timestamp())
    return written


def carry_on_erasures(parts: Assembly, _: Metrics, __: datetime) -> int:
    """Take every open erasure as far as it can go."""
    cases = due_cases(parts)
    if not cases:
        return 0
    with_saga = saga(parts)
    return _each(cases, lambda case: carry_on_one(parts, with_saga, case))


def pay_directory_debts(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Withdraw what directories owe after an erasure, and sign the receipt that says so."""
    return pay_debts(parts, now, _BATCH)


def look_after_erasures(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Each night: search the directories for what was erased, and forget what has expired."""
    return look_after(parts, now) if is_first_tonight(parts, "after-care", now) else 0


def apply_retention(parts: Assembly, _: Metrics, now: datetime) -> int:
    """Each night: open a case for everybody whose time to be kept has ended."""
    if not is_first_tonight(parts, "retention", now):
        return 0
    return _each(overdue(parts, now), lambda subject: open_overdue(parts, subject, now))


def seal_audit_log(parts: Assembly, metrics: Metrics, now: datetime) -> int:
    """Sign a head over the newest events, and put a copy where anyone can keep it."""
    with audit_log(parts.database) as log:
        size, latest = log.size(), log.latest_head()
        metrics.audit_events.set(size)
        if latest is not None and latest.size == size:
            return 0  # before the schema is read, which costs as much as all else in a tick
        digest = digest_in_force(parts.database)
        head = make_head(log, parts.tokens.service_key(AUDIT_KEY), now, digest, AUDIT_ORIGIN)
    if head is None:
        return 0
    folder = parts.settings.state / "public" / "audit"
    folder.mkdir(parents=True, exist_ok=True)
    write_published(folder / "checkpoint", head.text.encode())
    return 1


def check_tokens(parts: Assembly, metrics: Metrics, _: datetime) -> int:
    """Sign with a key of its own in every token that should be online; how many do not sign."""
    further = [record.token for record in parts.issuers.all() if record.answers_ocsp]
    failures = parts.tokens.check_health(further)
    for label, failure in failures.items():
        metrics.token_healthy.labels(label).set(failure is None)
    for label, used in parts.tokens.on_standby().items():
        metrics.standby_in_use.labels(label).set(used)
    return sum(failure is not None for failure in failures.values())


def watch_alarms(parts: Assembly, metrics: Metrics, now: datetime) -> int:
    """Tell each alarm in the log when it begins and when it ends; how many did."""
    on = {(alarm.name.value, alarm.subject): alarm.since for alarm in alarms_now(parts, now)}
    numbers = Counter(name for name, _ in on)
    for each in AlarmName:
        metrics.alarms.labels(each).set(numbers[each.value])
    begun, ended = parts.alarm_book.turn(on)
    for name, subject in sorted(begun):
        get_logger("jobs").error("alarm.begins", alarm=name, subject=subject)
    for name, subject in sorted(ended):
        get_logger("jobs").warning("alarm.ends", alarm=name, subject=subject)
    return len(begun) + len(ended)


JOBS: dict[str, Job] = {
    "close-intents": close_intents,
    "end-holds": end_holds,
    "carry-on-revocations": carry_on_revocations,
    "forget-plans": forget_plans,
    "own-certificates": renew_own_certificates,
    "ocsp-responses": produce_ocsp_responses,
    "fulfil-applications": fulfil_applications,
    "end-activations": lambda parts, _, now: _each(end_activations(parts, now), lambda act: act()),
    "renew-crls": renew_crls,
    "publish-crls": publish_crls,
    "publish-entries": publish_entries,
    "check-directories": check_directories,
    "watch-status": watch_status,
    "watch-alarms": watch_alarms,
    "carry-on-erasures": carry_on_erasures,
    "seal-keys": seal_keys,
    "directory-debts": pay_directory_debts,
    "after-care": look_after_erasures,
    "retention": apply_retention,
    "close-cases": lambda parts, _, now: _each(case_work(parts, now), lambda act: act()),
    "revocation-duties": lambda parts, _, now: _each(duty_work(parts, now), lambda act: act()),
    "tell-holders": lambda parts, _, now: tell_holders(parts, now),
    "lapse-applications": lambda parts, _, now: lapse_applications(parts, now),
    "seal-audit-log": seal_audit_log,
    "check-tokens": check_tokens,
}


_CHECKS = frozenset({"check-tokens"})
# What each host needs for itself, whoever has the lease.
EVERYWHERE = frozenset({"publish-crls"})


def run_job(name: str, parts: Assembly, metrics: Metrics) -> int:
    """Run one job now; gives how much it did."""
    done = JOBS[name](parts, metrics, utc_now())
    metrics.jobs.labels(name, "done" if done else "nothing").inc()
    return done


def _certified(parts: Assembly) -> list[IssuerRecord]:
    return [record for record in parts.issuers.all() if record.certificate is not None]


def try_job(name: str, parts: Assembly, metrics: Metrics) -> str | None:
    """Run one job now; an issuer that is offline is told in the log. What was in its way, if any.

    A job that checks counts what is wrong.
    """
    try:
        done = run_job(name, parts, metrics)
    except IssuerOffline as error:
        metrics.jobs.labels(name, "offline").inc()
        get_logger("jobs").warning("job.issuer_offline", job=name, issuer=error.issuer)
        return type(error).__name__
    if done:
        get_logger("jobs").info("job.done", job=name, count=done)
    return f"{done} of them" if done and name in _CHECKS else None

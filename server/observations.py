"""What is looked at for alarms and for `tillid status`: records, and this host's own files.

Nothing is signed and no token is opened, so that it can be done beside a service in trouble.
"""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509

from audit.events import parse_header
from ca.issuers import IssuerRecord, IssuerState
from gdpr_erasure.pace import DAY_TO_WARN, is_late
from ra.revocation_duties import DutyState
from records.audit_log import audit_log
from records.visibility import Channel
from revocation.publication import COMPLETE, DELTA
from server.alarms import (
    Alarm,
    AnswerSeen,
    AuditSeen,
    CaseSeen,
    CertificateSeen,
    ChangeSeen,
    CrlSeen,
    Disk,
    Limits,
    Observations,
    alarms,
)
from server.assembly import Assembly
from server.watch import open_changes

_MEGABYTE = 1_000_000


def alarms_now(parts: Assembly, now: datetime) -> list[Alarm]:
    """The alarms that are on, as seen from this host."""
    of = parts.settings
    limits = Limits(
        timedelta(seconds=of.alarms.publication_seconds), timedelta(seconds=of.jobs.tick_seconds)
    )
    return alarms(look(parts, now), limits, now)


def look(parts: Assembly, now: datetime) -> Observations:
    """Look at everything once. Raises: RecordsError."""
    active = [record for record in parts.issuers.all() if _has_to_publish(record)]
    crls = tuple(_crls(parts, active))
    there = {crl.issuer for crl in crls}
    return Observations(
        crls=crls,
        without_crl=tuple(
            (record.name, record.certificate.not_valid_before_utc)
            for record in active
            if record.name not in there and record.certificate is not None
        ),
        answers=tuple(_answers(parts, active, now)),
        changes=tuple(_changes(parts)),
        certificates=tuple(_certificates(parts, active)),
        jobs=tuple(parts.job_runs.all()),
        audit=_audit(parts),
        disk=Disk(
            shutil.disk_usage(parts.settings.state).free,
            parts.settings.alarms.disk_free_mb * _MEGABYTE,
        ),
        late_erasures=tuple(
            (case, asked + timedelta(days=DAY_TO_WARN))
            for case, asked, state in parts.erasure_work.unanswered()
            if is_late(asked, state, now)
        ),
        late_duties=tuple(
            (duty.id, duty.deadline)
            for duty in parts.duties.all(DutyState.OPEN)
            if duty.is_overdue(now)
        ),
        cases=tuple(CaseSeen(case.id, case.clock) for case in parts.cases.open_cases()),
    )


def _has_to_publish(record: IssuerRecord) -> bool:
    """Not one that is retired, or that was imported without its key: its last CRL says it all."""
    able = record.certificate is not None and bool(record.key_label)
    return able and record.state is not IssuerState.RETIRED


def _crls(parts: Assembly, records: list[IssuerRecord]) -> Iterator[CrlSeen]:
    for record in records:
        margin = parts.crl_policy(record).renew_margin
        for of in parts.crls.lists(record.name):
            if of.shard == DELTA:
                continue  # one that is no longer made ends, and the complete one names none
            name = record.name if of.shard == COMPLETE else f"{record.name}/{of.shard}"
            times = of.number, of.this_update, of.next_update
            yield CrlSeen(name, *times, margin, by_hand=record.is_root)


def _answers(parts: Assembly, records: list[IssuerRecord], now: datetime) -> Iterator[AnswerSeen]:
    for record in records:
        life = parts.visible.first_to_end(record.name, now) if record.answers_ocsp else None
        if life is not None:
            yield AnswerSeen(record.name, *life)


def _changes(parts: Assembly) -> Iterator[ChangeSeen]:
    for record, channel, unseen in open_changes(parts):
        yield ChangeSeen(record.name, channel, unseen.since)
    _, waiting = parts.visible.unseen_in_directory()
    if waiting is not None and parts.settings.directories:
        yield ChangeSeen("", Channel.DIRECTORY, waiting)


def _certificates(parts: Assembly, records: list[IssuerRecord]) -> Iterator[CertificateSeen]:
    for record in records:
        if record.certificate is not None and record.state is IssuerState.ACTIVE:
            yield _seen(f"issuer.{record.name}", record.certificate, ours=False)
        if record.answers_ocsp:
            life = parts.visible.newest_signer(record.name)
            if life is not None:
                yield CertificateSeen(f"ocsp-signer.{record.name}", *life, ours=True)
    chain = parts.settings.state / "tls" / "staff.pem"
    if chain.exists():
        served = x509.load_pem_x509_certificate(chain.read_bytes())
        yield _seen("staff-listener", served, ours=True)


def _seen(whose: str, certificate: x509.Certificate, *, ours: bool) -> CertificateSeen:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return CertificateSeen(whose, begins, ends, ours=ours)


def _audit(parts: Assembly) -> AuditSeen:
    with audit_log(parts.database) as log:
        head = log.latest_head()
        covered = head.size if head else 0
        waiting = [parse_header(entry.header).time for entry in log.page(covered, covered + 1)]
    return AuditSeen(None if head is None else head.time, min(waiting, default=None))

"""Alarms: from what was observed to what a person has to look at.

One pure function. An alarm has a name, what it is about, since when it is on, a sentence and a way
out; it is on for as long as the observation says so, and nobody has to take it back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from audit.log import TIME_TOLERANCE
from gdpr_erasure.case_clock import CaseClock
from records.job_runs import JobRun
from records.visibility import Channel

PUBLICATION_LIMIT = timedelta(hours=24)
"""From the decision until every channel shows it (ETSI EN 319 411-1 REV-6.2.4-03A)."""
AUDIT_LIMIT = timedelta(minutes=5)
"""How long an event may wait for a head that covers it."""
JOB_TICKS = 60
_JOB_LEAST = timedelta(seconds=60)
CA_ENDS = timedelta(days=30)


class AlarmName(StrEnum):
    """What can be wrong."""

    PUBLICATION_OVERDUE = "PUBLICATION_OVERDUE"
    CRL_STALE = "CRL_STALE"
    CRL_EXPIRED = "CRL_EXPIRED"
    OCSP_STALE = "OCSP_STALE"
    CERTIFICATE_ENDS = "CERTIFICATE_ENDS"
    JOB_FAILING = "JOB_FAILING"
    JOBS_SILENT = "JOBS_SILENT"
    TOKEN_DOES_NOT_SIGN = "TOKEN_DOES_NOT_SIGN"  # noqa: S105 - a name
    AUDIT_UNSEALED = "AUDIT_UNSEALED"
    CLOCK_BEHIND = "CLOCK_BEHIND"
    DISK_FULL = "DISK_FULL"
    ERASURE_LATE = "ERASURE_LATE"
    CASE_DAY_10 = "CASE_DAY_10"
    CASE_DAY_20 = "CASE_DAY_20"
    CASE_DAY_27 = "CASE_DAY_27"
    CASE_OVERDUE = "CASE_OVERDUE"
    REVOCATION_DUTY_OVERDUE = "REVOCATION_DUTY_OVERDUE"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm that is on."""

    name: AlarmName
    subject: str
    since: datetime
    sentence: str
    way_out: str


@dataclass(frozen=True, slots=True)
class CrlSeen:
    """The latest CRL of an issuer, and how long before nextUpdate the next one is made."""

    issuer: str
    number: int
    this_update: datetime
    next_update: datetime
    margin: timedelta
    by_hand: bool
    """Whether its key is offline, so that people make it."""


@dataclass(frozen=True, slots=True)
class AnswerSeen:
    """The OCSP answer of an issuer that ends first of those made ahead."""

    issuer: str
    this_update: datetime
    next_update: datetime


@dataclass(frozen=True, slots=True)
class CertificateSeen:
    """A certificate that somebody has to renew: us, when `ours`, or the operator."""

    whose: str
    not_before: datetime
    not_after: datetime
    ours: bool


@dataclass(frozen=True, slots=True)
class ChangeSeen:
    """The oldest change of status that a channel does not show."""

    issuer: str
    channel: Channel
    since: datetime


@dataclass(frozen=True, slots=True)
class AuditSeen:
    """The latest head, and the oldest event that none covers."""

    head_at: datetime | None
    unsealed_since: datetime | None


@dataclass(frozen=True, slots=True)
class Disk:
    """Room in the state directory, octets."""

    free: int
    wanted: int


@dataclass(frozen=True, slots=True)
class CaseSeen:
    """A data-subject case that has not been answered."""

    case_id: str
    clock: CaseClock


@dataclass(frozen=True, slots=True)
class Observations:
    """Everything that alarms follow from."""

    crls: tuple[CrlSeen, ...]
    without_crl: tuple[tuple[str, datetime], ...]
    """Issuers that have none, with the time since when they should."""
    answers: tuple[AnswerSeen, ...]
    changes: tuple[ChangeSeen, ...]
    certificates: tuple[CertificateSeen, ...]
    jobs: tuple[JobRun, ...]
    audit: AuditSeen
    disk: Disk
    late_erasures: tuple[tuple[str, datetime], ...] = ()
    """Cases without an answer from the day on which somebody has to look, with that time."""
    cases: tuple[CaseSeen, ...] = ()
    late_duties: tuple[tuple[str, datetime], ...] = ()
    """Duties to revoke that are open past their deadline, with that time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something is an alarm."""

    publication: timedelta
    tick: timedelta

    @property
    def silence(self) -> timedelta:
        """How long a job may go without success."""
        return max(self.tick * JOB_TICKS, _JOB_LEAST)


def alarms(seen: Observations, limits: Limits, now: datetime) -> list[Alarm]:
    """The alarms that are on, those that mislead relying parties first."""
    found = [
        *_changes(seen, limits, now),
        *_crls(seen, now),
        *_answers(seen, now),
        *_jobs(seen, limits, now),
        *_certificates(seen, now),
        *_audit(seen, now),
        *_cases(seen, now),
    ]
    for case, since in seen.late_erasures:
        said = "The month for an answer to a request for erasure runs out (GDPR 12(3))."
        way = f"See tillid erase receipt show {case}, which says what it waits for."
        found.append(Alarm(AlarmName.ERASURE_LATE, f"erasure.{case.lower()}", since, said, way))
    for duty, since in seen.late_duties:
        said = f"Duty {duty} to revoke is overdue (NSIS 3.2.3(4))."
        way = "Revoke, or have a second officer dismiss the duty: tillid duty list."
        name = AlarmName.REVOCATION_DUTY_OVERDUE
        found.append(Alarm(name, f"duty.{duty.lower()}", since, said, way))
    if seen.disk.free < seen.disk.wanted:
        free = f"{seen.disk.free // 1_000_000} MB are free in the state directory."
        way = "Make room: without it no CRL can be written and, on SQLite, nothing be recorded."
        found.append(Alarm(AlarmName.DISK_FULL, "state", now, free, way))
    return found


def _changes(seen: Observations, limits: Limits, now: datetime) -> Iterator[Alarm]:
    for change in seen.changes:
        age = now - change.since
        if age > limits.publication:
            beyond = ", beyond the limit of 24 hours" if age > PUBLICATION_LIMIT else ""
            yield Alarm(
                AlarmName.PUBLICATION_OVERDUE,
                f"{change.channel}.{change.issuer}".rstrip("."),
                change.since + limits.publication,
                f"A change of status has not been seen in {_IN[change.channel]} for"
                f" {length_of_time(age)}{beyond}.",
                _WHERE[change.channel],
            )


_IN = {
    Channel.CRL: "the CRL",
    Channel.OCSP: "OCSP",
    Channel.DIRECTORY: "the directory",
}
_WHERE = {
    Channel.CRL: "See whether public.url leads here, then: tillid crl issue, tillid doctor.",
    Channel.OCSP: "See whether public.url leads here and every public node is well.",
    Channel.DIRECTORY: "See whether the directory answers; what waits is tried again by itself.",
}


def _crls(seen: Observations, now: datetime) -> Iterator[Alarm]:
    for issuer, since in seen.without_crl:
        yield Alarm(AlarmName.CRL_EXPIRED, issuer, since, "There is no CRL.", _ISSUE)
    for crl in seen.crls:
        way = "Bring its token, then run: tillid crl issue --online" if crl.by_hand else _ISSUE
        # Half of the margin is for trying; then somebody has to look.
        late = crl.next_update - crl.margin / 2
        if now > crl.next_update:
            said = f"CRL {crl.number} has expired, and nothing is served in its place."
            yield Alarm(AlarmName.CRL_EXPIRED, crl.issuer, crl.next_update, said, way)
        elif now > late:
            age = length_of_time(now - crl.this_update)
            said = f"CRL {crl.number} is {age} old and none follows it."
            yield Alarm(AlarmName.CRL_STALE, crl.issuer, late, said, way)


_ISSUE = "Run: tillid crl issue, which says what is in the way."


def _answers(seen: Observations, now: datetime) -> Iterator[Alarm]:
    for answer in seen.answers:
        # Made again at half of its life; another quarter is for trying.
        late = answer.next_update - (answer.next_update - answer.this_update) / 4
        if now > late:
            said = f"OCSP answers made ahead are {length_of_time(now - answer.this_update)} old."
            way = "Run: tillid job run ocsp-responses, which says what is in the way."
            yield Alarm(AlarmName.OCSP_STALE, answer.issuer, late, said, way)


def _jobs(seen: Observations, limits: Limits, now: datetime) -> Iterator[Alarm]:
    told = [run.succeeded_at for run in seen.jobs if run.succeeded_at is not None]
    newest = max(told, default=None)
    if newest is not None and abs(now - newest) > limits.silence:
        said = f"No job has succeeded for {length_of_time(abs(now - newest))}."
        way = "Start tillid serve on some node, and see logs/serve.log."
        yield Alarm(AlarmName.JOBS_SILENT, "jobs", newest + limits.silence, said, way)
        return
    for run in seen.jobs:
        # One that hangs neither succeeds nor fails.
        since, trouble = run.failing_since or run.succeeded_at, run.trouble or "it does not end"
        if since is None or now - since < limits.silence:
            continue
        if run.name == _TOKENS:
            way = "Run: tillid hsm verify"
            said = f"Tokens do not sign ({trouble}) since {since:%F %T}."
            yield Alarm(AlarmName.TOKEN_DOES_NOT_SIGN, "tokens", since, said, way)
        else:
            said = f"It has not succeeded since {since:%F %T} ({trouble})."
            way = f"Run: tillid job run {run.name}, which says what is in the way."
            yield Alarm(AlarmName.JOB_FAILING, run.name, since, said, way)


_TOKENS = "check-tokens"


def _certificates(seen: Observations, now: datetime) -> Iterator[Alarm]:
    for one in seen.certificates:
        # Ours are renewed when a third is left; half of that is for trying.
        whole = one.not_after - one.not_before
        since = one.not_after - (whole / 6 if one.ours else min(CA_ENDS, whole / 6))
        if now > since:
            ends = "ended" if now > one.not_after else "ends"
            way = (
                "Run: tillid job run own-certificates, which says what is in the way."
                if one.ours
                else "Run: tillid ca renew, or tillid ca rekey."
            )
            said = f"The certificate {ends} at {one.not_after:%F %T}."
            yield Alarm(AlarmName.CERTIFICATE_ENDS, one.whose, since, said, way)


def _audit(seen: Observations, now: datetime) -> Iterator[Alarm]:
    head, waiting = seen.audit.head_at, seen.audit.unsealed_since
    if head is not None and now < head - TIME_TOLERANCE:
        said = f"The clock says {now:%F %T}, but a head was signed at {head:%F %T}."
        way = "Set the clock; until then nothing is signed."
        yield Alarm(AlarmName.CLOCK_BEHIND, "clock", now, said, way)
    elif waiting is not None and now - waiting > AUDIT_LIMIT:
        said = f"Events of the audit log wait for a signed head since {waiting:%F %T}."
        way = "Run: tillid job run seal-audit-log, which says what is in the way."
        yield Alarm(AlarmName.AUDIT_UNSEALED, "audit-log", waiting + AUDIT_LIMIT, said, way)


def _cases(seen: Observations, now: datetime) -> Iterator[Alarm]:
    """Each case on its tenth, twentieth and twenty-seventh day, and after its last (Art. 12(3))."""
    today = now.date()
    for case in seen.cases:
        due, mark = case.clock.due_on(today), case.clock.mark(today)
        subject = f"case.{case.case_id.lower()}"
        if case.clock.is_overdue(today):
            said, name = f"Case {case.case_id} was due on {due}.", AlarmName.CASE_OVERDUE
        elif mark is not None:
            said, name = f"Case {case.case_id} is due on {due}.", AlarmName(f"CASE_DAY_{mark}")
        else:
            continue
        way = "Answer it, or extend it with a reason inside its first month: tillid case show."
        yield Alarm(name, subject, now, said, way)


def length_of_time(time: timedelta) -> str:
    """A length of time as people say it."""
    seconds = int(time.total_seconds())
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"

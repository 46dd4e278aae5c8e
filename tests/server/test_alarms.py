"""Each alarm is on exactly as long as what was observed says so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gdpr_erasure.case_clock import CaseClock
from records.job_runs import JobRun
from records.visibility import Channel
from server.alarms import (
    Alarm,
    AlarmName,
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

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LIMITS = Limits(MINUTE, timedelta(seconds=1))
WELL = Observations(
    crls=(CrlSeen("issuing", 7, NOW - HOUR, NOW + 23 * HOUR, 12 * HOUR, by_hand=False),),
    without_crl=(),
    answers=(AnswerSeen("issuing", NOW - 20 * MINUTE, NOW + 40 * MINUTE),),
    changes=(ChangeSeen("issuing", Channel.CRL, NOW - 50 * timedelta(seconds=1)),),
    certificates=(
        CertificateSeen("ocsp-signer.issuing", NOW - 10 * DAY, NOW + 20 * DAY, ours=True),
        CertificateSeen("issuer.issuing", NOW - 1000 * DAY, NOW + 31 * DAY, ours=False),
    ),
    jobs=(JobRun("renew-crls", NOW - 5 * timedelta(seconds=1)),),
    audit=AuditSeen(NOW - HOUR, NOW - MINUTE),
    disk=Disk(10**9, 10**8),
)


def crl(**changes: object) -> tuple[CrlSeen, ...]:
    return (replace(WELL.crls[0], **changes),)  # type: ignore[arg-type]


def ending(whose: str, left: timedelta, *, ours: bool) -> tuple[CertificateSeen, ...]:
    return (CertificateSeen(whose, NOW - 80 * DAY, NOW + left, ours=ours),)


def failing(name: str, since: datetime) -> tuple[JobRun, ...]:
    return (*WELL.jobs, JobRun(name, since, since, "HsmError"))


def received(days: int) -> dict[str, object]:
    """A case that was received so many days ago."""
    return {"cases": (CaseSeen("K7F2M9QX", CaseClock((NOW - days * DAY).date())),)}


# What was observed, what it is an alarm about, and since when it is one.
ON: list[tuple[dict[str, object], AlarmName, str, datetime]] = [
    (
        {"late_duties": (("D-0123456789ABCDEF", NOW - HOUR),)},
        AlarmName.REVOCATION_DUTY_OVERDUE,
        "duty.d-0123456789abcdef",
        NOW - HOUR,
    ),
    (
        {"changes": (ChangeSeen("issuing", Channel.OCSP, NOW - 3 * MINUTE),)},
        AlarmName.PUBLICATION_OVERDUE,
        "ocsp.issuing",
        NOW - 2 * MINUTE,
    ),
    (
        {"changes": (ChangeSeen("", Channel.DIRECTORY, NOW - 2 * DAY),)},
        AlarmName.PUBLICATION_OVERDUE,
        "directory",
        NOW - 2 * DAY + MINUTE,
    ),
    (
        {"crls": crl(this_update=NOW - 19 * HOUR, next_update=NOW + 5 * HOUR)},
        AlarmName.CRL_STALE,
        "issuing",
        NOW - HOUR,
    ),
    (
        {"crls": crl(this_update=NOW - 25 * HOUR, next_update=NOW - HOUR)},
        AlarmName.CRL_EXPIRED,
        "issuing",
        NOW - HOUR,
    ),
    ({"without_crl": (("new", NOW - HOUR),)}, AlarmName.CRL_EXPIRED, "new", NOW - HOUR),
    (
        {"answers": (AnswerSeen("issuing", NOW - 50 * MINUTE, NOW + 10 * MINUTE),)},
        AlarmName.OCSP_STALE,
        "issuing",
        NOW - 5 * MINUTE,
    ),
    (
        {"certificates": ending("staff-listener", 10 * DAY, ours=True)},
        AlarmName.CERTIFICATE_ENDS,
        "staff-listener",
        NOW - 5 * DAY,
    ),
    (
        {
            "certificates": (
                CertificateSeen("issuer.issuing", NOW - 1000 * DAY, NOW + 29 * DAY, ours=False),
            )
        },
        AlarmName.CERTIFICATE_ENDS,
        "issuer.issuing",
        NOW - DAY,
    ),
    (
        {"jobs": failing("renew-crls", NOW - 2 * MINUTE)},
        AlarmName.JOB_FAILING,
        "renew-crls",
        NOW - 2 * MINUTE,
    ),
    (
        {"jobs": (*WELL.jobs, JobRun("hangs", NOW - 5 * MINUTE))},
        AlarmName.JOB_FAILING,
        "hangs",
        NOW - 5 * MINUTE,
    ),
    (
        {"jobs": failing("check-tokens", NOW - 2 * MINUTE)},
        AlarmName.TOKEN_DOES_NOT_SIGN,
        "tokens",
        NOW - 2 * MINUTE,
    ),
    (
        {"jobs": (JobRun("renew-crls", NOW - 5 * MINUTE),)},
        AlarmName.JOBS_SILENT,
        "jobs",
        NOW - 4 * MINUTE,
    ),
    (
        {"audit": AuditSeen(NOW - HOUR, NOW - 7 * MINUTE)},
        AlarmName.AUDIT_UNSEALED,
        "audit-log",
        NOW - 2 * MINUTE,
    ),
    ({"audit": AuditSeen(NOW + 2 * MINUTE, None)}, AlarmName.CLOCK_BEHIND, "clock", NOW),
    ({"disk": Disk(10**7, 10**8)}, AlarmName.DISK_FULL, "state", NOW),
    ({"late_erasures": (("E-1", NOW - HOUR),)}, AlarmName.ERASURE_LATE, "erasure.e-1", NOW - HOUR),
    (received(10), AlarmName.CASE_DAY_10, "case.k7f2m9qx", NOW),
    (received(20), AlarmName.CASE_DAY_20, "case.k7f2m9qx", NOW),
    (received(27), AlarmName.CASE_DAY_27, "case.k7f2m9qx", NOW),
    (received(31), AlarmName.CASE_OVERDUE, "case.k7f2m9qx", NOW),
]


@pytest.mark.parametrize(("observed", "name", "subject", "since"), ON)
def test_what_is_wrong_is_one_alarm_with_a_sentence_and_a_way_out(
    observed: dict[str, object], name: AlarmName, subject: str, since: datetime
) -> None:
    (found,) = alarms(replace(WELL, **observed), LIMITS, NOW)  # type: ignore[arg-type]
    assert (found.name, found.subject, found.since) == (name, subject, since)
    assert found.sentence.endswith(".")
    assert found.way_out


def test_every_alarm_has_an_example() -> None:
    assert {name for _, name, _, _ in ON} == set(AlarmName)


def test_a_case_of_nine_days_is_no_alarm() -> None:
    assert alarms(replace(WELL, **received(9)), LIMITS, NOW) == []  # type: ignore[arg-type]


def test_when_all_is_well_no_alarm_is_on() -> None:
    assert alarms(WELL, LIMITS, NOW) == []


def only(**observed: object) -> Alarm:
    (found,) = alarms(replace(WELL, **observed), LIMITS, NOW)  # type: ignore[arg-type]
    return found


def test_after_a_day_the_alarm_says_that_the_limit_is_passed() -> None:
    for age, beyond in ((23 * HOUR, False), (25 * HOUR, True)):
        change = ChangeSeen("issuing", Channel.CRL, NOW - age)
        assert ("beyond the limit of 24 hours" in only(changes=(change,)).sentence) is beyond


def test_the_crl_of_a_key_that_is_offline_is_asked_of_people() -> None:
    late = crl(next_update=NOW - HOUR, by_hand=True)
    assert "--online" in only(crls=late).way_out


@pytest.mark.parametrize("ticks", [1, 30])
def test_the_silence_of_jobs_is_counted_in_ticks(ticks: int) -> None:
    limits = Limits(MINUTE, timedelta(seconds=ticks))
    for over, on in ((-1, 0), (1, 1)):
        silent = NOW - limits.silence - timedelta(seconds=over)
        seen = replace(WELL, jobs=(JobRun("renew-crls", silent),))
        assert len(alarms(seen, limits, NOW)) == on


def test_a_job_that_fails_now_and_then_is_no_alarm() -> None:
    assert alarms(replace(WELL, jobs=failing("renew-crls", NOW - MINUTE / 2)), LIMITS, NOW) == []


def test_success_in_the_future_is_as_silent_as_in_the_past() -> None:
    """A clock that went back: what is told at the next run makes it well again."""
    found = only(jobs=(JobRun("renew-crls", NOW + 3 * HOUR),))
    assert found.name is AlarmName.JOBS_SILENT

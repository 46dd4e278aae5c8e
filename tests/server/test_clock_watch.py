"""While the clock lies behind the audit log no authority signs, and status is served."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from audit.errors import ClockBehind
from ca.identifiers import IssuerName, SerialNumber
from ca.profiles import load_profile
from ra.applications import ApplicationState
from records.database import Database
from records.officers import Role
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.clock_watch import ClockWatch
from server.jobs import run_job
from server.metrics import Metrics
from server.problem_rows import ROWS
from server.problems import problem_of
from server.public import PublicApp
from tests.support.installation import an_installation
from tests.support.ocsp_client import an_issued_serial, request_for, said
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer, certified
from tests.support.wsgi import ask


@pytest.fixture
def parts(softhsm: SoftHsm, database: Database, tmp_path: Path) -> Iterator[Assembly]:
    url = database.engine.url.render_as_string(hide_password=False)
    with an_installation(softhsm, tmp_path / "state", TILLID_DATABASE__URL=url) as found:
        for job in ("own-certificates", "renew-crls", "publish-crls", "seal-audit-log"):
            run_job(job, found, Metrics.of_process())
        yield found


def set_back(parts: Assembly, monkeypatch: pytest.MonkeyPatch, by: timedelta) -> Assembly:
    """The parts as a process has them that looks at the log for the first time, clock set back."""
    monkeypatch.setattr("server.assembly.utc_now", lambda: utc_now() - by)
    return dataclasses.replace(parts, clock=ClockWatch(parts.database))


def test_no_authority_signs_while_the_clock_is_behind(
    parts: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = an_issued_serial(parts)
    run_job("seal-audit-log", parts, Metrics.of_process())
    before = len(parts.certificates.find())
    behind = set_back(parts, monkeypatch, timedelta(hours=3))
    with pytest.raises(ClockBehind) as refused:
        behind.issuing(load_profile("tls-server"))
    with pytest.raises(ClockBehind):
        an_officer(behind, Role.AUDITOR)
    assert len(parts.certificates.find()) == before
    app, request = PublicApp(behind, Metrics.of_process()), request_for(behind, serial)
    answer = ask(app, "/ocsp/issuing", "POST", request)
    assert said(answer).certificate_status is ocsp.OCSPCertStatus.GOOD
    problem = problem_of(refused.value, ROWS)
    assert problem is not None
    assert (problem.status, "Set the clock" in problem.way_out) == (503, True)


@pytest.mark.parametrize("hours", [-3, 27])
def test_crls_go_on_whatever_the_clock_does_and_their_dates_never_go_back(
    parts: Assembly, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    name, metrics = IssuerName("issuing"), Metrics.of_process()
    jumps = [timedelta(hours=hours), timedelta(0), timedelta(hours=2 * hours), timedelta(0)]
    dates, numbers = [], []
    for jump in jumps:
        serial = SerialNumber(an_issued_serial(parts))
        parts.statuses.revoke(name, serial, Reason.SUPERSEDED, "system:test", utc_now())
        jumped = set_back(parts, monkeypatch, -jump)
        monkeypatch.setattr("server.jobs.utc_now", lambda jump=jump: utc_now() + jump)
        assert run_job("renew-crls", jumped, metrics) == 1
        crl = x509.load_der_x509_crl(parts.crl_file(name).read_bytes())
        assert crl.get_revoked_certificate_by_serial_number(serial) is not None
        dates.append(crl.last_update_utc)
        numbers.append(crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
        monkeypatch.undo()
    assert dates == sorted(dates)
    assert numbers == [2, 3, 4, 5]


def test_a_minute_behind_is_taken_for_the_time_that_things_take(
    parts: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = set_back(parts, monkeypatch, timedelta(seconds=50))
    assert behind.issuing(load_profile("tls-server")).certificate is not None


def test_an_approval_stands_while_the_clock_is_behind_and_is_fulfilled_after(
    parts: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = an_officer(parts, Role.REGISTRATION_OFFICER).officer
    approver = an_officer(parts, Role.APPROVING_OFFICER)
    behind = set_back(parts, monkeypatch, timedelta(hours=3))
    assert certified(behind, clerk, approver).state is ApplicationState.APPROVED
    monkeypatch.undo()
    monkeypatch.setattr("server.jobs.INTENT_LIFETIME", timedelta(0))
    assert run_job("fulfil-applications", behind, Metrics.of_process()) == 1


def test_the_log_is_not_read_for_every_signature(parts: Assembly, tmp_path: Path) -> None:
    watch, now = ClockWatch(parts.database), utc_now()
    watch.check(now)
    watch.database = Database(f"sqlite:///{tmp_path}/empty.sqlite")  # where there is no log
    watch.check(now)
    with pytest.raises(ClockBehind):
        watch.check(now - timedelta(hours=1))

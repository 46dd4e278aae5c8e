"""A clock that lies behind what was recorded: nothing is signed, nothing is lost, and it ends."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from audit.errors import ClockBehind
from audit.log import verify_log
from ca.identifiers import IssuerName, SerialNumber
from ca.issuance import CertificateOrder, issue, prepare
from ca.names import SubjectName
from ca.profiles import load_profile
from hsm.labels import AUDIT_KEY
from records.audit_log import audit_log
from records.database import Database
from records.officers import Role
from revocation.reasons import Reason
from server.assembly import AUDIT_ORIGIN, Assembly
from server.clock import utc_now
from server.jobs import JOBS, run_job
from server.metrics import Metrics
from server.own_certificates import ocsp_responder
from server.problem_rows import ROWS
from server.problems import problem_of
from tests.support.installation import an_installation
from tests.support.revocation_pki import new_key
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer
from tests.support.stores import contents

ISSUING = IssuerName("issuing")
OPERATOR = "system:operator"
AHEAD = timedelta(hours=3)


@pytest.fixture
def parts(softhsm: SoftHsm, tmp_path: Path, database: Database) -> Iterator[Assembly]:
    """The log was sealed three hours from now: the clock has gone back since."""
    url = database.engine.url.render_as_string(hide_password=False)
    with an_installation(softhsm, tmp_path / "state", TILLID_DATABASE__URL=url) as found:
        for job in ("own-certificates", "renew-crls", "ocsp-responses"):
            run_job(job, found, Metrics.of_process())
        an_officer(found, Role.AUDITOR)
        assert JOBS["seal-audit-log"](found, Metrics.of_process(), utc_now() + AHEAD) == 1
        found.clock._looked_at = float("-inf")  # what it saw a moment ago is too old here
        yield found


def certify(parts: Assembly, ahead: timedelta) -> None:
    now = utc_now() + ahead
    subject = SubjectName.of([("CN", "web.example")])
    key = new_key().public_key()
    order = CertificateOrder(load_profile("tls-server"), subject, key, ("web.example",))
    issue(prepare(order, parts.issuing(), now), parts.certificates, OPERATOR, now)


def revoke(parts: Assembly, ahead: timedelta) -> None:
    (newest,) = parts.certificates.find(1, profile="staff", status="issued")
    place = (newest.issuer, newest.serial_number)
    parts.statuses.revoke(*place, Reason.SUPERSEDED, OPERATOR, utc_now() + ahead)


def hold(parts: Assembly, ahead: timedelta) -> None:
    (newest,) = parts.certificates.find(1, profile="staff", status="issued")
    parts.statuses.hold(newest.issuer, newest.serial_number, OPERATOR, utc_now() + ahead)


def crl(parts: Assembly, ahead: timedelta) -> None:
    with parts.database.write() as tx:
        tx.exec_driver_sql(
            "UPDATE issuer SET crl_validity_seconds = 86400, crl_margin_seconds = 86399"
        )
    JOBS["renew-crls"](parts, Metrics.of_process(), utc_now() + ahead)


def answers(parts: Assembly, ahead: timedelta) -> None:
    with parts.database.write() as tx:
        tx.exec_driver_sql("UPDATE ocsp_response SET due_at = 0")
    JOBS["ocsp-responses"](parts, Metrics.of_process(), utc_now() + ahead)


@pytest.mark.parametrize("act", [certify, revoke, hold, answers])
def test_nothing_is_signed_or_decided_until_the_clock_is_right_again(
    parts: Assembly,
    act: Callable[[Assembly, timedelta], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard = parts.statuses.status_of(ISSUING, SerialNumber(1))
    with pytest.raises(ClockBehind):
        act(parts, timedelta(0))
    before = contents(parts.database)
    with pytest.raises(ClockBehind):
        act(parts, timedelta(0))
    assert contents(parts.database) == before
    assert parts.statuses.status_of(ISSUING, SerialNumber(1)) == heard
    right = AHEAD + timedelta(seconds=1)
    monkeypatch.setattr("server.assembly.utc_now", lambda: utc_now() + right)
    act(parts, right)
    assert contents(parts.database) != before


def test_a_crl_is_made_meanwhile_and_the_log_stays_whole(parts: Assembly) -> None:
    before = parts.crls.latest(ISSUING)
    crl(parts, timedelta(0))
    after = parts.crls.latest(ISSUING)
    assert before is not None
    assert after is not None
    assert after.number == before.number + 1
    with audit_log(parts.database) as log:
        public = parts.tokens.service_key(AUDIT_KEY).public_key()
        assert verify_log(log, public, AUDIT_ORIGIN).size == log.size()


def test_no_responder_signs_with_a_time_that_has_passed(parts: Assembly) -> None:
    record = parts.issuers.get(ISSUING)
    assert ocsp_responder(parts, record, utc_now()) is None
    assert ocsp_responder(parts, record, utc_now() + AHEAD) is not None


def test_a_few_seconds_between_two_nodes_do_no_harm(
    parts: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = AHEAD - timedelta(seconds=4)
    monkeypatch.setattr("server.assembly.utc_now", lambda: utc_now() + near)
    for act in (certify, revoke, crl, answers):
        act(parts, near)


def test_the_refusal_says_both_times_and_what_to_do() -> None:
    now = utc_now()
    problem = problem_of(ClockBehind(now, now + AHEAD), ROWS)
    assert problem.status == 503
    assert f"{now:%F %T}" in problem.detail
    assert problem.way_out.startswith("Set the clock")

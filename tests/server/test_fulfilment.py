"""Approved applications become certificates in batches, and none of them hinders another."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from ca.identifiers import IssuerName, SerialNumber
from ra.applications import Application, ApplicationState
from ra.errors import Refused
from records.certificates import Certificates
from records.database import Database
from records.officers import Role
from records.personal_data import PersonalData
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.fulfilment import fulfil_all
from server.jobs import run_job
from server.metrics import Metrics
from server.registration import application_package, approve_application
from tests.support.at_once import at_once
from tests.support.installation import an_installation
from tests.support.softhsm import SoftHsm
from tests.support.staff import EnrolledOfficer, an_officer, vetted

JOB = "fulfil-applications"


@dataclasses.dataclass(frozen=True)
class Bureau:
    """An installation with an officer who vets and one who approves."""

    parts: Assembly
    clerk: EnrolledOfficer
    approver: EnrolledOfficer

    def left_approved(self, by: EnrolledOfficer | None = None) -> Application:
        """Approved, and the process died before it issued."""
        approver = by or self.approver
        application = vetted(self.parts, self.clerk.officer)
        signature = approver.sign(application_package(application))
        away = dataclasses.replace(self.parts, tokens=_NoTokens())  # type: ignore[arg-type]
        return approve_application(away, application.id, signature, approver.officer, utc_now())

    def state(self, of: Application) -> ApplicationState:
        return self.parts.applications.get(of.id).state

    def certificates(self, of: Application) -> list[str]:
        found = self.parts.certificates.find(application_id=of.id)
        return [record.status for record in found]


class _NoTokens:
    def find(self, _token: str, _label: str) -> None:
        return None


@pytest.fixture
def bureau(
    softhsm: SoftHsm, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bureau]:
    """One on either engine, where an approval of a moment ago is old enough for the job."""
    monkeypatch.setattr("server.jobs.INTENT_LIFETIME", timedelta(0))
    url = database.engine.url.render_as_string(hide_password=False)
    with an_installation(softhsm, tmp_path / "state", TILLID_DATABASE__URL=url) as parts:
        clerk = an_officer(parts, Role.REGISTRATION_OFFICER)
        yield Bureau(parts, clerk, an_officer(parts, Role.APPROVING_OFFICER))


def count_commits(database: Database, counted: list[int]) -> None:
    """Count the transactions that wrote."""

    @event.listens_for(database.engine, "commit")
    def _(connection: Connection) -> None:
        counted[0] += bool(connection.get_execution_options().get("tillid_write"))


@pytest.mark.slow
def test_fifty_applications_become_fifty_certificates_in_few_transactions(bureau: Bureau) -> None:
    left = [bureau.left_approved() for _ in range(50)]
    done, ticks, commits = 0, 0, [0]
    count_commits(bureau.parts.database, commits)
    while fulfilled := run_job(JOB, bureau.parts, Metrics.of_process()):
        done, ticks = done + fulfilled, ticks + 1
    assert done == 50
    assert {bureau.state(one) for one in left} == {ApplicationState.FULFILLED}
    assert [bureau.certificates(one) for one in left] == [["issued"]] * 50
    # Three a batch, where each by itself would be 150; a slow machine makes smaller batches.
    assert commits[0] < 50
    assert ticks < 10


def test_one_that_fails_leaves_the_others_alone(bureau: Bureau) -> None:
    dismissed = an_officer(bureau.parts, Role.APPROVING_OFFICER)
    unapproved = bureau.left_approved(dismissed)
    good = [bureau.left_approved() for _ in range(3)]
    compromised = bureau.left_approved()
    good += [bureau.left_approved() for _ in range(3)]
    serial = SerialNumber(dismissed.certificate.serial_number)
    bureau.parts.statuses.revoke(
        IssuerName("issuing"), serial, Reason.SUPERSEDED, "system:x", utc_now()
    )
    parts = with_compromised(bureau.parts, compromised)
    with pytest.raises(Refused, match="ISSUANCE_NOT_LINKED"):
        run_job(JOB, parts, Metrics.of_process())
    assert {bureau.state(one) for one in good} == {ApplicationState.FULFILLED}
    assert [bureau.certificates(one) for one in good] == [["issued"]] * 6
    for one in (unapproved, compromised):
        assert bureau.state(one) is ApplicationState.APPROVED
        assert bureau.certificates(one) == []


def test_two_batches_at_once_issue_each_certificate_once(bureau: Bureau) -> None:
    left = [bureau.left_approved() for _ in range(6)]
    turned = list(reversed(left))
    runs = at_once([lambda of=of: fulfil_all(bureau.parts, of, utc_now()) for of in (left, turned)])
    assert not [each for outcomes in runs for each in outcomes if isinstance(each, Exception)]
    run_job(JOB, bureau.parts, Metrics.of_process())
    assert [bureau.certificates(one).count("issued") for one in left] == [1] * 6
    assert {bureau.state(one) for one in left} == {ApplicationState.FULFILLED}


def test_one_that_was_fulfilled_meanwhile_hinders_no_other(bureau: Bureau) -> None:
    left = [bureau.left_approved() for _ in range(3)]
    fulfil_all(bureau.parts, left[1:2], utc_now())
    outcomes = fulfil_all(bureau.parts, left, utc_now())
    assert outcomes == [bureau.parts.applications.get(one.id) for one in left]
    assert [bureau.certificates(one) for one in left] == [["issued"]] * 3


def with_compromised(parts: Assembly, application: Application) -> Assembly:
    """The same installation, where the key of an application has become known."""
    digest = application.requested.spki_sha256
    personal = PersonalData(parts.vault.keys)
    certificates = Certificates(parts.database, personal, {}, frozenset({digest}))
    return dataclasses.replace(parts, certificates=certificates)

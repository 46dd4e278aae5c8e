"""Duties to revoke on an installation: a register's event, an officer's decision, the clock."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from ra.applications import Application
from ra.fake_companies import FakeCvr
from ra.fake_registers import FakeCpr
from ra.identity import CprNumber
from ra.registers import NoAnswer, PersonAnswer
from ra.revocation_duties import Credential, Duty, DutyCause, DutyState
from records.officers import Role
from revocation.causes import Cause
from revocation.reasons import Reason
from server.alarms import AlarmName
from server.clock import utc_now
from server.duty_jobs import duty_work
from server.jobs import run_job
from server.metrics import Metrics
from server.observations import alarms_now
from server.revocation_duties import ask_about, ask_about_company, due_by_itself, revoke_overdue
from server.service import jobs_by_hand
from server.staff import staff_app
from tests.support.staff import Browser, EnrolledOfficer, Office, an_officer, certified

DIES = "2103009996"
DAY = timedelta(days=1)
MONTH = 30 * DAY


@pytest.fixture
def person(office: Office) -> Application:
    vetter, approver = office.staff[Role.REGISTRATION_OFFICER], office.staff[Role.APPROVING_OFFICER]
    return certified(office.parts, vetter.officer, approver, DIES)


@pytest.fixture
def second(office: Office) -> EnrolledOfficer:
    return an_officer(office.parts, Role.SECURITY_ADMINISTRATOR)


@pytest.fixture(scope="module")
def app(office: Office) -> Flask:
    return staff_app(office.parts, Metrics.of_process())


def asked(office: Office, person: Application, register: object, now: datetime) -> list[Duty]:
    """The open duties of the person after a night in which the register answered."""
    for each in office.parts.duties.live(now):
        if each[0].subject_id == person.subject_id:
            ask_about(office.parts, register, each, now)  # type: ignore[arg-type]
    found = office.parts.duties.all(DutyState.OPEN)
    return [duty for duty in found if duty.credential.subject_id == person.subject_id]


def record(office: Office, person: Application) -> tuple[str, Cause | None, Reason | None]:
    (found,) = office.parts.certificates.find(application_id=person.id)
    return found.status, found.cause, found.reason


class Silent:
    """A register that is down."""

    source_id = "silent"

    def find(self, number: CprNumber, now: datetime) -> PersonAnswer:
        del number, now
        return NoAnswer()


def post(app: Flask, officer: EnrolledOfficer, path: str, body: object = None) -> TestResponse:
    browser = Browser(app)
    browser.present(officer.certificate)
    return browser.client.post(f"/api/v1/duties{path}", json=body)


def test_a_death_on_day_30_opens_one_duty_and_the_clock_revokes_after_the_deadline(
    office: Office, person: Application
) -> None:
    parts, now = office.parts, utc_now()
    assert asked(office, person, FakeCpr(now), now) == []
    assert asked(office, person, Silent(), now) == []

    (duty,) = asked(office, person, FakeCpr(now - MONTH), now)
    assert asked(office, person, FakeCpr(now - MONTH), now) == [duty]
    assert (duty.cause, duty.opened_by) == (DutyCause.DEATH, "system:registers")
    assert record(office, person)[0] == "issued"
    assert duty not in due_by_itself(parts, duty.deadline)

    late = duty.deadline + timedelta(seconds=1)
    overdue = [each for each in alarms_now(parts, late) if duty.id.lower() in each.subject]
    assert [each.name for each in overdue] == [AlarmName.REVOCATION_DUTY_OVERDUE]
    assert duty in due_by_itself(parts, late)
    assert revoke_overdue(parts, duty, now)
    assert not revoke_overdue(parts, duty, now)

    assert record(office, person) == ("revoked", Cause.DEATH, Reason.CESSATION_OF_OPERATION)
    done = parts.duties.get(duty.id)
    assert (done.state, done.decided_by) == (DutyState.REVOKED, "system:duties")


def test_an_officer_does_the_duty_by_the_api(
    office: Office, person: Application, app: Flask
) -> None:
    officer = office.staff[Role.SECURITY_ADMINISTRATOR]
    (duty,) = asked(office, person, FakeCpr(utc_now() - MONTH), utc_now())

    answer = post(app, officer, f"/{duty.id}/revocation")
    assert (answer.status_code, answer.get_json()["reason"]) == (200, "cessationOfOperation")
    again = post(app, officer, f"/{duty.id}/revocation")
    assert (again.status_code, again.get_json()["type"]) == (409, "/problems/conflict")
    assert post(app, officer, "/D-0000000000000000/revocation").status_code == 404


def test_a_duty_that_an_officer_opens_is_dismissed_by_two(
    office: Office, person: Application, app: Flask, second: EnrolledOfficer
) -> None:
    first = office.staff[Role.SECURITY_ADMINISTRATOR]
    (live,) = office.parts.certificates.find(application_id=person.id)
    body = {
        "issuer": live.issuer,
        "serial": live.serial_number.hex,
        "cause": "agreement_ended",
    }
    opened = post(app, first, "", body)
    assert (opened.status_code, opened.get_json()["opened_by"]) == (201, first.officer.id)
    assert post(app, first, "", body).status_code == 409
    path, why = f"/{opened.get_json()['id']}/dismissal", {"no_reason": "opened_in_error"}

    assert post(app, first, path, why).get_json()["state"] == "open"
    alone = post(app, first, path, why)
    assert (alone.status_code, "DTR05" in alone.get_json()["rule"]) == (422, True)
    assert post(app, second, path, why).get_json()["state"] == "dismissed"
    assert post(app, second, path, why).status_code == 409
    assert record(office, person)[0] == "issued"
    bad = post(app, first, path, {"no_reason": "tired", "more": 1})
    assert bad.status_code == 400


def test_a_duty_needs_a_certificate_that_is_there(office: Office, app: Flask) -> None:
    officer = office.staff[Role.SECURITY_ADMINISTRATOR]
    body = {"issuer": "issuing", "serial": "01ab", "cause": "death"}
    assert post(app, officer, "", body).status_code == 404


def test_registers_are_asked_once_a_night(office: Office) -> None:
    for _ in range(2):
        done = run_job("revocation-duties", office.parts, Metrics.of_process())
    assert done == 0
    assert duty_work(office.parts, utc_now()) == []


def test_by_hand_registers_are_asked_again_and_fakes_can_be_some_days_old(
    office: Office, person: Application
) -> None:
    parts = office.parts
    older = parts.settings.model_copy(
        update={"registers": parts.settings.registers.model_copy(update={"fake_days": 30})}
    )
    run_job("revocation-duties", parts, Metrics.of_process())
    later = replace(parts, settings=older)
    assert jobs_by_hand(later, ("revocation-duties",)) == {"revocation-duties": 0}
    jobs_by_hand(later, ("after-care",), again=True)
    assert jobs_by_hand(later, ("revocation-duties",)) == {"revocation-duties": 0}
    assert jobs_by_hand(later, ("revocation-duties",), again=True)["revocation-duties"] >= 1
    (duty,) = asked(office, person, FakeCpr(utc_now() - MONTH), utc_now())
    assert duty.cause is DutyCause.DEATH


def test_a_bankruptcy_on_day_20_opens_a_duty_for_each_credential_that_names_the_company(
    office: Office, person: Application
) -> None:
    parts, now = office.parts, utc_now()
    (live,) = parts.certificates.find(application_id=person.id)
    credential = Credential(live.issuer, live.serial_number.hex, person.subject_id)
    bankrupt = (credential, "99000023")

    assert not ask_about_company(parts, FakeCvr(now), bankrupt, now)
    assert ask_about_company(parts, FakeCvr(now - 20 * DAY), bankrupt, now)
    assert not ask_about_company(parts, FakeCvr(now - 20 * DAY), bankrupt, now)

    (duty,) = (each for each in parts.duties.all(DutyState.OPEN) if each.credential == credential)
    assert duty.cause is DutyCause.COMPANY_BANKRUPT
    assert revoke_overdue(parts, duty, now)
    assert record(office, person) == (
        "revoked",
        Cause.COMPANY_CEASED,
        Reason.CESSATION_OF_OPERATION,
    )

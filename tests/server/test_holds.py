"""Hold, release and revocation through the API and the staff pages."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ca.identifiers import SerialNumber
from records.officers import Role
from revocation.causes import Cause
from revocation.status import Good
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.staff import staff_app
from tests.support.api import problem
from tests.support.staff import (
    EnrolledOfficer,
    Office,
    an_officer,
    certified,
    signed_in,
    text_of,
)


@dataclass
class Desk:
    """One person's certificate, and two security administrators at the API."""

    office: Office
    client: FlaskClient
    first: EnrolledOfficer
    second: EnrolledOfficer
    serial: str

    def post(self, officer: EnrolledOfficer, operation: str, **body: object) -> TestResponse:
        path = f"/api/v1/certificates/issuing/{self.serial}/{operation}"
        return self.client.post(path, json=body or None, environ_base=presenting(officer))

    def status(self) -> object:
        place = self.office.parts.issuing_record().name, SerialNumber.from_hex(self.serial)
        return self.office.parts.statuses.status_of(*place)


def presenting(officer: EnrolledOfficer) -> dict[str, str]:
    pem = officer.certificate.public_bytes(Encoding.PEM).decode()
    return {"SSL_CLIENT_CERT": pem, "SSL_CLIENT_VERIFY": "SUCCESS"}


@pytest.fixture(scope="module")
def app(office: Office) -> Flask:
    return staff_app(office.parts, Metrics.of_process())


@pytest.fixture
def desk(office: Office, app: Flask) -> Desk:
    return a_desk(office, app)


def a_desk(office: Office, app: Flask) -> Desk:
    parts = office.parts
    application = certified(parts, office.registration.officer, office.approving)
    (record,) = parts.certificates.find(application_id=application.id)
    officers = [an_officer(parts, Role.SECURITY_ADMINISTRATOR) for _ in range(2)]
    return Desk(office, app.test_client(), *officers, record.serial_number.hex)


def test_one_officer_holds_and_another_releases(desk: Desk) -> None:
    held = desk.post(desk.first, "hold", cause="compromise-suspected").json
    assert held is not None
    assert (held["status"], held["reason"], held["cause"]) == (
        "held",
        "certificateHold",
        "compromise-suspected",
    )
    assert held["decided_by"] == desk.first.officer.id

    own = desk.post(desk.first, "release")
    assert own.status_code == 422
    assert problem(own)["rule"] == "NSIS ISS-REV-L3d SUSPENSION_UNDER_INVESTIGATION"

    released = desk.post(desk.second, "release").json
    assert released is not None
    assert (released["status"], released["cause"]) == ("issued", None)
    assert desk.status() == Good()


def test_a_hold_of_a_lost_card_is_not_lifted_by_who_put_it_on(desk: Desk) -> None:
    desk.post(desk.first, "hold", cause="key-lost")
    refused = desk.post(desk.first, "release")
    assert refused.status_code == 403
    assert problem(refused)["rule"] == "NSIS ISS-REV-L3b REACTIVATION_NOT_AUTHORISED"


def test_a_revocation_tells_officers_the_cause_and_the_world_the_reason(desk: Desk) -> None:
    done = desk.post(desk.first, "revocation", cause="death").json
    assert done is not None
    assert (done["cause"], done["reason"]) == ("death", "cessationOfOperation")


def test_a_compromise_may_have_been_earlier(desk: Desk) -> None:
    now = utc_now()
    since = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    ahead = f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    for body, said in (
        ({"cause": "key-lost", "invalid_since": ahead}, "lies ahead"),
        ({"cause": "key-lost", "invalid_since": "1970-01-01T00:00:00Z"}, "lies before"),
        ({"cause": "replaced", "invalid_since": since}, "no compromise"),
    ):
        refused = desk.post(desk.first, "revocation", **body)
        assert refused.status_code == 422
        assert said in problem(refused)["detail"]
        assert problem(refused)["rule"].startswith("RFC 5280 5.3.2")
    assert desk.status() == Good()

    done = desk.post(desk.first, "revocation", cause="key-lost", invalid_since=since).json
    assert done is not None
    assert done["invalid_since"] == since.replace("Z", "+00:00")


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("revocation", {}),
        ("revocation", {"cause": "orphan"}),
        ("revocation", {"cause": "nonsense"}),
        ("revocation", {"cause": 5}),
        ("revocation", {"reason": "certificateHold"}),
        ("revocation", {"cause": "replaced", "reason": "superseded"}),
        ("revocation", {"cause": "key-lost", "invalid_since": "yesterday"}),
        ("revocation", {"cause": "key-lost", "invalid_since": "2026-13-01T00:00:00Z"}),
        ("revocation", {"cause": "key-lost", "invalid_since": 5}),
        ("revocation", {"cause": "key-lost", "more": 1}),
        ("hold", {}),
        ("hold", {"cause": "death"}),
    ],
    ids=str,
)
def test_a_body_of_another_form_changes_nothing(
    desk: Desk, operation: str, body: dict[str, object]
) -> None:
    answer = desk.post(desk.first, operation, **body)
    assert answer.status_code == 400
    assert problem(answer)["way_out"]
    assert desk.status() == Good()


@pytest.mark.parametrize("operation", ["hold", "release", "revocation"])
def test_what_is_revoked_changes_no_more(desk: Desk, operation: str) -> None:
    desk.post(desk.first, "revocation", cause="replaced")
    bodies = {"hold": {"cause": "key-lost"}, "revocation": {"cause": "death"}, "release": {}}
    assert desk.post(desk.second, operation, **bodies[operation]).status_code == 409


@pytest.mark.parametrize("operation", ["hold", "release", "revocation"])
@pytest.mark.parametrize("serial", ["01abcdef0123456789abcdef"])
def test_an_unknown_serial_is_not_found(desk: Desk, operation: str, serial: str) -> None:
    desk.serial = serial
    body = {"release": {}}.get(operation, {"cause": "key-lost"})
    assert desk.post(desk.first, operation, **body).status_code == 404


def test_an_officer_neither_holds_nor_revokes_an_issuer(desk: Desk) -> None:
    issuing = desk.office.parts.issuing_record().certificate
    assert issuing is not None
    environ = presenting(desk.first)
    for operation in ("hold", "revocation"):
        path = f"/api/v1/certificates/root/{SerialNumber(issuing.serial_number).hex}/{operation}"
        answer = desk.client.post(path, json={"cause": "key-lost"}, environ_base=environ)
        assert answer.status_code == 403


def test_an_officer_on_hold_is_nobody_until_the_release(desk: Desk) -> None:
    parts, away = desk.office.parts, an_officer(desk.office.parts, Role.AUDITOR)
    desk.serial = SerialNumber(away.certificate.serial_number).hex
    desk.post(desk.first, "hold", cause="key-lost")
    assert parts.officers.by_certificate(away.certificate) is None
    desk.post(desk.second, "release")
    assert parts.officers.by_certificate(away.certificate) is not None


def test_the_brake_answers_429_with_the_way_out(desk: Desk) -> None:
    parts = desk.office.parts
    serials = [
        SerialNumber(an_officer(parts, Role.AUDITOR).certificate.serial_number).hex
        for _ in range(parts.settings.revocation.alone_per_hour + 1)
    ]
    answers = []
    for desk.serial in serials:
        answers.append(desk.post(desk.first, "revocation", cause="not-needed"))
    assert [a.status_code for a in answers] == [200] * (len(serials) - 1) + [429]
    told = problem(answers[-1])
    assert told["rule"] == "NSIS ISS-REV-L2b REVOCATION_RATE_LIMITED"
    assert "tillid revocation plan" in told["way_out"]


def test_the_pages_hold_and_release(desk: Desk) -> None:
    office, page = desk.office, f"/certificates/issuing/{desk.serial}"
    first, second = (
        signed_in(office.app, office.parts, each.officer) for each in (desk.first, desk.second)
    )
    form = f"{page}/hold"
    assert form in first.get(page)
    assert "You cannot lift the hold yourself" in text_of(first.get(form))
    assert first.send(form, form, cause="death").status_code == 400
    assert first.send(form, form, cause="key-lost").status_code == 303

    told = text_of(first.get(page))
    assert "On hold since" in told
    assert "key lost" in told
    assert form not in first.get(page)
    assert first.send(page, f"{page}/release").status_code == 403
    assert second.send(page, f"{page}/release").status_code == 303
    assert "Put it on hold" in text_of(second.get(page))


def test_a_hold_beyond_its_days_is_ended_by_the_job(
    office_at_another_time: Office, app: Flask
) -> None:
    desk = a_desk(office_at_another_time, app)
    parts = desk.office.parts
    place = parts.issuing_record().name, SerialNumber.from_hex(desk.serial)
    days = parts.settings.revocation.longest_hold_days
    parts.statuses.hold(*place, "system:operator", utc_now() - timedelta(days=days), Cause.KEY_LOST)
    assert run_job("end-holds", parts, Metrics.of_process()) == 1
    record = parts.certificates.record(*place)
    assert (record.status, record.cause, record.decided_by) == (
        "revoked",
        Cause.KEY_LOST,
        "system:job",
    )


def test_the_pages_plan_and_a_second_officer_begins(desk: Desk) -> None:
    office, limit = desk.office, desk.office.parts.settings.revocation.alone_per_hour
    first, second = (
        signed_in(office.app, office.parts, each.officer) for each in (desk.first, desk.second)
    )
    cards = [an_officer(office.parts, Role.AUDITOR).certificate for _ in range(limit + 1)]
    lines = [f"issuing/{SerialNumber(card.serial_number).hex}" for card in cards]
    junk = first.send("/revocations", "/revocations", certificates="junk", cause="replaced")
    assert junk.status_code == 400
    assert "line 1" in text_of(junk.text)
    planned = first.send(
        "/revocations", "/revocations", certificates="\n".join(lines), cause="replaced"
    )
    assert planned.status_code == 303
    page = planned.headers["Location"]
    told = text_of(first.get(page))
    assert f"issuing staff {limit + 1}" in told
    assert "another security administrator begins it" in told

    digest = office.parts.bulk_revocations.get(page.rpartition("/")[2]).sha256
    assert first.send("/revocations", f"{page}/begin", sha256=digest).status_code == 422
    assert second.send(page, f"{page}/begin", sha256="0" * 64).status_code == 422
    assert second.send(page, f"{page}/begin", sha256=digest).status_code == 303
    run_job("carry-on-revocations", office.parts, Metrics.of_process())
    assert f"{limit + 1} revoked" in text_of(second.get(page))
    assert "done" in text_of(first.get("/revocations"))

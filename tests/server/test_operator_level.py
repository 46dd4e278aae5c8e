"""Officers act with two factors, and decide at no level above that of their own credential."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from ra.errors import Refused
from records.officers import Role
from revocation.causes import Cause
from server.clock import utc_now
from server.metrics import Metrics
from server.registration import application_package, reject_application
from server.staff import staff_app
from tests.support.api import armoured, presenting, problem
from tests.support.high_office import HighOffice
from tests.support.organisations import HIGH, MANDATES, NANCY, Registry, codes
from tests.support.staff import Browser, EnrolledOfficer, Office, an_officer

_TOO_LOW = {"OPERATOR_LEVEL_TOO_LOW"}
_DOCUMENT = {"mrz_lines": [], "features_seen": [], "presence": "in_person"}
_SIGN_IN = "/api/v1/sign-ins"


@pytest.fixture(scope="module")
def high(office: Office) -> HighOffice:
    return HighOffice(office.parts)


@pytest.fixture(scope="module")
def app(high: HighOffice) -> Flask:
    found = staff_app(high.parts, Metrics.of_process())
    found.testing = False
    return found


def ask(app: Flask, who: EnrolledOfficer, path: str, body: object = None) -> Any:
    environ = presenting(who.certificate)
    return app.test_client().post(f"/api/v1/{path}", json=body, environ_base=environ)


def refused(app: Flask, who: EnrolledOfficer, path: str, body: object = None) -> set[str]:
    answer = ask(app, who, path, body)
    assert answer.status_code == 422, answer.text
    return codes(problem(answer))


def test_officers_who_are_listed_decide_at_high(high: HighOffice, app: Flask) -> None:
    application = high.applied()
    of = f"applications/{application.id}"
    assert ask(app, high.proofer, f"{of}/proofing").status_code == 200
    taken = high.parts.applications.get(application.id)
    assert taken.officer is not None
    # What the officer acted with is on record.
    assert taken.officer.certificate == high.proofer.officer.certificate
    assert high.activated().state == "fulfilled"


def test_no_officer_decides_above_the_own_credential(high: HighOffice, app: Flask) -> None:
    clerk = an_officer(high.parts, Role.REGISTRATION_OFFICER)
    approver = an_officer(high.parts, Role.APPROVING_OFFICER)
    before = high.applied()
    of = f"applications/{before.id}"
    for path, body in ((f"{of}/proofing", None), (f"{of}/documents", _DOCUMENT)):
        assert refused(app, clerk, path, body) == _TOO_LOW
    assert refused(app, clerk, f"{of}/conclusion") == _TOO_LOW
    assert high.parts.applications.get(before.id) == before
    ready = high.vetted()
    signature = armoured(approver.sign(application_package(ready)))
    path = f"applications/{ready.id}/approval"
    assert refused(app, approver, path, {"signature": signature}) == _TOO_LOW
    with pytest.raises(Refused, match="OPERATOR_LEVEL_TOO_LOW"):
        reject_application(high.parts, ready.id, (), approver.officer, utc_now())
    assert high.parts.applications.get(ready.id) == ready


def test_no_officer_checks_a_mandate_above_the_own_credential(office: Office) -> None:
    app = staff_app(office.parts, Metrics.of_process())
    registry = Registry(office, app)
    asked = registry.ask(registry.citizen(NANCY, HIGH), "99000007", HIGH, by_role=True)
    path = f"{MANDATES}/{asked['id']}"
    clerk = an_officer(office.parts, Role.REGISTRATION_OFFICER)
    approver = an_officer(office.parts, Role.APPROVING_OFFICER)
    extract = {"reference": "X 1"}
    for step, body in (("extract", extract), ("conclusion", {}), ("refusal", {})):
        assert codes(registry.call(clerk, f"{path}/{step}", body, 422)) == _TOO_LOW
    assert registry.clerk(f"{path}/conclusion", {})["state"] == "verified"
    signature = armoured(approver.sign(registry.clerk(f"{path}/package")))
    found = registry.call(approver, f"{path}/approval", {"signature": signature}, 422)
    assert codes(found) == _TOO_LOW


def test_holds_are_lifted_at_their_level_and_put_at_any(high: HighOffice, app: Flask) -> None:
    parts, now = high.parts, utc_now()
    administrator = an_officer(parts, Role.SECURITY_ADMINISTRATOR)
    (held,) = parts.certificates.find(application_id=high.activated().id)
    path = f"certificates/{held.issuer}/{held.serial_number.hex}"
    parts.statuses.hold(held.issuer, held.serial_number, "system:operator", now, Cause.KEY_LOST)
    assert refused(app, administrator, f"{path}/release") == _TOO_LOW
    assert (
        ask(app, administrator, f"{path}/revocation", {"reason": "superseded"}).status_code == 200
    )


def test_only_the_own_certificate_begins_a_session_which_ends_with_it(
    office: Office, app: Flask
) -> None:
    someone = an_officer(office.parts, Role.REGISTRATION_OFFICER)
    made = ask(app, someone, "sign-ins")
    assert made.status_code == 201
    browser = Browser(app)
    link = "/sign-in/" + made.json["link"].rpartition("/")[2]
    assert browser.send(link, link).status_code == 303
    browser.get("/queue")
    # A session begins no other one.
    assert browser.post(_SIGN_IN).status_code == 401
    serial = f"{someone.certificate.serial_number:x}"
    administrator = office.staff[Role.SECURITY_ADMINISTRATOR]
    body = {"reason": "affiliationChanged"}
    ask(app, administrator, f"certificates/issuing/{serial}/revocation", body)
    browser.get("/queue", 401)


def test_a_link_that_no_certificate_made_signs_nobody_in(office: Office) -> None:
    officer, life = office.registration.officer, timedelta(minutes=5)
    token = office.parts.officers.make_link(officer.id, "sign-in", utc_now(), life)
    browser = Browser(office.app)
    browser.send(f"/sign-in/{token}", f"/sign-in/{token}")
    browser.get("/queue", 401)

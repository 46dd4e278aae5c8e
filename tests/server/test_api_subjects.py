"""People through the API: found, opened and reported for a stated purpose, each time in the log."""

import json
from base64 import b64decode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from records.audit_log import audit_log
from records.officers import Role
from server.metrics import Metrics
from server.packages import verify_package
from server.search import find_people, reindex
from server.staff import staff_app
from tests.support.api import an_application, as_officer, bearer, problem
from tests.support.ra_builders import NANCY
from tests.support.staff import Office, certified

API = "/api/v1/subjects"


@pytest.fixture(scope="module")
def app(office: Office) -> Flask:
    return staff_app(office.parts, Metrics.of_process())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="module")
def subject_id(office: Office) -> str:
    application = certified(office.parts, office.registration.officer, office.approving)
    return str(application.subject_id)


def events(office: Office, kind: str) -> list[str]:
    with audit_log(office.parts.database) as log:
        return [entry.header.decode() for entry in log.entries(0) if kind.encode() in entry.header]


@pytest.mark.parametrize("spelling", [NANCY, f"{NANCY[:6]}-{NANCY[6:]}"])
def test_a_person_is_found_by_number_and_it_is_noted_without_the_number(
    client: FlaskClient, office: Office, subject_id: str, spelling: str
) -> None:
    before = len(events(office, "subject.searched"))
    answer = client.post(
        f"{API}/search",
        json={"by": "cpr", "value": spelling, "purpose": "access-request"},
        environ_overrides=as_officer(office, Role.SECURITY_ADMINISTRATOR),
    )
    noted = events(office, "subject.searched")

    assert answer.json is not None
    assert subject_id in answer.json["subjects"]
    assert len(noted) == before + 1
    assert answer.json["reference"] in noted[-1]
    assert "access-request" in noted[-1]
    assert NANCY not in noted[-1]
    assert subject_id not in noted[-1]


def test_a_person_is_found_by_the_serial_of_a_certificate(office: Office, subject_id: str) -> None:
    (record,) = office.parts.certificates.find(subject_id=subject_id)

    assert find_people(office.parts, "serial", record.serial_number.hex.upper()) == (subject_id,)
    assert find_people(office.parts, "serial", "00") == ()


def test_a_file_is_opened_and_counted(client: FlaskClient, office: Office, subject_id: str) -> None:
    answer = client.post(
        f"{API}/{subject_id}/opening",
        json={"purpose": "audit"},
        environ_overrides=as_officer(office, Role.SECURITY_ADMINISTRATOR),
    )

    assert answer.json is not None
    assert answer.json["records"]["certificate"] == 1
    assert sum(one["count"] for one in answer.json["collected"]) == sum(
        answer.json["records"].values()
    )
    assert answer.json["records"]["audit_payload"] >= 1
    assert answer.json["reference"] in events(office, "audit.payloads_opened")[-1]


@pytest.mark.parametrize("kind", ["access", "portability"])
def test_a_package_comes_out_signed(
    client: FlaskClient, office: Office, subject_id: str, kind: str
) -> None:
    answer = client.post(
        f"{API}/{subject_id}/package",
        json={"purpose": "access-request", "language": "sv", "package": kind},
        environ_overrides=as_officer(office, Role.SECURITY_ADMINISTRATOR),
    )

    assert answer.json is not None
    files = {name: b64decode(octets) for name, octets in answer.json["files"].items()}
    assert verify_package(files)
    if kind == "access":
        assert json.loads(files["report.json"])["language"] == "sv"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{API}/search", {"by": "shoe", "value": "x", "purpose": "audit"}, 400),
        (f"{API}/search", {"by": "cpr", "value": "x", "purpose": "Nancy said so"}, 400),
        (f"{API}/search", {"by": "cpr", "value": "", "purpose": "audit"}, 400),
        (f"{API}/search", {"by": "cpr", "value": "1", "purpose": "audit", "more": 1}, 400),
        (f"{API}/subject-0/opening", {"purpose": "audit"}, 404),
        (f"{API}/subject-0/package", {"purpose": "audit", "language": "no"}, 400),
    ],
)
def test_bad_input_is_refused(
    client: FlaskClient, office: Office, path: str, body: dict[str, object], status: int
) -> None:
    answer = client.post(
        path, json=body, environ_overrides=as_officer(office, Role.SECURITY_ADMINISTRATOR)
    )

    assert problem(answer)["status"] == status


def test_an_index_made_anew_finds_everybody_again(office: Office, subject_id: str) -> None:
    office.parts.search.forget(subject_id)
    assert subject_id not in find_people(office.parts, "cpr", NANCY)

    assert reindex(office.parts) > 0
    assert subject_id in find_people(office.parts, "cpr", NANCY)
    assert subject_id in find_people(office.parts, "name", "nancy ann test berggren")


def test_a_person_consents_and_withdraws_as_easily(client: FlaskClient, office: Office) -> None:
    texts = client.get("/api/v1/consents/texts").json
    assert texts is not None
    danish = texts["publication"]["da"]
    sent = an_application(
        office.parts, publication_consent=True, publication_text_sha256=danish["sha256"]
    )
    opened = client.post("/api/v1/applications", json=sent).json
    assert opened is not None
    place, who = f"/api/v1/applications/{opened['id']}/consents", bearer(opened["secret"])

    withdrawn = client.post(place, json={"state": "withdrawn"}, headers=who)
    again = client.post(place, json={"state": "withdrawn"}, headers=who)
    blind = client.post(place, json={"state": "given"}, headers=who)
    given = client.post(
        place, json={"state": "given", "text_sha256": danish["sha256"]}, headers=who
    )
    history = client.get(place, headers=who).json

    assert (withdrawn.status_code, given.status_code) == (201, 201)
    assert problem(again)["rule"] == problem(blind)["rule"] == "GDPR Art. 7"
    assert history is not None
    assert [(one["state"], one["language"]) for one in history] == [
        ("given", "da"),
        ("withdrawn", "en"),
        ("given", "da"),
    ]
    assert client.post(place, json={"state": "withdrawn"}).status_code == 401


def test_an_officer_records_what_a_person_said(client: FlaskClient, office: Office) -> None:
    sent = an_application(office.parts, publication_consent=True)
    opened = client.post("/api/v1/applications", json=sent).json
    assert opened is not None
    place = f"/api/v1/applications/{opened['id']}/consents"
    body = {"state": "withdrawn", "level": "substantial", "details": "at the desk"}

    done = client.post(
        place, json=body, environ_overrides=as_officer(office, Role.REGISTRATION_OFFICER)
    )
    refused = client.post(place, json=body, environ_overrides=as_officer(office, Role.AUDITOR))

    assert done.json is not None
    assert done.json["level"] == "substantial"
    assert refused.status_code == 403


def test_a_consent_to_another_text_is_refused_with_the_application(office: Office) -> None:
    app = staff_app(office.parts, Metrics.of_process())
    sent = an_application(office.parts, publication_consent=True, publication_text_sha256="0" * 64)

    answer = app.test_client().post("/api/v1/applications", json=sent)

    assert problem(answer)["rule"] == "GDPR Art. 7"

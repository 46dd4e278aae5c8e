"""Natural persons at the API: texts shown, own acts of applicants, trainings, and bad input."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from records.officers import Role
from server.metrics import Metrics
from server.staff import staff_app
from tests.support.api import an_application, as_officer, bearer, problem
from tests.support.ra_builders import FEATURES, NANCY, claimed, passport_of
from tests.support.staff import Office, applied, shown

APPLICATIONS = "/api/v1/applications"
LONG = "x" * 10_000
VISUAL: dict[str, Any] = {
    "issuer": "DNK",
    "number": "12345678",
    "given_name": "Nancy Ann Test",
    "surname": "Berggren",
    "birth_date": "1948-12-25",
    "expiry_date": "2034-04-15",
}


@pytest.fixture(scope="module")
def app(office: Office) -> Flask:
    return staff_app(office.parts, Metrics.of_process())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_an_applicant_accepts_what_the_own_session_was_shown(
    client: FlaskClient, office: Office
) -> None:
    for language in ("da", "sv", "en"):
        texts = client.post("/api/v1/presentations", json={"language": language}).json
        assert texts is not None
        who = bearer(texts["session"])
        answers = {}
        for kind in ("terms", "security_notice"):
            sent = {"sha256": texts[kind]["sha256"]}
            path = "/api/v1/presentations/completion"
            assert client.post(path, json=sent, headers=who).status_code == 200
            assert client.post(path, json=sent, headers=who).status_code == 409
            answers[kind] = {**sent, "read": True, "accepted": True}
        body = an_application(office.parts, session=texts["session"], **answers)
        made = client.post(APPLICATIONS, json=body)
        assert made.status_code == 201, made.text


@pytest.mark.parametrize("session", ["", "x" * 43])
def test_an_answer_to_a_text_that_was_not_shown_to_its_end_is_none(
    client: FlaskClient, office: Office, session: str
) -> None:
    body = an_application(office.parts, session=session)
    found = problem(client.post(APPLICATIONS, json=body))
    assert found["rule"] == "NSIS REG-APP-S4c TERMS_NOT_FULLY_SHOWN"


def test_what_another_session_or_language_was_shown_does_not_count(
    client: FlaskClient, office: Office
) -> None:
    danish, _ = shown(office.parts, "da")
    body = an_application(office.parts, session=danish)
    found = problem(client.post(APPLICATIONS, json=body))
    assert found["rule"] == "NSIS REG-APP-S4c TERMS_NOT_FULLY_SHOWN"


@pytest.mark.parametrize("role", Role)
def test_no_officer_accepts_for_an_applicant(
    client: FlaskClient, office: Office, role: Role
) -> None:
    body = an_application(office.parts)
    answer = client.post(APPLICATIONS, json=body, environ_base=as_officer(office, role))
    assert problem(answer)["rule"] == "NSIS REG-APP-S4e ACCEPTANCE_BY_PROXY"


def test_no_operation_for_officers_has_a_field_for_an_acceptance(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").json
    assert document is not None
    with_answers = {
        name
        for name, schema in document["components"]["schemas"].items()
        if {"terms", "security_notice", "subscriber"} & schema.get("properties", {}).keys()
    }
    # The second is of people who act for a company, or as its employees, for themselves; the next
    # two of holders, by the certificate they present or the secret of their application; the last
    # of who is mandated to act for an organisation.
    by_themselves = {"ApplicationBody", "NamedApplicationBody", "RenewalBody", "ReplacementBody"}
    by_themselves |= {"AgreementBody"}
    assert with_answers == by_themselves
    users = [
        path
        for path, item in document["paths"].items()
        for operation in item.values()
        if "/ApplicationBody" in str(operation.get("requestBody"))
    ]
    assert sorted(users) == ["/api/v1/applications", "/api/v1/cases/{case_id}/application"]


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"cpr_number": "3102991234"}, "cpr_number"),
        ({"cpr_number": "010199123"}, "cpr_number"),
        ({"cpr_number": "ABCDEF1234"}, "cpr_number"),
        ({"cpr_number": "0101363123"}, None),
        ({"given_name": "Nan\u202ecy"}, "given_name"),
        ({"given_name": "Nancy\x00"}, "given_name"),
        ({"given_name": "N\u0430ncy"}, "given_name"),
        ({"surname": "Berg\u200bgren"}, "surname"),
        ({"surname": LONG}, "surname"),
        ({"email": "a@b"}, "email"),
        ({"shoe_size": "43"}, "shoe_size"),
    ],
    ids=repr,
)
def test_a_malformed_attribute_is_told_by_its_name_and_never_repeated(
    client: FlaskClient, office: Office, attributes: dict[str, str], field: str | None
) -> None:
    before = len(office.parts.applications.in_state("submitted"))  # type: ignore[arg-type]
    body = an_application(office.parts, attributes=claimed() | attributes)
    answer = client.post(APPLICATIONS, json=body)
    if field is None:  # no checksum, no refusal
        assert answer.status_code == 201
        return
    assert answer.status_code in {400, 422}
    assert field in answer.text
    assert next(iter(attributes.values())) not in answer.text
    assert len(office.parts.applications.in_state("submitted")) == before  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Søren Åge", "Þórunn Ægisdóttir", "Aqqaluk", "Jákup-Pætur"])
def test_real_northern_names_pass(client: FlaskClient, office: Office, name: str) -> None:
    attributes = claimed() | {"given_name": name}
    answer = client.post(APPLICATIONS, json=an_application(office.parts, attributes=attributes))
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"mrz_lines": ["P<UTO", "1"]}, 201),  # a zone that is not sound is an answer
        ({"mrz_lines": [LONG]}, 400),
        ({"mrz_lines": ["a"] * 4}, 400),
        ({"features_seen": [LONG]}, 400),
        ({"kind": "library_card"}, 400),
        ({"unknown": 1}, 400),
        ({"visual": VISUAL | {"birth_date": "1948-02-31"}}, 400),
        ({"visual": VISUAL | {"surname": "Berg\u202egren"}}, 400),
        ({"visual": VISUAL | {"surname": LONG}}, 400),
        ({"visual": VISUAL | {"colour": "red"}}, 400),
    ],
    ids=str,
)
def test_a_malformed_document_is_refused_and_changes_nothing(
    client: FlaskClient, office: Office, change: dict[str, Any], status: int
) -> None:
    of = applied(office.parts)
    body = {
        "mrz_lines": list(passport_of().mrz_lines),
        "features_seen": list(FEATURES),
        "presence": "in_person",
    }
    who = as_officer(office, Role.REGISTRATION_OFFICER)
    path = f"{APPLICATIONS}/{of.id}/documents"
    answer = client.post(path, json=body | change, environ_base=who)
    assert answer.status_code == status, answer.text
    if status != 201:
        assert office.parts.applications.get(of.id) == of
        assert LONG not in answer.text


@pytest.mark.parametrize(
    ("step", "body"),
    [
        ("comparisons", {"kind": "biometric", "matches": True, "live": True, "feature_list": "F"}),
        ("comparisons", {"kind": "photo", "matches": True, "live": True}),
        ("questions", {"presence": "in_person", "source": "s", "asked": 3, "correct": -1}),
        (
            "questions",
            {"presence": "in_person", "source": "s", "asked": 3, "correct": 3, "answers": ["a"]},
        ),
        ("resolution", {"deviation": "bribed", "reason": "he asked me to"}),
        ("resolution", {"deviation": "changed_name", "reason": LONG}),
        ("prior-proofings", {"provider": "b\u0000", "scope": "s", "reference": "r"}),
    ],
)
def test_a_malformed_act_of_an_officer_is_refused(
    client: FlaskClient, office: Office, step: str, body: dict[str, object]
) -> None:
    of = applied(office.parts)
    who = as_officer(office, Role.REGISTRATION_OFFICER)
    found = problem(client.post(f"{APPLICATIONS}/{of.id}/{step}", json=body, environ_base=who))
    assert found["status"] == 400
    assert office.parts.applications.get(of.id) == of


def test_an_applicant_asks_answers_and_takes_back(client: FlaskClient, office: Office) -> None:
    made = client.post(APPLICATIONS, json=an_application(office.parts)).json
    assert made is not None
    path, who = f"{APPLICATIONS}/{made['id']}", bearer(made["secret"])
    nonce = client.post(f"{path}/nonces", json={"purpose": "login"}, headers=who).json
    assert nonce is not None
    login = {"provider": "test:login", "answer": "x", "nonce": nonce["nonce"]}
    assert problem(client.post(f"{path}/logins", json=login, headers=who))["status"] == 422
    unknown = {"provider": "https://evil.example", "answer": "x", "nonce": "n"}
    found = problem(client.post(f"{path}/logins", json=unknown, headers=who))
    assert found["rule"] == "NSIS REG-IDN-L10 SOURCE_CREDENTIAL_NOT_ASSESSED"
    done = client.post(f"{path}/withdrawal", headers=who).json
    assert done is not None
    assert done["state"] == "withdrawn"
    assert problem(client.post(f"{path}/withdrawal", headers=who))["status"] == 409


def test_the_same_application_twice_is_one_key_for_two_people(
    client: FlaskClient, office: Office
) -> None:
    body = an_application(office.parts)
    assert client.post(APPLICATIONS, json=body).status_code == 201
    assert NANCY not in client.post(APPLICATIONS, json=body).text


def test_a_manager_records_and_lists_trainings(client: FlaskClient, office: Office) -> None:
    who = as_officer(office, Role.SECURITY_ADMINISTRATOR)
    officer = office.staff[Role.REGISTRATION_OFFICER].officer.id
    body = {"officer": officer, "trained_on": "2026-01-01", "valid_until": "2026-06-30"}
    made = client.post("/api/v1/trainings", json=body, environ_base=who)
    assert made.status_code == 201
    listed = client.get("/api/v1/trainings", environ_base=who).json
    assert listed is not None
    assert officer in {each for training in listed for each in training["officers"]}
    for change, status in (
        ({"valid_until": "2027-06-30"}, 422),
        ({"valid_until": "2026-02-30"}, 400),
        ({"officer": "officer-0000000000000000"}, 404),
        ({"topic": "juggling"}, 400),
    ):
        wrong = client.post("/api/v1/trainings", json=body | change, environ_base=who)
        assert problem(wrong)["status"] == status

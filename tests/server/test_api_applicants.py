"""Applicants at the API, from the application to the erasure."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from flask.testing import FlaskClient

from records.officers import Role
from server.metrics import Metrics
from server.staff import staff_app
from tests.support.api import (
    an_application,
    armoured,
    as_officer,
    bearer,
    presenting,
    problem,
)
from tests.support.ra_builders import a_new_request_der, claimed, passport_of
from tests.support.staff import Office, an_officer, applied, vetted


@pytest.fixture(scope="module")
def app(office: Office) -> Flask:
    return staff_app(office.parts, Metrics.of_process())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"extra": 1}, "extra"),
        ({"profile": 7}, "profile"),
        ({"profile": "../root"}, "profile"),
        ({"profile": "x\0"}, "profile"),
        ({"attributes": []}, "attributes"),
        ({"attributes": {"given_name": 1}}, "attributes.given_name"),
        ({"attributes": {"a": "x" * 201}}, "attributes.a"),
        ({"attributes": {str(n): "x" for n in range(11)}}, "attributes"),
        ({"certificate_request": "x" * 25_000}, "certificate_request"),
        ({"publication_consent": "yes"}, "publication_consent"),
        ({"terms": {"sha256": "0" * 64, "read": 1, "accepted": True}}, "terms.read"),
        ({"terms": {"sha256": "G" * 64, "read": True, "accepted": True}}, "terms.sha256"),
        ({"security_notice": None}, "security_notice"),
    ],
    ids=str,
)
def test_each_wrong_field_of_an_application_is_named(
    client: FlaskClient, office: Office, change: dict[str, object], field: str
) -> None:
    answer = client.post("/api/v1/applications", json=an_application(office.parts, **change))
    found = problem(answer)
    assert found["status"] == 400
    assert field in {one["field"] for one in found["errors"]}


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"profile": "none-such"}, 404, "profile"),
        ({"profile": "tls-server"}, 400, "profile"),
        ({"attributes": {}}, 422, ""),
        ({"attributes": {**claimed(), "shoe_size": "43"}}, 422, ""),
        ({"attributes": {**claimed(), "cpr_number": "0000000000"}}, 400, "cpr_number"),
        ({"certificate_request": "no request"}, 400, "certification request"),
        ({"terms": {"sha256": "0" * 64, "read": True, "accepted": True}}, 422, "terms"),
    ],
    ids=str,
)
def test_an_application_that_a_rule_refuses_is_told_which(
    client: FlaskClient, office: Office, change: dict[str, object], status: int, says: str
) -> None:
    answer = client.post("/api/v1/applications", json=an_application(office.parts, **change))
    found = problem(answer)
    assert found["status"] == status
    assert says in found["detail"]
    assert found["way_out"]


def test_nothing_personal_is_repeated_in_a_refusal(client: FlaskClient, office: Office) -> None:
    canary = "Canaryine"
    attributes = {**claimed(), "given_name": canary + "\x07", "cpr_number": "9999999999"}
    answer = client.post(
        "/api/v1/applications", json=an_application(office.parts, attributes=attributes)
    )
    assert problem(answer)["status"] == 400
    assert canary not in answer.text
    assert "9999999999" not in answer.text


def test_an_approval_must_be_a_signature_over_this_package(
    client: FlaskClient, office: Office
) -> None:
    of = vetted(office.parts, office.registration.officer).id
    who = as_officer(office, Role.APPROVING_OFFICER)
    path = f"/api/v1/applications/{of}/approval"
    package = client.get(f"/api/v1/applications/{of}/package", environ_base=who).data
    for text, status in {
        "": 400,
        "-----BEGIN CMS-----\nMAA=\n-----END CMS-----": 422,
        armoured(office.approving.sign(package + b" ")): 422,
        armoured(office.registration.sign(package)): 422,
    }.items():
        answer = client.post(path, json={"signature": text}, environ_base=who)
        assert problem(answer)["status"] == status
    good = {"signature": armoured(office.approving.sign(package))}
    done = client.post(path, json=good, environ_base=who)
    assert done.json is not None
    assert done.json["state"] == "fulfilled"
    assert problem(client.post(path, json=good, environ_base=who))["status"] == 409


def test_a_document_that_does_not_prove_the_identity_is_refused_by_requirement(
    client: FlaskClient, office: Office
) -> None:
    of = applied(office.parts).id
    who = as_officer(office, Role.REGISTRATION_OFFICER)
    shown = passport_of("0707614285")
    body = {
        "mrz_lines": list(shown.mrz_lines),
        "features_seen": list(shown.features_seen),
        "presence": "in_person",
        "face_matches": True,
    }
    path = f"/api/v1/applications/{of}"
    recorded = client.post(f"{path}/documents", json=body, environ_base=who)
    assert recorded.status_code == 201
    found = problem(client.post(f"{path}/conclusion", environ_base=who))
    assert found["status"] == 422
    assert found["rule"].startswith("NSIS ")
    assert found["way_out"]


def test_a_wrong_secret_and_an_unknown_application_look_the_same(
    client: FlaskClient, office: Office
) -> None:
    made = client.post("/api/v1/applications", json=an_application(office.parts)).json
    assert made is not None
    own, secret = f"/api/v1/applications/{made['id']}", made["secret"]
    unknown = "/api/v1/applications/A-ABCDEFGHIJ"
    for suffix, method in (("", "GET"), ("/certificate", "GET"), ("/erasure", "POST")):
        wrong = [
            client.open(f"{path}{suffix}", method=method, headers=headers)
            for path, headers in [
                (unknown, bearer(secret)),
                (own, bearer("x" * 43)),
                (own, bearer(secret[:-1])),
                (own, bearer(secret + "x")),
                (own, {"Authorization": f"Basic {secret}"}),
                (own, {}),
            ]
        ]
        assert {answer.status_code for answer in wrong} == {401}
        assert len({answer.data for answer in wrong}) == 1
        assert len({str(answer.headers) for answer in wrong}) == 1
    assert client.get(own, headers=bearer(secret)).status_code == 200
    assert secret not in client.get(own, headers=bearer(secret)).text


def test_an_erasure_is_asked_for_once_and_again(client: FlaskClient, office: Office) -> None:
    made = client.post("/api/v1/applications", json=an_application(office.parts)).json
    assert made is not None
    path = f"/api/v1/applications/{made['id']}/erasure"
    first = client.post(path, headers=bearer(made["secret"]))
    again = client.post(path, headers=bearer(made["secret"]))
    assert first.status_code == again.status_code == 202
    assert first.json is not None
    assert again.json == {**first.json, "holder_key": None}
    assert len(first.json["holder_key"]) == 64
    case = f"/api/v1/erasures/{first.json['id']}"
    second = an_officer(office.parts, Role.SECURITY_ADMINISTRATOR)
    by = [as_officer(office, Role.SECURITY_ADMINISTRATOR), presenting(second.certificate)]
    body = {"rulings_sha256": first.json["rulings_sha256"]}
    wrong = client.post(f"{case}/approval", json={"rulings_sha256": "0" * 64}, environ_base=by[0])
    assert (problem(wrong)["status"], problem(wrong)["rule"]) == (422, "ERA06")
    done = [client.post(f"{case}/approval", json=body, environ_base=who).json for who in by]
    assert [each["state"] for each in done] == ["requested", "approved"]  # type: ignore[index]
    late = client.post(f"{case}/approval", json=body, environ_base=by[0])
    assert problem(late)["status"] == 409
    ended = client.post(f"{case}/cancellation", environ_base=by[0]).json
    assert ended["state"] == "cancelled"  # type: ignore[index]


def test_an_officer_plans_and_opens_a_case_that_two_others_approve(
    client: FlaskClient, office: Office
) -> None:
    made = client.post("/api/v1/applications", json=an_application(office.parts)).json
    assert made is not None
    who = as_officer(office, Role.SECURITY_ADMINISTRATOR)
    plan = client.get(f"/api/v1/applications/{made['id']}/erasure-plan", environ_base=who).json
    assert [(one["class"], one["action"]) for one in plan["rulings"]] == [  # type: ignore[index]
        ("agreement_file", "erase"),
        ("proofing_evidence", "erase"),
    ]
    opened = client.post(
        "/api/v1/erasures", json={"application_id": made["id"]}, environ_base=who
    ).json
    assert opened is not None
    body = {"rulings_sha256": opened["rulings_sha256"]}
    own = client.post(f"/api/v1/erasures/{opened['id']}/approval", json=body, environ_base=who)
    assert (problem(own)["status"], problem(own)["rule"]) == (422, "ERA06")


def test_a_legal_hold_is_asked_for_by_one_and_approved_by_another(
    client: FlaskClient, office: Office
) -> None:
    made = client.post("/api/v1/applications", json=an_application(office.parts)).json
    assert made is not None
    second = an_officer(office.parts, Role.SECURITY_ADMINISTRATOR)
    one = as_officer(office, Role.SECURITY_ADMINISTRATOR)
    orders = "/api/v1/retention/orders"
    body = {"kind": "hold", "basis": "BS 1-2/2026", "application_id": made["id"]}
    hold = client.post(orders, json=body, environ_base=one).json
    assert hold is not None
    approval = f"{orders}/{hold['id']}/approval"
    refused = client.post(approval, environ_base=one)
    assert (problem(refused)["status"], problem(refused)["rule"]) == (422, "RET03")
    approved = client.post(approval, environ_base=presenting(second.certificate)).json
    assert approved["approved_by"] == second.officer.id  # type: ignore[index]
    listed = client.get(orders, environ_base=one).json
    assert hold["id"] in {each["id"] for each in listed}  # type: ignore[union-attr]
    for wrong in ({"kind": "shorten"}, {"kind": "write_off", "directory": "other"}):
        answer = client.post(orders, json={**body, **wrong}, environ_base=one)
        assert problem(answer)["status"] == 400
    bad_day = {**body, "kind": "shorten", "until": "2026-02-31"}
    assert problem(client.post(orders, json=bad_day, environ_base=one))["status"] in {400, 422}
    assert client.get("/api/v1/retention/plan", environ_base=one).status_code == 200


def test_the_holder_of_a_good_certificate_asks_and_nothing_is_revoked_yet(
    client: FlaskClient, office: Office
) -> None:
    made = client.post("/api/v1/applications", json=an_application(office.parts)).json
    assert made is not None
    path = f"/api/v1/applications/{made['id']}"
    first, second = (
        as_officer(office, role) for role in (Role.REGISTRATION_OFFICER, Role.APPROVING_OFFICER)
    )
    shown = passport_of()
    body = {
        "mrz_lines": list(shown.mrz_lines),
        "features_seen": list(shown.features_seen),
        "presence": "in_person",
        "face_matches": True,
    }
    client.post(f"{path}/documents", json=body, environ_base=first)
    client.post(f"{path}/conclusion", environ_base=first)
    package = client.get(f"{path}/package", environ_base=second).data
    signature = {"signature": armoured(office.approving.sign(package))}
    done = client.post(f"{path}/approval", json=signature, environ_base=second).json
    assert done is not None
    (certificate,) = done["certificates"]
    pem = client.get(f"{path}/certificate", headers=bearer(made["secret"])).data
    assert x509.load_pem_x509_certificate(pem).serial_number == int(
        certificate["serial_number"], 16
    )
    asked = client.post(f"{path}/erasure", headers=bearer(made["secret"]))
    assert asked.status_code == 202
    classes = {one["class"] for one in asked.json["rulings"]}  # type: ignore[index]
    assert "certificate_body" in classes
    admin = as_officer(office, Role.SECURITY_ADMINISTRATOR)
    place = f"/api/v1/certificates/issuing/{certificate['serial_number']}/revocation"
    reason = {"reason": "cessationOfOperation"}
    assert client.post(place, json=reason, environ_base=admin).status_code == 200
    assert problem(client.post(place, json=reason, environ_base=admin))["status"] == 409
    assert client.post(f"{path}/erasure", headers=bearer(made["secret"])).status_code == 202


def test_a_link_works_once(client: FlaskClient) -> None:
    body = {"token": "x" * 43, "certificate_request": "no request"}
    assert problem(client.post("/api/v1/enrolments", json=body))["status"] == 400
    pem = x509.load_der_x509_csr(a_new_request_der()).public_bytes(Encoding.PEM).decode()
    body["certificate_request"] = pem
    found = problem(client.post("/api/v1/enrolments", json=body))
    assert (found["status"], found["detail"]) == (409, "This link is used, expired or unknown.")

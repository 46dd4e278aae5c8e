"""What the API answers when it cannot do what it is asked, and what its document says."""

import json
import re
from base64 import encodebytes
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from records.database import Database
from records.officers import Officers, Role
from server.assembly import Assembly
from server.clock import utc_now
from server.logs import get_logger, log_to
from server.metrics import Metrics, exposition, share_under
from server.staff import MAX_BODY, staff_app
from tests.support.ra_builders import NANCY, claimed, passport_of, request_der
from tests.support.staff import Office, applied, vetted

KEYS = {"type", "title", "status", "detail", "rule", "way_out", "reference", "errors"}
JSON = "application/json"


@pytest.fixture(scope="module")
def app(office: Office) -> Flask:
    return staff_app(office.parts, Metrics.of_process())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def as_officer(office: Office, role: Role) -> dict[str, str]:
    pem = office.staff[role].certificate.public_bytes(Encoding.PEM).decode()
    return {"SSL_CLIENT_CERT": pem, "SSL_CLIENT_VERIFY": "SUCCESS"}


def problem(answer: TestResponse) -> dict[str, Any]:
    """The problem document (RFC 9457) that the answer is."""
    assert answer.mimetype == "application/problem+json"
    document = answer.json
    assert document is not None
    assert set(document) <= KEYS
    assert document["status"] == answer.status_code
    assert re.fullmatch(r"/problems/[a-z-]+", document["type"])
    assert document["title"]
    assert document["detail"]
    assert all(set(one) == {"field", "detail", "way_out"} for one in document.get("errors", []))
    return document


def an_application(parts: Assembly, number: str = NANCY, **changes: object) -> dict[str, object]:
    """What an applicant sends."""
    now = utc_now()
    answers = {
        text.kind.value: {"sha256": text.sha256, "read": True, "accepted": True}
        for text in parts.policy.terms.versions
        if text in parts.policy.terms.in_force(text.kind, now)
    }
    pem = x509.load_der_x509_csr(request_der()).public_bytes(Encoding.PEM).decode()
    return {
        "profile": "natural-person-substantial",
        "attributes": claimed(number),
        "certificate_request": pem,
        **answers,
        **changes,
    }


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", JSON),
        (b"{", JSON),
        (b"null", JSON),
        (b"[]", JSON),
        (b"1", JSON),
        (b'"text"', JSON),
        (b'"{"', JSON),
        (b"\xff\xfe", JSON),
        (b"1" * 10_000, JSON),
        (b"[" * 100_000, JSON),
        (b'{"a":' * 20_000, JSON),
        (b'{"reason": NaN}', JSON),
        (b'{"reason": "superseded"}', "text/plain"),
        (b'{"reason": "superseded"}', "application/x-www-form-urlencoded"),
        (b"reason=superseded", "application/x-www-form-urlencoded"),
        (b'{"reason": "superseded"}', ""),
        (b'{"reason": "superseded", "more": 1}', JSON),
        (b'{"reason": "certificateHold"}', JSON),
        (b'{"reason": 4}', JSON),
        (b'{"reason": null}', JSON),
        (b"{}", JSON),
    ],
)
def test_a_body_that_is_not_of_its_form_is_malformed(
    client: FlaskClient, office: Office, body: bytes, kind: str
) -> None:
    answer = client.post(
        "/api/v1/certificates/issuing/01ab/revocation",
        data=body,
        content_type=kind,
        environ_base=as_officer(office, Role.SECURITY_ADMINISTRATOR),
    )
    found = problem(answer)
    assert (found["status"], found["type"]) == (400, "/problems/malformed")
    assert found["errors"]


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


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/api", "/api/v1", "/api/v1/", "/api/v2/terms", "/api/v1/terms/", "/api/v1/x/%00"],
)
def test_an_unknown_path_is_not_found(client: FlaskClient, path: str) -> None:
    assert problem(client.get(path))["status"] == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/terms", {"GET", "HEAD", "OPTIONS"}),
        ("PUT", "/api/v1/applications", {"GET", "POST", "HEAD", "OPTIONS"}),
        ("GET", "/api/v1/enrolments", {"POST", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    client: FlaskClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = client.open(path, method=method)
    assert problem(answer)["status"] == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_a_body_that_is_too_large_is_refused_unread(client: FlaskClient, office: Office) -> None:
    body = b'{"signature": "' + bytes(MAX_BODY) + b'"}'
    answer = client.post(
        "/api/v1/applications/A-ABCDEFGHIJ/approval",
        data=body,
        content_type=JSON,
        environ_base=as_officer(office, Role.APPROVING_OFFICER),
    )
    assert problem(answer)["status"] == 413


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/audit/events?limit=0",
        "/api/v1/audit/events?limit=1001",
        "/api/v1/audit/events?before=-1",
        "/api/v1/audit/events?limit=x",
        "/api/v1/audit/events?more=1",
        "/api/v1/certificates?status=good",
        "/api/v1/certificates?profile=%00",
        "/api/v1/certificates?application_id=%00",
        "/api/v1/certificates?x=y",
        "/api/v1/certificates/ISSUING/01ab",
        "/api/v1/certificates/issuing/xyz",
        "/api/v1/certificates/issuing/00",
        "/api/v1/certificates/issuing/" + "f" * 60,
    ],
)
def test_a_query_or_a_path_that_is_not_of_its_form_is_malformed(
    client: FlaskClient, office: Office, path: str
) -> None:
    answer = client.get(path, environ_base=as_officer(office, Role.AUDITOR))
    assert problem(answer)["status"] == 400


def test_an_application_is_in_one_of_the_states(client: FlaskClient, office: Office) -> None:
    who = as_officer(office, Role.APPROVING_OFFICER)
    assert problem(client.get("/api/v1/applications?state=lost", environ_base=who))["status"] == 400
    assert client.get("/api/v1/applications?state=rejected", environ_base=who).json == []


@pytest.mark.parametrize("before", [0, 1, 5, 10**30])
def test_the_log_is_paged_from_any_place(client: FlaskClient, office: Office, before: int) -> None:
    who = as_officer(office, Role.AUDITOR)
    events = client.get(f"/api/v1/audit/events?before={before}&limit=3", environ_base=who).json
    assert events is not None
    numbers = [event["n"] for event in events]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == min(before, 3)
    assert all(number < before for number in numbers)


def test_what_is_not_there_is_not_found(client: FlaskClient, office: Office) -> None:
    who = as_officer(office, Role.SECURITY_ADMINISTRATOR)
    for path in ("certificates/issuing/01ab", "erasures/E-0123456789abcdef"):
        assert problem(client.get(f"/api/v1/{path}", environ_base=who))["status"] == 404
    of = applied(office.parts).id
    who = as_officer(office, Role.REGISTRATION_OFFICER)
    answer = client.get(f"/api/v1/applications/{of}/certificate", environ_base=who)
    assert problem(answer)["status"] == 404


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


def armoured(cms: bytes) -> str:
    return f"-----BEGIN CMS-----\n{encodebytes(cms).decode()}-----END CMS-----\n"


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


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_an_erasure_is_asked_for_once_and_again(client: FlaskClient, office: Office) -> None:
    made = client.post("/api/v1/applications", json=an_application(office.parts)).json
    assert made is not None
    path = f"/api/v1/applications/{made['id']}/erasure"
    first = client.post(path, headers=bearer(made["secret"]))
    again = client.post(path, headers=bearer(made["secret"]))
    assert first.status_code == again.status_code == 202
    assert first.json is not None
    assert again.json == first.json
    who = as_officer(office, Role.SECURITY_ADMINISTRATOR)
    case = f"/api/v1/erasures/{first.json['id']}/approval"
    assert client.post(case, environ_base=who).json["state"] == "approved"  # type: ignore[index]
    assert problem(client.post(case, environ_base=who))["status"] == 409


def test_a_holder_of_a_good_certificate_is_not_erased(client: FlaskClient, office: Office) -> None:
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
    refused = problem(client.post(f"{path}/erasure", headers=bearer(made["secret"])))
    assert (refused["status"], refused["rule"]) == (422, "PKI01")
    admin = as_officer(office, Role.SECURITY_ADMINISTRATOR)
    place = f"/api/v1/certificates/issuing/{certificate['serial_number']}/revocation"
    reason = {"reason": "cessationOfOperation"}
    assert client.post(place, json=reason, environ_base=admin).status_code == 200
    assert problem(client.post(place, json=reason, environ_base=admin))["status"] == 409
    assert client.post(f"{path}/erasure", headers=bearer(made["secret"])).status_code == 202


def test_a_link_works_once(client: FlaskClient) -> None:
    body = {"token": "x" * 43, "certificate_request": "no request"}
    assert problem(client.post("/api/v1/enrolments", json=body))["status"] == 400
    pem = x509.load_der_x509_csr(request_der()).public_bytes(Encoding.PEM).decode()
    body["certificate_request"] = pem
    found = problem(client.post("/api/v1/enrolments", json=body))
    assert (found["status"], found["detail"]) == (409, "This link is used, expired or unknown.")


@pytest.fixture
def broken(office: Office) -> FlaskClient:
    """A listener whose officers cannot be looked up, for a reason nobody foresaw."""

    class _Officers:
        def by_certificate(self, _: object) -> None:
            raise RuntimeError("canary")

    parts = replace(office.parts, officers=_Officers())  # type: ignore[arg-type]
    return staff_app(parts, Metrics.of_process()).test_client()


def test_what_nobody_foresaw_shows_a_reference_and_nothing_else(
    broken: FlaskClient, office: Office
) -> None:
    state = office.parts.settings.state
    with log_to(state, "staff-test") as path:
        answer = broken.get("/api/v1/whoami", environ_base=as_officer(office, Role.AUDITOR))
        get_logger("staff").info("staff.after")
        assert "staff.after" in path.read_text()
    found = problem(answer)
    assert (found["status"], found["type"]) == (500, "/problems/unforeseen")
    assert "canary" not in answer.text
    assert "RuntimeError" not in answer.text
    last = json.loads((state / "logs" / "unforeseen.log").read_text().splitlines()[-1])
    assert last["reference"] == found["reference"]
    assert "canary" not in json.dumps(last)


def test_while_the_database_is_away_it_says_when_to_come_again(office: Office) -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    parts = replace(office.parts, officers=Officers(database, None))  # type: ignore[arg-type]
    client = staff_app(parts, Metrics.of_process()).test_client()
    answer = client.get("/api/v1/whoami", environ_base=as_officer(office, Role.AUDITOR))
    database.close()
    assert problem(answer)["status"] == 503
    assert answer.headers["Retry-After"] == "5"


def test_every_answer_is_kept_out_of_caches_and_from_being_sniffed(client: FlaskClient) -> None:
    for path in ("/api/v1/terms", "/nowhere", "/api/v1/whoami", "/api/openapi.json"):
        headers = client.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Strict-Transport-Security"]


def test_the_document_is_openapi_3_1_and_holds_together(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").json
    assert document is not None
    assert re.fullmatch(r"3\.1\.\d", document["openapi"])
    assert {"title", "version"} <= set(document["info"])
    operations = [
        (path, operation) for path, item in document["paths"].items() for operation in item.values()
    ]
    names = [operation["operationId"] for _, operation in operations]
    assert len(names) == len(set(names))
    for path, operation in operations:
        assert operation["summary"]
        given_in_path = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert given_in_path == set(re.findall(r"{(\w+)}", path))
        assert set(operation["responses"]) == {"2XX", "default"}
        assert set(operation["responses"]["default"]["content"]) == {"application/problem+json"}
    for reference in _references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


def _references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "$ref" in value:
            yield value["$ref"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def test_metrics_of_all_processes_are_shown(office: Office, client: FlaskClient) -> None:
    share_under(office.parts.settings.state / "metrics", fresh=True)
    metrics = Metrics.of_process()
    metrics.requests.labels("public", "/ocsp", "200").inc()
    metrics.audit_events.set(7)
    shown = client.get("/metrics")
    assert shown.mimetype == "text/plain"
    assert b'tillid_requests_total{listener="public",route="/ocsp",status="200"} 1.0' in shown.data
    assert b"tillid_audit_events 7.0" in exposition()


leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    leaf,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = ["profile", "attributes", "certificate_request", "terms", "mrz_lines", "presence"]
bodies = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), values, max_size=6)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=bodies,
    path=st.sampled_from(
        ["applications", "enrolments", "applications/A-ABCDEFGHIJ/documents", "erasures/E/approval"]
    ),
)
def test_no_body_is_a_fault_of_ours(
    client: FlaskClient, office: Office, body: dict[str, object], path: str
) -> None:
    answer = client.post(
        f"/api/v1/{path}", json=body, environ_base=as_officer(office, Role.REGISTRATION_OFFICER)
    )
    assert 400 <= problem(answer)["status"] < 500

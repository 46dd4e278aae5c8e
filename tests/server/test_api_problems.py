"""What the API answers when it cannot do what it is asked, and what its document says."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records.database import Database
from records.officers import Officers, Role
from server.logs import get_logger, log_to
from server.metrics import DIRECTORY, Metrics, exposition, share_under
from server.staff import MAX_BODY, staff_app
from tests.support.api import as_officer, problem
from tests.support.command_line import ROOT
from tests.support.staff import Office, applied


@pytest.fixture(scope="module")
def app(office: Office) -> Flask:
    return staff_app(office.parts, Metrics.of_process())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


JSON = "application/json"


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
    found = client.get("/api/v1/applications?state=rejected", environ_base=who).json
    assert found is not None
    assert {one["state"] for one in found} <= {"rejected"}


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


@pytest.fixture
def shared(office: Office, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the values of all processes are, for as long as one test runs."""
    folder = office.parts.settings.state / "metrics"
    monkeypatch.setenv(DIRECTORY, str(folder))
    monkeypatch.setattr(prometheus_client.values, "ValueClass", None)
    share_under(folder, fresh=True)
    return folder


@pytest.mark.usefixtures("shared")
def test_metrics_of_all_processes_are_shown(client: FlaskClient) -> None:
    metrics = Metrics.of_process()
    metrics.requests.labels("public", "/ocsp", "200").inc()
    metrics.audit_events.set(7)
    shown = client.get("/metrics")
    assert shown.mimetype == "text/plain"
    assert b'tillid_requests_total{listener="public",route="/ocsp",status="200"} 1.0' in shown.data
    assert b"tillid_audit_events 7.0" in exposition()


def test_a_worker_that_was_killed_signs_with_no_standby(shared: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from server.metrics import Metrics, share_under\n"
        "share_under(Path(sys.argv[1]))\n"
        "Metrics.of_process().standby_in_use.labels('issuing').set(1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, shared], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(shared.glob("gauge_livemax_*.db"))) == 1
    Metrics.of_process().standby_in_use.labels("issuing").set(0)
    assert b'tillid_token_standby_in_use{token="issuing"} 0.0' in exposition()


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


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
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

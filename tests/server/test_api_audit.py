"""Opening what the audit log says of persons: by whom, for what, and told in the log itself."""

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from records.audit_log import audit_log
from records.officers import Role
from server.metrics import Metrics
from server.staff import staff_app
from tests.support.api import an_application, as_officer, problem
from tests.support.staff import Office


@pytest.fixture(scope="module")
def app(office: Office) -> Flask:
    found = staff_app(office.parts, Metrics.of_process())
    found.testing = False
    return found


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def newest(office: Office) -> tuple[int, dict[str, object]]:
    """The number of the newest event, and what its header says."""
    with audit_log(office.parts.database) as log:
        (entry,) = log.page(log.size() - 1, log.size())
    return entry.sequence, json.loads(entry.header)


@pytest.fixture
def submitted(client: FlaskClient, office: Office) -> int:
    """The number of the event of a new application."""
    assert client.post("/api/v1/applications", json=an_application(office.parts)).status_code == 201
    sequence, event = newest(office)
    assert event["e"] == "application.submitted"
    return sequence


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.SECURITY_ADMINISTRATOR])
def test_whoever_may_opens_a_payload_and_the_log_says_so(
    client: FlaskClient, office: Office, submitted: int, role: Role
) -> None:
    answer = client.post(
        f"/api/v1/audit/events/{submitted}/openings",
        json={"purpose": "data-subject-request"},
        environ_base=as_officer(office, role),
    )
    assert answer.status_code == 201
    assert answer.json is not None
    (payload,) = answer.json["payloads"]
    assert set(payload["content"]) == {"given_name", "surname"}
    sequence, event = newest(office)
    assert (sequence, event["e"], event["o"]) == (
        submitted + 1,
        "audit.payload_opened",
        f"audit/{submitted}",
    )
    assert event["a"] == office.staff[role].officer.id
    assert event["d"] == {"payloads": 1, "purpose": "data-subject-request"}


@pytest.mark.usefixtures("submitted")
@pytest.mark.parametrize(
    ("role", "asked", "status"),
    [
        (Role.REGISTRATION_OFFICER, (None, {"purpose": "audit"}), 403),
        (Role.AUDITOR, (None, {"purpose": "curiosity"}), 400),
        (Role.AUDITOR, (None, {}), 400),
        (Role.AUDITOR, (None, {"purpose": "audit", "name": "Anne"}), 400),
        (Role.AUDITOR, (0, {"purpose": "audit"}), 404),
        (Role.AUDITOR, (10**9, {"purpose": "audit"}), 404),
        (Role.AUDITOR, (2**53, {"purpose": "audit"}), 400),
    ],
)
def test_what_is_refused_opens_nothing_and_tells_nothing(
    client: FlaskClient,
    office: Office,
    role: Role,
    asked: tuple[int | None, dict[str, str]],
    status: int,
) -> None:
    submitted, _ = newest(office)
    event, body = asked
    answer = client.post(
        f"/api/v1/audit/events/{submitted if event is None else event}/openings",
        json=body,
        environ_base=as_officer(office, role),
    )
    assert problem(answer)["status"] == status
    assert newest(office)[0] == submitted

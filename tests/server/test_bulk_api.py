"""Bulk revocation through the API: plans, who may begin them, and the job that carries them out."""

from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ca.identifiers import SerialNumber
from records.officers import Role
from revocation.errors import SelectionAltered
from server.jobs import run_job
from server.metrics import Metrics
from server.problem_rows import ROWS
from server.problems import problem_of
from server.staff import staff_app
from tests.support.api import as_officer, problem
from tests.support.staff import EnrolledOfficer, Office, an_officer

PATH = "/api/v1/revocations"


@dataclass
class Desk:
    """Two security administrators at the API, and cards of officers to revoke."""

    office: Office
    client: FlaskClient
    first: EnrolledOfficer
    second: EnrolledOfficer

    def cards(self, count: int) -> list[str]:
        made = [an_officer(self.office.parts, Role.AUDITOR).certificate for _ in range(count)]
        return [f"issuing/{SerialNumber(each.serial_number).hex}" for each in made]

    def ask(self, officer: EnrolledOfficer, path: str = PATH, body: object = None) -> TestResponse:
        pem = officer.certificate.public_bytes(Encoding.PEM).decode()
        environ = {"SSL_CLIENT_CERT": pem, "SSL_CLIENT_VERIFY": "SUCCESS"}
        method = "GET" if body is None else "POST"
        return self.client.open(path, method=method, json=body, environ_base=environ)

    def planned(self, cards: list[str]) -> dict[str, Any]:
        answer = self.ask(self.first, PATH, {"cause": "key-lost", "certificates": cards})
        assert answer.status_code == 201, answer.text
        assert answer.json is not None
        return dict(answer.json)

    def begin(self, officer: EnrolledOfficer, plan: dict[str, Any], sha256: str) -> TestResponse:
        return self.ask(officer, f"{PATH}/{plan['id']}/beginning", {"sha256": sha256})


@pytest.fixture(scope="module")
def client(office: Office) -> FlaskClient:
    return staff_app(office.parts, Metrics.of_process()).test_client()


@pytest.fixture
def desk(office: Office, client: FlaskClient) -> Desk:
    officers = [an_officer(office.parts, Role.SECURITY_ADMINISTRATOR) for _ in range(2)]
    return Desk(office, client, *officers)


def test_a_large_plan_waits_for_a_second_officer_and_is_then_carried_out(desk: Desk) -> None:
    parts = desk.office.parts
    limit = parts.settings.revocation.alone_per_hour
    cards = desk.cards(limit + 1)
    plan = desk.planned(cards)
    assert (plan["state"], plan["certificates"], plan["done"]) == ("waiting", limit + 1, 0)
    assert plan["counts"] == [{"issuer": "issuing", "profile": "staff", "certificates": limit + 1}]

    own = desk.begin(desk.first, plan, plan["sha256"])
    assert own.status_code == 422
    assert problem(own)["rule"] == "NSIS ISS-REV-L2b BULK_REVOCATION_NEEDS_SECOND_OFFICER"
    other = desk.begin(desk.second, plan, "0" * 64)
    assert other.status_code == 422
    assert plan["sha256"] in problem(other)["detail"]
    assert desk.begin(desk.second, plan, plan["sha256"]).status_code == 200
    assert desk.begin(desk.second, plan, plan["sha256"]).status_code == 409

    assert run_job("carry-on-revocations", parts, Metrics.of_process()) == 1
    done = desk.ask(desk.second, f"{PATH}/{plan['id']}").json
    assert done is not None
    assert (done["state"], done["revoked"]) == ("done", limit + 1)
    for card in cards:
        issuer, _, serial = card.partition("/")
        assert parts.certificates.record(issuer, SerialNumber.from_hex(serial)).status == "revoked"  # type: ignore[arg-type]
    assert run_job("carry-on-revocations", parts, Metrics.of_process()) == 0
    assert (
        run_job("forget-plans", parts, Metrics.of_process()) >= limit + 1
    )  # and those of tests before
    listed = desk.ask(desk.first).json
    assert listed is not None
    assert listed[0]["id"] == plan["id"]


def test_a_list_of_many_thousand_lines_is_read(desk: Desk) -> None:
    (card,) = desk.cards(1)
    assert desk.planned([card, *["# nothing"] * 100_000])["certificates"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"cause": "key-lost"},
        {"cause": "key-lost", "issuer": None, "invalid_since": None},
        {"cause": "orphan", "profile": "staff"},
        {"cause": "key-lost", "certificates": "issuing/01"},
        {"cause": "key-lost", "certificates": [1]},
        {"cause": "key-lost", "certificates": ["junk"]},
        {"cause": "key-lost", "certificates": ["issuing/01abcdef0123456789abcdef"]},
        {"cause": "key-lost", "issuer": "../etc"},
        {"cause": "key-lost", "spki_sha256": "ab"},
        {"cause": "key-lost", "issued_from": "2026-13-01T00:00:00Z"},
        {"cause": "key-lost", "profile": "staff", "more": 1},
    ],
    ids=str,
)
def test_a_plan_of_another_form_is_refused(desk: Desk, body: dict[str, object]) -> None:
    before = desk.ask(desk.first).json
    answer = desk.ask(desk.first, PATH, body)
    assert answer.status_code == 400
    assert problem(answer)["way_out"]
    assert desk.ask(desk.first).json == before


def test_faulty_lines_are_told_by_their_numbers(desk: Desk) -> None:
    lines = ["# one", *desk.cards(1), "junk", "issuing/01zz"]
    answer = desk.ask(desk.first, PATH, {"cause": "key-lost", "certificates": lines})
    assert [each["field"] for each in problem(answer)["errors"]] == ["line 3", "line 4"]


@pytest.mark.parametrize(
    "body", [{"cause": "key-lost", "profile": "smime"}, {"cause": "key-lost", "issuer": "root"}]
)
def test_what_selects_nothing_is_refused(desk: Desk, body: dict[str, object]) -> None:
    """The root signed issuers only, and those are not revoked in bulk."""
    answer = desk.ask(desk.first, PATH, body)
    assert answer.status_code == 422
    assert "no certificate that can be revoked" in problem(answer)["detail"]


def test_an_eleventh_plan_waits_until_one_is_begun(desk: Desk) -> None:
    cards = desk.cards(1)
    for _ in range(10):
        desk.planned(cards)
    answer = desk.ask(desk.first, PATH, {"cause": "key-lost", "certificates": cards})
    assert answer.status_code == 422
    assert "at most 10 plans" in problem(answer)["detail"]
    assert "after 7 days" in problem(answer)["way_out"]


def test_the_rows_of_an_altered_plan_are_told_as_a_conflict() -> None:
    told = problem_of(SelectionAltered("bulk-01"), ROWS)
    assert told is not None
    assert (told.status, told.type) == (409, "selection-altered")
    assert "bulk-01" in told.detail


def test_nobody_but_a_security_administrator_sends_a_long_body(desk: Desk) -> None:
    long = {"cause": "key-lost", "certificates": ["#" * 1000] * 1000}
    assert desk.client.post(PATH, json=long).status_code == 401
    other = as_officer(desk.office, Role.AUDITOR)
    assert desk.client.post(PATH, json=long, environ_base=other).status_code == 403
    elsewhere = f"{PATH}/bulk-0123456789abcdef/beginning"
    assert desk.ask(desk.first, elsewhere, {"sha256": "0" * 200_000}).status_code == 413

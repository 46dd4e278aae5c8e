"""Mandates through the API: every row of NSIS table 5.2 at every level, and the personas."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from ra.errors import Conflict, Refused
from ra.legal_persons import Drawn
from ra.levels import AssuranceLevel
from records.officers import Role
from server import mandates
from server.clock import utc_now
from server.mandates import approve_mandate, conclude_mandate
from server.metrics import Metrics
from server.staff import staff_app
from tests.support.organisations import (
    ASTA,
    DOCUMENTS,
    HIGH,
    KIRSTEN,
    LOW,
    MANDATES,
    NANCY,
    SOEREN,
    SUBSTANTIAL,
    Registry,
    codes,
    declaration,
    paper,
    power,
)
from tests.support.staff import Office

ONE, TWO, BANKRUPT, CEASED = "99000007", "99000015", "99000023", "99000031"
ASSOCIATION, FOUNDATION, TRADER, SILENT = "99000058", "99000066", "99000074", "99000082"
CHAIRED = "99000090"
_MISMATCH = "CPR_CVR_ROLE_MISMATCH"
_LEVEL = "REGISTRANT_LEVEL_TOO_LOW"


@pytest.fixture(scope="module")
def registry(office: Office) -> Registry:
    app = staff_app(office.parts, Metrics.of_process())
    app.testing = False
    return Registry(office, app)


@pytest.fixture(autouse=True)
def _not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        mandates, "draw_callback", lambda percent, _: Drawn(percent, selected=False)
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mandates, "draw_callback", lambda percent, _: Drawn(percent, selected=True))


Made = Callable[[Registry, AssuranceLevel], Any]


def by_role(number: str, held: AssuranceLevel, cvr: str = ONE) -> Made:
    """Somebody of this level, whom the register names."""
    return lambda of, level: of.ask(of.citizen(number, held), cvr, level, by_role=True)


def declared(held: AssuranceLevel, cvr: str = ONE) -> Made:
    return lambda of, level: of.ask(of.citizen(SOEREN, held), cvr, level, **declaration())


def by_name(held: AssuranceLevel) -> Made:
    """The register names the person, but under no number that we know."""

    def make(of: Registry, level: AssuranceLevel) -> Any:
        asked = of.ask(of.citizen(SOEREN, held), ONE, level, by_role=True)
        return of.clerk(f"{MANDATES}/{asked['id']}/extract", {"reference": "X 1"}, 201)

    return make


def by_documents(held: AssuranceLevel, cvr: str = ASSOCIATION, **changes: object) -> Made:
    def make(of: Registry, level: AssuranceLevel) -> Any:
        asked = of.ask(of.citizen(ASTA, held), cvr, level)
        body = {**DOCUMENTS, **changes}
        return of.clerk(f"{MANDATES}/{asked['id']}/documents", body, 201)

    return make


def by_power(body: dict[str, object]) -> Made:
    def make(of: Registry, level: AssuranceLevel) -> Any:
        asked = of.ask(of.citizen(SOEREN, HIGH), ONE, level)
        return of.clerk(f"{MANDATES}/{asked['id']}/power-of-attorney", body, 201)

    return make


@dataclass(frozen=True)
class Row:
    """One row: how the mandate comes to be, and the codes at Low, Substantial and High."""

    number: int
    make: Made
    low: set[str]
    substantial: set[str]
    high: set[str]

    def expected(self, level: AssuranceLevel) -> set[str]:
        return {LOW: self.low, SUBSTANTIAL: self.substantial, HIGH: self.high}[level]


_UNVERIFIED = {_LEVEL, "AUTHORISATION_NOT_VERIFIED"}
_ALIKE = {
    16: ("POA_HOLDER_MISMATCH", by_power(power(holder=ASTA))),
    17: ("POA_OUT_OF_SCOPE", by_power(power(scope=["revoke"]))),
    18: ("POA_GRANTOR_NOT_ENTITLED", by_power(power(grantors=[KIRSTEN]))),
    20: ("LEGAL_PERSON_CEASED", by_role(NANCY, HIGH, CEASED)),
    21: ("POA_EXPIRED", by_power(power(valid_until="2026-01-02"))),
}
ROWS = [
    Row(1, declared(LOW), set(), _UNVERIFIED, _UNVERIFIED),
    Row(3, declared(SUBSTANTIAL), set(), {"AUTHORISATION_NOT_VERIFIED"}, _UNVERIFIED),
    Row(4, by_role(NANCY, LOW), set(), {_LEVEL}, {_LEVEL, _MISMATCH}),
    Row(5, by_role(NANCY, SUBSTANTIAL), set(), set(), {_LEVEL, _MISMATCH}),
    Row(
        6,
        by_role(NANCY, SUBSTANTIAL, TWO),
        {"SIGNING_RULE_NOT_SATISFIED"},
        {"SIGNING_RULE_NOT_SATISFIED"},
        {_LEVEL, "SIGNING_RULE_NOT_SATISFIED", _MISMATCH},
    ),
    Row(7, by_name(HIGH), set(), set(), {_MISMATCH}),
    Row(8, by_role(NANCY, HIGH), set(), set(), set()),
    Row(9, by_documents(SUBSTANTIAL), set(), set(), {_LEVEL, "NO_ROUTE_AT_THIS_LEVEL"}),
    Row(10, by_documents(HIGH, FOUNDATION), set(), set(), {"NO_ROUTE_AT_THIS_LEVEL"}),
    Row(11, by_power(power()), set(), set(), set()),
    Row(12, by_power(paper()), set(), set(), set()),
    Row(13, by_power(power(form="paper", specimen="match")), set(), set(), {"POA_WITNESS_MISSING"}),
    Row(22, by_power(power(signature_verified=False)), set(), set(), {"POA_SIGNATURE_INVALID"}),
    Row(
        23,
        by_documents(HIGH, quorum=False),
        {"AUTHORISATION_DOCUMENT_INSUFFICIENT"},
        {"AUTHORISATION_DOCUMENT_INSUFFICIENT"},
        {"AUTHORISATION_DOCUMENT_INSUFFICIENT", "NO_ROUTE_AT_THIS_LEVEL"},
    ),
    Row(
        24,
        by_role(SOEREN, HIGH),
        {"ROLE_NOT_FOUND_IN_CVR"},
        {"ROLE_NOT_FOUND_IN_CVR"},
        {"ROLE_NOT_FOUND_IN_CVR", _MISMATCH},
    ),
    Row(25, by_role(SOEREN, HIGH, TRADER), set(), set(), set()),
    *(Row(number, make, {code}, {code}, {code}) for number, (code, make) in _ALIKE.items()),
]


@pytest.mark.parametrize("level", AssuranceLevel, ids=lambda level: level.label)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"row-{row.number}")
def test_a_row_of_the_table_of_legal_persons_holds_by_api(
    registry: Registry, row: Row, level: AssuranceLevel
) -> None:
    path = f"{MANDATES}/{row.make(registry, level)['id']}"
    expected = row.expected(level)

    found = registry.clerk(f"{path}/conclusion", {}, 422 if expected else 200)

    if not expected:
        assert found["state"] == "verified"
        return
    if row.number != 20:
        assert codes(found) == expected
    assert expected <= codes(found)
    refused = registry.clerk(f"{path}/refusal", {})
    assert refused["state"] == "refused"
    assert expected <= {each["code"] for each in refused["findings"]}
    registry.clerk(f"{path}/conclusion", {}, 409)


@pytest.mark.parametrize("level", AssuranceLevel, ids=lambda level: level.label)
def test_nobody_registers_without_being_authenticated(
    registry: Registry, level: AssuranceLevel
) -> None:
    body = {"cvr": ONE, "level": level.label, **declaration()}
    found = registry.call(None, MANDATES, body, 422)
    more = set() if level is LOW else {"AUTHORISATION_NOT_VERIFIED"}
    assert codes(found) == {"REGISTRANT_NOT_AUTHENTICATED"} | more
    # An officer's certificate is no personal credential.
    found = registry.call(Role.REGISTRATION_OFFICER, MANDATES, body, 422)
    assert "REGISTRANT_NOT_AUTHENTICATED" in codes(found)


def test_without_a_declaration_there_is_none_at_low(registry: Registry) -> None:
    asked = registry.ask(registry.citizen(SOEREN), ONE, LOW)
    found = registry.clerk(f"{MANDATES}/{asked['id']}/conclusion", {}, 422)
    assert codes(found) == {"AUTHORISATION_DECLARATION_MISSING"}
    body = {"cvr": ONE, "level": "Low", **declaration()}
    body["declaration"] = {"sha256": "f" * 64, "declared": True}
    found = registry.call(registry.citizen(SOEREN), MANDATES, body, 422)
    assert codes(found) == {"AUTHORISATION_DECLARATION_MISSING"}


def test_two_directors_sign_jointly_each_by_an_act_of_their_own(registry: Registry) -> None:
    nancy, kirsten = registry.citizen(NANCY), registry.citizen(KIRSTEN)
    asked = registry.ask(nancy, TWO, SUBSTANTIAL, by_role=True)
    path = f"{MANDATES}/{asked['id']}"
    body = {"asked_sha256": asked["asked_sha256"]}
    registry.call(None, f"{path}/signatures", body, 401)
    registry.call(nancy, f"{path}/signatures", body, 409)
    registry.call(kirsten, f"{path}/signatures", {"asked_sha256": "f" * 64}, 400)
    low = registry.citizen(KIRSTEN, LOW)
    assert codes(registry.call(low, f"{path}/signatures", body, 422)) == {_LEVEL}

    signed = registry.call(kirsten, f"{path}/signatures", body, 201)

    assert signed["signatures"] == 1
    registry.call(kirsten, f"{path}/signatures", body, 409)
    assert registry.clerk(f"{path}/conclusion", {})["route"] == "cvr_role"
    assert registry.approve(asked["id"])["state"] == "granted"
    shown = registry.clerk(f"/api/v1/organisations/{TWO}")
    assert (shown["state"], shown["level"]) == ("registered", "Substantial")


def test_a_chair_needs_one_more_and_a_stranger_is_none(registry: Registry) -> None:
    asked = registry.ask(registry.citizen(ASTA), CHAIRED, SUBSTANTIAL, by_role=True)
    path = f"{MANDATES}/{asked['id']}"
    body = {"asked_sha256": asked["asked_sha256"]}
    registry.call(registry.citizen(SOEREN), f"{path}/signatures", body, 201)
    found = registry.clerk(f"{path}/conclusion", {}, 422)
    assert codes(found) == {"SIGNING_RULE_NOT_SATISFIED"}
    registry.call(registry.citizen(NANCY), f"{path}/signatures", body, 201)
    assert registry.clerk(f"{path}/conclusion", {})["state"] == "verified"


def test_a_silent_register_refers_and_is_no_pass(registry: Registry) -> None:
    for level in AssuranceLevel:
        asked = registry.ask(
            registry.citizen(NANCY, HIGH), SILENT, level, by_role=True, **declaration()
        )
        path = f"{MANDATES}/{asked['id']}"
        shown = registry.clerk(f"{path}/conclusion", {})
        assert shown["state"] == "referred"
        assert [each["code"] for each in shown["findings"]] == [
            "LEGAL_PERSON_EVIDENCE_INSUFFICIENT"
        ]
        registry.clerk(f"{path}/package", status=409)


def test_a_number_that_the_register_does_not_know_is_refused(registry: Registry) -> None:
    nancy = registry.citizen(NANCY)
    body = {"cvr": "99000104", "level": "Low"}
    assert codes(registry.call(nancy, MANDATES, body, 422)) == {"LEGAL_PERSON_NOT_FOUND"}
    for wrong in ("12345678", "9900000", "99000040", "DK 9900000x"):
        found = registry.call(nancy, MANDATES, {"cvr": wrong, "level": "Low"}, 400)
        assert wrong not in str(found["detail"])
    registry.call(nancy, MANDATES, {"cvr": ONE, "level": "Low", "unknown": 1}, 400)
    registry.call(nancy, MANDATES, {"cvr": ONE, "level": "Low", "act": "administer"}, 400)


def test_a_company_that_goes_bankrupt_on_day_20_is_refused_at_the_approval(
    registry: Registry,
) -> None:
    asked = registry.ask(registry.citizen(NANCY), BANKRUPT, SUBSTANTIAL, by_role=True)
    clerk = registry.office.staff[Role.REGISTRATION_OFFICER]
    late = utc_now() + timedelta(days=21)
    with pytest.raises(Refused, match="LEGAL_PERSON_IN_BANKRUPTCY"):
        conclude_mandate(registry.parts, asked["id"], clerk.officer, late)
    registry.clerk(f"{MANDATES}/{asked['id']}/conclusion", {})
    package = registry.clerk(f"{MANDATES}/{asked['id']}/package")
    approver = registry.office.staff[Role.APPROVING_OFFICER]
    with pytest.raises(Refused, match="LEGAL_PERSON_IN_BANKRUPTCY"):
        approve_mandate(registry.parts, asked["id"], approver.sign(package), approver.officer, late)


def test_a_drawn_call_back_blocks_high_until_the_company_confirms(
    registry: Registry, drawn: None
) -> None:
    del drawn
    made = {level: by_power(paper())(registry, level) for level in AssuranceLevel}
    for level, asked in made.items():
        shown = registry.clerk(f"{MANDATES}/{asked['id']}/conclusion", {})
        assert shown["state"] == ("referred" if level is HIGH else "verified")
        assert shown["call_back"] == "pending"
    path = f"{MANDATES}/{made[HIGH]['id']}"
    registry.clerk(f"{path}/package", status=409)
    # The number is the register's; the form holds none.
    assert registry.clerk(f"{path}/call-back") == {"telephone": "+4500000007"}
    called = registry.clerk(f"{path}/call-back", {"outcome": "confirmed"})
    assert called["call_back"] == "confirmed"
    registry.clerk(f"{path}/call-back", {"outcome": "denied"}, 409)
    assert registry.clerk(f"{path}/conclusion", {})["state"] == "verified"
    assert registry.approve(made[HIGH]["id"])["state"] == "granted"


@pytest.mark.parametrize("level", AssuranceLevel, ids=lambda level: level.label)
def test_a_denied_call_back_refuses_at_every_level_and_opens_an_incident(
    registry: Registry, drawn: None, level: AssuranceLevel
) -> None:
    del drawn
    asked = by_power(paper())(registry, level)
    path = f"{MANDATES}/{asked['id']}"
    before = len(registry.clerk("/api/v1/incidents"))

    denied = registry.clerk(f"{path}/call-back", {"outcome": "denied"})

    assert denied["state"] == "refused"
    assert [each["code"] for each in denied["findings"]] == ["CALLBACK_DENIED"]
    incidents = registry.clerk("/api/v1/incidents")
    assert len(incidents) == before + 1
    assert (incidents[0]["kind"], incidents[0]["about"]) == ("call_back_denied", asked["id"])


def test_what_was_drawn_is_not_drawn_again(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mandates, "draw_callback", lambda percent, _: Drawn(percent, selected=True))
    asked = by_power(paper())(registry, HIGH)
    monkeypatch.setattr(
        mandates, "draw_callback", lambda percent, _: Drawn(percent, selected=False)
    )
    again = registry.clerk(f"{MANDATES}/{asked['id']}/power-of-attorney", paper(), 201)
    assert again["call_back"] == "pending"


def test_a_signature_unlike_its_specimens_refuses_and_opens_an_incident(
    registry: Registry,
) -> None:
    asked = registry.ask(registry.citizen(SOEREN, HIGH), ONE, LOW)
    body = {**paper(), "specimen": "mismatch"}
    path = f"{MANDATES}/{asked['id']}/power-of-attorney"
    assert registry.clerk(path, body, 201)["state"] == "refused"
    assert registry.clerk("/api/v1/incidents")[0]["kind"] == "specimen_mismatch"


def test_whoever_checked_a_mandate_does_not_approve_it(registry: Registry) -> None:
    asked = registry.ask(registry.citizen(NANCY), ONE, SUBSTANTIAL, by_role=True)
    path = f"{MANDATES}/{asked['id']}"
    registry.clerk(f"{path}/conclusion", {})
    package = registry.clerk(f"{path}/package")
    clerk = registry.office.staff[Role.REGISTRATION_OFFICER]
    with pytest.raises(Refused, match="SEPARATION_OF_DUTIES"):
        approve_mandate(registry.parts, asked["id"], clerk.sign(package), clerk.officer, utc_now())
    approver = registry.office.staff[Role.APPROVING_OFFICER]
    with pytest.raises(Refused, match="ISSUANCE_NOT_LINKED"):
        approve_mandate(
            registry.parts, asked["id"], approver.sign(package + b" "), approver.officer, utc_now()
        )
    assert registry.approve(asked["id"])["state"] == "granted"
    with pytest.raises(Conflict):
        conclude_mandate(registry.parts, asked["id"], clerk.officer, utc_now())


def test_only_the_registrant_withdraws(registry: Registry) -> None:
    nancy = registry.citizen(NANCY)
    asked = registry.ask(nancy, ONE, LOW, **declaration())
    path = f"{MANDATES}/{asked['id']}/withdrawal"
    registry.call(registry.citizen(SOEREN), path, {}, 403)
    assert registry.call(nancy, path, {})["state"] == "withdrawn"
    registry.call(nancy, path, {}, 409)


def test_no_number_of_a_person_stands_in_the_answers(registry: Registry) -> None:
    by_power(power())(registry, HIGH)
    shown = str(registry.clerk(MANDATES)) + str(registry.clerk("/api/v1/incidents"))
    for number in (NANCY, KIRSTEN, SOEREN, ASTA):
        assert number not in shown

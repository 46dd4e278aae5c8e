"""Associations through the API: table 5.5 row by row, administrators of their own, and the end."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from ra.case import CodeChannel
from ra.errors import Refused
from ra.fake_services import FakeNotifier
from ra.levels import AssuranceLevel
from records.officers import Role
from revocation.reasons import Reason
from server.clock import utc_now
from server.holder_notices import tell_holders
from server.metrics import Metrics
from server.organisation_applications import require_standing
from server.staff import staff_app
from tests.support.organisations import (
    ASSOCIATIONS,
    ASTA,
    HIGH,
    KIRSTEN,
    LOW,
    MANDATES,
    NANCY,
    SOEREN,
    SUBSTANTIAL,
    Citizen,
    Registry,
    codes,
    declaration,
)
from tests.support.staff import Office

ONE, BANKRUPT, FOUNDATION = "99000007", "99000023", "99000066"
TRADER, CHAIRED = "99000074", "99000090"


@dataclass
class Firm:
    """An organisation of its own, so that no test meets another's registration."""

    registry: Registry
    cvr: str
    level: AssuranceLevel
    director: Citizen

    def administrator(self, who: Citizen, level: AssuranceLevel | None = None) -> Citizen:
        """Appointed by the management, and proven like a mandate."""
        at = level or self.level
        self.registry.granted(
            self.director, self.cvr, at, act="administer", administrator=who.application.id
        )
        return who

    def propose(
        self, by: Citizen, person: Citizen, level: AssuranceLevel, basis: str, status: int = 201
    ) -> Any:
        body = {
            "cvr": self.cvr,
            "application_id": person.application.id,
            "level": level.label,
            "basis": basis,
        }
        return self.registry.call(by, ASSOCIATIONS, body, status)

    def do(self, who: Citizen, of: Any, word: str, status: int = 200) -> Any:
        return self.registry.call(who, f"{ASSOCIATIONS}/{of['id']}/{word}", {}, status)

    def active(self, by: Citizen, person: Citizen, level: AssuranceLevel, basis: str) -> Any:
        of = self.propose(by, person, level, basis)
        self.do(person, of, "consent")
        return self.do(by, of, "activation")


@pytest.fixture(scope="module")
def registry(office: Office) -> Registry:
    app = staff_app(office.parts, Metrics.of_process())
    app.testing = False
    return Registry(office, app)


@pytest.fixture(scope="module")
def low(registry: Registry) -> Firm:
    """A foundation at Low by the declaration of its director."""
    director = registry.citizen(NANCY, LOW)
    registry.granted(director, FOUNDATION, LOW, **declaration())
    return Firm(registry, FOUNDATION, LOW, director)


@pytest.fixture(scope="module")
def substantial(registry: Registry) -> Firm:
    director = registry.citizen(SOEREN, SUBSTANTIAL)
    registry.granted(director, TRADER, SUBSTANTIAL)
    return Firm(registry, TRADER, SUBSTANTIAL, director)


@pytest.fixture(scope="module")
def high(registry: Registry) -> Firm:
    director = registry.citizen(NANCY, HIGH)
    registry.granted(director, ONE, HIGH)
    return Firm(registry, ONE, HIGH, director)


_PERSON, _COMPANY = "ASSOCIATED_PERSON_LEVEL_TOO_LOW", "ASSOCIATED_ORGANISATION_LEVEL_TOO_LOW"
_CONTROL, _ADMIN = "ASSOCIATION_NOT_UNDER_ORGANISATION_CONTROL", "ASSOCIATION_ADMIN_NOT_AUTHORISED"
_BOTH = {_PERSON, _COMPANY}


@dataclass(frozen=True)
class Row:
    """One row: firm, who proposes, who is associated, the basis, and the codes a level."""

    number: int
    firm: str
    by: Callable[[Firm], Citizen]
    person: tuple[str, AssuranceLevel]
    basis: str
    expected: tuple[set[str], set[str], set[str]]


def _director(firm: Firm) -> Citizen:
    return firm.director


def _appointed(firm: Firm) -> Citizen:
    return firm.administrator(firm.registry.new_citizen(KIRSTEN, firm.level))


_FEED, _ROLE = "FEED_NOT_AUTHENTICATED", "ROLE_NOT_FOUND_IN_CVR"
_NONE: set[str] = set()
_FIRST = {*_BOTH, _CONTROL}
_RELATION = "cvr_relation"
ROWS = [
    Row(1, "low", _director, (ASTA, LOW), "declaration", (_NONE, _FIRST, _FIRST)),
    Row(
        2,
        "substantial",
        _appointed,
        (ASTA, SUBSTANTIAL),
        "administrator",
        (_NONE, _NONE, {*_BOTH, _ADMIN}),
    ),
    Row(
        3,
        "substantial",
        _director,
        (ASTA, SUBSTANTIAL),
        "administrator",
        (_NONE, {_ADMIN}, {*_BOTH, _ADMIN}),
    ),
    Row(
        4,
        "substantial",
        _director,
        (ASTA, SUBSTANTIAL),
        "authoritative_system",
        (_NONE, {_FEED}, {*_BOTH, _FEED}),
    ),
    Row(5, "high", _director, (NANCY, HIGH), _RELATION, (_NONE, _NONE, _NONE)),
    Row(6, "substantial", _director, (SOEREN, HIGH), _RELATION, (_NONE, _NONE, {_COMPANY})),
    Row(7, "high", _appointed, (ASTA, LOW), "administrator", (_NONE, {_PERSON}, {_PERSON})),
    Row(10, "high", _director, (ASTA, HIGH), _RELATION, (_NONE, {_ROLE}, {_ROLE})),
]


@pytest.mark.parametrize("level", AssuranceLevel, ids=lambda level: level.label)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"row-{row.number}")
def test_a_row_of_the_table_of_associations_holds_by_api(
    request: pytest.FixtureRequest, registry: Registry, row: Row, level: AssuranceLevel
) -> None:
    firm = request.getfixturevalue(row.firm)
    by, person = row.by(firm), registry.new_citizen(*row.person)
    of = firm.propose(by, person, level, row.basis)
    firm.do(person, of, "consent")
    expected = row.expected[level - 1]

    found = firm.do(by, of, "activation", 422 if expected else 200)

    if expected:
        assert codes(found) == expected
    else:
        assert found["state"] == "active"
        parts = [AssuranceLevel.from_label(each) for each in found["parts"].values()]
        assert found["level"] == min(parts).label


def test_a_person_who_is_barred_is_told_nothing_of_it(registry: Registry) -> None:
    chair, nancy = registry.citizen(ASTA), registry.citizen(NANCY)
    asked = registry.ask(chair, CHAIRED, SUBSTANTIAL, by_role=True)
    body = {"asked_sha256": asked["asked_sha256"]}
    registry.call(nancy, f"{MANDATES}/{asked['id']}/signatures", body, 201)
    registry.clerk(f"{MANDATES}/{asked['id']}/conclusion", {})
    registry.approve(asked["id"])
    firm = Firm(registry, CHAIRED, SUBSTANTIAL, chair)
    barred = registry.citizen(SOEREN)
    of = firm.propose(chair, barred, LOW, "declaration")
    firm.do(barred, of, "consent")
    found = firm.do(chair, of, "activation", 422)
    assert codes(found) == {"REPRESENTATIVE_BARRED"}
    assert "barred" not in found["detail"]


def test_a_party_without_a_number_of_its_own_is_none_at_high(high: Firm) -> None:
    """Numbers are asked for from Substantial, so the person's application has lost its own."""
    registry = high.registry
    person = registry.new_citizen(NANCY, LOW, without_number=True)
    of = high.propose(high.director, person, HIGH, "cvr_relation")
    high.do(person, of, "consent")
    found = high.do(high.director, of, "activation", 422)
    assert "ASSOCIATION_IDENTIFIERS_NOT_UNIQUE" in codes(found)


def test_without_the_person_there_is_no_association(substantial: Firm) -> None:
    person = substantial.registry.citizen(ASTA)
    of = substantial.propose(substantial.director, person, SUBSTANTIAL, "cvr_relation")
    found = substantial.do(substantial.director, of, "activation", 422)
    assert "ASSOCIATION_CONSENT_MISSING" in codes(found)
    substantial.do(substantial.director, of, "consent", 403)
    substantial.do(person, of, "consent")
    substantial.do(person, of, "consent", 409)


def test_an_administrator_maintains_the_people_of_their_own_organisation_only(
    substantial: Firm, high: Firm
) -> None:
    registry = substantial.registry
    administrator = substantial.administrator(registry.new_citizen(KIRSTEN))
    person = registry.citizen(ASTA)
    found = high.propose(administrator, person, LOW, "administrator", 422)
    assert codes(found) == {_ADMIN}
    foreign = high.active(high.director, person, LOW, "declaration")
    for word in ("endorsement", "activation", "suspension", "resumption", "end"):
        assert codes(high.do(administrator, foreign, word, 422)) == {_ADMIN}
    nobody = registry.new_citizen(ASTA)
    assert codes(high.propose(nobody, person, LOW, "administrator", 422)) == {_ADMIN}


def test_at_high_nobody_adds_themselves_without_a_second_administrator(high: Firm) -> None:
    first = high.administrator(high.registry.new_citizen(KIRSTEN, HIGH))
    second = high.administrator(high.registry.new_citizen(ASTA, HIGH))
    of = high.propose(first, first, HIGH, "administrator")
    high.do(first, of, "consent")
    assert codes(high.do(first, of, "activation", 422)) == {_ADMIN}
    high.do(first, of, "endorsement", 409)
    high.do(second, of, "endorsement")
    assert high.do(first, of, "activation")["level"] == "High"


def test_an_employee_gets_a_certificate_and_loses_it_with_the_association(
    substantial: Firm,
) -> None:
    registry, parts = substantial.registry, substantial.registry.parts
    person = registry.new_citizen(ASTA)
    administrator = substantial.administrator(registry.new_citizen(KIRSTEN))
    of = substantial.active(administrator, person, SUBSTANTIAL, "administrator")
    path = f"{ASSOCIATIONS}/{of['id']}/applications"
    registry.named(administrator, path, 403)
    asked = registry.named(person, path)

    certificate = registry.issued(asked["id"])

    subject = certificate.subject.rfc4514_string()
    assert "2.5.4.97=NTRDK-99000074" in subject
    assert person.application.applicant.serial_number not in subject
    (employee,) = parts.certificates.find(application_id=asked["id"])
    # Either side: here the person suspends, and only the person takes it up again.
    assert substantial.do(person, of, "suspension")["suspended_by"] == "person"
    substantial.do(administrator, of, "resumption", 409)
    assert substantial.do(person, of, "resumption")["state"] == "active"
    ended = substantial.do(administrator, of, "end")
    assert ended["state"] == "ended"
    (employee,) = parts.certificates.find(application_id=asked["id"])
    assert (employee.status, employee.reason) == ("revoked", Reason.AFFILIATION_CHANGED)
    (personal,) = parts.certificates.find(application_id=person.application.id)
    assert personal.status == "issued"
    substantial.do(person, of, "resumption", 409)
    assert "ASSOCIATION_NOT_UNDER" in str(codes(registry.named(person, path, 422)))
    _both_sides_are_told(registry, asked["id"])


def _both_sides_are_told(registry: Registry, application_id: str) -> None:
    """The holder, and by letter the organisation; its number is where the register knows it."""
    assert registry.parts.delivery_ports is not None
    notifier = FakeNotifier()
    ports = replace(registry.parts.delivery_ports, notifier=notifier)
    while tell_holders(replace(registry.parts, delivery_ports=ports), utc_now()):
        pass
    sent = {key: each for key, each in notifier.sent.items() if application_id in key}
    revoked = {key for key in sent if "/revoked/" in key}
    letters = {key for key in sent if key.endswith("/subscriber")}
    assert len(revoked) == len(revoked - letters) * 2 == 2
    assert all(sent[key].channel is CodeChannel.POST for key in letters)
    assert {sent[key].address.value for key in letters} == {TRADER}
    assert not any("/proofing_done/" in key for key in letters)


def test_an_association_that_ends_between_approval_and_issuance_certifies_nothing(
    substantial: Firm,
) -> None:
    registry = substantial.registry
    person = registry.new_citizen(ASTA)
    of = substantial.active(substantial.director, person, LOW, "declaration")
    found = registry.named(person, f"{ASSOCIATIONS}/{of['id']}/applications", 422)
    assert found["rule"].startswith(("ORG12", "NSIS"))
    administrator = substantial.administrator(registry.new_citizen(KIRSTEN))
    of = substantial.active(administrator, person, SUBSTANTIAL, "administrator")
    asked = registry.named(person, f"{ASSOCIATIONS}/{of['id']}/applications")
    substantial.do(person, of, "end")
    found = registry.clerk(f"/api/v1/applications/{asked['id']}/conclusion", {}, 422)
    assert codes(found) == {_CONTROL}


def test_a_sole_trader_gets_a_seal_and_a_bankrupt_company_gets_none(
    substantial: Firm, low: Firm
) -> None:
    registry = substantial.registry
    seals = f"/api/v1/organisations/{TRADER}/applications"
    stranger = registry.citizen(ASTA)
    assert codes(registry.named(stranger, seals, 422)) == {"AUTHORISATION_NOT_VERIFIED"}
    asked = registry.named(substantial.director, seals)
    certificate = registry.issued(asked["id"])
    names = {a.oid: a.value for a in certificate.subject}
    assert names[x509.NameOID.ORGANIZATION_IDENTIFIER] == "NTRDK-99000074"
    assert names[x509.NameOID.COMMON_NAME] == names[x509.NameOID.ORGANIZATION_NAME]
    application = registry.parts.applications.get(asked["id"])
    assert application.applicant.claim.cpr_number is None
    # What is registered at Low carries no seal at Substantial.
    found = registry.named(low.director, f"/api/v1/organisations/{low.cvr}/applications", 422)
    assert found["rule"].startswith("ORG12")


def test_the_register_is_asked_again_when_a_certificate_is_issued(registry: Registry) -> None:
    nancy = registry.new_citizen(NANCY)
    registry.granted(nancy, BANKRUPT, SUBSTANTIAL)
    asked = registry.named(nancy, f"/api/v1/organisations/{BANKRUPT}/applications")
    registry.clerk(f"/api/v1/applications/{asked['id']}/conclusion", {})
    application = registry.parts.applications.get(asked["id"])
    require_standing(registry.parts, application, utc_now())
    with pytest.raises(Refused, match="LEGAL_PERSON_IN_BANKRUPTCY"):
        require_standing(registry.parts, application, utc_now() + timedelta(days=21))
    unnamed = replace(application, applicant=replace(application.applicant, organisation=None))
    require_standing(registry.parts, unnamed, utc_now() + timedelta(days=21))


def test_officers_read_associations_and_change_none(registry: Registry, high: Firm) -> None:
    of = high.active(high.director, registry.citizen(ASTA), LOW, "declaration")
    shown = registry.clerk(f"{ASSOCIATIONS}?cvr={ONE}")
    assert of["id"] in {each["id"] for each in shown}
    registry.call(Role.REGISTRATION_OFFICER, f"{ASSOCIATIONS}/{of['id']}/end", {}, 401)
    registry.call(Role.APPROVING_OFFICER, f"{ASSOCIATIONS}/B-0/consent", {}, 401)

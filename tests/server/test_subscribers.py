"""An organisation as subscriber: its own agreement, beside that of whom a certificate is for."""

import pytest

from ra.case import Basis
from records.officers import Role
from server.metrics import Metrics
from server.staff import staff_app
from tests.support.organisations import (
    ASSOCIATIONS,
    ASTA,
    KIRSTEN,
    MANDATES,
    SOEREN,
    SUBSTANTIAL,
    Citizen,
    Registry,
    codes,
)
from tests.support.staff import Office

TRADER = "99000074"
_ORGANISATION = f"/api/v1/organisations/{TRADER}"
_MISSING = {"AGREEMENT_PART_MISSING"}


@pytest.fixture
def registry(office_at_another_time: Office) -> Registry:
    """An office of its own, in which nobody has agreed for any company."""
    app = staff_app(office_at_another_time.parts, Metrics.of_process())
    app.testing = False
    return Registry(office_at_another_time, app)


@pytest.fixture
def mandated(registry: Registry) -> tuple[Citizen, str]:
    """Who is mandated to register a company that has not agreed, and under which mandate."""
    trader = registry.citizen(SOEREN)
    asked = registry.ask(trader, TRADER, SUBSTANTIAL, by_role=True)
    registry.clerk(f"{MANDATES}/{asked['id']}/conclusion", {})
    registry.approve(asked["id"])
    return trader, asked["id"]


@pytest.fixture
def trader(mandated: tuple[Citizen, str]) -> Citizen:
    return mandated[0]


def _employee(registry: Registry, trader: Citizen) -> str:
    """Somebody whose association is active, and who applies for the certificate of the role."""
    person, clerk = registry.new_citizen(ASTA), registry.new_citizen(KIRSTEN)
    registry.granted(
        trader, TRADER, SUBSTANTIAL, act="administer", administrator=clerk.application.id
    )
    body = {
        "cvr": TRADER,
        "application_id": person.application.id,
        "level": SUBSTANTIAL.label,
        "basis": Basis.ADMINISTRATOR.value,
    }
    of = registry.call(clerk, ASSOCIATIONS, body, 201)
    registry.call(person, f"{ASSOCIATIONS}/{of['id']}/consent", {})
    registry.call(clerk, f"{ASSOCIATIONS}/{of['id']}/activation", {})
    return str(registry.named(person, f"{ASSOCIATIONS}/{of['id']}/applications")["id"])


def test_without_the_agreement_of_the_organisation_there_is_no_certificate(
    registry: Registry, trader: Citizen
) -> None:
    seal = registry.named(trader, f"{_ORGANISATION}/applications")["id"]
    for application in (seal, _employee(registry, trader)):
        path = f"/api/v1/applications/{application}/conclusion"
        found = registry.clerk(path, {}, 422)
        assert codes(found) == _MISSING
        assert "(subscriber)" in found["detail"]
        assert registry.parts.certificates.find(application_id=application) == []


def test_nobody_but_who_is_mandated_agrees_and_only_by_an_acceptance(
    registry: Registry, mandated: tuple[Citizen, str]
) -> None:
    trader, mandate = mandated
    stranger = registry.citizen(ASTA)
    assert codes(registry.agree(stranger, TRADER, 422)) == {"AUTHORISATION_NOT_VERIFIED"}
    for role in Role:
        registry.agree(registry.office.staff[role], TRADER, 401)
    wrong = {
        "TERMS_NOT_ACCEPTED": {"accepted": False},
        "TERMS_ACCEPTANCE_NOT_EXPLICIT": {"sha256": "0" * 64},
    }
    for code, changes in wrong.items():
        assert codes(registry.agree(trader, TRADER, 422, **changes)) == {code}
    session = registry.call(None, "/api/v1/presentations", {"reader": "subscriber"}, 201)
    answer = {"sha256": session["subscriber"]["sha256"], "read": True, "accepted": True}
    body = {"session": session["session"], "subscriber": answer}
    found = registry.call(trader, f"{_ORGANISATION}/agreement", body, 422)
    assert codes(found) == {"TERMS_NOT_FULLY_SHOWN"}
    assert registry.parts.mandates.get(mandate).agreements == ()


def test_once_both_have_agreed_employees_and_seals_are_certified(
    registry: Registry, mandated: tuple[Citizen, str]
) -> None:
    trader, mandate = mandated
    seal = registry.named(trader, f"{_ORGANISATION}/applications")["id"]
    employee = _employee(registry, trader)
    assert registry.agree(trader, TRADER)["agreed_versions"] == [1]
    for application in (seal, employee):
        registry.issued(application)
    (made,) = registry.parts.mandates.get(mandate).agreements
    assert made.shown_at is not None
    # What an agreement was made under carries it no longer than itself.
    waiting = registry.named(trader, f"{_ORGANISATION}/applications")["id"]
    registry.call(trader, f"{MANDATES}/{mandate}/withdrawal", {})
    found = registry.clerk(f"/api/v1/applications/{waiting}/conclusion", {}, 422)
    assert codes(found) == _MISSING

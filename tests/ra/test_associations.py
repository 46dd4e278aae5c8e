"""Associations: their states, what they rest on, and administrators who act for their own."""

from dataclasses import replace
from datetime import date

import pytest

from ra.associations import (
    Appointment,
    AssociationState,
    Proposal,
    association_part,
    next_state,
    require_administrator,
)
from ra.case import Basis, Case
from ra.case_assessment import assess_case
from ra.errors import Conflict, Refused
from ra.legal_persons import CvrNumber
from ra.levels import AssuranceLevel
from ra.policies import STANDARD, shipped_policy

_LOW, _SUBSTANTIAL, _HIGH = AssuranceLevel
_COMPANY, _OTHER = CvrNumber("99000007"), CvrNumber("99000015")
_TODAY = date(2026, 1, 15)
_CHANGES = {"proposed": "verified", "verified": "active", "active": "suspended"}

ADMIN = Appointment("admin", _COMPANY, _HIGH, date(2026, 1, 1), _TODAY)
PROPOSAL = Proposal(
    person="employee",
    person_level=_HIGH,
    organisation=_COMPANY,
    organisation_level=_HIGH,
    basis=Basis.ADMINISTRATOR,
    consents=frozenset({"employee", _COMPANY.value}),
)


def reached(proposal: Proposal, *, authorised: bool = True) -> AssuranceLevel | None:
    part = association_part(proposal, basis_authorised=authorised)
    return assess_case(Case(association=part), shipped_policy(STANDARD)).reached


def test_the_weakest_part_decides() -> None:
    assert reached(PROPOSAL) is _HIGH
    assert reached(replace(PROPOSAL, person_level=_SUBSTANTIAL)) is _SUBSTANTIAL
    assert reached(replace(PROPOSAL, organisation_level=_LOW)) is _LOW
    assert reached(replace(PROPOSAL, basis=Basis.DECLARATION)) is _LOW
    assert reached(PROPOSAL, authorised=False) is _LOW
    assert reached(replace(PROPOSAL, unique_ids=False)) is _SUBSTANTIAL


@pytest.mark.parametrize(
    "proposal",
    [
        replace(PROPOSAL, barred=True),
        replace(PROPOSAL, consents=frozenset({"employee"})),
        replace(PROPOSAL, consents=frozenset({_COMPANY.value})),
        replace(PROPOSAL, consents=frozenset({"employee", _OTHER.value})),
    ],
)
def test_without_both_consents_or_against_a_bar_there_is_none(proposal: Proposal) -> None:
    assert reached(proposal) is None


def test_an_administrator_maintains_their_own_organisation() -> None:
    require_administrator(PROPOSAL, _HIGH, (ADMIN,), _TODAY)
    require_administrator(PROPOSAL, _LOW, (ADMIN,), _TODAY)


@pytest.mark.parametrize(
    "appointments",
    [
        (),
        (replace(ADMIN, organisation=_OTHER),),
        (replace(ADMIN, level=_SUBSTANTIAL),),
        (replace(ADMIN, valid_until=date(2026, 1, 14)),),
        (replace(ADMIN, valid_from=date(2026, 1, 16), valid_until=None),),
        (ADMIN, replace(ADMIN, person="second", organisation=_OTHER)),
    ],
)
def test_an_appointment_of_another_place_level_or_time_is_none(
    appointments: tuple[Appointment, ...],
) -> None:
    with pytest.raises(Refused) as refusal:
        require_administrator(PROPOSAL, _HIGH, appointments, _TODAY)
    assert refusal.value.findings[0].code == "ASSOCIATION_ADMIN_NOT_AUTHORISED"


def test_at_high_nobody_adds_themselves_alone() -> None:
    own = replace(PROPOSAL, person="admin")
    require_administrator(own, _SUBSTANTIAL, (ADMIN,), _TODAY)
    with pytest.raises(Refused):
        require_administrator(own, _HIGH, (ADMIN,), _TODAY)
    with pytest.raises(Refused):
        require_administrator(own, _HIGH, (ADMIN, ADMIN), _TODAY)
    require_administrator(own, _HIGH, (ADMIN, replace(ADMIN, person="second")), _TODAY)


def test_an_association_ends_for_good() -> None:
    for before, after in _CHANGES.items():
        wanted = AssociationState(after)
        assert next_state(AssociationState(before), wanted) is wanted
        ended = next_state(AssociationState(before), AssociationState.ENDED)
        assert ended is AssociationState.ENDED
    assert next_state(AssociationState.SUSPENDED, AssociationState.ACTIVE) == "active"
    for state in AssociationState:
        with pytest.raises(Conflict):
            next_state(AssociationState.ENDED, state)
    with pytest.raises(Conflict):
        next_state(AssociationState.PROPOSED, AssociationState.ACTIVE)

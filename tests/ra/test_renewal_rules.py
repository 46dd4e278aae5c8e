"""Renewal and replacement: what carries the next credential, and that none of it raises a level."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ra.applications import Application
from ra.assessment import Accepted, Referred, assess_natural_person
from ra.errors import Conflict
from ra.evidence import Answer
from ra.further_evidence import RegisterReading
from ra.legal_persons import CvrNumber, NamedOrganisation
from ra.levels import AssuranceLevel
from ra.package import build_package
from ra.renewal_rules import REPLACEABLE, proven_at, renewal_findings
from ra.renewals import Basis, Loss
from revocation.causes import Cause
from tests.support.ra_builders import (
    CATALOGUE,
    NOW,
    PROFILE,
    at_level,
    examined,
    in_proofing,
    policy,
    verified,
)
from tests.support.renewal_examples import HIGH, LOW, SUBSTANTIAL, a_renewal, opened, renewing
from tests.support.renewal_examples import replacing as lost


def codes(application: Application) -> list[str]:
    """What is against it, but for the device that High demands."""
    outcome = assess_natural_person(application, CATALOGUE, policy(), NOW)
    found = () if isinstance(outcome, Accepted) else outcome.findings
    return [each.code for each in found if each.requirement.startswith(("REG-", "ISS-REN"))]


@pytest.mark.parametrize("level", [LOW, SUBSTANTIAL, HIGH])
def test_a_valid_credential_carries_its_renewal_without_a_document(
    level: AssuranceLevel,
) -> None:
    assert codes(renewing(level)) == []


def test_a_credential_does_not_carry_a_higher_one() -> None:
    assert codes(at_level(renewing(SUBSTANTIAL), HIGH)) == ["RENEWAL_BASIS_INVALID"]


def test_a_replacement_at_high_is_proven_anew() -> None:
    assert codes(lost(HIGH)) == ["REIDENTIFICATION_REQUIRED"]


def test_a_document_carries_what_the_old_credential_does_not() -> None:
    application = renewing(stands=False, changed=("cpr_number",))
    assert codes(application) == ["RENEWAL_CREDENTIAL_NOT_VALID", "ATTRIBUTE_CHANGE_NOT_VERIFIED"]
    assert codes(examined(application)) == []
    assert codes(examined(lost(letter=False))) == []


def test_a_dead_persons_credential_is_not_renewed() -> None:
    dead = RegisterReading("test:cpr", "90")
    assert codes(renewing(register=dead)) == ["PERSON_DECEASED"]


def test_a_register_that_is_silent_makes_a_renewal_wait() -> None:
    silent = RegisterReading("test:cpr", Answer.NO_ANSWER)
    outcome = assess_natural_person(renewing(register=silent), CATALOGUE, policy(), NOW)
    assert isinstance(outcome, Referred)


def test_a_number_changes_by_a_new_proofing_alone() -> None:
    assert codes(renewing(changed=("cpr_number",))) == ["ATTRIBUTE_CHANGE_NOT_VERIFIED"]


@pytest.mark.parametrize("cause", Cause)
def test_only_a_holders_own_loss_is_replaced_without_a_new_application(cause: Cause) -> None:
    found = opened(cause, basis=Basis.REPLACEMENT, loss=Loss.LOST, stands=False)
    assert (found == ()) is (cause in REPLACEABLE)


@pytest.mark.parametrize("basis", Basis)
def test_what_has_expired_is_neither_renewed_nor_replaced(basis: Basis) -> None:
    (found,) = opened(left=timedelta(seconds=-1), basis=basis)
    assert found.code == "RENEWAL_CREDENTIAL_NOT_VALID"


def test_renewal_upon_renewal_rests_on_the_first_proofing() -> None:
    first = verified()
    assert first.proofing is not None
    assert proven_at(first) == first.proofing.completed_at
    again = replace(first, renewal=a_renewal(), evidence=())
    assert proven_at(again) == a_renewal().proven_at
    assert proven_at(replace(first, renewal=a_renewal())) == first.proofing.completed_at
    with pytest.raises(Conflict):
        proven_at(in_proofing())


def test_an_approval_is_over_what_is_renewed() -> None:
    plain = verified()
    renewed = replace(plain, renewal=a_renewal())
    other = replace(plain, renewal=a_renewal(serial="cd"))
    packages = {build_package(each, PROFILE) for each in (plain, renewed, other)}
    assert len(packages) == 3


def test_what_names_an_organisation_is_replaced_by_a_login_and_never_at_high() -> None:
    company = NamedOrganisation("org", CvrNumber("99000007"), "Prøve", HIGH, "B-1")

    def found(application: Application) -> list[str]:
        applicant = replace(application.applicant, organisation=company)
        named = replace(application, applicant=applicant)
        return [each.code for each in renewal_findings(named, policy().policy.limits, NOW)]

    assert found(lost(letter=False)) == []
    assert found(lost(HIGH)) == ["REIDENTIFICATION_REQUIRED"]
    # A document proves nothing of what rests on a mandate.
    assert found(examined(renewing(stands=False))) == ["RENEWAL_CREDENTIAL_NOT_VALID"]

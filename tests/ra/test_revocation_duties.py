"""Which duties follow from what a register says, and when they are due."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ra.case import CompanyStatus
from ra.claims import ClaimedIdentity
from ra.fake_companies import FakeCvr
from ra.fake_registers import FakeCpr, persona_name
from ra.identity import CprNumber, PersonName
from ra.legal_persons import Company, CvrNumber
from ra.registers import NoAnswer, RegisteredPerson
from ra.revocation_duties import (
    Credential,
    Duty,
    DutyCause,
    DutyState,
    company_causes,
    person_causes,
)
from revocation.reasons import Reason

OPENED = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DIES, BANKRUPT = "2103009996", "99000023"


def claim_of(number: str) -> ClaimedIdentity:
    given_name, surname = persona_name(CprNumber(number))
    return ClaimedIdentity(PersonName(given_name), PersonName(surname), CprNumber(number))


def causes_of(number: str, after: timedelta = DAY) -> tuple[DutyCause, ...]:
    answer = FakeCpr(OPENED).find(CprNumber(number), OPENED + after)
    return person_causes(claim_of(number), answer)


@pytest.mark.parametrize(
    ("number", "causes"),
    [
        ("2512489996", ()),
        ("3103979995", ()),
        ("0201609995", ()),
        ("0107729995", (DutyCause.DEATH,)),
        ("1509819996", (DutyCause.MISSING,)),
        ("0201609996", (DutyCause.NUMBER_REPLACED,)),
        ("0201919990", (DutyCause.NUMBER_REPLACED,)),
        ("0504909989", (DutyCause.CONTENT_WRONG,)),
    ],
)
def test_a_status_of_the_register_leads_to_the_duty_that_follows_from_it(
    number: str, causes: tuple[DutyCause, ...]
) -> None:
    assert causes_of(number) == causes


def test_a_person_who_dies_on_day_30_leads_to_a_duty_then_and_not_before() -> None:
    assert causes_of(DIES, 29 * DAY) == ()
    assert causes_of(DIES, 30 * DAY) == (DutyCause.DEATH,)


def test_no_answer_leads_to_no_duty() -> None:
    assert person_causes(claim_of("2512489996"), NoAnswer()) == ()
    assert company_causes(NoAnswer()) == ()


def test_a_number_that_nobody_has_is_looked_into() -> None:
    unknown = FakeCpr(OPENED).find(CprNumber("1111111118"), OPENED)
    assert person_causes(claim_of("2512489996"), unknown) == (DutyCause.NOT_REGISTERED,)


def test_a_changed_surname_is_a_change_and_a_middle_name_left_out_is_none() -> None:
    claim = claim_of("2512489996")
    answer = FakeCpr(OPENED).find(CprNumber("2512489996"), OPENED)
    assert isinstance(answer, RegisteredPerson)

    married = replace(answer, surname=PersonName("Vinterberg"))
    shorter = replace(claim, given_name=PersonName("Nancy"))

    assert person_causes(claim, married) == (DutyCause.NAME_CHANGED,)
    assert person_causes(shorter, answer) == ()


def test_a_company_goes_bankrupt_on_day_20_and_another_has_ceased() -> None:
    register = FakeCvr(OPENED)

    def causes(number: str, after: timedelta) -> tuple[DutyCause, ...]:
        return company_causes(register.find(CvrNumber(number), OPENED + after))

    assert causes(BANKRUPT, 19 * DAY) == ()
    assert causes(BANKRUPT, 20 * DAY) == (DutyCause.COMPANY_BANKRUPT,)
    assert causes("99000031", DAY) == (DutyCause.COMPANY_CEASED,)
    active = register.find(CvrNumber("99000007"), OPENED)
    assert isinstance(active, Company)
    assert active.status is CompanyStatus.ACTIVE
    assert company_causes(active) == ()


@pytest.mark.parametrize("cause", DutyCause)
def test_every_cause_has_grounds_and_none_tells_relying_parties_of_a_death(
    cause: DutyCause,
) -> None:
    reason = cause.grounds.reason
    compromised = cause is DutyCause.COMPROMISE_SUSPECTED

    assert (reason is Reason.KEY_COMPROMISE) is compromised
    assert reason in {
        Reason.KEY_COMPROMISE,
        Reason.AFFILIATION_CHANGED,
        Reason.CESSATION_OF_OPERATION,
    }
    assert cause.time_to_act >= DAY


DUTY = Duty(
    "D-0123456789abcdef",
    Credential("issuing", "01", "subject-1"),
    DutyCause.DEATH,
    DutyState.OPEN,
    OPENED,
    "system:registers",
    OPENED + DAY,
)


def test_a_duty_in_time_is_no_alarm() -> None:
    assert not DUTY.is_overdue(OPENED + DAY)
    assert not replace(DUTY, state=DutyState.REVOKED).is_overdue(OPENED + 2 * DAY)


def test_a_duty_is_overdue_after_its_deadline_while_it_is_open() -> None:
    assert DUTY.is_overdue(OPENED + DAY + timedelta(seconds=1))

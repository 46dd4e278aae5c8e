"""A mandate that is withdrawn or past its end: what rests on it has to be revoked (ISS-REV-L4c)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pytest

from ra.legal_persons import CvrNumber
from ra.mandates import MandateState
from ra.revocation_duties import Duty, DutyCause, DutyState
from records.mandates import HOLDER
from revocation.causes import Cause
from revocation.reasons import Reason
from server.clock import utc_now
from server.duty_jobs import duty_work
from server.metrics import Metrics
from server.revocation_duties import CLOCK, due_by_itself, end_mandates, revoke_overdue
from server.staff import staff_app
from tests.support.organisations import (
    ASSOCIATIONS,
    ASTA,
    KIRSTEN,
    MANDATES,
    NANCY,
    SUBSTANTIAL,
    Citizen,
    Registry,
    power,
)
from tests.support.staff import Office

COMPANY = "99000007"
DAY = timedelta(days=1)


@dataclass
class Firm:
    """A company with a seal and one employee, and the mandates that carry them."""

    registry: Registry
    director: Citizen
    mandate: str
    administrator: Citizen
    appointment: str
    seal: str
    role: str

    def withdraw(self, who: Citizen, mandate: str, status: int = 200) -> None:
        self.registry.call(who, f"{MANDATES}/{mandate}/withdrawal", {}, status)

    def opened(self) -> dict[str, Duty]:
        """The open duties for what names the company, by the application."""
        parts = self.registry.parts
        serials = {
            parts.certificates.find(application_id=each)[0].serial_number.hex: each
            for each in (self.seal, self.role)
        }
        found = parts.duties.all(DutyState.OPEN)
        return {serials[each.credential.serial]: each for each in found}

    def status(self, application_id: str) -> tuple[str, Cause | None, Reason | None]:
        (found,) = self.registry.parts.certificates.find(application_id=application_id)
        return found.status, found.cause, found.reason


@pytest.fixture
def firm(office_at_another_time: Office) -> Firm:
    office = office_at_another_time
    registry = Registry(office, staff_app(office.parts, Metrics.of_process()))
    director, administrator, person = map(registry.new_citizen, (NANCY, KIRSTEN, ASTA))
    mandate = registry.granted(director, COMPANY, SUBSTANTIAL)["id"]
    appointed = {"act": "administer", "administrator": administrator.application.id}
    appointment = registry.granted(director, COMPANY, SUBSTANTIAL, **appointed)["id"]
    seal = registry.named(director, f"/api/v1/organisations/{COMPANY}/applications")["id"]
    registry.issued(seal)
    body = {
        "cvr": COMPANY,
        "application_id": person.application.id,
        "level": "Substantial",
        "basis": "administrator",
    }
    of = f"{ASSOCIATIONS}/{registry.call(administrator, ASSOCIATIONS, body, 201)['id']}"
    registry.call(person, f"{of}/consent", {})
    registry.call(administrator, f"{of}/activation", {})
    role = registry.named(person, f"{of}/applications")["id"]
    registry.issued(role)
    return Firm(registry, director, mandate, administrator, appointment, seal, role)


def later_work(firm: Firm, now: datetime) -> int:
    return sum(act() for act in duty_work(firm.registry.parts, now))


def test_a_withdrawn_mandate_opens_a_duty_for_all_that_names_the_legal_person(firm: Firm) -> None:
    parts = firm.registry.parts
    firm.withdraw(firm.administrator, firm.mandate, 403)
    assert firm.opened() == {}
    firm.withdraw(firm.director, firm.mandate)
    opened = firm.opened()
    assert set(opened) == {firm.seal, firm.role}
    duty = opened[firm.seal]
    assert (duty.cause, duty.opened_by) == (DutyCause.MANDATE_ENDED, HOLDER)
    assert duty.deadline == duty.opened_at + DAY
    firm.withdraw(firm.director, firm.mandate, 409)
    assert end_mandates(parts, CLOCK, utc_now()) == ()

    late = duty.deadline + timedelta(seconds=1)
    assert duty in due_by_itself(parts, late)
    assert revoke_overdue(parts, duty, utc_now())
    assert firm.status(firm.seal) == (
        "revoked",
        Cause.AGREEMENT_ENDED,
        Reason.CESSATION_OF_OPERATION,
    )
    (personal,) = parts.certificates.find(application_id=firm.director.application.id)
    assert personal.status == "issued"


def test_without_an_administrator_the_people_whom_one_added_lose_their_role(firm: Firm) -> None:
    firm.withdraw(firm.administrator, firm.appointment)
    assert set(firm.opened()) == {firm.role}


def test_another_mandate_carries_on_and_a_new_one_stays_the_clock(firm: Firm) -> None:
    registry, parts = firm.registry, firm.registry.parts
    second = registry.granted(firm.director, COMPANY, SUBSTANTIAL)["id"]
    firm.withdraw(firm.director, firm.mandate)
    assert firm.opened() == {}
    firm.withdraw(firm.director, second)
    duty = firm.opened()[firm.seal]
    registry.granted(firm.director, COMPANY, SUBSTANTIAL)
    assert not revoke_overdue(parts, duty, utc_now())
    assert firm.status(firm.seal)[0] == "issued"


def test_one_that_was_never_granted_ends_nothing(firm: Firm) -> None:
    asked = firm.registry.ask(firm.director, COMPANY, SUBSTANTIAL, by_role=True)
    firm.withdraw(firm.director, asked["id"])
    assert firm.opened() == {}


def test_a_mandate_past_its_end_opens_duties_in_the_next_night(firm: Firm) -> None:
    parts, now = firm.registry.parts, utc_now()
    assert later_work(firm, now) == 0
    for each in parts.mandates.granted(CvrNumber(COMPANY)):
        assert each.state is MandateState.GRANTED
    ends = (now + 30 * DAY).date()
    until(firm, ends)
    at_the_end = datetime.combine(ends, now.timetz())
    assert later_work(firm, at_the_end) == 0
    assert later_work(firm, at_the_end + DAY) >= 1
    assert {duty.cause for duty in firm.opened().values()} == {DutyCause.MANDATE_ENDED}
    assert {duty.opened_by for duty in firm.opened().values()} == {CLOCK}
    assert set(firm.opened()) == {firm.seal, firm.role}


def until(firm: Firm, last: date) -> None:
    """Another mandate, by a power of attorney that ends, in place of the one by role."""
    registry = firm.registry
    asked = registry.ask(firm.director, COMPANY, SUBSTANTIAL)
    path = f"{MANDATES}/{asked['id']}"
    given = power(holder=NANCY, valid_until=last.isoformat())
    registry.clerk(f"{path}/power-of-attorney", given, 201)
    registry.clerk(f"{path}/conclusion", {})
    assert registry.approve(asked["id"])["valid_until"] == last.isoformat()
    firm.withdraw(firm.director, firm.mandate)
    assert firm.opened() == {}

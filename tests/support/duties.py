"""Duties to revoke in a database in the middle of its life, and what the tests of them share."""

from datetime import datetime, timedelta

from ra.revocation_duties import Credential, DutyCause, NoReason
from records.officers import Role
from tests.support.stores import Person, Stores, a_person


def credential_of(person: Person) -> Credential:
    issuer, serial = person.place
    return Credential(issuer, serial.hex, person.subject_id)


def opened(stores: Stores, person: Person, cause: DutyCause, now: datetime) -> str:
    """A duty that a register led to."""
    found = stores.duties.open(credential_of(person), cause, "system:registers", now)
    assert found is not None
    return found


def duty_story(stores: Stores, names: dict[str, object], now: datetime) -> None:
    """An open duty, one that somebody would dismiss, one dismissed, and one that was done."""
    first, second = (stores.officer(Role.SECURITY_ADMINISTRATOR, now) for _ in range(2))
    person, revoked = a_person(stores, now), a_person(stores, now)
    causes = {
        "open": DutyCause.DEATH,
        "proposed": DutyCause.MISSING,
        "dismissed": DutyCause.NAME_CHANGED,
    }
    for name, cause in causes.items():
        names[f"{name}_duty"] = opened(stores, person, cause, now)
    names["done_duty"] = opened(stores, revoked, DutyCause.DEATH, now)
    stores.revoked(revoked.certificate, now + timedelta(seconds=1))
    why = NoReason.REGISTER_WRONG
    stores.duties.dismiss(str(names["proposed_duty"]), why, first, now)
    for officer in (first, second):
        stores.duties.dismiss(str(names["dismissed_duty"]), why, officer, now)
    names |= {
        "duty_subject": person.subject_id,
        "duty_first": first.id,
        "duty_first_person": first.person_id,
        "duty_second": second.id,
        "duty_second_person": second.person_id,
    }

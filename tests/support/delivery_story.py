"""Credentials at every step, at Substantial and High, for attacks by direct SQL."""

from datetime import datetime, timedelta

from sqlalchemy import text

from ra.activation_codes import HolderSecret
from ra.applications import Application, change_contact
from ra.case import Channel
from ra.contacts import Contact, PhoneNumber
from ra.delivery import Ending
from ra.duties import Task
from records.credentials import Letter
from records.letters import Letters
from records.officers import Officer, Role
from records.revocation_secrets import RevocationSecrets
from records.schema import migrate
from tests.support.databases import take_away
from tests.support.delivery import (
    Room,
    approved_by,
    code_for,
    duty_of,
    high_submitted,
    second_account,
)
from tests.support.stores import Stores, approved, verified

_WINDOW = timedelta(days=21)


def tell_delivery(stores: Stores, now: datetime) -> dict[str, object]:
    """Everything on its way; gives the names."""
    room = Room(stores)
    told = _Teller(room, now)
    prepared = room.prepared()
    delivered, _ = told.delivered("letter-0000000000000001")
    printed, _ = told.delivered("letter-0000000000000002")
    Letters(stores.database).confirm("letter-0000000000000002", room.dispatcher.id, now)
    activated, secret = told.delivered(None)
    room.activate(activated, secret)
    ended, _ = told.delivered(None)
    room.credentials.end(ended.id, Ending.WINDOW, "system:job", now)
    RevocationSecrets(stores.database).make(delivered.id, "system:applicant", now)
    names = {
        "prepared": prepared,
        "delivered": delivered,
        "printed": printed,
        "activated": activated,
        "ended": ended,
    }
    found: dict[str, object] = {"salt": b"salt"}
    for name, application in names.items():
        found |= _names_of(name, application)
    officers = {"operator": room.operator, "dispatcher": room.dispatcher}
    return found | told.high() | told.own() | _officers(officers)


class _Teller:
    def __init__(self, room: Room, now: datetime) -> None:
        self.room, self.stores, self.now = room, room.stores, now

    def delivered(self, letter: str | None) -> tuple[Application, HolderSecret]:
        application = self.room.prepared()
        code, secret = code_for(application, self.now, _WINDOW)
        sealed = None if letter is None else Letter(letter, b"for the printer")
        actor = self.room.dispatcher.id
        self.room.credentials.dispatch(application, code, None, actor, sealed)
        return application, secret

    def high(self) -> dict[str, object]:
        """Two at High: one approved and prepared, one back in proofing; one still verified."""
        stores, now = self.stores, self.now
        first = stores.officer(Role.REGISTRATION_OFFICER, now)
        second = stores.officer(Role.APPROVING_OFFICER, now)
        ready = approved_by(stores, first, second)
        back = approved_by(stores, first, second)
        bare = approved_by(stores, first, second)
        waiting = verified(stores, first, high_submitted())
        for each in (ready, back):
            done = duty_of(each, Task.PERSONALISATION, self.room.operator)
            self.room.credentials.prepare(Channel.ONLINE, done)
        checker = stores.officer(Role.REGISTRATION_OFFICER, now)
        self.room.credentials.record_duty(duty_of(waiting, Task.PERSONAL_CHECK, checker))
        stands = stores.applications.get(back.id)
        moved = change_contact(stands, Contact(phone=PhoneNumber("+4520123456")), now)
        stores.applications.update(stands, moved, "system:applicant", now)
        twice = second_account(stores, self.room.operator, Role.CODE_DISPATCHER, "aaaa")
        approves_twice = second_account(stores, second, Role.CODE_DISPATCHER, "bbbb")
        approves_too = second_account(stores, checker, Role.APPROVING_OFFICER, "cccc")
        return {
            **_names_of("high", ready),
            **_names_of("back", back),
            **_names_of("bare", bare),
            **_names_of("high_verified", waiting),
            **_officers(
                {
                    "high_proofer": first,
                    "operator_twice": twice,
                    "high_approver_twice": approves_twice,
                    "high_second": approves_too,
                }
            ),
        }

    def own(self) -> dict[str, object]:
        """An application of somebody who is an officer, too."""
        application = approved(self.stores)
        officer = self.stores.officer(Role.CODE_DISPATCHER, self.now)
        with self.stores.database.write() as tx:
            take_away(tx, "ra14")
            tx.execute(
                text("UPDATE officer SET subject_id = :subject WHERE id = :id"),
                {"subject": application.subject_id, "id": officer.id},
            )
        migrate(self.stores.database)
        return _names_of("own", application) | _officers({"own_dispatcher": officer})


def _names_of(name: str, application: Application) -> dict[str, object]:
    return {
        f"{name}_application": str(application.id),
        f"{name}_subject": application.subject_id,
        f"{name}_package": application.package_hash,
        f"{name}_spki": application.spki_sha256,
    }


def _officers(officers: dict[str, Officer]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, officer in officers.items():
        found |= {name: officer.id, f"{name}_person": officer.person_id}
    return found

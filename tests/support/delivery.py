"""Credentials on their way, for tests of records: rooms with officers, codes, and a thousand."""

from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, text

from ra.activation_codes import HolderSecret, SecretUse, new_salt
from ra.applications import Application, ApplicationId
from ra.authenticators import RiskAssessment, examine_authenticator
from ra.case import Channel, CodeChannel
from ra.delivery import StoredCode
from ra.duties import Duty, Task
from ra.fake_services import FakeAttestation
from ra.levels import AssuranceLevel
from records.credentials import Activated, Credentials, _seal_of
from records.officers import Officer, Role
from records.personal_data import PersonalData
from records.tables import activation_code
from server.clock import utc_now
from tests.support.databases import take_away
from tests.support.stores import (
    ISSUING,
    Stores,
    approval_by,
    approved,
    staff_order,
    submitted,
    verified,
)
from tests.support.story_sql import copied

NOW = utc_now()
WINDOW = timedelta(days=21)


@dataclass
class Room:
    """Stores with a personalisation operator and a code dispatcher."""

    stores: Stores
    credentials: Credentials = field(init=False)
    operator: Officer = field(init=False)
    dispatcher: Officer = field(init=False)

    def __post_init__(self) -> None:
        self.credentials = Credentials(self.stores.database, self.stores.personal)
        self.operator = self.stores.officer(Role.PERSONALISATION_OPERATOR, NOW)
        self.dispatcher = self.stores.officer(Role.CODE_DISPATCHER, NOW)

    def prepared(self) -> Application:
        """An approved application whose credential was prepared."""
        application = approved(self.stores)
        done = duty_of(application, Task.PERSONALISATION, self.operator)
        self.credentials.prepare(Channel.ONLINE, done)
        return application

    def delivered(self) -> tuple[Application, HolderSecret]:
        """An approved application and the code that went by post."""
        application = self.prepared()
        code, secret = code_for(application, NOW, WINDOW)
        done = duty_of(application, Task.CODE_DISPATCH, self.dispatcher)
        self.credentials.dispatch(application, code, done, self.dispatcher.id, None)
        return application, secret

    def activate(self, application: Application, secret: HolderSecret) -> Activated:
        return self.credentials.activate(
            application, secret, "system:holder", (None, True), utc_now()
        )

    def same_person(self, officer: Officer, role: Role) -> Officer:
        """The officer's second account, in another role."""
        return second_account(self.stores, officer, role, "cafe")


def high_submitted() -> Application:
    """A submitted application at High, whose key is in a certified card."""
    application = submitted()
    key = application.spki_sha256
    attested = FakeAttestation.attest(key)
    until = (NOW + timedelta(days=900)).date()
    assessment = RiskAssessment(application.profile, "RA-1", "security board", until)
    card = examine_authenticator(attested, key, FakeAttestation(until), assessment, NOW)
    requested = replace(application.requested, level=AssuranceLevel.HIGH)
    return replace(application, requested=requested, authenticator=card)


def approved_by(stores: Stores, first: Officer, second: Officer) -> Application:
    """An application at High that these two vetted and approved."""
    found = approval_by(second, verified(stores, first, high_submitted()))
    stores.applications.approve(stores.applications.get(found.application.id), found, NOW)
    return stores.applications.get(found.application.id)


def second_account(stores: Stores, officer: Officer, role: Role, digits: str) -> Officer:
    """Another account of the person behind an officer, in another role."""
    invited = stores.officers.invite("Ole Officer", role, NOW)
    second = replace(invited, id=f"officer-{digits * 4}", person_id=officer.person_id)
    with stores.database.write() as tx:
        tx.execute(
            text(copied("officer", "id = :old", id=":id", person_id=":person")),
            {"old": invited.id, "id": second.id, "person": second.person_id},
        )
    certificate = stores.issue(staff_order(second), NOW)
    stores.officers.enrol(second.id, ISSUING, certificate, NOW)
    return second


def duty_of(
    application: Application, task: Task, officer: Officer, signature: bytes | None = None
) -> Duty:
    assert application.package_hash is not None
    return Duty(
        application.id,
        application.package_hash,
        task,
        officer.id,
        officer.person_id,
        NOW,
        signature,
    )


def code_for(
    application: Application, now: datetime, window: timedelta
) -> tuple[StoredCode, HolderSecret]:
    """A fresh code for an application, and what the holder reads."""
    secret, salt = HolderSecret.random(), new_salt()
    digest = secret.digest(SecretUse.ACTIVATION, application.id, salt)
    identity = f"code-{salt[:16]}"
    code = StoredCode(
        identity, application.id, CodeChannel.POST, salt, digest, 0, now, now + window
    )
    return code, secret


def many_delivered(
    stores: Stores, number: int, now: datetime, window: timedelta
) -> list[tuple[Application, HolderSecret]]:
    """So many copies of one approved application, each delivered with a code of its own.

    Rows are written as a whole and beside the program, with the guards that would ask for each
    step of each of them taken away; those that redemption meets stay.
    """
    room = Room(stores)
    first, _ = room.delivered()
    copies = [replace(first, id=ApplicationId.random()) for _ in range(number)]
    made = [(each, *code_for(each, now, window)) for each in copies]
    with stores.database.write() as tx:
        take_away(tx, "ra07")
        for application, _, _ in made:
            names = {"first": first.id, "id": application.id}
            tx.execute(text(copied("application", "id = :first", id=":id")), names)
            prepared = {"application_id": ":id", "step": "'prepared'"}
            tx.execute(text(copied("credential", "application_id = :first", **prepared)), names)
        keep_codes(tx, stores.personal, [(application, code) for application, code, _ in made])
        tx.execute(text("UPDATE credential SET step = 'delivered' WHERE step = 'prepared'"))
    return [(application, secret) for application, _, secret in made]


def keep_codes(
    tx: Connection, personal: PersonalData, codes: list[tuple[Application, StoredCode]]
) -> None:
    """Codes as a dispatch keeps them."""
    for application, code in codes:
        sealed = personal.seal(tx, application.subject_id, "evidence", _seal_of(code))
        values = {each.name: getattr(code, each.name) for each in fields(code)}
        tx.execute(insert(activation_code).values(**values, sealed_digest=sealed))

"""One malicious insider, in any single role and with direct SQL, gets no working High credential.

Each way is tried with the guards of the database in force, and once more as its owner, who has
taken them away: then signatures, seals and the list outside the database must do.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ra.activation_codes import HolderSecret, SecretUse, new_salt
from ra.applications import Application
from ra.case import Channel, CodeChannel
from ra.contacts import Contact, PhoneNumber
from ra.duties import Task, duty_statement
from ra.errors import RaError, Refused
from records.errors import RecordsError
from records.guards import GUARDS
from records.key_wrapping import DamagedData
from records.officers import Role
from records.schema import migrate
from server.clock import utc_now
from server.delivery import Claim, Hand, activate, dispatch_code, prepare_credential, record_duty
from server.fulfilment import fulfil_all
from server.registration import application_package, approve_application
from tests.support.databases import take_away
from tests.support.high_office import HighOffice
from tests.support.installation import an_installation
from tests.support.postgres import PrivatePostgres
from tests.support.softhsm import SoftHsm
from tests.support.staff import EnrolledOfficer, an_officer, listing

REFUSALS = (RaError, RecordsError, DamagedData, ValueError)
FAMILIES = ("RA", "DEL", "DUT")


@dataclass
class Insider:
    """Somebody with one role and one key, and the database."""

    high: HighOffice
    owner: bool
    refused: list[str] = field(default_factory=list)

    def sql(self, statement: str, **values: object) -> None:
        """A statement as the database's user; as its owner, without the guards."""
        try:
            with self.high.parts.database.write() as tx:
                tx.execute(text(statement), values)
        except (RecordsError, SQLAlchemyError) as error:
            self.refused.append(str(error)[:5])

    def act(self, act: Callable[[], object]) -> None:
        """Something that the program is asked for."""
        with suppress(*REFUSALS):
            act()

    def duty(
        self, application: Application, task: Task, of: EnrolledOfficer, signature: bytes | None
    ) -> None:
        """A row that says that somebody did a task."""
        self.sql(
            "INSERT INTO duty (application_id, package_sha256, task, officer_id, person_id,"
            " signature, at) VALUES (:id, :package, :task, :officer, :person, :signature, 1)",
            id=application.id,
            package=application.package_hash,
            task=task.value,
            officer=of.officer.id,
            person=of.officer.person_id,
            signature=signature,
        )

    def code(self, application: Application) -> HolderSecret:
        """A row with a code that the insider knows, in place of the holder's."""
        secret, salt = HolderSecret.random(), new_salt()
        now = int(utc_now().timestamp()) * 1_000_000
        self.sql(
            "INSERT INTO credential (application_id, channel, step, prepared_at)"
            " VALUES (:id, 'online', 'prepared', :now)",
            id=application.id,
            now=now,
        )
        self.sql(
            "UPDATE activation_code SET ended_at = :now, ending = 'replaced'"
            " WHERE application_id = :id AND used_at IS NULL",
            id=application.id,
            now=now,
        )
        self.sql(
            "INSERT INTO activation_code (id, application_id, channel, salt, digest,"
            " sealed_digest, tries, made_at, expires_at) VALUES ('code-' || :salt2, :id, 'sms',"
            " :salt, :digest, :sealed, 0, :now, :later)",
            id=application.id,
            salt=salt,
            salt2=salt[:16],
            digest=secret.digest(SecretUse.ACTIVATION, application.id, salt),
            sealed=b"sealed by nobody",
            now=now + 1,
            later=now + 10**12,
        )
        self.sql(
            "UPDATE credential SET step = 'delivered', delivered_at = :now"
            " WHERE application_id = :id",
            id=application.id,
            now=now,
        )
        return secret

    def activated(self, application: Application, sealed: bytes) -> None:
        """Rows that say that the holder activated."""
        self.sql(
            "UPDATE activation_code SET used_at = made_at + 1 WHERE application_id = :id",
            id=application.id,
        )
        self.sql(
            "UPDATE credential SET step = 'activated', sealed_activation = :sealed, activated_at ="
            " (SELECT MAX(used_at) FROM activation_code c WHERE c.application_id = :id)"
            " WHERE application_id = :id",
            id=application.id,
            sealed=sealed,
        )

    def everything_else(self, application: Application, me: EnrolledOfficer) -> None:
        """All rows that are still missing, with the insider's own signature where one is."""
        stands = self.high.parts.applications.get(application.id)
        for task, of in (
            (Task.PROOFING, self.high.proofer),
            (Task.PERSONALISATION, self.high.operator),
            (Task.CODE_DISPATCH, self.high.dispatcher),
            (Task.PERSONAL_CHECK, self.high.checker),
        ):
            self.act(
                lambda task=task, of=of: self.duty(  # type: ignore[misc]
                    stands, task, of, me.sign(duty_statement(task, stands))
                )
            )
        secret = self.code(stands)
        self.act(
            lambda: activate(
                self.high.parts, application.id, Claim(secret.value, None, receipt=True), utc_now()
            )
        )
        self.activated(stands, b"sealed by nobody")

    def has_nothing(self, application: Application) -> None:
        """Whatever is asked to issue issues nothing."""
        parts = self.high.parts
        with suppress(*REFUSALS):
            fulfil_all(parts, [parts.applications.get(application.id)], utc_now())
        found = parts.certificates.find(application_id=application.id)
        assert [each for each in found if each.issued_at is not None] == []


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def high(
    request: pytest.FixtureRequest,
    softhsm: SoftHsm,
    postgres: PrivatePostgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[HighOffice]:
    state = tmp_path_factory.mktemp("insider") / "state"
    environment = {}
    if request.param == "postgresql":
        environment["TILLID_DATABASE__URL"] = postgres.create("insider", "template1")
    with an_installation(softhsm, state, **environment) as parts:
        yield HighOffice(parts)


@pytest.fixture(params=[False, True], ids=["as the user", "as the owner"])
def insider(request: pytest.FixtureRequest, high: HighOffice) -> Iterator[Insider]:
    database = high.parts.database
    if request.param:
        with database.write() as tx:
            for code in {each.code.lower() for each in GUARDS if each.code.startswith(FAMILIES)}:
                take_away(tx, code)
    yield Insider(high, request.param)
    if request.param:
        migrate(database)


def test_a_proofing_officer_who_lies_needs_four_others(insider: Insider) -> None:
    high = insider.high
    me = high.proofer
    application = high.vetted()  # of somebody who never came
    hand = high.hand(me, Task.PROOFING, application)
    insider.act(lambda: record_duty(high.parts, application.id, Task.PROOFING, hand, utc_now()))
    package = application_package(application)
    insider.act(
        lambda: approve_application(
            high.parts, application.id, me.sign(package), high.approver.officer, utc_now()
        )
    )
    insider.sql("UPDATE application SET state = 'approved' WHERE id = :id", id=application.id)
    insider.everything_else(application, me)
    insider.has_nothing(application)


def test_an_honest_approval_of_a_lie_still_gives_the_liar_nothing(insider: Insider) -> None:
    application = insider.high.approved()
    insider.everything_else(application, insider.high.proofer)
    insider.has_nothing(application)


@pytest.mark.parametrize("role", ["approver", "operator", "dispatcher", "checker"])
def test_an_insider_who_did_one_task_cannot_do_the_others(insider: Insider, role: str) -> None:
    high = insider.high
    me: EnrolledOfficer = getattr(high, role)
    application, _ = high.delivered()
    # The tasks of others, in their names and in the own, signed with the only key there is.
    for task in Task:
        stands = high.parts.applications.get(application.id)
        hand = Hand(me.officer, me.sign(duty_statement(task, stands)))
        insider.act(
            lambda task=task, hand=hand: record_duty(  # type: ignore[misc]
                high.parts, application.id, task, hand, utc_now()
            )
        )
    insider.everything_else(application, me)
    insider.has_nothing(application)


def test_a_session_put_into_the_database_signs_nothing(insider: Insider) -> None:
    high = insider.high
    me, victim = high.approver, high.proofer.officer
    secret = "a session that nobody began"
    insider.sql(
        "INSERT INTO officer_session (token_sha256, officer_id, expires_at)"
        " VALUES (:token, :officer, :later)",
        token=hashlib.sha256(f"{secret}{insider.owner}".encode()).hexdigest(),
        officer=victim.id,
        later=int((utc_now() + timedelta(hours=1)).timestamp()) * 1_000_000,
    )
    application = high.vetted()  # in the victim's name, through that session
    forged = Hand(victim, me.sign(duty_statement(Task.PROOFING, application)))
    insider.act(lambda: record_duty(high.parts, application.id, Task.PROOFING, forged, utc_now()))
    signature = me.sign(application_package(application))
    insider.act(
        lambda: approve_application(high.parts, application.id, signature, me.officer, utc_now())
    )
    insider.everything_else(application, me)
    insider.has_nothing(application)


def test_officers_who_were_made_up_are_on_no_list(insider: Insider) -> None:
    """The most that the database can do: real certificates for people who do not exist."""
    high = insider.high
    made_up = replace(high)
    for name, role in (
        ("proofer", Role.REGISTRATION_OFFICER),
        ("approver", Role.APPROVING_OFFICER),
        ("operator", Role.PERSONALISATION_OPERATOR),
        ("dispatcher", Role.CODE_DISPATCHER),
    ):
        setattr(made_up, name, an_officer(high.parts, role))
    made_up.parts = high.parts
    with pytest.raises(Refused, match="OPERATOR_LEVEL_TOO_LOW"):
        made_up.vetted()
    # As if they had got past that: at the activation the list is asked again.
    listed = listing(made_up.proofer, made_up.approver).officers
    made_up.parts = replace(high.parts, decisions=replace(high.parts.decisions, officers=listed))
    application = made_up.vetted()
    signature = made_up.approver.sign(application_package(application))
    approved = approve_application(
        made_up.parts, application.id, signature, made_up.approver.officer, utc_now()
    )
    tasks = {
        Task.PROOFING: made_up.proofer,
        Task.PERSONALISATION: made_up.operator,
        Task.CODE_DISPATCH: made_up.dispatcher,
    }
    for task, who in tasks.items():
        hand = made_up.hand(who, task, approved)
        insider.act(
            lambda task=task, hand=hand: record_duty(  # type: ignore[misc]
                high.parts, approved.id, task, hand, utc_now()
            )
        )
        insider.duty(approved, task, who, hand.signature)
    prepare = Hand(made_up.operator.officer, b"")
    insider.act(
        lambda: prepare_credential(high.parts, approved.id, Channel.ONLINE, prepare, utc_now())
    )
    secret = insider.code(approved)
    insider.act(
        lambda: activate(
            high.parts, approved.id, Claim(secret.value, None, receipt=True), utc_now()
        )
    )
    insider.activated(approved, b"sealed by nobody")
    insider.has_nothing(approved)


def test_the_seal_of_another_activation_opens_none_here(insider: Insider) -> None:
    high = insider.high
    mine = high.activated()
    with high.parts.database.read() as tx:
        sealed = tx.execute(
            text("SELECT sealed_activation FROM credential WHERE application_id = :id"),
            {"id": mine.id},
        ).scalar_one()
    theirs, _ = high.delivered()
    insider.activated(theirs, sealed)
    insider.has_nothing(theirs)


def test_signatures_for_another_package_count_for_none(insider: Insider) -> None:
    high = insider.high
    done = high.activated()
    application = high.approved()
    for each in high.parts.credentials.duties(done):
        who = next(one for one in high.staff if one.officer.id == each.officer)
        insider.duty(application, each.task, who, each.signature)
    secret = insider.code(application)
    insider.act(
        lambda: activate(
            high.parts, application.id, Claim(secret.value, None, receipt=True), utc_now()
        )
    )
    insider.activated(application, b"sealed by nobody")
    insider.has_nothing(application)


def test_a_dispatcher_cannot_lead_the_code_elsewhere(insider: Insider) -> None:
    high = insider.high
    application = high.prepared()
    before = high.parts.applications.get(application.id)
    mine = replace(before, contact=Contact(phone=PhoneNumber("+4511111111")))
    # Even a write by the program's own hand changes the package that was approved.
    high.parts.applications.update(before, mine, "system:applicant", utc_now())
    hand = high.hand(high.dispatcher, Task.CODE_DISPATCH, application)
    sent = dispatch_code(high.parts, application.id, CodeChannel.SMS, hand, utc_now())
    code = high.code_of(sent.code_id)
    answer = high.login(application)
    insider.act(
        lambda: activate(high.parts, application.id, Claim(code, answer, receipt=True), utc_now())
    )
    insider.has_nothing(application)


def test_key_level_and_person_of_an_application_cannot_be_exchanged(insider: Insider) -> None:
    high = insider.high
    application, code = high.delivered()
    other, _ = high.delivered()
    for change in (
        "level = 'low'",
        "profile = 'natural-person-low'",
        "spki_sha256 = (SELECT o.spki_sha256 FROM application o WHERE o.id = :other)",
        "sealed_body = (SELECT o.sealed_body FROM application o WHERE o.id = :other)",
    ):
        insider.sql(
            f"UPDATE application SET {change} WHERE id = :id",  # noqa: S608
            id=application.id,
            **({"other": other.id} if ":other" in change else {}),
        )
    insider.act(
        lambda: activate(high.parts, application.id, Claim(code, None, receipt=True), utc_now())
    )
    insider.activated(application, b"sealed by nobody")
    insider.has_nothing(application)


def test_the_guards_refused_most_of_it_before_any_signature_was_looked_at(
    high: HighOffice,
) -> None:
    insider = Insider(high, owner=False)
    application, _ = high.delivered()
    insider.everything_else(application, high.proofer)
    assert len(insider.refused) >= 4
    insider.has_nothing(application)

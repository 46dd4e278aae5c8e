"""A database in the middle of its life, for attacks by direct SQL: everything that guards protect.

The attacker has a plain connection: none of the settings with which `records.database` opens
SQLite, and on PostgreSQL, if wished, a session in which ordinary triggers and foreign keys rest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from audit.events import Event
from audit.log import make_head
from audit.payloads import Payload
from audit.retention import RetentionPeriods
from ca.identifiers import IssuerName
from gdpr_erasure.erasures import Approval
from gdpr_erasure.policies import BUILT_IN
from ra.applications import Application, refuse
from ra.requirements import finding
from records.audit_log import audit_log
from records.audit_payloads import Told, append_told
from records.audit_retention import retain
from records.officers import Officer, Role
from records.orders import NewOrder
from records.takeovers import Takeovers
from records.visibility import Channel
from revocation.causes import Cause, Grounds
from revocation.foreign_crls import ForeignCrl
from revocation.selections import Selection
from server.clock import utc_now
from tests.support.case_story import tell_cases
from tests.support.consents import consent_story
from tests.support.delivery_story import tell_delivery
from tests.support.duties import duty_story
from tests.support.erasures import administrators, ready, requested, to_sealed
from tests.support.organisation_story import OrganisationStory
from tests.support.person_story import tell_persons
from tests.support.ra_builders import NOW
from tests.support.renewals import renewal_story
from tests.support.set_aside import set_aside
from tests.support.stores import (
    ALONE,
    DIRECTORY,
    ISSUING,
    Person,
    Place,
    Stores,
    a_person,
    approval_by,
    approved,
    contents,
    in_proofing,
    place_of,
    server_order,
    staff_order,
    submitted,
    verified,
)
from tests.support.story_sql import copied

ORIGIN = "tillid/audit"


@dataclass
class Story:
    """The stores, the names of what stands in them, and an attacker's connections."""

    stores: Stores
    names: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._plain = create_engine(self.stores.database.engine.url, poolclass=NullPool)
        self._tell()
        self._before = contents(self.stores.database)

    def require_unchanged(self) -> None:
        """No row of any table differs from the story as it was told."""
        assert contents(self.stores.database) == self._before

    @contextmanager
    def attacker(self, *settings: str) -> Iterator[Connection]:
        """A plain connection in a transaction that is always rolled back."""
        with self._plain.connect() as connection:
            for setting in settings:
                connection.exec_driver_sql(setting)
            yield connection
            connection.rollback()

    def _tell(self) -> None:
        now = utc_now()
        self._retention(now)
        self._officers(now)
        self._certificates(now)
        self.administrators = administrators(self.stores, now)
        self._erasures(now)
        self._people(now)
        self._applications(now)
        self._issuers(now)
        self._bulk_revocations(now)
        consent_story(self.stores, self.names, now)
        duty_story(self.stores, self.names, now)
        renewal_story(self.stores, self.names, now)
        live = str(self.names["live_subject"])
        self.names |= tell_delivery(self.stores, now)
        self.names |= tell_cases(self.stores, live, self.proofer, now)
        people = {"proofer": self.proofer, "other": self.other}
        self.names |= tell_persons(self.stores, people, now)
        officers = (self.proofer, self.approver)
        self.names |= OrganisationStory(self.stores, officers, now).tell()
        self._to_be_published(now)
        key = ec.generate_private_key(ec.SECP256R1())
        with audit_log(self.stores.database) as log:
            head = make_head(log, key, now + timedelta(seconds=30), bytes(32), ORIGIN)
        assert head is not None
        # A seal of an earlier erasure: the keys of this story's are still to die.
        self._write(
            "INSERT INTO vault_seal (epoch, began_at, sealed_at, tokens) VALUES (6, 0, 0, '[]')"
        )
        self.names |= {"issuer": ISSUING, "head": head.size, "now": _micros(now)}
        self.names |= {"superseded": "issuing-2", "retired": "issuing-3"}
        self.names["imported"] = "issuing-2"

    def _retention(self, now: datetime) -> None:
        """An event of years ago, whose payload and header are gone; and one that stands."""
        database, personal = self.stores.database, self.stores.personal
        kept, gone = "subject-of-a-payload", "subject-of-none"
        event = Event("case.closed", "system:job", "case/1", {})
        for subject, told_at in ((gone, now - timedelta(days=2000)), (kept, now)):
            self._write(
                "INSERT INTO subject (id, kind, state, created_at) VALUES (:id, 'x', 'active', 0)",
                id=subject,
            )
            with database.write() as tx:
                told = Told(event, (Payload(subject, {"word": "a word"}),))
                self.names["told"] = append_told(tx, [told], personal, told_at)
            retain(database, RetentionPeriods(1, 1), "system:operator", now)
        self._write("UPDATE subject SET state = 'erasing' WHERE id = :id", id=kept)
        self.names["payload_subject"] = kept

    def _issuers(self, now: datetime) -> None:
        """One that gave way to a later generation, and one whose key was destroyed."""
        issuers = self.stores.issuers
        for generation in (2, 3):
            self.stores.further_issuer(generation, now)
            issuers.supersede(IssuerName(f"issuing-{generation}"), now)
        retired = IssuerName("issuing-3")
        taken = ForeignCrl(7, now, now + timedelta(days=1), {}, b"octets of others", bytes(32))
        Takeovers(self.stores.database).keep_crl(
            IssuerName("issuing-2"), taken, "system:operator", now
        )
        issuers.retire(retired, now)
        self.stores.last_crl(retired, now)
        issuers.record_destruction(retired, now)

    def _bulk_revocations(self, now: datetime) -> None:
        """A large plan, one that was begun, and one that is done; two who may begin them."""
        stores = self.stores
        first, second = (stores.officer(Role.SECURITY_ADMINISTRATOR, now) for _ in range(2))
        self.names |= {"planner": first.id, "second": second.id}
        for name, count in (("done", 1), ("begun", ALONE), ("planned", ALONE + 1)):
            places = [place_of(stores.issue(server_order(), now)) for _ in range(count)]
            listed = Selection({place: line for line, place in enumerate(places, 1)})
            plan = stores.bulk.plan(listed, Grounds(Cause.REPLACED), first.id, now)
            self.names |= {f"{name}_bulk": plan.id, f"{name}_sha256": plan.sha256}
            if name != "planned":
                stores.bulk.begin(plan.id, plan.sha256, second.id, now)
                stores.bulk.carry_on(plan.id, now, limit=1)

    def _officers(self, now: datetime) -> None:
        stores = self.stores
        self.proofer = stores.officer(Role.REGISTRATION_OFFICER, now)
        self.approver = stores.officer(Role.APPROVING_OFFICER, now)
        other = self.other = stores.officer(Role.REGISTRATION_OFFICER, now)
        ended = stores.officer(Role.APPROVING_OFFICER, now)
        invited = stores.officers.invite("Ina Invited", Role.APPROVING_OFFICER, now)
        stray = stores.issue(staff_order(ended), now)
        revoked = stores.issue(staff_order(other), now)
        stores.revoked(revoked, now)
        self._write(
            "UPDATE officer SET state = 'ended' WHERE id = :id",
            id=ended.id,
        )
        for name, officer in (
            ("proofer", self.proofer),
            ("approver", self.approver),
            ("other_officer", other),
            ("ended", ended),
            ("invited", invited),
            ("double", self._same_person_as_proofer(now)),
        ):
            self.names |= {name: officer.id, f"{name}_person": officer.person_id}
        self.names["officer_subject"] = self.approver.subject_id
        for name, certificate in (("stray", stray), ("revoked_staff", revoked)):
            self.names[f"{name}_fingerprint"] = certificate.fingerprint(hashes.SHA256()).hex()
            self.names[f"{name}_serial"] = place_of(certificate)[1].hex

    def _same_person_as_proofer(self, now: datetime) -> Officer:
        """The vetting officer's own second role, as an approving officer."""
        invited = self.stores.officers.invite("Ole Officer", Role.APPROVING_OFFICER, now)
        second = Officer(
            "officer-feedfeedfeedfeed",
            self.proofer.person_id,
            Role.APPROVING_OFFICER,
            invited.subject_id,
            "invited",
        )
        self._write(
            copied("officer", "id = :old", id=":id", person_id=":person"),
            old=invited.id,
            id=second.id,
            person=second.person_id,
        )
        certificate = self.stores.issue(staff_order(second), now)
        self.stores.officers.enrol(second.id, ISSUING, certificate, now)
        return second

    def _certificates(self, now: datetime) -> None:
        """Certificates about nobody: no subject, no application, no publication."""
        stores = self.stores
        issued = stores.issue(server_order(), now)
        intent = stores.intend(server_order(), now)
        unseen = stores.revoked(stores.issue(server_order(), now), now)
        half_seen = stores.revoked(stores.issue(server_order(), now), now)
        stores.crls.observe(half_seen, "crl", bytes(32), now)
        held = stores.statuses.hold(*place_of(stores.issue(server_order(), now)), "system:x", now)
        with stores.database.write() as tx:
            tx.execute(text("INSERT INTO compromised_key (spki_sha256) VALUES ('ab')"))
        self.names |= {
            "issued": place_of(issued)[1].hex,
            "issued_fingerprint": issued.fingerprint(hashes.SHA256()).hex(),
            "intent": intent.content.serial_number.hex,
            "unseen": unseen[1].hex,
            "half_seen": half_seen[1].hex,
            "held": held.serial_number.hex,
        }
        stores.crl(now)
        stores.crl(now)
        unseen_changes = stores.visible.unseen(ISSUING, Channel.CRL)
        assert unseen_changes is not None
        stores.visible.see(unseen_changes, Channel.CRL, now)

    def _people(self, now: datetime) -> None:
        """Published; withdrawing; seen and withdrawn; being erased; erased."""
        stores = self.stores
        live, leaving, owing, clean, erased = (a_person(stores, now) for _ in range(5))
        stores.publish_all(now)
        for person in (clean, erased):
            self._revoke(person, now)
        stores.withdraw_all(now)
        self._revoke(leaving, now)
        self._revoke(owing, now)
        self._owe(owing)
        self._erase(erased, now)
        self._erase(clean, now, ends=False)
        for name, person in (("live", live), ("leaving", leaving), ("erasing", clean)):
            self.names[name] = person.place[1].hex
            self.names[f"{name}_subject"] = person.subject_id
            self.names[f"{name}_application"] = str(person.application.id)
        self.names["erased"] = erased.place[1].hex

    def _to_be_published(self, now: datetime) -> None:
        """Due in a directory; and given up after five tries."""
        refused, waiting = (a_person(self.stores, now) for _ in range(2))
        due = self.stores.publications.pending(DIRECTORY, 100, now)
        (task,) = (each.id for each in due if each.serial == refused.place[1])
        set_aside(self.stores.publications, task, now)
        self.names |= {"waiting": waiting.place[1].hex, "set_aside": refused.place[1].hex}

    def _owe(self, person: Person) -> None:
        self.names["owed"] = person.place[1].hex
        self._write(
            "INSERT INTO directory_debt (directory, issuer, serial, case_id, retry_at)"
            " SELECT directory, issuer, serial, :case, 0 FROM publication WHERE serial = :serial",
            case="E-0",
            serial=self.names["owed"],
        )

    def _revoke(self, person: Person, now: datetime) -> Place:
        place = self.stores.revoked(person.certificate, now)
        self.stores.observe_all(place, now)
        return place

    def _erase(self, person: Person, now: datetime, *, ends: bool = True) -> None:
        case = ready(self.stores, person.subject_id, self.administrators, now)
        if not ends:
            self.names["erasure_begun"] = case.id
            return
        destroyed = self.stores.erasures.destroy(case, now)
        assert destroyed is not None
        sealed = to_sealed(self.stores, destroyed, now)
        self.stores.erasures.finish(sealed, "receipt", now)
        self.names["erasure_done"] = case.id

    def _erasures(self, now: datetime) -> None:
        """A request with one approval, files that are kept, a hold, and what is asked for."""
        stores, (first, second) = self.stores, self.administrators
        asked, kept, held, sued = (a_person(stores, now) for _ in range(4))
        case = requested(stores, asked.subject_id, now)
        stores.erasures.approve(case, Approval(first.id, case.assessment.sha256), now, now)
        stores.publish_all(now)
        for person in (kept, held, sued):
            self._revoke(person, now)
        stores.withdraw_all(now)
        nsis = (BUILT_IN["nsis"],)
        part = ready(stores, kept.subject_id, self.administrators, now, nsis)
        assert stores.erasures.destroy(part, now) is not None
        until_expiry = (BUILT_IN["keep_until_expiry"],)
        ready(stores, held.subject_id, self.administrators, now, until_expiry)
        ready(stores, sued.subject_id, self.administrators, now)
        self._write(
            "INSERT INTO subject (id, kind, state, created_at)"
            " VALUES ('subject-0', 'natural_person', 'erasing', 0)"
        )
        for subject in (held.subject_id, sued.subject_id, "subject-0"):
            hold = stores.orders.ask(NewOrder("hold", "B 1", subject), first.id, now)
            stores.orders.approve(hold.id, second.id, now)
        new = NewOrder("release", "B 1", hold_id=hold.id)
        self.names |= {
            "erasure_asked": case.id,
            "asked_subject": asked.subject_id,
            "asked_serial": asked.place[1].hex,
            "rulings": case.assessment.sha256,
            "kept_subject": kept.subject_id,
            "sued_subject": sued.subject_id,
            "sued_serial": sued.place[1].hex,
            "untouched_subject": "subject-0",
            "held_subject": held.subject_id,
            "held_serial": held.place[1].hex,
            "hold": hold.id,
            "release": stores.orders.ask(new, first.id, now).id,
            "first": first.id,
            "first_person": first.person_id,
            "second_admin": second.id,
            "second_person": second.person_id,
        }

    def _applications(self, now: datetime) -> None:
        stores = self.stores
        new = submitted()
        stores.applications.add(new, "secret", now)
        ready = verified(stores, self.proofer, submitted())
        forged = verified(stores, self.proofer, submitted())
        self._approve_beside_the_program(forged)
        doomed = approved(stores)
        self._write("UPDATE subject SET state = 'erasing' WHERE id = :id", id=doomed.subject_id)
        closed = in_proofing(stores, self.proofer, submitted())
        reason = (finding("REG-IDN-L12", "PROOFING_TOO_OLD"),)
        stores.applications.update(closed, refuse(closed, reason, NOW), self.proofer.id, now)
        for name, application in (
            ("submitted", new),
            ("verified", ready),
            ("half_approved", forged),
            ("doomed", doomed),
            ("rejected", closed),
            ("approved", approved(stores)),
        ):
            self.names |= self._application_names(name, application)

    def _application_names(self, name: str, application: Application) -> dict[str, object]:
        return {
            f"{name}_application": str(application.id),
            f"{name}_subject": application.subject_id,
            f"{name}_package": application.package_hash,
            f"{name}_spki": application.spki_sha256,
        }

    def _approve_beside_the_program(self, application: Application) -> None:
        """A rightful approval that was written without approving the application."""
        found = approval_by(self.approver, application).approval
        self._write(
            "INSERT INTO approval (application_id, officer_id, person_id, package_sha256,"
            " sealed_package, signature, at) VALUES (:id, :officer, :person, :package,"
            " :sealed, :signature, 0)",
            id=str(application.id),
            officer=found.officer,
            person=found.person_id,
            package=found.package_hash,
            sealed=b"sealed",
            signature=found.signature,
        )

    def _write(self, statement: str, **values: object) -> None:
        with self.stores.database.write() as tx:
            tx.execute(text(statement), values)


def _micros(time: datetime) -> int:
    return int(time.timestamp()) * 1_000_000

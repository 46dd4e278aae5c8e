"""Legal persons, mandates and associations in the middle of their lives, for attacks by SQL."""

from dataclasses import replace
from datetime import datetime

from ca.identifiers import SerialNumber
from ra.applications import Application
from ra.associations import Association, AssociationKind, Levels, Side
from ra.case import Basis, CallBack, CompanyStatus
from ra.evidence import Officer as CheckingOfficer
from ra.legal_persons import Act, CvrNumber, Drawn
from ra.levels import AssuranceLevel
from ra.mandate_package import MandateApproval
from ra.mandates import (
    AskedMandate,
    Authenticated,
    Mandate,
    MandateState,
    RegisterAnswer,
    open_mandate,
    record_signature,
    refuse,
    step,
)
from ra.requirements import finding
from records.associations import Associations, NewAssociation, name_organisation
from records.mandates import Mandates
from records.officers import Officer
from tests.support.stores import (
    Person,
    Stores,
    a_person,
    approval_by,
    order_of,
    submitted,
    verified,
)

REGISTERED, PROPOSED = CvrNumber("99000007"), CvrNumber("99000015")
_DIGEST = "0" * 64
_LEVEL = AssuranceLevel.SUBSTANTIAL


class OrganisationStory:
    """What stands in the tables of organisations, and the names of it."""

    def __init__(self, stores: Stores, officers: tuple[Officer, Officer], now: datetime) -> None:
        """With an officer who checks and one who approves."""
        self._stores, self._now = stores, now
        self._checker, self._approver = officers
        self._mandates = Mandates(stores.database, stores.personal)
        self._associations = Associations(stores.database)
        self.names: dict[str, object] = {}

    def tell(self) -> dict[str, object]:
        """Make everything; gives its names."""
        director, other = (a_person(self._stores, self._now) for _ in range(2))
        self._tell_mandates(director, other)
        self._tell_associations(director)
        for name, person in (("director", director), ("other", other)):
            self.names[f"{name}_subject"] = person.subject_id
        for name, cvr in (("registered", REGISTERED), ("proposed", PROPOSED)):
            of = self._mandates.organisation(cvr)
            self.names |= {f"{name}_org": of.id, f"{name}_org_subject": of.subject_id}
        return self.names

    def administered(self) -> None:
        """Somebody is appointed to administer the people of the registered company."""
        person = a_person(self._stores, self._now)
        self._granted(self._checked(self._asked(person, REGISTERED, act=Act.ADMINISTER)))

    def _tell_mandates(self, director: Person, other: Person) -> None:
        asked = self._asked(director, PROPOSED)
        signer = _authenticated(other, self._now)
        signed = record_signature(asked, signer, asked.asked_sha256, self._now)
        self._mandates.sign(asked, signed, signer, self._now)
        high = self._checked(self._asked(director, PROPOSED, AssuranceLevel.HIGH), selected=True)
        called = self._checked(self._asked(director, PROPOSED), selected=True)
        confirmed = replace(called, updated_at=self._now)
        who = self._checker.id
        self._mandates.called(called, confirmed, CallBack.CONFIRMED, who, self._now)
        ready = self._checked(self._asked(director, PROPOSED))
        refused = self._asked(director, PROPOSED)
        reason = (finding("REG-IDL-L3", "LEGAL_PERSON_CEASED"),)
        closed = refuse(refused, reason, self._now)
        self._mandates.refuse_for_specimen(refused, closed, who, self._now)
        granted = self._granted(self._checked(self._asked(director, REGISTERED)))
        for name, of in (
            ("open", signed),
            ("high", high),
            ("called", called),
            ("ready", ready),
            ("refused", closed),
            ("granted", granted),
        ):
            self.names[f"{name}_mandate"] = str(of.id)

    def _tell_associations(self, director: Person) -> None:
        proposed = self._proposed(a_person(self._stores, self._now), director)
        agreed_by = a_person(self._stores, self._now)
        agreed = self._agreed(agreed_by, director)
        employee = a_person(self._stores, self._now)
        active = self._active(employee, director)
        application = self._application(employee)
        self._name(application, active)
        certificate = self._stores.issue(order_of(application), self._now)
        idle = a_person(self._stores, self._now)
        idling = self._active(idle, director)
        waiting = self._application(idle)
        free = self._application(idle)
        half = self._application(idle)
        self._name(waiting, idling)
        self._name(half, idling)
        intent = self._stores.intend(order_of(half), self._now)
        suspended = self._associations.suspend(idling, Side.PERSON, self._now)
        self.names |= {
            "carrying": SerialNumber(certificate.serial_number).hex,
            "employee_application": str(application.id),
            "employee_subject": employee.subject_id,
            "waiting_application": str(waiting.id),
            "waiting_spki": waiting.spki_sha256,
            "waiting_subject": idle.subject_id,
            "free_application": str(free.id),
            "half_carried": intent.content.serial_number.hex,
        }
        for name, of in (
            ("proposed", proposed),
            ("agreed", agreed),
            ("active", active),
            ("suspended", suspended),
        ):
            self.names[f"{name}_association"] = of.id

    def _asked(
        self,
        person: Person,
        cvr: CvrNumber,
        level: AssuranceLevel = _LEVEL,
        act: Act = Act.REGISTER,
    ) -> Mandate:
        asked = AskedMandate(cvr, act, level, person.subject_id, by_role=True)
        of = open_mandate(asked, _authenticated(person, self._now), self._now)
        self._mandates.add(of, self._now)
        return of

    def _checked(self, of: Mandate, *, selected: bool = False) -> Mandate:
        answer = RegisterAnswer("test:cvr", CompanyStatus.ACTIVE, self._now)
        who = CheckingOfficer(self._checker.id, self._checker.person_id)
        drawn = Drawn(10, selected) if selected else None
        asked = replace(of, register=answer)
        self._mandates.record_power(of, asked, drawn, who.pseudonym, self._now)
        checked = replace(asked, checked_by=who, package_hash=_DIGEST)
        after = step(checked, MandateState.VERIFIED, self._now)
        self._mandates.update(asked, after, who.pseudonym, self._now)
        return after

    def _granted(self, of: Mandate) -> Mandate:
        after = step(of, MandateState.GRANTED, self._now)
        who = self._approver
        approval = MandateApproval(who.id, who.person_id, _DIGEST, b"signature", self._now)
        self._mandates.grant(of, after, approval, self._now)
        return after

    def _proposed(self, person: Person, by: Person) -> Association:
        of = self._mandates.organisation(REGISTERED)
        new = NewAssociation(
            of.id,
            person.subject_id,
            AssociationKind.CREDENTIAL,
            Basis.ADMINISTRATOR,
            _LEVEL,
            by.subject_id,
        )
        return self._associations.propose(new, self._now)

    def _agreed(self, person: Person, by: Person) -> Association:
        return self._associations.consent(self._proposed(person, by), self._now)

    def _active(self, person: Person, by: Person) -> Association:
        levels = Levels(_LEVEL, _LEVEL, AssuranceLevel.HIGH)
        return self._associations.activate(self._agreed(person, by), levels, self._now)

    def _application(self, person: Person) -> Application:
        """A further application of the person, vetted and approved."""
        new = submitted()
        mine = replace(new, applicant=replace(new.applicant, subject_id=person.subject_id))
        found = approval_by(self._approver, verified(self._stores, self._checker, mine))
        store = self._stores.applications
        store.approve(store.get(mine.id), found, self._now)
        return store.get(mine.id)

    def _name(self, application: Application, of: Association) -> None:
        with self._stores.database.write() as tx:
            name_organisation(tx, application.id, of.organisation_id, of.id)


def _authenticated(person: Person, now: datetime) -> Authenticated:
    return Authenticated(person.subject_id, _LEVEL, _DIGEST, now)

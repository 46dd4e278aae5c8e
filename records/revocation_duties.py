"""Duties to revoke: opened once, done by the revocation itself, dismissed by two persons.

That a revocation ends the duties of its certificate is an effect of the database
(`records.guards_duties`), so no way of revoking can forget it; the event of the revocation tells
of both.
"""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Row, and_, case, exists, or_, select, update

from audit.events import Event
from ca.identifiers import IssuerName, SerialNumber
from ra.case import Basis
from ra.legal_persons import Act, CvrNumber
from ra.mandates import MandateState
from ra.revocation_duties import Credential, Duty, DutyCause, DutyState, NoReason
from records.audit_log import append
from records.database import Database
from records.errors import Conflict, NotFound
from records.officers import Officer
from records.tables import (
    application,
    association,
    certificate,
    mandate,
    organisation,
    organisation_application,
    revocation_duty,
)

QUIET = timedelta(days=30)
"""For so long a dismissed cause is not opened again for the same certificate."""


def open_duty(
    tx: Connection, credential: Credential, cause: DutyCause, actor: str, now: datetime
) -> str | None:
    """Open a duty in the caller's transaction; None when it is open, or lately dismissed.

    Raises:
        RuleBroken: the certificate is not the subject's, or is not in force (DTR01).
    """
    of = revocation_duty.c
    same = (of.issuer == credential.issuer, of.serial == credential.serial, of.cause == cause)
    # Whoever holds the certificate's row opens alone.
    place = (certificate.c.issuer == credential.issuer, certificate.c.serial == credential.serial)
    tx.execute(select(certificate.c.status).where(*place).with_for_update())
    known = or_(of.state == "open", of.decided_at > now - QUIET)
    if tx.execute(select(of.id).where(*same, of.state != "revoked", known)).first():
        return None
    duty_id = f"D-{secrets.token_hex(8)}"
    tx.execute(
        revocation_duty.insert().values(
            id=duty_id,
            issuer=credential.issuer,
            serial=credential.serial,
            subject_id=credential.subject_id,
            cause=cause,
            state=DutyState.OPEN,
            opened_at=now,
            opened_by=actor,
            deadline=now + cause.time_to_act,
        )
    )
    append(tx, Event("duty.opened", actor, duty_id, {"cause": cause}), now)
    return duty_id


def open_duties_of(
    tx: Connection, subject_id: str, cause: DutyCause, actor: str, now: datetime
) -> tuple[str, ...]:
    """Open a duty for each credential of a subject that is in force, in one transaction."""
    of = certificate.c
    live = select(of.issuer, of.serial).where(
        of.subject_id == subject_id, of.status.in_(("issued", "held")), of.not_after > now
    )
    places = tx.execute(live.order_by(of.issuer, of.serial)).all()
    found = (
        open_duty(tx, Credential(row.issuer, row.serial, subject_id), cause, actor, now)
        for row in places
    )
    return tuple(each for each in found if each is not None)


class RevocationDuties:
    """The table of duties to revoke."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def open(
        self, credential: Credential, cause: DutyCause, actor: str, now: datetime
    ) -> str | None:
        """Open a duty; None when it is open, or lately dismissed. Raises: as `open_duty`."""
        with self._database.write() as tx:
            return open_duty(tx, credential, cause, actor, now)

    def get(self, duty_id: str) -> Duty:
        """One duty; NotFound when there is none."""
        with self._database.read() as tx:
            return _duty(_row(tx, duty_id))

    def all(self, *states: DutyState) -> tuple[Duty, ...]:
        """The duties in these states, those that are due first."""
        of = revocation_duty.c
        query = select(revocation_duty).where(of.state.in_(states)).order_by(of.deadline, of.id)
        with self._database.read() as tx:
            return tuple(_duty(row) for row in tx.execute(query))

    def dismiss(self, duty_id: str, why: NoReason, officer: Officer, now: datetime) -> Duty:
        """Say that there is no reason to revoke; done when a second person says the same.

        Raises:
            NotFound, Conflict: there is no such duty, it has ended, or another reason was given.
            RuleBroken: not an active security administrator, or the same person twice (DTR05).
        """
        with self._database.write() as tx:
            row = _row(tx, duty_id, lock=True)
            if row.state != DutyState.OPEN:
                raise Conflict(f"duty {duty_id}", row.state)
            if row.proposed_by is not None and row.no_reason != why:
                raise Conflict(f"duty {duty_id}", f"proposed for dismissal as {row.no_reason}")
            kind = "proposed" if row.proposed_by is None else "dismissed"
            values = _proposed(why, officer) if kind == "proposed" else _dismissed(officer, now)
            of = revocation_duty
            tx.execute(update(of).where(of.c.id == duty_id).values(**values))
            append(tx, Event(f"duty.{kind}", officer.id, duty_id, {"no_reason": why}), now)
            return _duty(_row(tx, duty_id))

    def live(self, now: datetime) -> tuple[tuple[Credential, str], ...]:
        """Every credential in force that an application led to, with that application's id."""
        of = certificate.c
        query = select(of.issuer, of.serial, of.subject_id, of.application_id).where(
            of.status.in_(("issued", "held")), of.not_after > now, of.application_id.is_not(None)
        )
        with self._database.read() as tx:
            rows = tx.execute(query.order_by(of.issuer, of.serial)).all()
        return tuple(
            (Credential(row.issuer, row.serial, row.subject_id), row.application_id) for row in rows
        )

    def live_of_companies(self, now: datetime) -> tuple[tuple[Credential, str], ...]:
        """Every credential in force that names a legal person, with the number of that person.

        That are its own and those of the people associated with it (ISS-REV-L4d).
        """
        of, named = certificate.c, organisation_application.c
        query = (
            select(of.issuer, of.serial, of.subject_id, organisation.c.cvr)
            .join(organisation_application, named.application_id == of.application_id)
            .join(organisation, organisation.c.id == named.organisation_id)
            .where(of.status.in_(("issued", "held")), of.not_after > now)
        )
        with self._database.read() as tx:
            rows = tx.execute(query.order_by(of.issuer, of.serial)).all()
        return tuple((Credential(row.issuer, row.serial, row.subject_id), row.cvr) for row in rows)

    def without_mandate(
        self, now: datetime, company: CvrNumber | None = None
    ) -> tuple[Credential, ...]:
        """Every credential in force that names a legal person for whom nobody is mandated now.

        That is where no mandate to register it is in force at the level of the credential, or, for
        an employee whom an administrator added, none to administer its people (ISS-REV-L4c). Of one
        legal person, or of all.
        """
        of, named = certificate.c, organisation_application.c
        added = association.c.basis == Basis.ADMINISTRATOR
        query = (
            select(of.issuer, of.serial, of.subject_id)
            .join(application, application.c.id == of.application_id)
            .join(organisation_application, named.application_id == of.application_id)
            .join(organisation, organisation.c.id == named.organisation_id)
            .outerjoin(association, association.c.id == named.association_id)
            .where(of.status.in_(("issued", "held")), of.not_after > now)
            .where(
                or_(
                    ~_mandated(Act.REGISTER, now),
                    and_(added, ~_mandated(Act.ADMINISTER, now)),
                )
            )
        )
        if company is not None:
            query = query.where(organisation.c.cvr == company.value)
        with self._database.read() as tx:
            rows = tx.execute(query.order_by(of.issuer, of.serial)).all()
        return tuple(Credential(row.issuer, row.serial, row.subject_id) for row in rows)


def _mandated(act: Act, now: datetime) -> ColumnElement[bool]:
    """Whether somebody holds a mandate for this act, at the level of the application."""
    of, level = mandate.c, application.c.level
    return exists().where(
        of.organisation_id == organisation_application.c.organisation_id,
        of.act == act,
        of.state == MandateState.GRANTED,
        of.level >= case((level == "high", 3), (level == "substantial", 2), else_=1),
        or_(of.valid_until.is_(None), of.valid_until >= now.date()),
    )


def place_of(duty: Duty) -> tuple[IssuerName, SerialNumber]:
    """The certificate of a duty."""
    return IssuerName(duty.credential.issuer), SerialNumber.from_hex(duty.credential.serial)


def _proposed(why: NoReason, officer: Officer) -> dict[str, object]:
    return {"proposed_by": officer.id, "proposed_person": officer.person_id, "no_reason": why}


def _dismissed(officer: Officer, now: datetime) -> dict[str, object]:
    return {
        "state": DutyState.DISMISSED,
        "decided_by": officer.id,
        "decided_person": officer.person_id,
        "decided_at": now,
    }


def _row(tx: Connection, duty_id: str, *, lock: bool = False) -> Row[tuple[object, ...]]:
    query = select(revocation_duty).where(revocation_duty.c.id == duty_id)
    row = tx.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound("duty to revoke", duty_id)
    return row


def _duty(row: Row[tuple[object, ...]]) -> Duty:
    return Duty(
        id=row.id,
        credential=Credential(row.issuer, row.serial, row.subject_id),
        cause=DutyCause(row.cause),
        state=DutyState(row.state),
        opened_at=row.opened_at,
        opened_by=row.opened_by,
        deadline=row.deadline,
        proposed_by=row.proposed_by,
        no_reason=None if row.no_reason is None else NoReason(row.no_reason),
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )

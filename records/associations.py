"""Associations of persons with legal persons, and the certificates that carry them (NSIS 5)."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from audit.events import Detail, Event
from ca.identifiers import IssuerName, SerialNumber
from ra.applications import Application
from ra.associations import (
    Association,
    AssociationKind,
    AssociationState,
    Levels,
    Side,
    next_state,
)
from ra.case import Basis
from ra.errors import Conflict
from ra.legal_persons import CvrNumber
from ra.levels import AssuranceLevel
from records.audit_log import append
from records.database import Database
from records.errors import NotFound
from records.renewals import keep_renewal
from records.statuses import revoke_rows
from records.tables import (
    association,
    certificate,
    organisation,
    organisation_application,
)
from revocation.causes import Cause, Grounds

HOLDER = "system:holder"
ACTOR = "system:association"
_LIVE = ("issued", "held")


@dataclass(frozen=True, slots=True)
class NewAssociation:
    """What an organisation proposes, which is its own consent."""

    organisation_id: str
    subject_id: str
    kind: AssociationKind
    basis: Basis
    asked_level: AssuranceLevel
    proposed_by: str


class Associations:
    """The association table, and which application names which organisation."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def propose(self, new: NewAssociation, now: datetime) -> Association:
        """Keep a proposal; RuleBroken (ASC01) unless the organisation is registered."""
        association_id = f"B-{secrets.token_hex(8)}"
        with self._database.write() as tx:
            tx.execute(
                insert(association).values(
                    id=association_id,
                    organisation_id=new.organisation_id,
                    subject_id=new.subject_id,
                    kind=new.kind,
                    basis=new.basis,
                    asked_level=int(new.asked_level),
                    state=AssociationState.PROPOSED,
                    proposed_by=new.proposed_by,
                    organisation_consent_at=now,
                    created_at=now,
                    updated_at=now,
                )
            )
            _tell(tx, association_id, "proposed", {"basis": new.basis.value}, now)
            return _association(_row(tx, association_id))

    def get(self, association_id: str) -> Association:
        """The association as it stands; NotFound when there is none."""
        with self._database.read() as tx:
            return _association(_row(tx, association_id))

    def of_organisation(self, cvr: CvrNumber) -> tuple[Association, ...]:
        """Every association of a legal person, the oldest first."""
        query = _joined().where(organisation.c.cvr == cvr.value).order_by(association.c.created_at)
        with self._database.read() as tx:
            return tuple(_association(row) for row in tx.execute(query))

    def consent(self, before: Association, now: datetime) -> Association:
        """The person agrees; Conflict when that was done, or it is past that."""
        if before.person_consent_at is not None:
            raise Conflict("agreed to already")
        return self._set(before, "consented", {"person_consent_at": now}, now)

    def endorse(self, before: Association, administrator: str, now: datetime) -> Association:
        """A second administrator acts on it; Conflict for the first one, or when it is decided."""
        if before.endorsed_by is not None or before.proposed_by == administrator:
            raise Conflict("endorsed already, or proposed by the same administrator")
        return self._set(before, "endorsed", {"endorsed_by": administrator}, now)

    def activate(self, before: Association, levels: Levels, now: datetime) -> Association:
        """Verified with its levels, and active: two steps in one transaction (ASC03)."""
        next_state(before.state, AssociationState.VERIFIED)
        values = {
            "person_level": int(levels.person),
            "organisation_level": int(levels.organisation),
            "link_level": int(levels.link),
            "level": int(levels.level),
        }
        with self._database.write() as tx:
            _require_unchanged(tx, before)
            _move(tx, before.id, {**values, "state": AssociationState.VERIFIED}, now)
            _tell(tx, before.id, "verified", {"level": levels.level.label}, now)
            _move(tx, before.id, {"state": AssociationState.ACTIVE}, now)
            _tell(tx, before.id, "active", {}, now)
            return _association(_row(tx, before.id))

    def suspend(self, before: Association, side: Side, now: datetime) -> Association:
        """Either side suspends it."""
        state = next_state(before.state, AssociationState.SUSPENDED)
        values = {"state": state, "suspended_by": side}
        return self._set(before, "suspended", values, now, {"by": side.value})

    def resume(self, before: Association, side: Side, now: datetime) -> Association:
        """The side that suspended it takes it up again."""
        state = next_state(before.state, AssociationState.ACTIVE)
        values = {"state": state, "suspended_by": None}
        return self._set(before, "active", values, now, {"by": side.value})

    def end(self, before: Association, by: str, now: datetime) -> Association:
        """End it, and revoke every certificate that carries it, in one transaction (ASC-L10).

        `by` is a side, or `system`. The personal credential stays.
        """
        next_state(before.state, AssociationState.ENDED)
        with self._database.write() as tx:
            _require_unchanged(tx, before)
            rows = tx.execute(_carrying(before.id)).all()
            revoke_rows(tx, rows, Grounds(Cause.ASSOCIATION_ENDED), ACTOR, now)
            _move(tx, before.id, {"state": AssociationState.ENDED}, now)
            _tell(tx, before.id, "ended", {"by": by, "revoked": len(rows)}, now)
            return _association(_row(tx, before.id))

    def certificates(self, association_id: str) -> tuple[tuple[IssuerName, SerialNumber], ...]:
        """The live certificates that carry an association."""
        with self._database.read() as tx:
            rows = tx.execute(_carrying(association_id)).all()
        return tuple((IssuerName(r.issuer), SerialNumber.from_hex(r.serial)) for r in rows)

    def _set(
        self,
        before: Association,
        what: str,
        values: Mapping[str, object],
        now: datetime,
        details: dict[str, Detail] | None = None,
    ) -> Association:
        with self._database.write() as tx:
            _require_unchanged(tx, before)
            _move(tx, before.id, values, now)
            _tell(tx, before.id, what, details or {}, now)
            return _association(_row(tx, before.id))


def name_organisation(
    tx: Connection, application_id: str, organisation_id: str, association_id: str | None
) -> None:
    """Write down which organisation and association an application names (ORG12)."""
    tx.execute(
        insert(organisation_application).values(
            application_id=application_id,
            organisation_id=organisation_id,
            association_id=association_id,
        )
    )


def keep_named(of: Application, now: datetime) -> Callable[[Connection], None]:
    """What keeps which organisation an application names, and what it renews.

    Raises, in that transaction: RuleBroken (ORG12, REN01, REN02).
    """

    def keep(tx: Connection) -> None:
        keep_renewal(of, now)(tx)
        named = of.applicant.organisation
        if named is not None:
            name_organisation(tx, of.id, named.id, named.association)

    return keep


def forget_associations(tx: Connection, subject_id: str, applications: Select[tuple[str]]) -> None:
    """Delete what associates an erased person, and what names organisations in these files."""
    named = organisation_application.c.application_id.in_(applications)
    tx.execute(delete(organisation_application).where(named))
    tx.execute(delete(association).where(association.c.subject_id == subject_id))


def _carrying(association_id: str) -> Select[Any]:
    return (
        select(certificate)
        .join(
            organisation_application,
            organisation_application.c.application_id == certificate.c.application_id,
        )
        .where(organisation_application.c.association_id == association_id)
        .where(certificate.c.status.in_(_LIVE))
        .order_by(certificate.c.issuer, certificate.c.serial)
        .with_for_update(of=certificate)
    )


def _joined() -> Select[Any]:
    return select(association, organisation.c.cvr).join(
        organisation, organisation.c.id == association.c.organisation_id
    )


def _row(tx: Connection, association_id: str, *, lock: bool = False) -> Row[Any]:
    query = _joined().where(association.c.id == association_id)
    row = tx.execute(query.with_for_update(of=association) if lock else query).first()
    if row is None:
        raise NotFound("association", association_id)
    return row


def _require_unchanged(tx: Connection, before: Association) -> None:
    row = _row(tx, before.id, lock=True)
    if _association(row) != before:
        raise Conflict(row.state)


def _move(tx: Connection, association_id: str, values: Mapping[str, object], now: datetime) -> None:
    of = association.c.id == association_id
    tx.execute(update(association).where(of).values(updated_at=now, **values))


def _tell(
    tx: Connection, association_id: str, what: str, details: dict[str, Detail], now: datetime
) -> None:
    append(tx, Event(f"association.{what}", HOLDER, association_id, details), now)


def _association(row: Row[Any]) -> Association:
    levels = None
    if row.level is not None:
        parts = (row.person_level, row.organisation_level, row.link_level)
        levels = Levels(*(AssuranceLevel(each) for each in parts))
    return Association(
        id=row.id,
        organisation_id=row.organisation_id,
        organisation=CvrNumber(row.cvr),
        subject_id=row.subject_id,
        kind=AssociationKind(row.kind),
        basis=Basis(row.basis),
        asked_level=AssuranceLevel(row.asked_level),
        state=AssociationState(row.state),
        proposed_by=row.proposed_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        endorsed_by=row.endorsed_by,
        person_consent_at=row.person_consent_at,
        levels=levels,
        suspended_by=None if row.suspended_by is None else Side(row.suspended_by),
    )

"""Erasure cases; implements `gdpr_erasure.saga.ErasureStore`."""

import json
import secrets
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from audit.events import Event
from audit.payloads import DROPPED
from ca.identifiers import IssuerName, SerialNumber
from gdpr_erasure.errors import Conflict
from gdpr_erasure.saga import Erasure, ErasureState, Observation, Place, evidence_text
from records.audit_log import append
from records.audit_payloads import erase_payloads
from records.case_contents import forget_cases
from records.crls import Crls
from records.database import Database
from records.errors import NotFound
from records.personal_data import PersonalData
from records.proofing_records import forget_proofing
from records.tables import (
    application,
    approval,
    certificate,
    crl,
    erasure,
    publication,
    revocation_residue,
    subject,
)
from revocation.publication import COMPLETE

_CLOSED = (ErasureState.REQUESTED, ErasureState.DONE)


class Erasures:
    """The erasure table, and the one transaction that deletes a person."""

    def __init__(self, database: Database, personal: PersonalData, crls: Crls) -> None:
        """Use the database, the door whose keys die, and where observations are kept."""
        self._database = database
        self._personal = personal
        self._crls = crls

    def unrevoked(self, subject_id: str, now: datetime) -> tuple[Place, ...]:
        """Certificates of the subject that are neither revoked nor expired."""
        with self._database.read() as tx:
            rows = tx.execute(
                select(certificate.c.issuer, certificate.c.serial)
                .where(certificate.c.subject_id == subject_id)
                .where(certificate.c.status != "revoked", certificate.c.not_after >= now)
            )
            return tuple(_place(issuer, serial) for issuer, serial in rows)

    def open_erasure(self, subject_id: str, now: datetime) -> Erasure:
        """A new case, or the one that the subject has already."""
        with self._database.write() as tx:
            # Two requests at once are one after the other from here on.
            concerned = select(subject.c.id).where(subject.c.id == subject_id).with_for_update()
            if not tx.execute(concerned).first():
                raise NotFound("data subject", "of this request")
            found = tx.execute(select(erasure).where(erasure.c.subject_id == subject_id)).first()
            if found is not None:
                return _case(tx, found)
            places = _places_of_subject(tx, subject_id)
            case_id = f"E-{secrets.token_hex(8)}"
            tx.execute(
                insert(erasure).values(
                    id=case_id,
                    subject_id=subject_id,
                    state=ErasureState.REQUESTED,
                    requested_at=now,
                    certificates=len(places),
                    evidence="{}",
                    recheck="[]",
                    updated_at=now,
                )
            )
            details = {"certificates": len(places)}
            append(tx, Event("erasure.requested", "system:applicant", case_id, details), now)
            return _case(tx, _row(tx, case_id))

    def erasure(self, case_id: str) -> Erasure:
        """The case as it stands; NotFound if there is none."""
        with self._database.read() as tx:
            return _case(tx, _row(tx, case_id))

    def all(self) -> tuple[Erasure, ...]:
        """Every case, newest first."""
        with self._database.read() as tx:
            rows = tx.execute(select(erasure).order_by(erasure.c.requested_at.desc()))
            return tuple(_case(tx, row) for row in rows.all())

    def open_erasures(self) -> tuple[Erasure, ...]:
        """Every case that was approved and is not done."""
        with self._database.read() as tx:
            rows = tx.execute(select(erasure).where(erasure.c.state.not_in(_CLOSED)))
            return tuple(_case(tx, row) for row in rows.all())

    def approve(self, case: Erasure, officer_id: str, now: datetime) -> Erasure:
        """A security administrator approves the case."""
        with self._database.write() as tx:
            _move(tx, case, now, state=ErasureState.APPROVED, approved_by=officer_id)
            append(tx, Event("erasure.approved", officer_id, case.id, {}), now)
            return _case(tx, _row(tx, case.id))

    def advance(
        self, case: Erasure, state: ErasureState, evidence: Mapping[str, object], now: datetime
    ) -> Erasure:
        """One state on, with what was seen."""
        values: dict[str, object] = {
            "state": state,
            "evidence": evidence_text({**case.evidence, **evidence}),
        }
        if state is ErasureState.RECHECKED:
            values["recheck"] = "[]"
        with self._database.write() as tx:
            if state is ErasureState.FROZEN:
                tx.execute(
                    update(subject).where(subject.c.id == case.subject_id).values(state="erasing")
                )
            _move(tx, case, now, **values)
            append(tx, Event(f"erasure.{state}", "system:job", case.id, {}), now)
            return _case(tx, _row(tx, case.id))

    def observe(self, place: Place, seen: Observation) -> None:
        """Keep what was seen of one certificate; the database asks for it before a delete."""
        self._crls.observe(place, seen.channel, seen.sha256, seen.at)

    def unpublished(self, case: Erasure) -> bool:
        """Whether every directory was seen without the subject's certificates."""
        with self._database.read() as tx:
            remaining = tx.execute(
                select(func.count())
                .select_from(publication)
                .where(publication.c.subject_id == case.subject_id)
                .where((publication.c.state != "withdrawn") | publication.c.verified_at.is_(None))
            ).scalar_one()
        return int(remaining) == 0

    def destroy(self, case: Erasure, now: datetime) -> Erasure:
        """Delete everything about the person; the database checks each delete once more."""
        of = str(case.subject_id)
        with self._database.write() as tx:
            places = _places_of_subject(tx, of)
            applications = select(application.c.id).where(application.c.subject_id == of)
            counts = {
                "certificates": tx.execute(
                    delete(certificate).where(certificate.c.subject_id == of)
                ).rowcount,
                "publications": tx.execute(
                    delete(publication).where(publication.c.subject_id == of)
                ).rowcount,
                "approvals": tx.execute(
                    delete(approval).where(approval.c.application_id.in_(applications))
                ).rowcount,
                "proofings": forget_proofing(tx, tx.execute(applications).scalars().all()),
                "applications": tx.execute(
                    delete(application).where(application.c.subject_id == of)
                ).rowcount,
                "cases": forget_cases(tx, of),
                "keys": self._personal.destroy(tx, of),
                DROPPED: erase_payloads(tx, of),
            }
            tx.execute(delete(subject).where(subject.c.id == of))
            evidence = evidence_text({**case.evidence, "destroyed": counts})
            _move(
                tx,
                case,
                now,
                state=ErasureState.DESTROYED,
                subject_id=None,
                evidence=evidence,
                certificates=counts["certificates"],
                recheck=json.dumps(places),
            )
            append(tx, Event("erasure.destroyed", "system:job", case.id, counts), now)
            return _case(tx, _row(tx, case.id))

    def finish(self, case: Erasure, receipt: str, now: datetime) -> Erasure:
        """Keep the receipt; the case is done."""
        with self._database.write() as tx:
            _move(tx, case, now, state=ErasureState.DONE, receipt=receipt)
            append(tx, Event("erasure.done", "system:job", case.id, {}), now)
            return _case(tx, _row(tx, case.id))


def _move(tx: Connection, case: Erasure, now: datetime, **values: object) -> None:
    moved = tx.execute(
        update(erasure)
        .where(erasure.c.id == case.id, erasure.c.state == case.state)
        .values(updated_at=now, **values)
    ).rowcount
    if moved != 1:
        raise Conflict(case.id, "further already")


def _row(tx: Connection, case_id: str) -> Row[tuple[object, ...]]:
    row = tx.execute(select(erasure).where(erasure.c.id == case_id)).first()
    if row is None:
        raise NotFound("erasure case", case_id)
    return row


def _case(tx: Connection, row: Row[tuple[object, ...]]) -> Erasure:
    if row.subject_id is not None:
        places = _places_of_subject(tx, row.subject_id)
    else:
        places = [place for place in json.loads(row.recheck) if _in_residue(tx, *place)]
    return Erasure(
        id=row.id,
        state=ErasureState(row.state),
        subject_id=row.subject_id,
        places=tuple(_place(issuer, serial) for issuer, serial in places),
        evidence=json.loads(row.evidence),
        requested_at=row.requested_at,
        updated_at=row.updated_at,
        receipt=row.receipt,
    )


def _places_of_subject(tx: Connection, subject_id: str) -> list[list[str]]:
    """Every certificate of the subject that relying parties ask about, whatever its status now."""
    rows = tx.execute(
        select(certificate.c.issuer, certificate.c.serial)
        .where(certificate.c.subject_id == subject_id, _not_expired(certificate))
        .order_by(certificate.c.issuer, certificate.c.serial)
    )
    return [[issuer, serial] for issuer, serial in rows]


def _in_residue(tx: Connection, issuer: str, serial: str) -> bool:
    residue = revocation_residue
    found = tx.execute(
        select(residue.c.serial).where(
            residue.c.issuer == issuer, residue.c.serial == serial, _not_expired(residue)
        )
    )
    return found.first() is not None


def _not_expired(table: Table) -> ColumnElement[bool]:
    """Whether complete CRLs show it: an entry leaves after one that is younger than its expiry."""
    of_complete = (crl.c.issuer == table.c.issuer, crl.c.shard == COMPLETE)
    latest = select(func.max(crl.c.this_update)).where(*of_complete)
    shown_until = latest.scalar_subquery()
    return or_(shown_until.is_(None), table.c.not_after > shown_until)


def _place(issuer: str, serial: str) -> Place:
    return IssuerName(issuer), SerialNumber.from_hex(serial)

"""The rows of erasure cases: reading one, moving one on, and which certificates are concerned."""

import json
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Row, Table, func, or_, select, update

from ca.identifiers import IssuerName, SerialNumber
from gdpr_erasure.erasures import Erasure, ErasureState, Place
from gdpr_erasure.errors import Conflict
from gdpr_erasure.retention import Trigger, read_assessment
from records.errors import NotFound
from records.tables import (
    certificate,
    crl,
    erasure,
    erasure_approval,
    erasure_receipt,
    revocation_residue,
)
from revocation.publication import COMPLETE


def move(tx: Connection, case: Erasure, now: datetime, **values: object) -> None:
    """Change a case that nobody else has taken further meanwhile; it may be tried at once again.

    Raises:
        Conflict: somebody has.
    """
    moved = tx.execute(
        update(erasure)
        .where(erasure.c.id == case.id, erasure.c.state == case.state)
        .values(updated_at=now, attempts=0, retry_at=None, error=None, **values)
    ).rowcount
    if moved != 1:
        raise Conflict(case.id, "further already")


def case_in(tx: Connection, case_id: str) -> Erasure:
    """The case as it stands; NotFound if there is none."""
    row = tx.execute(select(erasure).where(erasure.c.id == case_id)).first()
    if row is None:
        raise NotFound("erasure case", case_id)
    return case_of(tx, row)


def case_of(tx: Connection, row: Row[tuple[object, ...]]) -> Erasure:
    """The case of a row."""
    places = [tuple(place) for place in json.loads(row.recheck)]
    places = [place for place in places if _in_residue(tx, *place)]
    if row.subject_id is not None:
        places += places_of_subject(tx, row.subject_id)
    return Erasure(
        id=row.id,
        state=ErasureState(row.state),
        subject_id=row.subject_id,
        places=tuple(_place(*place) for place in places),
        evidence=json.loads(row.evidence),
        assessment=read_assessment(row.rulings if row.kept is None else row.kept),
        requested_at=row.requested_at,
        updated_at=row.updated_at,
        due_at=row.due_at,
        trigger=Trigger(row.cause),
        begins_at=row.begins_at,
        epoch=row.epoch,
        destroyed_event=row.destroyed_event,
        holder=row.holder,
        approvals=_approvals(tx, row),
        receipts=_receipts(tx, row.id),
        error=row.error,
    )


def _approvals(tx: Connection, row: Row[tuple[object, ...]]) -> int:
    of = erasure_approval.c
    persons = select(func.count(func.distinct(of.person_id))).where(
        of.case_id == row.id, of.rulings_sha256 == row.rulings_sha256
    )
    return int(tx.execute(persons).scalar_one())


def _receipts(tx: Connection, case_id: str) -> tuple[str, ...]:
    of = erasure_receipt.c
    texts = select(of.text).where(of.case_id == case_id).order_by(of.number)
    return tuple(tx.execute(texts).scalars())


def places_of_subject(tx: Connection, subject_id: str) -> list[tuple[str, str]]:
    """Every certificate of the subject that relying parties ask about, whatever its status now."""
    rows = tx.execute(
        select(certificate.c.issuer, certificate.c.serial)
        .where(certificate.c.subject_id == subject_id, _not_expired(certificate))
        .order_by(certificate.c.issuer, certificate.c.serial)
    )
    return [(issuer, serial) for issuer, serial in rows]


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

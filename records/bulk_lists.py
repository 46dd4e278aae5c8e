"""The rows of bulk revocations: that they are those that were planned, and how they are forgotten.

Forgotten is, a few rows in a transaction, the list of what is done, for each certificate says by
itself what revoked it; and the plan that nobody began for a week by the database's own clock.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)

from audit.events import Event
from records.audit_log import append
from records.guards_bulk import PLAN_DAYS
from records.tables import bulk_certificate, bulk_revocation
from records.triggers import NOW
from revocation.errors import SelectionAltered
from revocation.selections import digest_of

_JOB = "system:revocations"
_AT_ONCE = 5000
_LIFE = timedelta(days=PLAN_DAYS) // timedelta(microseconds=1)


def check_unaltered(tx: Connection, plan: Row[tuple[Any, ...]]) -> None:
    """Read the list of a plan again; whoever begins it confirms these very rows.

    Raises:
        SelectionAltered: their count or digest is another than when it was planned.
    """
    of = bulk_certificate.c
    count = tx.execute(select(func.count()).where(of.bulk_id == plan.id)).scalar_one()
    listed = select(of.issuer, of.serial).where(of.bulk_id == plan.id).order_by(of.number)
    rows = tx.execute(listed, execution_options={"yield_per": _AT_ONCE})
    sha256 = digest_of((row.issuer, row.serial) for row in rows)
    if (count, sha256) != (plan.total, plan.sha256):
        raise SelectionAltered(plan.id)


def next_forgotten(tx: Connection) -> str | None:
    """A bulk revocation with rows that are not needed any more, if there is one."""
    waiting = select(bulk_revocation.c.id).where(_forgettable(tx)).limit(1)
    return tx.execute(waiting).scalar()


def forget_some(tx: Connection, job: str, limit: int, now: datetime) -> int:
    """Delete at most so many rows of a list, and after the last one a plan that nobody began.

    Gives how many rows; 0 when it was begun, or forgotten by another node, in between.
    """
    own = bulk_revocation.c.id == job
    plan = tx.execute(select(bulk_revocation).where(own, _forgettable(tx)).with_for_update())
    row = plan.first()
    if row is None:
        return 0
    of = bulk_certificate.c
    first = tx.execute(select(func.min(of.number)).where(of.bulk_id == job)).scalar()
    if first is not None:
        some = and_(of.bulk_id == job, of.number < first + limit)
        return tx.execute(delete(bulk_certificate).where(some)).rowcount
    tx.execute(delete(bulk_revocation).where(own))
    told = {"certificates": row.total, "sha256": row.sha256}
    append(tx, Event("revocation.forgotten", _JOB, job, told), now)
    return 1


def _forgettable(tx: Connection) -> ColumnElement[bool]:
    of = bulk_revocation.c
    left = exists().where(bulk_certificate.c.bulk_id == of.id)
    age = literal_column(NOW[tx.dialect.name], BigInteger) - type_coerce(of.planned_at, BigInteger)
    return or_(and_(of.ended_at.is_not(None), left), and_(of.begun_by.is_(None), age >= _LIFE))

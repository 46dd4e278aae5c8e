"""Orders of two persons about keeping: legal hold, its end, a shorter period, a directory gone.

One asks, another approves, and only then it counts. A hold is honoured until the destruction
commits: both lock the subject.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, insert, select, update

from audit.events import Event
from records.audit_log import append
from records.database import Database
from records.errors import Conflict, NotFound
from records.tables import application, certificate, erasure, retention_order, subject

_CLOSED = ("fulfilled", "rejected", "withdrawn", "lapsed")
_A_WHILE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Order:
    """One order; it counts from `approved_at`."""

    id: str
    kind: str
    subject_id: str | None
    directory: str | None
    hold_id: str | None
    until_at: datetime | None
    basis: str
    asked_by: str
    asked_at: datetime
    approved_by: str | None
    approved_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to ask for; `basis` is a clause or file number, never a name."""

    kind: str
    basis: str
    subject_id: str | None = None
    directory: str | None = None
    hold_id: str | None = None
    until_at: datetime | None = None


class Orders:
    """The order table."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def ask(self, new: NewOrder, officer_id: str, now: datetime) -> Order:
        """Write down what one person asks for.

        Raises:
            NotFound: there is no such subject, or no such hold.
            RuleBroken: RET01, the person may not ask.
        """
        order_id = f"K-{secrets.token_hex(8)}"
        with self._database.write() as tx:
            subject_id = new.subject_id
            if new.hold_id is not None:
                subject_id = _row(tx, new.hold_id).subject_id
            if subject_id is not None:
                _lock(tx, subject_id)
            tx.execute(
                insert(retention_order).values(
                    id=order_id,
                    kind=new.kind,
                    subject_id=subject_id,
                    directory=new.directory,
                    hold_id=new.hold_id,
                    until_at=new.until_at,
                    basis=new.basis,
                    asked_by=officer_id,
                    asked_at=now,
                )
            )
            append(tx, Event("retention.asked", officer_id, order_id, {"kind": new.kind}), now)
            return _order(_row(tx, order_id))

    def approve(self, order_id: str, officer_id: str, now: datetime) -> Order:
        """The second person; from now on the order counts.

        Raises:
            NotFound: there is no such order.
            Conflict: it was approved already.
            RuleBroken: RET03, the same person, or one who may not.
        """
        with self._database.write() as tx:
            row = _row(tx, order_id)
            if row.subject_id is not None:
                _lock(tx, row.subject_id)
            if row.approved_by is not None:
                raise Conflict(f"order {order_id}", "approved already")
            values = {"approved_by": officer_id, "approved_at": now}
            tx.execute(
                update(retention_order).where(retention_order.c.id == order_id).values(values)
            )
            if row.kind == "shorten":
                _shorten(tx, row)
            told = {"kind": str(row.kind)}
            append(tx, Event("retention.ordered", officer_id, order_id, told), now)
            return _order(_row(tx, order_id))

    def all(self) -> tuple[Order, ...]:
        """Every order, the newest first."""
        newest = select(retention_order).order_by(retention_order.c.asked_at.desc())
        with self._database.read() as tx:
            return tuple(_order(row) for row in tx.execute(newest))

    def ended_subjects(self, now: datetime, limit: int = 1000) -> tuple[str, ...]:
        """Applicants whose certificates all ended a while ago, with no application and no case.

        Who holds a certificate in force, or waits for one, is not looked at; nor who may still ask
        for another one in the place of what has just ended.
        """
        of, since = subject.c, now - _A_WHILE
        live = select(certificate.c.subject_id).where(
            certificate.c.subject_id == of.id,
            certificate.c.not_after >= since,
            (certificate.c.status != "revoked") | (certificate.c.decided_at >= since),
        )
        waiting = select(application.c.id).where(
            application.c.subject_id == of.id,
            application.c.state.not_in(_CLOSED) | (application.c.updated_at >= since),
        )
        cases = select(erasure.c.id).where(erasure.c.subject_id == of.id)
        found = (
            select(of.id)
            .where(of.kind == "natural_person", of.state == "active")
            .where(~live.exists(), ~waiting.exists(), ~cases.exists())
            .order_by(of.created_at)
            .limit(limit)
        )
        with self._database.read() as tx:
            return tuple(tx.execute(found).scalars())

    def subject_of(self, application_id: str) -> str:
        """Whom an application is about; NotFound when there is none."""
        with self._database.read() as tx:
            found = tx.execute(
                select(application.c.subject_id).where(application.c.id == application_id)
            ).scalar()
        if found is None:
            raise NotFound("application", application_id)
        return str(found)


def hold_of(tx: Connection, subject_id: str) -> str | None:
    """The order of a legal hold that is on a subject now, if there is one."""
    hold, release = retention_order.alias(), retention_order.alias()
    released = select(release.c.hold_id).where(
        release.c.kind == "release", release.c.approved_by.is_not(None)
    )
    found = select(hold.c.id).where(
        hold.c.kind == "hold",
        hold.c.subject_id == subject_id,
        hold.c.approved_by.is_not(None),
        hold.c.id.not_in(released),
    )
    return tx.execute(found.limit(1)).scalar()


def written_off(tx: Connection) -> frozenset[str]:
    """Directories that two persons declared gone for good."""
    of = retention_order.c
    names = select(of.directory).where(of.kind == "write_off", of.approved_by.is_not(None))
    return frozenset(str(name) for name in tx.execute(names).scalars())


def _shorten(tx: Connection, row: Row[tuple[object, ...]]) -> None:
    for table in (certificate, application):
        longer = (table.c.subject_id == row.subject_id, table.c.keep_until > row.until_at)
        tx.execute(update(table).where(*longer).values(keep_until=row.until_at))


def _lock(tx: Connection, subject_id: str) -> None:
    query = select(subject.c.id).where(subject.c.id == subject_id).with_for_update()
    if tx.execute(query).first() is None:
        raise NotFound("data subject", "of this order")


def _row(tx: Connection, order_id: str) -> Row[tuple[object, ...]]:
    row = tx.execute(select(retention_order).where(retention_order.c.id == order_id)).first()
    if row is None:
        raise NotFound("order about keeping", order_id)
    return row


def _order(row: Row[tuple[object, ...]]) -> Order:
    return Order(**{name: getattr(row, name) for name in Order.__slots__})

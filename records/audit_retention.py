"""Dropping what the audit log has kept long enough: payloads by class, then whole headers."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Connection, delete, func, insert, select, update

from audit.events import Header
from audit.log import read_header
from audit.retention import Retention, RetentionPeriods, balance_of, declared_drop, kept_since
from records.audit_log import AuditLog, append
from records.database import Database
from records.errors import Conflict
from records.roles import erasing
from records.tables import audit_event, audit_payload, audit_retention


def plan_retention(log: AuditLog, periods: RetentionPeriods, now: datetime) -> Retention:
    """What would be dropped now; reads the headers that may go.

    Raises:
        ChainBroken: a header that counts is not what was sealed.
    """
    plan = _bounds(log, periods, now)
    return replace(plan, payloads=_count_payloads(log.view, plan.payloads_below))


def retain(database: Database, periods: RetentionPeriods, actor: str, now: datetime) -> Retention:
    """Drop what was kept long enough, and say so in the log, in one transaction.

    Raises:
        ChainBroken, ClockBehind: as in planning and appending; nothing is dropped.
        Conflict: somebody else dropped something meanwhile.
    """
    with database.write() as tx:
        plan = _bounds(AuditLog(database, tx), periods, now)
        plan = replace(plan, payloads=_lock_payloads(tx, plan.payloads_below))
        if plan.is_nothing:
            return plan
        sequence = append(tx, plan.event(actor), now)
        tx.execute(
            insert(audit_retention).values(
                sequence=sequence,
                payloads_below=plan.payloads_below,
                headers_below=plan.headers_below,
            )
        )
        gone, emptied = _drop(tx, plan)
        if (gone, emptied) != (plan.payloads, plan.headers):
            raise Conflict("the audit log", "shortened by somebody else")
    return plan


def _drop(tx: Connection, plan: Retention) -> tuple[int, int]:
    """Delete the payloads and empty the headers; gives how many of each."""
    old = audit_payload.c.sequence < plan.payloads_below
    with erasing(tx):
        gone = tx.execute(delete(audit_payload).where(old)).rowcount
        emptied = tx.execute(
            update(audit_event)
            .where(audit_event.c.sequence < plan.headers_below)
            .where(func.length(audit_event.c.header) > 0)
            .values(header=b"")
        ).rowcount
    return gone, emptied


def _bounds(log: AuditLog, periods: RetentionPeriods, now: datetime) -> Retention:
    """What may go by the headers alone, which nobody changes; payloads are not counted."""
    payloads_from, headers_from = _dropped_before(log.view)
    carried = 0
    dropped_by = log.headers_dropped_by()
    if dropped_by is not None:
        (entry,) = log.page(dropped_by, dropped_by + 1)
        _, carried = declared_drop(entry)
    headers_below = headers_from
    for header in _older(log, headers_from, kept_since(now, periods.administrative)):
        headers_below = header.sequence + 1
        carried += balance_of(header)
    payloads_below = max(payloads_from, headers_below)
    for header in _older(log, payloads_below, kept_since(now, periods.personal)):
        payloads_below = header.sequence + 1
    return Retention(payloads_below, headers_below, 0, headers_below - headers_from, carried)


def _lock_payloads(tx: Connection, below: int) -> int:
    """Keep an erasure from taking payloads that are about to be declared; how many there are."""
    at = audit_payload.c
    query = select(at.sequence).where(at.sequence < below).order_by(at.sequence, at.number)
    with erasing(tx):
        return len(tx.execute(query.with_for_update()).all())


def _dropped_before(view: Connection) -> tuple[int, int]:
    """Below which numbers payloads and headers were dropped so far."""
    at = audit_retention.c
    row = view.execute(select(func.max(at.payloads_below), func.max(at.headers_below))).one()
    return row[0] or 0, row[1] or 0


def _older(log: AuditLog, start: int, than: datetime) -> Iterator[Header]:
    """The headers from `start` on, until one that is to be kept."""
    return takewhile(lambda header: header.time < than, map(read_header, log.entries(start)))


def _count_payloads(view: Connection, below: int) -> int:
    of = audit_payload.c.sequence < below
    return view.execute(select(func.count()).select_from(audit_payload).where(of)).scalar_one()

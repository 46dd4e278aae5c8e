"""Where the audit log is kept: events appended in the transaction of what they tell of."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Connection, func, insert, select

from audit.errors import ClockBehind, HeadConflict
from audit.events import Entry, Event, seal_event
from audit.heads import Head, parse_head
from audit.log import TIME_TOLERANCE
from records.database import Database
from records.prepared import Prepared, driver
from records.tables import audit_event, audit_head, audit_retention

_APPEND_LOCK = 7418457
_PAGE = 1000
_INSERT = Prepared(insert(audit_event), ("sequence", "header", "leaf_sha256", "payloads"))
_LAST = Prepared(select(func.max(audit_event.c.sequence)))
_NEWEST = Prepared(
    select(audit_head.c.note).where(
        audit_head.c.size == select(func.max(audit_head.c.size)).scalar_subquery()
    )
)


def append(tx: Connection, event: Event, now: datetime) -> int:
    """Add an event to the log inside the caller's transaction; gives its sequence number."""
    return append_all(tx, [event], now)


def append_all(tx: Connection, events: Sequence[Event], now: datetime) -> int:
    """Add events to the log inside the caller's transaction; gives the first sequence number.

    Writers queue up here: SQLite has one writer at a time, PostgreSQL gets a lock that ends with
    the transaction. So a caller does what else it has to do first.

    Raises:
        ClockBehind: `now` lies before the latest head by more than the tolerance, so that the log
            would not verify; nothing that is told in it may be done before the clock is right.
    """
    first = take_turn(tx, now)
    insert_entries(tx, [seal_event(event, at, now) for at, event in enumerate(events, first)])
    return first


def take_turn(tx: Connection, now: datetime) -> int:
    """Wait until no other transaction appends; gives the number of the next entry.

    Raises:
        ClockBehind: as in `append_all`.
    """
    _wait_for_turn(tx)
    _require_clock(tx, now)
    return _size(tx)


def insert_entries(tx: Connection, entries: Sequence[Entry], payloads: int = 0) -> None:
    """Store entries sealed under the next numbers; each has that many payloads."""
    rows = [
        {
            "sequence": each.sequence,
            "header": each.header,
            "leaf_sha256": each.leaf_hash,
            "payloads": payloads,
        }
        for each in entries
    ]
    _INSERT.run(tx, rows)


class AuditLog:
    """One consistent view of the log; implements `audit.log.AuditStore`."""

    def __init__(self, database: Database, view: Connection) -> None:
        """Read through the given transaction; heads are written in one of their own."""
        self._database = database
        self.view = view

    def entries(self, start: int) -> Iterator[Entry]:
        """The entries from `start` on, a page at a time."""
        while True:
            rows = self.view.execute(
                select(audit_event)
                .where(audit_event.c.sequence >= start)
                .order_by(audit_event.c.sequence)
                .limit(_PAGE)
            ).all()
            for row in rows:
                yield Entry(row.sequence, _octets(row.header), _octets(row.leaf_sha256))
            if len(rows) < _PAGE:
                return
            start = rows[-1].sequence + 1

    def page(self, start: int, end: int) -> list[Entry]:
        """The entries from `start` up to, not including, `end`."""
        return list(takewhile(lambda entry: entry.sequence < end, self.entries(start)))

    def size(self) -> int:
        """The sequence number that the next entry will get."""
        return _size(self.view)

    def heads(self) -> Iterator[Head]:
        """All heads, smallest first."""
        for (note,) in self.view.execute(select(audit_head.c.note).order_by(audit_head.c.size)):
            yield parse_head(str(note))

    def latest_head(self) -> Head | None:
        """The largest head."""
        note = self.view.execute(
            select(audit_head.c.note).order_by(audit_head.c.size.desc()).limit(1)
        ).scalar()
        return None if note is None else parse_head(note)

    def head_of(self, size: int) -> Head | None:
        """The head of exactly that size."""
        note = self.view.execute(
            select(audit_head.c.note).where(audit_head.c.size == size)
        ).scalar()
        return None if note is None else parse_head(note)

    def frontier(self, size: int) -> bytes | None:
        """The octets recorded with the head of that size."""
        return self.view.execute(
            select(audit_head.c.frontier).where(audit_head.c.size == size)
        ).scalar()

    def headers_dropped_by(self) -> int | None:
        """The number of the latest event that drops headers; None when none did."""
        return self.view.execute(
            select(func.max(audit_retention.c.sequence)).where(audit_retention.c.headers_below > 0)
        ).scalar()

    def leaves(self, size: int) -> list[bytes]:
        """The leaf hashes of the first entries."""
        rows = self.view.execute(
            select(audit_event.c.leaf_sha256)
            .where(audit_event.c.sequence < size)
            .order_by(audit_event.c.sequence)
        )
        return [_octets(leaf) for (leaf,) in rows]

    def record_head(self, head: Head, frontier: bytes) -> None:
        """Store a head; HeadConflict when one of this size or larger is there."""
        with self._database.write() as tx:
            _wait_for_turn(tx)
            largest = tx.execute(select(func.max(audit_head.c.size))).scalar()
            if largest is not None and largest >= head.size:
                raise HeadConflict(head.size)
            tx.execute(insert(audit_head).values(size=head.size, note=head.text, frontier=frontier))


@contextmanager
def audit_log(database: Database) -> Iterator[AuditLog]:
    """The log as it is now; changes by others are not seen inside the block."""
    with database.read() as view:
        yield AuditLog(database, view)


def _wait_for_turn(tx: Connection) -> None:
    if tx.dialect.name == "postgresql":
        driver(tx).execute(f"SELECT pg_advisory_xact_lock({_APPEND_LOCK})")


def log_time(tx: Connection, now: datetime) -> datetime:
    """The clock, or while it lies behind, the time of the latest head: for what has to go on."""
    return max([now, *(parse_head(str(note)).time for (note,) in _NEWEST.rows(tx, {}))])


def _require_clock(tx: Connection, now: datetime) -> None:
    for (note,) in _NEWEST.rows(tx, {}):
        sealed_at = parse_head(str(note)).time
        if now < sealed_at - TIME_TOLERANCE:
            raise ClockBehind(now, sealed_at)


def _octets(value: object) -> bytes:
    """What stands in a column of octets; SQLite lets whoever alters a row put text there."""
    return value if isinstance(value, bytes) else str(value).encode()


def _size(tx: Connection) -> int:
    ((largest,),) = _LAST.rows(tx, {})
    return 0 if largest is None else largest + 1

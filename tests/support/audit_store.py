"""An audit store in memory, and builders of events and logs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from audit.errors import HeadConflict
from audit.events import Detail, Entry, Event, seal_event
from audit.heads import Head, parse_head
from audit.log import make_head

ORIGIN = "ca.example/audit"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SCHEMA = bytes(range(32))


def an_event(type_: str = "certificate.issued", **details: Detail) -> Event:
    return Event(type_, "officer-3f2a9c01", "certificate:01ab", details)


@dataclass
class MemoryAuditStore:
    """Holds rows as a database would: in the open, for tests to tamper with."""

    rows: list[Entry] = field(default_factory=list)
    head_texts: list[str] = field(default_factory=list)
    frontier_octets: bytes | None = None

    def entries(self, start: int) -> Iterator[Entry]:
        return iter(self.rows[start:])

    def size(self) -> int:
        return len(self.rows)

    def heads(self) -> Iterator[Head]:
        return map(parse_head, self.head_texts)

    def latest_head(self) -> Head | None:
        return parse_head(self.head_texts[-1]) if self.head_texts else None

    def frontier(self) -> bytes | None:
        return self.frontier_octets

    def record_head(self, head: Head, frontier: bytes) -> None:
        latest = self.latest_head()
        if latest is not None and latest.size >= head.size:
            raise HeadConflict(latest.size)
        self.head_texts.append(head.text)
        self.frontier_octets = frontier

    def append(self, event: Event, now: datetime) -> None:
        self.rows.append(seal_event(event, len(self.rows), now))


def time_of(sequence: int) -> datetime:
    """One event an hour, far beyond any tolerance."""
    return START + timedelta(hours=sequence)


def a_log(key: ec.EllipticCurvePrivateKey, *head_sizes: int, tail: int = 0) -> MemoryAuditStore:
    """A log with heads at the given sizes and `tail` entries that no head covers."""
    store = MemoryAuditStore()
    for size in head_sizes:
        grow(store, size)
        make_head(store, key, time_of(size), SCHEMA, ORIGIN)
    grow(store, len(store.rows) + tail)
    return store


def grow(store: MemoryAuditStore, size: int) -> None:
    for sequence in range(len(store.rows), size):
        store.append(an_event(count=sequence), time_of(sequence))

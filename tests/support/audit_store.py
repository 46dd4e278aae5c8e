"""An audit store in memory, and builders of events and logs."""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from audit.errors import HeadConflict
from audit.events import Detail, Entry, Event, seal_event
from audit.heads import Head, parse_head
from audit.log import make_head
from audit.payload_watch import PayloadWatch
from audit.payloads import DROPPED, Derivation, Payload, SealedPayload, seal_payloads

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
    retained_at: int | None = None
    payload_rows: list[SealedPayload] = field(default_factory=list)

    def entries(self, start: int) -> Iterator[Entry]:
        return iter(self.rows[start:])

    def size(self) -> int:
        return len(self.rows)

    def heads(self) -> Iterator[Head]:
        return map(parse_head, self.head_texts)

    def latest_head(self) -> Head | None:
        return parse_head(self.head_texts[-1]) if self.head_texts else None

    def frontier(self, size: int) -> bytes | None:
        latest = self.latest_head()
        return self.frontier_octets if latest is not None and latest.size == size else None

    def headers_dropped_by(self) -> int | None:
        return self.retained_at

    def record_head(self, head: Head, frontier: bytes) -> None:
        latest = self.latest_head()
        if latest is not None and latest.size >= head.size:
            raise HeadConflict(latest.size)
        self.head_texts.append(head.text)
        self.frontier_octets = frontier

    def append(self, event: Event, now: datetime) -> None:
        self.rows.append(seal_event(event, len(self.rows), now))

    def append_with(self, event: Event, now: datetime, **contents: Mapping[str, Detail]) -> None:
        """An event with a payload for each subject that is named."""
        sequence = len(self.rows)
        payloads = [Payload(subject, content) for subject, content in contents.items()]
        commitment, sealed = seal_payloads(sequence, payloads, [key_of(name) for name in contents])
        self.rows.append(seal_event(event, sequence, now, commitment))
        self.payload_rows += [
            SealedPayload(sequence, number, subject, octets, has_key=True)
            for number, (subject, octets) in enumerate(zip(contents, sealed, strict=True))
        ]

    def erase(self, subject: str, now: datetime) -> None:
        """Take a person's payloads away, and declare them."""
        left = [row for row in self.payload_rows if row.subject_id != subject]
        gone = len(self.payload_rows) - len(left)
        self.payload_rows = left
        self.append(Event("erasure.destroyed", "system:job", "E-1", {DROPPED: gone}), now)

    def watch(self, *, keys: bool = True, since: int = 0) -> PayloadWatch:
        """What follows the payloads of a verification."""
        rows = iter([row for row in self.payload_rows if row.sequence >= since])
        return PayloadWatch(rows, key_of if keys else None, whole=since == 0)


def key_of(subject: str) -> Derivation:
    """A data key that is made from the name of its subject."""
    key = hashlib.sha256(subject.encode()).digest()
    return lambda label: hmac.digest(key, label, "sha256")


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

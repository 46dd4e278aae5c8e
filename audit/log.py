"""The log itself: sealing it with heads, and verifying it against them.

Entries are appended by whoever owns the database, in the transaction of what they tell of
(`audit.events.seal_event`). Here heads are made over them, and the whole is checked.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from heapq import merge
from itertools import islice
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from audit.errors import (
    Break,
    ChainBroken,
    ClockBehind,
    HeaderMalformed,
    HeadForged,
    HeadMalformed,
    RangeMalformed,
)
from audit.events import Entry, Header, parse_header
from audit.heads import Checkpoint, Head, sign_head, verify_head
from audit.payload_watch import PayloadWatch
from audit.retention import declared_drop
from audit.tree import CompactRange, leaf_hash

TIME_TOLERANCE = timedelta(minutes=1)
"""How far an entry or a head may lie before the head it follows, or an entry after the head that
covers it: the clock is read before the transaction waits its turn, and may be set a little."""

_TELL_EVERY = 10_000
_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


class AuditStore(Protocol):
    """Where the log is kept. One verification reads one consistent snapshot."""

    def entries(self, start: int) -> Iterator[Entry]:
        """The entries from sequence number `start` on, in order, a few at a time."""
        ...

    def size(self) -> int:
        """The sequence number that the next entry will get."""
        ...

    def heads(self) -> Iterator[Head]:
        """All heads, smallest first, a few at a time."""
        ...

    def latest_head(self) -> Head | None:
        """The largest head."""
        ...

    def frontier(self, size: int) -> bytes | None:
        """The octets recorded with the head of that size, if there are any."""
        ...

    def headers_dropped_by(self) -> int | None:
        """The number of the latest event that drops headers; None when none did."""
        ...

    def record_head(self, head: Head, frontier: bytes) -> None:
        """Store a head and its frontier in one transaction.

        Raises:
            HeadConflict: the latest head is not smaller than this one.
        """
        ...


@dataclass(frozen=True, slots=True)
class Extent:
    """What a verification takes beside the log itself."""

    witnesses: tuple[Head, ...] = ()
    """Heads that were kept outside; the log must contain every one of them."""
    since: Head | None = None
    """A head up to which the log was verified before; entries that it covers are not read."""
    payloads: PayloadWatch | None = None
    """Follows the payloads from the first entry that is read; None leaves them alone."""
    progress: Callable[[int], None] | None = None
    """Told now and then how many entries were read."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a whole log was found to be.

    Entries from `latest.size` on are covered by no head yet.
    """

    size: int
    """The number of entries."""
    heads: int
    """The number of stored heads, all of them signed and right."""
    root: bytes
    """The root over all entries."""
    latest: Head | None
    """The last stored head; its schema digest is to be compared with that of the database."""


_LOG_ALONE = Extent()


def make_head(
    store: AuditStore,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    schema_digest: bytes,
    origin: str,
) -> Head | None:
    """Sign and record a head over the entries since the last one; None when there are none.

    Nothing is signed that `verify_log` would refuse, as far as the new entries show it.

    Raises:
        ChainBroken: the new entries are not a sound continuation of the latest head.
        HeadForged: the latest head is not signed by this key, or the key has just signed wrongly.
        HeadConflict: another head was recorded meanwhile.
        ClockBehind: `now` is before the latest head by more than the tolerance.
    """
    latest, size = store.latest_head(), store.size()
    covered = latest.size if latest else 0
    if size == covered:
        return None
    if size < covered:
        raise ChainBroken(size, Break.SHORTER)
    if latest and now < latest.time - TIME_TOLERANCE:
        raise ClockBehind(now, latest.time)
    tree = _resume(store, latest, key.public_key(), origin) if latest else CompactRange()
    new = islice(store.entries(covered), size - covered)
    tree = _extend(tree, new, _between(latest, now), _reading(store, _LOG_ALONE))
    if tree.size != size:
        raise ChainBroken(tree.size, Break.SEQUENCE)
    head = sign_head(key, Checkpoint(origin, size, tree.root(), now, schema_digest))
    verify_head(head, key.public_key(), origin)  # a token at fault must not stop all later heads
    store.record_head(head, tree.serialise())
    return head


def verify_log(
    store: AuditStore,
    public_key: ec.EllipticCurvePublicKey,
    origin: str,
    extent: Extent = _LOG_ALONE,
) -> Verification:
    """Read the log once, in constant memory, and check it against every stored head.

    Checked are: numbers without a gap; every header canonical, by the rules, with its own number,
    under its own leaf hash, and none dropped but by a retention event; every head signed, larger
    than the one before, and with the root of the entries it covers; times between those of the
    heads around them, give or take `TIME_TOLERANCE`; that the log is not shorter than any head;
    and what `audit.payload_watch` knows of payloads.

    Not to be detected from the inside: entries after the latest head, changed or cut; a head
    removed whose entries a later one covers; all heads from some point on removed, together with
    the entries they covered or with those rewritten; everything rewritten and signed again by
    who can use the key. A witness, an outside copy of a head, shows whatever was changed or cut
    in the entries that it covers.

    Raises:
        ChainBroken: the first fault that shows, with its position.
        HeadForged: a witness, or the head to begin with, is not a head of this log.
    """
    since = extent.since
    for head in (*extent.witnesses, *([] if since is None else [since])):
        verify_head(head, public_key, origin)
    reading = _reading(store, extent)
    tree = CompactRange() if since is None else _begin(store, since, public_key, origin)
    start = tree.size
    outside = [(0, head) for head in sorted(extent.witnesses, key=lambda head: head.size)]
    for _, head in outside:
        if head.size < start:
            _begin(store, head, public_key, origin)
    stored = enumerate(_stored_heads(store, public_key, origin), start=1)
    entries, count, latest, before = store.entries(start), 0, since, since
    # A witness comes first among equals: then its fault is sought in all it covers.
    for number, head in merge(outside, stored, key=lambda numbered: numbered[1].size):
        if number:
            count, latest = number, head
        if head.size >= start:
            tree = _extend_to(head, tree, entries, before, reading)
            before = head
    tree = _extend(tree, entries, _between(before, None), reading)
    if extent.payloads is not None:
        extent.payloads.close()
    return Verification(tree.size, count, tree.root(), latest)


@dataclass(frozen=True, slots=True)
class _Reading:
    """How entries are read: where headers begin, and who follows."""

    headers_from: int = 0
    payloads: PayloadWatch | None = None
    progress: Callable[[int], None] | None = None


def _reading(store: AuditStore, extent: Extent) -> _Reading:
    dropped_by = store.headers_dropped_by()
    below, carried = 0, 0
    if dropped_by is not None:
        entry = next(store.entries(dropped_by), None)
        if entry is None or entry.sequence != dropped_by:
            raise ChainBroken(dropped_by, Break.SEQUENCE)
        below, carried = declared_drop(entry)
    if extent.payloads is not None:
        start = 0 if extent.since is None else extent.since.size
        extent.payloads.begin(max(below, start), carried if start <= below else 0)
    return _Reading(below, extent.payloads, extent.progress)


def _begin(
    store: AuditStore, head: Head, public_key: ec.EllipticCurvePublicKey, origin: str
) -> CompactRange:
    """The compact range at a head that was verified before."""
    size = store.size()
    if size < head.size:
        raise ChainBroken(size, Break.SHORTER)
    return _resume(store, head, public_key, origin)


def _stored_heads(
    store: AuditStore, public_key: ec.EllipticCurvePublicKey, origin: str
) -> Iterator[Head]:
    """The stored heads, each of them signed and a step forward from the one before."""
    size, (earliest, _) = 0, _EVER
    try:
        for head in store.heads():
            verify_head(head, public_key, origin)
            if head.size <= size or head.time < earliest:
                raise ChainBroken(size, Break.HEAD_ORDER)
            size, earliest = head.size, head.time - TIME_TOLERANCE
            yield head
    except (HeadForged, HeadMalformed) as error:
        raise ChainBroken(size, Break.HEAD_SIGNATURE) from error


def _extend_to(
    head: Head,
    tree: CompactRange,
    entries: Iterator[Entry],
    before: Head | None,
    reading: _Reading,
) -> CompactRange:
    """Read on to the size of the head, and find its root there."""
    start = tree.size
    tree = _extend(tree, islice(entries, head.size - start), _between(before, head.time), reading)
    if tree.size < head.size:
        raise ChainBroken(tree.size, Break.SHORTER)
    if tree.root() != head.root:
        raise ChainBroken(start, Break.ROOT)
    return tree


def _extend(
    tree: CompactRange,
    entries: Iterable[Entry],
    times: tuple[datetime, datetime],
    reading: _Reading,
) -> CompactRange:
    earliest, latest = times
    for entry in entries:
        if entry.sequence != tree.size:
            raise ChainBroken(tree.size, Break.SEQUENCE)
        if entry.header or entry.sequence >= reading.headers_from:
            header = read_header(entry)
            if not earliest <= header.time <= latest:
                raise ChainBroken(tree.size, Break.TIME)
            if reading.payloads is not None and entry.sequence >= reading.headers_from:
                reading.payloads.follow(header)
        tree = tree.append(entry.leaf_hash)
        if reading.progress is not None and tree.size % _TELL_EVERY == 0:
            reading.progress(tree.size)
    return tree


def read_header(entry: Entry) -> Header:
    """The header of an entry, which stands up to its number and leaf hash.

    Raises:
        ChainBroken: it does not, or is gone.
    """
    if not entry.header:
        raise ChainBroken(entry.sequence, Break.HEADER_GONE)
    try:
        header = parse_header(entry.header)
    except HeaderMalformed as error:
        raise ChainBroken(entry.sequence, Break.HEADER) from error
    if header.sequence != entry.sequence:
        raise ChainBroken(entry.sequence, Break.NUMBER)
    if leaf_hash(entry.header) != entry.leaf_hash:
        raise ChainBroken(entry.sequence, Break.LEAF)
    return header


def _between(before: Head | None, until: datetime | None) -> tuple[datetime, datetime]:
    """The times that entries may have after one head and until another."""
    earliest = before.time - TIME_TOLERANCE if before else _EVER[0]
    return earliest, until + TIME_TOLERANCE if until else _EVER[1]


def _resume(
    store: AuditStore, head: Head, public_key: ec.EllipticCurvePublicKey, origin: str
) -> CompactRange:
    """The compact range under a head; read anew when the recorded one is no good."""
    verify_head(head, public_key, origin)
    try:
        tree = CompactRange.parse(store.frontier(head.size) or b"")
    except RangeMalformed:
        tree = CompactRange()
    if (tree.size, tree.root()) == (head.size, head.root):
        return tree
    leaves = (entry.leaf_hash for entry in islice(store.entries(0), head.size))
    tree = reduce(CompactRange.append, leaves, CompactRange())
    if (tree.size, tree.root()) != (head.size, head.root):
        raise ChainBroken(0, Break.ROOT)
    return tree

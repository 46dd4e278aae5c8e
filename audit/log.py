"""The log itself: sealing it with heads, and verifying it against them.

Entries are appended by whoever owns the database, in the transaction of what they tell of
(`audit.events.seal_event`). Here heads are made over them, and the whole is checked.
"""

from collections.abc import Iterable, Iterator
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
from audit.events import Entry, parse_header
from audit.heads import Checkpoint, Head, sign_head, verify_head
from audit.tree import CompactRange, leaf_hash

TIME_TOLERANCE = timedelta(minutes=1)
"""How far an entry or a head may lie before the head it follows, or an entry after the head that
covers it: the clock is read before the transaction waits its turn, and may be set a little."""

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

    def frontier(self) -> bytes | None:
        """The octets recorded with the latest head, if they are still there."""
        ...

    def record_head(self, head: Head, frontier: bytes) -> None:
        """Store a head and its frontier in one transaction.

        Raises:
            HeadConflict: the latest head is not smaller than this one.
        """
        ...


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
    tree = _extend(tree, islice(store.entries(covered), size - covered), _between(latest, now))
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
    witness: Head | None = None,
) -> Verification:
    """Read the whole log once, in constant memory, and check it against every stored head.

    Checked are: numbers without a gap from 0; every header canonical, by the rules, with its own
    number, under its own leaf hash; every head signed, larger than the one before, and with the
    root of the entries it covers; times between those of the heads around them, give or take
    `TIME_TOLERANCE`; and that the log is not shorter than any head.

    Not to be detected from the inside: entries after the latest head, changed or cut; a head
    removed whose entries a later one covers; all heads from some point on removed, together with
    the entries they covered or with those rewritten; everything rewritten and signed again by
    who can use the key. A `witness`, an outside copy of a head, shows whatever was changed or
    cut in the entries that it covers.

    Raises:
        ChainBroken: the first fault that shows, with its position.
        HeadForged: the witness is not a head of this log.
    """
    if witness is not None:
        verify_head(witness, public_key, origin)
    outside = [] if witness is None else [(0, witness)]
    stored = enumerate(_stored_heads(store, public_key, origin), start=1)
    entries, tree = store.entries(0), CompactRange()
    count, latest, before = 0, None, None
    # The witness comes first among equals: then its fault is sought in all it covers.
    for number, head in merge(outside, stored, key=lambda numbered: numbered[1].size):
        tree = _extend_to(head, tree, entries, before)
        before = head
        if number:
            count, latest = number, head
    tree = _extend(tree, entries, _between(before, None))
    return Verification(tree.size, count, tree.root(), latest)


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
    head: Head, tree: CompactRange, entries: Iterator[Entry], before: Head | None
) -> CompactRange:
    """Read on to the size of the head, and find its root there."""
    start = tree.size
    tree = _extend(tree, islice(entries, head.size - start), _between(before, head.time))
    if tree.size < head.size:
        raise ChainBroken(tree.size, Break.SHORTER)
    if tree.root() != head.root:
        raise ChainBroken(start, Break.ROOT)
    return tree


def _extend(
    tree: CompactRange, entries: Iterable[Entry], times: tuple[datetime, datetime]
) -> CompactRange:
    earliest, latest = times
    for entry in entries:
        if entry.sequence != tree.size:
            raise ChainBroken(tree.size, Break.SEQUENCE)
        if not earliest <= _time_of(entry) <= latest:
            raise ChainBroken(tree.size, Break.TIME)
        tree = tree.append(entry.leaf_hash)
    return tree


def _time_of(entry: Entry) -> datetime:
    """The time of an entry whose header stands up to its number and leaf hash."""
    try:
        header = parse_header(entry.header)
    except HeaderMalformed as error:
        raise ChainBroken(entry.sequence, Break.HEADER) from error
    if header.sequence != entry.sequence:
        raise ChainBroken(entry.sequence, Break.NUMBER)
    if leaf_hash(entry.header) != entry.leaf_hash:
        raise ChainBroken(entry.sequence, Break.LEAF)
    return header.time


def _between(before: Head | None, until: datetime | None) -> tuple[datetime, datetime]:
    """The times that entries may have after one head and until another."""
    earliest = before.time - TIME_TOLERANCE if before else _EVER[0]
    return earliest, until + TIME_TOLERANCE if until else _EVER[1]


def _resume(
    store: AuditStore, latest: Head, public_key: ec.EllipticCurvePublicKey, origin: str
) -> CompactRange:
    """The compact range under the latest head; read anew when the recorded one is no good."""
    verify_head(latest, public_key, origin)
    try:
        tree = CompactRange.parse(store.frontier() or b"")
    except RangeMalformed:
        tree = CompactRange()
    if (tree.size, tree.root()) == (latest.size, latest.root):
        return tree
    leaves = (entry.leaf_hash for entry in islice(store.entries(0), latest.size))
    tree = reduce(CompactRange.append, leaves, CompactRange())
    if (tree.size, tree.root()) != (latest.size, latest.root):
        raise ChainBroken(0, Break.ROOT)
    return tree

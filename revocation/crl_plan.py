"""What the entries of the next CRL are: those of the one before with what changed, or all rows.

The entries of the latest CRL are checked already and prove to be the recorded ones by the digest of
the whole, so only the pieces that change are looked at. All rows are asked when there is nothing to
go on from, when our own gate objects, and once a day, to see that the two ways agree.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain

from ca.identifiers import SerialNumber
from revocation.crl_entries import (
    PIECE,
    Piece,
    Spliced,
    check_ascending,
    in_pieces,
    order_of,
    serial_of,
    serials,
    splice,
    take_apart,
    vanished_between,
)
from revocation.errors import CrlAbandoned, CrlRefused, CrlRule, EntriesVanished
from revocation.foreign_crls import foreign_serials
from revocation.publication import CrlRecord, CrlScope, CrlSource, IssuingKey, NewPieces

HEAD, TAIL = b"", b"\xff"
"""The places of what stands before and after the entries: below and above every serial."""
_AUDIT_EVERY = timedelta(days=1)


class CrlMade(StrEnum):
    """From what a CRL was made."""

    CHANGES = "changes"
    ROWS = "rows"
    COMPARED = "compared"
    """From what changed, and all rows say the same."""
    MENDED = "mended"
    """From all rows, which say otherwise than the CRL before and what changed: an alarm."""
    KEPT = "kept"
    """From all rows, with what only the CRL before lists and may not forget: an alarm."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the entries of the next CRL are: pieces to come and go (`removed` None: all go)."""

    pieces: NewPieces
    count: int
    octets: int
    made: CrlMade
    rebuilt_at: datetime


@dataclass(slots=True)
class Making:
    """One CRL while it is made."""

    source: CrlSource
    issuing: IssuingKey
    scope: CrlScope
    now: datetime
    left_until: datetime
    is_stopping: Callable[[], bool]
    version: int = 0
    latest: CrlRecord | None = None
    firsts: Sequence[tuple[bytes, int]] = ()

    def __post_init__(self) -> None:
        heading = self.source.heading
        self.version, self.latest = heading.version, heading.latest
        self.firsts = self.source.firsts() if self.follows else ()

    @property
    def follows(self) -> bool:
        """Whether there is a CRL of ours to go on from."""
        return self.latest is not None and self.latest.version >= 0

    def stored(self) -> Iterator[Piece]:
        """The pieces of the latest CRL. Raises: CrlRefused at the end if they are not its own."""
        digest = hashlib.sha256()
        for piece in self.source.pieces():
            if self.is_stopping():
                raise CrlAbandoned(self.scope.issuer)
            digest.update(piece.octets)
            yield piece
        if self.latest is not None and digest.digest() != self.latest.sha256:
            raise CrlRefused(CrlRule.AS_BEFORE)

    def entries(self, pieces: NewPieces) -> Iterator[bytes]:
        """The octets of all entries of the next CRL, in pieces."""
        coming = iter(sorted(pieces.added, key=lambda piece: piece.first))
        ahead = next(coming, None)
        if pieces.removed is not None and self.follows:
            replaced = pieces.removed | {HEAD, TAIL}
            for piece in self.stored():
                while ahead is not None and ahead.first <= piece.first:
                    yield ahead.octets
                    ahead = next(coming, None)
                if piece.first not in replaced:
                    yield piece.octets
        while ahead is not None:
            yield ahead.octets
            ahead = next(coming, None)


def planned(making: Making) -> Plan:
    """What the next CRL lists, made in the cheapest way that can be trusted.

    Raises:
        EntriesVanished: what is listed now and may not leave is in no row.
        CrlAbandoned: the process is to end.
    """
    latest = making.latest
    if latest is None or not making.follows:
        return from_rows(making, CrlMade.ROWS)
    try:
        spliced = _spliced(making, latest)
        _check_gone(making, spliced.gone)
    except (CrlRefused, EntriesVanished):
        return from_rows(making, CrlMade.MENDED)
    octets = sum(length for _, length in making.firsts)
    octets += sum(len(piece.octets) for piece in spliced.added)
    octets -= sum(length for first, length in making.firsts if first in spliced.removed)
    plan = Plan(
        NewPieces(spliced.added, spliced.removed),
        latest.entries + spliced.more,
        octets,
        CrlMade.CHANGES,
        latest.rebuilt_at,
    )
    was_ahead = making.left_until < latest.left_until  # what left while the clock was, comes back
    is_fresh = abs(making.now - latest.rebuilt_at) < _AUDIT_EVERY
    return plan if is_fresh and not was_ahead else _compared(making, plan)


def _spliced(making: Making, latest: CrlRecord) -> Spliced:
    changes = making.source.changes(latest.version)
    left = making.left_until
    wanted: dict[bytes, bytes | None] = {
        order: None if change.not_after is not None and change.not_after <= left else change.entry
        for order, change in changes.items()
    }
    if left > latest.left_until:
        wanted |= dict.fromkeys(making.source.leaving(latest.left_until, left))
    firsts = [first for first, _ in making.firsts]
    return splice(firsts, wanted, making.source.piece)


def _check_gone(making: Making, gone: frozenset[SerialNumber]) -> None:
    if gone:
        forgotten = gone - making.source.may_leave(gone, making.left_until)
        if forgotten:
            raise EntriesVanished(making.scope.issuer, forgotten)


def from_rows(making: Making, made: CrlMade) -> Plan:
    """From every row, whatever the CRL before says; but nothing that it lists may be forgotten."""
    pieces = list(in_pieces(_unless_stopping(making, making.source.entries(making.left_until))))
    if making.latest is not None:
        _check_gone(making, _vanished(making, pieces))
    return _anew(making, pieces, made)


def _anew(making: Making, pieces: Sequence[Piece], made: CrlMade) -> Plan:
    count = check_ascending(chain.from_iterable(serials(piece.octets) for piece in pieces))
    octets = sum(len(piece.octets) for piece in pieces)
    return Plan(NewPieces(pieces), count, octets, made, making.now)


def _unless_stopping(making: Making, entries: Iterator[bytes]) -> Iterator[bytes]:
    for number, entry in enumerate(entries):
        if number % PIECE == 0 and making.is_stopping():
            raise CrlAbandoned(making.scope.issuer)
        yield entry


def _vanished(making: Making, pieces: Sequence[Piece]) -> frozenset[SerialNumber]:
    """The serials that the CRL before lists and the pieces do not."""
    gone = _missed(making, pieces)
    if not gone:
        return gone
    # Octets of other hands, or damaged ones, are in any order: look in all of it.
    return gone.difference(
        serial_of(order) for piece in pieces for batch in serials(piece.octets) for order in batch
    )


def _missed(making: Making, pieces: Sequence[Piece]) -> frozenset[SerialNumber]:
    if not making.follows:
        return foreign_serials(b"".join(piece.octets for piece in making.source.pieces()))
    listed = (piece for piece in making.source.pieces() if piece.first not in {HEAD, TAIL})
    before = chain.from_iterable(serials(piece.octets) for piece in listed)
    try:
        return vanished_between(
            before, chain.from_iterable(serials(piece.octets) for piece in pieces)
        )
    except CrlRefused:
        return frozenset()  # it is damaged: what it listed is not known


def _compared(making: Making, plan: Plan) -> Plan:
    """Whether all rows say the same as the CRL before and what changed; if not, they win."""
    try:
        rows = from_rows(making, CrlMade.MENDED)
    except EntriesVanished as vanished:
        return _kept(making, vanished)
    try:
        is_same = _digest(making.entries(plan.pieces)) == _digest(making.entries(rows.pieces))
    except CrlRefused:
        return rows
    if not is_same:
        return rows
    # Many pieces with little in them are made anew.
    pieces = rows.pieces if len(making.firsts) > 2 * (plan.count // PIECE + 1) else plan.pieces
    return replace(plan, pieces=pieces, made=CrlMade.COMPARED, rebuilt_at=making.now)


def _kept(making: Making, vanished: EntriesVanished) -> Plan:
    """All rows, and the entries of the CRL before that vanished from them though they may not.

    Raises:
        EntriesVanished: the CRL before is damaged, so that its entries are not to be trusted.
    """
    missed, kept = {order_of(serial) for serial in vanished.serials}, dict[bytes, bytes | None]()
    try:
        for piece in making.stored():
            if piece.first not in {HEAD, TAIL}:
                found = take_apart(piece.octets)
                kept |= {order: found[order] for order in found.keys() & missed}
    except CrlRefused:
        raise vanished from None
    entries = _unless_stopping(making, making.source.entries(making.left_until))
    rows = {piece.first: piece for piece in in_pieces(entries)}
    spliced = splice(list(rows), kept, lambda first: rows[first].octets)
    left = [piece for first, piece in rows.items() if first not in spliced.removed]
    pieces = sorted([*left, *spliced.added], key=lambda piece: piece.first)
    return _anew(making, pieces, CrlMade.KEPT)


def _digest(chunks: Iterator[bytes]) -> bytes:
    digest = hashlib.sha256()
    for octets in chunks:
        digest.update(octets)
    return digest.digest()

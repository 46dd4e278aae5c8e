"""Entries of CRLs (RFC 5280 section 5.1.2.6), one by one and in pieces.

An entry is ready DER, made once when a certificate is revoked. The entries of a CRL are kept in
pieces of a few hundred: the next CRL takes over those that nothing changed in as they are, and only
the others are taken apart. So what a CRL costs grows with what changed.
"""

import mmap
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from operator import lt

from ca.identifiers import SerialNumber
from revocation import der
from revocation.errors import CrlRefused, CrlRule
from revocation.reasons import Reason

PIECE = 256
"""Entries of a new piece; one that grows to more than twice as many is cut."""
_REASON_CODE = der.oid("2.5.29.21")
_INVALIDITY_DATE = der.oid("2.5.29.24")

# The grammar of an entry, as a regular expression over DER: it walks a million entries in C.
# Serials are positive, in their shortest form, of 1 to 20 octets; keys are lengths in octets.
_SERIALS = {1: rb"[\x01-\x7f]"} | {
    length: rb"(?:\x00[\x80-\xff]|[\x01-\x7f].).{%d}" % (length - 2) for length in range(2, 21)
}
_TIMES = {15: rb"\x17\x0d[0-9]{12}Z", 17: rb"\x18\x0f[0-9]{14}Z"}
_REASONS = {
    14: rb"\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01%s",
    0: b"%.0s",
}
# Reason code and invalidityDate: seldom, so these shapes are tried after all others.
_DATED_REASONS = {
    40: rb"\x30\x26\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01[\x01\x02]%.0s"
    rb"\x30\x18\x06\x03\x55\x1d\x18\x04\x11\x18\x0f[0-9]{14}Z"
}


def _entries(reasons: bytes) -> re.Pattern[bytes]:
    """Up to 4096 entries one after the other, with these reason codes."""
    shapes = [
        rb"\x%02x\x02\x%02x" % (2 + length + time + reason, length)
        + _SERIALS[length]
        + _TIMES[time]
        + shapes_of[reason] % reasons
        for shapes_of in (_REASONS, _DATED_REASONS)
        for length in sorted(_SERIALS, reverse=True)
        for time in _TIMES
        for reason in shapes_of
    ]
    return re.compile(rb"(?:\x30(?:" + b"|".join(shapes) + rb")){1,4096}+", re.DOTALL)


_COMPLETE = _entries(rb"[\x01-\x06\x09\x0a]")
_DELTA = _entries(rb"[\x01-\x06\x08-\x0a]")
# Within entries of that grammar: the serial with its length octet before it.
_SERIAL = re.compile(
    rb"\x30.\x02("
    + b"|".join(rb"\x%02x.{%d}" % (length, length) for length in sorted(_SERIALS, reverse=True))
    + rb")(?:\x17.{14}|\x18.{16})(?:\x30(?:\x0c.{12}|\x26\x30.{37}))?",
    re.DOTALL,
)

Octets = bytes | mmap.mmap


def encode_entry(
    serial: SerialNumber, at: datetime, reason: Reason, invalid_since: datetime | None = None
) -> bytes:
    """One element of revokedCertificates; the reason `unspecified` is left out (5.3.1).

    `invalid_since` is the invalidityDate (5.3.2), which is told of compromises only. ValueError for
    removeFromCRL, which only a delta CRL may hold.
    """
    if reason is Reason.REMOVE_FROM_CRL:
        raise ValueError("removeFromCRL appears only in delta CRLs (RFC 5280 5.3.1)")
    return _encode(serial, at, reason, invalid_since)


def encode_removal(serial: SerialNumber, at: datetime) -> bytes:
    """The entry of a delta CRL that takes a serial off the list (RFC 5280 section 5.3.1)."""
    return _encode(serial, at, Reason.REMOVE_FROM_CRL, None)


def _encode(
    serial: SerialNumber, at: datetime, reason: Reason, invalid_since: datetime | None
) -> bytes:
    entry = der.integer(serial) + der.choice_time(at)
    if reason is not Reason.UNSPECIFIED:
        code = der.element(der.ENUMERATED, bytes((reason,)))
        extensions = der.extension(_REASON_CODE, code)
        if invalid_since is not None:
            extensions += der.extension(_INVALIDITY_DATE, der.generalized_time(invalid_since))
        entry += der.sequence(extensions)
    return der.sequence(entry)


def order_of(serial: SerialNumber) -> bytes:
    """The length octet and content of a serial's DER: the order of octets is that of numbers."""
    return der.integer(serial)[1:]


def serial_of(order: bytes) -> SerialNumber:
    """The serial of what `order_of` gives."""
    return SerialNumber(int.from_bytes(order[1:], "big"))


def serials(
    octets: Octets, start: int = 0, end: int | None = None, *, delta: bool = False
) -> Iterator[list[bytes]]:
    """Batches of serials, each as `order_of` has it.

    Raises:
        CrlRefused: something between the entries is none; removeFromCRL only a delta CRL has.
    """
    position, end = start, len(octets) if end is None else end
    grammar = _DELTA if delta else _COMPLETE
    while found := grammar.match(octets, position, end):
        yield _SERIAL.findall(octets, position, found.end())
        position = found.end()
    if position != end:
        raise CrlRefused(CrlRule.ENTRIES)


def check_ascending(batches: Iterable[list[bytes]]) -> int:
    """How many serials there are; CrlRefused unless each is once, in ascending order."""
    previous, count = b"", 0
    for batch in batches:
        if previous >= batch[0] or not all(map(lt, batch, islice(batch, 1, None))):
            raise CrlRefused(CrlRule.ENTRIES)
        previous = batch[-1]
        count += len(batch)
    return count


@dataclass(frozen=True, slots=True)
class Piece:
    """Entries one after the other; `first` is the `order_of` the first one's serial."""

    first: bytes
    octets: bytes = field(repr=False)


def in_pieces(entries: Iterable[bytes]) -> Iterator[Piece]:
    """Ready entries in ascending order of serial, in pieces."""
    ordered = iter(entries)
    while batch := list(islice(ordered, PIECE)):
        yield _piece(batch)


def _piece(entries: Sequence[bytes]) -> Piece:
    return Piece(entries[0][3 : 4 + entries[0][3]], b"".join(entries))


def take_apart(octets: bytes) -> dict[bytes, bytes]:
    """The entries of a piece by serial, in their order. Raises: CrlRefused."""
    check_ascending(serials(octets))
    return {found[1]: found[0] for found in _SERIAL.finditer(octets)}


@dataclass(frozen=True, slots=True)
class Spliced:
    """What becomes of the pieces of a CRL: those that go, by `first`, and those that come.

    `gone` are the serials that no piece holds any more; `more` is the change of the count.
    """

    removed: frozenset[bytes]
    added: tuple[Piece, ...] = field(repr=False)
    gone: frozenset[SerialNumber]
    more: int


def splice(
    firsts: Sequence[bytes],
    changes: Mapping[bytes, bytes | None],
    read: Callable[[bytes], bytes],
) -> Spliced:
    """Put changes into the pieces that begin with `firsts`: serials with their entry, or none.

    `read` gives the octets of one piece. What changes is checked: grammar, order, and that nothing
    reaches over into the next piece.

    Raises:
        CrlRefused: a piece that changes, or an entry that comes, is not as it should be.
    """
    removed, added, gone, more = set(), list[Piece](), set[bytes](), 0
    for first, following, of_piece in _by_piece(firsts, changes):
        before = take_apart(read(first)) if first else {}
        after = before | {order: entry for order, entry in of_piece.items() if entry is not None}
        for order, entry in of_piece.items():
            if entry is None:
                after.pop(order, None)
        if after == before:
            continue
        pieces = list(_cut([after[order] for order in sorted(after)]))
        _check_pieces(pieces, following)
        gone |= before.keys() - after.keys()
        more += len(after) - len(before)
        removed |= {first} - {b""}
        added += pieces
    return Spliced(frozenset(removed), tuple(added), frozenset(map(serial_of, gone)), more)


def _by_piece(
    firsts: Sequence[bytes], changes: Mapping[bytes, bytes | None]
) -> Iterator[tuple[bytes, bytes | None, dict[bytes, bytes | None]]]:
    """Each piece that changes reach: its first serial, the next piece's, and its changes."""
    reached: dict[int, dict[bytes, bytes | None]] = {}
    for order in sorted(changes):
        index = max(bisect_right(firsts, order) - 1, 0)
        reached.setdefault(index, {})[order] = changes[order]
    for index, of_piece in reached.items():
        first = firsts[index] if firsts else b""
        yield first, firsts[index + 1] if index + 1 < len(firsts) else None, of_piece


def _cut(entries: list[bytes]) -> Iterator[Piece]:
    if len(entries) > 2 * PIECE:
        yield from in_pieces(entries)
    elif entries:
        yield _piece(entries)


def _check_pieces(pieces: Sequence[Piece], following: bytes | None) -> None:
    """Grammar and order of pieces that come, which end before the piece that follows."""
    found = [batch for piece in pieces for batch in serials(piece.octets)]
    check_ascending(found)
    if found and following is not None and found[-1][-1] >= following:
        raise CrlRefused(CrlRule.ENTRIES)


def vanished_between(
    before: Iterable[list[bytes]], after: Iterable[list[bytes]]
) -> frozenset[SerialNumber]:
    """The serials of ascending batches that are not in the others, walked side by side."""
    gone: set[bytes] = set()
    fresh = iter(after)
    ahead: list[bytes] = []
    for batch in before:
        last = batch[-1]
        while not ahead or ahead[-1] < last:
            more = next(fresh, None)
            if more is None:
                break
            ahead += more
        cut = bisect_right(ahead, last)
        if ahead[:cut] != batch:
            gone |= set(batch).difference(ahead[:cut])
        del ahead[:cut]
    return frozenset(map(serial_of, gone))

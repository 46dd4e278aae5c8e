"""Stores in memory, with the same refusals as the recorded ones."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from ca.identifiers import IssuerName, SerialNumber
from revocation.crl_entries import Piece, encode_entry, order_of
from revocation.errors import CrlNumberTaken, StatusUnavailable
from revocation.publication import (
    COMPLETE,
    Change,
    CrlHeading,
    CrlRecord,
    CrlScope,
    CrlSource,
    NewPieces,
)
from revocation.status import Revoked, Status, Unknown


@dataclass
class MemoryCrlStore:
    """One issuer's revocations and CRLs, implements `CrlStore` and `CrlSource`.

    `ends` are the times at which certificates expire that do; `released` those held no more.
    """

    revoked: dict[SerialNumber, Revoked] = field(default_factory=dict)
    ends: dict[SerialNumber, datetime] = field(default_factory=dict)
    released: set[SerialNumber] = field(default_factory=set)
    records: list[CrlRecord] = field(default_factory=list)
    deltas: list[tuple[CrlRecord, bytes]] = field(default_factory=list)
    stored: dict[bytes, bytes] = field(default_factory=dict)
    changed: list[SerialNumber] = field(default_factory=list)
    rows_read: int = 0
    pieces_read: int = 0

    @property
    def heading(self) -> CrlHeading:
        return CrlHeading(len(self.changed), self.records[-1] if self.records else None)

    def revoke(self, serial: SerialNumber, revoked: Revoked) -> None:
        self.revoked[serial] = revoked
        self.released.discard(serial)
        self.changed.append(serial)

    def release(self, serial: SerialNumber) -> None:
        del self.revoked[serial]
        self.released.add(serial)
        self.changed.append(serial)

    def crl_heading(self, scope: CrlScope) -> CrlHeading:
        del scope
        return self.heading

    @contextmanager
    def next_crl(self, scope: CrlScope) -> Iterator[CrlSource]:
        del scope
        yield self

    def pieces(self) -> Iterator[Piece]:
        return (Piece(first, self.stored[first]) for first in sorted(self.stored))

    def firsts(self) -> Sequence[tuple[bytes, int]]:
        return [(p.first, len(p.octets)) for p in self.pieces() if p.first not in {b"", b"\xff"}]

    def piece(self, first: bytes) -> bytes:
        self.pieces_read += 1
        return self.stored[first]

    def changes(self, since: int) -> Mapping[bytes, Change]:
        return {
            order_of(serial): Change(self._entry(serial), self.ends.get(serial))
            for serial in self.changed[since:]
        }

    def leaving(self, after: datetime, until: datetime) -> Sequence[bytes]:
        ended = (s for s in self.revoked if s in self.ends and after < self.ends[s] <= until)
        return [order_of(serial) for serial in ended]

    def entries(self, left_until: datetime) -> Iterator[bytes]:
        for serial in sorted(self.revoked):
            if serial not in self.ends or self.ends[serial] > left_until:
                self.rows_read += 1
                entry = self._entry(serial)
                assert entry is not None
                yield entry

    def may_leave(
        self, serials: frozenset[SerialNumber], left_until: datetime
    ) -> frozenset[SerialNumber]:
        ended = {serial for serial, end in self.ends.items() if end <= left_until}
        return serials & (ended | self.released)

    def base(self, oldest: int, in_force_at: datetime) -> CrlRecord | None:
        able = (r for r in self.records if r.number >= oldest and r.next_update >= in_force_at)
        return next(able, None)

    def whole(self, issuer: IssuerName, shard: int = COMPLETE) -> bytes:
        del issuer
        return self.der() if shard == COMPLETE else self.deltas[-1][1]

    def der(self) -> bytes:
        """The octets of the latest CRL."""
        return b"".join(piece.octets for piece in self.pieces())

    def record_crl(self, *new: tuple[CrlRecord, NewPieces]) -> None:
        (record, pieces), *deltas = new
        if record.number != len(self.records) + 1:
            raise CrlNumberTaken(record.issuer, record.number)
        self.records.append(record)
        for first in list(self.stored) if pieces.removed is None else pieces.removed:
            self.stored.pop(first, None)
        for piece in pieces.added:
            assert piece.first not in self.stored
            self.stored[piece.first] = piece.octets
        self.deltas += [(delta, made.added[0].octets) for delta, made in deltas]

    def _entry(self, serial: SerialNumber) -> bytes | None:
        found = self.revoked.get(serial)
        return None if found is None else encode_entry(serial, found.at, found.reason)


@dataclass
class MemoryStatusSource:
    """Statuses by serial; what is not in it is unknown."""

    statuses: dict[SerialNumber, Status] = field(default_factory=dict)
    available: bool = True
    digests: dict[SerialNumber, bytes] = field(default_factory=dict)

    def status_of(self, issuer: IssuerName, serial: SerialNumber) -> Status:
        del issuer
        if not self.available:
            raise StatusUnavailable
        return self.statuses.get(serial, Unknown())

    def sha256_of(self, issuer: IssuerName, serial: SerialNumber) -> bytes | None:
        del issuer
        return self.digests.get(serial)

"""What the next CRL is made from, in one transaction; implements `CrlSource` of publication.

Long lists are streamed, never held.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    func,
    or_,
    select,
    union_all,
)

from ca.identifiers import IssuerName, SerialNumber
from records.tables import certificate, crl, crl_piece, revocation_residue, status_change
from revocation.crl_entries import Piece, order_of
from revocation.publication import COMPLETE, Change, CrlHeading, CrlRecord, CrlScope

_PIECES_AT_ONCE = 64
_ENTRIES_AT_ONCE = 4096
_AROUND = (b"", b"\xff")
_LATEST = (
    select(crl)
    .where(crl.c.issuer == bindparam("of_issuer"), crl.c.shard == bindparam("of_shard"))
    .order_by(crl.c.number.desc())
    .limit(1)
)


class RecordedSource:
    """The records of one list, as they are at one moment."""

    def __init__(self, tx: Connection, scope: CrlScope, heading: CrlHeading) -> None:
        """Read in the transaction, which sees what the heading says."""
        self._tx = tx
        self._scope = scope
        self._heading = heading

    @property
    def heading(self) -> CrlHeading:
        """The latest CRL, and the version of the revocations."""
        return self._heading

    def pieces(self) -> Iterator[Piece]:
        """The octets of the latest CRL in their order."""
        return stored_pieces(self._tx, self._scope.issuer, self._scope.shard)

    def firsts(self) -> Sequence[tuple[bytes, int]]:
        """Where the pieces with entries begin, and how long they are."""
        rows = self._tx.execute(
            select(crl_piece.c.first, func.length(crl_piece.c.octets))
            .where(*self._is_ours(), crl_piece.c.first.not_in(_AROUND))
            .order_by(crl_piece.c.first)
        )
        return [(bytes(first), length) for first, length in rows.all()]

    def piece(self, first: bytes) -> bytes:
        """The octets of one piece."""
        query = select(crl_piece.c.octets).where(*self._is_ours(), crl_piece.c.first == first)
        return bytes(self._tx.execute(query).scalar_one())

    def changes(self, since: int) -> Mapping[bytes, Change]:
        """The serials that changed after a version, each with what it is now."""
        name, version = self._scope.issuer, self._heading.version
        changed = (
            select(status_change.c.serial)
            .distinct()
            .where(
                status_change.c.issuer == name,
                status_change.c.version > since,
                status_change.c.version <= version,
                *self._of_shard(status_change),
            )
            .subquery()
        )
        query = changed
        found: dict[bytes, Change] = {}
        columns = [changed.c.serial]
        for table in (certificate, revocation_residue):
            is_it = (table.c.issuer == name) & (table.c.serial == changed.c.serial)
            query = query.outerjoin(table, is_it)  # type: ignore[assignment]
            columns += [table.c.crl_entry, table.c.not_after]
        for serial, entry, ends, remains, ended in self._tx.execute(
            select(*columns).select_from(query)
        ):
            listed = entry if entry is not None else remains
            until = ends if ends is not None else ended
            found[order_of(SerialNumber.from_hex(serial))] = Change(listed, until)
        return found

    def leaving(self, after: datetime, until: datetime) -> Sequence[bytes]:
        """The serials whose entry expired in the meantime; an index leads to them."""
        orders = []
        for table in (certificate, revocation_residue):
            rows = self._tx.execute(
                select(table.c.serial).where(
                    table.c.issuer == self._scope.issuer,
                    table.c.crl_entry.is_not(None),
                    table.c.not_after > after,
                    table.c.not_after <= until,
                    *self._of_shard(table),
                )
            )
            orders += [order_of(SerialNumber.from_hex(serial)) for (serial,) in rows]
        return orders

    def entries(self, left_until: datetime) -> Iterator[bytes]:
        """Entries of certificates, revoked or on hold, and of erased ones, ascending by serial."""
        parts = [
            select(table.c.serial, table.c.crl_entry).where(
                table.c.issuer == self._scope.issuer,
                table.c.crl_entry.is_not(None),
                table.c.not_after > left_until,
                *self._of_shard(table),
            )
            for table in (certificate, revocation_residue)
        ]
        both = union_all(*parts).subquery()
        query = select(both.c.crl_entry).order_by(func.length(both.c.serial), both.c.serial)
        found = self._tx.execute(query.execution_options(**_streamed(_ENTRIES_AT_ONCE)))
        for some in found.partitions():
            yield from (bytes(entry) for (entry,) in some)

    def may_leave(
        self, serials: frozenset[SerialNumber], left_until: datetime
    ) -> frozenset[SerialNumber]:
        """Those that expired by a time, and those whose hold was lifted."""
        found: set[SerialNumber] = set()
        wanted = sorted(serial.hex for serial in serials)
        for table in (certificate, revocation_residue):
            may = table.c.not_after <= left_until
            if table is certificate:
                may = or_(may, certificate.c.status == "issued")
            for start in range(0, len(wanted), _ENTRIES_AT_ONCE):
                some = wanted[start : start + _ENTRIES_AT_ONCE]
                rows = self._tx.execute(
                    select(table.c.serial).where(
                        table.c.issuer == self._scope.issuer, table.c.serial.in_(some), may
                    )
                )
                found.update(SerialNumber.from_hex(serial) for (serial,) in rows)
        return frozenset(found)

    def base(self, oldest: int, in_force_at: datetime) -> CrlRecord | None:
        """The oldest CRL of ours from a number on that is in force."""
        row = self._tx.execute(
            select(crl)
            .where(
                crl.c.issuer == self._scope.issuer,
                crl.c.shard == COMPLETE,
                crl.c.number >= oldest,
                crl.c.version >= 0,
                crl.c.next_update >= in_force_at,
            )
            .order_by(crl.c.number)
            .limit(1)
        ).first()
        return None if row is None else record_of(row)

    def _is_ours(self) -> tuple[ColumnElement[bool], ...]:
        scope = self._scope
        return crl_piece.c.issuer == scope.issuer, crl_piece.c.shard == scope.shard

    def _of_shard(self, table: Table) -> tuple[ColumnElement[bool], ...]:
        """The complete CRL lists what is in any shard."""
        shard = self._scope.shard
        return () if shard == COMPLETE else (table.c.shard == shard,)


def latest_crl(tx: Connection, name: IssuerName, shard: int) -> CrlRecord | None:
    """The CRL of the highest number of a list."""
    row = tx.execute(_LATEST, {"of_issuer": name, "of_shard": shard}).first()
    return None if row is None else record_of(row)


def record_of(row: object) -> CrlRecord:
    """What a row says."""
    found = {column.name: getattr(row, column.name) for column in crl.columns}
    return CrlRecord(**found)


def stored_pieces(tx: Connection, name: IssuerName, shard: int) -> Iterator[Piece]:
    """The octets of the latest CRL of a list, in their order."""
    query = (
        select(crl_piece.c.first, crl_piece.c.octets)
        .where(crl_piece.c.issuer == name, crl_piece.c.shard == shard)
        .order_by(crl_piece.c.first)
    )
    # In batches: one row after the other costs several times as much.
    for some in tx.execute(query.execution_options(**_streamed(_PIECES_AT_ONCE))).partitions():
        for first, octets in some:
            yield Piece(bytes(first), bytes(octets))


def piece_around(tx: Connection, name: IssuerName, serial: SerialNumber) -> bytes | None:
    """The piece of the complete CRL that would hold a serial."""
    query = (
        select(crl_piece.c.octets)
        .where(crl_piece.c.issuer == name, crl_piece.c.shard == COMPLETE)
        .where(crl_piece.c.first <= order_of(serial), crl_piece.c.first.not_in(_AROUND))
        .order_by(crl_piece.c.first.desc())
        .limit(1)
    )
    found = tx.execute(query).scalar()
    return None if found is None else bytes(found)


def _streamed(at_once: int) -> dict[str, Any]:
    return {"stream_results": True, "yield_per": at_once}

"""CRLs and the observations that status is visible from outside.

Implements `revocation.publication.CrlStore`.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from audit.events import Detail, Event
from ca.identifiers import IssuerName, SerialNumber
from records.audit_log import append, log_time
from records.crl_sources import (
    RecordedSource,
    latest_crl,
    piece_around,
    record_of,
    stored_pieces,
)
from records.database import Database
from records.errors import Conflict, RuleBroken
from records.tables import crl, crl_piece, issuer, status_change, status_observation
from revocation.crl_entries import order_of, take_apart
from revocation.errors import CrlNumberTaken
from revocation.foreign_crls import foreign_serials
from revocation.publication import (
    COMPLETE,
    DELTA,
    CrlHeading,
    CrlRecord,
    CrlScope,
    CrlSource,
    NewPieces,
)

Item = TypeVar("Item")
# Built once: every tick asks.
_VERSION = select(issuer.c.status_version).where(issuer.c.name == bindparam("of_issuer"))
_LAST_SHARD = select(func.max(crl.c.shard)).where(crl.c.issuer == bindparam("of_issuer"))


class Crls:
    """The CRLs of every issuer, and what they are made from."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def crl_heading(self, scope: CrlScope) -> CrlHeading:
        """Enough to tell whether a CRL is due: for a shard, only changes in it count."""
        with self._database.read() as tx:
            latest = latest_crl(tx, scope.issuer, scope.shard)
            version = _version(tx, scope.issuer)
            if scope.shard != COMPLETE and latest is not None:
                version = max(_version_of_shard(tx, scope), latest.version)
            return CrlHeading(version, latest)

    @contextmanager
    def next_crl(self, scope: CrlScope) -> Iterator[CrlSource]:
        """What the next CRL is made from, in one transaction for the length of the block."""
        with self._database.read() as tx:
            heading = CrlHeading(
                _version(tx, scope.issuer), latest_crl(tx, scope.issuer, scope.shard)
            )
            yield RecordedSource(tx, scope, heading)

    def record_crl(self, *new: tuple[CrlRecord, NewPieces]) -> None:
        """Store a CRL, and its delta; CrlNumberTaken unless its number is the next one."""
        first = new[0][0]
        taken = CrlNumberTaken(first.issuer, first.number)
        try:
            with self._database.write() as tx:
                for record, pieces in new:
                    # The row first: another process that makes the same number waits here.
                    tx.execute(insert(crl).values(_columns(record)))
                    _replace(tx, record, pieces)
                    # They go on while the clock lies behind, and keep the order of the log.
                    append(tx, _issued(record), log_time(tx, record.this_update))
        except RuleBroken as error:
            if error.code != "PKI20":
                raise
            raise taken from None
        except Conflict:  # the other writer was not to be seen when the guard looked
            raise taken from None

    @contextmanager
    def octets(
        self, name: IssuerName, shard: int = COMPLETE
    ) -> Iterator[tuple[CrlRecord | None, Iterator[bytes]]]:
        """The latest CRL of a list and its octets, in chunks, for the length of the block."""
        with self._database.read() as tx:
            found = latest_crl(tx, name, shard)
            yield found, (piece.octets for piece in stored_pieces(tx, name, shard))

    def whole(self, name: IssuerName, shard: int = COMPLETE) -> bytes:
        """All octets of the latest CRL of a list; none while there is no CRL."""
        with self.octets(name, shard) as (_, chunks):
            return b"".join(chunks)

    def is_listed(self, name: IssuerName, serial: SerialNumber) -> bool:
        """Whether the latest complete CRL lists a serial; only one piece of it is read."""
        with self._database.read() as tx:
            latest = latest_crl(tx, name, COMPLETE)
            if latest is None:
                return False
            if latest.version < 0:
                octets = b"".join(each.octets for each in stored_pieces(tx, name, COMPLETE))
                return serial in foreign_serials(octets)
            piece = piece_around(tx, name, serial)
        return piece is not None and order_of(serial) in take_apart(piece)

    def latest(self, name: IssuerName, shard: int = COMPLETE) -> CrlRecord | None:
        """The CRL of the highest number."""
        with self._database.read() as tx:
            return latest_crl(tx, name, shard)

    def recorded(self, scope: CrlScope, number: int) -> CrlRecord | None:
        """What is kept of one CRL of a list, however old."""
        with self._database.read() as tx:
            row = tx.execute(
                select(crl).where(
                    crl.c.issuer == scope.issuer,
                    crl.c.shard == scope.shard,
                    crl.c.number == number,
                )
            ).first()
        return None if row is None else record_of(row)

    def lists(self, name: IssuerName) -> list[CrlRecord]:
        """The latest CRL of every list of an issuer: complete, delta, shards."""
        with self._database.read() as tx:
            shards = range(1, _last_shard(tx, name) + 1)
            found = [latest_crl(tx, name, shard) for shard in (COMPLETE, DELTA, *shards)]
        return [record for record in found if record is not None]

    def shards(self, name: IssuerName) -> range:
        """The shards that an issuer has or ever had."""
        with self._database.read() as tx:
            return range(1, _last_shard(tx, name) + 1)

    def observe(
        self, place: tuple[IssuerName, SerialNumber], channel: str, evidence: bytes, now: datetime
    ) -> None:
        """Record that a CRL or an OCSP answer, fetched from outside, said revoked.

        `evidence` is the SHA-256 of what was fetched.
        """
        name, serial = place
        with self._database.write() as tx:
            tx.execute(
                insert(status_observation).values(
                    issuer=name,
                    serial=serial.hex,
                    channel=channel,
                    observed_at=now,
                    evidence_sha256=evidence.hex(),
                )
            )
            details = {"channel": channel, "evidence_sha256": evidence.hex()}
            event = Event("status.observed", "system:verifier", f"{name}/{serial.hex}", details)
            append(tx, event, now)


def _version(tx: Connection, name: IssuerName) -> int:
    return int(tx.execute(_VERSION, {"of_issuer": name}).scalar_one())


def _last_shard(tx: Connection, name: IssuerName) -> int:
    return int(tx.execute(_LAST_SHARD, {"of_issuer": name}).scalar() or 0)


def _version_of_shard(tx: Connection, scope: CrlScope) -> int:
    query = select(func.max(status_change.c.version)).where(
        status_change.c.issuer == scope.issuer, status_change.c.shard == scope.shard
    )
    return int(tx.execute(query).scalar() or 0)


def _columns(record: CrlRecord) -> dict[str, object]:
    return {column.name: getattr(record, column.name) for column in crl.columns}


def _replace(tx: Connection, record: CrlRecord, pieces: NewPieces) -> None:
    place = (crl_piece.c.issuer == record.issuer, crl_piece.c.shard == record.shard)
    if pieces.removed is None:
        tx.execute(delete(crl_piece).where(*place))
    elif pieces.removed:
        for some in _some(sorted(pieces.removed)):
            tx.execute(delete(crl_piece).where(*place, crl_piece.c.first.in_(some)))
    for added in _some(pieces.added):
        rows = [
            {"issuer": record.issuer, "shard": record.shard, "first": p.first, "octets": p.octets}
            for p in added
        ]
        tx.execute(insert(crl_piece), rows)


def _some(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    """A few at a time: a statement holds only so many values, and memory only so many octets."""
    return (items[start : start + 500] for start in range(0, len(items), 500))


def _issued(record: CrlRecord) -> Event:
    details: dict[str, Detail] = {"number": record.number, "sha256": record.sha256.hex()}
    if record.shard != COMPLETE:
        details["shard"] = record.shard
    return Event("crl.issued", "system:crl", record.issuer, details)

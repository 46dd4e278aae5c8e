"""Since when relying parties see each change of status, by channel.

One row tells of a whole range of versions: 100,000 changes that one CRL shows are one look. What
is not seen yet, and how long it took, follows from the rows, so nothing is lost with a process.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)

from ca.identifiers import IssuerName, SerialNumber
from records.database import Database
from records.tables import (
    certificate,
    crl,
    issuer,
    ocsp_response,
    publication,
    revocation_residue,
    status_change,
    status_visible,
)
from revocation.publication import COMPLETE

_MICROSECOND = timedelta(microseconds=1)
_LATEST = 100
_EVER = datetime(1970, 1, 1, tzinfo=UTC)  # what is due and not made yet has this


class Channel(StrEnum):
    """Where relying parties learn of a change."""

    CRL = "crl"
    OCSP = "ocsp"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class Unseen:
    """Versions `first` to `last` of one issuer, decided from `since` on and not seen yet."""

    issuer: IssuerName
    first: int
    last: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Latencies:
    """How long changes took from decision to being seen, over some time."""

    changes: int
    median: timedelta
    p99: timedelta
    worst: timedelta


class Visibility:
    """The table of what was seen, and what is missing in it."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def unseen(self, name: IssuerName, channel: Channel) -> Unseen | None:
        """The changes of an issuer after the last that was seen; for CRL and OCSP."""
        seen = select(func.coalesce(func.max(status_visible.c.last), 0)).where(
            status_visible.c.issuer == name, status_visible.c.channel == channel
        )
        with self._database.read() as tx:
            first = int(tx.execute(seen).scalar_one()) + 1
            query = select(issuer.c.status_version).where(issuer.c.name == name)
            last = int(tx.execute(query).scalar_one())
            since = tx.execute(
                select(status_change.c.at)
                .where(status_change.c.issuer == name, status_change.c.version >= first)
                .order_by(status_change.c.version)
                .limit(1)
            ).scalar()
        return None if since is None else Unseen(name, first, last, since)

    def behind(self) -> set[tuple[IssuerName, Channel]]:
        """The issuers with changes that may not have been seen yet, each with CRL or OCSP."""
        with self._database.read() as tx:
            return {(IssuerName(name), Channel(channel)) for name, channel in tx.execute(_BEHIND)}

    def sample(self, unseen: Unseen, most: int, now: datetime) -> list[SerialNumber]:
        """Serials among those changes: the first, the last and some between.

        None that expired, which leaves the CRL whatever became of it, and none that has changed
        again since the last of them.
        """
        step = -(-max(unseen.last - unseen.first, 1) // (most - 1))
        chosen = {*range(unseen.first, unseen.last, step), unseen.last}
        live = or_(
            *(
                exists().where(
                    table.c.issuer == status_change.c.issuer,
                    table.c.serial == status_change.c.serial,
                    table.c.not_after > now,
                )
                for table in (certificate, revocation_residue)
            )
        )
        later = status_change.alias()
        changed_again = exists().where(
            later.c.issuer == status_change.c.issuer,
            later.c.serial == status_change.c.serial,
            later.c.version > unseen.last,
        )
        query = select(status_change.c.serial).where(
            status_change.c.issuer == unseen.issuer,
            status_change.c.version.in_(chosen),
            live,
            ~changed_again,
        )
        with self._database.read() as tx:
            return [SerialNumber.from_hex(serial) for serial in sorted(set(tx.scalars(query)))]

    def has_crl_of(self, name: IssuerName, version: int) -> bool:
        """Whether a complete CRL was recorded that shows this version."""
        latest = select(crl.c.version).where(_list(name)).order_by(crl.c.number.desc()).limit(1)
        with self._database.read() as tx:
            found = tx.execute(latest).scalar()
        return found is not None and found >= version

    def version_of_crl(self, name: IssuerName, sha256: bytes, shard: int = COMPLETE) -> int | None:
        """The version that a CRL was made from, if it is among the latest of its list."""
        query = (
            select(crl.c.version, crl.c.sha256)
            .where(_list(name, shard))
            .order_by(crl.c.number.desc())
            .limit(_LATEST)
        )
        with self._database.read() as tx:
            found = [row.version for row in tx.execute(query) if row.sha256 == sha256]
        return max(found, default=None)

    def changed_shards(self, unseen: Unseen) -> dict[int, int]:
        """The shards whose certificates changed, each with the version of its last change."""
        query = (
            select(status_change.c.shard, func.max(status_change.c.version))
            .where(
                status_change.c.issuer == unseen.issuer,
                status_change.c.version.between(unseen.first, unseen.last),
                status_change.c.shard > COMPLETE,
            )
            .group_by(status_change.c.shard)
        )
        with self._database.read() as tx:
            return {int(shard): int(version) for shard, version in tx.execute(query)}

    def latest_crl(self, name: IssuerName) -> tuple[int, datetime, datetime] | None:
        """Number, thisUpdate and nextUpdate of the latest CRL, without its octets."""
        query = (
            select(crl.c.number, crl.c.this_update, crl.c.next_update)
            .where(_list(name))
            .order_by(crl.c.number.desc())
            .limit(1)
        )
        with self._database.read() as tx:
            row = tx.execute(query).first()
        return None if row is None else (row.number, row.this_update, row.next_update)

    def first_to_end(self, name: IssuerName, now: datetime) -> tuple[datetime, datetime] | None:
        """The thisUpdate and nextUpdate of the OCSP answer made ahead that ends first."""
        query = (
            select(ocsp_response.c.this_update, ocsp_response.c.next_update)
            .where(
                ocsp_response.c.issuer == name,
                ocsp_response.c.due_at > _EVER,
                ocsp_response.c.not_after > now,
            )
            .order_by(ocsp_response.c.due_at)
            .limit(1)
        )
        with self._database.read() as tx:
            row = tx.execute(query).first()
        return None if row is None else (row.this_update, row.next_update)

    def newest_signer(self, name: IssuerName) -> tuple[datetime, datetime] | None:
        """The notBefore and notAfter of the OCSP signer certificate that was issued last."""
        query = (
            select(certificate.c.not_before, certificate.c.not_after)
            .where(
                certificate.c.issuer == name,
                certificate.c.profile == literal_column("'ocsp-signer'"),
                certificate.c.status == "issued",
            )
            .order_by(certificate.c.intended_at.desc())
            .limit(1)
        )
        with self._database.read() as tx:
            row = tx.execute(query).first()
        return None if row is None else (row.not_before, row.not_after)

    def see(self, unseen: Unseen, channel: Channel, now: datetime) -> list[timedelta]:
        """Record that these changes are seen now; how long each took.

        Raises:
            RuleBroken: some of them were recorded as seen before.
        """
        with self._database.write() as tx:
            tx.execute(
                insert(status_visible).values(
                    issuer=unseen.issuer,
                    channel=channel,
                    first=unseen.first,
                    last=unseen.last,
                    at=now,
                )
            )
            decided = select(status_change.c.at).where(
                status_change.c.issuer == unseen.issuer,
                status_change.c.version.between(unseen.first, unseen.last),
            )
            return [now - at for at in tx.scalars(decided)]

    def seen_since(self, channel: Channel, since: datetime) -> list[timedelta]:
        """How long each change took that was seen since then."""
        with self._database.read() as tx:
            return [_MICROSECOND * took for took in tx.scalars(_took(channel, since))]

    def latencies(self, channel: Channel, since: datetime) -> Latencies | None:
        """Median, 99th percentile and worst of what was seen since then; None without any."""
        took = _took(channel, since).subquery()
        with self._database.read() as tx:
            changes = int(tx.execute(select(func.count()).select_from(took)).scalar_one())
            if not changes:
                return None
            found = [
                _MICROSECOND
                * tx.execute(
                    select(took.c.took).order_by(took.c.took).limit(1).offset(rank)
                ).scalar_one()
                for rank in (changes // 2, -(-changes * 99 // 100) - 1, changes - 1)
            ]
        return Latencies(changes, *found)

    def unseen_in_directory(self) -> tuple[int, datetime | None]:
        """How many changes wait for a directory, and when the oldest was decided."""
        with self._database.read() as tx:
            number, oldest = tx.execute(_UNSEEN_IN_DIRECTORY).one()
        return int(number), oldest


def _unseen_in_directory() -> Select[int, datetime | None]:
    newer = status_change.alias()
    latest = (
        select(func.max(newer.c.version))
        .where(newer.c.issuer == publication.c.issuer, newer.c.serial == publication.c.serial)
        .scalar_subquery()
    )
    return (
        select(func.count(), func.min(status_change.c.at))
        .select_from(publication)
        .join(
            status_change,
            and_(
                status_change.c.issuer == publication.c.issuer,
                status_change.c.serial == publication.c.serial,
                status_change.c.version == latest,
            ),
        )
        .where(publication.c.state.in_(("pending", "withdrawing")))
    )


def _took(channel: Channel, since: datetime) -> Select[int]:
    """The microseconds of each change that was seen since then."""
    took: ColumnElement[int] = status_visible.c.at.op("-", return_type=BigInteger())(
        status_change.c.at
    )
    return (
        select(took.label("took"))
        .select_from(status_visible)
        .join(
            status_change,
            and_(
                status_change.c.issuer == status_visible.c.issuer,
                status_change.c.version.between(status_visible.c.first, status_visible.c.last),
            ),
        )
        .where(status_visible.c.channel == channel, status_visible.c.at >= since)
    )


def _list(name: IssuerName, shard: int = COMPLETE) -> ColumnElement[bool]:
    return and_(crl.c.issuer == name, crl.c.shard == shard)


_SEEN = (
    select(func.coalesce(func.max(status_visible.c.last), 0))
    .where(status_visible.c.issuer == issuer.c.name)
    .correlate(issuer)
)
# Built once: every tick asks.
_BEHIND = union_all(
    *(
        select(issuer.c.name, literal(channel)).where(
            issuer.c.status_version
            > _SEEN.where(status_visible.c.channel == channel).scalar_subquery()
        )
        for channel in (Channel.CRL, Channel.OCSP)
    )
)
_UNSEEN_IN_DIRECTORY = _unseen_in_directory()

"""Bulk revocations: planned as a list of rows, begun by a second person, done in batches.

Each batch is one transaction that also moves the count of what is done, so whatever ends the
process, the next one goes on from there. `decided_by` of a certificate names the bulk revocation.
"""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    func,
    insert,
    select,
    update,
)

from audit.events import Detail, Event
from ca.failpoints import reach
from ca.issuers import OCSP_PROFILE
from records.audit_log import append
from records.brake import check_alone, check_plans, tell_braked
from records.bulk_lists import check_unaltered, forget_some, next_forgotten
from records.database import Database
from records.errors import Conflict, NotFound
from records.holds import is_same_person
from records.key_uses import keep_compromised
from records.statuses import ended, withdraw
from records.tables import bulk_certificate, bulk_revocation, certificate, issuer_certificate
from revocation.causes import Cause, Grounds, Party
from revocation.errors import RevocationRefused, RevocationRule, SelectionFaulty
from revocation.selections import MOST, Place, Selection, digest_of

BATCH = 500
_AT_ONCE = 1000
_FORGET = 2000
_OPEN = (  # built once: every tick asks
    select(bulk_revocation.c.id)
    .where(bulk_revocation.c.begun_by.is_not(None), bulk_revocation.c.ended_at.is_(None))
    .order_by(bulk_revocation.c.begun_at)
)
_LIVE = ("issued", "held")
_REVOKE = (
    update(certificate)
    .where(
        certificate.c.issuer == bindparam("of_issuer"),
        certificate.c.serial == bindparam("of_serial"),
    )
    .values(
        {
            name: bindparam(name)
            for name in (
                *("status", "revoked_at", "reason", "crl_entry", "cause", "invalid_since"),
                *("decided_at", "decided_by"),
            )
        }
    )
)


@dataclass(frozen=True, slots=True)
class BulkRevocation:
    """One bulk revocation; `left_out` of the selection were revoked or expired when planned."""

    id: str
    grounds: Grounds
    selection: Mapping[str, str | int]
    sha256: str
    total: int
    left_out: int
    alone: int
    planned_by: str
    planned_at: datetime
    begun_by: str | None
    begun_at: datetime | None
    done: int
    revoked: int
    ended_at: datetime | None

    @property
    def state(self) -> str:
        """`planned`, `waiting` for a second person, `begun`, or `done`."""
        if self.begun_by is None:
            return "waiting" if self.total > self.alone else "planned"
        return "begun" if self.ended_at is None else "done"


class BulkRevocations:
    """Plans, and the batches that carry them out."""

    def __init__(self, database: Database, alone_per_hour: int) -> None:
        """Use the database; one person begins alone what stays below the number in an hour."""
        self._database = database
        self._alone = alone_per_hour

    def plan(
        self, selection: Selection, grounds: Grounds, actor: str, now: datetime
    ) -> BulkRevocation:
        """Write down what would be revoked; nothing is revoked yet.

        Raises:
            SelectionFaulty: lines of the list name nothing that can be revoked in bulk.
            RevocationRefused: the selection is empty or too large, the grounds are none, or the
                person has too many plans that were not begun.
        """
        # Each certificate bounds the date by its own beginning.
        grounds.check(Party.OFFICER, grounds.invalid_since or now, now)
        with self._database.write() as tx:
            check_plans(tx, actor, 1)
            places, left_out = _select(tx, selection, now)
            if not places:
                raise RevocationRefused(RevocationRule.NOTHING_SELECTED)
            if len(places) > MOST:
                raise RevocationRefused(RevocationRule.TOO_MANY_SELECTED, str(MOST))
            job, sha256 = f"bulk-{secrets.token_hex(8)}", digest_of(places)
            values = {
                "id": job,
                "cause": grounds.cause,
                "invalid_since": grounds.invalid_since,
                "selection": json.dumps(selection.words(), sort_keys=True),
                "sha256": sha256,
                "total": len(places),
                "left_out": left_out,
                "alone": self._alone,
                "planned_by": actor,
                "planned_at": now,
            }
            tx.execute(insert(bulk_revocation).values(values))
            rows = (
                {"bulk_id": job, "number": number, "issuer": place[0], "serial": place[1]}
                for number, place in enumerate(places)
            )
            while chunk := list(islice(rows, _AT_ONCE)):
                tx.execute(insert(bulk_certificate), chunk)
            told: dict[str, Detail] = {"certificates": len(places), "sha256": sha256}
            append(tx, Event("revocation.planned", actor, job, told | _why(grounds)), now)
            check_plans(tx, actor, 0)  # again, for plans of other nodes that came in between
            return _bulk(_row(tx, job))

    def get(self, job: str) -> BulkRevocation:
        """One of them; NotFound if there is none of that name."""
        with self._database.read() as tx:
            return _bulk(_row(tx, job))

    def all(self, limit: int = 100) -> list[BulkRevocation]:
        """The newest ones, newest first."""
        newest = select(bulk_revocation).order_by(bulk_revocation.c.planned_at.desc()).limit(limit)
        with self._database.read() as tx:
            return [_bulk(row) for row in tx.execute(newest)]

    def counts(self, job: str) -> list[tuple[str, str, int]]:
        """How many certificates of each issuer and profile: in the list, or revoked by it."""
        with self._database.read() as tx:
            if _row(tx, job).ended_at is None:
                chosen = select(certificate).join(bulk_certificate, _LISTED)
                chosen = chosen.where(bulk_certificate.c.bulk_id == job)
            else:
                chosen = select(certificate).where(certificate.c.decided_by == job)
            columns = (certificate.c.issuer, certificate.c.profile)
            counted = chosen.with_only_columns(*columns, func.count()).group_by(*columns)
            return [tuple(row) for row in tx.execute(counted.order_by(*columns))]

    def begin(self, job: str, sha256: str, actor: str, now: datetime) -> BulkRevocation:
        """Confirm exactly this selection, and let it be carried out; final.

        Raises:
            NotFound: there is no such plan.
            Conflict: it was begun already.
            SelectionAltered: its rows are not those that were planned.
            RevocationRefused: SELECTION_CHANGED for another digest; SECOND_OFFICER or RATE_LIMITED
                when it is too large for the person who planned it.
        """
        try:
            return self._begin(job, sha256, actor, now)
        except RevocationRefused as refusal:
            tell_braked(self._database, refusal, actor, job, now)
            raise

    def _begin(self, job: str, sha256: str, actor: str, now: datetime) -> BulkRevocation:
        with self._database.write() as tx:
            plan = _row(tx, job, lock=True)
            if plan.begun_by is not None:
                raise Conflict(f"bulk revocation {job}", "begun already")
            if sha256 != plan.sha256:
                raise RevocationRefused(RevocationRule.SELECTION_CHANGED, plan.sha256)
            alone = is_same_person(tx, actor, plan.planned_by)
            most = min(self._alone, plan.alone)
            if alone and plan.total > most:
                raise RevocationRefused(RevocationRule.SECOND_OFFICER, str(plan.total), str(most))
            check_unaltered(tx, plan)
            begun = {"begun_by": actor, "begun_at": now, "begun_sha256": sha256}
            _move(tx, job, begun)
            append(tx, Event("revocation.begun", actor, job, {"sha256": sha256}), now)
            if alone:
                check_alone(tx, actor, most, now)
            return _bulk(_row(tx, job))

    def open(self) -> list[str]:
        """What was begun and has not ended, the oldest first."""
        with self._database.read() as tx:
            return list(tx.execute(_OPEN).scalars())

    def carry_on(self, job: str, now: datetime, limit: int = BATCH) -> BulkRevocation:
        """Revoke the next ones, at most `limit`; what is revoked already is passed over."""
        with self._database.write() as tx:
            row = _row(tx, job, lock=True)
            if row.begun_by is None or row.ended_at is not None:
                return _bulk(row)
            _carry_on(tx, row, min(limit, row.total - row.done), now)
            after = _bulk(_row(tx, job))
            reach("bulk.written")
        reach("bulk.recorded")
        return after

    def forget(self, now: datetime, limit: int = _FORGET) -> int:
        """Delete the next rows that are not needed any more, at most `limit`; gives how many."""
        with self._database.read() as tx:
            job = next_forgotten(tx)
        if job is None:
            return 0
        with self._database.write() as tx:
            return forget_some(tx, job, limit, now)


_LISTED = and_(
    certificate.c.issuer == bulk_certificate.c.issuer,
    certificate.c.serial == bulk_certificate.c.serial,
)


def _carry_on(tx: Connection, job: Row[tuple[Any, ...]], count: int, now: datetime) -> None:
    end = job.done + count
    live = [row for row in _next(tx, job, end) if row.status in _LIVE]
    if live:
        tx.execute(_REVOKE, [_ended(job, row, now) for row in live])
        for issuer, rows in groupby(live, key=lambda row: str(row.issuer)):
            withdraw(tx, issuer, [row.serial for row in rows], now)
        if Cause(job.cause).is_compromise:
            keep_compromised(tx, {row.spki_sha256 for row in live})
    details = {
        "first": job.done,
        "done": count,
        "revoked": len(live),
        "sha256": digest_of((row.issuer, row.serial) for row in live),
    }
    moved: dict[str, object] = {"done": end, "revoked": job.revoked + len(live)}
    if end == job.total:
        moved["ended_at"] = now
    _move(tx, job.id, moved)
    append(tx, Event("revocation.carried_on", job.begun_by, job.id, details), now)


def _next(tx: Connection, job: Row[tuple[Any, ...]], end: int) -> Sequence[Row[tuple[Any, ...]]]:
    """The rows of the next certificates, locked in one order for everybody."""
    columns = ("issuer", "serial", "status", "revoked_at", "not_before", "spki_sha256")
    listed = (
        select(*(certificate.c[column] for column in columns))
        .join(bulk_certificate, _LISTED)
        .where(bulk_certificate.c.bulk_id == job.id)
        .where(bulk_certificate.c.number >= job.done, bulk_certificate.c.number < end)
        .order_by(bulk_certificate.c.number)
        .with_for_update(of=certificate)
    )
    return tx.execute(listed).all()


def _ended(
    job: Row[tuple[Any, ...]], row: Row[tuple[Any, ...]], now: datetime
) -> dict[str, object]:
    since = None if job.invalid_since is None else max(job.invalid_since, row.not_before)
    at = row.revoked_at or now.replace(microsecond=0)
    return {
        "of_issuer": row.issuer,
        "of_serial": row.serial,
        **ended(row.serial, "revoked", Grounds(Cause(job.cause), since), at),
        "decided_at": now,
        "decided_by": job.id,
    }


def _select(
    tx: Connection, selection: Selection, now: datetime
) -> tuple[list[tuple[str, str]], int]:
    """Places in ascending order; and of a list, how many are revoked, expired or not issued.

    Left out are issuers too, which end by retirement, and with them their OCSP signers.
    """
    query = select(certificate.c.issuer, certificate.c.serial, certificate.c.fingerprint)
    query = query.where(*_named(selection))
    live = query.where(
        certificate.c.status.in_(_LIVE),
        certificate.c.not_after >= now,
        certificate.c.profile != OCSP_PROFILE,
    )
    authorities = set(tx.execute(select(issuer_certificate.c.fingerprint)).scalars())
    if selection.places is None:
        found = tx.execute(live.limit(MOST + 1)).all()
    else:
        _check_listed(tx, selection.places)
        found = [row for of in _listed(selection.places) for row in tx.execute(live.where(of))]
    places = sorted((row.issuer, row.serial) for row in found if row.fingerprint not in authorities)
    return places, len(selection.places or places) - len(places)


def _named(of: Selection) -> Iterator[ColumnElement[bool]]:
    for name in ("issuer", "spki_sha256", "profile"):
        if (value := getattr(of, name)) is not None:
            yield certificate.c[name] == value
    if of.issued_from is not None:
        yield certificate.c.issued_at >= of.issued_from
    if of.issued_until is not None:
        yield certificate.c.issued_at <= of.issued_until


def _listed(places: Iterable[Place]) -> Iterator[ColumnElement[bool]]:
    """Conditions for so many places that one statement takes them."""
    for issuer, listed in groupby(sorted(places), key=lambda place: place[0]):
        serials = (serial.hex for _, serial in listed)
        while chunk := list(islice(serials, _AT_ONCE)):
            yield and_(certificate.c.issuer == issuer, certificate.c.serial.in_(chunk))


def _check_listed(tx: Connection, places: Mapping[Place, int]) -> None:
    """Refuse a list with certificates that are not there."""
    names = select(certificate.c.issuer, certificate.c.serial)
    there = {tuple(row) for of in _listed(places) for row in tx.execute(names.where(of))}
    missing = tuple(
        (line, f"there is no certificate {issuer}/{serial.hex}")
        for (issuer, serial), line in places.items()
        if (issuer, serial.hex) not in there
    )
    if missing:
        raise SelectionFaulty(missing)


def _row(tx: Connection, job: str, *, lock: bool = False) -> Row[tuple[Any, ...]]:
    query = select(bulk_revocation).where(bulk_revocation.c.id == job)
    row = tx.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound("bulk revocation", job)
    return row


def _move(tx: Connection, job: str, values: Mapping[str, object]) -> None:
    tx.execute(update(bulk_revocation).where(bulk_revocation.c.id == job).values(**values))


def _why(grounds: Grounds) -> dict[str, Detail]:
    since = {} if grounds.invalid_since is None else {"since": grounds.invalid_since.isoformat()}
    return {"cause": grounds.cause, **since}


def _bulk(row: Row[tuple[Any, ...]]) -> BulkRevocation:
    return BulkRevocation(
        id=row.id,
        grounds=Grounds(Cause(row.cause), row.invalid_since),
        selection=json.loads(row.selection),
        sha256=row.sha256,
        total=row.total,
        left_out=row.left_out,
        alone=row.alone,
        planned_by=row.planned_by,
        planned_at=row.planned_at,
        begun_by=row.begun_by,
        begun_at=row.begun_at,
        done=row.done,
        revoked=row.revoked,
        ended_at=row.ended_at,
    )

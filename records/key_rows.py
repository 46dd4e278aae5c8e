"""What is read and written in the tables of the key store, inside the caller's transaction."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, func, insert, inspect, select, tuple_, update

from records.database import from_microseconds
from records.key_tables import (
    BUCKET_KEYS,
    STORE_GUARDS,
    bucket,
    epoch,
    epoch_root,
    key_metadata,
    store,
    stored_key,
)
from records.key_wrapping import KeyWrap, new_key, place_of_bucket
from records.triggers import NOW, render

_PREPARE_LOCK = 7418458
_PAGE = 500
_BIRTH = datetime(1970, 1, 1, tzinfo=UTC)
_AFTER_ALL = "g"
"""Follows every reference, which is hexadecimal."""


@dataclass(frozen=True, slots=True)
class WrappedTop:
    """A top key as the root in one token wraps it."""

    token: str
    serial: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What a store, or a snapshot of one, holds: the same facts mean the same keys."""

    name: str
    epoch: int
    keys: int
    touched: int
    """Buckets that lost a key since the last seal."""
    newest: datetime | None
    completed_at: datetime | None
    """When no root of an earlier epoch was left."""


def clock_of(tx: Connection) -> datetime:
    """The time by the database's own clock, which is the same for every node."""
    said = tx.exec_driver_sql(f"SELECT {NOW[tx.dialect.name]}").scalar_one()
    return from_microseconds(int(said))


def current_epoch(tx: Connection) -> int:
    """The highest epoch; 0 before there is one."""
    return int(tx.execute(select(func.max(epoch.c.number))).scalar() or 0)


def add_epoch(tx: Connection, number: int, tops: Sequence[WrappedTop]) -> None:
    """Let an epoch begin with these wraps of its top key."""
    tx.execute(insert(epoch).values(number=number, began_at=clock_of(tx)))
    tx.execute(
        insert(epoch_root),
        [
            {
                "epoch": number,
                "token": each.token,
                "serial": each.serial,
                "wrapped": each.wrapped,
                "written_off": False,
            }
            for each in tops
        ],
    )


def facts_of(tx: Connection) -> StoreFacts:
    """What a founded store holds."""
    number = current_epoch(tx)
    keys, newest = tx.execute(select(func.count(), func.max(stored_key.c.made_at))).one()
    touched = select(func.count()).select_from(bucket).where(bucket.c.touched)
    completed = select(epoch.c.completed_at).where(epoch.c.number == number)
    return StoreFacts(
        name=tx.execute(select(store.c.name)).scalar_one(),
        epoch=number,
        keys=int(keys),
        touched=int(tx.execute(touched).scalar_one()),
        newest=newest,
        completed_at=tx.execute(completed).scalar(),
    )


def drop(tx: Connection, refs: Sequence[str], *, touch: bool = True) -> int:
    """Delete data keys inside the caller's transaction."""
    dropped = 0
    for start in range(0, len(refs), _PAGE):
        page = stored_key.c.ref.in_(refs[start : start + _PAGE])
        if touch:
            concerned = select(stored_key.c.bucket).where(page)
            tx.execute(update(bucket).where(bucket.c.id.in_(concerned)).values(touched=True))
        dropped += tx.execute(delete(stored_key).where(page)).rowcount
    return dropped


def unswept(tx: Connection, until: datetime) -> Iterator[list[str]]:
    """References of keys made up to then that no sweep looked at yet, a page at a time."""
    after, ref = tx.execute(select(store.c.swept_until)).scalar_one(), _AFTER_ALL
    while True:
        place = tuple_(stored_key.c.made_at, stored_key.c.ref)
        page = tx.execute(
            select(stored_key.c.ref, stored_key.c.made_at)
            .where(place > (after, ref), stored_key.c.made_at <= until)
            .order_by(stored_key.c.made_at, stored_key.c.ref)
            .limit(_PAGE)
        ).all()
        if not page:
            return
        yield [row.ref for row in page]
        ref, after = page[-1].ref, page[-1].made_at


def bucket_with_room(tx: Connection) -> tuple[int, int, bytes] | None:
    """Number, fill and wrapped key of a bucket that takes more keys, if there is one."""
    # Two who make keys at once take two buckets, and neither waits.
    row = tx.execute(
        select(bucket.c.id, bucket.c.filled, bucket.c.wrapped)
        .where(bucket.c.filled < BUCKET_KEYS)
        .order_by(bucket.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    return None if row is None else (row.id, row.filled, row.wrapped)


def new_bucket(tx: Connection, top: KeyWrap) -> tuple[int, int, bytes]:
    """An empty bucket with a key of its own, as `bucket_with_room` has it."""
    number = secrets.randbits(62)
    wrapped = top.wrap(new_key(), place_of_bucket(number))
    tx.execute(insert(bucket).values(id=number, filled=0, wrapped=wrapped, touched=False))
    return number, 0, wrapped


def prepare(tx: Connection) -> None:
    """The tables, guards and name of a store, where they are missing."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_PREPARE_LOCK})")
    if inspect(tx).has_table("store"):
        return
    key_metadata.create_all(tx)
    for trigger in render(tx.dialect.name, STORE_GUARDS, ()):
        for statement in trigger.create:
            tx.exec_driver_sql(statement)
    tx.execute(insert(store).values(id=1, name=secrets.token_hex(4), swept_until=_BIRTH))

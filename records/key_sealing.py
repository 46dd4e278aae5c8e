"""The one transaction of the key store in which a new epoch begins.

Doomed keys are deleted, each bucket that lost one gets a new key under which the others are
wrapped anew, and every bucket key is wrapped by the new top key. What a seal is for follows:
no key that is in force now opens an old copy of a doomed one.
"""

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection, bindparam, delete, select, update

from records.errors import Conflict
from records.key_rows import WrappedTop, add_epoch, current_epoch, drop
from records.key_store import KeyStore
from records.key_tables import bucket, epoch_root, stored_key
from records.key_wrapping import KeyWrap, new_key, place_of_bucket, place_of_key

_PAGE = 2000
_REWRAP_BUCKET = (
    update(bucket)
    .where(bucket.c.id == bindparam("number"))
    .values(wrapped=bindparam("new"), filled=bindparam("kept"), touched=False)
)
_REWRAP_KEY = (
    update(stored_key).where(stored_key.c.ref == bindparam("name")).values(wrapped=bindparam("new"))
)


def begin_epoch(
    keys: KeyStore,
    number: int,
    top: bytes,
    wrapped: Sequence[WrappedTop],
    doomed: Callable[[], Sequence[str]],
) -> None:
    """Let the epoch of this number begin with a new top key, wrapped by its roots.

    `doomed` is asked while the store is locked: what was doomed before is gone when this returns,
    and whoever asks for the current epoch waits.

    Raises:
        Conflict: another epoch began meanwhile.
        DamagedData, HsmError, DatabaseUnavailable: nothing has changed.
    """
    with keys.database.write() as tx:
        keys.lock(tx, alone=True)
        if current_epoch(tx) != number - 1:
            raise Conflict("the epoch of the key store", "another one by now")
        before, after = KeyWrap(keys.top_key(tx)), KeyWrap(top)
        drop(tx, doomed())
        for rows in _buckets(tx):
            tx.execute(_REWRAP_BUCKET, [_rewrapped(tx, row, before, after) for row in rows])
        tx.execute(delete(bucket).where(bucket.c.filled == 0))
        tx.execute(update(epoch_root).where(epoch_root.c.epoch < number).values(wrapped=None))
        add_epoch(tx, number, wrapped)
    keys.forget_unwrapped()
    if keys.database.dialect == "sqlite":
        # What was wrapped by the old top key is not to stay behind in the log.
        with keys.database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


_Bucket = tuple[int, bytes, int, bool]


def _buckets(tx: Connection) -> Iterator[list[_Bucket]]:
    after = -1
    while True:
        page = (
            select(bucket.c.id, bucket.c.wrapped, bucket.c.filled, bucket.c.touched)
            .where(bucket.c.id > after)
            .order_by(bucket.c.id)
            .limit(_PAGE)
        )
        rows = [(row[0], row[1], row[2], row[3]) for row in tx.execute(page)]
        if not rows:
            return
        yield rows
        after = rows[-1][0]


def _rewrapped(tx: Connection, row: _Bucket, before: KeyWrap, after: KeyWrap) -> dict[str, object]:
    number, wrapped, filled, touched = row
    place = place_of_bucket(number)
    key = before.unwrap(wrapped, place)
    if touched:
        old, key = key, new_key()
        filled = _rewrap_keys(tx, number, KeyWrap(old), KeyWrap(key))
    return {"number": number, "new": after.wrap(key, place), "kept": filled}


def _rewrap_keys(tx: Connection, number: int, before: KeyWrap, after: KeyWrap) -> int:
    kept = select(stored_key.c.ref, stored_key.c.wrapped).where(stored_key.c.bucket == number)
    changes = []
    for ref, wrapped in tx.execute(kept).all():
        place = place_of_key(ref)
        changes.append({"name": ref, "new": after.wrap(before.unwrap(wrapped, place), place)})
    if changes:
        tx.execute(_REWRAP_KEY, changes)
    return len(changes)

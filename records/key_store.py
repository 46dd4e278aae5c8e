"""The key store: the data keys of people, each behind a bucket key, a top key and a token's root.

    root of an epoch, in each token -> top key -> bucket keys -> data keys

It is a database of its own and names nobody: the records hold the reference of a key, and only
with both does anything open. Old copies of it die with the root they were made under, which is
what `records.sealing` is for. A key is made here first, committed, and then referred to.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Row, bindparam, delete, insert, inspect, select, update

from hsm.errors import HsmError, IntegrityFailed, LockHeld
from hsm.module import exclusive
from records.database import Database
from records.errors import Conflict, DatabaseUnavailable
from records.key_cache import KeyCache
from records.key_rows import (
    StoreFacts,
    WrappedTop,
    add_epoch,
    bucket_with_room,
    clock_of,
    current_epoch,
    drop,
    facts_of,
    new_bucket,
    prepare,
)
from records.key_tables import BUCKET_KEYS, bucket, epoch_root, store, stored_key
from records.key_wrapping import (
    DamagedData,
    KeyWrap,
    RootTokens,
    new_key,
    place_of_bucket,
    place_of_key,
    place_of_top,
)
from records.prepared import Prepared

_SEAL_LOCK = 7418459
_PAGE = 500
FIRST_EPOCH = 1
_OPEN = Prepared(
    select(stored_key.c.wrapped, bucket.c.id, bucket.c.wrapped)
    .join(bucket, bucket.c.id == stored_key.c.bucket)
    .where(stored_key.c.ref == bindparam("of"))
)


@dataclass(frozen=True, slots=True, repr=False)
class NewKey:
    """A data key of 32 octets that is in the store, and its reference."""

    ref: str
    key: bytes


class KeyStore:
    """One key store and the tokens that hold its roots."""

    def __init__(self, database: Database, tokens: RootTokens) -> None:
        """Use the database of the store; tables and first root are made with the first key."""
        self.database = database
        self.tokens = tokens
        self._cache = KeyCache()
        self._ready = False

    def make(self, count: int = 1) -> list[NewKey]:
        """Make data keys; they are durable when this returns, and swept if nobody refers to them.

        Raises: HsmError, DatabaseUnavailable, DamagedData.
        """
        self._found()
        made: list[NewKey] = []
        with self.database.write() as tx:
            self.lock(tx)
            top = KeyWrap(self.top_key(tx))
            now = clock_of(tx)
            while len(made) < count:
                made += self._fill(tx, top, count - len(made), now)
        return made

    def open(self, ref: str) -> bytes | None:
        """The data key of a reference; None when it is gone. Raises: as `open_many`."""
        with self.database.read() as tx:
            self.require_founded(tx)
            for wrapped, number, bucket_wrapped in _OPEN.rows(tx, {"of": ref}):
                above = KeyWrap(self._bucket_key(tx, number, bucket_wrapped))
                return above.unwrap(wrapped, place_of_key(ref))
        return None

    def open_many(self, refs: Sequence[str]) -> dict[str, bytes]:
        """The data keys of those references whose row is there now.

        Raises: HsmError, DamagedData; DatabaseUnavailable, too, for a store that was never used.
        """
        opened: dict[str, bytes] = {}
        buckets: dict[int, KeyWrap] = {}
        with self.database.read() as tx:
            self.require_founded(tx)
            for start in range(0, len(refs), _PAGE):
                found = (
                    select(stored_key.c.ref, stored_key.c.wrapped, bucket.c.id, bucket.c.wrapped)
                    .join(bucket, bucket.c.id == stored_key.c.bucket)
                    .where(stored_key.c.ref.in_(refs[start : start + _PAGE]))
                )
                for ref, wrapped, number, bucket_wrapped in tx.execute(found).all():
                    above = buckets.get(number)
                    if above is None:
                        above = KeyWrap(self._bucket_key(tx, number, bucket_wrapped))
                        buckets[number] = above
                    opened[ref] = above.unwrap(wrapped, place_of_key(ref))
        return opened

    def drop(self, refs: Sequence[str], *, touch: bool = True) -> int:
        """Delete data keys; gives how many there were.

        Their buckets are touched unless nothing was ever sealed with them.
        """
        with self.database.write() as tx:
            if not self.is_founded(tx):
                return 0
            self.lock(tx)
            return drop(tx, refs, touch=touch)

    def facts(self) -> StoreFacts | None:
        """What the store holds now; None before its first use."""
        with self.database.read() as tx:
            return facts_of(tx) if self.is_founded(tx) else None

    def current_epoch(self) -> int:
        """The epoch whose root wraps the store; 0 before the first use.

        Waits for a seal that is under way: a key that was doomed before is dead with the next.
        """
        with self.database.write() as tx:
            if not self.is_founded(tx):
                return 0
            self.lock(tx)
            return current_epoch(tx)

    # --- For seals ----------------------------------------------------------------------------

    @contextmanager
    def sealing(self) -> Iterator[None]:
        """Let no other process seal until the block ends. Raises: Conflict."""
        path = self.database.engine.url.database
        if self.database.dialect == "sqlite" and path:
            try:
                with exclusive(Path(f"{path}.lock"), patience=0):
                    yield
            except LockHeld:
                raise Conflict("a seal of the key store", "under way already") from None
            return
        with self.database.engine.connect() as held:
            asked = held.exec_driver_sql(f"SELECT pg_try_advisory_lock({_SEAL_LOCK})")
            if not asked.scalar_one():
                raise Conflict("a seal of the key store", "under way already")
            try:
                yield
            finally:
                held.exec_driver_sql(f"SELECT pg_advisory_unlock({_SEAL_LOCK})")

    def wrap_top(self, name: str, number: int, key: bytes) -> list[WrappedTop]:
        """Wrap a top key with the root of an epoch in every token, and see that each opens it.

        Raises: HsmError when a token is not there, DamagedData when one gives back another key.
        """
        wrapped, place = [], place_of_top(name, number)
        for token in self.tokens:
            root = token.make(name, number)
            octets = root.encrypt(key, place)
            if root.decrypt(octets, place) != key:
                raise DamagedData(f"the root in token {token.name} gives back another key")
            wrapped.append(WrappedTop(token.name, token.serial(), octets))
        return wrapped

    def lock(self, tx: Connection, *, alone: bool = False) -> None:
        """Keep seals out until the transaction ends; `alone`, everybody else as well."""
        tx.execute(select(store.c.id).with_for_update(read=not alone))

    def top_key(self, tx: Connection) -> bytes:
        """The top key of the epoch in force. Raises: HsmError, DamagedData."""
        number = current_epoch(tx)
        wrapped = select(epoch_root).where(epoch_root.c.epoch == number)
        rows = {row.token: row for row in tx.execute(wrapped)}
        for row in rows.values():
            held = self._cache.get(row.wrapped)
            if held is not None:
                return held
        name = tx.execute(select(store.c.name)).scalar_one()
        return self._unwrap_top(name, number, rows)

    def require(self) -> None:
        """Refuse to go on with a store in which no key was ever made. Raises: as `open_many`."""
        with self.database.read() as tx:
            self.require_founded(tx)

    def prepare_empty(self) -> None:
        """Make the tables for a store that is put back from a snapshot. Raises: Conflict."""
        with self.database.write() as tx:
            prepare(tx)
            if self.is_founded(tx):
                raise Conflict("the key store", "in use; it is not written over")
            tx.execute(delete(store))

    def forget_unwrapped(self) -> None:
        """Keep no key in memory."""
        self._cache.forget()

    # --- Inside -------------------------------------------------------------------------------

    def is_founded(self, tx: Connection) -> bool:
        """Whether the tables are there and a root was made."""
        if not self._ready:
            made = inspect(tx).has_table("epoch")
            self._ready = made and current_epoch(tx) > 0
        return self._ready

    def require_founded(self, tx: Connection) -> None:
        """Refuse an empty store where keys are looked for: it is not the one they are in."""
        if not self.is_founded(tx):
            raise DatabaseUnavailable(
                "the key store is empty, although keys of it are in use; put its newest snapshot"
                " in its place, or correct keystore.url"
            )

    def _unwrap_top(
        self, name: str, number: int, rows: dict[str, Row[tuple[object, ...]]]
    ) -> bytes:
        missing: HsmError | None = None
        for token in self.tokens:
            row = rows.get(token.name)
            if row is None:
                continue
            try:
                key = token.key(name, number).decrypt(row.wrapped, place_of_top(name, number))
            except IntegrityFailed:
                raise DamagedData("the top key does not open under its root") from None
            except HsmError as error:  # the other token may be there
                missing = missing or error
            else:
                self._cache.put(row.wrapped, key)
                return key
        if missing is not None:
            raise missing
        raise DatabaseUnavailable(
            "no token of the settings has a root of the key store; correct hsm.service_token or"
            " hsm.vault_standby"
        )

    def _bucket_key(self, tx: Connection, number: int, wrapped: bytes) -> bytes:
        key = self._cache.get(wrapped)
        if key is None:
            key = KeyWrap(self.top_key(tx)).unwrap(wrapped, place_of_bucket(number))
            self._cache.put(wrapped, key)
        return key

    def _fill(self, tx: Connection, top: KeyWrap, count: int, now: datetime) -> list[NewKey]:
        """New keys in one bucket, as many as are wanted and as it has room for."""
        number, filled, wrapped = bucket_with_room(tx) or new_bucket(tx, top)
        above = KeyWrap(top.unwrap(wrapped, place_of_bucket(number)))
        made = [
            NewKey(secrets.token_hex(16), new_key())
            for _ in range(min(count, BUCKET_KEYS - filled))
        ]
        rows = [
            {
                "ref": each.ref,
                "bucket": number,
                "wrapped": above.wrap(each.key, place_of_key(each.ref)),
                "made_at": now,
            }
            for each in made
        ]
        tx.execute(insert(stored_key), rows)
        tx.execute(update(bucket).where(bucket.c.id == number).values(filled=filled + len(made)))
        return made

    def _found(self) -> None:
        """Make tables, name and first root where there are none; safe at any moment."""
        if self._ready:
            return
        with self.database.write() as tx:
            prepare(tx)
            if self.is_founded(tx):
                return
            name = tx.execute(select(store.c.name)).scalar_one()
        # The name is on record first: a root that a crash leaves behind is found by it again.
        tops = self.wrap_top(name, FIRST_EPOCH, new_key())
        with self.database.write() as tx:
            self.lock(tx, alone=True)
            if current_epoch(tx) == 0:
                add_epoch(tx, FIRST_EPOCH, tops)

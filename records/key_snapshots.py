"""Snapshots of the key store: whole copies in a file each, of which only the newest is kept.

A snapshot is a SQLite file whatever the store is, in journal_mode=delete so that it opens where
nothing can be written. It counts only once it was opened and tried under the roots there are.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, create_engine, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from hsm.errors import HsmError
from hsm.files import sync_folder
from records.errors import DatabaseUnavailable, SnapshotFailed
from records.key_rows import StoreFacts, current_epoch, facts_of
from records.key_store import KeyStore
from records.key_tables import bucket, epoch_root, key_metadata, stored_key
from records.key_wrapping import (
    DamagedData,
    KeyWrap,
    RootTokens,
    place_of_bucket,
    place_of_key,
    place_of_top,
)

_PREFIX = "keystore-"
_PAGE = 5000


class Snapshots:
    """The folders that each keep the newest snapshot."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Keep them there; the folders are made when the first is written."""
        self.folders = tuple(folders)

    def newest(self) -> list[Path]:
        """The newest snapshot of each folder that has one."""
        found = (sorted(folder.glob(f"{_PREFIX}*.sqlite")) for folder in self.folders)
        return [paths[-1] for paths in found if paths]

    def ensure(self, keys: KeyStore, now: datetime) -> int:
        """See that each folder has a snapshot of what the store holds now; gives those written.

        Raises: SnapshotFailed, HsmError when no token opens it.
        """
        facts, written = keys.facts(), 0
        if facts is None:
            return 0
        for folder in self.folders:
            if not self._has(folder, facts):
                self._write(keys, folder / _name(facts.epoch, now))
                written += 1
        return written

    def prune(self, number: int) -> int:
        """Remove every snapshot but the newest of each folder, if that is of this epoch.

        Also what a crash left half-written.
        """
        removed = 0
        for folder in self.folders:
            kept = sorted(folder.glob(f"{_PREFIX}*.sqlite"))
            if not kept or _epoch_of(kept[-1]) < number:
                continue
            for path in (*kept[:-1], *folder.glob(f"{_PREFIX}*.part*")):
                path.unlink(missing_ok=True)
                removed += 1
            sync_folder(folder)
        return removed

    def are_pruned(self, number: int) -> bool:
        """Whether no folder has a snapshot of an earlier epoch."""
        found = (path for folder in self.folders for path in folder.glob(f"{_PREFIX}*"))
        return all(_epoch_of(path) >= number for path in found)

    def _has(self, folder: Path, facts: StoreFacts) -> bool:
        found = sorted(folder.glob(f"{_PREFIX}*.sqlite"))
        try:
            return bool(found) and _same(facts_in(found[-1]), facts)
        except SnapshotFailed:
            return False

    def _write(self, keys: KeyStore, path: Path) -> None:
        part = path.with_suffix(".part")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            _copy(keys, part)
            probe(part, keys.tokens)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise SnapshotFailed(path, error.strerror or "it cannot be written") from None
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def facts_in(path: Path) -> StoreFacts:
    """What a snapshot holds. Raises: SnapshotFailed."""
    with _opened(path) as tx:
        return facts_of(tx)


def probe(path: Path, tokens: RootTokens) -> StoreFacts:
    """Open a snapshot under every root that is there: each bucket, and a key of each.

    Raises: SnapshotFailed; HsmError when there is no root of it, or no token.
    """
    with _opened(path) as tx:
        if tx.exec_driver_sql("PRAGMA quick_check").scalar_one() != "ok":
            raise SnapshotFailed(path, "the file is damaged")
        facts = facts_of(tx)
        try:
            for top in _tops(tx, facts, tokens):
                _try_buckets(tx, KeyWrap(top))
        except DamagedData as error:
            raise SnapshotFailed(path, str(error)) from None
    return facts


def put_back(path: Path, keys: KeyStore) -> StoreFacts:
    """Fill an empty key store from a snapshot. Raises: SnapshotFailed, Conflict, HsmError."""
    facts = probe(path, keys.tokens)
    keys.prepare_empty()
    with _opened(path) as source, keys.database.write() as target:
        _copy_rows(source, target)
    return facts


def _copy(keys: KeyStore, part: Path) -> None:
    if keys.database.dialect == "sqlite":
        # The whole file as it is in one view, without what was deleted from it.
        with closing(sqlite3.connect(str(keys.database.engine.url.database))) as source:
            source.execute("VACUUM INTO ?", (str(part),))
        with closing(sqlite3.connect(part)) as copy:
            copy.execute("PRAGMA journal_mode=delete")
        return
    engine = create_engine(f"sqlite:///{part}", poolclass=NullPool)
    try:
        with keys.database.read() as source, engine.begin() as target:
            key_metadata.create_all(target)
            _copy_rows(source, target)
    finally:
        engine.dispose()


def _copy_rows(source: Connection, target: Connection) -> None:
    for table in key_metadata.sorted_tables:
        rows = select(table).order_by(*table.primary_key).execution_options(yield_per=_PAGE)
        for page in source.execute(rows).mappings().partitions():
            target.execute(insert(table), [dict(row) for row in page])


@contextmanager
def _opened(path: Path) -> Iterator[Connection]:
    """A snapshot, read only; it needs no file beside it. Raises: SnapshotFailed."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=NullPool
    )
    try:
        with engine.connect() as connection:
            if current_epoch(connection) == 0:
                raise SnapshotFailed(path, "it holds no key store")
            yield connection
    except DBAPIError as error:
        name = getattr(error.orig, "sqlite_errorname", type(error.orig).__name__)
        raise SnapshotFailed(path, f"it is no snapshot of a key store ({name})") from None
    finally:
        engine.dispose()


def _tops(tx: Connection, facts: StoreFacts, tokens: RootTokens) -> list[bytes]:
    """The top key as each token that is there gives it."""
    wrapped = select(epoch_root.c.token, epoch_root.c.wrapped)
    found = tx.execute(wrapped.where(epoch_root.c.epoch == facts.epoch))
    rows = {row.token: row.wrapped for row in found}
    tops, missing = [], None
    for token in tokens:
        octets = rows.get(token.name)
        if octets is None:
            continue
        try:
            root = token.key(facts.name, facts.epoch)
            tops.append(root.decrypt(octets, place_of_top(facts.name, facts.epoch)))
        except HsmError as error:
            missing = missing or error
    if not tops:
        raise missing or DatabaseUnavailable("no token of the settings has a root of the snapshot")
    return tops


def _try_buckets(tx: Connection, top: KeyWrap) -> None:
    for number, wrapped in tx.execute(select(bucket.c.id, bucket.c.wrapped)).all():
        above = KeyWrap(top.unwrap(wrapped, place_of_bucket(number)))
        first = select(stored_key.c.ref, stored_key.c.wrapped)
        for ref, octets in tx.execute(first.where(stored_key.c.bucket == number).limit(1)):
            above.unwrap(octets, place_of_key(ref))


def _same(one: StoreFacts, other: StoreFacts) -> bool:
    return (one.name, one.epoch, one.keys, one.touched, one.newest) == (
        other.name,
        other.epoch,
        other.keys,
        other.touched,
        other.newest,
    )


def _name(number: int, now: datetime) -> str:
    return f"{_PREFIX}{number:08d}-{now:%Y%m%dT%H%M%S%f}.sqlite"


def _epoch_of(path: Path) -> int:
    digits = path.name.removeprefix(_PREFIX)[:8]
    return int(digits) if digits.isdecimal() else 0

"""Backups of the records: one consistent copy of the database, with a manifest, encrypted.

The key store is never in one: it has snapshots of its own, of which only the newest is kept. So a
backup may be kept as long as wished, and opens for the living only.
"""

import json
import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from sqlalchemy import func, inspect, make_url, select

from records.backup_file import decrypted, encrypt_to
from records.database import Database
from records.errors import BackupRefused, DatabaseUnavailable
from records.schema import CURRENT
from records.search_index import INDEX_SCHEMA
from records.tables import audit_head, crl, data_key

# The index of people stays out of every backup: it is made anew after a restore.
_PG_DUMP = (
    "pg_dump",
    "--format=custom",
    "--no-owner",
    f"--exclude-schema={INDEX_SCHEMA}",
    "--no-unlogged-table-data",
)
_LINE = 1 << 20
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself."""

    made_at: str
    schema: str
    engine: str
    dump_sha256: str
    dump_octets: int
    epoch: int
    """The epoch of the key store when it was made."""
    data_keys: int
    audit_head: str
    """The newest signed head of the audit log; empty while there is none."""
    crl_numbers: dict[str, int] = field(default_factory=dict)
    """The newest complete CRL of each issuer."""


def create_backup(
    database: Database, path: Path, key: bytes, epoch: int, now: datetime
) -> Manifest:
    """Write a backup of the database as it is now. Raises: BackupRefused, DatabaseUnavailable."""
    with _folder(path.absolute().parent) as folder:
        dump = folder / "dump"
        if database.dialect == "sqlite":
            _dump_sqlite(database, dump)
        else:
            _postgres(database, [*_PG_DUMP, f"--file={dump}"])
        manifest = _manifest(database, dump, epoch, now)
        encrypt_to(path, _framed(manifest, dump), key)
    return manifest


@contextmanager
def opened_backup(path: Path, key: bytes) -> Iterator[tuple[Manifest, Path]]:
    """The manifest and the dump of a backup, in a file that is gone afterwards.

    Raises: BackupRefused when an octet is not as it was written.
    """
    with _folder(None) as folder:
        dump = folder / "dump"
        pieces = decrypted(path, key)
        manifest, rest = _read_manifest(pieces, path)
        digest = sha256()
        descriptor = os.open(dump, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for some in (rest, *pieces):
                file.write(some)
                digest.update(some)
        if digest.hexdigest() != manifest.dump_sha256:
            raise BackupRefused(
                "BACKUP_WHOLE", f"{path} does not hold what it says", "Take another copy of it."
            )
        yield manifest, dump


def load_dump(manifest: Manifest, dump: Path, into: Database) -> None:
    """Fill an empty database from a dump. Raises: BackupRefused, DatabaseUnavailable."""
    if manifest.engine != into.dialect:
        raise BackupRefused(
            "RESTORE_ENGINE",
            f"the backup is of {manifest.engine}, and the database is {into.dialect}",
            "Name a database of the same kind.",
        )
    if manifest.schema > CURRENT:
        raise BackupRefused(
            "RESTORE_SCHEMA",
            f"the backup has schema {manifest.schema}, this version knows {CURRENT}",
            "Install the version that made it.",
        )
    with into.read() as tx:
        if inspect(tx).get_table_names():
            raise BackupRefused(
                "RESTORE_EMPTY",
                "the database is not empty, and a backup is written over nothing",
                "Move the old database away, or name an empty one.",
            )
    if into.dialect == "postgresql":
        # Rights are given by the migration that follows, to the roles of this server.
        options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
        _postgres(into, ["pg_restore", *options], dump)
        return
    into.engine.dispose()
    with closing(sqlite3.connect(dump)) as source, _sqlite_file(into) as target:
        source.backup(target)


def _sqlite_file(database: Database) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(str(database.engine.url.database)))


def _dump_sqlite(database: Database, dump: Path) -> None:
    os.close(os.open(dump, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with _sqlite_file(database) as source, closing(sqlite3.connect(dump)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=delete")


def _postgres(database: Database, command: list[str], dump: Path | None = None) -> None:
    """Run a program of PostgreSQL on the database; the password is in no argument."""
    url = make_url(database.engine.url)
    names = {"host": url.host, "port": url.port, "username": url.username}
    options = [f"--{name}={value}" for name, value in names.items() if value is not None]
    environment = dict(os.environ)
    if url.password is not None:
        environment["PGPASSWORD"] = str(url.password)
    where = [*options, f"--dbname={url.database}", *([] if dump is None else [str(dump)])]
    try:
        done = subprocess.run(
            [*command, *where], env=environment, capture_output=True, check=False, timeout=3600
        )
    except (OSError, subprocess.TimeoutExpired):
        raise DatabaseUnavailable(
            f"{command[0]} cannot be run; install postgresql-client"
        ) from None
    if done.returncode != 0:
        # What it says may quote rows.
        raise DatabaseUnavailable(f"{command[0]} ended with {done.returncode}")


def _manifest(database: Database, dump: Path, epoch: int, now: datetime) -> Manifest:
    newest = select(crl.c.issuer, func.max(crl.c.number)).where(crl.c.shard == 0)
    head = select(audit_head.c.note).order_by(audit_head.c.size.desc()).limit(1)
    with database.read() as tx, dump.open("rb") as file:
        digest = sha256()
        while some := file.read(_CHUNK):
            digest.update(some)
        numbers = {row[0]: int(row[1]) for row in tx.execute(newest.group_by(crl.c.issuer))}
        return Manifest(
            made_at=now.isoformat(),
            schema=CURRENT,
            engine=database.dialect,
            dump_sha256=digest.hexdigest(),
            dump_octets=dump.stat().st_size,
            epoch=epoch,
            data_keys=int(tx.execute(select(func.count()).select_from(data_key)).scalar_one()),
            audit_head=tx.execute(head).scalar() or "",
            crl_numbers=numbers,
        )


def _framed(manifest: Manifest, dump: Path) -> Iterator[bytes]:
    yield json.dumps(asdict(manifest), sort_keys=True).encode() + b"\n"
    with dump.open("rb") as file:
        while some := file.read(_CHUNK):
            yield some


def _read_manifest(pieces: Iterator[bytes], path: Path) -> tuple[Manifest, bytes]:
    held = b""
    while b"\n" not in held and len(held) < _LINE and (some := next(pieces, b"")):
        held += some
    line, _, rest = held.partition(b"\n")
    try:
        return Manifest(**json.loads(line)), rest
    except (ValueError, TypeError):
        raise BackupRefused(
            "BACKUP_WHOLE", f"{path} has no manifest that is understood", "Name another file."
        ) from None


@contextmanager
def _folder(beside: Path | None) -> Iterator[Path]:
    """A folder for the owner alone, for as long as the plain dump is needed."""
    with tempfile.TemporaryDirectory(prefix=".tillid-backup-", dir=beside) as name:
        yield Path(name)

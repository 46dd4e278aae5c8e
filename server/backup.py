"""Backups of an installation: made, proved, and put in place before anything is served."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from ca.errors import MalformedRequest
from ca.issuers import IssuerRecord
from records.backup_proof import Proof, prove
from records.backups import Manifest, create_backup, load_dump, opened_backup
from records.database import Database
from records.errors import BackupRefused, DatabaseUnavailable
from records.restoring import Relearned, Restoring
from records.schema import migrate
from revocation.foreign_crls import MAX_OCTETS, ForeignCrl, read_crl
from server.assembly import Assembly
from server.erasures import open_erasure
from server.errors import AlreadyServing
from server.search import reindex
from server.settings import Settings
from server.tokens import Tokens
from server.vault import key_store_of, vault_of

_OPENER = "system:restore"


@dataclass(frozen=True, slots=True)
class Settled:
    """What the records learned before anything was served from them."""

    relearned: tuple[Relearned, ...]
    erased: int
    """Subjects without a key, whose erasure goes on."""
    indexed: int
    """People in the index, which no backup holds and which is made anew."""


def back_up(parts: Assembly, path: Path, key: bytes, now: datetime) -> Manifest:
    """Write a backup of the records. Raises: BackupRefused, DatabaseUnavailable."""
    if path.exists():
        raise BackupRefused("BACKUP_KEPT", f"{path} is there already", "Name another file.")
    return create_backup(parts.database, path, key, parts.vault.current_epoch(), now)


def prove_backup(
    parts: Assembly, path: Path, key: bytes, scratch: str | None
) -> tuple[Manifest, Proof]:
    """Open a copy and try every key of it; `scratch` is an empty database for a PostgreSQL dump.

    Raises: BackupRefused, DatabaseUnavailable, HsmError.
    """
    with opened_backup(path, key) as (manifest, dump), TemporaryDirectory() as folder:
        if manifest.engine == "postgresql" and scratch is None:
            raise BackupRefused(
                "PROOF_SCRATCH",
                "a backup of PostgreSQL is opened in a database of its own",
                "Name an empty one with --scratch; it is not emptied afterwards.",
            )
        with closing(Database(scratch or f"sqlite:///{folder}/copy.sqlite")) as copy:
            load_dump(manifest, dump, copy)
            return manifest, prove(copy, parts.database, parts.vault.keys)


def put_in_place(settings: Settings, path: Path, key: bytes, now: datetime) -> Manifest:
    """Load a backup into the database of the settings, which a SQLite file makes room for.

    What the records in place know of doomed keys is carried out first, for the backup does not.

    Raises: BackupRefused, AlreadyServing, DatabaseUnavailable.
    """
    with _nobody_serves(settings.state), opened_backup(path, key) as (manifest, dump):
        _drop_doomed(settings)
        _make_room(settings, now)
        with closing(Database(settings.database.owner.reveal())) as database:
            load_dump(manifest, dump, database)
            migrate(database)
    return manifest


def settle(parts: Assembly, files: Iterable[Path], now: datetime) -> Settled:
    """Bring the records up to the newest published CRLs and the newest key store.

    Raises: MalformedRequest for a file that is no CRL of ours.
    """
    restoring = Restoring(parts.database, parts.vault.keys)
    relearned = []
    for record, found in _published(parts, tuple(files)):
        certificate = record.certificate
        if certificate is not None:
            ends = certificate.not_valid_after_utc
            relearned.append(restoring.relearn(record.name, found, ends, now))
    gone = restoring.erased()
    restoring.close_off(gone, now)
    for name in gone:
        _carry_erasure_on(parts, name, now)
    return Settled(tuple(relearned), len(gone), reindex(parts))


def _carry_erasure_on(parts: Assembly, subject_id: str, now: datetime) -> None:
    """Open a case anew that was decided after the backup was made; two persons let it begin.

    Nothing of the person can be read or issued meanwhile: the keys are gone, the subject is closed.
    """
    open_erasure(parts, subject_id, _OPENER, now)


def _published(
    parts: Assembly, files: tuple[Path, ...]
) -> Iterator[tuple[IssuerRecord, ForeignCrl]]:
    """The newest CRL of each issuer that was given or is published here, if newer than known."""
    used: set[Path] = set()
    for record in parts.issuers.all():
        found: list[ForeignCrl] = []
        for path in (parts.crl_file(record.name), *files):
            for certificate in (each.certificate for each in record.certificates):
                with suppress(MalformedRequest, OSError):
                    with path.open("rb") as file:
                        found.append(read_crl(file.read(MAX_OCTETS + 1), certificate))
                    used.add(path)
                    break
        numbered = [each for each in found if each.number is not None]
        if numbered:
            yield record, max(numbered, key=lambda each: each.number or 0)
    for path in files:
        if path not in used:
            raise MalformedRequest("CRL", f"{path} is no full CRL of an issuer of ours")


def _drop_doomed(settings: Settings) -> None:
    keys = key_store_of(settings, Tokens(settings.hsm))
    with closing(keys.database), closing(Database(settings.database.url.reveal())) as records:
        vault = vault_of(settings, records, keys)
        # Records that are lost or damaged are why one restores; they have nothing more to say.
        with suppress(DatabaseUnavailable):
            if vault.doomed.is_there():
                vault.drop_doomed()


def _make_room(settings: Settings, now: datetime) -> None:
    """Move a SQLite database away; nothing is ever written over."""
    address = settings.database.url.reveal()
    if not address.startswith("sqlite:///"):
        return
    path = Path(address.removeprefix("sqlite:///").partition("?")[0])
    for end in ("", "-wal", "-shm"):
        old = path.with_name(f"{path.name}{end}")
        if old.exists():
            old.rename(path.with_name(f"{path.name}.before-{now:%Y%m%dT%H%M%S}{end}"))


@contextmanager
def _nobody_serves(state: Path) -> Iterator[None]:
    """Raises: AlreadyServing."""
    path = state / "serve.pid"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyServing(file.read(20).strip(), path) from None
        yield

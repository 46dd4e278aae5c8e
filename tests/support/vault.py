"""Key stores for tests: roots in software that behave as those in a token, and can be away."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Select, insert, select, update

from hsm.errors import IntegrityFailed, KeyNotFound, TokenUnavailable
from records.audit_log import audit_log
from records.database import Database
from records.key_rows import StoreFacts
from records.key_snapshots import Snapshots
from records.key_store import KeyStore
from records.key_tables import STORE_GUARDS, stored_key
from records.personal_data import PersonalData
from records.sealing import Vault
from records.tables import data_key, subject
from records.triggers import render
from server.clock import utc_now
from tests.support.databases import Databases


@dataclass
class SoftwareWrappingKey:
    """Wraps as the token does: AES-256-GCM, nonce first, and IntegrityFailed for altered octets."""

    key: bytes = field(default_factory=lambda: os.urandom(32))

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + AESGCM(self.key).encrypt(nonce, plaintext, associated_data)

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        try:
            return AESGCM(self.key).decrypt(ciphertext[:12], ciphertext[12:], associated_data)
        except InvalidTag:
            raise IntegrityFailed("wrapping-key") from None


@dataclass
class SoftwareRoots:
    """A token with nothing in it but roots."""

    name: str = "vault-a"
    roots: dict[tuple[str, int], SoftwareWrappingKey] = field(default_factory=dict)
    is_away: bool = False

    def serial(self) -> str:
        self._ask()
        return f"serial-of-{self.name}"

    def epochs(self, store: str) -> set[int]:
        self._ask()
        return {epoch for name, epoch in self.roots if name == store}

    def key(self, store: str, epoch: int) -> SoftwareWrappingKey:
        self._ask()
        if (store, epoch) not in self.roots:
            raise KeyNotFound(f"{store}-{epoch}")
        return self.roots[store, epoch]

    def make(self, store: str, epoch: int) -> SoftwareWrappingKey:
        self._ask()
        return self.roots.setdefault((store, epoch), SoftwareWrappingKey())

    def check(self, store: str) -> None:
        self.epochs(store)

    def destroy(self, store: str, epoch: int) -> None:
        self._ask()
        self.roots.pop((store, epoch), None)

    def _ask(self) -> None:
        if self.is_away:
            raise TokenUnavailable(self.name)


def key_store_of(database: Database, *roots: SoftwareRoots) -> KeyStore:
    """A key store for a database of records; it goes when that database is given back."""
    folder = Path(tempfile.mkdtemp(prefix="tillid-keys-"))
    keys = Database(f"sqlite:///{folder}/keystore.sqlite")
    database.at_close += [keys.close, lambda: shutil.rmtree(folder, ignore_errors=True)]
    return KeyStore(keys, roots or (SoftwareRoots(),))


@dataclass
class FileRoots(SoftwareRoots):
    """Roots in files, so that they outlive the process: `folder`/STORE-EPOCH."""

    folder: Path = Path()

    def epochs(self, store: str) -> set[int]:
        self._ask()
        return {int(path.name.removeprefix(f"{store}-")) for path in self.folder.glob(f"{store}-*")}

    def key(self, store: str, epoch: int) -> SoftwareWrappingKey:
        self._ask()
        try:
            return SoftwareWrappingKey((self.folder / f"{store}-{epoch}").read_bytes())
        except FileNotFoundError:
            raise KeyNotFound(f"{store}-{epoch}") from None

    def make(self, store: str, epoch: int) -> SoftwareWrappingKey:
        if epoch not in self.epochs(store):
            (self.folder / f"{store}-{epoch}").write_bytes(os.urandom(32))
        return self.key(store, epoch)

    def destroy(self, store: str, epoch: int) -> None:
        self._ask()
        (self.folder / f"{store}-{epoch}").unlink(missing_ok=True)


VALUE = b"Kirsten Proevesen"


@dataclass
class VaultSite:
    """Records and a key store of the same engine, two tokens with roots, two snapshot folders."""

    records: Database
    keys: Database
    folder: Path
    roots: tuple[FileRoots, ...] = ()
    sealed: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("vault-a", "vault-b"):
            (self.folder / name).mkdir(exist_ok=True)
            self.roots = (*self.roots, FileRoots(name, folder=self.folder / name))
        self.vault = self.vault_of(*self.roots)
        self.store = self.vault.keys
        self.personal = PersonalData(self.store)

    def vault_of(self, *roots: FileRoots) -> Vault:
        """The vault with these tokens."""
        places = (self.folder / "snapshots-1", self.folder / "snapshots-2")
        return Vault(self.records, KeyStore(self.keys, roots), Snapshots(places))

    @property
    def name(self) -> str:
        """The name of the store."""
        return self.facts().name

    def facts(self) -> StoreFacts:
        """What the store holds."""
        facts = self.store.facts()
        assert facts is not None
        return facts

    @property
    def databases(self) -> tuple[Database, Database]:
        """Records and keys."""
        return self.records, self.keys

    def people(
        self,
        count: int,
        personal: PersonalData | None = None,
        *,
        first: int = 0,
        named: str | None = None,
    ) -> None:
        """Subjects with one value each."""
        for number in range(first, first + count):
            name = named or f"subject-{number}"
            with self.records.write() as tx:
                values = {"id": name, "kind": "x", "state": "active", "created_at": utc_now()}
                tx.execute(insert(subject).values(**values))
                self.sealed[name] = (personal or self.personal).seal(tx, name, "core", VALUE)

    def erase(self, name: str) -> None:
        """Delete a subject's key, as an erasure does."""
        with self.records.write() as tx:
            tx.execute(update(subject).where(subject.c.id == name).values(state="erasing"))
            self.personal.destroy(tx, name)

    def reference(self, name: str) -> str:
        """The reference of the subject's key."""
        with self.records.read() as tx:
            found = select(data_key.c.key_ref).where(data_key.c.subject_id == name)
            return str(tx.execute(found).scalar_one())

    def open(self, name: str, personal: PersonalData | None = None) -> bytes:
        """The subject's value."""
        with self.records.read() as tx:
            return (personal or self.personal).open(tx, name, "core", self.sealed[name])

    def opens(self, name: str, personal: PersonalData | None = None) -> bool:
        """Whether the subject's value opens, and is what it was."""
        return self.open(name, personal) == VALUE

    def copy_of_snapshot(self) -> Path:
        """A copy of the newest snapshot, as somebody may have kept it."""
        newest, _ = self.vault.snapshots.newest()
        return Path(shutil.copy(newest, self.folder / "kept.sqlite"))

    def rows(self, statement: Select[Any]) -> list[Any]:
        """What stands in the key store."""
        with self.keys.read() as tx:
            return list(tx.execute(statement).all())

    def events(self) -> list[str]:
        """What the audit log tells, by type."""
        with audit_log(self.records) as log:
            return [json.loads(entry.header)["e"] for entry in log.entries(0)]

    def age_keys(self, by: timedelta) -> None:
        """Make every key look older, past the guard that refuses it."""
        with self.keys.write() as tx:
            for trigger in render(tx.dialect.name, STORE_GUARDS, ()):
                if "key04" in trigger.name:
                    on = "" if tx.dialect.name == "sqlite" else f" ON {trigger.table}"
                    tx.exec_driver_sql(f"DROP TRIGGER {trigger.name}{on}")
            tx.execute(update(stored_key).values(made_at=utc_now() - by))


@contextmanager
def a_vault(databases: Databases, engine: str, folder: Path) -> Iterator[VaultSite]:
    """A site with a migrated database of records and an empty key store."""
    with databases.migrated(engine) as records, databases.empty(engine) as keys:
        yield VaultSite(records, keys, folder)

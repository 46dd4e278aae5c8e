"""Finding a person by CPR number, name or mail: keyed digests, kept out of every backup.

Who holds the index key can try all CPR numbers, so the index is personal data. It lies in a file
of its own (SQLite) or in an unlogged table (PostgreSQL), its key is wrapped by the token, and it is
made anew from the records whenever it is lost. An entry is forgotten before its person is erased.
"""

import hmac
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    delete,
    insert,
    inspect,
    select,
)
from sqlalchemy.schema import CreateSchema, CreateTable

from records.database import Database

_PLACE = b"tillid search index"
INDEX_SCHEMA = "tillid_index"
"""Where the index lies in PostgreSQL; no backup holds it."""
_KEY_OCTETS = 32
_LOCK = 7418471
_PAGE = 500


class WrappingKey(Protocol):
    """A key in the token that wraps the index key."""

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Nonce, ciphertext and tag."""

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """The plaintext. Raises: IntegrityFailed."""


class SearchBy(StrEnum):
    """By what a person is found."""

    CPR = "cpr"
    NAME = "name"
    MAIL = "mail"


Terms = Iterable[tuple[SearchBy, str]]


class SearchIndex:
    """Keyed digests of what people are found by, and the ids of the people."""

    def __init__(self, database: Database, wrapping_key: Callable[[], WrappingKey]) -> None:
        """Use an SQLite file of its own, or the records' PostgreSQL database."""
        self._database = database
        self._wrapping_key = wrapping_key
        self._key_table, self._entry = _tables(database.dialect)

    @property
    def database(self) -> Database:
        """Where it lies."""
        return self._database

    def add(self, subject_id: str, terms: Terms) -> None:
        """Let a person be found by these; what is there already is left."""
        with self._database.write() as tx:
            self._add(tx, self._key(tx), {subject_id: tuple(terms)})

    def find(self, by: SearchBy, value: str) -> tuple[str, ...]:
        """The ids of the people with this value, in order."""
        with self._database.write() as tx:
            digest = _digest(self._key(tx), by, value)
            query = select(self._entry.c.subject_id).where(self._entry.c.digest == digest)
            return tuple(tx.execute(query.order_by(self._entry.c.subject_id)).scalars())

    def forget(self, subject_id: str) -> None:
        """Let a person no longer be found; before the transaction that erases the person."""
        with self._database.write() as tx:
            prepare_index(tx)
            tx.execute(delete(self._entry).where(self._entry.c.subject_id == subject_id))

    def rebuild(self, people: Mapping[str, Terms]) -> int:
        """Make it anew, under a new key, from everybody who is there; gives their number."""
        with self._database.write() as tx:
            prepare_index(tx)
            tx.execute(delete(self._entry))
            tx.execute(delete(self._key_table))
            self._add(tx, self._key(tx), people)
        return len(people)

    def _add(self, tx: Connection, key: bytes, people: Mapping[str, Terms]) -> None:
        wanted = {
            (_digest(key, by, value), subject_id)
            for subject_id, terms in people.items()
            for by, value in terms
        }
        ids = sorted({subject_id for _, subject_id in wanted})
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]
            query = select(self._entry.c.digest, self._entry.c.subject_id)
            there = tx.execute(query.where(self._entry.c.subject_id.in_(page))).all()
            wanted -= {(row.digest, row.subject_id) for row in there}
        rows = [{"digest": digest, "subject_id": of} for digest, of in sorted(wanted)]
        if rows:
            tx.execute(insert(self._entry), rows)

    def _key(self, tx: Connection) -> bytes:
        prepare_index(tx)
        wrapped = tx.execute(select(self._key_table.c.wrapped)).scalar()
        if wrapped is not None:
            return self._wrapping_key().decrypt(wrapped, _PLACE)
        key = secrets.token_bytes(_KEY_OCTETS)
        wrapped = self._wrapping_key().encrypt(key, _PLACE)
        # Without its key nothing is found any more; a crash of PostgreSQL empties both tables.
        tx.execute(delete(self._entry))
        tx.execute(insert(self._key_table).values(id=1, wrapped=wrapped))
        return key


def prepare_index(tx: Connection) -> None:
    """Make the tables where they are not there; two who do it at once queue up.

    In PostgreSQL the owner of the records does, who alone may make a schema.
    """
    tables = _tables(tx.dialect.name)
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    if inspect(tx).has_table("entry", schema=tables[0].schema):
        return
    if tx.dialect.name == "postgresql":
        tx.execute(CreateSchema(INDEX_SCHEMA, if_not_exists=True))
    for table in tables:
        tx.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            index.create(tx)


def _tables(dialect: str) -> tuple[Table, Table]:
    """The index key and the entries, as they are in that engine."""
    unlogged = dialect == "postgresql"
    metadata = MetaData(schema=INDEX_SCHEMA if unlogged else None)
    prefixes = ["UNLOGGED"] if unlogged else []
    key = Table(
        "index_key",
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("wrapped", LargeBinary, nullable=False),
        prefixes=prefixes,
    )
    entry = Table(
        "entry",
        metadata,
        Column("digest", LargeBinary, nullable=False),
        Column("subject_id", String(40), nullable=False, index=True),
        PrimaryKeyConstraint("digest", "subject_id"),
        prefixes=prefixes,
    )
    return key, entry


def index_database(records: Database, state: Path) -> Database:
    """Where the index of these records lies: a file beside them, or their own PostgreSQL."""
    if records.dialect == "postgresql":
        return records
    return Database(f"sqlite:///{state / 'index.sqlite'}")


def name_terms(given_name: str, surname: str) -> tuple[tuple[SearchBy, str], ...]:
    """A person's name as it is looked for: whole, and the surname alone."""
    return (SearchBy.NAME, f"{given_name} {surname}"), (SearchBy.NAME, surname)


def _digest(key: bytes, by: SearchBy, value: str) -> bytes:
    return hmac.new(key, f"{by}\0{_normal(by, value)}".encode(), sha256).digest()


def _normal(by: SearchBy, value: str) -> str:
    """One spelling for what people write in several."""
    if by is SearchBy.CPR:
        return "".join(one for one in value if one.isdigit())
    return " ".join(unicodedata.normalize("NFC", value).casefold().split())

"""Whether a copy of the records opens for the living and for nobody else."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, select

from records.database import Database
from records.key_store import KeyStore
from records.tables import data_key, metadata

_PAGE = 500
_SHORTEST = 16
"""Octets from which a value that reads as text was not encrypted."""
_DER = (b"\x30\x82", b"\x30\x81")


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found in a copy."""

    readable: int
    """Data keys that the key store has."""
    unreadable: int
    """Data keys that it has not: those of the erased."""
    erased_but_readable: int
    """Keys that open although the records in force do not know them any more."""
    in_clear: dict[str, int]
    """Values that stand in clear, by column, where they should be sealed."""

    @property
    def holds(self) -> bool:
        """Whether no erased person opens and nothing about a person stands in clear."""
        return not self.erased_but_readable and not self.in_clear


def prove(copy: Database, in_force: Database, keys: KeyStore) -> Proof:
    """Try every data key of a copy with the key store in force, and look at sealed columns."""
    readable = unreadable = remaining = 0
    for refs in _references(copy):
        opened = keys.open_many(refs)
        known = _known(in_force, list(opened))
        readable += len(opened)
        unreadable += len(refs) - len(opened)
        remaining += len(opened.keys() - known)
    return Proof(readable, unreadable, remaining, dict(_in_clear(copy)))


def _references(copy: Database) -> Iterator[list[str]]:
    after = ""
    while True:
        page = (
            select(data_key.c.key_ref)
            .where(data_key.c.key_ref > after)
            .order_by(data_key.c.key_ref)
            .limit(_PAGE)
        )
        with copy.read() as tx:
            refs = list(tx.execute(page).scalars())
        if not refs:
            return
        yield refs
        after = refs[-1]


def _known(in_force: Database, refs: list[str]) -> set[str]:
    with in_force.read() as tx:
        return set(
            tx.execute(select(data_key.c.key_ref).where(data_key.c.key_ref.in_(refs))).scalars()
        )


def _in_clear(copy: Database) -> Iterator[tuple[str, int]]:
    with copy.read() as tx:
        for table in metadata.sorted_tables:
            for column in table.columns:
                if column.name.startswith("sealed_"):
                    count = sum(map(_reads, _values(tx, table, column)))
                    if count:
                        yield f"{table.name}.{column.name}", count


def _values(tx: Connection, table: Table, column: ColumnElement[bytes]) -> Iterator[bytes]:
    query = select(column).where(column.is_not(None))
    if "subject_id" in table.columns:
        # A certificate about nobody stands in clear.
        query = query.where(table.columns["subject_id"].is_not(None))
    rows: Iterable[tuple[bytes | str]] = tx.execute(query.execution_options(yield_per=_PAGE))
    # SQLite lets whoever alters a row put text where octets belong.
    return (value.encode() if isinstance(value, str) else bytes(value) for (value,) in rows)


def _reads(value: bytes) -> bool:
    """Whether a value reads as text or as DER, which ciphertext does not."""
    if len(value) < _SHORTEST:
        return False
    if value.startswith(_DER):
        octets = value[1] & 0x7F
        return len(value) == 2 + octets + int.from_bytes(value[2 : 2 + octets], "big")
    try:
        return value.decode().isprintable()
    except UnicodeDecodeError:
        return False

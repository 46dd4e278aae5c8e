"""How far the epochs of a key store are: which roots there were, and which were seen to be gone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from records.key_rows import StoreFacts, clock_of, facts_of, unswept
from records.key_store import KeyStore
from records.key_tables import epoch, epoch_root, store, stored_key

_PAGE = 500


@dataclass(frozen=True, slots=True)
class EpochState:
    """The epoch in force and what is left of those before."""

    facts: StoreFacts
    began_at: datetime
    tokens: frozenset[str]
    """Names of the tokens with a root of this epoch."""
    serials: frozenset[str]
    """Serial numbers of the tokens that had a root of the epoch before, but for those lost."""
    roots_left: frozenset[tuple[str, str]]
    """Name and serial number of each token that was not seen without its older roots."""


def epoch_state(keys: KeyStore) -> EpochState | None:
    """How far the epoch in force is; None before the first key."""
    with keys.database.read() as tx:
        if not keys.is_founded(tx):
            return None
        facts = facts_of(tx)
        roots = tx.execute(select(epoch_root)).all()
        began = select(epoch.c.began_at).where(epoch.c.number == facts.epoch)
        return EpochState(
            facts=facts,
            began_at=tx.execute(began).scalar_one(),
            tokens=frozenset(row.token for row in roots if row.epoch == facts.epoch),
            serials=frozenset(
                row.serial for row in roots if row.epoch == facts.epoch - 1 and not row.written_off
            ),
            roots_left=frozenset(
                (row.token, row.serial)
                for row in roots
                if row.epoch < facts.epoch and row.gone_at is None
            ),
        )


def root_gone(keys: KeyStore, token: str, serial: str, before: int, now: datetime) -> int:
    """Note that a token was seen without roots of epochs before this one; how many that were."""
    with keys.database.write() as tx:
        return tx.execute(
            update(epoch_root)
            .where(epoch_root.c.token == token, epoch_root.c.serial == serial)
            .where(epoch_root.c.epoch < before, epoch_root.c.gone_at.is_(None))
            .values(gone_at=now)
        ).rowcount


def write_off(keys: KeyStore, token: str, now: datetime) -> int:
    """Note that a token is lost for good, its older roots with it; how many it had."""
    with keys.database.write() as tx:
        return tx.execute(
            update(epoch_root)
            .where(epoch_root.c.token == token, epoch_root.c.gone_at.is_(None))
            .values(gone_at=now, written_off=True, wrapped=None)
        ).rowcount


def complete(keys: KeyStore, number: int, now: datetime) -> None:
    """Note that no root of an earlier epoch is left."""
    with keys.database.write() as tx:
        unfinished = (epoch.c.number <= number, epoch.c.completed_at.is_(None))
        tx.execute(update(epoch).where(*unfinished).values(completed_at=now))


def absent(keys: KeyStore, refs: Sequence[str]) -> list[str]:
    """Those of the references whose key is not in the store."""
    there: set[str] = set()
    with keys.database.read() as tx:
        for start in range(0, len(refs), _PAGE):
            page = stored_key.c.ref.in_(refs[start : start + _PAGE])
            there |= set(tx.execute(select(stored_key.c.ref).where(page)).scalars())
    return [ref for ref in refs if ref not in there]


def sweep_until(keys: KeyStore, age: timedelta) -> Iterator[list[str]]:
    """References of keys of that age that no sweep looked at, in pages; then they count as seen."""
    with keys.database.read() as tx:
        if not keys.is_founded(tx):
            return
        until = clock_of(tx) - age
        pages = list(unswept(tx, until))
    yield from pages
    if pages:
        with keys.database.write() as tx:
            tx.execute(update(store).values(swept_until=until))

"""References of keys that are to die, and the seals by which they did."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, inspect, select, update

from audit.events import Detail, Event
from gdpr_erasure.erasures import ErasureState, SealEvidence
from records.audit_log import append
from records.database import Database, from_microseconds
from records.roles import erasing
from records.tables import data_key, doomed_key, erasure, vault_seal
from records.triggers import NOW

_PAGE = 500
# Built once: every tick asks.
_PENDING = select(doomed_key.c.key_ref)
_AWAITED = (
    select(erasure.c.id)
    .where(
        erasure.c.state.in_((ErasureState.DESTROYED, ErasureState.RECHECKED)),
        erasure.c.epoch >= bindparam("since"),
    )
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal that was carried through."""

    epoch: int
    began_at: datetime
    tokens: tuple[str, ...]
    """Serial numbers, sorted."""


class DoomedKeys:
    """The tables of doomed keys and of seals, in the database of the records."""

    def __init__(self, database: Database) -> None:
        """Use the database of the records."""
        self._database = database

    def is_there(self) -> bool:
        """Whether the database has such a table: one that is to be restored may be empty."""
        with self._database.read() as tx:
            return inspect(tx).has_table(doomed_key.name)

    def pending(self) -> list[str]:
        """References of keys that no seal has ended yet."""
        with self._database.read() as tx:
            return list(tx.execute(_PENDING).scalars())

    def count(self) -> int:
        """How many there are."""
        with self._database.read() as tx:
            return int(tx.execute(select(func.count()).select_from(doomed_key)).scalar_one())

    def doom_unused(self, refs: Sequence[str]) -> list[str]:
        """Doom those of the references that nobody refers to; gives them.

        No transaction that is under way can still use one: on PostgreSQL the lock waits for all
        that wrote a reference, and later ones are refused by KEY01.
        """
        with self._database.write() as tx:
            if self._database.dialect == "postgresql":
                tx.exec_driver_sql("LOCK TABLE data_key IN SHARE ROW EXCLUSIVE MODE")
            known: set[str] = set()
            for column in (data_key.c.key_ref, doomed_key.c.key_ref):
                for start in range(0, len(refs), _PAGE):
                    page = select(column).where(column.in_(refs[start : start + _PAGE]))
                    known |= set(tx.execute(page).scalars())
            unused = [ref for ref in refs if ref not in known]
            if unused:
                said = tx.exec_driver_sql(f"SELECT {NOW[self._database.dialect]}").scalar_one()
                at = from_microseconds(int(said))
                tx.execute(
                    insert(doomed_key), [{"key_ref": ref, "doomed_at": at} for ref in unused]
                )
            return unused

    def record(self, seal: Seal, ended: Sequence[str], now: datetime) -> bool:
        """Put a seal on record and forget the keys that died with it; False if it was before."""
        with self._database.write() as tx:
            known = select(vault_seal.c.epoch).where(vault_seal.c.epoch == seal.epoch)
            is_new = tx.execute(known).first() is None
            if is_new:
                tx.execute(
                    insert(vault_seal).values(
                        epoch=seal.epoch,
                        began_at=seal.began_at,
                        sealed_at=now,
                        tokens=json.dumps(seal.tokens),
                    )
                )
            with erasing(tx):
                for start in range(0, len(ended), _PAGE):
                    page = doomed_key.c.key_ref.in_(ended[start : start + _PAGE])
                    unmarked = page & doomed_key.c.epoch.is_(None)
                    tx.execute(update(doomed_key).where(unmarked).values(epoch=seal.epoch))
                    tx.execute(delete(doomed_key).where(page))
            if is_new:
                details: dict[str, Detail] = {"tokens": ",".join(seal.tokens), "keys": len(ended)}
                event = Event("vault.sealed", "system:job", f"vault/{seal.epoch}", details)
                append(tx, event, now)
            return is_new

    def sealed_since(self, epoch: int) -> SealEvidence | None:
        """The newest seal that began a later epoch and was carried through; None without one.

        `epoch` is what `KeyStore.current_epoch` said when the keys were deleted. A key that was
        doomed while the seal was under way may be theirs, and then the next seal is waited for.
        """
        newest = select(vault_seal).order_by(vault_seal.c.epoch.desc()).limit(1)
        with self._database.read() as tx:
            row = tx.execute(newest.where(vault_seal.c.epoch > epoch)).first()
            if row is None:
                return None
            left = select(doomed_key.c.key_ref).where(doomed_key.c.doomed_at <= row.sealed_at)
            if tx.execute(left.limit(1)).first() is not None:
                return None
        return SealEvidence(row.epoch, tuple(json.loads(row.tokens)), row.sealed_at)

    def is_awaited(self, epoch: int) -> bool:
        """Whether an erasure waits for a seal later than this epoch, with keys doomed or not."""
        with self._database.read() as tx:
            return tx.execute(_AWAITED, {"since": epoch}).first() is not None

    def tell(self, event: Event, now: datetime) -> None:
        """Append an event to the audit log."""
        with self._database.write() as tx:
            append(tx, event, now)

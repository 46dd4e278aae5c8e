"""Whose turn it is: each case is carried on by one worker at a time, and put off when it waits."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Integer, bindparam, or_, select, update

from gdpr_erasure.erasures import RESTING, Erasure, ErasureState
from records.database import Database, UtcTime
from records.erasure_rows import case_in
from records.tables import erasure

LEASE = timedelta(seconds=20)
"""How long a worker may take for a case before another one may have it.

Short, for a process that died still holds it; two workers at once repeat steps, and no step is
taken twice (`records.erasure_rows.move`).
"""


_OF, _NOW = erasure.c, bindparam("now", type_=UtcTime)
# Built once: every tick asks.
_DUE = (
    select(_OF.id)
    .where(
        _OF.state.not_in(RESTING),
        or_(_OF.retry_at.is_(None), _OF.retry_at <= _NOW),
        or_(_OF.lease_until.is_(None), _OF.lease_until <= _NOW),
    )
    .order_by(_OF.updated_at)
    .limit(bindparam("most", type_=Integer))
)


class ErasureWork:
    """Leases and delays of the erasure table."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def due(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Cases that are to be carried on now, the one that waits longest first."""
        with self._database.read() as tx:
            return tuple(tx.execute(_DUE, {"now": now, "most": limit}).scalars())

    def unanswered(self) -> tuple[tuple[str, datetime, ErasureState], ...]:
        """Cases that have neither ended nor come to a first receipt, and when they were opened."""
        of = erasure.c
        answered = (ErasureState.DONE, ErasureState.CANCELLED, ErasureState.SCHEDULED)
        query = select(of.id, of.requested_at, of.state).where(of.state.not_in(answered))
        with self._database.read() as tx:
            return tuple((row[0], row[1], ErasureState(row[2])) for row in tx.execute(query))

    def claim(self, case_id: str, holder: str, now: datetime) -> Erasure | None:
        """The case for this worker alone; None while it is another's, or ended meanwhile.

        A lease that ends further ahead than any can is a leftover of a clock that was set back.
        """
        of = erasure.c
        free = or_(of.lease_until.is_(None), of.lease_until <= now, of.lease_until > now + LEASE)
        with self._database.write() as tx:
            taken = tx.execute(
                update(erasure)
                .where(of.id == case_id, of.state.not_in(RESTING), free)
                .values(lease_holder=holder, lease_until=now + LEASE)
            ).rowcount
            return case_in(tx, case_id) if taken == 1 else None

    def give_back(
        self,
        case_id: str,
        holder: str,
        error: str | None,
        delay: Callable[[int, ErasureState], datetime | None],
    ) -> None:
        """End the lease; `delay` says from the attempts without progress when it is due again.

        `error` is the class and code of what went wrong, and nothing that could name anybody.
        """
        of = erasure.c
        mine = (of.id == case_id, of.lease_holder == holder)
        with self._database.write() as tx:
            row = tx.execute(select(of.attempts, of.state).where(*mine)).first()
            if row is None:
                return
            tx.execute(
                update(erasure)
                .where(*mine)
                .values(
                    lease_holder=None,
                    lease_until=None,
                    attempts=row.attempts + 1,
                    retry_at=delay(row.attempts, ErasureState(row.state)),
                    error=None if error is None else error[:80],
                )
            )

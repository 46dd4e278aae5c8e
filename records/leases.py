"""Leases: scheduled work belongs to one process at a time, whichever node it runs on."""

from datetime import datetime, timedelta

from sqlalchemy import insert, select, update

from records.database import Database
from records.errors import Conflict
from records.tables import lease


class Leases:
    """The lease table."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def take(self, name: str, holder: str, now: datetime, life: timedelta) -> bool:
        """Take or renew a lease; False while another holder's has not run out.

        A lease that ends further ahead than any can is a leftover of a clock that was set back.
        """
        try:
            return self._take(name, holder, now, life)
        except Conflict:  # another holder took it first, for the first time ever
            return False

    def _take(self, name: str, holder: str, now: datetime, life: timedelta) -> bool:
        with self._database.write() as tx:
            held = tx.execute(select(lease).where(lease.c.name == name).with_for_update()).first()
            if held is None:
                tx.execute(insert(lease).values(name=name, holder=holder, until_at=now + life))
                return True
            if held.holder != holder and now < held.until_at <= now + life:
                return False
            tx.execute(
                update(lease).where(lease.c.name == name).values(holder=holder, until_at=now + life)
            )
            return True

    def until(self, name: str) -> datetime | None:
        """Until when a lease was taken last, as far as this database shows."""
        query = select(lease.c.until_at).where(lease.c.name == name)
        with self._database.read() as tx:
            return tx.execute(query).scalar()

    def end(self, name: str, now: datetime) -> None:
        """End a lease, whoever has it."""
        with self._database.write() as tx:
            tx.execute(update(lease).where(lease.c.name == name).values(until_at=now))

    def give_back(self, name: str, holder: str, now: datetime) -> None:
        """End a lease that this holder has."""
        with self._database.write() as tx:
            tx.execute(
                update(lease)
                .where(lease.c.name == name, lease.c.holder == holder)
                .values(until_at=now)
            )

"""Letters with codes, waiting for the printer: fetched, confirmed, and gone (ISS-DEL-S2c)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from audit.events import Event
from records.audit_log import append
from records.database import Database
from records.errors import Conflict, NotFound
from records.tables import print_job


@dataclass(frozen=True, slots=True)
class PrintJob:
    """A letter by its number, and how far it is."""

    id: str
    made_at: datetime
    confirmed_at: datetime | None
    purged_at: datetime | None


class Letters:
    """The table of print jobs."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def waiting(self) -> list[PrintJob]:
        """What is to be printed, the oldest first."""
        of = print_job.c
        with self._database.read() as tx:
            rows = tx.execute(
                select(of.id, of.made_at, of.confirmed_at, of.purged_at)
                .where(of.purged_at.is_(None))
                .order_by(of.made_at, of.id)
            ).all()
        return [PrintJob(*row) for row in rows]

    def fetch(self, letter_id: str, officer: str, now: datetime) -> bytes:
        """The letter, which only the printer's key opens; that it was fetched is told.

        Raises:
            NotFound: there is no such letter.
            Conflict: it was purged.
        """
        with self._database.write() as tx:
            row = tx.execute(select(print_job).where(print_job.c.id == letter_id)).first()
            if row is None:
                raise NotFound("letter", letter_id)
            if row.sealed_letter is None:
                raise Conflict(f"letter {letter_id}", "purged")
            append(tx, Event("letter.fetched", officer, letter_id, {}), now)
        return bytes(row.sealed_letter)

    def confirm(self, letter_id: str, officer: str, now: datetime) -> PrintJob:
        """The letter is printed; nothing of it stays here.

        Raises:
            NotFound: there is no such letter.
            Conflict: it was confirmed, or its code ended.
        """
        of = print_job.c
        with self._database.write() as tx:
            done = tx.execute(
                update(print_job)
                .where(of.id == letter_id, of.purged_at.is_(None))
                .values(confirmed_at=now, confirmed_by=officer, purged_at=now, sealed_letter=None)
            ).rowcount
            row = tx.execute(select(print_job).where(of.id == letter_id)).first()
            if row is None:
                raise NotFound("letter", letter_id)
            if not done:
                raise Conflict(f"letter {letter_id}", "purged")
            append(tx, Event("letter.printed", officer, letter_id, {}), now)
        return PrintJob(row.id, row.made_at, row.confirmed_at, row.purged_at)

"""How the jobs fare and which alarms are on: what a process leaves for whoever looks later."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from records.database import Database
from records.tables import alarm, job_run


@dataclass(frozen=True, slots=True)
class JobRun:
    """One job: when it succeeded last, and since when it has been failing at what."""

    name: str
    succeeded_at: datetime | None = None
    failing_since: datetime | None = None
    trouble: str | None = None


class JobRuns:
    """The table of jobs; whoever has the lease writes it."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def all(self) -> list[JobRun]:
        """Every job that was ever told of."""
        with self._database.read() as tx:
            rows = tx.execute(select(job_run).order_by(job_run.c.name)).all()
        return [JobRun(row.name, row.succeeded_at, row.failing_since, row.trouble) for row in rows]

    def tell(self, runs: Iterable[JobRun]) -> None:
        """Replace what is known of all jobs."""
        rows = [
            {
                "name": run.name,
                "succeeded_at": run.succeeded_at,
                "failing_since": run.failing_since,
                "trouble": None if run.trouble is None else run.trouble[:60],
            }
            for run in runs
        ]
        with self._database.write() as tx:
            tx.execute(delete(job_run))
            if rows:
                tx.execute(insert(job_run), rows)


AlarmKey = tuple[str, str]
"""The name of an alarm, and what it is about."""


class AlarmBook:
    """The table of alarms that are on."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def turn(self, on: dict[AlarmKey, datetime]) -> tuple[set[AlarmKey], set[AlarmKey]]:
        """Make these the alarms that are on; which of them begin, and which others end."""
        with self._database.read() as tx:
            before = _read(tx.execute(select(alarm)).all())
        if before == set(on):
            return set(), set()
        with self._database.write() as tx:
            before = _read(tx.execute(select(alarm).with_for_update()).all())
            begun, ended = set(on) - before, before - set(on)
            for name, subject in ended:
                tx.execute(delete(alarm).where(alarm.c.name == name, alarm.c.subject == subject))
            for name, subject in begun:
                since = on[name, subject]
                tx.execute(insert(alarm).values(name=name, subject=subject, since=since))
        return begun, ended


def _read(rows: Iterable[object]) -> set[AlarmKey]:
    return {(row.name, row.subject) for row in rows}  # type: ignore[attr-defined]

"""Records of training: who may prove identities, and until when (ORG-STF-L1, REG-IDN-H9g)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sqlalchemy import Row, func, insert, select

from audit.events import Event
from records.audit_log import append
from records.database import Database
from records.errors import NotFound
from records.officers import Officer
from records.tables import officer, training

IDENTITY_PROOFING = "identity_proofing"
OPERATOR = "system:operator"


@dataclass(frozen=True, slots=True)
class Training:
    """One training of an officer, by person; `valid_until` is its last day (UTC)."""

    id: str
    person_id: str
    topic: str
    trained_on: date
    valid_until: date
    recorded_by: str


class Trainings:
    """The records of training; none ever changes."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def record(
        self,
        officer_id: str,
        days: tuple[date, date],
        recorder: Officer | None,
        now: datetime,
    ) -> Training:
        """Keep that an officer was trained on the first day, which holds until the second.

        Without a recorder it is the operator's word.

        Raises:
            NotFound: there is no such officer.
            RuleBroken: PER01, it is the recorder's own, or holds for more than a year.
        """
        trained_on, valid_until = days
        recorded_by = OPERATOR if recorder is None else recorder.id
        with self._database.write() as tx:
            person = tx.execute(
                select(officer.c.person_id).where(officer.c.id == officer_id)
            ).scalar()
            if person is None:
                raise NotFound("officer", officer_id)
            made = Training(
                f"training-{secrets.token_hex(8)}",
                person,
                IDENTITY_PROOFING,
                trained_on,
                valid_until,
                recorded_by,
            )
            tx.execute(
                insert(training).values(
                    id=made.id,
                    person_id=made.person_id,
                    topic=made.topic,
                    trained_at=_begin(trained_on),
                    valid_until=_begin(valid_until),
                    recorded_by=recorded_by,
                    recorded_person=None if recorder is None else recorder.person_id,
                    at=now,
                )
            )
            details = {"officer": officer_id, "topic": made.topic, "until": valid_until.isoformat()}
            append(tx, Event("training.recorded", recorded_by, made.id, details), now)
        return made

    def trained_until(self, person_id: str, now: datetime) -> date | None:
        """The last day of the longest training that has begun; None without any."""
        query = select(func.max(training.c.valid_until)).where(
            training.c.person_id == person_id,
            training.c.topic == IDENTITY_PROOFING,
            training.c.trained_at <= now,
        )
        with self._database.read() as tx:
            found: datetime | None = tx.execute(query).scalar()
        return None if found is None else found.date()

    def all(self) -> Sequence[tuple[Training, tuple[str, ...]]]:
        """Every training with the officers that this person is, the newest first."""
        with self._database.read() as tx:
            officers = tx.execute(select(officer.c.id, officer.c.person_id)).all()
            rows = tx.execute(select(training).order_by(training.c.at.desc(), training.c.id)).all()
        return [
            (_training(row), tuple(o.id for o in officers if o.person_id == row.person_id))
            for row in rows
        ]


def _training(row: Row[tuple[object, ...]]) -> Training:
    return Training(
        row.id,
        row.person_id,
        row.topic,
        row.trained_at.date(),
        row.valid_until.date(),
        row.recorded_by,
    )


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)

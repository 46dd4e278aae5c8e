"""What a case does to the records of its person: restrict it, let it go, and who was told."""

from datetime import datetime

from sqlalchemy import func, select, update

from audit.events import Event
from records.audit_log import append
from records.database import Database
from records.errors import NotFound
from records.tables import publication, subject

ACTOR = "system:case"
"""Who decides about certificates where two persons approved a case; the case names them."""


class SubjectActs:
    """The state of subjects, and where they are published."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def restrict(self, subject_id: str, case_id: str, now: datetime) -> None:
        """No certificate is issued to the person any more (PKI18); again it changes nothing."""
        self._turn(subject_id, ("active", "restricted"), case_id, now)

    def let_go(self, subject_id: str, case_id: str, now: datetime) -> None:
        """End a restriction."""
        self._turn(subject_id, ("restricted", "active"), case_id, now)

    def recipients(self, subject_id: str) -> list[str]:
        """The directories that a certificate of the person went to (Art. 19)."""
        query = (
            select(publication.c.directory)
            .where(publication.c.subject_id == subject_id)
            .distinct()
            .order_by(publication.c.directory)
        )
        with self._database.read() as tx:
            return list(tx.execute(query).scalars())

    def is_withdrawn(self, subject_id: str) -> bool:
        """Whether every directory was seen without what is to be withdrawn."""
        query = (
            select(func.count())
            .select_from(publication)
            .where(publication.c.subject_id == subject_id)
            .where(publication.c.state == "withdrawing")
        )
        with self._database.read() as tx:
            return int(tx.execute(query).scalar_one()) == 0

    def _turn(self, subject_id: str, states: tuple[str, str], case_id: str, now: datetime) -> None:
        before, after = states
        with self._database.write() as tx:
            query = select(subject.c.state).where(subject.c.id == subject_id).with_for_update()
            found = tx.execute(query).scalar()
            if found not in states:
                raise NotFound("data subject", "of this case")
            if found == before:
                tx.execute(update(subject).where(subject.c.id == subject_id).values(state=after))
                append(tx, Event(f"subject.{after}", ACTOR, case_id, {}), now)

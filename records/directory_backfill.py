"""What is public already and was never put into one directory: one that was added later.

Authorities and CRLs need nothing of this, for a directory is asked for all of them at every turn.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, and_, exists, func, insert, select

from audit.events import Event
from gdpr_erasure.consents import ConsentKind, ConsentState
from records.audit_log import append
from records.database import Database
from records.tables import certificate, consent, publication, subject


class DirectoryBackfill:
    """Certificates in force of persons who consented, that a directory has no task of."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def count(self, directory: str, now: datetime) -> int:
        """How many there are."""
        with self._database.read() as tx:
            found = select(func.count()).select_from(_absent(directory, now).subquery())
            return int(tx.execute(found).scalar_one())

    def put(self, directory: str, limit: int, actor: str, now: datetime) -> int:
        """Make some of them due, in one transaction; how many, none when nothing is left.

        What was done stays done, so that whoever was interrupted goes on by calling again.
        """
        with self._database.write() as tx:
            some = tx.execute(_absent(directory, now).limit(limit)).all()
            persons = sorted({row.subject_id for row in some})
            # A withdrawal of consent, or another who does the same, comes before this or after.
            of = select(subject.c.id).where(subject.c.id.in_(persons)).order_by(subject.c.id)
            tx.execute(of.with_for_update()).all()
            rows = tx.execute(_absent(directory, now, persons).limit(limit)).all()
            if rows:
                task = {"directory": directory, "state": "pending", "retry_at": now}
                tx.execute(
                    insert(publication),
                    [{**dict(zip(row._fields, row, strict=True)), **task} for row in rows],
                )
                count = {"certificates": len(rows)}
                append(tx, Event("directory.backfilled", actor, directory, count), now)
            return len(rows)


def _absent(
    directory: str, now: datetime, persons: Collection[str] | None = None
) -> Select[tuple[str, str, str]]:
    """By issuer and serial number; of all persons, or of some."""
    body, said, later = certificate.c, consent.c, consent.alias()
    last = ~exists().where(
        later.c.subject_id == said.subject_id,
        later.c.kind == said.kind,
        later.c.number > said.number,
    )
    there = exists().where(
        publication.c.directory == directory,
        publication.c.issuer == body.issuer,
        publication.c.serial == body.serial,
    )
    query = (
        select(body.issuer, body.serial, body.subject_id)
        .join(subject, subject.c.id == body.subject_id)
        .join(
            consent,
            and_(said.subject_id == body.subject_id, said.kind == ConsentKind.PUBLICATION),
        )
        .where(said.state == ConsentState.GIVEN, last, subject.c.state == "active")
        .where(body.status == "issued", body.not_after > now, ~there)
        .order_by(body.issuer, body.serial)
    )
    return query if persons is None else query.where(body.subject_id.in_(list(persons)))

"""What is public already and was never put into one directory: one that was added later.

Authorities and CRLs need nothing of this, for a directory is asked for all of them at every turn.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, Select, and_, exists, func, insert, select

from audit.events import Event
from gdpr_erasure.consents import ConsentKind, ConsentState
from records.audit_log import append
from records.database import Database
from records.tables import certificate, consent, publication, subject


class DirectoryBackfill:
    """Certificates in force that a directory has no task of.

    Those of persons who consented, and of devices and hosts that it shows.
    """

    def __init__(self, database: Database, devices: Mapping[str, Collection[str]]) -> None:
        """Use the database, and the profiles of devices and hosts that each directory shows."""
        self._database = database
        self._devices = devices

    def count(self, directory: str, now: datetime) -> int:
        """How many there are."""
        of_devices = _of_devices(directory, self._devices.get(directory, ()), now)
        with self._database.read() as tx:
            return sum(
                int(tx.execute(select(func.count()).select_from(each.subquery())).scalar_one())
                for each in (_of_persons(directory, now), of_devices)
            )

    def put(self, directory: str, limit: int, actor: str, now: datetime) -> int:
        """Make some of them due, in one transaction; how many, none when nothing is left.

        What was done stays done, so that whoever was interrupted goes on by calling again.
        """
        of_devices = _of_devices(directory, self._devices.get(directory, ()), now)
        with self._database.write() as tx:
            some = tx.execute(_of_persons(directory, now).limit(limit)).all()
            persons = sorted({row.subject_id for row in some})
            # A withdrawal of consent, or another who does the same, comes before this or after.
            of = select(subject.c.id).where(subject.c.id.in_(persons)).order_by(subject.c.id)
            tx.execute(of.with_for_update()).all()
            rows = _locked(tx, _of_persons(directory, now, persons).limit(limit))
            if not rows:
                rows = _locked(tx, of_devices.limit(limit))
            if rows:
                task = {"directory": directory, "state": "pending", "retry_at": now}
                tx.execute(
                    insert(publication),
                    [{**dict(zip(row._fields, row, strict=True)), **task} for row in rows],
                )
                count = {"certificates": len(rows)}
                append(tx, Event("directory.backfilled", actor, directory, count), now)
            return len(rows)


def _locked(
    tx: Connection, found: Select[tuple[str, str, str]]
) -> Sequence[Row[tuple[str, str, str]]]:
    """A revocation comes before this, or after."""
    return tx.execute(found.with_for_update(of=certificate)).all()


def _absent(directory: str, now: datetime) -> Select[tuple[str, str, str]]:
    """By issuer and serial number, whosever they are."""
    body = certificate.c
    there = exists().where(
        publication.c.directory == directory,
        publication.c.issuer == body.issuer,
        publication.c.serial == body.serial,
    )
    return (
        select(body.issuer, body.serial, body.subject_id)
        .where(body.status == "issued", body.not_after > now, ~there)
        .order_by(body.issuer, body.serial)
    )


def _of_devices(
    directory: str, profiles: Collection[str], now: datetime
) -> Select[tuple[str, str, str]]:
    """Of nobody, by these profiles."""
    of = certificate.c
    return _absent(directory, now).where(of.subject_id.is_(None), of.profile.in_(list(profiles)))


def _of_persons(
    directory: str, now: datetime, persons: Collection[str] | None = None
) -> Select[tuple[str, str, str]]:
    """Of all persons who consented, or of some."""
    body, said, later = certificate.c, consent.c, consent.alias()
    last = ~exists().where(
        later.c.subject_id == said.subject_id,
        later.c.kind == said.kind,
        later.c.number > said.number,
    )
    query = (
        _absent(directory, now)
        .join(subject, subject.c.id == body.subject_id)
        .join(
            consent,
            and_(said.subject_id == body.subject_id, said.kind == ConsentKind.PUBLICATION),
        )
        .where(said.state == ConsentState.GIVEN, last, subject.c.state == "active")
    )
    return query if persons is None else query.where(body.subject_id.in_(list(persons)))

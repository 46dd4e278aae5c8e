"""The outbox of directory publication; implements `publish_ldap.publication.PublicationOutbox`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID
from sqlalchemy import Connection, Row, and_, case, func, select, update

from audit.events import Event
from ca.identifiers import IssuerName, SerialNumber
from publish_ldap.entry import PersonEntry
from publish_ldap.publication import Action, PublicationTask
from records.audit_log import append
from records.database import Database
from records.errors import Erased, NotFound
from records.personal_data import DamagedData, PersonalData
from records.tables import certificate, issuer, publication

_UNREADABLE_DELAY = timedelta(hours=1)
_DUE = {"pending": Action.PUBLISH, "withdrawing": Action.WITHDRAW}


@dataclass(frozen=True, slots=True)
class PublicationRecord:
    """How far one directory has come with one certificate; nothing personal."""

    directory: str
    state: str
    verified_at: datetime | None
    error_code: str | None


class Publications:
    """Which certificate is to stand, or no longer to stand, in which directory."""

    def __init__(self, database: Database, personal: PersonalData) -> None:
        """Use the database, and the door for the names that an entry shows."""
        self._database = database
        self._personal = personal

    def pending(self, directory: str, limit: int, now: datetime) -> Sequence[PublicationTask]:
        """The oldest tasks of a directory that are due."""
        query = (
            select(
                publication,
                certificate.c.sealed_der,
                issuer.c.subject.label("issuer_subject"),
            )
            .join(
                certificate,
                and_(
                    certificate.c.issuer == publication.c.issuer,
                    certificate.c.serial == publication.c.serial,
                ),
            )
            .join(issuer, issuer.c.name == publication.c.issuer)
            .where(publication.c.directory == directory, publication.c.state.in_(_DUE))
            .where(publication.c.retry_at <= now)
            .order_by(publication.c.id)
            .limit(limit)
        )
        tasks, unreadable = [], []
        with self._database.read() as tx:
            for row in tx.execute(query).all():
                try:
                    tasks.append(self._task(tx, row))
                except (DamagedData, Erased, ValueError):
                    unreadable.append(row.id)
        # One that cannot be read must not hold up the others behind it.
        for task_id in unreadable:
            self.failed(task_id, "unreadable", now + _UNREADABLE_DELAY)
        return tasks

    def done(self, task_id: int, entry_uuid: str | None, verified_at: datetime) -> None:
        """The directory was seen to be as asked; a withdrawal asked for meanwhile stays due.

        A publication that ends after the withdrawal has put back what was taken away, so the
        withdrawal is due again; and the other way round, when a hold is put on and lifted.

        Raises:
            NotFound: the publication was erased.
        """
        published = entry_uuid is not None
        reached = (
            {"pending": "published", "withdrawn": "withdrawing"}
            if published
            else {"withdrawing": "withdrawn", "published": "pending"}
        )
        values: dict[str, object] = {"verified_at": verified_at, "error_code": None}
        if published:
            values["entry_uuid"] = entry_uuid
        with self._database.write() as tx:
            row = tx.execute(
                update(publication)
                .where(publication.c.id == task_id)
                .values(
                    state=case(reached, value=publication.c.state, else_=publication.c.state),
                    **values,
                )
                .returning(publication)
            ).first()
            if row is None:
                raise NotFound("publication", str(task_id))
            kind = "directory.published" if published else "directory.withdrawn"
            event = Event(
                kind, "system:job", f"{row.issuer}/{row.serial}", {"directory": row.directory}
            )
            append(tx, event, verified_at)

    def failed(self, task_id: int, code: str, retry_at: datetime) -> None:
        """The task failed and is due again at `retry_at`."""
        with self._database.write() as tx:
            tx.execute(
                update(publication)
                .where(publication.c.id == task_id)
                .values(
                    error_code=code[:40], retry_at=retry_at, attempts=publication.c.attempts + 1
                )
            )

    def of_certificate(
        self, issuer_name: IssuerName, serial: SerialNumber
    ) -> tuple[PublicationRecord, ...]:
        """How far each directory has come with a certificate; none when it is not published."""
        query = (
            select(publication)
            .where(publication.c.issuer == issuer_name, publication.c.serial == serial.hex)
            .order_by(publication.c.directory)
        )
        with self._database.read() as tx:
            return tuple(
                PublicationRecord(row.directory, row.state, row.verified_at, row.error_code)
                for row in tx.execute(query)
            )

    def counts(self) -> dict[str, int]:
        """How many publications are in each state."""
        with self._database.read() as tx:
            rows = tx.execute(
                select(publication.c.state, func.count()).group_by(publication.c.state)
            )
            return {row[0]: row[1] for row in rows}

    def _task(self, tx: Connection, row: Row[tuple[object, ...]]) -> PublicationTask:
        action = _DUE[row.state]
        der = entry = None
        if action is Action.PUBLISH:
            der = self._personal.open(tx, row.subject_id, "core", row.sealed_der)
            entry = _entry(x509.load_der_x509_certificate(der))
        return PublicationTask(
            id=row.id,
            directory=row.directory,
            action=action,
            issuer=x509.Name.from_bytes(row.issuer_subject),
            serial=SerialNumber.from_hex(row.serial),
            certificate_der=der,
            entry=entry,
            entry_uuid=row.entry_uuid,
            attempts=row.attempts,
        )


def _entry(body: x509.Certificate) -> PersonEntry:
    def value(oid: x509.ObjectIdentifier) -> str:
        return str(body.subject.get_attributes_for_oid(oid)[0].value)

    return PersonEntry(
        pseudonym=value(NameOID.SERIAL_NUMBER),
        common_name=value(NameOID.COMMON_NAME),
        surname=value(NameOID.SURNAME),
        given_name=value(NameOID.GIVEN_NAME),
    )

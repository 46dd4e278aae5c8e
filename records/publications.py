"""The outbox of directory publication; implements `publish_ldap.publication.PublicationOutbox`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    update,
)

from audit.events import Event
from ca.errors import CaError
from ca.identifiers import IssuerName, SerialNumber
from ca.store_hashes import store_hashes
from publish_ldap.entry import Holder
from publish_ldap.publication import TRIES, Action, Done, Failed, PublicationTask
from records.audit_log import append, append_all
from records.database import Database
from records.errors import Erased, NotFound
from records.personal_data import DamagedData, PersonalData
from records.prepared import Prepared
from records.tables import certificate, issuer, publication

_UNREADABLE_DELAY = timedelta(hours=1)
_LONGEST_DELAY = timedelta(hours=1)
_DUE = {"pending": Action.PUBLISH, "withdrawing": Action.WITHDRAW}
# What a state becomes when the directory was seen with the certificate, and without it.
_ONCE_PUT = {"pending": "published", "withdrawn": "withdrawing"}
_ONCE_TAKEN = {"withdrawing": "withdrawn", "published": "pending"}
_HASHES = ("cert_sha1", "name_sha1", "key_sha1")


def _seen(*further: str) -> Prepared:
    values: dict[str, object] = {
        "error_code": null(),
        "attempts": literal_column("0"),
        "set_aside_at": null(),
    }
    values |= {each: bindparam(each) for each in ("state", "verified_at", *further)}
    of_task = publication.c.id == bindparam("of_task")
    return Prepared(update(publication).where(of_task).values(**values))


_PUT, _TAKEN = _seen("entry_uuid", *_HASHES), _seen()


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
        """The tasks of a directory that are due: withdrawals first, then the oldest."""
        tasks, unreadable = [], []
        with self._database.read() as tx:
            for row in tx.execute(_due(directory, limit, now)).all():
                try:
                    tasks.append(self._task(tx, row))
                except (DamagedData, Erased, CaError, ValueError):
                    late = row.attempts + 1 >= TRIES
                    again = now + _UNREADABLE_DELAY
                    unreadable.append(Failed(row.id, "unreadable", again, late))
        # One that cannot be read must not hold up the others behind it.
        if unreadable:
            self.failed_all(unreadable, now)
        return tasks

    def done(self, task_id: int, entry_uuid: str | None, verified_at: datetime) -> None:
        """As `done_all`, for one.

        Raises:
            NotFound: the publication was erased.
        """
        if self.done_all([Done(task_id, entry_uuid)], verified_at):
            raise NotFound("publication", str(task_id))

    def done_all(self, done: Sequence[Done], verified_at: datetime) -> frozenset[int]:
        """The directory was seen to be as asked; the ids of those that were erased meanwhile.

        A publication that ends after the withdrawal has put back what was taken away, so the
        withdrawal is due again; and the other way round, when a hold is put on and lifted.
        """
        told, events = {each.task_id: each.entry_uuid for each in done}, []
        put, taken = list[dict[str, object]](), list[dict[str, object]]()
        with self._database.write() as tx:
            rows = tx.execute(_of_tasks(told)).all()
            for row in rows:
                entry_uuid = told[row.id]
                reached = _ONCE_TAKEN if entry_uuid is None else _ONCE_PUT
                state = reached.get(row.state, row.state)
                seen = {"of_task": row.id, "state": state, "verified_at": verified_at}
                if entry_uuid is None:
                    taken.append(seen)
                else:
                    put.append({**seen, "entry_uuid": entry_uuid, **self._hashes(tx, row)})
                kind = "withdrawn" if entry_uuid is None else "published"
                details = {"directory": row.directory}
                named = f"{row.issuer}/{row.serial}"
                events.append(Event(f"directory.{kind}", "system:job", named, details))
            for statement, values in ((_PUT, put), (_TAKEN, taken)):
                if values:
                    statement.run(tx, values)
            append_all(tx, events, verified_at)
        return frozenset(told.keys() - {row.id for row in rows})

    def _hashes(self, tx: Connection, row: Row[tuple[object, ...]]) -> dict[str, object]:
        """By what the HTTP store finds it; nothing of one that cannot be opened."""
        try:
            octets = self._personal.body(tx, row.subject_id, row.sealed_der)
        except (DamagedData, Erased):
            return dict.fromkeys(_HASHES)
        of = store_hashes(x509.load_der_x509_certificate(octets))
        return dict(zip(_HASHES, (of.certificate, of.issuer_and_serial, of.key), strict=True))

    def published_as(self, column: str, sha1: bytes, limit: int, now: datetime) -> list[bytes]:
        """Certificates in force that a directory shows, by `cert_sha1`, `name_sha1` or `key_sha1`.

        So consent, hold, revocation and erasure count here as they do there (NSIS REG-APP-L6).
        """
        of = publication.c
        query = (
            select(certificate.c.sealed_der, certificate.c.subject_id)
            .join(
                publication,
                and_(certificate.c.issuer == of.issuer, certificate.c.serial == of.serial),
            )
            .where(of[column] == sha1, of.state == "published")
            .where(certificate.c.status == "issued", certificate.c.not_after >= now)
            .distinct()
            .limit(limit)
        )
        with self._database.read() as tx:
            return [
                self._personal.body(tx, row.subject_id, row.sealed_der)
                for row in tx.execute(query).all()
            ]

    def failed(self, task_id: int, code: str, retry_at: datetime) -> None:
        """The task failed and is due again at `retry_at`."""
        self.failed_all([Failed(task_id, code, retry_at)], retry_at)

    def failed_all(self, failed: Sequence[Failed], now: datetime) -> None:
        """Those tasks failed; one that is set aside waits for a person, and the log says so.

        What has to be withdrawn meanwhile, or was made due anew, is not set aside.
        """
        of = publication.c
        is_last = and_(of.state == "pending", of.set_aside_at.is_(None), of.attempts + 1 >= TRIES)
        aside = case((is_last, literal(now, of.set_aside_at.type)), else_=of.set_aside_at)
        with self._database.write() as tx:
            for each in failed:
                row = tx.execute(
                    update(publication)
                    .where(of.id == each.task_id)
                    .values(
                        error_code=each.code[:40],
                        retry_at=each.retry_at,
                        attempts=of.attempts + 1,
                        **({"set_aside_at": aside} if each.set_aside else {}),
                    )
                    .returning(publication)
                ).first()
                if row is not None and row.set_aside_at is not None:
                    details = {"directory": row.directory, "code": each.code[:40]}
                    named = f"{row.issuer}/{row.serial}"
                    append(tx, Event("directory.set_aside", "system:job", named, details), now)

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
        der = holder = None
        if action is Action.PUBLISH:
            der = self._personal.body(tx, row.subject_id, row.sealed_der)
            holder = Holder.of(row.profile, x509.load_der_x509_certificate(der))
        return PublicationTask(
            id=row.id,
            directory=row.directory,
            action=action,
            issuer=x509.Name.from_bytes(row.issuer_subject),
            serial=SerialNumber.from_hex(row.serial),
            certificate_der=der,
            holder=holder,
            entry_uuid=row.entry_uuid,
            attempts=row.attempts,
        )


def _of_tasks(tasks: Collection[int]) -> Select[tuple[object, ...]]:
    """Those that are there, with their certificates; nobody else changes them meanwhile."""
    of, body = publication.c, certificate.c
    return (
        select(of.id, of.state, of.directory, of.issuer, of.serial, of.subject_id, body.sealed_der)
        .join(certificate, and_(body.issuer == of.issuer, body.serial == of.serial))
        .where(of.id.in_(list(tasks)))
        .order_by(of.id)
        .with_for_update(of=publication)
    )


def _due(directory: str, limit: int, now: datetime) -> Select[tuple[object, ...]]:
    withdrawing = publication.c.state == "withdrawing"
    return (
        select(
            publication,
            certificate.c.sealed_der,
            certificate.c.profile,
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
        .where(publication.c.set_aside_at.is_(None))
        # What is due further ahead than anything can be is a leftover of a clock that was set back.
        .where(or_(publication.c.retry_at <= now, publication.c.retry_at > now + _LONGEST_DELAY))
        .order_by(case((withdrawing, 0), else_=1), publication.c.id)
        .limit(limit)
    )

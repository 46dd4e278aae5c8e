"""What waits for a directory, what was set aside, and what it should show.

For operators and checks. The outbox itself is `records.publications`.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, insert, or_, select, update

from audit.events import Event
from ca.identifiers import IssuerName, SerialNumber
from publish_ldap.reconciliation import Drift, Expected
from records.audit_log import append, append_all
from records.certificate_rows import record_of
from records.database import Database
from records.errors import Conflict, NotFound
from records.tables import (
    certificate,
    directory_check,
    publication,
)

_SOME = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """One publication or withdrawal that is not done; nothing personal."""

    id: int
    directory: str
    action: str
    issuer: str
    serial: str
    attempts: int
    code: str | None
    retry_at: datetime
    set_aside_at: datetime | None


@dataclass(frozen=True, slots=True)
class Checked:
    """When a directory was last compared, how many certificates it showed, and the drift."""

    directory: str
    checked_at: datetime
    certificates: int
    drift: int


class DirectoryDesk:
    """The tables of publication, as operators and checks see them."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def names(self) -> list[str]:
        """Every directory that anything was ever to be published in."""
        with self._database.read() as tx:
            return list(tx.scalars(select(publication.c.directory).distinct()))

    def waiting(
        self, directory: str | None = None, limit: int = 1000, *, set_aside: bool = False
    ) -> list[Waiting]:
        """What waits, the oldest first; of all directories, or of those set aside only."""
        of = publication.c
        query = select(publication).where(of.state.in_(("pending", "withdrawing")))
        if directory is not None:
            query = query.where(of.directory == directory)
        if set_aside:
            query = query.where(of.set_aside_at.is_not(None))
        with self._database.read() as tx:
            rows = tx.execute(query.order_by(of.id).limit(limit)).all()
        return [
            Waiting(
                row.id,
                row.directory,
                "publish" if row.state == "pending" else "withdraw",
                row.issuer,
                row.serial,
                row.attempts,
                row.error_code,
                row.retry_at,
                row.set_aside_at,
            )
            for row in rows
        ]

    def retry(self, directory: str, task: int | None, actor: str, now: datetime) -> int:
        """Make what failed due now, one task or all of a directory; how many there were.

        Raises:
            NotFound: there is no such task that waits.
        """
        of = publication.c
        waits = of.state.in_(("pending", "withdrawing"))
        query = (
            update(publication)
            .where(of.directory == directory, waits, or_(of.attempts > 0, of.id == (task or 0)))
            .values(retry_at=now, attempts=0, set_aside_at=None)
            .returning(of.issuer, of.serial)
        )
        if task is not None:
            query = query.where(of.id == task)
        with self._database.write() as tx:
            rows = tx.execute(query).all()
            if task is not None and not rows:
                raise NotFound("task", f"{directory}/{task}")
            details = {"directory": directory}
            events = [Event("directory.retried", actor, f"{i}/{s}", details) for i, s in rows]
            if events:
                append_all(tx, events, now)
        return len(rows)

    def discard(self, directory: str, task: int, actor: str, now: datetime) -> None:
        """Give up a publication: the directory is then seen to be without it.

        Raises:
            NotFound: there is no such task.
            Conflict: it is a withdrawal, or done already; a withdrawal is never given up.
        """
        of = publication.c
        with self._database.write() as tx:
            row = tx.execute(
                select(publication)
                .where(of.directory == directory, of.id == task)
                .with_for_update()
            ).first()
            if row is None:
                raise NotFound("task", f"{directory}/{task}")
            if row.state != "pending":
                state = "a withdrawal, which is never given up"
                raise Conflict(f"task {task}", state if row.state == "withdrawing" else "done")
            values = {"state": "withdrawing", "retry_at": now, "attempts": 0, "returns": 0}
            tx.execute(update(publication).where(of.id == task).values(set_aside_at=None, **values))
            named = f"{row.issuer}/{row.serial}"
            append(tx, Event("directory.discarded", actor, named, {"directory": directory}), now)

    def expected(self, directory: str) -> Iterator[tuple[str, Expected]]:
        """Every publication of a directory with the fingerprint of its certificate."""
        of, body = publication.c, certificate.c
        query = (
            select(of.id, of.state, body.fingerprint, of.issuer, of.serial)
            .join(certificate, and_(body.issuer == of.issuer, body.serial == of.serial))
            .where(of.directory == directory, body.fingerprint.is_not(None))
        )
        with self._database.read() as tx:
            for row in tx.execution_options(yield_per=_SOME).execute(query):
                yield row.fingerprint, Expected(row.id, row.state, row.issuer, row.serial)

    def knows(self, directory: str, drift: Drift) -> bool:
        """Whether there is a publication of that certificate in a directory by now."""
        of = publication.c
        query = select(of.id).where(
            of.directory == directory, of.issuer == drift.issuer, of.serial == drift.serial
        )
        with self._database.read() as tx:
            return tx.execute(query).first() is not None

    def states(self, tasks: Collection[int]) -> dict[int, str]:
        """The states of some publications as they are now."""
        wanted, found = sorted(tasks), dict[int, str]()
        with self._database.read() as tx:
            for first in range(0, len(wanted), _SOME):
                some = publication.c.id.in_(wanted[first : first + _SOME])
                query = select(publication.c.id, publication.c.state).where(some)
                found |= {row[0]: row[1] for row in tx.execute(query)}
        return found

    def is_valid(self, issuer: IssuerName, serial: SerialNumber) -> bool:
        """Whether a certificate is issued and neither held, revoked nor erased."""
        query = select(certificate).where(
            certificate.c.issuer == issuer, certificate.c.serial == serial.hex
        )
        with self._database.read() as tx:
            row = tx.execute(query).first()
        return row is not None and record_of(row).status == "issued"

    def is_nobodys(self, issuer: IssuerName, serial: SerialNumber) -> bool:
        """Whether a certificate is of a device or a host, which no consent is asked of."""
        of = certificate.c
        query = select(of.subject_id).where(of.issuer == issuer, of.serial == serial.hex)
        with self._database.read() as tx:
            row = tx.execute(query).first()
        return row is not None and row.subject_id is None

    def again(self, tasks: Collection[int], state: str, actor: str, now: datetime) -> int:
        """Make publications (`pending`) or withdrawals (`withdrawing`) due that were done before.

        What has changed since it was looked at stays as it is.
        """
        before = {"pending": "published", "withdrawing": "withdrawn"}[state]
        wanted, events = sorted(tasks), list[Event]()
        with self._database.write() as tx:
            for first in range(0, len(wanted), _SOME):
                some = publication.c.id.in_(wanted[first : first + _SOME])
                rows = tx.execute(
                    update(publication)
                    .where(some, publication.c.state == before)
                    .values(state=state, retry_at=now, attempts=0, verified_at=None)
                    .returning(publication.c.issuer, publication.c.serial, publication.c.directory)
                ).all()
                events += [
                    Event("directory.mended", actor, f"{i}/{s}", {"directory": d, "to": state})
                    for i, s, d in rows
                ]
            if events:
                append_all(tx, events, now)
        return len(events)

    def withdraw_expired(self, now: datetime, limit: int) -> int:
        """Let the directories be without certificates that have expired; how many there were."""
        of, body = publication.c, certificate.c
        expired = (
            select(of.id)
            .join(certificate, and_(body.issuer == of.issuer, body.serial == of.serial))
            .where(of.state.in_(("pending", "published")), body.not_after < now)
            .limit(limit)
        )
        with self._database.read() as tx:
            tasks = list(tx.scalars(expired))
        if not tasks:
            return 0
        with self._database.write() as tx:
            rows = tx.execute(
                update(publication)
                .where(of.id.in_(tasks), of.state.in_(("pending", "published")))
                .values(state="withdrawing", retry_at=now, attempts=0, returns=0)
                .values(verified_at=None, set_aside_at=None)
                .returning(of.issuer, of.serial, of.directory)
            ).all()
            events = [
                Event("directory.expired", "system:job", f"{i}/{s}", {"directory": d})
                for i, s, d in rows
            ]
            if events:
                append_all(tx, events, now)
        return len(rows)

    def checks(self) -> list[Checked]:
        """How each directory was found when it was looked at last."""
        with self._database.read() as tx:
            rows = tx.execute(select(directory_check).order_by(directory_check.c.directory)).all()
        return [Checked(*row) for row in rows]

    def note_check(self, found: Checked) -> None:
        """Keep how a directory was found."""
        of = directory_check.c
        values = {
            "checked_at": found.checked_at,
            "certificates": found.certificates,
            "drift": found.drift,
        }
        with self._database.write() as tx:
            changed = tx.execute(
                update(directory_check).where(of.directory == found.directory).values(**values)
            )
            if not changed.rowcount:
                tx.execute(insert(directory_check).values(directory=found.directory, **values))
            details = {"certificates": found.certificates, "drift": found.drift}
            event = Event("directory.checked", "system:job", found.directory, details)
            append(tx, event, found.checked_at)

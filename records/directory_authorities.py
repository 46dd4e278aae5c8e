"""What directories were seen to show of certificate authorities; what they should comes from CRLs.

So nothing has to be put into an outbox when a CRL is made: the record of the CRL is the entry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from audit.events import Event
from ca.identifiers import IssuerName
from records.audit_log import append
from records.database import Database
from records.tables import authority_publication


@dataclass(frozen=True, slots=True)
class AuthorityShown:
    """What a directory was last seen to show of an issuer, and what went wrong since."""

    directory: str
    issuer: IssuerName
    digest: str | None
    attempts: int
    code: str | None
    retry_at: datetime


class AuthorityPublications:
    """The table of what was seen."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def all(self, directory: str | None = None) -> list[AuthorityShown]:
        """What each directory shows of each issuer."""
        of = authority_publication.c
        query = select(authority_publication).order_by(of.directory, of.issuer)
        if directory is not None:
            query = query.where(of.directory == directory)
        with self._database.read() as tx:
            return [
                AuthorityShown(
                    row.directory,
                    IssuerName(row.issuer),
                    row.digest,
                    row.attempts,
                    row.error_code,
                    row.retry_at,
                )
                for row in tx.execute(query)
            ]

    def note(self, directory: str, issuer: IssuerName, digest: str, now: datetime) -> None:
        """The directory was seen to show it."""
        values = {"digest": digest, "verified_at": now, "attempts": 0, "error_code": None}
        with self._database.write() as tx:
            self._put(tx, (directory, issuer), {**values, "retry_at": now})
            event = Event("directory.authority", "system:job", issuer, {"directory": directory})
            append(tx, event, now)

    def failed(self, directory: str, issuer: IssuerName, code: str, retry_at: datetime) -> None:
        """The directory did not take it, and is asked again at `retry_at`."""
        with self._database.write() as tx:
            attempts = authority_publication.c.attempts + 1
            values = {"error_code": code[:40], "retry_at": retry_at}
            self._put(tx, (directory, issuer), {**values, "attempts": attempts})

    def retry(self, directory: str, now: datetime) -> int:
        """Make due now what failed; how many there were."""
        of = authority_publication.c
        with self._database.write() as tx:
            return tx.execute(
                update(authority_publication)
                .where(of.directory == directory, of.error_code.is_not(None))
                .values(attempts=0, retry_at=now)
            ).rowcount

    def again(self, directory: str, issuers: Sequence[str], now: datetime) -> int:
        """Forget what the directory was seen to show of some issuers, so that it is put again."""
        of = authority_publication.c
        with self._database.write() as tx:
            return tx.execute(
                update(authority_publication)
                .where(of.directory == directory, of.issuer.in_(list(issuers)))
                .values(digest=None, verified_at=None, attempts=0, retry_at=now)
            ).rowcount

    def _put(
        self, tx: Connection, place: tuple[str, IssuerName], values: Mapping[str, object]
    ) -> None:
        of, (directory, issuer) = authority_publication.c, place
        changed = tx.execute(
            update(authority_publication)
            .where(of.directory == directory, of.issuer == issuer)
            .values(**values)
        )
        if not changed.rowcount:
            first = {**values, "attempts": 1 if values.get("error_code") else 0}
            tx.execute(
                insert(authority_publication).values(directory=directory, issuer=issuer, **first)
            )

"""Which texts a session was shown, and which of them to the end (REG-APP-L1, L2, S4c).

A session is whoever has its secret; nobody is named. An answer counts for what this very session
has seen.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from audit.events import Detail, Event
from ra.terms import TermsVersion
from records.audit_log import append
from records.database import Database
from records.errors import Conflict, NotFound
from records.guards_persons import PRESENTATION_DAYS
from records.tables import presentation

LIFE = timedelta(days=1)
"""How long an answer may follow what was shown."""


class Presentations:
    """The presentations of texts."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def begin(self, texts: Iterable[TermsVersion], now: datetime) -> str:
        """Keep that these texts are shown; the secret of the session, of which a digest is kept."""
        secret = secrets.token_urlsafe(32)
        session = _sha256(secret)
        shown: list[dict[str, object]] = [
            {
                "session_sha256": session,
                "text_sha256": each.sha256,
                "kind": each.kind.value,
                "version": each.version,
                "language": each.language,
                "shown_at": now,
            }
            for each in texts
        ]
        with self._database.write() as tx:
            tx.execute(insert(presentation), shown)
            details: dict[str, Detail] = {"count": len(shown)}
            append(tx, Event("terms.presented", "system:applicant", session[:16], details), now)
        return secret

    def complete(self, secret: str, text_sha256: str, now: datetime) -> None:
        """Keep that the session came to the end of a text.

        Raises:
            NotFound: the session was not shown this text.
            Conflict: it had come to its end before, or the session is too old.
        """
        of, session = presentation.c, _sha256(secret)
        with self._database.write() as tx:
            row = tx.execute(
                select(presentation).where(
                    of.session_sha256 == session, of.text_sha256 == text_sha256
                )
            ).first()
            if row is None:
                raise NotFound("presentation of", text_sha256)
            if row.completed_at is not None or now > row.shown_at + LIFE:
                raise Conflict("the presentation", "over")
            tx.execute(
                update(presentation)
                .where(of.session_sha256 == session, of.text_sha256 == text_sha256)
                .values(completed_at=now)
            )
            details = {"text_sha256": text_sha256}
            append(tx, Event("terms.shown", "system:applicant", session[:16], details), now)

    def shown_at(self, secret: str, text_sha256: str, now: datetime) -> datetime | None:
        """When the session came to the end of the text; None when it did not, or long ago."""
        of = presentation.c
        query = select(of.completed_at).where(
            of.session_sha256 == _sha256(secret),
            of.text_sha256 == text_sha256,
            of.shown_at >= now - LIFE,
        )
        with self._database.read() as tx:
            found: datetime | None = tx.execute(query).scalar()
        return found

    def forget(self, now: datetime) -> int:
        """Delete what no answer can follow any more; gives how much."""
        before = now - timedelta(days=PRESENTATION_DAYS, minutes=1)
        with self._database.write() as tx:
            return tx.execute(delete(presentation).where(presentation.c.shown_at < before)).rowcount


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

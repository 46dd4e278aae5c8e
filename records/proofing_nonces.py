"""Our own nonces for biometric comparisons and logins: each answered once, and soon (H9d, L10)."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, update

from audit.events import Event
from records.audit_log import append
from records.database import Database
from records.tables import proofing_nonce


class ProofingNonces:
    """The nonces of proofings, of which only digests are kept."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def ask(self, application_id: str, purpose: str, now: datetime, life: timedelta) -> str:
        """A new nonce for this application and purpose, which is `biometric` or `login`."""
        nonce = secrets.token_urlsafe(32)
        with self._database.write() as tx:
            tx.execute(
                insert(proofing_nonce).values(
                    nonce_sha256=_sha256(nonce),
                    application_id=application_id,
                    purpose=purpose,
                    asked_at=now,
                    expires_at=now + life,
                )
            )
            details = {"purpose": purpose}
            append(tx, Event("proofing.asked", "system:proofing", application_id, details), now)
        return nonce

    def use(self, nonce: str, application_id: str, purpose: str, now: datetime) -> bool:
        """Use the nonce up; False when it is not ours, was used, or has expired.

        It is used up before anything is compared, so of two answers at once one alone counts.
        """
        with self._database.write() as tx:
            return self._use(tx, nonce, (application_id, purpose), now)

    def _use(self, tx: Connection, nonce: str, of: tuple[str, str], now: datetime) -> bool:
        application_id, purpose = of
        used = tx.execute(
            update(proofing_nonce)
            .where(
                proofing_nonce.c.nonce_sha256 == _sha256(nonce),
                proofing_nonce.c.application_id == application_id,
                proofing_nonce.c.purpose == purpose,
                proofing_nonce.c.used_at.is_(None),
                proofing_nonce.c.expires_at >= now,
            )
            .values(used_at=now)
        ).rowcount
        if used:
            details = {"purpose": purpose}
            append(tx, Event("proofing.answered", "system:proofing", application_id, details), now)
        return used == 1

    def forget(self, now: datetime) -> int:
        """Delete nonces that expired a day ago; gives how many."""
        with self._database.write() as tx:
            return tx.execute(
                delete(proofing_nonce).where(proofing_nonce.c.expires_at < now - timedelta(days=1))
            ).rowcount


def _sha256(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()

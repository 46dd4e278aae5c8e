"""The secret with which a holder blocks a credential without its key (NSIS 3.2.3, ISS-REV-L1a).

It is on the letter or the receipt, and only its digest is here. Whether an application is known
makes no difference to an answer, nor to the work that an answer takes (ISS-REV-L2c).
"""

import hmac
from datetime import datetime

from sqlalchemy import insert, select, update

from audit.events import Event
from ra.activation_codes import HolderSecret, SecretUse, new_salt
from records.audit_log import append
from records.database import Database
from records.errors import NotFound
from records.tables import application, revocation_secret

MOST_TOLD = 10
"""Wrong tries on one application that the audit log tells of; all are counted."""
_NOBODY = "00" * 32


class RevocationSecrets:
    """The table of revocation secrets."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def make(self, application_id: str, actor: str, now: datetime) -> HolderSecret:
        """A new secret, given out this once.

        Raises:
            NotFound: there is no such application.
            RuleBroken: DEL08, it has one already.
        """
        secret, salt = HolderSecret.random(), new_salt()
        with self._database.write() as tx:
            known = select(application.c.id).where(application.c.id == application_id)
            if tx.execute(known).first() is None:
                raise NotFound("application", application_id)
            tx.execute(
                insert(revocation_secret).values(
                    application_id=application_id,
                    salt=salt,
                    digest=secret.digest(SecretUse.REVOCATION, application_id, salt),
                    made_at=now,
                )
            )
            append(tx, Event("credential.revocation_secret", actor, application_id, {}), now)
        return secret

    def has(self, application_id: str) -> bool:
        """Whether one was given out."""
        with self._database.read() as tx:
            query = select(revocation_secret.c.made_at).where(
                revocation_secret.c.application_id == application_id
            )
            return tx.execute(query).first() is not None

    def fits(self, application_id: str, typed: HolderSecret, now: datetime) -> bool:
        """Whether this is the secret of that application; a wrong one is counted."""
        with self._database.read() as tx:
            row = tx.execute(
                select(revocation_secret).where(
                    revocation_secret.c.application_id == application_id
                )
            ).first()
        salt, kept = (_NOBODY, _NOBODY) if row is None else (row.salt, row.digest)
        digest = typed.digest(SecretUse.REVOCATION, application_id, salt)
        if hmac.compare_digest(digest, kept):
            return True
        if row is not None:
            self._wrong(application_id, row.tries, now)
        return False

    def _wrong(self, application_id: str, tries: int, now: datetime) -> None:
        with self._database.write() as tx:
            tx.execute(
                update(revocation_secret)
                .where(revocation_secret.c.application_id == application_id)
                .values(tries=revocation_secret.c.tries + 1, tried_at=now)
            )
            if tries < MOST_TOLD:
                event = Event(
                    "credential.revocation_secret_wrong", "system:public", application_id, {}
                )
                append(tx, event, now)

"""Failed attempts to prove an identity, by application and by claimed identity (REG-IDN-L9).

The identity stands here as a keyed digest. Its key is a data key of its own in the key store, so
whoever has the records alone can try no numbers.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select

from ra.claims import ClaimedIdentity
from records.database import Database
from records.personal_data import PersonalData
from records.tables import failed_attempt, subject

WINDOW = timedelta(days=1)
"""Within which attempts on one identity count together."""
_KEY_HOLDER = "identity-digests"


@dataclass(frozen=True, slots=True)
class Failures:
    """How many attempts failed: of the application ever, of the claimed identity within a day."""

    of_application: int
    of_identity: int


class FailedAttempts:
    """The table of failed attempts."""

    def __init__(self, database: Database, personal: PersonalData) -> None:
        """Use the database, and the door to the key of the digests."""
        self._database = database
        self._personal = personal

    def count(self, application_id: str, claim: ClaimedIdentity, now: datetime) -> Failures:
        """What has failed until now."""
        with self._database.write() as tx:
            return _count(tx, application_id, self._identity(tx, claim, now), now)

    def add(
        self, tx: Connection, application_id: str, claim: ClaimedIdentity, now: datetime
    ) -> Failures:
        """Keep one more, in the caller's transaction; gives what has failed, this one counted."""
        identity = self._identity(tx, claim, now)
        tx.execute(
            insert(failed_attempt).values(
                id=f"attempt-{secrets.token_hex(8)}",
                application_id=application_id,
                identity_hmac=identity,
                at=now,
            )
        )
        return _count(tx, application_id, identity, now)

    def _identity(self, tx: Connection, claim: ClaimedIdentity, now: datetime) -> str:
        # The key belongs to nobody, and no erasure destroys it.
        if not tx.execute(select(subject.c.id).where(subject.c.id == _KEY_HOLDER)).first():
            tx.execute(
                insert(subject).values(
                    id=_KEY_HOLDER, kind="keyed_digests", state="active", created_at=now
                )
            )
        key = self._personal.derive(tx, _KEY_HOLDER, "core", b"claimed identity")
        return hmac.new(key, _words(claim).encode(), "sha256").hexdigest()


def _words(claim: ClaimedIdentity) -> str:
    if claim.cpr_number is not None:
        return f"cpr {claim.cpr_number.value}"
    return f"name {claim.given_name.value} {claim.surname.value}".casefold()


def _count(tx: Connection, application_id: str, identity: str, now: datetime) -> Failures:
    of = failed_attempt.c
    own = select(func.count()).where(of.application_id == application_id)
    same = select(func.count()).where(of.identity_hmac == identity, of.at > now - WINDOW)
    return Failures(tx.execute(own).scalar_one(), tx.execute(same).scalar_one())

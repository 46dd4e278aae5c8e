"""From which credential an identity was derived, and what follows when that was a fraud (L10, L11).

An edge leads from an application to a credential, by digest. When a credential turns out to have
been got by fraud, every application that rests on it gets a review, which another officer decides.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from audit.events import Event
from ra.levels import AssuranceLevel
from records.audit_log import append
from records.database import Database
from records.errors import Conflict, NotFound
from records.officers import Officer
from records.tables import certificate, derivation, derivation_review

DECISIONS = ("stands", "revoked")


@dataclass(frozen=True, slots=True)
class Review:
    """One application to look at anew, and what was decided, if anything."""

    application_id: str
    opened_at: datetime
    decision: str | None
    decided_at: datetime | None


class Derivations:
    """Edges and reviews."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def open_reviews(self, provider: str, credential: str, by: Officer, now: datetime) -> int:
        """Open a review for everything that rests on a credential, and on what rests on that.

        A certificate of ours is the credential `issuer/serial` of the provider `tillid`. Again
        it opens nothing. Gives how many were opened.
        """
        digests, opened = [credential_digest(provider, credential)], 0
        seen = set(digests)
        with self._database.write() as tx:
            while digests:
                digest = digests.pop()
                for application_id in _edges(tx, digest):
                    opened += _open(tx, (application_id, digest), by, now)
                    further = {*_own_credentials(tx, application_id)} - seen
                    seen |= further
                    digests += sorted(further)
            details = {"count": opened}
            append(tx, Event("derivation.cascaded", by.id, f"sha256:{min(seen)}", details), now)
        return opened

    def reviews(self) -> Sequence[Review]:
        """Every review, the undecided ones first."""
        of = derivation_review.c
        query = select(derivation_review).order_by(of.decision.is_not(None), of.opened_at)
        with self._database.read() as tx:
            return [_review(row) for row in tx.execute(query).all()]

    def decide(self, application_id: str, decision: str, by: Officer, now: datetime) -> None:
        """Decide every open review of an application.

        Raises:
            NotFound: it has none.
            Conflict: all of them are decided.
            RuleBroken: PER08, by the person who opened it.
        """
        of = derivation_review.c
        with self._database.write() as tx:
            rows = tx.execute(
                select(derivation_review)
                .where(of.application_id == application_id)
                .with_for_update()
            ).all()
            if not rows:
                raise NotFound("review of application", application_id)
            if all(row.decision is not None for row in rows):
                raise Conflict("the review", "decided")
            tx.execute(
                update(derivation_review)
                .where(of.application_id == application_id, of.decision.is_(None))
                .values(
                    decision=decision,
                    decided_by=by.id,
                    decided_person=by.person_id,
                    decided_at=now,
                )
            )
            details = {"decision": decision}
            append(tx, Event("derivation.decided", by.id, application_id, details), now)


def credential_digest(provider: str, credential: str) -> str:
    """SHA-256 of provider and credential in hexadecimal."""
    return hashlib.sha256(f"{provider}\0{credential}".encode()).hexdigest()


def edge(
    application_id: str, digest: str, level: AssuranceLevel, now: datetime
) -> Callable[[Connection], None]:
    """What keeps that an application rests on a credential; a second login with it adds nothing."""
    of = derivation.c

    def add(tx: Connection) -> None:
        same = (of.application_id == application_id, of.credential_sha256 == digest)
        if tx.execute(select(of.at).where(*same)).first() is None:
            tx.execute(
                insert(derivation).values(
                    application_id=application_id,
                    credential_sha256=digest,
                    level=level.name.lower(),
                    at=now,
                )
            )

    return add


def forget_edges(tx: Connection, application_ids: Select[tuple[str]]) -> int:
    """Delete edges and reviews in the erasure of their subject; gives how many."""
    return sum(
        tx.execute(delete(table).where(table.c.application_id.in_(application_ids))).rowcount
        for table in (derivation_review, derivation)
    )


def _edges(tx: Connection, digest: str) -> Sequence[str]:
    query = select(derivation.c.application_id).where(derivation.c.credential_sha256 == digest)
    return tx.execute(query).scalars().all()


def _own_credentials(tx: Connection, application_id: str) -> list[str]:
    rows = tx.execute(
        select(certificate.c.issuer, certificate.c.serial).where(
            certificate.c.application_id == application_id
        )
    )
    return [credential_digest("tillid", f"{row.issuer}/{row.serial}") for row in rows]


def _open(tx: Connection, edge: tuple[str, str], by: Officer, now: datetime) -> int:
    application_id, digest = edge
    of = derivation_review.c
    there = select(of.opened_at).where(
        of.application_id == application_id, of.credential_sha256 == digest
    )
    if tx.execute(there).first() is not None:
        return 0
    tx.execute(
        insert(derivation_review).values(
            application_id=application_id,
            credential_sha256=digest,
            opened_by=by.id,
            opened_person=by.person_id,
            opened_at=now,
        )
    )
    append(tx, Event("derivation.review", by.id, application_id, {}), now)
    return 1


def _review(row: Row[tuple[object, ...]]) -> Review:
    return Review(row.application_id, row.opened_at, row.decision, row.decided_at)

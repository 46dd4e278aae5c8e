"""The brake on mass revocation: how many certificates one person decides about alone in an hour.

What is counted are the records themselves, inside the transaction that adds to them and after its
audit event: whoever appends to the audit log waits for the others, so two nodes count together.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from audit.events import Event
from records.audit_log import append
from records.database import Database
from records.guards_bulk import PLAN_DAYS
from records.tables import bulk_revocation, certificate, officer
from revocation.causes import Cause, Party, party_of
from revocation.errors import RevocationRefused, RevocationRule

SPAN = timedelta(hours=1)
OPEN_PLANS = 10
"""Plans of one person that nobody has begun; each may be a list of a million rows."""
_BRAKED = frozenset({Party.OFFICER, Party.OPERATOR})


def check_alone(tx: Connection, actor: str, limit: int, now: datetime) -> None:
    """Refuse what makes more than `limit` certificates in an hour held or revoked by one person.

    Not braked are the system itself and holders, who decide about their own (NSIS ISS-REV-L2b).

    Raises:
        RevocationRefused: RATE_LIMITED.
    """
    if party_of(actor) not in _BRAKED:
        return
    if _decided_alone(tx, actor, limit + 1, now) > limit:
        raise RevocationRefused(RevocationRule.RATE_LIMITED, str(limit))


def tell_braked(
    database: Database, refusal: RevocationRefused, actor: str, subject: str, now: datetime
) -> None:
    """Write a refusal by the brake to the audit log; what was refused is rolled back before."""
    if refusal.rule is RevocationRule.RATE_LIMITED:
        with database.write() as tx:
            limit = {"limit": int(refusal.facts[0])}
            append(tx, Event("certificate.braked", actor, subject, limit), now)


def check_plans(tx: Connection, actor: str, more: int) -> None:
    """Refuse `more` plans than the open ones a person may have; seven days end them.

    Raises:
        RevocationRefused: TOO_MANY_PLANS.
    """
    waiting = select(func.count()).where(
        _by_person(bulk_revocation.c.planned_by, actor), bulk_revocation.c.begun_by.is_(None)
    )
    if tx.execute(waiting).scalar_one() + more > OPEN_PLANS:
        rule = RevocationRule.TOO_MANY_PLANS
        raise RevocationRefused(rule, str(OPEN_PLANS), str(PLAN_DAYS))


def _decided_alone(tx: Connection, actor: str, most: int, now: datetime) -> int:
    """How many certificates the person holds or has revoked in the last hour, at most `most`.

    Bulk revocations that one person planned and began count whole. The end of an issuer does not
    count: it ends everything below it, at a ceremony.
    """
    recent = (
        select(certificate.c.serial)
        .where(_by_person(certificate.c.decided_by, actor), certificate.c.decided_at > now - SPAN)
        .where(certificate.c.status.in_(("held", "revoked")))
        .where(or_(certificate.c.cause.is_(None), certificate.c.cause != Cause.ISSUER_ENDED))
        .limit(most)
    )
    bulk = select(func.coalesce(func.sum(bulk_revocation.c.total), 0)).where(
        _by_person(bulk_revocation.c.planned_by, actor),
        _by_person(bulk_revocation.c.begun_by, actor),
        bulk_revocation.c.begun_at > now - SPAN,
    )
    singly = tx.execute(select(func.count()).select_from(recent.subquery())).scalar_one()
    return int(singly) + int(tx.execute(bulk).scalar_one())


def _by_person(column: ColumnElement[Any], actor: str) -> ColumnElement[bool]:
    """Whether a column names the actor, or another role of the same person."""
    person = select(officer.c.person_id).where(officer.c.id == actor).scalar_subquery()
    roles = select(officer.c.id).where(officer.c.person_id == person)
    return or_(column == actor, column.in_(roles))

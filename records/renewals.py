"""Which certificate gives way to which: kept with the application, done at its fulfilment."""

from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, insert, select

from ra.applications import Application
from ra.renewals import PROVIDER, Renewal
from records.derivations import credential_digest, edge
from records.statuses import revoke_rows
from records.tables import certificate, renewal
from revocation.causes import Cause, Grounds


def keep_renewal(of: Application, now: datetime) -> Callable[[Connection], None]:
    """What keeps a renewal in the transaction of its application, and revokes what was lost.

    The new credential rests on the old one, so that a fraud leads from that to this.

    Raises, in that transaction: RuleBroken (REN01, REN02).
    """

    def keep(tx: Connection) -> None:
        renews = of.renewal
        if renews is None:
            return
        tx.execute(
            insert(renewal).values(
                application_id=of.id,
                issuer=renews.issuer,
                serial=renews.serial,
                basis=renews.basis.value,
                at=now,
            )
        )
        edge(of.id, credential_digest(PROVIDER, renews.credential), renews.level, now)(tx)
        if renews.loss is not None and renews.loss.cause is not None:
            _revoke(tx, renews, renews.loss.cause, holder_of(renews.application), now)

    return keep


def holder_of(application_id: str) -> str:
    """The holder of an application's credential as the records name an actor."""
    return f"holder-{sha256(application_id.encode()).hexdigest()[:16]}"


def end_replaced(
    tx: Connection, fulfilled: Sequence[Application], actor: str, now: datetime
) -> None:
    """Revoke what the certificates of these applications replace (ISS-REN-L6)."""
    for each in fulfilled:
        if each.renewal is not None:
            _revoke(tx, each.renewal, Cause.REPLACED, actor, now)


def _revoke(tx: Connection, renews: Renewal, cause: Cause, actor: str, now: datetime) -> None:
    """Unless it is revoked or has expired; one on hold is revoked for what it was held for."""
    of = certificate.c
    row = tx.execute(
        select(certificate)
        .where(of.issuer == renews.issuer, of.serial == renews.serial)
        .where(of.status.in_(("issued", "held")), of.not_after > now)
        .with_for_update()
    ).first()
    if row is None:
        return
    held = None if row.cause is None else Cause(row.cause)
    told = held if held is not None and held.is_compromise else cause
    revoke_rows(tx, [row], Grounds(told), actor, now)

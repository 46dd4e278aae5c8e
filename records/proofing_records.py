"""What lies beside an application's own row: resolutions, and what an erasure takes of all this."""

from sqlalchemy import Connection, Select, delete, insert

from ra.applications import Application
from records.derivations import forget_edges
from records.tables import failed_attempt, resolution


def add_resolution(tx: Connection, before: Application, after: Application) -> None:
    """Keep who resolved a referral, while the application still is referred (PER05)."""
    said = after.further.resolutions[-1]
    tx.execute(
        insert(resolution).values(
            application_id=before.id,
            number=len(after.further.resolutions),
            officer_id=said.officer,
            person_id=said.person_id,
            at=said.at,
        )
    )


def forget_proofing(tx: Connection, application_ids: Select[tuple[str]]) -> int:
    """Delete what was kept of the proofings of an erased subject; gives how many rows.

    Nonces name nobody and go by themselves when they have expired.
    """
    deleted = sum(
        tx.execute(delete(table).where(table.c.application_id.in_(application_ids))).rowcount
        for table in (resolution, failed_attempt)
    )
    return deleted + forget_edges(tx, application_ids)

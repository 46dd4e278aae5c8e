"""The lease of the jobs, and what its renewals tell: how fresh the records are that one reads."""

from datetime import datetime, timedelta

from records.database import Database
from records.leases import Leases

LEASE = "jobs"
LEASE_LIFE = timedelta(seconds=8)


def age_of_records(database: Database, now: datetime) -> timedelta:
    """How old the newest of the records can be that this database shows.

    The primary shows everything. A replica shows the renewals of the lease, which come with every
    tick, as late as everything else; without one nothing is known to be fresh.
    """
    if not database.is_replica():
        return timedelta(0)
    until = Leases(database).until(LEASE)
    return timedelta.max if until is None else now - (until - LEASE_LIFE)

"""Whether the clock can be right: it is never behind what was signed with its time before."""

from datetime import datetime, timedelta

from audit.errors import ClockBehind
from records.audit_log import audit_log
from records.database import Database

TOLERANCE = timedelta(seconds=5)
"""How far the clocks of two nodes may lie apart."""


def require_clock(database: Database, now: datetime) -> None:
    """Nothing is signed with a time from before the latest head of the audit log.

    Raises:
        ClockBehind: the clock has gone back, or was ahead when the head was signed.
    """
    with audit_log(database) as log:
        head = log.latest_head()
    if head is not None and now < head.time - TOLERANCE:
        raise ClockBehind(now, head.time)

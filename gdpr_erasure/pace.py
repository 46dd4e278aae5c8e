"""When a case is carried on again: soon while it waits, later the more often something fails."""

from datetime import datetime, timedelta
from typing import Final

from gdpr_erasure.erasures import ErasureState
from publish_ldap.publication import retry_delay

_LONGEST: Final = timedelta(hours=1)
_LONGEST_WAIT: Final = timedelta(minutes=1)
DAY_TO_WARN: Final = 20
"""The day after a request from which somebody has to look at a case without an answer."""


def next_try(
    now: datetime, attempts: int, state: ErasureState, *, failed: bool, jitter: float
) -> datetime:
    """When it is due again; `attempts` have brought it no further, `jitter` is from 0 to 1.

    What waits to be seen is looked for after one second, two, four, up to a minute; what failed is
    tried again after seconds, up to an hour.
    """
    if failed:
        return now + retry_delay(attempts, _LONGEST, jitter)
    if state is ErasureState.SCHEDULED:
        return now + _LONGEST
    wait = min(timedelta(seconds=1 << min(attempts, 20)), _LONGEST_WAIT)
    return now + wait * (1 - jitter / 2)


def is_late(requested_at: datetime, state: ErasureState, now: datetime) -> bool:
    """Whether the month for an answer runs out (GDPR 12(3)) while nothing was answered."""
    answered = {ErasureState.DONE, ErasureState.CANCELLED, ErasureState.SCHEDULED}
    return state not in answered and now - requested_at >= timedelta(days=DAY_TO_WARN)

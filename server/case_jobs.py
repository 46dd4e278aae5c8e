"""What the clock does to data-subject cases: deliveries end, and what was carried out is closed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from gdpr_erasure.cases import CaseState
from server.assembly import Assembly
from server.case_execution import close_done
from server.cases import tell

REMINDER = timedelta(days=7)
"""How long before a delivery ends its receiver is reminded, once."""


def remind(parts: Assembly, case_id: str, now: datetime) -> bool:
    """Tell the requester once more that an answer waits.

    It is sent before it is noted: who dies between sends it again, under the same occasion.
    """
    sent = tell(parts, parts.cases.get(case_id), "reminder", now)
    return parts.deliveries.reminded(case_id, now, sent=sent)


def case_work(parts: Assembly, now: datetime) -> list[Callable[[], bool]]:
    """One act a case; each can be repeated and says whether it did something."""
    ended = parts.deliveries.expired(now)
    done = parts.cases.all(CaseState.CARRIED_OUT)
    expiring = (partial(parts.deliveries.expire, case, now) for case in ended)
    waiting = parts.deliveries.unfetched(now + REMINDER)
    reminding = (partial(remind, parts, case, now) for case in waiting if case not in ended)
    return [*expiring, *reminding, *(partial(close_done, parts, case, now) for case in done)]

"""What the clock does to data-subject cases: deliveries end, and what was carried out is closed."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from gdpr_erasure.cases import CaseState
from server.assembly import Assembly
from server.case_execution import close_done


def case_work(parts: Assembly, now: datetime) -> list[Callable[[], bool]]:
    """One act a case; each can be repeated and says whether it did something."""
    ended = parts.deliveries.expired(now)
    done = parts.cases.all(CaseState.CARRIED_OUT)
    expiring = (partial(parts.deliveries.expire, case, now) for case in ended)
    return [*expiring, *(partial(close_done, parts, case, now) for case in done)]

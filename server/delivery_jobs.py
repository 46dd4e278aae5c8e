"""What ends by the clock in a delivery: codes whose window has closed, or that were tried out."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from ra.applications import ApplicationState, lapse
from ra.delivery import Ending
from server.assembly import Assembly

_BATCH = 100
_JOB = "system:job"


def end_activations(parts: Assembly, now: datetime) -> Iterator[Callable[[], bool]]:
    """End each credential that can be activated no more, with its application (ISS-DEL-S2g).

    The application ends first: a death in between leaves a code that opens nothing, and the next
    run ends the rest.
    """
    for application_id in parts.credentials.elapsed(now, _BATCH):
        yield partial(_end, parts, application_id, Ending.WINDOW, now)
    for application_id in parts.credentials.exhausted(_BATCH):
        yield partial(_end, parts, application_id, Ending.ATTEMPTS, now)


def _end(parts: Assembly, application_id: str, why: Ending, now: datetime) -> bool:
    before = parts.applications.get(application_id)
    if before.state is ApplicationState.APPROVED:
        parts.applications.update(before, lapse(before, now), _JOB, now)
    parts.credentials.end(application_id, why, _JOB, now)
    return True

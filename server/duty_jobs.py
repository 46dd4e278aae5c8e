"""What the clock does to duties to revoke: registers are asked at night, deadlines are kept.

In the same night every credential gets a duty that no mandate carries any more.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from server.assembly import Assembly
from server.erasure_nights import is_first_tonight
from server.revocation_duties import (
    CLOCK,
    ask_about,
    ask_about_company,
    due_by_itself,
    end_mandates,
    person_register,
    revoke_overdue,
)


def duty_work(parts: Assembly, now: datetime) -> list[Callable[[], bool]]:
    """One act a credential or duty; each can be repeated and says whether it did something."""
    late = [partial(revoke_overdue, parts, duty, now) for duty in due_by_itself(parts, now)]
    register = person_register(parts)
    if register is None or not is_first_tonight(parts, "revocation-duties", now):
        return [*late]
    asked = (partial(ask_about, parts, register, each, now) for each in parts.duties.live(now))
    companies, _ = parts.companies()
    named = parts.duties.live_of_companies(now)
    about = (partial(ask_about_company, parts, companies, each, now) for each in named)
    unmandated = partial(_end_mandates, parts, now)
    return [*late, *asked, *about, unmandated]


def _end_mandates(parts: Assembly, now: datetime) -> bool:
    return bool(end_mandates(parts, CLOCK, now))

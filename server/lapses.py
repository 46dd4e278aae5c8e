"""Applications that nobody went on with lapse, and what only served them is forgotten."""

from datetime import datetime

from ra.applications import Application, ApplicationState, lapse
from ra.errors import Conflict
from ra.persons import lapses_at
from server.assembly import Assembly

# Once approved, a certificate may be on its way: its own windows end it.
LAPSING = (
    ApplicationState.DRAFT,
    ApplicationState.SUBMITTED,
    ApplicationState.PROOFING,
    ApplicationState.REFERRED,
    ApplicationState.VERIFIED,
)


def lapse_applications(parts: Assembly, now: datetime) -> int:
    """Let every open application lapse that is older than the policy says; gives how many."""
    due = [
        each
        for each in parts.applications.made_before(
            now - parts.policy.policy.limits.application_age, *LAPSING
        )
        if lapses_at(each, parts.policy) <= now
    ]
    return sum(_lapse(parts, each, now) for each in due) + _forget(parts, now)


def _lapse(parts: Assembly, application: Application, now: datetime) -> bool:
    try:
        parts.applications.update(application, lapse(application, now), "system:job", now)
    except Conflict:  # somebody went on with it at this moment
        return False
    return True


def _forget(parts: Assembly, now: datetime) -> int:
    return parts.persons.presentations.forget(now) + parts.persons.nonces.forget(now)

"""Failed attempts to prove an identity: counted, limited, and in the end closed (REG-IDN-L9)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from audit.events import Event
from ra.applications import Application
from ra.errors import Refused
from ra.persons import exhaust, speaks_against
from ra.requirements import finding
from records.audit_log import append
from records.failed_attempts import Failures
from server.assembly import Assembly


@contextmanager
def attempt(parts: Assembly, application: Application, actor: str, now: datetime) -> Iterator[None]:
    """Let an attempt be made, and keep it if something speaks against the applicant.

    What is merely missing is no attempt. The one that uses up the last closes the application.

    Raises:
        Refused: what the attempt was refused for; REG-IDN-L9 when none is left.
    """
    claim = application.applicant.claim
    if _is_exhausted(parts, parts.persons.attempts.count(application.id, claim, now)):
        _close(parts, application, actor, now)
        raise Refused((finding("REG-IDN-L9", "ATTEMPTS_EXHAUSTED"),))
    try:
        yield
    except Refused as refusal:
        if speaks_against(refusal.findings) and _is_last(parts, application, actor, now):
            _close(parts, application, actor, now)
        raise


def _is_last(parts: Assembly, application: Application, actor: str, now: datetime) -> bool:
    """Keep the failure. A crash after it leaves an application that the next attempt closes."""
    with parts.database.write() as tx:
        claim = application.applicant.claim
        failures = parts.persons.attempts.add(tx, application.id, claim, now)
        details = {"failures": failures.of_application}
        append(tx, Event("proofing.failed", actor, application.id, details), now)
    return _is_exhausted(parts, failures)


def _is_exhausted(parts: Assembly, failures: Failures) -> bool:
    limits = parts.policy.policy.limits
    return (
        failures.of_application >= limits.attempts
        or failures.of_identity >= limits.identity_attempts
    )


def _close(parts: Assembly, application: Application, actor: str, now: datetime) -> None:
    # Read anew: what was recorded with the failure stays.
    before = parts.applications.get(application.id)
    if not before.is_final:
        parts.applications.update(before, exhaust(before, now), actor, now)

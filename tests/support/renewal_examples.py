"""Examples of what carries a renewal or a replacement, and of what does not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ra.applications import Application
from ra.assessment import Accepted, assess_natural_person
from ra.errors import Refused
from ra.further_evidence import ProofingLetter, RegisterReading
from ra.levels import AssuranceLevel
from ra.renewal_rules import require_renewable, terms_outdated
from ra.renewals import Basis, Loss, Renewal
from ra.requirements import Finding
from ra.terms import read_terms_library
from revocation.causes import Cause
from tests.support.ra_builders import CATALOGUE, NOW, at_level, in_proofing, policy

Example = Callable[[], tuple[Finding, ...]]
HIGH, LOW, SUBSTANTIAL = AssuranceLevel.HIGH, AssuranceLevel.LOW, AssuranceLevel.SUBSTANTIAL
_YEAR, _LIMITS = timedelta(days=365), policy().policy.limits
SAYS = RegisterReading("test:cpr", "01")
LETTER = ProofingLetter("ab" * 32, SAYS, NOW, NOW + timedelta(days=21), NOW)


def a_renewal(level: AssuranceLevel = SUBSTANTIAL, **changes: Any) -> Renewal:
    """Of a certificate that is valid, of somebody proven a year ago."""
    renewal = Renewal(
        application="A-AAAAAAAAAA",
        issuer="issuing",
        serial="ab",
        basis=Basis.RENEWAL,
        level=level,
        at=NOW,
        proven_at=NOW - _YEAR,
        stands=True,
        register=SAYS,
        register_at=NOW,
    )
    return replace(renewal, **changes)


def renewing(level: AssuranceLevel = SUBSTANTIAL, **changes: Any) -> Application:
    """An application in proofing, to which nobody presented a document."""
    return at_level(replace(in_proofing(), renewal=a_renewal(level, **changes)), level)


def replacing(level: AssuranceLevel = SUBSTANTIAL, *, letter: bool = True) -> Application:
    application = renewing(level, basis=Basis.REPLACEMENT, loss=Loss.LOST, stands=False)
    further = replace(application.further, letters=(LETTER,) if letter else ())
    return replace(application, further=further)


def _assessed(application: Application, later: timedelta = timedelta(0)) -> tuple[Finding, ...]:
    outcome = assess_natural_person(application, CATALOGUE, policy(), NOW + later)
    return () if isinstance(outcome, Accepted) else outcome.findings


def opened(
    cause: Cause | None = None, left: timedelta = _YEAR, **changes: Any
) -> tuple[Finding, ...]:
    """What is refused at once, of a certificate that is valid for so long from now."""
    try:
        require_renewable(a_renewal(**changes), SUBSTANTIAL, (cause, NOW + left), _LIMITS)
    except Refused as refusal:
        return refusal.findings
    return ()


def _terms(after: timedelta) -> tuple[Finding, ...]:
    """The texts of the day were accepted; later, others may be in force."""
    library = read_terms_library()
    first = library.versions[0]
    newer = replace(
        first,
        version=first.version + 1,
        sha256="ab" * 32,
        valid_from=(NOW + timedelta(days=30)).date(),
    )
    changed = replace(library, versions=(*library.versions, newer))
    return terms_outdated(in_proofing().acceptances, changed, NOW + after)


RENEWAL_EXAMPLES: dict[str, tuple[Example, Example]] = {
    "REG-APP-L5": (lambda: _terms(timedelta(days=29)), lambda: _terms(timedelta(days=30))),
    "ISS-REN-L1a": (
        lambda: _assessed(renewing()),
        lambda: _assessed(renewing(proven_at=NOW - 11 * _YEAR)),
    ),
    "ISS-REN-L1b": (lambda: _assessed(renewing()), lambda: _assessed(renewing(stands=False))),
    "ISS-REN-S1c": (
        lambda: _assessed(replacing()),
        lambda: _assessed(replacing(letter=False)),
    ),
    "ISS-REN-H2": (
        lambda: _assessed(renewing(HIGH), _LIMITS.register_age),
        lambda: _assessed(renewing(HIGH), _LIMITS.register_age + timedelta(seconds=1)),
    ),
    "ISS-REN-L5": (
        lambda: _assessed(renewing(changed=("surname",))),
        lambda: _assessed(
            renewing(
                changed=("surname",),
                register=RegisterReading("test:cpr", "01", ("surname",)),
            )
        ),
    ),
}

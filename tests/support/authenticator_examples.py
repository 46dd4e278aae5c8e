"""Authenticators of live applications: each passes, or is refused by its requirement."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from ra.applications import Application
from ra.assessment import Accepted, assess_natural_person
from ra.attestations import KeyOrigin
from ra.authenticators import AuthenticatorRecord, RiskAssessment
from ra.fake_services import TEST_ATTESTATION
from ra.levels import AssuranceLevel
from ra.requirements import Finding
from ra.sources import EquivalenceAssessment, SourceCatalogue, TelephoneAssessment
from tests.support.ra_builders import CATALOGUE, NOW, at_level, examined, policy

Example = Callable[[], tuple[Finding, ...]]
_FROM, _UNTIL = date(2026, 1, 1), date(2026, 12, 31)
CARD = KeyOrigin(
    spki_sha256="cd" * 32,
    product="card",
    version="1",
    made_in_device=True,
    can_leave_device=False,
    asks_holder=True,
    certified_until=_UNTIL,
)
UNCERTIFIED = replace(CARD, certified_until=None)
ANALYSED = replace(
    CATALOGUE,
    equivalences=(EquivalenceAssessment("E", "card/1", "body", "R", "board", _FROM, _UNTIL),),
)
_EVIDENCE = ("R-1", "R-2", "R-3", "R-4", "R-5", "R-6")


def telephone(*evidence: str) -> SourceCatalogue:
    """A catalogue in which the card is a telephone with evidence of so many criteria."""
    known = TelephoneAssessment("T", "card/1", "board", _FROM, _UNTIL, *evidence)
    return replace(CATALOGUE, telephones=(known,))


def with_key(origin: KeyOrigin, level: AssuranceLevel = AssuranceLevel.HIGH) -> Application:
    """An examined application whose key has this origin, of a profile that was assessed."""
    assessed = RiskAssessment("natural-person", "RA-1", "board", _UNTIL)
    record = AuthenticatorRecord(origin, TEST_ATTESTATION, "ef" * 32, NOW, assessed)
    return replace(at_level(examined(), level), authenticator=record)


def judged(application: Application, catalogue: SourceCatalogue = CATALOGUE) -> tuple[Finding, ...]:
    """What speaks against it; nothing when it is accepted."""
    outcome = assess_natural_person(application, catalogue, policy(), NOW)
    return () if isinstance(outcome, Accepted) else outcome.findings


def _key(level: AssuranceLevel = AssuranceLevel.HIGH, **changes: Any) -> Example:
    return lambda: judged(with_key(replace(CARD, **changes), level))


_LOW, _SUBSTANTIAL, _ = AssuranceLevel
AUTHENTICATOR_EXAMPLES: dict[str, tuple[Example, Example]] = {
    "ISS-STR-L1": (
        _key(_LOW, can_leave_device=True),
        _key(_LOW, can_leave_device=True, asks_holder=False),
    ),
    "ISS-STR-S3": (_key(_SUBSTANTIAL), _key(_SUBSTANTIAL, asks_holder=False)),
    "ISS-STR-H3d": (
        lambda: judged(with_key(UNCERTIFIED), telephone(*_EVIDENCE)),
        lambda: judged(with_key(UNCERTIFIED), telephone(*_EVIDENCE[1:])),
    ),
    "ISS-STR-H4": (_key(), _key(asks_holder=False)),
}

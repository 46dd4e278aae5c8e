"""Examples of what is proven beside documents: each passes, or is refused by its requirement."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from ra.applications import Application, start_proofing
from ra.assessment import Accepted, assess_natural_person, submit
from ra.biometrics import Asked, ComparatorReport
from ra.case import ComparisonKind, Factor, SourceStatus
from ra.errors import Refused
from ra.evidence import Presence
from ra.fake_services import TEST_COMPARATOR, TEST_LOGIN
from ra.further_evidence import (
    Comparison,
    ControlQuestions,
    Derivation,
    PriorProofing,
    RegisterReading,
)
from ra.levels import AssuranceLevel
from ra.persons import (
    evidence_to_compare,
    record_biometric,
    record_comparison,
    record_derivation,
    record_prior_proofing,
    record_questions,
)
from ra.requirements import Finding
from ra.sources import EquivalenceAssessment, SourceCatalogue
from tests.support.ra_builders import (
    CATALOGUE,
    NOW,
    PROOFER,
    at_level,
    drafted,
    examined,
    in_proofing,
    passport_of,
    policy,
)

Example = Callable[[], tuple[Finding, ...]]
HIGH, SUBSTANTIAL = AssuranceLevel.HIGH, AssuranceLevel.SUBSTANTIAL
METHOD = "video-ident-3.2"
_FROM, _UNTIL = date(2026, 1, 1), date(2026, 12, 31)
EQUAL = tuple(
    EquivalenceAssessment(
        f"EQ-{number}", subject, "a body", "R-1", "head of trust services", _FROM, _UNTIL
    )
    for number, subject in enumerate((METHOD, "bank/aml"))
)
EQUAL_CATALOGUE = replace(CATALOGUE, equivalences=EQUAL)
ASKED = Asked("our nonce", is_used=False, maximum_age=timedelta(seconds=120))
READING = RegisterReading("test:cpr", "01")


def report(**changes: Any) -> ComparatorReport:
    sound = ComparatorReport(
        matches=True,
        is_live=True,
        is_injected=False,
        nonce="our nonce",
        captured_at=NOW - timedelta(seconds=10),
        sensor="test:sensor",
        comparator=TEST_COMPARATOR,
        channel_protected=True,
        product_version="3.2",
    )
    return replace(sound, **changes)


def without_face() -> Application:
    return examined(presented=replace(passport_of(), face_matches=None))


def by_machine(method: str = METHOD, **changes: Any) -> Application:
    return record_biometric(without_face(), report(**changes), ASKED, method, NOW)


def by_signature(*, live: bool = True) -> Application:
    before = without_face()
    made = Comparison(
        evidence_id=evidence_to_compare(before),
        kind=ComparisonKind.SIGNATURE,
        presence=Presence.IN_PERSON,
        matches=True,
        live=live,
        by=PROOFER.pseudonym,
        at=NOW,
        feature_list="F-1",
    )
    return record_comparison(before, made, NOW)


def derived(**changes: Any) -> Application:
    sound = Derivation(
        provider=TEST_LOGIN,
        level=HIGH,
        authenticated_at=NOW - timedelta(minutes=1),
        is_dynamic=True,
        assertion_sha256="ab" * 32,
        status=SourceStatus.VALID,
        same_number=True,
        register=READING,
        at=NOW,
        factors=(Factor.POSSESSION, Factor.KNOWLEDGE),
    )
    return record_derivation(in_proofing(), replace(sound, **changes), NOW)


def proofed_before(scope: str = "aml") -> Application:
    prior = PriorProofing("bank", scope, "ref-1", READING, PROOFER.pseudonym, NOW)
    return record_prior_proofing(in_proofing(), prior, NOW)


def questioned(presence: Presence = Presence.IN_PERSON, correct: int = 3) -> Application:
    asked = ControlQuestions(presence, "test:cpr", 3, correct, PROOFER.pseudonym, NOW)
    return record_questions(without_face(), asked, NOW)


def by_officer(trained_until: date | None) -> Application:
    officer = replace(PROOFER, trained_until=trained_until)
    taken = start_proofing(submit(drafted(), policy(), NOW), officer, NOW)
    return examined(taken)


def found(
    application: Application,
    level: AssuranceLevel = SUBSTANTIAL,
    catalogue: SourceCatalogue = EQUAL_CATALOGUE,
) -> tuple[Finding, ...]:
    outcome = assess_natural_person(at_level(application, level), catalogue, policy(), NOW)
    return () if isinstance(outcome, Accepted) else outcome.findings


def refusal(act: Callable[[], object]) -> tuple[Finding, ...]:
    try:
        act()
    except Refused as refused:
        return refused.findings
    return ()


def _unshown() -> tuple[Finding, ...]:
    draft = drafted()
    answers = tuple(replace(each, shown_at=None) for each in draft.acceptances)
    return refusal(lambda: submit(replace(draft, acceptances=answers), policy(), NOW))


PERSON_EXAMPLES: dict[str, tuple[Example, Example]] = {
    "REG-APP-S4c": (lambda: refusal(lambda: submit(drafted(), policy(), NOW)), _unshown),
    "REG-IDN-S6d": (
        lambda: found(questioned()),
        lambda: found(questioned(Presence.ONLINE)),
    ),
    "REG-IDN-S8": (lambda: found(proofed_before()), lambda: found(proofed_before("marketing"))),
    "REG-IDN-L10": (
        lambda: found(derived(), HIGH),
        lambda: found(derived(status=SourceStatus.SUSPENDED)),
    ),
    "USE-AUT-S4": (
        lambda: found(derived()),
        lambda: found(derived(is_dynamic=False)),
    ),
    "USE-AUT-S5": (
        lambda: found(derived()),
        lambda: found(derived(factors=(Factor.KNOWLEDGE, Factor.KNOWLEDGE))),
    ),
    "REG-IDN-H9c": (
        lambda: found(by_signature(), HIGH),
        lambda: refusal(lambda: by_signature(live=False)),
    ),
    "REG-IDN-H9d": (
        lambda: found(by_machine(), HIGH),
        lambda: refusal(lambda: by_machine(captured_at=NOW - timedelta(seconds=121))),
    ),
    "REG-IDN-H9e": (
        lambda: found(by_machine(), HIGH),
        lambda: found(by_machine(channel_protected=False), HIGH),
    ),
    "REG-IDN-H9f": (
        lambda: found(by_machine(), HIGH),
        lambda: refusal(lambda: by_machine(is_live=False)),
    ),
    "REG-IDN-H11": (
        lambda: found(examined(), HIGH),
        lambda: found(examined(presented=replace(passport_of(), photo=False)), HIGH),
    ),
    "ORG-STF-L1": (
        lambda: found(by_officer(NOW.date())),
        lambda: found(by_officer(NOW.date() - timedelta(days=1))),
    ),
}

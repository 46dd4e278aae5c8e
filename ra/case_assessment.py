"""What a case is worth: for each level allowed, wait or refused, with every reason (NSIS 3 and 5).

The same pure functions decide live applications; there is no second set of rules.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ra.case import Case
from ra.case_association import association_findings
from ra.case_authenticator import authenticator_findings
from ra.case_delivery import delivery_findings
from ra.case_legal_person import legal_person_findings
from ra.case_natural_person import natural_person_findings
from ra.levels import AssuranceLevel
from ra.policies import Policy
from ra.requirements import Finding


class Outcome(StrEnum):
    """What a level says: wait when every reason is one that time or an answer can cure."""

    ALLOWED = "allowed"
    WAIT = "wait"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PartFinding:
    """A requirement that one part does not meet."""

    part: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class LevelAssessment:
    """The outcome at one level and all its reasons."""

    outcome: Outcome
    reasons: tuple[PartFinding, ...]


@dataclass(frozen=True, slots=True)
class CaseAssessment:
    """The outcome at each level, the lowest first."""

    levels: Mapping[AssuranceLevel, LevelAssessment]

    @property
    def reached(self) -> AssuranceLevel | None:
        """The highest level at which every part is allowed."""
        allowed = (
            level for level, found in self.levels.items() if found.outcome is Outcome.ALLOWED
        )
        return max(allowed, default=None)


def assess_case(case: Case, policy: Policy) -> CaseAssessment:
    """Assess every part that is given at every level."""
    return CaseAssessment({level: assess_level(case, level, policy) for level in AssuranceLevel})


def assess_level(case: Case, level: AssuranceLevel, policy: Policy) -> LevelAssessment:
    """Assess every part that is given at one level."""
    reasons = tuple(
        PartFinding(part, each)
        for part, found in _findings(case, level, policy)
        for each in policy.upheld(found)
    )
    return LevelAssessment(outcome_of(tuple(each.finding for each in reasons)), reasons)


def outcome_of(findings: tuple[Finding, ...]) -> Outcome:
    """What these findings together amount to."""
    if not findings:
        return Outcome.ALLOWED
    return Outcome.WAIT if all(each.waits for each in findings) else Outcome.REFUSED


def _findings(
    case: Case, level: AssuranceLevel, policy: Policy
) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    if case.natural_person is not None:
        found = natural_person_findings(case.natural_person, level, policy.person_rules)
        yield "natural_person", found
    if case.legal_person is not None:
        yield "legal_person", legal_person_findings(case.legal_person, level)
    if case.authenticator is not None:
        yield "authenticator", authenticator_findings(case.authenticator, level)
    if case.delivery is not None:
        yield "delivery", delivery_findings(case.delivery, level)
    if case.association is not None:
        yield "association", association_findings(case.association, level)


def assessment_document(
    assessment: CaseAssessment, only: AssuranceLevel | None = None
) -> dict[str, object]:
    """The assessment as a JSON document; `only` leaves the other levels out."""
    reached = assessment.reached
    return {
        "reached": None if reached is None else reached.name.lower(),
        "levels": {
            level.name.lower(): {
                "outcome": found.outcome.value,
                "reasons": [_reason_document(each) for each in found.reasons],
            }
            for level, found in assessment.levels.items()
            if only in {None, level}
        },
    }


def _reason_document(reason: PartFinding) -> dict[str, object]:
    return {
        "part": reason.part,
        "code": reason.finding.code,
        "requirement": reason.finding.requirement,
        "wait": reason.finding.waits,
        "text": reason.finding.advice,
    }

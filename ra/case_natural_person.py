"""What the evidence about a natural person is worth (NSIS 3.1.2; REG-IDN).

Three routes: a document; the derivation from a credential that the applicant holds; an earlier
proofing for another purpose. What is said of the officer, of the agreement of the facts and of
the register counts on every route.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from ra.case import (
    ComparisonKind,
    Measure,
    NaturalPersonPart,
    SourceStatus,
    StatusOfDocument,
)
from ra.evidence import EvidenceKind, Presence
from ra.levels import AssuranceLevel
from ra.registers import PersonStatus
from ra.requirements import Finding, finding
from ra.rules import HIGH, LOW, SUBSTANTIAL, Rule, broken

_QUESTIONS = frozenset({Measure.CONTROL_QUESTIONS})
_BARRED = MappingProxyType(
    {
        PersonStatus.RESERVED: "PERSON_NUMBER_NOT_ASSIGNED",
        PersonStatus.ANNULLED: "PERSON_NUMBER_ANNULLED",
        PersonStatus.DELETED_DUPLICATE: "PERSON_NUMBER_SUPERSEDED",
        PersonStatus.CHANGED: "PERSON_NUMBER_SUPERSEDED",
        PersonStatus.MISSING: "PERSON_MISSING",
        PersonStatus.DEAD: "PERSON_DECEASED",
    }
)


@dataclass(frozen=True, slots=True)
class PersonRules:
    """What a policy decides about natural persons."""

    accepted_kinds: frozenset[EvidenceKind] = frozenset(EvidenceKind)
    measures: frozenset[Measure] = frozenset(Measure) - _QUESTIONS
    """Of which one is demanded against impersonation from Substantial."""
    letter_proves_at_low: bool = True
    """A code that came back from the registered address needs no document at Low."""


def _is_in_register_as(status: PersonStatus) -> Callable[[NaturalPersonPart], bool]:
    return lambda part: part.cpr_status is status


def _has_status(status: StatusOfDocument) -> Callable[[NaturalPersonPart], bool]:
    return lambda part: part.document_status is status


_EVERY_ROUTE: tuple[Rule[NaturalPersonPart], ...] = (
    Rule("REG-IDN-L7", "OFFICER_IS_SUBJECT", LOW, lambda part: part.officer_is_subject),
    Rule("ORG-STF-L1", "OFFICER_NOT_TRAINED", LOW, lambda part: not part.officer_trained),
    Rule(
        "REG-IDN-L3",
        "IDENTITY_MISMATCH",
        LOW,
        lambda part: not part.data_match,
        lambda part: part.on_record.differs,
    ),
    Rule(
        "REG-IDN-S6e",
        "IDENTITY_MISMATCH",
        LOW,
        lambda part: bool(part.on_record.differs_from_register),
        lambda part: part.on_record.differs_from_register,
    ),
    Rule(
        "REG-IDN-S6b",
        "PERSON_NOT_IN_REGISTER",
        SUBSTANTIAL,
        lambda part: part.cpr_status is None and part.on_record.register_answered,
    ),
    Rule(
        "REG-IDN-S6b",
        "EVIDENCE_STATUS_UNKNOWN",
        SUBSTANTIAL,
        lambda part: not part.on_record.register_answered,
    ),
    *(
        Rule("REG-IDN-S6b", code, LOW, _is_in_register_as(status))
        for status, code in _BARRED.items()
    ),
)
_FACTORS = 2
_DERIVATION: tuple[Rule[NaturalPersonPart], ...] = (
    Rule(
        "REG-IDN-S6a",
        "EVIDENCE_STATUS_UNKNOWN",
        LOW,
        lambda part: not part.on_record.source_answered,
    ),
    Rule(
        "REG-IDN-L10",
        "SOURCE_CREDENTIAL_NOT_VALID",
        LOW,
        lambda part: part.source_status is not SourceStatus.VALID,
    ),
    Rule(
        "REG-IDN-L10",
        "SOURCE_CREDENTIAL_NOT_ASSESSED",
        LOW,
        lambda part: not part.source_assessed,
    ),
    Rule(
        "REG-IDN-L10",
        "SOURCE_AUTHENTICATION_STALE",
        LOW,
        lambda part: not part.source_auth_fresh,
    ),
    Rule(
        "USE-AUT-S4",
        "AUTHENTICATION_NOT_DYNAMIC",
        SUBSTANTIAL,
        lambda part: not part.on_record.login_is_dynamic,
    ),
    Rule(
        "USE-AUT-S5",
        "FACTOR_COUNT_INSUFFICIENT",
        SUBSTANTIAL,
        lambda part: part.on_record.login_factors < _FACTORS,
    ),
    Rule(
        "USE-AUT-S5",
        "FACTORS_SAME_CATEGORY",
        SUBSTANTIAL,
        lambda part: part.on_record.login_factors >= _FACTORS > part.on_record.login_categories,
    ),
)
_PRIOR: tuple[Rule[NaturalPersonPart], ...] = (
    Rule(
        "REG-IDN-S8",
        "PRIOR_PROOFING_NOT_EQUIVALENT",
        LOW,
        lambda part: not part.prior_equivalence_confirmed,
    ),
)


def _is_biometric(part: NaturalPersonPart) -> bool:
    return part.comparison is ComparisonKind.BIOMETRIC


def _presence_counts(part: NaturalPersonPart) -> bool:
    """In person, or by a mechanism that was assessed as equal."""
    return part.presence is Presence.IN_PERSON or part.equivalence_assessment


def _unlooked(part: NaturalPersonPart) -> tuple[str, ...]:
    """The checks that Substantial demands and that have no answer that counts."""
    unchecked = part.document_status is StatusOfDocument.NOT_CHECKED
    named = ("document_status",) if unchecked else ()
    return tuple(sorted({*named, *part.on_record.missing, *part.on_record.strange}))


def _unapproved(part: NaturalPersonPart) -> tuple[str, ...]:
    """All sources relied on from Substantial that are not in the catalogue."""
    return (*part.on_record.unapproved_evidence, *part.on_record.unapproved_registers)


_COMPARISON: tuple[Rule[NaturalPersonPart], ...] = (
    # Somebody tried to pass off an old picture: that counts at every level.
    Rule(
        "REG-IDN-H9c",
        "COMPARISON_NOT_LIVE",
        LOW,
        lambda part: not _is_biometric(part) and not part.comparison_live,
    ),
    Rule(
        "REG-IDN-H9d",
        "BIOMETRIC_STALE",
        LOW,
        lambda part: _is_biometric(part) and not part.comparison_live,
    ),
    Rule(
        "REG-IDN-H9e",
        "BIOMETRIC_CHANNEL_UNPROTECTED",
        HIGH,
        lambda part: _is_biometric(part) and not part.biometric_channel_protected,
    ),
    Rule("REG-IDN-H9b", "PRESENCE_NOT_EQUIVALENT", HIGH, lambda part: not _presence_counts(part)),
)
_UNREADABLE: tuple[Rule[NaturalPersonPart], ...] = (
    Rule("REG-IDN-L2", "EVIDENCE_FORMAT_INVALID", LOW, lambda part: not part.on_record.readable),
)
_DOCUMENT: tuple[Rule[NaturalPersonPart], ...] = (
    Rule("REG-IDN-L2", "EVIDENCE_EXPIRED", LOW, lambda part: part.expired),
    Rule("REG-IDN-S6a", "EVIDENCE_EXPIRED", LOW, lambda part: part.on_record.expired_by_issuer),
    *(
        Rule("REG-IDN-S6a", code, since, _has_status(status))
        for status, code, since in (
            (StatusOfDocument.LOST_OR_STOLEN, "EVIDENCE_REPORTED_LOST_OR_STOLEN", LOW),
            (StatusOfDocument.REVOKED, "EVIDENCE_REVOKED", LOW),
            (StatusOfDocument.SUSPENDED, "EVIDENCE_SUSPENDED", LOW),
            (StatusOfDocument.UNREACHABLE, "EVIDENCE_STATUS_UNKNOWN", SUBSTANTIAL),
        )
    ),
    Rule(
        "REG-IDN-L5",
        "EVIDENCE_RECORD_INCOMPLETE",
        LOW,
        lambda part: bool(part.on_record.basic_missing),
        lambda part: part.on_record.basic_missing,
    ),
    Rule(
        "REG-IDN-S6f", "CHECK_NOT_EVIDENCED", SUBSTANTIAL, lambda p: bool(_unlooked(p)), _unlooked
    ),
    Rule(
        "REG-IDN-S6f",
        "CHECK_NOT_EVIDENCED",
        LOW,
        lambda part: bool(part.on_record.strange),
        lambda part: part.on_record.strange,
    ),
    Rule(
        "REG-IDN-S7", "EVIDENCE_NOT_GENUINE", SUBSTANTIAL, lambda part: not part.on_record.genuine
    ),
    Rule(
        "REG-IDN-H9a",
        "EVIDENCE_STATUS_UNAVAILABLE",
        HIGH,
        lambda part: part.document_status is StatusOfDocument.NO_SERVICE,
    ),
    Rule("REG-IDN-H11", "NO_RECOGNISED_PHOTO_EVIDENCE", HIGH, lambda part: not part.photo),
    Rule(
        "REG-IDN-H9a",
        "PHYSICAL_COMPARISON_MISSING",
        HIGH,
        lambda part: part.photo and part.comparison is None,
    ),
    Rule(
        "REG-IDN-L4",
        "SOURCE_NOT_APPROVED",
        SUBSTANTIAL,
        lambda p: bool(_unapproved(p)),
        _unapproved,
    ),
    Rule(
        "REG-IDN-L4",
        "SOURCE_NOT_APPROVED",
        LOW,
        lambda part: bool(part.on_record.unapproved_evidence),
        lambda part: part.on_record.unapproved_evidence,
    ),
)


def natural_person_findings(
    part: NaturalPersonPart, level: AssuranceLevel, rules: PersonRules
) -> tuple[Finding, ...]:
    """Every reason why what is known of the person falls short of the level."""
    found = (*broken(_EVERY_ROUTE, part, level), *_route_findings(part, level, rules))
    # Two checks can find the same; the first that says so is kept.
    return tuple({(each.requirement, each.code): each for each in reversed(found)}.values())[::-1]


def _route_findings(
    part: NaturalPersonPart, level: AssuranceLevel, rules: PersonRules
) -> tuple[Finding, ...]:
    if part.source_credential is not None:
        low = part.source_credential < level
        return (
            *((finding("REG-IDN-L10", "SOURCE_CREDENTIAL_LEVEL_TOO_LOW"),) if low else ()),
            *broken(_DERIVATION, part, level),
        )
    if part.prior_proofing:
        return broken(_PRIOR, part, level)
    if part.document is None:
        # Knowing a number is not evidence, and without evidence there is nothing else to judge.
        missing = (finding("REG-IDN-L1", "EVIDENCE_MISSING"),)
        return () if _letter_proves(part, level, rules) else missing
    return _document_findings(part, level, rules)


def _letter_proves(part: NaturalPersonPart, level: AssuranceLevel, rules: PersonRules) -> bool:
    """At Low, somebody in the register who returns a code from the registered address."""
    returned = Measure.REGISTERED_ADDRESS_DELIVERY in part.measures
    known = part.cpr_status is not None
    return level is LOW and returned and known and rules.letter_proves_at_low


def _document_findings(
    part: NaturalPersonPart, level: AssuranceLevel, rules: PersonRules
) -> tuple[Finding, ...]:
    accepted = part.document in rules.accepted_kinds
    refused = () if accepted else (finding("REG-IDN-L2", "EVIDENCE_KIND_NOT_ACCEPTED"),)
    if not part.on_record.readable:
        # What cannot be read cannot be looked up, so what is missing for it says nothing more.
        return (*refused, *broken(_UNREADABLE, part, level))
    compared = broken(_COMPARISON, part, level) if part.comparison is not None else ()
    return (
        *refused,
        *broken(_DOCUMENT, part, level),
        *_measure_findings(part, level, rules),
        *compared,
    )


def _measure_findings(
    part: NaturalPersonPart, level: AssuranceLevel, rules: PersonRules
) -> tuple[Finding, ...]:
    """From Substantial one measure guards against impersonation; questions online never do."""
    if level < SUBSTANTIAL or rules.measures & _measures(part):
        return ()
    if _measures(part) >= _QUESTIONS:
        return (finding("REG-IDN-S6d", "CONTROL_QUESTIONS_INSUFFICIENT"),)
    return (finding("REG-IDN-S6c", "IMPERSONATION_MEASURE_MISSING"),)


def _measures(part: NaturalPersonPart) -> frozenset[Measure]:
    """The measures of the case; a comparison that counts as made in person is one."""
    made = part.comparison is not None and part.comparison_live and _presence_counts(part)
    return frozenset(part.measures) | ({Measure.PHYSICAL_COMPARISON} if made else frozenset())

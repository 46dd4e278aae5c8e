"""What each answer of each check means for a case: one table of facts (NSIS 3.1.2).

The table says what is known, and the rules in `ra.case_natural_person` alone say what that is
worth. An answer outside the table is no evidence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from ra.case import ComparisonKind, NaturalPersonPart, OnRecord, StatusOfDocument
from ra.case_natural_person import PersonRules, natural_person_findings
from ra.evidence import Answer, Check, CheckResult, EvidenceKind, Presence
from ra.levels import AssuranceLevel
from ra.registers import DocumentStatus, PersonStatus
from ra.requirements import Finding

Facts = Mapping[str, Any]
_NOTHING_AGAINST: Facts = MappingProxyType({})
_FACE = MappingProxyType({"comparison": ComparisonKind.PHOTO})
_LOST = MappingProxyType({"document_status": StatusOfDocument.LOST_OR_STOLEN})
_REVOKED = MappingProxyType({"document_status": StatusOfDocument.REVOKED})

_FACTS: Mapping[Check, Mapping[str, Facts]] = MappingProxyType(
    {
        Check.FORMAT: {Answer.SOUND: _NOTHING_AGAINST, Answer.MALFORMED: {"readable": False}},
        Check.VALIDITY_PERIOD: {
            Answer.IN_FORCE: _NOTHING_AGAINST,
            Answer.EXPIRED: {"expired": True},
        },
        Check.GENUINENESS: {
            Answer.ENOUGH_FEATURES: _NOTHING_AGAINST,
            Answer.TOO_FEW_FEATURES: {"genuine": False},
        },
        Check.DATA_MATCH: {
            Answer.AGREES: _NOTHING_AGAINST,
            Answer.DIFFERS_FROM_EVIDENCE: {"data_match": False, "differs": ()},
            Answer.DIFFERS_FROM_REGISTER: {"differs_from_register": ()},
        },
        Check.PHYSICAL_COMPARISON: {
            Answer.MATCHES_IN_PERSON: _FACE,
            Answer.MATCHES_AT_A_DISTANCE: {**_FACE, "presence": Presence.ONLINE},
            Answer.DIFFERS_FROM_EVIDENCE: {**_FACE, "data_match": False, "differs": ()},
        },
        Check.DOCUMENT_STATUS: {
            DocumentStatus.VALID: _NOTHING_AGAINST,
            DocumentStatus.LOST: _LOST,
            DocumentStatus.STOLEN: _LOST,
            DocumentStatus.REVOKED: _REVOKED,
            # A document that its own issuer does not know is no document of that issuer.
            DocumentStatus.NOT_KNOWN: _REVOKED,
            DocumentStatus.SUSPENDED: {"document_status": StatusOfDocument.SUSPENDED},
            DocumentStatus.EXPIRED: {"expired_by_issuer": True},
            DocumentStatus.NO_SERVICE: {"document_status": StatusOfDocument.NO_SERVICE},
            DocumentStatus.NO_ANSWER: {"document_status": StatusOfDocument.UNREACHABLE},
        },
        Check.REGISTER_STATUS: {
            **{each: {"cpr_status": each} for each in PersonStatus},
            Answer.NOT_REGISTERED: {"cpr_status": None},
            Answer.NO_ANSWER: {"register_answered": False},
        },
    }
)
_RECORD_FIELDS = frozenset(each.name for each in fields(OnRecord))


def presented_part(kind: EvidenceKind, results: Iterable[CheckResult]) -> NaturalPersonPart:
    """What these results make of a document; nothing is against it but what they say."""
    part = NaturalPersonPart(
        document=kind, document_status=StatusOfDocument.VALID, presence=Presence.IN_PERSON
    )
    for result in results:
        part = _with(part, result)
    return part


def verdict(result: CheckResult) -> Finding | None:
    """What one recorded check says against somebody at the highest level; None when it passes."""
    unasked = replace(presented_part(EvidenceKind.PASSPORT, ()), comparison=ComparisonKind.PHOTO)
    found = natural_person_findings(_with(unasked, result), AssuranceLevel.HIGH, PersonRules())
    return found[0] if found else None


def passes(result: CheckResult) -> bool:
    """Whether nothing at any level speaks against the answer."""
    return verdict(result) is None


def _with(part: NaturalPersonPart, result: CheckResult) -> NaturalPersonPart:
    """The part with what one result tells."""
    facts = _FACTS[result.check].get(result.answer, {"strange": ()})
    # What has names gets them here: those of the check, and of the fields that it found.
    named = (result.check.value, *result.concerns)
    record: dict[str, Any] = {
        name: (*getattr(part.on_record, name), *named) if fact == () else fact
        for name, fact in facts.items()
        if name in _RECORD_FIELDS
    }
    others = {name: fact for name, fact in facts.items() if name not in _RECORD_FIELDS}
    return replace(part, on_record=replace(part.on_record, **record), **others)

"""What each answer of each check means: one table (NSIS 3.1.2, REG-IDN-L2 to H9b).

What is known against somebody counts at every level, also where the level would not have asked.
What is merely not known counts from the level that demands it. An answer outside the table is no
evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ra.evidence import Answer, Check, CheckResult
from ra.levels import AssuranceLevel
from ra.registers import DocumentStatus, PersonStatus
from ra.requirements import Finding, finding

_LOW, _SUBSTANTIAL, _HIGH = AssuranceLevel.LOW, AssuranceLevel.SUBSTANTIAL, AssuranceLevel.HIGH


@dataclass(frozen=True, slots=True)
class Verdict:
    """The requirement that an answer fails, with which code, and from which level that counts."""

    requirement: str
    code: str
    counts_from: AssuranceLevel = _LOW


_LOST = Verdict("REG-IDN-S6a", "EVIDENCE_REPORTED_LOST_OR_STOLEN")
_REVOKED = Verdict("REG-IDN-S6a", "EVIDENCE_REVOKED")
_SUPERSEDED = Verdict("REG-IDN-S6b", "PERSON_NUMBER_SUPERSEDED")

# None: the check passes.
_VERDICTS: Mapping[Check, Mapping[str, Verdict | None]] = MappingProxyType(
    {
        Check.FORMAT: {
            Answer.SOUND: None,
            Answer.MALFORMED: Verdict("REG-IDN-L2", "EVIDENCE_FORMAT_INVALID"),
        },
        Check.VALIDITY_PERIOD: {
            Answer.IN_FORCE: None,
            Answer.EXPIRED: Verdict("REG-IDN-L2", "EVIDENCE_EXPIRED"),
        },
        Check.GENUINENESS: {
            Answer.ENOUGH_FEATURES: None,
            Answer.TOO_FEW_FEATURES: Verdict("REG-IDN-S7", "EVIDENCE_NOT_GENUINE", _SUBSTANTIAL),
        },
        Check.DATA_MATCH: {
            Answer.AGREES: None,
            Answer.DIFFERS_FROM_EVIDENCE: Verdict("REG-IDN-L3", "IDENTITY_MISMATCH"),
            Answer.DIFFERS_FROM_REGISTER: Verdict("REG-IDN-S6e", "IDENTITY_MISMATCH"),
        },
        Check.PHYSICAL_COMPARISON: {
            Answer.MATCHES_IN_PERSON: None,
            Answer.MATCHES_AT_A_DISTANCE: Verdict("REG-IDN-H9b", "PRESENCE_NOT_EQUIVALENT", _HIGH),
            Answer.DIFFERS_FROM_EVIDENCE: Verdict("REG-IDN-L3", "IDENTITY_MISMATCH"),
        },
        Check.DOCUMENT_STATUS: {
            DocumentStatus.VALID: None,
            DocumentStatus.LOST: _LOST,
            DocumentStatus.STOLEN: _LOST,
            DocumentStatus.REVOKED: _REVOKED,
            # A document that its own issuer does not know is no document of that issuer.
            DocumentStatus.NOT_KNOWN: _REVOKED,
            DocumentStatus.SUSPENDED: Verdict("REG-IDN-S6a", "EVIDENCE_SUSPENDED"),
            DocumentStatus.EXPIRED: Verdict("REG-IDN-S6a", "EVIDENCE_EXPIRED"),
            DocumentStatus.NO_SERVICE: Verdict("REG-IDN-H9a", "EVIDENCE_STATUS_UNAVAILABLE", _HIGH),
            DocumentStatus.NO_ANSWER: Verdict(
                "REG-IDN-S6a", "EVIDENCE_STATUS_UNKNOWN", _SUBSTANTIAL
            ),
        },
        Check.REGISTER_STATUS: {
            PersonStatus.ACTIVE_IN_DENMARK: None,
            PersonStatus.ACTIVE_IN_DENMARK_SPECIAL_ROAD_CODE: None,
            PersonStatus.ACTIVE_IN_GREENLAND: None,
            PersonStatus.ACTIVE_IN_GREENLAND_SPECIAL_ROAD_CODE: None,
            PersonStatus.NO_RESIDENCE: None,
            PersonStatus.EMIGRATED: None,
            PersonStatus.RESERVED: Verdict("REG-IDN-S6b", "PERSON_NUMBER_NOT_ASSIGNED"),
            PersonStatus.ANNULLED: Verdict("REG-IDN-S6b", "PERSON_NUMBER_ANNULLED"),
            PersonStatus.DELETED_DUPLICATE: _SUPERSEDED,
            PersonStatus.CHANGED: _SUPERSEDED,
            PersonStatus.MISSING: Verdict("REG-IDN-S6b", "PERSON_MISSING"),
            PersonStatus.DEAD: Verdict("REG-IDN-S6b", "PERSON_DECEASED"),
            Answer.NOT_REGISTERED: Verdict("REG-IDN-S6b", "PERSON_NOT_IN_REGISTER", _SUBSTANTIAL),
            Answer.NO_ANSWER: Verdict("REG-IDN-S6b", "EVIDENCE_STATUS_UNKNOWN", _SUBSTANTIAL),
        },
    }
)
_NOT_EVIDENCED = Verdict("REG-IDN-S6f", "CHECK_NOT_EVIDENCED")


def verdict(result: CheckResult) -> Verdict | None:
    """The verdict on one recorded check; None when it passes outright."""
    return _VERDICTS[result.check].get(result.answer, _NOT_EVIDENCED)


def passes(result: CheckResult) -> bool:
    """Whether nothing at any level speaks against the answer."""
    return verdict(result) is None


def result_findings(result: CheckResult, level: AssuranceLevel) -> tuple[Finding, ...]:
    """What one recorded check says against acceptance at this level: nothing, or one finding."""
    against = verdict(result)
    if against is None or level < against.counts_from:
        return ()
    return (finding(against.requirement, against.code, (result.check.value, *result.concerns)),)

"""The port to a biometric comparator, and what its report is worth (REG-IDN-H9d, H9e, H9f).

The sample stays with the comparator and is discarded there: only the report is kept (H9h). Any
adapter must pass `tests/support/port_contracts.py`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from ra.case import ComparisonKind, NaturalPersonPart
from ra.evidence import Presence
from ra.registers import NoAnswer
from ra.requirements import Finding, finding


@dataclass(frozen=True, slots=True)
class ComparatorReport:
    """The result of one comparison; it says who compared what when, and holds no sample."""

    matches: bool
    is_live: bool
    """No attack by presentation or deep fake was detected."""
    is_injected: bool
    """The picture may not come from the sensor."""
    nonce: str
    captured_at: datetime
    sensor: str
    comparator: str
    channel_protected: bool
    product_version: str


ComparatorAnswer = ComparatorReport | NoAnswer


class BiometricComparator(Protocol):
    """A comparator of living faces with the picture of identity evidence."""

    @property
    def source_id(self) -> str:
        """The id of this comparator in the catalogue of authoritative sources."""
        ...

    def compare(self, capture: str, nonce: str, now: datetime) -> ComparatorAnswer:
        """Compare the capture of that name; the report repeats the nonce of the capture."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What the server asked for: its nonce, whether it was used up, and the greatest age."""

    nonce: str
    is_used: bool
    maximum_age: timedelta


def report_findings(report: ComparatorReport, asked: Asked, now: datetime) -> tuple[Finding, ...]:
    """Everything that speaks against the report itself; at every level it is then worth nothing."""
    age = now - report.captured_at
    fresh = report.nonce == asked.nonce and timedelta(0) <= age <= asked.maximum_age
    rules = (
        (asked.is_used, "REG-IDN-H9d", "BIOMETRIC_REPLAY"),
        (not fresh, "REG-IDN-H9d", "BIOMETRIC_STALE"),
        (not report.is_live, "REG-IDN-H9f", "LIVENESS_FAILED"),
        (report.is_injected, "REG-IDN-H9f", "INJECTION_SUSPECTED"),
    )
    return tuple(finding(requirement, code) for fails, requirement, code in rules if fails)


def compared_part(
    part: NaturalPersonPart, report: ComparatorReport, asked: Asked, now: datetime
) -> NaturalPersonPart:
    """The part of a case with what the report tells."""
    return replace(
        part,
        presence=Presence.SUPERVISED_REMOTE,
        comparison=ComparisonKind.BIOMETRIC,
        comparison_live=not report_findings(report, asked, now),
        biometric_channel_protected=report.channel_protected,
        data_match=part.data_match and report.matches,
    )

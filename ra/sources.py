"""The catalogue of authoritative sources (Autoritativ kilde; 2015/1502 Annex 1(1), REG-IDN-L4).

No agency keeps such a list: the issuer argues for each source. With an empty catalogue nothing
is approved, so no level is reached.
"""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class AuthoritativeSource:
    """One source that the issuer has assessed, and by whom it was approved from when."""

    id: str
    owner: str
    rationale: str
    risk_assessment_ref: str
    approved_by: str
    valid_from: date
    valid_until: date | None = None
    test_equipment: bool = False


@dataclass(frozen=True, slots=True)
class EquivalenceAssessment:
    """That a mechanism, an earlier proofing or a device is equal (REG-IDN-H9b, S8; ISS-STR-H3c).

    `subject` is the name and version of a mechanism for comparing at a distance, the provider and
    scope of an earlier proofing as `provider/scope`, or a device as `product/version`: it holds for
    exactly that.
    """

    id: str
    subject: str
    body: str
    """Who assessed it: a conformity assessment body or an equal."""
    report_ref: str
    approved_by: str
    valid_from: date
    valid_until: date


@dataclass(frozen=True, slots=True)
class TelephoneAssessment:
    """What shows that keys in a telephone meet the six criteria (NSIS 3.2.1; ISS-STR-H3d).

    `subject` is `product/version`. Each criterion names its evidence, or is not shown.
    """

    id: str
    subject: str
    approved_by: str
    valid_from: date
    valid_until: date
    unlocked_by_holder_for_this_app: str | None = None
    safe_from_other_users: str | None = None
    safe_from_malware: str | None = None
    encrypted_at_rest: str | None = None
    kept_apart_from_system: str | None = None
    made_in_container: str | None = None

    @property
    def criteria(self) -> int:
        """How many of the six are evidenced."""
        evidence = (
            self.unlocked_by_holder_for_this_app,
            self.safe_from_other_users,
            self.safe_from_malware,
            self.encrypted_at_rest,
            self.kept_apart_from_system,
            self.made_in_container,
        )
        return sum(each is not None for each in evidence)


@dataclass(frozen=True, slots=True)
class SourceCatalogue:
    """The sources this issuer relies on; test equipment counts only where it is allowed."""

    sources: tuple[AuthoritativeSource, ...] = ()
    allows_test_equipment: bool = False
    equivalences: tuple[EquivalenceAssessment, ...] = ()
    telephones: tuple[TelephoneAssessment, ...] = ()

    def assessed_equal(self, subject: str, now: datetime) -> bool:
        """Whether an assessment holds for exactly this on the day (UTC) of `now`."""
        today = now.date()
        return any(
            each.subject == subject and each.valid_from <= today <= each.valid_until
            for each in self.equivalences
        )

    def telephone_criteria(self, device: str, now: datetime) -> int | None:
        """How many criteria are evidenced today for this `product/version`; None: no telephone."""
        today = now.date()
        known = [each for each in self.telephones if each.subject == device]
        valid = [each for each in known if each.valid_from <= today <= each.valid_until]
        return max((each.criteria for each in valid), default=0) if known else None

    def holds_equal(self, provider: str, scope: str, now: datetime) -> bool:
        """Whether an earlier proofing by this provider, in this scope, was assessed as equal."""
        return self.assessed_equal(f"{provider}/{scope}", now)

    def approves(self, source_id: str, now: datetime) -> bool:
        """Whether the source is approved on the day (UTC) of `now`."""
        today = now.date()
        return any(
            each.id == source_id
            and each.valid_from <= today
            and (each.valid_until is None or today <= each.valid_until)
            and (self.allows_test_equipment or not each.test_equipment)
            for each in self.sources
        )

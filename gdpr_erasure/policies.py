"""The retention policies that come with Tillid, and those that others install.

Each is a pure rule on one item. A policy with nothing to say about a class lets it go: in the
join the others decide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib.metadata import entry_points
from typing import Final

from gdpr_erasure.errors import PolicyUnknown
from gdpr_erasure.record_classes import RecordClass
from gdpr_erasure.retention import Action, Context, Item, RetentionPolicy, Ruling

GROUP: Final = "tillid.retention"
"""The entry points by which others bring policies: a value, or a class to be called without
arguments."""

_GOES: Final = {
    "da": "Slettes nu.",
    "sv": "Raderas nu.",
    "en": "Erased now.",
}
_STAYS: Final = {
    "da": "Opbevares til og med {until} efter {basis}, og slettes derefter.",
    "sv": "Bevaras till och med {until} enligt {basis} och raderas därefter.",
    "en": "Kept through {until} under {basis}, and then erased.",
}
ERASE: Final = Ruling(Action.ERASE, None, "GDPR 17(1)", _GOES)


def kept(action: Action, until: date, basis: str) -> Ruling:
    """A ruling that keeps through a day."""
    text = {
        language: sentence.format(until=until.isoformat(), basis=basis)
        for language, sentence in _STAYS.items()
    }
    return Ruling(action, until, basis, text)


def add_years(day: date, years: int) -> date:
    """The same day so many years later; 29 February becomes 28 February, the last day is the last.

    Nothing is kept beyond the calendar: later than year 9999 is its last day.
    """
    year = day.year + years
    if year > date.max.year:
        return date.max
    try:
        return day.replace(year=year)
    except ValueError:  # 29 February of a year that has none
        return day.replace(year=year, day=28)


def _end(item: Item, context: Context) -> date:
    """The day from which a period runs: what still lasts ends with the erasure itself."""
    if item.ended_on is not None:
        return item.ended_on
    return context.today if item.expires_on is None else min(item.expires_on, context.today)


@dataclass(frozen=True, slots=True)
class EraseNow:
    """Nothing is kept."""

    name: str = "erase_now"
    version: str = "1"

    def rule(self, item: Item, context: Context) -> Ruling:  # noqa: ARG002 - the same for all
        """Erase."""
        return ERASE


@dataclass(frozen=True, slots=True)
class KeepUntilExpiry:
    """A certificate stays, revoked and sealed, until it would have expired."""

    name: str = "keep_until_expiry"
    version: str = "1"

    def rule(self, item: Item, context: Context) -> Ruling:  # noqa: ARG002 - its own last day
        """Keep certificates until their own last day."""
        if item.record_class is not RecordClass.CERTIFICATE_BODY or item.expires_on is None:
            return ERASE
        return kept(Action.SEAL, item.expires_on, "GDPR 17(3)(e)")


@dataclass(frozen=True, slots=True)
class YearsAfterEnd:
    """So many years from the end of validity (ETSI EN 319 411-1 6.4.6, OCES terms)."""

    years: int
    classes: frozenset[RecordClass]
    basis: str
    name: str = "years_after_end"
    version: str = "1"

    def rule(self, item: Item, context: Context) -> Ruling:
        """Seal those classes."""
        if item.record_class not in self.classes:
            return ERASE
        return kept(Action.SEAL, add_years(_end(item, context), self.years), self.basis)


@dataclass(frozen=True, slots=True)
class CalendarYearPlus:
    """The running calendar year and so many more, from the end (NSIS 4.1.4)."""

    years: int
    classes: frozenset[RecordClass]
    basis: str
    name: str = "calendar_year_plus"
    version: str = "1"

    def rule(self, item: Item, context: Context) -> Ruling:
        """Seal those classes until 31 December."""
        if item.record_class not in self.classes:
            return ERASE
        year = min(_end(item, context).year + self.years, date.max.year)
        return kept(Action.SEAL, date(year, 12, 31), self.basis)


@dataclass(frozen=True, slots=True)
class Days:
    """So many days from the beginning of the record."""

    days: int
    classes: frozenset[RecordClass]
    basis: str
    name: str = "days"
    version: str = "1"

    def rule(self, item: Item, context: Context) -> Ruling:  # noqa: ARG002 - from the beginning
        """Seal those classes."""
        if item.record_class not in self.classes:
            return ERASE
        left = (date.max - item.created_on).days
        return kept(Action.SEAL, item.created_on + timedelta(days=min(self.days, left)), self.basis)


@dataclass(frozen=True, slots=True)
class ConsentOnly:
    """What rests on consent alone goes with the consent (GDPR 17(1)(b)); the rest is not ruled on.

    Beside other policies it changes nothing; alone it says that consent is the only basis.
    """

    name: str = "consent_only"
    version: str = "1"

    def rule(self, item: Item, context: Context) -> Ruling:
        """Keep what has another basis for one more year, so that somebody decides."""
        if item.by_consent:
            return ERASE
        return kept(Action.SEAL, add_years(context.today, 1), "GDPR 6(1)")


@dataclass(frozen=True, slots=True)
class Qualified:
    """Records of qualified certificates (eIDAS 24(2)(h), EN 319 411-1 6.4.6): years after the end.

    The period is the practice statement's; seven years is the least that the standard asks.
    """

    years: int = 7
    name: str = "qualified"
    version: str = "1"

    def rule(self, item: Item, context: Context) -> Ruling:
        """Seal what belongs to a qualified certificate."""
        if not item.qualified or item.record_class is RecordClass.PUBLICATION:
            return ERASE
        return kept(Action.SEAL, add_years(_end(item, context), self.years), "eIDAS 24(2)(h)")


@dataclass(frozen=True, slots=True)
class ByClass:
    """Another rule for each class of records; a class without one is kept for nobody."""

    rules: Mapping[RecordClass, RetentionPolicy] = field(hash=False)
    name: str = "nsis"
    version: str = "1"

    def rule(self, item: Item, context: Context) -> Ruling:
        """The ruling of the class's own rule."""
        own = self.rules.get(item.record_class)
        return ERASE if own is None else own.rule(item, context)


_ETSI: Final = "EN 319 411-1 6.4.6, GDPR 17(3)(b)"
_NSIS: Final = "NSIS 4.1.4, GDPR 17(3)(b)"
_EVIDENCE: Final = frozenset({RecordClass.PROOFING_EVIDENCE, RecordClass.AGREEMENT_FILE})
_LIFECYCLE: Final = frozenset({RecordClass.CERTIFICATE_LIFECYCLE})


def nsis_rules(*, etsi: bool) -> Mapping[RecordClass, RetentionPolicy]:
    """The periods of the record classes under NSIS, and where ETSI conformity is claimed.

    What is not named here (certificate bodies, contact, publication, consent, delivery) has no
    reason of its own to outlive the credential.
    """

    def year(years: int, of: RecordClass) -> RetentionPolicy:
        return CalendarYearPlus(years, frozenset({of}), _NSIS)

    def etsi_or_year(of: RecordClass) -> RetentionPolicy:
        return YearsAfterEnd(7, frozenset({of}), _ETSI) if etsi else year(5, of)

    short = frozenset({RecordClass.REFUSED_APPLICATION})
    return {
        RecordClass.PROOFING_EVIDENCE: year(5, RecordClass.PROOFING_EVIDENCE),
        RecordClass.AGREEMENT_FILE: etsi_or_year(RecordClass.AGREEMENT_FILE),
        RecordClass.CERTIFICATE_LIFECYCLE: YearsAfterEnd(7, _LIFECYCLE, _ETSI),
        RecordClass.REVOCATION_REQUEST: year(5, RecordClass.REVOCATION_REQUEST),
        RecordClass.ADMINISTRATIVE_ACT: year(10, RecordClass.ADMINISTRATIVE_ACT),
        RecordClass.ACCESS_LOG: year(5, RecordClass.ACCESS_LOG),
        RecordClass.OFFICER_IDENTITY: year(5, RecordClass.OFFICER_IDENTITY),
        RecordClass.REFUSED_APPLICATION: Days(183, short, "GDPR 17(3)(e)"),
    }


BUILT_IN: Final[Mapping[str, RetentionPolicy]] = {
    policy.name: policy
    for policy in (
        EraseNow(),
        KeepUntilExpiry(),
        YearsAfterEnd(7, _EVIDENCE, _ETSI),
        CalendarYearPlus(5, _EVIDENCE, _NSIS),
        Days(365, _EVIDENCE, "GDPR 17(3)(e)"),
        ConsentOnly(),
        Qualified(),
        ByClass(nsis_rules(etsi=False)),
        ByClass(nsis_rules(etsi=True), name="nsis_etsi"),
    )
}


def find_policies(names: Sequence[str]) -> tuple[RetentionPolicy, ...]:
    """The policies of these names, ours before those that others installed.

    Raises:
        PolicyUnknown: there is none of that name.
    """
    return tuple(BUILT_IN[name] if name in BUILT_IN else _installed(name) for name in names)


def _installed(name: str) -> RetentionPolicy:
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        raise PolicyUnknown(name)
    loaded: object = found[0].load()
    made = loaded() if isinstance(loaded, type) else loaded
    if not callable(getattr(made, "rule", None)):
        raise PolicyUnknown(name)
    policy: RetentionPolicy = made  # type: ignore[assignment]  # as far as can be told from outside
    return policy

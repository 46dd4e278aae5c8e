"""Rulings: strictest keep wins, whatever the order; a policy that fails keeps."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdpr_erasure.erasures import ErasureState, month_after
from gdpr_erasure.errors import PolicyUnknown
from gdpr_erasure.pace import is_late, next_try
from gdpr_erasure.policies import BUILT_IN, ERASE, add_years, find_policies, kept
from gdpr_erasure.record_classes import RecordClass
from gdpr_erasure.retention import (
    Action,
    Assessment,
    Context,
    Item,
    RetentionPolicy,
    Ruling,
    Trigger,
    assess,
    assessment_text,
    join,
    read_assessment,
    strictest,
)

TODAY = date(2026, 11, 26)
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
days = st.dates(date(1990, 1, 1), date(2200, 12, 31))
items = st.builds(
    Item,
    st.sampled_from(RecordClass),
    days,
    st.none() | days,
    st.none() | days,
    st.booleans(),
    st.booleans(),
)
contexts = st.builds(Context, days, st.sampled_from(Trigger))
policies = st.sampled_from(sorted(BUILT_IN.values(), key=lambda policy: policy.name))
rulings = st.just(ERASE) | st.builds(
    kept,
    st.sampled_from([Action.KEEP, Action.SEAL]),
    days,
    st.sampled_from(["NSIS 4.1.4", "GDPR 17(3)(e)"]),
)


@given(policies, items, contexts)
def test_every_policy_rules_on_everything_and_the_same_twice(
    policy: RetentionPolicy, item: Item, context: Context
) -> None:
    ruling = policy.rule(item, context)

    assert ruling == policy.rule(item, context)
    assert set(ruling.text) == {"da", "sv", "en"}


@given(policies, items, contexts, st.integers(0, 4000))
def test_a_later_end_is_never_kept_for_less_time(
    policy: RetentionPolicy, item: Item, context: Context, more: int
) -> None:
    ended = item.ended_on or date(2030, 1, 1)
    early = policy.rule(replace(item, ended_on=ended), context)
    late = policy.rule(replace(item, ended_on=ended + timedelta(days=more)), context)

    assert early.keeps == late.keeps
    assert early.until is None or (late.until is not None and early.until <= late.until)


@given(
    st.lists(rulings, min_size=1, max_size=5).flatmap(
        lambda r: st.tuples(st.just(r), st.permutations(r))
    )
)
def test_the_join_is_the_strictest_in_any_order(both: tuple[list[Ruling], list[Ruling]]) -> None:
    given_, shuffled = both
    found = join(given_)

    assert found == join(shuffled) == join([found, *given_])
    assert found.keeps is any(each.keeps for each in given_)
    if found.keeps:
        assert found.until == max(each.until for each in given_ if each.until is not None)


@given(st.lists(items, min_size=1, max_size=3), contexts, policies, policies)
@settings(max_examples=30)
def test_a_further_policy_only_lengthens(
    of: list[Item], context: Context, one: RetentionPolicy, other: RetentionPolicy
) -> None:
    alone, both = assess(of, [one], context), assess(of, [one, other], context)

    for record_class, ruling in alone.rulings.items():
        joined = both.rulings[record_class]
        assert joined.keeps >= ruling.keeps
        assert ruling.until is None or (joined.until is not None and joined.until >= ruling.until)
    assert strictest(alone, both).rulings == both.rulings
    assert read_assessment(assessment_text(both)) == both


@dataclass(frozen=True)
class Broken:
    """Raises, hangs, or answers with what is no ruling."""

    how: str
    name: str = "broken"
    version: str = "1"

    def rule(self, item: Item, context: Context) -> Ruling:
        del item, context
        if self.how == "hangs":
            Event().wait(0.3)
        if self.how == "says nothing":
            return None  # type: ignore[return-value]
        raise SystemError(self.how)


@dataclass(frozen=True)
class Alone:
    """What one broken policy leads to."""

    item: Item = field(default_factory=lambda: Item(RecordClass.CONTACT, TODAY))

    def assessed(self, *of: RetentionPolicy) -> Assessment:
        return assess([self.item], of, Context(TODAY))


@pytest.mark.parametrize("how", ["raises", "hangs", "says nothing"])
def test_a_policy_that_does_not_rule_keeps_and_is_named(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gdpr_erasure.retention.PATIENCE", 0.05)
    found = Alone().assessed(BUILT_IN["erase_now"], Broken(how))

    ruling = found.rulings[RecordClass.CONTACT]
    assert (ruling.action, ruling.until, found.failed) == (Action.KEEP, None, ("broken",))
    assert found.kept(date.max)
    assert found.sha256 != Alone().assessed(BUILT_IN["erase_now"]).sha256


@pytest.mark.parametrize(
    ("name", "of", "until"),
    [
        ("erase_now", RecordClass.PROOFING_EVIDENCE, None),
        ("nsis", RecordClass.PROOFING_EVIDENCE, date(2029, 12, 31)),
        ("nsis", RecordClass.AGREEMENT_FILE, date(2029, 12, 31)),
        ("nsis_etsi", RecordClass.AGREEMENT_FILE, date(2031, 2, 28)),
        ("nsis", RecordClass.ADMINISTRATIVE_ACT, date(2034, 12, 31)),
        ("nsis", RecordClass.CERTIFICATE_BODY, None),
        ("keep_until_expiry", RecordClass.CERTIFICATE_BODY, date(2026, 5, 1)),
        ("years_after_end", RecordClass.PROOFING_EVIDENCE, date(2031, 2, 28)),
        ("qualified", RecordClass.PROOFING_EVIDENCE, None),
        ("days", RecordClass.PROOFING_EVIDENCE, date(2023, 1, 1) + timedelta(days=365)),
    ],
)
def test_the_periods_of_the_built_in_policies(
    name: str, of: RecordClass, until: date | None
) -> None:
    item = Item(of, date(2023, 1, 1), date(2024, 2, 29), date(2026, 5, 1))

    assert BUILT_IN[name].rule(item, Context(TODAY)).until == until


@pytest.mark.parametrize("of", [RecordClass.AGREEMENT_FILE, RecordClass.CERTIFICATE_LIFECYCLE])
def test_under_etsi_agreements_and_the_life_of_keys_stay_for_seven_years(of: RecordClass) -> None:
    item = Item(of, date(2023, 1, 1), date(2024, 6, 1), date(2026, 5, 1))
    found = assess([item], find_policies(["erase_now", "nsis_etsi"]), Context(TODAY))

    assert found.kept(date(2031, 6, 1)) == found.rulings
    assert found.kept(date(2031, 6, 2)) == {}


@pytest.mark.parametrize("day", [date(2024, 1, 1), date(2024, 12, 31)])
def test_a_calendar_year_counts_from_its_end(day: date) -> None:
    item = Item(RecordClass.ACCESS_LOG, day, day)

    assert BUILT_IN["nsis"].rule(item, Context(TODAY)).until == date(2029, 12, 31)


def test_years_do_not_leave_the_calendar() -> None:
    assert add_years(date(9998, 6, 1), 7) == date.max
    assert add_years(date(2024, 2, 29), 4) == date(2028, 2, 29)


def test_consent_alone_goes_with_the_consent() -> None:
    by_consent = Item(RecordClass.PUBLICATION, TODAY, by_consent=True)
    policy = BUILT_IN["consent_only"]

    assert policy.rule(by_consent, Context(TODAY)) == ERASE
    assert policy.rule(replace(by_consent, by_consent=False), Context(TODAY)).keeps


def test_a_policy_that_is_not_there_is_named() -> None:
    with pytest.raises(PolicyUnknown, match="no_such_policy"):
        find_policies(["erase_now", "no_such_policy"])


@pytest.mark.parametrize(
    ("day", "due"),
    [
        ((2026, 1, 31), (2026, 2, 28)),
        ((2024, 1, 31), (2024, 2, 29)),
        ((2026, 12, 31), (2027, 1, 31)),
        ((2026, 11, 26), (2026, 12, 26)),
    ],
)
def test_an_answer_is_owed_within_a_calendar_month(
    day: tuple[int, int, int], due: tuple[int, int, int]
) -> None:
    assert month_after(datetime(*day, 9, tzinfo=UTC)) == datetime(*due, 9, tzinfo=UTC)


def test_what_waits_is_looked_for_soon_and_what_fails_at_most_hourly() -> None:
    waiting = [
        next_try(NOW, n, ErasureState.FROZEN, failed=False, jitter=0) - NOW for n in range(9)
    ]
    failing = [
        next_try(NOW, n, ErasureState.FROZEN, failed=True, jitter=0) - NOW for n in range(30)
    ]

    assert waiting[:3] == [timedelta(seconds=s) for s in (1, 2, 4)]
    assert max(waiting) == timedelta(minutes=1)
    assert max(failing) == timedelta(hours=1)
    shorter = next_try(NOW, 9, ErasureState.FROZEN, failed=True, jitter=1) - NOW
    assert shorter == failing[9] / 2


def test_a_case_without_an_answer_is_late_from_day_20() -> None:
    asked = NOW - timedelta(days=20)

    assert is_late(asked, ErasureState.REQUESTED, NOW)
    assert not is_late(asked + timedelta(seconds=1), ErasureState.REQUESTED, NOW)
    assert not is_late(asked, ErasureState.SCHEDULED, NOW)

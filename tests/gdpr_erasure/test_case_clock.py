"""When a data-subject case is due, and what is told on the way."""

from datetime import date, timedelta

import pytest

from gdpr_erasure.case_clock import CaseClock, add_months, first_due
from gdpr_erasure.case_errors import CaseRefused

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2028, 1, 31), date(2028, 2, 29)),
        (date(2026, 1, 29), date(2026, 2, 28)),
        (date(2026, 1, 28), date(2026, 2, 27)),
        (date(2026, 2, 1), date(2026, 3, 1)),
        (date(2026, 2, 28), date(2026, 3, 28)),
        (date(2026, 3, 31), date(2026, 4, 30)),
        (date(2026, 4, 1), date(2026, 5, 1)),
        (date(2026, 7, 1), date(2026, 7, 31)),
        (date(2026, 12, 31), date(2027, 1, 30)),
    ],
    ids=str,
)
def test_a_case_is_due_after_thirty_days_or_a_month_whichever_is_earlier(
    received: date, due: date
) -> None:
    assert first_due(received) == due
    assert CaseClock(received).due_on(received) == due


@pytest.mark.parametrize(
    ("day", "months", "found"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 1, 1), 12, date(2027, 1, 1)),
    ],
)
def test_a_month_ends_at_the_latest_with_its_last_day(day: date, months: int, found: date) -> None:
    assert add_months(day, months) == found


def test_the_clock_stands_while_an_identity_is_awaited_that_was_asked_for_at_once() -> None:
    received = date(2026, 4, 1)
    waiting = CaseClock(received, asked_on=received + 2 * DAY)
    assert waiting.stands(received + 10 * DAY)
    assert waiting.due_on(received + 10 * DAY) == date(2026, 5, 9)
    proved = CaseClock(received, received + 2 * DAY, proved_on=received + 6 * DAY)
    assert not proved.stands(received + 10 * DAY)
    assert proved.due_on(received + 10 * DAY) == date(2026, 5, 5)


def test_an_identity_that_was_asked_for_late_costs_the_requester_no_day() -> None:
    received = date(2026, 4, 1)
    late = CaseClock(received, received + 4 * DAY, received + 20 * DAY)
    assert not late.stands(received + 10 * DAY)
    assert late.due_on(received + 25 * DAY) == date(2026, 5, 1)


def test_an_extension_gives_two_months_more_once_and_in_the_first_month_only() -> None:
    received = date(2026, 1, 31)
    clock = CaseClock(received)
    clock.check_extension(date(2026, 2, 28))
    with pytest.raises(CaseRefused, match=r"12\(3\)"):
        clock.check_extension(date(2026, 3, 1))
    extended = CaseClock(received, extended_on=date(2026, 2, 20))
    assert extended.due_on(date(2026, 3, 1)) == date(2026, 4, 28)
    with pytest.raises(CaseRefused, match="extended already"):
        extended.check_extension(date(2026, 2, 21))


@pytest.mark.parametrize(
    ("day", "mark"), [(0, None), (9, None), (10, 10), (19, 10), (20, 20), (27, 27), (40, 27)]
)
def test_day_ten_twenty_and_twenty_seven_are_told(day: int, mark: int | None) -> None:
    received = date(2026, 4, 1)
    assert CaseClock(received).mark(received + day * DAY) == mark


def test_an_extended_case_is_told_of_as_long_before_its_own_end() -> None:
    clock = CaseClock(date(2026, 4, 1), extended_on=date(2026, 4, 10))
    due = clock.due_on(date(2026, 4, 10))
    assert due == date(2026, 7, 1)
    assert clock.mark(due - 21 * DAY) is None
    assert clock.mark(due - 20 * DAY) == 10
    assert clock.mark(due - 3 * DAY) == 27


def test_a_case_is_overdue_the_day_after_its_last() -> None:
    clock = CaseClock(date(2026, 1, 31))
    assert not clock.is_overdue(date(2026, 2, 28))
    assert clock.is_overdue(date(2026, 3, 1))


def test_no_day_is_told_while_the_clock_stands() -> None:
    received = date(2026, 4, 1)
    assert CaseClock(received, asked_on=received).mark(received + 25 * DAY) is None

"""Leases: one holder at a time, whichever node it runs on."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from records.database import Database
from records.leases import Leases
from tests.support.at_once import at_once

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIFE = timedelta(seconds=8)


@pytest.fixture
def leases(database: Database) -> Leases:
    return Leases(database)


def test_a_lease_has_one_holder(leases: Leases) -> None:
    assert leases.take("jobs", "a", NOW, LIFE)
    assert not leases.take("jobs", "b", NOW, LIFE)
    assert leases.take("other", "b", NOW, LIFE)


def test_its_holder_renews_it(leases: Leases) -> None:
    leases.take("jobs", "a", NOW, LIFE)

    assert leases.take("jobs", "a", NOW + LIFE / 2, LIFE)
    assert not leases.take("jobs", "b", NOW + LIFE, LIFE)


def test_a_lease_runs_out(leases: Leases) -> None:
    leases.take("jobs", "a", NOW, LIFE)

    assert leases.take("jobs", "b", NOW + LIFE, LIFE)
    assert not leases.take("jobs", "a", NOW + LIFE, LIFE)


def test_a_lease_that_was_given_back_is_free(leases: Leases) -> None:
    leases.take("jobs", "a", NOW, LIFE)
    leases.give_back("jobs", "b", NOW)
    assert not leases.take("jobs", "b", NOW, LIFE)

    leases.give_back("jobs", "a", NOW)

    assert leases.take("jobs", "b", NOW, LIFE)


def test_a_clock_that_was_set_back_does_not_leave_a_lease_for_ever(leases: Leases) -> None:
    leases.take("jobs", "a", NOW + timedelta(days=365), LIFE)

    assert leases.take("jobs", "b", NOW, LIFE)


@pytest.mark.parametrize("held_before", [False, True])
def test_of_eight_who_take_it_at_once_one_holds_it(leases: Leases, *, held_before: bool) -> None:
    if held_before:
        leases.take("jobs", "z", NOW - timedelta(days=1), LIFE)

    outcomes = at_once([partial(leases.take, "jobs", name, NOW, LIFE) for name in "abcdefgh"])

    assert outcomes.count(True) == 1

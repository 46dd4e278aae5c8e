"""CRLs follow revocations at once, and when they take long to make, at a bounded share of time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocation.publication import CrlScope, Pace, may_begin
from tests.support.revocation_pki import ISSUER

SCOPE, SHARD = CrlScope(ISSUER), CrlScope(ISSUER, 1, "http://127.0.0.1/1.crl")
SECONDS = st.floats(0, 100)


@pytest.mark.parametrize(
    ("ended_ago", "took", "waited", "may"),
    [
        (0, 0.1, 0, True),
        (1, 0.5, 1, False),
        (4.4, 0.5, 4, False),
        (4.5, 0.5, 4, True),
        (29, 9, 29.9, False),
        (30, 9, 30, True),
    ],
)
def test_it_is_made_at_once_or_after_nine_times_as_long_or_half_a_minute(
    ended_ago: float, took: float, waited: float, *, may: bool
) -> None:
    assert may_begin(ended_ago, took, waited) is may


@given(st.floats(0.6, 3.0), st.lists(st.floats(0, 3), min_size=1, max_size=80))
def test_revocations_without_end_take_a_tenth_of_the_time_and_none_waits_long(
    took: float, pauses: list[float]
) -> None:
    pace, now, busy, waiting_since = Pace(), 0.0, 0.0, 0.0
    for pause in pauses:
        now += pause
        if not pace.may_begin(SCOPE, now):
            assert now - waiting_since < 30
            continue
        pace.made(SCOPE, now, now + took)
        now, busy = now + took, busy + took
        waiting_since = now
    assert busy <= took + max(now / 10, now * took / (30 + took)) + 1e-6


def test_one_list_does_not_wait_for_another() -> None:
    pace = Pace()
    pace.made(SCOPE, 0, 5)
    assert not pace.may_begin(SCOPE, 6)
    assert pace.may_begin(SHARD, 6)


def test_what_was_held_back_waits_as_what_was_made_and_is_known() -> None:
    pace, why = Pace(), ValueError()
    pace.held_back(SCOPE, 0, 1, why)
    assert pace.why_held_back(SCOPE) is why
    assert pace.why_held_back(SHARD) is None
    assert not pace.may_begin(SCOPE, 9)
    assert pace.may_begin(SCOPE, 10)
    pace.made(SCOPE, 10, 11)
    assert pace.why_held_back(SCOPE) is None

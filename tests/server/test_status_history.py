"""The judge of the soak is judged: what it lets pass, and what it does not."""

from datetime import UTC, datetime

from revocation.reasons import Reason
from revocation.status import Good, Revoked
from tests.support.status_history import Change, History, Windows

HELD = Revoked(Reason.CERTIFICATE_HOLD, datetime(2026, 11, 22, tzinfo=UTC))


def a_history() -> History:
    history = History()
    history.begin(5, Good(), 0)
    history.add(5, Change(10, 11, HELD))
    history.add(5, Change(20, 21, Good()))
    return history


def test_only_what_was_true_at_some_moment_is_possible() -> None:
    history = a_history()
    assert history.possible(5, 8, 9) == [Good()]
    assert history.possible(5, 8, 10) == [Good(), HELD]
    assert history.possible(5, 11, 12) == [Good(), HELD]
    assert history.possible(5, 11.5, 12) == [HELD]
    assert history.possible(5, 21.5, 30) == [Good()]
    assert history.possible(5, 11.5, 20) == [HELD, Good()]


def test_a_change_on_its_way_may_be_seen_until_it_is_known_what_became_of_it() -> None:
    history = a_history()
    history.intend(5, 30, HELD)
    assert history.possible(5, 31, 32) == [Good(), HELD]
    history.settle(5, None)
    assert history.possible(5, 31, 32) == [Good()]
    history.intend(5, 40, HELD)
    history.settle(5, Change(40, 41, HELD))
    assert history.possible(5, 41.5, 42) == [HELD]


def test_a_window_lasts_until_everything_had_time_to_recover() -> None:
    windows = Windows(recovery=10)
    assert not windows.touch(0, 100)
    windows.begin(50)
    assert windows.touch(0, 50)
    windows.end(52)
    assert windows.touch(61, 70)
    assert not windows.touch(63, 70)
    assert not windows.touch(0, 49)

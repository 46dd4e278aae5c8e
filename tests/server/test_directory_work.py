"""Threads of directories: a slow one holds up nobody, and what it did is told later."""

import threading
import time
from collections.abc import Iterator

import pytest

from server.clock import utc_now
from server.directory_work import DirectoryWork

NOW = utc_now()


@pytest.fixture
def work() -> Iterator[DirectoryWork]:
    made = DirectoryWork()
    yield made
    made.close()


def test_a_slow_directory_holds_up_nobody(work: DirectoryWork) -> None:
    answered, calls = threading.Event(), list[str]()

    def serve(name: str) -> int:
        calls.append(name)
        if name == "slow":
            answered.wait(60)
        return len(name)

    began = time.monotonic()
    for _ in range(2):
        assert [one.outcome for one in work.run(["slow", "fast"], serve, NOW)] == [4]
    assert time.monotonic() - began < 30
    assert calls.count("slow") == 1  # it is not begun again while it runs
    answered.set()
    (ended,) = work.run([], serve, NOW)
    assert ended.outcome == len("slow")


def test_what_went_wrong_in_one_is_told_beside_the_others(work: DirectoryWork) -> None:
    def serve(name: str) -> int:
        if name == "broken":
            raise ValueError(name)
        return 1

    ended = work.run(["broken", "whole"], serve, NOW)
    assert {type(one.outcome) for one in ended} == {ValueError, int}
    assert {one.began for one in ended} == {NOW}

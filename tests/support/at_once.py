"""Acts that begin at the same moment."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

_Outcome = TypeVar("_Outcome")


def at_once(acts: Sequence[Callable[[], _Outcome]]) -> list[_Outcome]:
    """What each act gave, each in a thread of its own."""
    start = Barrier(len(acts))

    def run(act: Callable[[], _Outcome]) -> _Outcome:
        start.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))

"""Acting on many things, of which each may fail by itself."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from server.logs import get_logger

Item = TypeVar("Item")


def each(items: Iterable[Item], act: Callable[[Item], int]) -> int:
    """Act on every item and count; what fails with one is raised after the others had their turn.

    An issuer whose token is locked away, or one case that is stuck, holds up nobody else.
    """
    done, failures = 0, list[Exception]()
    for item in items:
        try:
            done += act(item)
        except Exception as error:  # noqa: BLE001 - the first is raised, the others logged
            failures.append(error)
    return tell_failures(done, failures)


def tell_failures(done: int, failures: Sequence[Exception]) -> int:
    """Raise the first failure and log the others; without one, give how much was done."""
    for further in failures[1:]:
        get_logger("jobs").error("job.item_failed", exc_info=further)
    if failures:
        raise failures[0]
    return done

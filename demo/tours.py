"""The stories that can be played: the life of one credential, and tours of one subject each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from demo.chapters import CHAPTERS
from demo.stage import Stage
from demo.tour_erasure import ERASURE
from demo.tour_ra import REGISTRATION

Chapter = Callable[[Stage], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Tour:
    """What is played, and on which installation."""

    chapters: tuple[tuple[str, Chapter], ...]
    folder: str = ""
    """A folder of its own below the state directory, made anew each time; empty for the story."""
    settings: str = ""
    """What its settings hold beside those of the story."""


TOURS = {
    "": Tour(CHAPTERS),
    "erasure": Tour(ERASURE, "tour-erasure", '[retention]\npolicies = "nsis"\n'),
    "ra": Tour(REGISTRATION, "tour-ra"),
}
"""By name; the story has none."""
NAMES = tuple(name for name in TOURS if name)

"""One rule of the assessment: which requirement fails, how it is called, from which level on.

What is known against somebody counts at every level, also where the level would not have asked.
What is merely not known counts from the level that demands it. So whatever is allowed at a level
is allowed at every lower one, as long as no `fails` gets milder with the level.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ra.levels import AssuranceLevel
from ra.requirements import Finding, finding

PartT = TypeVar("PartT")

LOW, SUBSTANTIAL, HIGH = AssuranceLevel.LOW, AssuranceLevel.SUBSTANTIAL, AssuranceLevel.HIGH


def _nothing_named(_: object) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Rule(Generic[PartT]):
    """From level `since`, `fails` decides whether the part breaks the requirement."""

    requirement: str
    code: str
    since: AssuranceLevel
    fails: Callable[[PartT], bool]
    concerns: Callable[[PartT], tuple[str, ...]] = _nothing_named
    """The checks, fields or sources that the finding names."""


def broken(
    rules: tuple[Rule[PartT], ...], part: PartT, level: AssuranceLevel
) -> tuple[Finding, ...]:
    """A finding for each rule that the part breaks at the level, in the order of the rules."""
    return tuple(
        finding(rule.requirement, rule.code, rule.concerns(part))
        for rule in rules
        if level >= rule.since and rule.fails(part)
    )

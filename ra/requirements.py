"""The requirements that this package enforces, as data, and findings that name them.

The table is `ra/requirements.json`; ids are those of the requirement catalogue: NSIS part,
level, item. A refusal is a tuple of findings, and a finding can only be made from the table.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from ra.levels import AssuranceLevel

_NEUTRAL = "We could not confirm your identity; please contact the registration authority."


@dataclass(frozen=True, slots=True)
class Reason:
    """One way in which a requirement can fail."""

    code: str
    sentence: str
    way_out: str
    waits: bool = False
    """Time or an answer can cure it, so the application waits instead of being refused."""
    neutral: bool = False
    """The sentence discloses what a register says, so the applicant reads a neutral one."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement: at which levels it holds, where it comes from, what it says."""

    id: str
    levels: frozenset[AssuranceLevel]
    source: str
    sentence: str
    errors: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A requirement that is not met; `concerns` names fields, checks or sources, never values."""

    requirement: str
    code: str
    sentence: str
    way_out: str
    waits: bool = False
    neutral: bool = False
    concerns: tuple[str, ...] = ()

    @property
    def applicant_sentence(self) -> str:
        """What the applicant may read: nothing that a register said."""
        return _NEUTRAL if self.neutral else self.sentence


@cache
def requirements() -> Mapping[str, Requirement]:
    """The whole table, by id, in the order of the file."""
    text = files("ra").joinpath("requirements.json").read_text(encoding="utf-8")
    return MappingProxyType({row["id"]: _requirement(row) for row in json.loads(text)})


def finding(requirement: str, code: str, concerns: tuple[str, ...] = ()) -> Finding:
    """The finding that this requirement fails for this reason; KeyError outside the table."""
    for reason in requirements()[requirement].errors:
        if reason.code == code:
            return Finding(
                requirement=requirement,
                code=code,
                sentence=reason.sentence,
                way_out=reason.way_out,
                waits=reason.waits,
                neutral=reason.neutral,
                concerns=concerns,
            )
    raise KeyError(code)


def _requirement(row: Mapping[str, object]) -> Requirement:
    levels, errors = row["levels"], row["errors"]
    if not isinstance(levels, list) or not isinstance(errors, list):
        raise TypeError("levels and errors are lists")
    return Requirement(
        id=str(row["id"]),
        levels=frozenset(AssuranceLevel.from_label(level) for level in levels),
        source=str(row["source"]),
        sentence=str(row["sentence"]),
        errors=tuple(Reason(**error) for error in errors),
    )

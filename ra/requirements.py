"""The requirements of NSIS as data, how each of them is met, and findings that name them.

The table is `ra/requirements.json`. An id is NSIS part, level, item: `REG-APP` 3.1.1, `REG-IDN`
3.1.2, `REG-IDL` 3.1.3, `ISS-STR` 3.2.1, `ISS-DEL` 3.2.2, `ISS-REV` 3.2.3, `ISS-REN` 3.2.4,
`USE-AUT` 3.3.1, `ORG` 4.1, `ASC` 5, `BRK` 6. It follows the guidance to NSIS 2.0 of 2018.
A refusal is a tuple of findings, and a finding can only be made from the table.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

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


class Force(StrEnum):
    """How binding a requirement is."""

    NORMATIVE = "N"
    GUIDANCE = "G"
    DECISION = "D"
    """Our own decision where the texts leave it open."""


class How(StrEnum):
    """In which way a requirement is met."""

    ENFORCED = "enforced"
    RECORDED = "recorded"
    ORGANISATIONAL = "organisational"


@dataclass(frozen=True, slots=True)
class Met:
    """How a requirement is met: by which module, record or page, and what shows it."""

    how: How
    by: str
    passing: str = ""
    """The test that shows what passes, where `tests/ra` has no example of its own."""
    refusing: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement: at which levels it holds, where it comes from, what it says.

    `applies` is of NP natural person, LP legal person, AS association, OP operator, BR broker.
    """

    id: str
    levels: frozenset[AssuranceLevel]
    applies: tuple[str, ...]
    force: Force
    source: str
    sentence: str
    errors: tuple[Reason, ...]
    met: Met


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
    def advice(self) -> str:
        """What is wrong and what to do about it, in one sentence for officers."""
        return f"{self.sentence[:-1]}: {self.way_out[0].lower()}{self.way_out[1:]}"

    @property
    def applicant_sentence(self) -> str:
        """What the applicant may read: nothing that a register said."""
        return _NEUTRAL if self.neutral else self.sentence


@cache
def requirements() -> Mapping[str, Requirement]:
    """The whole table, by id, in the order of the file."""
    text = files("ra").joinpath("requirements.json").read_text(encoding="utf-8")
    return MappingProxyType({row["id"]: _requirement(row) for row in json.loads(text)})


@lru_cache(maxsize=1024)
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


def _requirement(row: Mapping[str, Any]) -> Requirement:
    met = row["met"]
    return Requirement(
        id=row["id"],
        levels=frozenset(AssuranceLevel.from_label(level) for level in row["levels"]),
        applies=tuple(row["applies"]),
        force=Force(row["force"]),
        source=row["source"],
        sentence=row["sentence"],
        errors=tuple(Reason(**error) for error in row["errors"]),
        met=Met(**met | {"how": How(met["how"])}),
    )

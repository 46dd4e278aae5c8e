"""Problems as values: what went wrong, by which rule, and the way out (RFC 9457).

The same value is the page, the API answer and the command's error. The table from exceptions to
problems is `server.problem_rows`.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"  # none that are mistaken for another on the telephone

ErrorT = TypeVar("ErrorT", bound=Exception)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one key or field of several."""

    field: str
    detail: str
    way_out: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document (RFC 9457 section 3); the last four are extension members (3.2)."""

    type: str
    """A short word-with-hyphens that stays the same when the sentences change."""
    title: str
    status: int
    """The HTTP status; the command line derives its exit code from it."""
    detail: str
    rule: str = ""
    """The rule that refused, with its source clause."""
    way_out: str = ""
    reference: str = ""
    """What to quote to the operator, who finds it in the log."""
    errors: tuple[FieldProblem, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Problem":
        """The inverse of `document`; what is missing is left empty."""
        return cls(
            type=str(document.get("type", "")).removeprefix("/problems/"),
            title=str(document.get("title", "")),
            status=int(document.get("status", 500)),
            detail=str(document.get("detail", "")),
            rule=str(document.get("rule", "")),
            way_out=str(document.get("way_out", "")),
            reference=str(document.get("reference", "")),
            errors=tuple(FieldProblem(**each) for each in document.get("errors", [])),
        )

    def document(self) -> dict[str, object]:
        """The JSON object; `type` is a relative URI, empty members are left out."""
        members = {
            "type": f"/problems/{self.type}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "rule": self.rule,
            "way_out": self.way_out,
            "reference": self.reference,
            "errors": [
                {"field": one.field, "detail": one.detail, "way_out": one.way_out}
                for one in self.errors
            ],
        }
        return {name: value for name, value in members.items() if value}


class ProblemRaised(Exception):
    """A problem that is known as a document already, such as the staff API's answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: exceptions of this class become problems in this way."""

    error: type[Exception]
    build: Callable[[Exception], Problem]


def row(error: type[ErrorT], build: Callable[[ErrorT], Problem]) -> Row:
    """A line of the table."""

    def checked(raised: Exception) -> Problem:
        if not isinstance(raised, error):
            raise TypeError(f"{type(raised).__name__} is not {error.__name__}")
        return build(raised)

    return Row(error, checked)


def problem_of(error: Exception, rows: Iterable[Row]) -> Problem | None:
    """The problem for an exception by the row of its nearest class; None: nobody foresaw it."""
    builders = {line.error: line.build for line in rows}
    nearest = next((kind for kind in type(error).__mro__ if kind in builders), None)
    return builders[nearest](error) if nearest is not None else None


def unforeseen(reference: str) -> Problem:
    """The problem that is our fault; what happened stands in the log under the reference."""
    return Problem(
        type="unforeseen",
        title="Something went wrong here",
        status=500,
        detail="This is a fault of the program, not of what you asked for.",
        way_out="Try again; if it stays, tell the operator the reference.",
        reference=reference,
    )


def new_reference() -> str:
    """Eight random letters and digits, written as xxxx-xxxx."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"

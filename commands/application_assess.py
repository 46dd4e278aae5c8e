"""`tillid application assess`: what a file of evidence would be worth, without any service."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ca.errors import MalformedRequest, NotFound
from commands.exit_codes import ExitCode
from commands.output import Result, Table, show_problem, show_result
from server.problems import Problem

if TYPE_CHECKING:
    from ra.case_assessment import CaseAssessment, PartFinding
    from ra.levels import AssuranceLevel
    from ra.policies import Policy

_MAX_OCTETS = 256 * 1024 * 1024
_LEVELS = ("low", "substantial", "high")


def add_to(group: click.Group) -> None:
    """Give the group this verb."""
    group.add_command(assess)


@click.command(epilog="Example: tillid application assess case.json --level high")
@click.argument("case", type=str)
@click.option("--level", type=click.Choice(_LEVELS), help="Show this level alone.")
@click.option("--lines", is_flag=True, help="One case a line, answered by one JSON object a line.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.pass_context
def assess(
    context: click.Context,
    case: str,
    level: str | None,
    lines: bool,  # noqa: FBT001 - click's way
    as_json: bool,  # noqa: FBT001 - click's way
) -> None:
    """Say what level a case supports, and what is missing; CASE is a file, or - for input.

    A case is a JSON object with any of the parts natural_person, legal_person, authenticator,
    delivery and association; docs/nsis.md lists their keys. Nothing live is read or changed.
    """
    from ra.case_assessment import assess_case
    from ra.case_reader import CaseFault, parse_case
    from ra.levels import AssuranceLevel
    from ra.policies import STANDARD, shipped_policy

    only = None if level is None else AssuranceLevel[level.upper()]
    policy: Policy = shipped_policy(STANDARD)
    try:
        text = _text(case)
        found = _assess_lines(text, policy) if lines else [assess_case(parse_case(text), policy)]
    except CaseFault as fault:
        _show_fault(str(fault), as_json=as_json)
        context.exit(ExitCode.USAGE)
    if lines or as_json:
        _show_documents(found, only, indent=None if lines else 2)
    else:
        _show(found[0], only)


def _text(name: str) -> str:
    """The whole file or input; CaseFault, NotFound or MalformedRequest when that cannot be."""
    from ra.case_reader import CaseFault

    try:
        if name == "-":
            octets = sys.stdin.buffer.read(_MAX_OCTETS + 1)
        else:
            with Path(name).open("rb") as file:
                octets = file.read(_MAX_OCTETS + 1)
        if len(octets) > _MAX_OCTETS:
            raise CaseFault("", "at most 256 MiB")
        return octets.decode()
    except UnicodeDecodeError:
        raise CaseFault("", "text in UTF-8") from None
    except (FileNotFoundError, ValueError):
        raise NotFound("file", name) from None
    except OSError as error:
        raise MalformedRequest(f"file {name}", error.strerror or "it cannot be read") from None


def _assess_lines(text: str, policy: "Policy") -> "list[CaseAssessment]":
    """One case a line; nothing is answered unless every line holds one."""
    from ra.case_assessment import assess_case
    from ra.case_reader import CaseFault, parse_case

    found = []
    lines = text.removesuffix("\n").split("\n") if text else []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(assess_case(parse_case(line), policy))
        except CaseFault as fault:
            raise CaseFault(fault.pointer, fault.rule, line=number) from None
    return found


def _show_fault(sentence: str, *, as_json: bool) -> None:
    """One line and nothing else, also in JSON."""
    problem = Problem(type="malformed", title="This is no case", status=400, detail=sentence)
    if as_json:
        click.echo(json.dumps({"ok": False, "problem": problem.document()}))
    else:
        show_problem(problem, as_json=False)


def _show_documents(
    found: "list[CaseAssessment]", only: "AssuranceLevel | None", *, indent: int | None
) -> None:
    from ra.case_assessment import assessment_document

    for each in found:
        click.echo(json.dumps(assessment_document(each, only), indent=indent))


def _show(assessment: "CaseAssessment", only: "AssuranceLevel | None") -> None:
    """A table of the levels with their reasons, and what the officer can do next."""
    reached = assessment.reached
    rows = [
        (level.label, *row)
        for level, found in assessment.levels.items()
        if only in {None, level}
        for row in (
            [(found.outcome.value, *_words(each)) for each in found.reasons]
            or [(found.outcome.value, "", "")]
        )
    ]
    table = Table(("Level", "Outcome", "Requirement", "Reason"), tuple(rows))
    sentence = "No level is reached." if reached is None else f"{reached.label} is reached."
    show_result(Result({}, (sentence,), table), as_json=False)
    click.echo(f"Next: {_next(assessment, only)}")


def _words(reason: "PartFinding") -> tuple[str, str]:
    found = reason.finding
    part = reason.part.replace("_", " ").capitalize()
    return f"{found.requirement} {found.code}", f"{part}: {found.sentence}"


def _next(assessment: "CaseAssessment", only: "AssuranceLevel | None") -> str:
    """The way out of the first reason at the level aimed at: the one asked for, or the next."""
    for level, found in assessment.levels.items():
        if only in {None, level} and found.reasons:
            # What only time can cure is not the next thing to do while something else is open.
            first = min(found.reasons, key=lambda each: each.finding.waits)
            way_out = first.finding.way_out
            return f"for {level.label}, {way_out[0].lower()}{way_out[1:]}"
    return "nothing is missing."

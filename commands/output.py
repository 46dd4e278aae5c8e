"""What a verb gives back, and how it is shown: sentences and tables, or JSON when asked.

The schema is the same for every verb: {"ok": true, "result": {...}} on success and
{"ok": false, "problem": {...}} otherwise, one object on standard output.
"""

import functools
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ParamSpec

import click

from commands.exit_codes import ExitCode
from server.problems import Problem

Parameters = ParamSpec("Parameters")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under headings."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What a verb found or did."""

    value: Mapping[str, object]
    """The same facts for programs; only what JSON knows."""
    sentences: tuple[str, ...] = ()
    table: Table | None = None
    exit_code: ExitCode = ExitCode.DONE
    """DONE, WAITING, CHECK_SAYS_NO or PARTLY_DONE; the others belong to problems."""


def verb(
    group: click.Group, example: str
) -> Callable[[Callable[Parameters, Result]], click.Command]:
    """Make a function a verb of the group, with --json and an example; its result is shown.

    The verb has the name of the function; options and arguments stand below this decorator.
    """

    def decorate(function: Callable[Parameters, Result]) -> click.Command:
        name = function.__name__.strip("_").replace("_", "-")
        return group.command(name, epilog=f"Example: {example}")(_answering(function))

    return decorate


def lone_verb(example: str) -> Callable[[Callable[Parameters, Result]], click.Command]:
    """Make a function the one verb of a noun that needs none, as `verb` does."""

    def decorate(function: Callable[Parameters, Result]) -> click.Command:
        return click.command(epilog=f"Example: {example}")(_answering(function))

    return decorate


def _answering(function: Callable[Parameters, Result]) -> Callable[Parameters, None]:
    """The function with --json, showing its result and ending with its exit code."""

    @functools.wraps(function)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        as_json = bool(kwargs.pop("as_json"))
        result = function(*args, **kwargs)
        show_result(result, as_json=as_json)
        click.get_current_context().exit(result.exit_code)

    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(run)


def show_result(result: Result, *, as_json: bool) -> None:
    """Write a result to standard output."""
    if as_json:
        _show_json({"ok": True, "result": dict(result.value)})
        return
    for sentence in result.sentences:
        click.echo(printable(sentence))
    if result.table:
        _show_table(result.table)


def show_problem(problem: Problem, *, as_json: bool) -> None:
    """Write a problem: JSON to standard output, sentences to standard error."""
    if as_json:
        _show_json({"ok": False, "problem": problem.document()})
        return
    lines = [problem.detail]
    lines += [f"  {one.field} {one.detail}. {one.way_out}" for one in problem.errors]
    lines += [f"Rule: {problem.rule}"] if problem.rule else []
    lines += [problem.way_out] if problem.way_out else []
    lines += [f"Reference: {problem.reference}"] if problem.reference else []
    for line in lines:
        click.echo(printable(line), err=True)


def printable(text: str) -> str:
    """The text with everything that could steer a terminal written as an escape."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _show_json(document: Mapping[str, object]) -> None:
    click.echo(json.dumps(document, indent=2))


def _show_table(table: Table) -> None:
    rows = [[printable(cell) for cell in cells] for cells in table.rows]
    if not sys.stdout.isatty():
        for cells in [table.columns, *rows]:
            click.echo("\t".join(cells))
        return
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(*table.columns, box=None, pad_edge=False, header_style="bold")
    for cells in rows:
        drawn.add_row(*(Text(cell, overflow="fold") for cell in cells))
    Console().print(drawn)

"""The edge of the command line: every way a verb can end becomes an exit code and a sentence."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import click

from commands.exit_codes import INTERRUPTED, PIPE_CLOSED, ExitCode, exit_code_of
from commands.output import show_problem
from server.errors import StateRefused
from server.problem_rows import ROWS
from server.problems import Problem, problem_of, unforeseen
from server.state import state_directory

_INTERRUPTED = Problem(
    type="interrupted",
    title="Interrupted",
    status=503,
    detail="Stopped from the keyboard before it was done.",
    way_out="Run it again.",
)


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; raises only what nobody foresaw."""
    as_json = "--json" in arguments
    try:
        code = _answer(command, arguments, as_json=as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        _stop_writing()
        return PIPE_CLOSED
    return code


def _answer(command: click.Command, arguments: Sequence[str], *, as_json: bool) -> int:
    try:
        return _invoke(command, arguments)
    except (KeyboardInterrupt, click.Abort):
        show_problem(_INTERRUPTED, as_json=as_json)
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    except click.ClickException as error:
        show_problem(_usage_problem(error), as_json=as_json)
        return ExitCode.USAGE
    except tuple(line.error for line in ROWS) as error:
        problem = problem_of(error, ROWS)
        if problem is None:
            raise
        show_problem(problem, as_json=as_json)
        return exit_code_of(problem)


def report_unforeseen(
    _kind: type[BaseException], error: BaseException, _traceback: TracebackType | None
) -> None:
    """What `sys.excepthook` does instead of printing a traceback: log it, and say the reference.

    The interpreter then exits with 1, which is `ExitCode.OUR_FAULT`.
    """
    from server.logs import record_unforeseen

    try:
        reference = record_unforeseen(state_directory(os.environ, Path.cwd()), error)
    except (OSError, StateRefused):
        reference = "none, for the log cannot be written"
    try:
        show_problem(unforeseen(reference), as_json="--json" in sys.argv)
        sys.stdout.flush()
    except OSError:
        _stop_writing()


def _invoke(command: click.Command, arguments: Sequence[str]) -> int:
    try:
        with command.make_context("tillid", list(arguments)) as context:
            command.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    return ExitCode.DONE


def _usage_problem(error: click.ClickException) -> Problem:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "tillid"
    return Problem(
        type="usage",
        title="The command cannot be understood",
        status=400,
        detail=error.format_message(),
        way_out=f"See `{path} --help`.",
    )


def _stop_writing() -> None:
    """Let nothing that is still buffered be written, and fail, when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)

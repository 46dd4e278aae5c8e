"""Exit codes: one meaning each, the same for every verb."""

from enum import IntEnum

from server.problems import Problem


class ExitCode(IntEnum):
    """What a script can act on."""

    DONE = 0
    OUR_FAULT = 1
    """A reference to the log is printed."""
    USAGE = 2
    """Usage or malformed input."""
    NOT_FOUND = 3
    REFUSED = 4
    """Refused by a rule, which is printed."""
    NOT_ALLOWED = 5
    WAITING = 6
    """Waiting for a second person."""
    CONFLICT = 7
    UNAVAILABLE = 8
    """A dependency is down: token, database, directory."""
    CHECK_SAYS_NO = 9
    """Revoked, chain broken, drift."""
    PARTLY_DONE = 10
    """Run it again to resume."""


INTERRUPTED = 130
"""Stopped by the keyboard (128 and SIGINT, as shells have it)."""
PIPE_CLOSED = 141
"""Nobody reads the output any more (128 and SIGPIPE)."""

_BY_STATUS = {
    400: ExitCode.USAGE,
    401: ExitCode.NOT_ALLOWED,
    403: ExitCode.NOT_ALLOWED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    422: ExitCode.REFUSED,
    429: ExitCode.REFUSED,
    503: ExitCode.UNAVAILABLE,
}


def exit_code_of(problem: Problem) -> ExitCode:
    """The exit code of a problem; 6, 9 and 10 are never problems but results."""
    return _BY_STATUS.get(problem.status, ExitCode.OUR_FAULT)

"""The kinds of problem that errors of several packages become."""

from dataclasses import replace

import ca.errors
import gdpr_erasure.errors
import records.errors
from server.errors import PackageDamaged
from server.problems import Problem


def malformed(error: ca.errors.MalformedRequest) -> Problem:
    """Octets or a file that is not of the form that is asked for."""
    return Problem(
        type="malformed",
        title="The input cannot be read",
        status=400,
        detail=f"The {error.what} cannot be read: {error.why}.",
        way_out="Send it again in the form that is asked for.",
    )


def absent(detail: str) -> Problem:
    """Something that is not there."""
    return Problem(
        type="not-found",
        title="Not found",
        status=404,
        detail=detail,
        way_out="Check the name, or list what there is.",
    )


def conflict(detail: str) -> Problem:
    """Something that has changed in the meantime, or is taken."""
    return Problem(
        type="conflict",
        title="The state has moved on",
        status=409,
        detail=detail,
        way_out="Look at it as it is now, and decide again.",
    )


def state(detail: str, way_out: str) -> Problem:
    """A conflict with a way out of its own."""
    return replace(conflict(detail), way_out=way_out)


def refused(error: records.errors.BackupRefused) -> Problem:
    """Records that must not be read from, put in place or signed from as they are."""
    return Problem(
        type="backup-refused",
        title="The records are refused",
        status=422,
        detail=sentence(error.why),
        rule=error.rule,
        way_out=sentence(error.way_out),
    )


def unavailable(detail: str, way_out: str = "Try again when it is back.") -> Problem:
    """Something that this needs is away."""
    return Problem(
        type="unavailable",
        title="Something this needs is not there now",
        status=503,
        detail=detail,
        way_out=way_out,
    )


def consent_refused(error: gdpr_erasure.errors.ConsentRefused) -> Problem:
    """What was said is no consent, or no change of one."""
    return Problem(
        type="refused",
        title="This is no consent",
        status=422,
        detail=sentence(error.sentence),
        rule="GDPR Art. 7",
        way_out="Look at the texts in force and at what was said before, then say it anew.",
    )


def package_damaged(error: PackageDamaged) -> Problem:
    """Files that are no longer what was signed."""
    return Problem(
        type="malformed",
        title="The package is not what was signed",
        status=400,
        detail=f"{error.name} {error.problem}.",
        way_out="Have the package made again, and compare what differs.",
    )


def sentence(text: str) -> str:
    """The text with a capital at its beginning and a full stop at its end."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")

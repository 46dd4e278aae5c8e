"""`tillid cert issue-folder`: certificates for many requests at once."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.exit_codes import ExitCode
from commands.installation import installation
from commands.output import Result, Table
from server.problems import Problem, ProblemRaised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from revocation.errors import PublicationFailed
    from server.bulk_issuance import Item

_SHOWN = 20


def issue_all_of(requests: Path, profile: str, out: Path) -> Result:
    """Issue for every request of a folder; exits with 10 if one of them got nothing."""
    from revocation.errors import PublicationFailed
    from server.bulk_issuance import SUFFIXES, alone_in, issue_requests, request_files
    from server.ordering import check_local

    followed = check_local(profile)  # first, for every request would be refused
    files = request_files(requests)
    if not files:
        endings = ", ".join(sorted(SUFFIXES))
        raise click.UsageError(f"{requests} holds no request: no file that ends in {endings}.")
    _make_folder(requests, out)
    with alone_in(out), installation() as parts:
        items = issue_requests(parts, parts.issuing(followed), profile, files, out)
        try:
            return _result(list(_with_progress(items, len(files))), out)
        except PublicationFailed as error:
            raise _unwritten(out, error) from None


def _unwritten(out: Path, error: "PublicationFailed") -> ProblemRaised:
    return ProblemRaised(
        Problem(
            type="unwritten",
            title="A certificate was issued and not written",
            status=503,
            detail=f"The folder {out} does not take a certificate that was issued:"
            f" {getattr(error.__cause__, 'strerror', None) or 'it reads otherwise than written'}.",
            way_out="Make room and run the same again: it writes what was issued and goes on.",
        )
    )


def _make_folder(requests: Path, out: Path) -> None:
    try:
        if out.resolve() == requests.resolve():
            raise click.UsageError("The certificates need another folder than the requests.")
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".tillid.new"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise click.UsageError(f"Nothing can be written in {out}: {error.strerror}.") from None


def _with_progress(items: "Iterable[Item]", total: int) -> "Iterator[Item]":
    """The items, with a line of progress for each tenth where somebody looks on."""
    counts: Counter[str] = Counter()
    tenth = max(1, total // 10)
    for done, item in enumerate(items, start=1):
        counts[item.outcome] += 1
        if sys.stderr.isatty() and (done % tenth == 0 or done == total):
            click.echo(f"{done:,} of {total:,} requests: {_words(counts)}", err=True)
        yield item


def _words(counts: "Counter[str]") -> str:
    return ", ".join(f"{number:,} {word}" for word, number in sorted(counts.items()))


def _result(items: "Sequence[Item]", out: Path) -> Result:
    from server.bulk_issuance import serial_of

    counts = Counter(item.outcome for item in items)
    refused = [item for item in items if item.problem is not None]
    value: dict[str, object] = {"out": str(out), "counts": dict(counts)}
    value["items"] = [
        {
            "request": str(item.request),
            "outcome": item.outcome,
            "serial_number": serial_of(item),
            "problem": item.problem and item.problem.document(),
        }
        for item in items
    ]
    said = f"{len(items):,} requests: {_words(Counter(counts))}; certificates are in {out}."
    rows = tuple(
        (item.request.name, item.problem.detail, item.problem.way_out)
        for item in refused[:_SHOWN]
        if item.problem is not None
    )
    more = (f"{len(refused) - _SHOWN:,} more; --json tells all.",) if refused[_SHOWN:] else ()
    return Result(
        value,
        (said, *more),
        Table(("request", "why not", "way out"), rows) if rows else None,
        ExitCode.PARTLY_DONE if refused else ExitCode.DONE,
    )

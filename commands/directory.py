"""`tillid directory`: publish, compare, mend, and look at what waits."""

import sys
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from commands.exit_codes import ExitCode
from commands.installation import OPERATOR, installation
from commands.output import Result, Table, verb

if TYPE_CHECKING:
    from publish_ldap.reconciliation import Drift
    from server.assembly import Assembly
    from server.directory_checks import Found

_SHOWN = 20
_BATCH = 500
_NAME = click.argument("name", required=False, metavar="[DIRECTORY]")


@click.group
def group() -> None:
    """X.500 directories: publish, compare and mend them, and what waits for them."""


def _names(parts: "Assembly", name: str | None) -> list[str]:
    from records.errors import NotFound

    known = list(parts.settings.directories)
    if name is not None and name not in known:
        raise NotFound("directory", name)
    return known if name is None else [name]


@verb(group, example="tillid directory list")
def _list() -> Result:
    """List the directories, who runs them, and how they were found when compared last."""
    with installation() as parts:
        checks = {one.directory: one for one in parts.directory_desk.checks()}
        found = [
            {
                "name": name,
                "url": table.url,
                "base_dn": table.base_dn,
                "processor": table.processor,
                "region": table.region,
                "checked_at": checks[name].checked_at.isoformat() if name in checks else None,
                "certificates": checks[name].certificates if name in checks else None,
                "drift": checks[name].drift if name in checks else None,
            }
            for name, table in parts.settings.directories.items()
        ]
    rows = tuple(tuple("" if v is None else str(v) for v in each.values()) for each in found)
    none = () if found else ("There are no directories; docs/directories.md shows how to add one.",)
    head = ("Name", "URL", "Base", "Processor", "Region", "Compared", "Certificates", "Drift")
    return Result({"directories": found}, none, Table(head, rows) if found else None)


@verb(group, example="tillid directory publish main --all")
@_NAME
@click.option("--all", "everything", is_flag=True, help="Also what was public before it was added.")
@click.option("--dry-run", is_flag=True, help="Say how much there is, and change nothing.")
def publish(name: str | None, everything: bool, dry_run: bool) -> Result:  # noqa: FBT001 - click's way
    """Publish and withdraw now what is due, whether or not the service runs.

    With --all, a directory that was added later gets the certificates in force of all who
    consented, too. Whoever is interrupted calls it again, and it goes on.
    """
    with installation() as parts:
        names = _names(parts, name)
        if dry_run:
            return _plan(parts, names, everything=everything)
        asked = {each: _fill(parts, each) if everything else 0 for each in names}
        done = {each: _serve(parts, each) for each in names}
        waiting = {each: len(parts.directory_desk.waiting(each)) for each in names}
    rows = tuple((each, str(count), str(waiting[each])) for each, count in done.items())
    return Result(
        {"asked": asked, "done": done, "waiting": waiting},
        table=Table(("Directory", "Done", "Still waiting"), rows),
        exit_code=ExitCode.PARTLY_DONE if any(waiting.values()) else ExitCode.DONE,
    )


def _plan(parts: "Assembly", names: list[str], *, everything: bool) -> Result:
    absent = {each: _absent(parts, each) if everything else 0 for each in names}
    waiting = {each: len(parts.directory_desk.waiting(each)) for each in names}
    rows = tuple((each, str(waiting[each]), str(absent[each])) for each in names)
    head = ("Directory", "Waiting", "To be added")
    return Result({"absent": absent, "waiting": waiting}, table=Table(head, rows))


def _absent(parts: "Assembly", name: str) -> int:
    """How many certificates are public, and were never to go there."""
    from server.clock import utc_now

    if not parts.settings.directories[name].certificates:
        return 0
    return parts.directory_backfill.count(name, utc_now())


def _fill(parts: "Assembly", name: str) -> int:
    """Make due what is public and was never to go there; how many certificates."""
    from server.clock import utc_now

    total, done = _absent(parts, name), 0
    while total and (count := parts.directory_backfill.put(name, _BATCH, OPERATOR, utc_now())):
        done += count
        if sys.stderr.isatty():
            click.echo(f"{name}: {done:,} of {total:,} certificates are due", err=True)
    return done


def _serve(parts: "Assembly", name: str) -> int:
    """Do what is due until no more of it can be done; how much it was."""
    from server.directories import serve_directory

    done = 0
    while count := serve_directory(parts, name):
        done += count
        if sys.stderr.isatty():
            click.echo(f"{name}: {done:,} done", err=True)
    return done


@verb(group, example="tillid directory diff main --json")
@_NAME
def diff(name: str | None) -> Result:
    """Compare directories and records, both ways, on every replica; exits with 9 if they differ.

    It also counts what is public and was never to go there, since the directory was added later.
    """
    with installation() as parts:
        names = _names(parts, name)
        found = _difference([_look(parts, each) for each in names])
        absent = {each: count for each in names if (count := _absent(parts, each))}
    said = tuple(
        f"{each}: {count:,} certificates were public before it was added:"
        f" tillid directory publish {each} --all"
        for each, count in absent.items()
    )
    code = ExitCode.CHECK_SAYS_NO if absent else found.exit_code
    value = {**found.value, "absent": absent}
    return Result(value, (*found.sentences, *said), found.table, code)


@verb(group, example="tillid directory repair main --dry-run")
@_NAME
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
def repair(name: str | None, dry_run: bool) -> Result:  # noqa: FBT001 - click's way
    """Mend what differs: show the plan, then publish, withdraw or remove."""
    from server.clock import utc_now
    from server.directory_checks import mend

    mended = 0
    with installation() as parts:
        found = [_look(parts, each) for each in _names(parts, name)]
        plan = _difference(found)
        if dry_run:
            return plan
        for each in found:
            with parts.directory(each.directory) as directory:
                mended += mend(parts, directory, each.drift, OPERATOR, utc_now())
    said = (*plan.sentences, f"{mended} were mended, or are due now: tillid directory publish.")
    return Result({**plan.value, "mended": mended}, said, plan.table)


def _look(parts: "Assembly", name: str) -> "Found":
    from server.directory_checks import check_directory

    with parts.directory(name) as directory:
        return check_directory(parts, directory)


def _difference(found: "list[Found]") -> Result:
    from server.directory_checks import REMEDIES

    value = [
        {
            "directory": each.directory,
            "certificates": each.certificates,
            "counts": each.counts(),
            "drift": [_facts(one) for one in each.drift],
        }
        for each in found
    ]
    rows = tuple(
        (each.directory, kind.value, f"{count:,}", REMEDIES[kind])
        for each in found
        for kind, count in Counter(one.kind for one in each.drift).items()
    )
    shown = [one for each in found for one in each.drift]
    said = [
        f"{each.directory}: {each.certificates:,} of our certificates, {len(each.drift):,} things"
        " that differ."
        for each in found
    ]
    said += [f"{one.kind}: {one.issuer}/{one.serial} on server {one.server}" for one in shown][
        :_SHOWN
    ]
    return Result(
        {"directories": value},
        tuple(said),
        Table(("Directory", "Drift", "How many", "Remedy"), rows) if rows else None,
        ExitCode.CHECK_SAYS_NO if rows else ExitCode.DONE,
    )


def _facts(drift: "Drift") -> dict[str, object]:
    return {
        "kind": drift.kind.value,
        "server": drift.server,
        "issuer": drift.issuer,
        "serial": drift.serial,
    }


@verb(group, example="tillid directory queue --set-aside")
@_NAME
@click.option("--set-aside", is_flag=True, help="Only what was given up until somebody looks.")
def queue(name: str | None, set_aside: bool) -> Result:  # noqa: FBT001 - click's way
    """List what waits for a directory, why it failed, and what was set aside."""
    with installation() as parts:
        found = parts.directory_desk.waiting(name, set_aside=set_aside)
        authorities = [
            each
            for each in parts.directory_authorities.all(name)
            if each.code is not None and not set_aside
        ]
    tasks = [
        {
            **asdict(each),
            "retry_at": each.retry_at.isoformat(),
            "set_aside_at": each.set_aside_at and each.set_aside_at.isoformat(),
        }
        for each in found
    ]
    rows = [
        (
            str(each.id),
            each.directory,
            each.action,
            f"{each.issuer}/{each.serial}",
            str(each.attempts),
            each.code or "",
            "set aside" if each.set_aside_at else f"{each.retry_at:%F %T}",
        )
        for each in found
    ]
    rows += [
        ("-", one.directory, "authority", one.issuer, str(one.attempts), one.code or "", "")
        for one in authorities
    ]
    none = () if rows else ("Nothing waits.",)
    head = ("Task", "Directory", "What", "Certificate", "Tries", "Why", "Due")
    return Result(
        {
            "tasks": tasks,
            "authorities": [
                {"directory": one.directory, "issuer": one.issuer, "code": one.code}
                for one in authorities
            ],
        },
        none,
        Table(head, tuple(rows)) if rows else None,
    )


@verb(group, example="tillid directory retry main 17")
@click.argument("name", metavar="DIRECTORY")
@click.argument("task", type=click.IntRange(1), required=False)
def retry(name: str, task: int | None) -> Result:
    """Make one task due now, or all of a directory that failed, also those set aside."""
    from server.clock import utc_now

    with installation() as parts:
        _names(parts, name)
        count = parts.directory_desk.retry(name, task, OPERATOR, utc_now())
        count += parts.directory_authorities.retry(name, utc_now()) if task is None else 0
    return Result({"due": count}, (f"{count} tasks are due now.",))


@verb(group, example="tillid directory discard main 17")
@click.argument("name", metavar="DIRECTORY")
@click.argument("task", type=click.IntRange(1))
def discard(name: str, task: int) -> Result:
    """Give up a publication; the directory is then made, and seen, to be without it.

    A withdrawal is never given up: what was withdrawn is not to be seen.
    """
    from server.clock import utc_now

    with installation() as parts:
        parts.directory_desk.discard(name, task, OPERATOR, utc_now())
    return Result({"discarded": task}, (f"Task {task} is given up, and withdrawn instead.",))

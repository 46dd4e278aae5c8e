"""`tillid audit`: what the log says, and whether it still says it."""

import json
from pathlib import Path

import click

from commands.exit_codes import ExitCode
from commands.files import read_text
from commands.installation import installation
from commands.output import Result, Table, verb


@click.group
def group() -> None:
    """The audit log: verify it, read its end."""


@verb(group, example="tillid audit verify --witness head.txt")
@click.option(
    "--witness",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A head that was kept elsewhere; the log must still contain it.",
)
def verify(witness: Path | None) -> Result:
    """Read the whole log and check it against every signed head."""
    from audit.errors import ChainBroken
    from audit.heads import parse_head
    from audit.log import verify_log
    from records.audit_log import audit_log
    from records.errors import DatabaseUnavailable
    from records.guards import digest, expected
    from records.schema import check_schema
    from server.assembly import AUDIT_ORIGIN
    from server.tokens import AUDIT_KEY

    outside = None if witness is None else parse_head(read_text(witness))
    # A log is verified above all when somebody has been at the database.
    with installation(checked=False) as parts:
        key = parts.tokens.service_key(AUDIT_KEY).public_key()
        ours = digest(expected(parts.database.dialect))
        try:
            with audit_log(parts.database) as log:
                found = verify_log(log, key, AUDIT_ORIGIN, outside)
        except ChainBroken as error:
            return Result(
                {"broken_at": error.position, "reason": error.reason.value},
                (f"The log is broken at event {error.position}: {error.reason.value}.",),
                exit_code=ExitCode.CHECK_SAYS_NO,
            )
        try:
            check_schema(parts.database)
            same = found.latest is None or found.latest.schema_digest == ours
        except DatabaseUnavailable:
            same = False
    covered = found.latest.size if found.latest else 0
    guards = "unchanged" if same else "missing or changed"
    return Result(
        {
            "events": found.size,
            "heads": found.heads,
            "covered": covered,
            "root": found.root.hex(),
            "guards_unchanged": same,
        },
        (f"The log is whole: {found.size} events, {found.heads} heads; guards {guards}.",),
        exit_code=ExitCode.DONE if same else ExitCode.CHECK_SAYS_NO,
    )


@verb(group, example="tillid audit tail --lines 20")
@click.option("--lines", default=10, show_default=True, type=click.IntRange(1, 10_000))
def tail(lines: int) -> Result:
    """Show the newest events."""
    from records.audit_log import audit_log

    with installation() as parts, audit_log(parts.database) as log:
        size = log.size()
        found = [json.loads(entry.header) for entry in log.page(max(size - lines, 0), size)]
    return Result(
        {"events": found},
        table=Table(
            ("No", "Time", "Event", "Actor", "Object"),
            tuple((str(e["n"]), e["t"], e["e"], e["a"], e["o"]) for e in found),
        ),
    )

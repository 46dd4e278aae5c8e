"""Reading the audit log: its end, all of it as lines of JSON, a sample."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Alarm
from typing import IO, TYPE_CHECKING, Any

import click

from commands.files import OutFile, OutFolder, writing
from commands.installation import installation
from commands.output import Result, Table, printable, verb

if TYPE_CHECKING:
    from audit.events import Entry
    from records.audit_log import AuditLog
    from records.database import Database

_FOLLOW_SECONDS = 1.0
_PAGE = 1000
_CASES = 25


def add_to(group: click.Group) -> None:
    """Make the verbs of this module those of the group."""
    for declare in (_tail, _export, _sample):
        declare(group)


def _tail(group: click.Group) -> None:
    @verb(group, example="tillid audit tail --lines 20 --follow")
    @click.option("--lines", default=10, show_default=True, type=click.IntRange(1, 10_000))
    @click.option("--follow", is_flag=True, help="Stay, and show events as they come, one a line.")
    def tail(lines: int, follow: bool) -> Result:  # noqa: FBT001 - click's way
        """Show the newest events."""
        from records.audit_log import audit_log

        with installation() as parts:
            with audit_log(parts.database) as log:
                size = log.size()
                found = [_fields(entry) for entry in log.page(max(size - lines, 0), size)]
            if follow:
                for fields in found:
                    click.echo(_line(fields))
                _follow(parts.database, size)
        return Result({"events": found}, table=_table(found))


def _follow(database: "Database", size: int) -> None:
    """Show new events until the keyboard ends it."""
    from records.audit_log import audit_log

    never = Alarm()
    while not never.wait(_FOLLOW_SECONDS):
        with audit_log(database) as log:
            end = log.size()
            for entry in log.page(size, end):
                click.echo(_line(_fields(entry)))
        size = max(size, end)


def _export(group: click.Group) -> None:
    @verb(
        group,
        example="tillid audit export --package assessment --sample 25 --identity auditor.pem",
    )
    @click.option("--out", type=OutFile(stdout=False), help="The file that the log goes to.")
    @click.option("--from", "start", type=click.IntRange(0), help="With --out: the first event.")
    @click.option(
        "--package",
        type=OutFolder(),
        help="Instead: the folder for all that an assessment asks for; new, or empty.",
    )
    @click.option("--sample", type=click.IntRange(1, 100), help="Cases of each level and outcome.")
    @click.option("--seed", help="Gives the same sample again; without it, a new one is drawn.")
    @click.option(
        "--identity",
        type=click.Path(path_type=Path),
        help="With --package: identity file of the auditor who draws the sample.",
    )
    def export(out: Path | None, package: Path | None, **asked: Any) -> Result:
        """Write events and signed heads as lines of JSON; headers only, nothing personal.

        A line is {"sequence", "leaf_sha256", "header"}, the header as it is hashed or null when it
        was dropped, or {"head"}. Whoever has the file can verify the tree with the public key.

        With --package: requirements with what meets and what shows them, sampled cases, policies in
        force and the verified log, with a signed manifest and index.md to begin with.
        """
        from commands.audit_package import write_package

        if package is not None and out is None:
            if asked["start"] is not None or asked["identity"] is None:
                raise click.UsageError("--package goes with --identity FILE, and not with --from.")
            count = asked["sample"] or _CASES
            return write_package(package, asked["identity"], count, asked["seed"])
        if out is None or package is not None:
            raise click.UsageError("Name one of: --out FILE, --package DIR.")
        if any(asked[name] is not None for name in ("sample", "seed", "identity")):
            raise click.UsageError("--sample, --seed and --identity go with --package.")
        return _lines(out, asked["start"] or 0)


def _lines(out: Path, start: int) -> Result:
    from records.audit_log import audit_log

    with (
        installation() as parts,
        audit_log(parts.database) as log,
        writing(out),
        out.open("w", encoding="utf-8") as file,
    ):
        events = _write(file, (_exported(entry) for entry in log.entries(start)))
        heads = _write(file, ({"head": head.text} for head in log.heads()))
    said = f"{out}: {events} events and {heads} heads."
    return Result({"out": str(out), "events": events, "heads": heads}, (said,))


def _write(file: IO[str], lines: Iterator[dict[str, object]]) -> int:
    count = 0
    for line in lines:
        file.write(f"{json.dumps(line, ensure_ascii=False)}\n")
        count += 1
    return count


def _exported(entry: "Entry") -> dict[str, object]:
    header = entry.header.decode(errors="backslashreplace") or None
    return {
        "sequence": entry.sequence,
        "leaf_sha256": entry.leaf_hash.hex(),
        "header": header,
    }


def _sample(group: click.Group) -> None:
    @verb(group, example="tillid audit sample --count 25 --seed 2026-11")
    @click.option("--count", default=25, show_default=True, type=click.IntRange(1, 10_000))
    @click.option("--seed", help="Gives the same sample again; without it, a new one is drawn.")
    @click.option("--size", type=click.IntRange(1), help="Draw from so many first events only.")
    def sample(count: int, seed: str | None, size: int | None) -> Result:
        """Draw events by lot, for an auditor; seed and size are told, so it can be drawn again."""
        from secrets import token_hex

        from records.audit_log import audit_log

        seed = token_hex(8) if seed is None else seed
        with installation() as parts, audit_log(parts.database) as log:
            among = min(log.size(), size or log.size())
            found = [_fields(entry) for entry in _drawn(log, seed, count, among)]
        return Result(
            {"seed": seed, "size": among, "events": found},
            (f"{len(found)} of {among} events, seed {seed}.",),
            _table(found),
        )


def _drawn(log: "AuditLog", seed: str, count: int, among: int) -> Iterator["Entry"]:
    lot = random.Random(seed)  # noqa: S311 - drawn again by whoever knows the seed
    for number in sorted(lot.sample(range(among), min(count, among))):
        yield from log.page(number, number + 1)


def _fields(entry: "Entry") -> dict[str, Any]:
    """What the header says; a dropped or damaged one is told with its number alone."""
    try:
        fields: dict[str, Any] = json.loads(entry.header)
    except ValueError:
        return {"n": entry.sequence, "e": "dropped" if not entry.header else "unreadable"}
    return fields


def _table(found: list[dict[str, Any]]) -> Table:
    return Table(
        ("No", "Time", "Event", "Actor", "Object"),
        tuple(tuple(str(each.get(key, "")) for key in "nteao") for each in found),
    )


def _line(fields: dict[str, Any]) -> str:
    return printable(json.dumps(fields, ensure_ascii=False))

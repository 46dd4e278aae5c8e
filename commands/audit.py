"""`tillid audit`: what the log says, and whether it still says it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands import audit_keeping, audit_proofs, audit_reading
from commands.exit_codes import ExitCode
from commands.files import read_public_key, read_text
from commands.installation import installation
from commands.output import Result, verb

if TYPE_CHECKING:
    from audit.heads import Head
    from audit.log import Extent, Verification
    from records.audit_log import AuditLog
    from server.assembly import Assembly


@click.group
def group() -> None:
    """The audit log: verify it, read it, prove what is in it, keep it no longer than needed."""


for _module in (audit_reading, audit_proofs, audit_keeping):
    _module.add_to(group)


@verb(group, example="tillid audit verify --witness kept/checkpoint")
@click.option(
    "--witness",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="One or several heads that were kept elsewhere; the log must still contain them.",
)
@click.option(
    "--since",
    metavar="SIZE|FILE",
    help="Read only what came after this head, up to which the log was verified before.",
)
@click.option("--no-keys", is_flag=True, help="Open no payload: count and compare digests only.")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The public key of the log in PEM; then no token is needed, with --no-keys.",
)
def verify(
    witness: Path | None,
    since: str | None,
    no_keys: bool,  # noqa: FBT001 - click's way
    key: Path | None,
) -> Result:
    """Read the log and check it against every signed head, and its payloads against the headers.

    Exit code 9 names the event at which a fault shows.
    """
    from audit.errors import ChainBroken
    from audit.log import verify_log
    from hsm.labels import AUDIT_KEY
    from records.audit_log import audit_log
    from server.assembly import AUDIT_ORIGIN

    outside = () if witness is None else _heads_in(witness)
    # A log is verified above all when somebody has been at the database.
    with installation(checked=False) as parts:
        public = (
            parts.tokens.service_key(AUDIT_KEY).public_key()
            if key is None
            else read_public_key(key)
        )
        with audit_log(parts.database) as log:
            extent = _extent(parts, log, outside, since, keys=not no_keys)
            try:
                found = verify_log(log, public, AUDIT_ORIGIN, extent)
            except ChainBroken as error:
                return Result(
                    {"broken_at": error.position, "reason": error.reason.value},
                    (f"The log is broken at event {error.position}: {error.reason.value}.",),
                    exit_code=ExitCode.CHECK_SAYS_NO,
                )
            finally:
                _told_of_progress()
        same = _is_schema_unchanged(parts, found)
    return _whole(found, extent, same=same)


def _extent(
    parts: "Assembly",
    log: "AuditLog",
    witnesses: tuple["Head", ...],
    since: str | None,
    *,
    keys: bool,
) -> "Extent":
    from audit.log import Extent
    from audit.payload_watch import PayloadWatch
    from records.audit_payloads import AuditKeys, sealed_payloads

    begin = None if since is None else _since(log, since)
    rows = sealed_payloads(log.view, 0 if begin is None else begin.size)
    opened = AuditKeys(log.view, parts.personal) if keys else None
    watch = PayloadWatch(rows, opened, whole=begin is None)
    return Extent(witnesses, begin, watch, _progress())


def _since(log: "AuditLog", since: str) -> "Head":
    from records.errors import NotFound

    if not since.isdecimal():
        return max(_heads_in(Path(since)), key=lambda head: head.size)
    found = log.head_of(int(since)) if len(since) < len(str(1 << 62)) else None
    if found is None:
        raise NotFound("head of the size", since)
    return found


def _heads_in(path: Path) -> tuple["Head", ...]:
    from audit.heads import parse_outside_heads
    from server.assembly import AUDIT_ORIGIN

    return parse_outside_heads(read_text(path), AUDIT_ORIGIN)


def _progress() -> Callable[[int], None] | None:
    """For whoever sits at a terminal and waits."""
    if not sys.stderr.isatty():
        return None
    return lambda read: click.echo(f"\r{read:,} events", err=True, nl=False)


def _told_of_progress() -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)


def _is_schema_unchanged(parts: "Assembly", found: "Verification") -> bool:
    """Whether tables and guards are ours, and those that the latest head tells of."""
    from records.errors import DatabaseUnavailable
    from records.schema import check_schema, digest_in_force

    try:
        check_schema(parts.database)
    except DatabaseUnavailable:
        return False
    latest = found.latest
    return latest is None or latest.schema_digest == digest_in_force(parts.database)


def _whole(found: "Verification", extent: "Extent", *, same: bool) -> Result:
    covered = found.latest.size if found.latest else 0
    start = 0 if extent.since is None else extent.since.size
    guards = "unchanged" if same else "missing or changed"
    watch = extent.payloads
    payloads = (watch.present, watch.missing) if watch else (0, 0)
    said = f"The log is whole: {found.size} events, {found.heads} heads; guards {guards}."
    more = f"{payloads[0]} payloads stand; {payloads[1]} ended, all of them declared."
    if start:
        more += f" Events before {start} were not read again."
    return Result(
        {
            "events": found.size,
            "heads": found.heads,
            "covered": covered,
            "root": found.root.hex(),
            "read_from": start,
            "payloads": payloads[0],
            "payloads_ended": payloads[1],
            "guards_unchanged": same,
        },
        (said, more),
        exit_code=ExitCode.DONE if same else ExitCode.CHECK_SAYS_NO,
    )

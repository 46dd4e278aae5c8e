"""`tillid ca import`: take over an existing certificate authority and what it issued."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.exit_codes import ExitCode
from commands.installation import OPERATOR, installation
from commands.output import Result, Table, lone_verb
from commands.token_names import TokenName, check_token
from server.problems import FieldProblem, Problem, ProblemRaised

if TYPE_CHECKING:
    from revocation.takeover import Decision, Row

_SHOWN = 20
"""Refused rows that a refusal names; the dry run names all."""
_FILE = click.Path(path_type=Path)


@lone_verb(
    example="tillid ca import old-ca --certificate ca.pem --certificates newcerts"
    " --index index.txt --crl crl.pem --dry-run"
)
@click.argument("name")
@click.option("--certificate", type=_FILE, required=True, help="The authority's own certificate.")
@click.option(
    "--certificates", type=_FILE, required=True, help="Folder with what it issued, a file each."
)
@click.option("--index", type=_FILE, help="index.txt of `openssl ca`.")
@click.option("--crl", type=_FILE, help="Its last CRL: revocations, and the number to go on from.")
@click.option(
    "--token",
    type=TokenName(),
    default="",
    help="Token of its key; without one it issues nothing here.",
)
@click.option("--key-label", default="", help="Label of its key in that token.")
@click.option("--leave-expired", is_flag=True, help="Leave expired certificates out.")
@click.option("--skip-refused", is_flag=True, help="Import the others when some are refused.")
@click.option("--batch", type=click.IntRange(1, 10_000), default=500, help="Rows a transaction.")
@click.option("--dry-run", is_flag=True, help="Say row by row what would be done; change nothing.")
@click.option("--compare", is_flag=True, help="Only compare the source with the records.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def import_verb(name: str, **chosen: object) -> Result:
    """Take over an existing authority: its certificates, their status, and its CRL number.

    Certificates keep their serial numbers and revocations theirs, with time and reason. Run it
    again after an interruption, or when the old authority has gone on: what is there stays.
    """
    return _run(name, _Choice(**chosen))  # type: ignore[arg-type]  # as click read them


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the command line asks for."""

    certificate: Path
    certificates: Path
    index: Path | None
    crl: Path | None
    token: str
    key_label: str
    leave_expired: bool
    skip_refused: bool
    batch: int
    dry_run: bool
    compare: bool
    yes: bool


def _run(name: str, chosen: _Choice) -> Result:
    from ca.identifiers import IssuerName
    from records.takeovers import Takeovers
    from revocation.takeover import compare, decide
    from server.clock import utc_now
    from server.takeover import (
        Files,
        KeyPlace,
        activate_issuer,
        add_issuer,
        prepare_issuer,
        read_source,
    )

    if bool(chosen.token) != bool(chosen.key_label):
        raise click.UsageError("--token and --key-label name a key together.")
    try:
        issuer = IssuerName(name)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    files = Files(chosen.certificate, chosen.certificates, chosen.index, chosen.crl)
    source, keep = read_source(files), not chosen.leave_expired
    with installation() as parts:
        now = utc_now()
        key = KeyPlace(chosen.token, chosen.key_label)
        check_token(parts.tokens, chosen.token)
        record = prepare_issuer(parts, issuer, source.authority, key, parts.settings.public.url)
        store = Takeovers(parts.database)
        if not chosen.compare:
            rows = decide(source, store.held(issuer), now, keep_expired=keep)
            if chosen.dry_run:
                return _planned(rows)
            _check_refused(rows, chosen)
            due = [row for row in rows if row.decision in _due()]
            if not chosen.yes:
                click.confirm(f"Import {len(due):,} rows as {name}?", abort=True, err=True)
            # Before the issuer can sign: so its first CRL has the next number, and is held back
            # until all that the last one lists is here.
            add_issuer(parts, record, now)
            if source.crl is not None:
                store.keep_crl(issuer, source.crl, OPERATOR, now)
            activate_issuer(parts, record, now)
            for done in _in_batches(due, chosen.batch):
                store.add(issuer, done, OPERATOR, now)
        differences = compare(source, store.held(issuer), now, keep_expired=keep)
        counted = {} if chosen.compare else _counted(rows)
    return _compared(name, counted, differences)


def _due() -> "frozenset[Decision]":
    from revocation.takeover import Decision

    return frozenset({Decision.WILL_IMPORT, Decision.WILL_REVOKE})


def _in_batches(rows: "Sequence[Row]", size: int) -> "Iterator[Sequence[Row]]":
    """The rows in batches; after each but a lone one, a line of progress on standard error."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
        if len(rows) > size:
            click.echo(f"{min(start + size, len(rows)):,} of {len(rows):,}", err=True)


def _counted(rows: "Iterable[Row]") -> dict[str, int]:
    return dict(Counter(row.decision.value for row in rows))


def _planned(rows: "Sequence[Row]") -> Result:
    from revocation.takeover import Decision

    facts = [
        {
            "origin": row.origin,
            "decision": row.decision.value,
            "why": row.why,
            "serial_number": row.serial_number and row.serial_number.hex,
            "revoked_at": row.revoked and row.revoked[1].isoformat(),
            "reason": row.revoked and row.revoked[0].label,
        }
        for row in rows
    ]
    shown = tuple(
        (row.origin, row.serial_number.hex if row.serial_number else "", row.decision.value,
         row.why or (row.revoked[0].label if row.revoked else ""))
        for row in rows
    )  # fmt: skip
    refused = any(row.decision is Decision.REFUSED for row in rows)
    return Result(
        {"rows": facts, "counts": _counted(rows)},
        table=Table(("Found in", "Serial number", "Decision", "Because"), shown),
        exit_code=ExitCode.CHECK_SAYS_NO if refused else ExitCode.DONE,
    )


def _check_refused(rows: "Iterable[Row]", chosen: _Choice) -> None:
    from revocation.takeover import Decision

    refused = [row for row in rows if row.decision is Decision.REFUSED]
    if chosen.skip_refused:
        # To skip what is revoked would be to make it good, or to keep the next CRL from being made.
        refused = [row for row in refused if not row.may_be_skipped]
    if not refused:
        return
    raise ProblemRaised(
        Problem(
            type="import-refused",
            title="Not everything can be imported",
            status=422,
            detail=f"{len(refused):,} rows are refused, so nothing was imported.",
            rule="import.rows",
            way_out="See all with --dry-run; mend the source, or go on with --skip-refused, which"
            " skips none that is, or may be, revoked or on hold.",
            errors=tuple(FieldProblem(row.origin, row.why, "") for row in refused[:_SHOWN]),
        )
    )


def _compared(name: str, counted: dict[str, int], differences: Sequence[str]) -> Result:
    said = [f"{word}: {count:,}" for word, count in counted.items()]
    said += [f"Differs: {line}" for line in differences]
    if not differences:
        said.append(f"The records of {name} hold what the source holds, row by row.")
    return Result(
        {"issuer": name, "counts": counted, "differences": list(differences)},
        tuple(said),
        exit_code=ExitCode.CHECK_SAYS_NO if differences else ExitCode.DONE,
    )

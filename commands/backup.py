"""`tillid backup`: copies of the records that open for the living only."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.exit_codes import ExitCode
from commands.files import OutFile, writing
from commands.installation import installation, settings
from commands.output import Result, Table, verb

if TYPE_CHECKING:
    from server.backup import Settled

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_key = click.option("--key", required=True, type=_FILE, help="The file of the key of backups.")
_crls = click.option(
    "--crl",
    "crls",
    multiple=True,
    type=_FILE,
    help="A published CRL, PEM or DER, beside those in the state directory; may be repeated.",
)


@click.group
def group() -> None:
    """Backups of the records: create, prove, restore."""


@verb(group, example="tillid backup new-key --out /media/safe/backup.key")
@click.option("--out", required=True, type=OutFile(stdout=False), help="The file to make.")
def new_key(out: Path) -> Result:
    """Make a key of backups: 32 random octets, for the owner alone. Keep it off this machine."""
    from records.backup_file import make_backup_key

    with writing(out):
        make_backup_key(out)
    return Result({"key": str(out)}, (f"The key of backups is in {out}.",))


@verb(group, example="tillid backup create tillid-2026-11.backup --key backup.key")
@click.argument("file", type=OutFile(stdout=False))
@_key
def create(file: Path, key: Path) -> Result:
    """Copy the records as they are now into an encrypted file; the service may run.

    The key store is not in it: it has snapshots of its own, see `tillid key show`.
    """
    from dataclasses import asdict

    from records.backup_file import read_backup_key
    from server.backup import back_up
    from server.clock import utc_now

    with installation() as parts:
        secret = read_backup_key(key)
        with writing(file):
            manifest = back_up(parts, file, secret, utc_now())
    said = f"{file}: {manifest.data_keys} data keys referred to, epoch {manifest.epoch}."
    return Result({"file": str(file), **asdict(manifest)}, (said,))


@verb(group, example="tillid backup prove tillid-2026-11.backup --key backup.key")
@click.argument("file", type=_FILE)
@_key
@click.option("--scratch", help="For PostgreSQL: the address of an empty database to open it in.")
def prove(file: Path, key: Path, scratch: str | None) -> Result:
    """Open a copy, try every data key of it, and look for plain text in sealed columns.

    Exits 9 when somebody who was erased opens, or something about a person stands in clear.
    """
    from dataclasses import asdict

    from records.backup_file import read_backup_key
    from server.backup import prove_backup

    with installation() as parts:
        manifest, proof = prove_backup(parts, file, read_backup_key(key), scratch)
    said = (
        f"{proof.readable} data keys open, {proof.unreadable} do not.",
        "No erased person opens, and nothing about a person stands in clear."
        if proof.holds
        else f"{proof.erased_but_readable} keys of erased persons open; in clear:"
        f" {', '.join(proof.in_clear) or 'nothing'}.",
    )
    value = {"made_at": manifest.made_at, "holds": proof.holds, **asdict(proof)}
    return Result(value, said, exit_code=ExitCode.DONE if proof.holds else ExitCode.CHECK_SAYS_NO)


@verb(group, example="tillid backup restore tillid-2026-11.backup --key backup.key")
@click.argument("file", type=_FILE)
@_key
@_crls
@click.option("--yes", is_flag=True, help="Do not ask; the records in place are moved away.")
@click.option("--dry-run", is_flag=True, help="Read the whole backup, and change nothing.")
def restore(
    file: Path,
    key: Path,
    crls: tuple[Path, ...],
    *,
    yes: bool,
    dry_run: bool,
) -> Result:
    """Put a backup in the place of the records, and bring it up to what happened since.

    Uses the key store in force. Subjects without a key are erased on, revocations are taken from
    the newest published CRLs, and only then can anything be served. A SQLite database in place is
    moved away; one of PostgreSQL must be empty. The service must not run.
    """
    from records.backup_file import read_backup_key
    from records.backups import opened_backup
    from server.backup import put_in_place, settle
    from server.clock import utc_now

    secret = read_backup_key(key)
    if dry_run:
        with opened_backup(file, secret) as (manifest, _):
            value = {"made_at": manifest.made_at, "schema": manifest.schema}
        return Result(value, (f"{file} is whole; it was made at {manifest.made_at}.",))
    if not yes:
        click.confirm(f"Put {file} in the place of the records?", abort=True, err=True)
    manifest = put_in_place(settings(), file, secret, utc_now())
    with installation() as parts:
        settled = settle(parts, crls, utc_now())
    return _result({"made_at": manifest.made_at}, settled)


@verb(group, example="tillid backup relearn --crl issuing.crl")
@_crls
def relearn(crls: tuple[Path, ...]) -> Result:
    """Bring records that were put back by other means up to what was published.

    As the end of `tillid backup restore`; safe to run again.
    """
    from server.backup import settle
    from server.clock import utc_now

    with installation() as parts:
        settled = settle(parts, crls, utc_now())
    return _result({}, settled)


def _result(value: dict[str, object], settled: "Settled") -> Result:
    rows = [
        (str(each.issuer), str(each.number), str(each.behind), str(each.revoked + each.unknown))
        for each in settled.relearned
    ]
    return Result(
        {
            **value,
            "issuers": [
                {
                    "issuer": each.issuer,
                    "crl_number": each.number,
                    "behind": each.behind,
                    "revoked": each.revoked,
                    "unknown": each.unknown,
                }
                for each in settled.relearned
            ],
            "erased": settled.erased,
            "indexed": settled.indexed,
        },
        (f"{settled.erased} persons were erased since the backup; their erasure goes on.",),
        Table(("Issuer", "Published CRL", "Missed", "Revocations learned"), tuple(rows)),
    )

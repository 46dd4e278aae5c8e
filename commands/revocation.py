"""`tillid revocation`: many certificates at once, planned by one officer and begun by another.

Everything goes through the staff API, as the officer of the identity given.
"""

from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from commands.cert_status import CAUSES, TIME, word
from commands.exit_codes import ExitCode
from commands.output import Result, Table, verb

if TYPE_CHECKING:
    from commands.staff_client import StaffClient

_LOOK_EVERY = 1.0  # seconds
_MOST_OCTETS = 16 * 1024 * 1024
_DIGEST_LENGTH = 64
_identity = click.option(
    "--identity",
    required=True,
    type=click.Path(path_type=Path),
    help="Act as this officer, a security administrator.",
)


@click.group
def group() -> None:
    """Revoke many certificates: plan, run, show, list."""


@verb(group, example="tillid revocation plan lost.txt --cause key-lost --identity me.pem")
@click.argument("certificates", required=False)
@click.option(
    "--issuer", help="All that this issuer signed; in a list, the issuer of bare serials."
)
@click.option("--key", help="All with this key: SHA-256 of it (hexadecimal), or a certificate.")
@click.option("--profile", help="All of this profile.")
@click.option("--issued-from", type=TIME, help="Issued then or later (UTC).")
@click.option("--issued-until", type=TIME, help="Issued then or earlier (UTC).")
@click.option("--cause", required=True, type=click.Choice(CAUSES), help="Why; not published.")
@click.option("--invalid-since", type=TIME, help="Since when others may have had the keys (UTC).")
@_identity
def plan(certificates: str | None, identity: Path, key: str | None, **given: object) -> Result:
    """Plan: count what would be revoked, and give its digest. Nothing is revoked yet.

    CERTIFICATES is a file with ISSUER/SERIAL one a line, - for standard input. What is named
    beside it narrows the selection: all has to hold.
    """
    body: dict[str, object] = {name: word(value) for name, value in given.items() if value}
    if certificates is not None:
        body["certificates"] = _lines(certificates)
    if key is not None:
        body["spki_sha256"] = _key_digest(key)
    found = _client(identity).post("revocations", body)
    waiting = found["state"] == "waiting"
    who = "another security administrator" if waiting else "you, or another security administrator"
    said = (
        f"{found['certificates']} certificates would be revoked.",
        f"{found['left_out']} of the list are left out: revoked, expired, or an issuer's own.",
        f"Digest {found['sha256']}.",
        f"To be run by {who}: tillid revocation run {found['id']} --digest {found['sha256']}",
    )
    code = ExitCode.WAITING if waiting else ExitCode.DONE
    return Result(found, said, _counted(found), code)


@verb(group, example="tillid revocation run bulk-01ab… --digest 5f2c… --identity me.pem")
@click.argument("revocation")
@click.option("--digest", help="The digest that the plan shows; not needed to watch it again.")
@click.option("--yes", is_flag=True, help="Do not ask; revocations are final.")
@_identity
def run(revocation: str, digest: str | None, yes: bool, identity: Path) -> Result:  # noqa: FBT001 - click's way
    """Confirm a plan and let it run; or watch one that runs already.

    The service does the work and goes on after any interruption; Ctrl-C ends only the watching.
    """
    client = _client(identity)
    found = client.get(f"revocations/{revocation}")
    if found["begun_at"] is None:
        if digest is None:
            raise click.UsageError("Give --digest as the plan shows it: tillid revocation show.")
        if not yes:
            asked = f"Revoke {found['certificates']} certificates for good?"
            click.confirm(asked, abort=True, err=True)
        found = client.post(f"revocations/{revocation}/beginning", {"sha256": digest})
    while found["ended_at"] is None:
        click.echo(f"{found['done']} of {found['certificates']} done", err=True)
        Event().wait(_LOOK_EVERY)
        found = client.get(f"revocations/{revocation}")
    passed = found["certificates"] - found["revoked"]
    said = f"{found['revoked']} certificates are revoked, {passed} were already or are gone."
    return Result(found, (said,))


@verb(group, example="tillid revocation show bulk-01ab… --identity me.pem")
@click.argument("revocation")
@_identity
def show(revocation: str, identity: Path) -> Result:
    """Show one: what is selected, by issuer and profile, its digest, and how far it is."""
    found = _client(identity).get(f"revocations/{revocation}")
    facts = tuple(
        f"{name}: {value}" for name, value in found.items() if name not in {"counts", "selection"}
    )
    asked = ", ".join(f"{name} {value}" for name, value in found["selection"].items())
    return Result(found, (f"selection: {asked}", *facts), _counted(found))


@verb(group, example="tillid revocation list --identity me.pem")
@_identity
def _list(identity: Path) -> Result:
    """List the newest ones."""
    found = _client(identity).get("revocations")
    columns = ("id", "state", "certificates", "done", "cause", "planned_by", "begun_by")
    rows = tuple(tuple(str(each[name] or "") for name in columns) for each in found)
    return Result({"revocations": found}, (), Table(columns, rows))


def _client(identity: Path) -> "StaffClient":
    from commands.staff_client import StaffClient

    return StaffClient.as_officer(identity)


def _counted(found: Mapping[str, Any]) -> Table:
    columns = ("issuer", "profile", "certificates")
    rows = tuple(tuple(str(each[name]) for name in columns) for each in found["counts"])
    return Table(columns, rows)


def _lines(name: str) -> list[str]:
    from ca.errors import MalformedRequest
    from commands.files import read_octets

    try:
        return read_octets(name, _MOST_OCTETS).decode().splitlines()
    except UnicodeDecodeError:
        raise MalformedRequest("list of certificates", "it is no text in UTF-8") from None


def _key_digest(key: str) -> str:
    """The digest itself, or that of the key in a certificate file."""
    from ca.foreign_certificates import read_certificate
    from commands.files import read_octets
    from records.takeovers import key_digest

    if len(key) == _DIGEST_LENGTH and not Path(key).exists():
        return key.lower()
    return key_digest(read_certificate(read_octets(key, 64 * 1024)))

"""`tillid subject`: everything about one person, through the staff API as an officer."""

import sys
from pathlib import Path
from typing import Any

import click

from commands.files import OutFolder, writing
from commands.output import Result, Table, verb

PURPOSES = (
    "access-request",
    "rectification",
    "erasure-request",
    "authority-order",
    "incident",
    "audit",
)
_identity = click.option(
    "--identity",
    required=True,
    type=click.Path(path_type=Path),
    help="Act as this officer, a security administrator.",
)
_purpose = click.option(
    "--purpose", required=True, type=click.Choice(PURPOSES), help="Why; it goes into the log."
)


@click.group
def group() -> None:
    """One person: find, show, report, consents, check a package; make the index anew."""


@verb(group, example="tillid subject find cpr --purpose access-request --identity me.pem")
@click.argument("by", type=click.Choice(["cpr", "name", "mail", "serial"]))
@_purpose
@_identity
def find(by: str, purpose: str, identity: Path) -> Result:
    """Find a person; the value is read from standard input, so that no list of processes shows it.

    BY is cpr, name (whole, or the surname), mail, or the serial number of a certificate.
    """
    from commands.staff_client import StaffClient

    if sys.stdin.isatty():
        click.echo(f"{by}: ", nl=False, err=True)
    value = sys.stdin.readline().strip()
    if not value:
        raise click.UsageError("Nothing was given to look for on standard input.")
    body = {"by": by, "value": value, "purpose": purpose}
    found = StaffClient.as_officer(identity).post("subjects/search", body)
    rows = tuple((one,) for one in found["subjects"])
    said = () if rows else ("Nobody is found.",)
    return Result(found, (*said, f"Noted as {found['reference']}."), Table(("Subject",), rows))


@verb(
    group, example="tillid subject show subject-0123456789abcdef --purpose audit --identity me.pem"
)
@click.argument("subject")
@_purpose
@_identity
def show(subject: str, purpose: str, identity: Path) -> Result:
    """Show what there is about a person: how many records of which kind, and who was told."""
    from commands.staff_client import StaffClient

    client = StaffClient.as_officer(identity)
    found = client.post(f"subjects/{subject}/opening", {"purpose": purpose})
    rows = tuple((kind, str(count)) for kind, count in found["records"].items())
    said = tuple(f"told: {recipient}" for recipient in found["recipients"])
    return Result(found, (*said, f"Noted as {found['reference']}."), Table(("Kind", ""), rows))


@verb(
    group,
    example="tillid subject report subject-0123456789abcdef --language da"
    " --purpose access-request --out report --identity me.pem",
)
@click.argument("subject")
@click.option("--language", type=click.Choice(["da", "sv", "en"]), default="en")
@click.option("--portability", is_flag=True, help="What the person may take along, instead.")
@click.option(
    "--out",
    required=True,
    type=OutFolder(),
    help="Folder to make for the files.",
)
@_purpose
@_identity
def report(subject: str, out: Path, identity: Path, **asked: Any) -> Result:
    """Make the signed package that answers a request for access (GDPR Art. 15), or to take along.

    It holds the report as page, tagged PDF and JSON with its schema, the certificates, and a
    signed manifest. `tillid subject check FOLDER` verifies it.
    """
    from base64 import b64decode

    from commands.staff_client import StaffClient

    body = {
        "purpose": asked["purpose"],
        "language": asked["language"],
        "package": "portability" if asked["portability"] else "access",
    }
    if out.exists():
        raise click.UsageError(f"{out} is there already; name a folder that is to be made.")
    found = StaffClient.as_officer(identity).post(f"subjects/{subject}/package", body)
    with writing(out):
        out.mkdir(mode=0o700)
        for name, octets in found["files"].items():
            path = out / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_bytes(b64decode(octets))
    value = {"reference": found["reference"], "files": sorted(found["files"]), "folder": str(out)}
    return Result(value, (f"{len(found['files'])} files are in {out}.", *sorted(found["files"])))


@verb(group, example="tillid subject check report")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def check(folder: Path) -> Result:
    """Verify a package: each file is the one that was signed, and none is missing or added."""
    from server.packages import verify_package

    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    names = verify_package(files)
    return Result({"files": list(names)}, (f"{len(names)} files are as they were signed.",))


@verb(
    group,
    example="tillid subject consent A-7KQ2M4XN3P --withdrawn --level substantial --identity me.pem",
)
@click.argument("application")
@click.option("--given", "state", flag_value="given", help="The person consents.")
@click.option("--withdrawn", "state", flag_value="withdrawn", help="The person withdraws it.")
@click.option("--text-sha256", help="Digest of the text that the person read; needed to consent.")
@click.option(
    "--level",
    type=click.Choice(["none", "low", "substantial", "high"]),
    default="none",
    help="How well it was known who said it.",
)
@click.option("--details", help="What else belongs to it, as where the signed form lies.")
@click.option(
    "--identity",
    required=True,
    type=click.Path(path_type=Path),
    help="Act as this officer, a registration officer.",
)
def consent(application: str, state: str | None, identity: Path, **said: Any) -> Result:
    """Record what a person says about publication, or list what was said.

    The person is the one of the APPLICATION. With a withdrawal every publication of the person is
    due to be taken back at once.
    """
    from commands.staff_client import StaffClient

    client, place = StaffClient.as_officer(identity), f"applications/{application}/consents"
    given = {name: value for name, value in said.items() if value is not None}
    if state is None:
        if given != {"level": "none"}:
            raise click.UsageError("Say --given or --withdrawn with what belongs to it.")
        found = client.get(place)
    else:
        found = [client.post(place, {"state": state, **given})]
    rows = tuple((one["kind"], one["state"], one["level"], one["at"]) for one in found)
    table = Table(("Consent", "State", "Level", "At"), rows)
    return Result({"consents": found}, () if rows else ("Nothing was said yet.",), table)


@verb(group, example="tillid subject reindex")
def reindex() -> Result:
    """Make the index of people anew from the records: after a restore, or when it was lost."""
    from commands.installation import installation
    from server.search import reindex as rebuilt

    with installation() as parts:
        count = rebuilt(parts)
    return Result({"people": count}, (f"{count} people can be found.",))

"""`tillid application`: what officers do to applications, through the staff API."""

from pathlib import Path
from typing import Any

import click

from commands.application_assess import add_to
from commands.application_proofing import add_proofing_to
from commands.application_renewal import add_renewal_to
from commands.files import OutFile, read_text, write_octets
from commands.identity import Identity
from commands.output import Result, Table, verb
from commands.staff_client import StaffClient

identity_option = click.option(
    "--identity",
    required=True,
    type=click.Path(path_type=Path),
    help="Identity file of the officer who acts (from `tillid officer enrol`).",
)


@click.group
def group() -> None:
    """Applications: list, show, vet, approve as an officer; assess a case."""


add_to(group)
add_proofing_to(group)
add_renewal_to(group)


@verb(group, example="tillid application list --identity me.pem")
@identity_option
def _list(identity: Path) -> Result:
    """List the open applications."""
    found = StaffClient.as_officer(identity).get("applications")
    return Result(
        {"applications": found},
        () if found else ("No application is open.",),
        Table(
            ("Application", "State", "Level", "Since"),
            tuple((a["id"], a["state"], a["level"], a["created_at"][:19]) for a in found),
        ),
    )


@verb(group, example="tillid application show A-7KQ2M4XN3P --identity me.pem")
@click.argument("application")
@identity_option
def show(application: str, identity: Path) -> Result:
    """Show how an application stands."""
    found = StaffClient.as_officer(identity).get(f"applications/{application}")
    return _state(found)


@verb(
    group,
    example="tillid application document A-7KQ2M4XN3P --mrz LINE1 --mrz LINE2 --feature hologram"
    " --feature microprint --feature window --face-matches --identity me.pem",
)
@click.argument("application")
@click.option("--mrz", multiple=True, required=True, help="A line of the machine-readable zone.")
@click.option("--feature", multiple=True, help="A security feature that was seen.")
@click.option("--face-matches/--face-differs", default=None, help="Compared in person.")
@identity_option
def document(
    application: str,
    mrz: tuple[str, ...],
    feature: tuple[str, ...],
    face_matches: bool | None,  # noqa: FBT001 - click's way
    identity: Path,
) -> Result:
    """Record a passport that the applicant presents in person, and run its checks."""
    body = {
        "mrz_lines": mrz,
        "features_seen": feature,
        "presence": "in_person",
        "face_matches": face_matches,
    }
    found = StaffClient.as_officer(identity).post(f"applications/{application}/documents", body)
    rows = tuple((each["check"], each["answer"]) for each in found["checks"])
    return Result(found, table=Table(("Check", "Answer"), rows))


@verb(group, example="tillid application conclude A-7KQ2M4XN3P --identity me.pem")
@click.argument("application")
@identity_option
def conclude(application: str, identity: Path) -> Result:
    """Conclude the proofing: verified, referred, or the requirements that are not met."""
    client = StaffClient.as_officer(identity)
    return _state(client.post(f"applications/{application}/conclusion"))


@verb(group, example="tillid application package A-7KQ2M4XN3P --out p.json --identity me.pem")
@click.argument("application")
@click.option("--out", required=True, type=OutFile(stdout=False), help="Where it goes.")
@identity_option
def package(application: str, out: Path, identity: Path) -> Result:
    """Fetch the application package: the very octets that an approval signs."""
    from hashlib import sha256

    octets = StaffClient.as_officer(identity).fetch(f"applications/{application}/package")
    write_octets(out, octets)
    digest = sha256(octets).hexdigest()
    return Result({"out": str(out), "sha256": digest}, (f"{out}: SHA-256 {digest}",))


@verb(group, example="tillid application approve A-7KQ2M4XN3P --identity me.pem")
@click.argument("application")
@click.option(
    "--signature",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A detached CMS signature in PEM, made elsewhere over the package.",
)
@identity_option
def approve(application: str, signature: Path | None, identity: Path) -> Result:
    """Approve by signing the whole application package with the officer's own key."""
    client = StaffClient.as_officer(identity)
    if signature is None:
        octets = client.fetch(f"applications/{application}/package")
        pem = signed_package(octets, Identity.load(identity))
    else:
        pem = read_text(signature)
    return _state(client.post(f"applications/{application}/approval", {"signature": pem}))


def signed_package(octets: bytes, identity: Identity) -> str:
    """A detached CMS signature over a package, in PEM."""
    from base64 import encodebytes

    from ca.signed_data import sign_detached

    signature = sign_detached(octets, identity.certificate, identity.signing_key())
    return f"-----BEGIN CMS-----\n{encodebytes(signature).decode()}-----END CMS-----\n"


def _state(found: dict[str, Any]) -> Result:
    sentences = [f"{found['id']}: {found['state']}, level {found['level']}"]
    sentences += [f"{f['requirement']} {f['code']}: {f['sentence']}" for f in found["findings"]]
    sentences += [
        f"certificate {c['issuer']}/{c['serial_number']}: {c['status']}"
        for c in found.get("certificates", [])
    ]
    return Result(found, tuple(sentences))

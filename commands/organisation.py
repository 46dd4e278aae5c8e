"""`tillid organisation`: mandates to act for legal persons, and their seals, by the staff API."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from commands.application import identity_option
from commands.exit_codes import ExitCode
from commands.files import read_octets, read_text
from commands.identity import Identity
from commands.output import Result, Table, verb
from commands.staff_client import StaffClient

LEVELS = ("Low", "Substantial", "High")
ROLES = ("chair", "board_member", "director")
mandate_argument = click.argument("mandate")
accept_option = click.option(
    "--accept", is_flag=True, help="You have read and accept terms and notice."
)
renews_option = click.option(
    "--renews",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The certificate that gives way to this one.",
)
loss_option = click.option(
    "--loss",
    type=click.Choice(("lost", "compromised", "unusable")),
    help="What happened to its key; one that is lost or compromised is revoked at once.",
)
_ACTS = ("register", "administer", "revoke")
_TEXTS = {"applicant": ("terms", "security_notice"), "subscriber": ("subscriber",)}


@click.group
def group() -> None:
    """Legal persons: who may act for them, how they are registered, their seals."""


@verb(group, example="tillid organisation ask 99000007 --level Substantial --identity me.pem")
@click.argument("cvr")
@click.option("--level", type=click.Choice(LEVELS), required=True)
@click.option("--administrator", help="Appoint the person of this application, not yourself.")
@click.option("--by-role", is_flag=True, help="The register names you.")
@click.option("--declare", is_flag=True, help="Declare on your honour that you are authorised.")
@identity_option
def ask(identity: Path, **given: Any) -> Result:
    """Ask for a mandate to act for a legal person, with your own personal credential."""
    client = StaffClient.as_officer(identity)
    body: dict[str, object] = {name: given[name] for name in ("cvr", "level", "by_role")}
    if given["administrator"]:
        body |= {"act": "administer", "administrator": given["administrator"]}
    if given["declare"]:
        text = client.get("declarations")["en"]
        click.echo(text["text"], err=True)
        body["declaration"] = {"sha256": text["sha256"], "declared": True}
    return _state(client.post("mandates", body))


@verb(group, example="tillid organisation list --state open --identity me.pem")
@click.option("--state", help="Only those in this state.")
@identity_option
def _list(state: str | None, identity: Path) -> Result:
    """List mandates, the oldest first."""
    query = {"state": state} if state else {}
    found = StaffClient.as_officer(identity).get("mandates", query)
    rows = tuple((m["id"], m["cvr"], m["act"], m["level"], m["state"]) for m in found)
    return Result(
        {"mandates": found},
        () if found else ("There is no such mandate.",),
        Table(("Mandate", "CVR", "Act", "Level", "State"), rows),
    )


@verb(group, example="tillid organisation show M-7KQ2M4XN3P --identity me.pem")
@mandate_argument
@identity_option
def show(mandate: str, identity: Path) -> Result:
    """Show how a mandate stands, and the digest that co-signers approve."""
    return _state(StaffClient.as_officer(identity).get(f"mandates/{mandate}"))


@verb(group, example="tillid organisation status 99000007 --identity me.pem")
@click.argument("cvr")
@identity_option
def status(cvr: str, identity: Path) -> Result:
    """Show at which level a legal person is registered."""
    found = StaffClient.as_officer(identity).get(f"organisations/{cvr}")
    told = f"{found['cvr']}: {found['state']}, level {found['level'] or 'none'}"
    return Result(found, (told,))


@verb(group, example="tillid organisation sign M-7KQ2M4XN3P --asked DIGEST --identity me.pem")
@mandate_argument
@click.option("--asked", required=True, help="The digest that the mandate shows.")
@identity_option
def sign(mandate: str, asked: str, identity: Path) -> Result:
    """Sign together with others, as the signing rule of the legal person demands."""
    return _act(identity, mandate, "signatures", {"asked_sha256": asked})


@verb(group, example="tillid organisation withdraw M-7KQ2M4XN3P --identity me.pem")
@mandate_argument
@identity_option
def withdraw(mandate: str, identity: Path) -> Result:
    """Take a mandate back, or end one that was granted."""
    return _act(identity, mandate, "withdrawal")


@verb(group, example="tillid organisation extract M-7KQ2M4XN3P --reference 'X 1' --identity me.pem")
@mandate_argument
@click.option("--reference", required=True, help="Where the extract of the register is filed.")
@identity_option
def extract(mandate: str, reference: str, identity: Path) -> Result:
    """Record that the register names the registrant with a role; by name only, so not at High."""
    return _act(identity, mandate, "extract", {"reference": reference})


@verb(
    group,
    example="tillid organisation documents M-7KQ2M4XN3P --charter 'C 1' --charter-sha256 DIGEST"
    " --minutes 'R 1' --minutes-sha256 DIGEST --role chair --held-on 2026-01-31 --quorum"
    " --accepted --identity me.pem",
)
@mandate_argument
@click.option("--charter", required=True, help="Where the charter is filed.")
@click.option("--charter-sha256", required=True)
@click.option("--minutes", required=True, help="Where the minutes are filed.")
@click.option("--minutes-sha256", required=True)
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--held-on", required=True, help="The day of the meeting.")
@click.option("--quorum/--no-quorum", required=True)
@click.option("--accepted/--insufficient", required=True)
@click.option("--concerns-grantor", is_flag=True, help="They show the mandate of a grantor.")
@identity_option
def documents(identity: Path, mandate: str, **found: Any) -> Result:
    """Record what charter and minutes show."""
    return _act(identity, mandate, "documents", found)


@verb(
    group,
    example="tillid organisation power M-7KQ2M4XN3P power.json --identity me.pem",
)
@mandate_argument
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@identity_option
def power(mandate: str, file: Path, identity: Path) -> Result:
    """Record a power of attorney from a JSON file, whose fields the OpenAPI document names."""
    import json

    try:
        body = json.loads(read_text(file))
    except (ValueError, RecursionError):
        raise click.UsageError(f"{file} holds no JSON; write the fields of PowerBody") from None
    return _act(identity, mandate, "power-of-attorney", body)


@verb(group, example="tillid organisation telephone M-7KQ2M4XN3P --identity me.pem")
@mandate_argument
@identity_option
def telephone(mandate: str, identity: Path) -> Result:
    """Show the number to call back, from the register."""
    found = StaffClient.as_officer(identity).get(f"mandates/{mandate}/call-back")
    return Result(found, (f"Call {found['telephone']}.",))


@verb(group, example="tillid organisation called M-7KQ2M4XN3P confirmed --identity me.pem")
@mandate_argument
@click.argument("outcome", type=click.Choice(["confirmed", "denied"]))
@identity_option
def called(mandate: str, outcome: str, identity: Path) -> Result:
    """Record what the company said; a denial refuses the mandate and opens an incident."""
    return _act(identity, mandate, "call-back", {"outcome": outcome})


@verb(group, example="tillid organisation conclude M-7KQ2M4XN3P --identity me.pem")
@mandate_argument
@identity_option
def conclude(mandate: str, identity: Path) -> Result:
    """Conclude the checks: verified, referred, or the requirements that are not met."""
    return _act(identity, mandate, "conclusion")


@verb(group, example="tillid organisation refuse M-7KQ2M4XN3P --identity me.pem")
@mandate_argument
@identity_option
def refuse(mandate: str, identity: Path) -> Result:
    """Close a mandate for the requirements that it does not meet."""
    return _act(identity, mandate, "refusal")


@verb(group, example="tillid organisation approve M-7KQ2M4XN3P --identity me.pem")
@mandate_argument
@identity_option
def approve(mandate: str, identity: Path) -> Result:
    """Approve by signing the whole package of the mandate with the officer's own key."""
    from commands.application import signed_package

    octets = StaffClient.as_officer(identity).fetch(f"mandates/{mandate}/package")
    signature = signed_package(octets, Identity.load(identity))
    return _act(identity, mandate, "approval", {"signature": signature})


@verb(group, example="tillid organisation agree 99000007 --accept --identity me.pem")
@click.argument("cvr")
@click.option("--accept", is_flag=True, help="You have read it and accept it for the organisation.")
@identity_option
def agree(cvr: str, accept: bool, identity: Path) -> Result:  # noqa: FBT001 - click's way
    """Agree as subscriber, for the organisation that you are mandated to register."""
    client = StaffClient.as_officer(identity)
    session, answers = _read(client, accept=accept, reader="subscriber")
    found = client.post(f"organisations/{cvr}/agreement", {"session": session, **answers})
    version = found["agreed_versions"][-1]
    return Result(found, (f"{cvr} has agreed to version {version}, under mandate {found['id']}.",))


@verb(group, example="tillid organisation feed 99000007 --seal seal.pem --identity me.pem")
@click.argument("cvr")
@click.option(
    "--seal",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate of the seal; without it, none signs any more.",
)
@identity_option
def feed(cvr: str, seal: Path | None, identity: Path) -> Result:
    """Designate the seal that signs for the organisation's own system, or take that back."""
    named = None if seal is None else _fingerprint(seal)
    body = {"certificate_sha256": named}
    found = StaffClient.as_officer(identity).post(f"organisations/{cvr}/feed", body)
    told = "no seal signs" if named is None else f"the seal {named} signs"
    return Result(found, (f"For the system of {cvr} {told}.",))


@verb(group, example="tillid organisation seal 99000007 request.pem --accept --identity me.pem")
@click.argument("cvr")
@click.argument("request", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@accept_option
@renews_option
@loss_option
@identity_option
def seal(cvr: str, identity: Path, **given: Any) -> Result:
    """Apply for the seal of a legal person that you are mandated to register, or its next one."""
    return apply_named(f"organisations/{cvr}/applications", identity, **given)


@verb(group, example="tillid organisation incidents --identity me.pem")
@identity_option
def incidents(identity: Path) -> Result:
    """List incidents: call-backs that were denied, signatures unlike their specimens."""
    found = StaffClient.as_officer(identity).get("incidents")
    rows = tuple((i["id"], i["kind"], i["about"], i["opened_at"][:19]) for i in found)
    table = Table(("Incident", "Kind", "About", "Since"), rows)
    return Result({"incidents": found}, () if found else ("There is no incident.",), table)


def apply_named(path: str, identity: Path, **given: Any) -> Result:
    """Apply for a certificate that names an organisation; prints the secret of the application.

    With `accept` terms and notice are shown in full first, on standard error. Without it the texts
    that were accepted for the certificate that `renews` names go on to hold.
    """
    accept, renews, loss = (given[name] for name in ("accept", "renews", "loss"))
    if loss is not None and renews is None:
        raise click.UsageError("A loss is of a certificate: name it with --renews.")
    client = StaffClient.as_officer(identity)
    body: dict[str, object] = {"certificate_request": read_text(given["request"])}
    if renews is not None:
        body["renews"] = _fingerprint(renews)
    if loss is not None:
        body["loss"] = loss
    if accept or renews is None:
        session, answers = _read(client, accept=accept, reader="applicant")
        body |= {"session": session, **answers}
    found = client.post(path, body)
    told = f"{found['id']}: {found['state']}, level {found['level']}"
    return Result(found, (told, f"Keep this secret of the application: {found['secret']}"))


def _fingerprint(file: Path) -> str:
    """SHA-256 of the certificate in a file, in hexadecimal."""
    from cryptography.hazmat.primitives.hashes import SHA256

    from ca.foreign_certificates import read_certificate

    return read_certificate(read_octets(str(file))).fingerprint(SHA256()).hex()


def _read(client: StaffClient, *, accept: bool, reader: str) -> tuple[str, dict[str, object]]:
    """The session that was shown the texts, and the answer to each of them."""
    shown = client.post("presentations", {"language": "en", "reader": reader})
    session, answers = shown["session"], dict[str, object]()
    for kind in _TEXTS[reader]:
        digest = shown[kind]["sha256"]
        if accept:
            click.echo(shown[kind]["text"], err=True)
            replace(client, secret=session).post("presentations/completion", {"sha256": digest})
        answers[kind] = {"sha256": digest, "read": accept, "accepted": accept}
    return session, answers


def _act(identity: Path, mandate: str, step: str, body: object = None) -> Result:
    return _state(StaffClient.as_officer(identity).post(f"mandates/{mandate}/{step}", body))


def _state(found: dict[str, Any]) -> Result:
    told = [f"{found['id']}: {found['state']}, {found['act']} {found['cvr']} at {found['level']}"]
    told += [f"{f['requirement']} {f['code']}: {f['sentence']}" for f in found["findings"]]
    if found["state"] in {"open", "referred"}:
        told.append(f"co-signers approve {found['asked_sha256']}")
    waits = found["state"] == "referred"
    return Result(found, tuple(told), exit_code=ExitCode.WAITING if waits else ExitCode.DONE)

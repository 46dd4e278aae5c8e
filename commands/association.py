"""`tillid association`: who belongs to which organisation, by the staff API."""

from pathlib import Path
from typing import Any

import click

from commands.application import identity_option
from commands.files import read_text
from commands.identity import Identity
from commands.organisation import (
    LEVELS,
    accept_option,
    apply_named,
    loss_option,
    renews_option,
)
from commands.output import Result, Table, verb
from commands.staff_client import StaffClient

BASES = ("declaration", "administrator", "authoritative_system", "cvr_relation")
association_argument = click.argument("association")


@click.group
def group() -> None:
    """Associations of persons with organisations: propose, agree, activate, end."""


@verb(
    group,
    example="tillid association propose 99000007 A-7KQ2M4XN3P --level Substantial"
    " --basis administrator --identity me.pem",
)
@click.argument("cvr")
@click.argument("application")
@click.option("--level", type=click.Choice(LEVELS), required=True)
@click.option("--basis", type=click.Choice(BASES), required=True)
@click.option("--kind", type=click.Choice(["credential", "link"]), default="credential")
@identity_option
def propose(identity: Path, application: str, **given: Any) -> Result:
    """Propose the person of an application, as administrator or registrant of the organisation."""
    body = {**given, "application_id": application}
    return _state(StaffClient.as_officer(identity).post("associations", body))


@verb(group, example="tillid association list 99000007 --identity me.pem")
@click.argument("cvr")
@identity_option
def _list(cvr: str, identity: Path) -> Result:
    """List the associations of an organisation, as an officer."""
    found = StaffClient.as_officer(identity).get("associations", {"cvr": cvr})
    rows = tuple((a["id"], a["kind"], a["basis"], a["level"] or "", a["state"]) for a in found)
    return Result(
        {"associations": found},
        () if found else ("There is no association.",),
        Table(("Association", "Kind", "Basis", "Level", "State"), rows),
    )


@verb(group, example="tillid association consent B-0123456789abcdef --identity me.pem")
@association_argument
@identity_option
def consent(association: str, identity: Path) -> Result:
    """Agree, as the person, that the organisation is named."""
    return _act(identity, association, "consent")


@verb(group, example="tillid association endorse B-0123456789abcdef --identity me.pem")
@association_argument
@identity_option
def endorse(association: str, identity: Path) -> Result:
    """Act on it as a second administrator."""
    return _act(identity, association, "endorsement")


@verb(group, example="tillid association activate B-0123456789abcdef --identity me.pem")
@association_argument
@identity_option
def activate(association: str, identity: Path) -> Result:
    """Verify it and let it begin, or see every requirement that it does not meet."""
    return _act(identity, association, "activation")


@verb(group, example="tillid association suspend B-0123456789abcdef --identity me.pem")
@association_argument
@identity_option
def suspend(association: str, identity: Path) -> Result:
    """Suspend it, from either side."""
    return _act(identity, association, "suspension")


@verb(group, example="tillid association resume B-0123456789abcdef --identity me.pem")
@association_argument
@identity_option
def resume(association: str, identity: Path) -> Result:
    """Take it up again, from the side that suspended it."""
    return _act(identity, association, "resumption")


@verb(group, example="tillid association end B-0123456789abcdef --identity me.pem")
@association_argument
@identity_option
def end(association: str, identity: Path) -> Result:
    """End it for good, from either side; the certificates that carry it are revoked."""
    return _act(identity, association, "end")


@verb(group, example="tillid association feed 99000007 people.json --identity seal.pem")
@click.argument("cvr")
@click.argument("records", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@identity_option
def feed(cvr: str, records: Path, identity: Path) -> Result:
    """Say who belongs to an organisation, in records that its designated seal signs.

    The identity file is that of the seal: its certificate and key, and the lines Staff and Trust.
    """
    from commands.application import signed_package

    text, seal = read_text(records), Identity.load(identity)
    body = {"records": text, "signature": signed_package(text.encode(), seal)}
    found = StaffClient(seal.staff_url, seal.trust).post(f"organisations/{cvr}/feed/records", body)
    rows = tuple((a["id"], a["kind"], a["level"] or "", a["state"]) for a in found)
    return Result(
        {"associations": found},
        () if found else ("Nobody belongs by this feed.",),
        Table(("Association", "Kind", "Level", "State"), rows),
    )


@verb(
    group,
    example="tillid association apply B-0123456789abcdef request.pem --accept --identity me.pem",
)
@association_argument
@click.argument("request", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@accept_option
@renews_option
@loss_option
@identity_option
def apply(association: str, identity: Path, **given: Any) -> Result:
    """Apply for the certificate of the role, or for the next one."""
    return apply_named(f"associations/{association}/applications", identity, **given)


def _act(identity: Path, association: str, step: str) -> Result:
    return _state(StaffClient.as_officer(identity).post(f"associations/{association}/{step}"))


def _state(found: dict[str, Any]) -> Result:
    level = found["level"] or f"none yet, asked for {found['asked_level']}"
    return Result(found, (f"{found['id']}: {found['state']}, level {level}",))

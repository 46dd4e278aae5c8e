"""`tillid duty`: what has to be revoked of the issuer's own accord, and what became of it.

Everything goes through the staff API, as the officer of the identity given.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.exit_codes import ExitCode
from commands.output import Result, Table, verb

if TYPE_CHECKING:
    from commands.staff_client import StaffClient

_CAUSES = (
    "compromise_suspected",
    "content_wrong",
    "name_changed",
    "number_replaced",
    "agreement_ended",
    "association_ended",
    "mandate_ended",
    "company_ceased",
    "company_bankrupt",
    "death",
    "missing",
    "not_registered",
)
_NO_REASONS = ("register_wrong", "other_person", "credential_right", "opened_in_error")
_COLUMNS = ("id", "state", "cause", "certificate", "deadline", "proposed_by", "decided_by")
_identity = click.option(
    "--identity",
    required=True,
    type=click.Path(path_type=Path),
    help="Act as this officer, a security administrator.",
)


@click.group
def group() -> None:
    """Duties to revoke: list, open, revoke, dismiss."""


@verb(group, example="tillid duty list --identity me.pem")
@click.option(
    "--state",
    default="open",
    type=click.Choice(("open", "revoked", "dismissed")),
    help="Those in this state.",
)
@_identity
def _list(state: str, identity: Path) -> Result:
    """List duties, those that are due first."""
    found = _client(identity).get("duties", {"state": state})
    rows = tuple(tuple(str(each[name] or "") for name in _COLUMNS) for each in found)
    return Result({"duties": found}, (), Table(_COLUMNS, rows))


@verb(group, example="tillid duty open issuing/01ab… --cause missing --identity me.pem")
@click.argument("certificate")
@click.option("--cause", required=True, type=click.Choice(_CAUSES), help="What became known.")
@_identity
def open_(certificate: str, cause: str, identity: Path) -> Result:
    """Open a duty to revoke CERTIFICATE, as ISSUER/SERIAL."""
    issuer, _, serial = certificate.partition("/")
    body = {"issuer": issuer, "serial": serial, "cause": cause}
    found = _client(identity).post("duties", body)
    return Result(found, (f"Duty {found['id']} is due at {found['deadline']}.",))


@verb(group, example="tillid duty revoke D-0123456789abcdef --identity me.pem")
@click.argument("duty")
@click.option("--yes", is_flag=True, help="Do not ask; a revocation is final.")
@_identity
def revoke(duty: str, yes: bool, identity: Path) -> Result:  # noqa: FBT001 - click's way
    """Do the duty: revoke its certificate, for the cause that follows from it."""
    if not yes:
        click.confirm(f"Revoke the certificate of {duty} for good?", abort=True, err=True)
    found = _client(identity).post(f"duties/{duty}/revocation", {})
    return Result(found, (f"{found['issuer']}/{found['serial_number']} is revoked.",))


@verb(group, example="tillid duty dismiss D-01ab… --no-reason other_person --identity me.pem")
@click.argument("duty")
@click.option(
    "--no-reason", required=True, type=click.Choice(_NO_REASONS), help="Why nothing is revoked."
)
@_identity
def dismiss(duty: str, no_reason: str, identity: Path) -> Result:
    """Say that there is no reason to revoke; a second person has to say the same."""
    found: dict[str, Any] = _client(identity).post(
        f"duties/{duty}/dismissal", {"no_reason": no_reason}
    )
    if found["state"] == "open":
        said = f"Duty {duty} waits for a second security administrator to say the same."
        return Result(found, (said,), None, ExitCode.WAITING)
    return Result(found, (f"Duty {duty} is dismissed.",))


def _client(identity: Path) -> "StaffClient":
    from commands.staff_client import StaffClient

    return StaffClient.as_officer(identity)

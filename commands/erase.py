"""`tillid erase`: erasure cases, through the staff API."""

from pathlib import Path

import click

from commands.application import identity_option
from commands.output import Result, Table, verb
from commands.staff_client import StaffClient


@click.group
def group() -> None:
    """Erasure cases: list, approve, receipt."""


@verb(group, example="tillid erase list --identity me.pem")
@identity_option
def _list(identity: Path) -> Result:
    """List every case, newest first."""
    found = StaffClient.as_officer(identity).get("erasures")
    return Result(
        {"erasures": found},
        () if found else ("There is no erasure case.",),
        Table(
            ("Case", "State", "Requested"),
            tuple((c["id"], c["state"], c["requested_at"][:19]) for c in found),
        ),
    )


@verb(group, example="tillid erase approve E-1f2e3d4c5b6a7988 --identity me.pem")
@click.argument("case")
@click.option("--yes", is_flag=True, help="Do not ask; what is erased does not come back.")
@identity_option
def approve(case: str, yes: bool, identity: Path) -> Result:  # noqa: FBT001 - click's way
    """Let an erasure begin; it goes on by itself to its receipt."""
    if not yes:
        click.confirm(f"Erase the person of case {case} for good?", abort=True, err=True)
    found = StaffClient.as_officer(identity).post(f"erasures/{case}/approval")
    return Result(found, (f"{found['id']}: {found['state']}",))


@verb(group, example="tillid erase receipt E-1f2e3d4c5b6a7988 --identity me.pem")
@click.argument("case")
@identity_option
def receipt(case: str, identity: Path) -> Result:
    """Show how far a case has come, and its signed receipt at the end."""
    found = StaffClient.as_officer(identity).get(f"erasures/{case}")
    said = found["receipt"] or "There is no receipt yet."
    return Result(found, (f"{found['id']}: {found['state']}", said))

"""`tillid retention`: what is kept and until when, through the staff API."""

from pathlib import Path
from typing import Any

import click

from commands.application import identity_option
from commands.exit_codes import ExitCode
from commands.installation import installation
from commands.output import Result, Table, verb
from commands.staff_client import StaffClient

_basis = click.option(
    "--basis", required=True, help="Clause or file number; never a name, for it is kept."
)


@click.group
def group() -> None:
    """What is kept and until when: plan, run, legal holds, shorter periods."""


@verb(group, example="tillid retention plan --identity me.pem")
@identity_option
def plan(identity: Path) -> Result:
    """Show whose time to be kept has ended, and why; nothing is written."""
    found = StaffClient.as_officer(identity).get("retention/plan")
    rows = tuple(
        (one["subject"], ruling["class"], str(ruling["count"]), ruling["basis"])
        for one in found
        for ruling in one["rulings"]
    )
    said = f"{len(found)} persons are to be erased once two persons have approved each case."
    return Result(
        {"subjects": found}, (said,), Table(("Subject", "Records", "Count", "Basis"), rows)
    )


@verb(group, example="tillid retention run --dry-run")
@click.option("--dry-run", is_flag=True, help="Name the persons and open no case.")
def run(dry_run: bool) -> Result:  # noqa: FBT001 - click's way
    """Open now the cases that the service opens each night; two persons approve each of them."""
    from server.clock import utc_now
    from server.erasure_nights import open_overdue, overdue

    with installation() as parts:
        now = utc_now()
        found = overdue(parts, now)
        opened = 0 if dry_run else sum(open_overdue(parts, subject, now) for subject in found)
    return Result(
        {"subjects": list(found), "opened": opened},
        (f"{len(found)} persons, {opened} cases opened.",),
    )


@verb(group, example="tillid retention orders --identity me.pem")
@identity_option
def orders(identity: Path) -> Result:
    """List the orders about keeping, the newest first."""
    found = StaffClient.as_officer(identity).get("retention/orders")
    columns = ("id", "kind", "basis", "asked_by", "approved_by")
    rows = tuple(tuple(str(one[name] or "") for name in columns) for one in found)
    return Result({"orders": found}, (), Table(columns, rows))


@verb(group, example="tillid retention hold A-ABCDEFGHIJ --basis 'BS 12-3/2026' --identity me.pem")
@click.argument("application")
@_basis
@identity_option
def hold(application: str, basis: str, identity: Path) -> Result:
    """Ask that nothing of a person is deleted (legal hold); a second person approves."""
    return _ask(identity, kind="hold", application_id=application, basis=basis)


@verb(
    group, example="tillid retention release K-0123456789abcdef --basis 'closed' --identity me.pem"
)
@click.argument("hold_order")
@_basis
@identity_option
def release(hold_order: str, basis: str, identity: Path) -> Result:
    """Ask that a legal hold ends; a second person approves."""
    return _ask(identity, kind="release", hold_id=hold_order, basis=basis)


@verb(group, example="tillid retention shorten A-1 --until 2027-01-31 --basis 5(1)(e)")
@click.argument("application")
@click.option("--until", required=True, help="The day from which nothing has to be kept.")
@_basis
@identity_option
def shorten(application: str, until: str, basis: str, identity: Path) -> Result:
    """Ask that a person's records are kept for less time; a second person approves."""
    return _ask(identity, kind="shorten", application_id=application, until=until, basis=basis)


@verb(group, example="tillid retention write-off main --basis 'decommissioned' --identity me.pem")
@click.argument("directory")
@_basis
@identity_option
def write_off(directory: str, basis: str, identity: Path) -> Result:
    """Ask to declare a directory gone for good; erasures then do not wait for it."""
    return _ask(identity, kind="write_off", directory=directory, basis=basis)


@verb(group, example="tillid retention approve K-0123456789abcdef --identity me.pem")
@click.argument("order")
@identity_option
def approve(order: str, identity: Path) -> Result:
    """Approve an order of another person; it counts from now on."""
    found = StaffClient.as_officer(identity).post(f"retention/orders/{order}/approval", {})
    return Result(found, (f"{found['id']}: {found['kind']}, approved",))


def _ask(identity: Path, **body: Any) -> Result:
    found = StaffClient.as_officer(identity).post("retention/orders", body)
    said = f"{found['id']}: {found['kind']}, a second person has to approve"
    return Result(found, (said,), exit_code=ExitCode.WAITING)

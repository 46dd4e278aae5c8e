"""`tillid training`: who is trained to prove identities, as a security administrator keeps it."""

from datetime import datetime
from pathlib import Path

import click

from commands.output import Result, Table, verb
from commands.staff_client import StaffClient

_identity = click.option(
    "--identity",
    required=True,
    type=click.Path(path_type=Path),
    help="Identity file of the security administrator who acts.",
)
_DAY = click.DateTime(["%Y-%m-%d"])


@click.group
def group() -> None:
    """Trainings of officers: record, list."""


@verb(
    group,
    example="tillid training record officer-3f2a9c0154e2b1aa --on 2026-06-30 --until 2027-06-30"
    " --identity manager.pem",
)
@click.argument("officer")
@click.option("--on", "trained_on", required=True, type=_DAY, help="The day of the training.")
@click.option("--until", required=True, type=_DAY, help="The last day it holds, a year at most.")
@_identity
def record(officer: str, trained_on: datetime, until: datetime, identity: Path) -> Result:
    """Record that an officer, who is another person, was trained to prove identities."""
    body = {
        "officer": officer,
        "trained_on": trained_on.date().isoformat(),
        "valid_until": until.date().isoformat(),
    }
    made = StaffClient.as_officer(identity).post("trainings", body)
    return Result(made, (f"{officer} is trained to prove identities until {body['valid_until']}.",))


@verb(group, example="tillid training list --identity manager.pem")
@_identity
def _list(identity: Path) -> Result:
    """List every training, the newest first."""
    found = StaffClient.as_officer(identity).get("trainings")
    return Result(
        {"trainings": found},
        () if found else ("No training is recorded: tillid training record.",),
        Table(
            ("Officers", "Trained on", "Until", "Recorded by"),
            tuple(
                (", ".join(t["officers"]), t["trained_on"], t["valid_until"], t["recorded_by"])
                for t in found
            ),
        ),
    )

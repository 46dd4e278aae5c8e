"""Keeping the audit log: dropping what was kept long enough, and opening what is personal."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.installation import OPERATOR, installation
from commands.output import Result, Table, verb
from commands.staff_client import StaffClient

if TYPE_CHECKING:
    from audit.retention import Retention

_PURPOSES = ("incident", "dispute", "audit", "data-subject-request", "authority-request")


def add_to(group: click.Group) -> None:
    """Make the verbs of this module those of the group."""
    for declare in (_retain, _open):
        declare(group)


def _retain(group: click.Group) -> None:
    @verb(group, example="tillid audit retain --dry-run")
    @click.option("--dry-run", is_flag=True, help="Say what would go, and drop nothing.")
    def retain(dry_run: bool) -> Result:  # noqa: FBT001 - click's way
        """Drop payloads, then headers, whose calendar year and the years after it are over.

        The periods are audit.personal_years and audit.administrative_years. What is dropped is
        declared in the log, leaf hashes stay, and the log verifies as before.
        """
        from audit.retention import RetentionPeriods
        from records.audit_log import audit_log
        from records.audit_retention import plan_retention
        from records.audit_retention import retain as drop
        from server.clock import utc_now

        with installation() as parts:
            of = parts.settings.audit
            periods = RetentionPeriods(of.personal_years, of.administrative_years)
            if dry_run:
                with audit_log(parts.database) as log:
                    plan = plan_retention(log, periods, utc_now())
            else:
                plan = drop(parts.database, periods, OPERATOR, utc_now())
        return _told(plan, dry_run=dry_run)


def _told(plan: "Retention", *, dry_run: bool) -> Result:
    verb_ = "would go" if dry_run else "are gone"
    said = (
        "Nothing has been kept long enough to go."
        if plan.is_nothing
        else f"{plan.payloads} payloads before event {plan.payloads_below}"
        f" and {plan.headers} headers before event {plan.headers_below} {verb_}."
    )
    return Result(
        {
            "payloads": plan.payloads,
            "payloads_below": plan.payloads_below,
            "headers": plan.headers,
            "headers_below": plan.headers_below,
            "dry_run": dry_run,
        },
        (said,),
    )


def _open(group: click.Group) -> None:
    @verb(group, example="tillid audit open 4096 --purpose dispute --identity me.pem")
    @click.argument("event", type=click.IntRange(0))
    @click.option("--purpose", required=True, type=click.Choice(_PURPOSES), help="What it is for.")
    @click.option(
        "--identity",
        required=True,
        type=click.Path(path_type=Path),
        help="Identity file of an auditor or a security administrator.",
    )
    def _open(event: int, purpose: str, identity: Path) -> Result:
        """Open what an event says of persons; that you did, and for what, is in the log, too."""
        client = StaffClient.as_officer(identity)
        found = client.post(f"audit/events/{event}/openings", {"purpose": purpose})
        rows = tuple(
            (str(payload["number"]), name, str(value))
            for payload in found["payloads"]
            for name, value in payload["content"].items()
        )
        return Result(found, table=Table(("Subject", "What", "Value"), rows))

"""`tillid officer`: who may act, and how they come to their certificates and to the pages."""

from datetime import datetime, timedelta
from pathlib import Path

import click

from commands.application import identity_option
from commands.files import OutFile
from commands.installation import installation
from commands.output import Result, Table, verb

ROLES = (
    "registration_officer",
    "approving_officer",
    "personalisation_operator",
    "code_dispatcher",
    "security_administrator",
    "auditor",
    "case_manager",
    "case_approver",
    "data_protection_officer",
)


@click.group
def group() -> None:
    """Officers: invite, enrol, list, sign in to the pages."""


@verb(group, example="tillid officer invite 'Rikke Holm' --role registration_officer")
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(ROLES), help="What the officer may do.")
def invite(name: str, role: str) -> Result:
    """Invite an officer: gives a link that works once, to enrol a card with."""
    from ca.names import SubjectName
    from records.officers import Role
    from server.clock import utc_now

    SubjectName.of([("CN", name)])  # the same rules as for every name
    with installation() as parts:
        now = utc_now()
        officer = parts.officers.invite(name, Role(role), now)
        minutes = parts.settings.links.minutes
        token = parts.officers.make_link(officer.id, "enrolment", now, timedelta(minutes=minutes))
        link = f"{parts.settings.staff.url}/enrol/{token}"
    return Result(
        {"officer": officer.id, "role": role, "link": link, "minutes": minutes},
        (f"{officer.id} is invited as {role}. Within {minutes} minutes, once:", link),
    )


@verb(group, example="tillid officer train officer-3f2a9c0154e2b1aa --until 2027-06-30")
@click.argument("officer")
@click.option(
    "--on", "trained_on", type=click.DateTime(["%Y-%m-%d"]), help="Day; today if left out."
)
@click.option("--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="Last day, UTC.")
def train(officer: str, trained_on: datetime | None, until: datetime) -> Result:
    """Record as the operator that an officer is trained to prove identities, for a year at most."""
    from server.clock import utc_now

    with installation() as parts:
        now = utc_now()
        days = ((trained_on or now).date(), until.date())
        made = parts.persons.trainings.record(officer, days, None, now)
    return Result(
        {"training": made.id, "officer": officer, "valid_until": made.valid_until.isoformat()},
        (f"{officer} is trained to prove identities until {made.valid_until}.",),
    )


@verb(group, example="tillid officer sign-in --identity me.pem")
@identity_option
def sign_in(identity: Path) -> Result:
    """Make a link with your own certificate, to sign in to the pages with, once."""
    from commands.staff_client import StaffClient

    made = StaffClient.as_officer(identity).post("sign-ins")
    return Result(made, (f"Within {made['minutes']} minutes, once:", made["link"]))


@verb(group, example="tillid officer list")
def _list() -> Result:
    """List the officers with their roles."""
    with installation() as parts:
        found = parts.officers.all()
    return Result(
        {
            "officers": [
                {
                    "officer": o.id,
                    "person": o.person_id,
                    "name": name,
                    "role": o.role,
                    "state": o.state,
                }
                for o, name in found
            ]
        },
        () if found else ("There are no officers yet: tillid officer invite.",),
        Table(
            ("Officer", "Person", "Name", "Role", "State"),
            tuple((o.id, o.person_id, name, o.role.label, o.state) for o, name in found),
        ),
    )


@verb(group, example="tillid officer enrol LINK --trust root.pem --card ./card --out me.pem")
@click.argument("link")
@click.option(
    "--trust", required=True, type=click.Path(exists=True, path_type=Path), help="Root, PEM."
)
@click.option("--card", type=click.Path(path_type=Path), help="Folder of a SoftHSM card to make.")
@click.option("--out", required=True, type=OutFile(), help="Identity file to write.")
def enrol(link: str, trust: Path, card: Path | None, out: Path) -> Result:
    """Make a key and get the certificate of an invited officer.

    The key is made in a SoftHSM token (a stand-in for a card, test equipment) with --card, or in
    the identity file without.
    """
    from commands.enrolment import enrol_card

    facts = enrol_card(link, trust, card, out)
    return Result(facts, (f"{facts['officer']} ({facts['role']}) is enrolled; identity: {out}",))

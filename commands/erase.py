"""`tillid erase`: erasure cases, through the staff API; receipts are checked without it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from commands.application import identity_option
from commands.exit_codes import ExitCode
from commands.files import read_text
from commands.installation import installation
from commands.output import Result, Table, verb
from commands.staff_client import StaffClient


@click.group
def group() -> None:
    """Erasure cases: plan, request, approve, cancel, run, receipt."""


@verb(group, example="tillid erase list --identity me.pem")
@identity_option
def _list(identity: Path) -> Result:
    """List every case, newest first."""
    found = StaffClient.as_officer(identity).get("erasures")
    return Result(
        {"erasures": found},
        () if found else ("There is no erasure case.",),
        Table(
            ("Case", "State", "Requested", "Due"),
            tuple((c["id"], c["state"], c["requested_at"][:19], c["due_at"][:10]) for c in found),
        ),
    )


@verb(group, example="tillid erase plan A-ABCDEFGHIJ --identity me.pem")
@click.argument("application")
@identity_option
def plan(application: str, identity: Path) -> Result:
    """Show what an erasure of the person of an application would delete, and what it would keep.

    Nothing is written.
    """
    path = f"applications/{application}/erasure-plan"
    found = StaffClient.as_officer(identity).get(path)
    return Result(found, (), rulings_table(found))


@verb(group, example="tillid erase request A-ABCDEFGHIJ --identity me.pem")
@click.argument("application")
@click.option("--dry-run", is_flag=True, help="Show the rulings and open no case.")
@identity_option
def request(application: str, dry_run: bool, identity: Path) -> Result:  # noqa: FBT001 - click's way
    """Open a case for a person who asked by letter or in person; two others approve it."""
    client = StaffClient.as_officer(identity)
    if dry_run:
        found = client.get(f"applications/{application}/erasure-plan")
        return Result(found, ("No case was opened.",), rulings_table(found))
    found = client.post("erasures", {"application_id": application})
    said = f"{found['id']}: {found['state']}, an answer is owed by {found['due_at'][:10]}"
    return Result(found, (said,), rulings_table(found))


@verb(group, example="tillid erase approve E-1f2e3d4c5b6a7988 --identity me.pem")
@click.argument("case")
@click.option("--rulings", metavar="SHA256", help="The digest of the rulings that you approve.")
@click.option("--yes", is_flag=True, help="Do not ask; what is erased does not come back.")
@identity_option
def approve(case: str, rulings: str | None, yes: bool, identity: Path) -> Result:  # noqa: FBT001 - click's way
    """Approve the rulings of a case; the second person's approval lets it begin."""
    client = StaffClient.as_officer(identity)
    shown = client.get(f"erasures/{case}")
    if not yes:
        for ruling in shown["rulings"]:
            click.echo(f"{ruling['class']} ({ruling['count']}): {ruling['text']['en']}", err=True)
        click.confirm(f"Approve the erasure of case {case} for good?", abort=True, err=True)
    body = {"rulings_sha256": rulings or shown["rulings_sha256"]}
    found = client.post(f"erasures/{case}/approval", body)
    waits = found["state"] == "requested"
    said = f"{found['id']}: {found['state']}" + (", a second person has to approve" * waits)
    return Result(found, (said,), exit_code=ExitCode.WAITING if waits else ExitCode.DONE)


@verb(group, example="tillid erase cancel E-1f2e3d4c5b6a7988 --identity me.pem")
@click.argument("case")
@identity_option
def cancel(case: str, identity: Path) -> Result:
    """End a case before it is frozen; nothing was done for it then."""
    found = StaffClient.as_officer(identity).post(f"erasures/{case}/cancellation")
    return Result(found, (f"{found['id']}: {found['state']}",))


@verb(group, example="tillid erase run")
@click.option("--dry-run", is_flag=True, help="Name the cases and carry none on.")
def run(dry_run: bool) -> Result:  # noqa: FBT001 - click's way
    """Carry on, now and here, the cases that were approved; the service does it by itself."""
    with installation() as parts:
        waiting = {case.id: case.state for case in parts.erasures.open_erasures()}
        if not dry_run and waiting:
            from server.service import jobs_by_hand

            jobs_by_hand(parts, ("carry-on-erasures",))
        after = {case: parts.erasures.erasure(case).state for case in waiting}
    rows = tuple((case, str(state), str(after[case])) for case, state in waiting.items())
    return Result(
        {"cases": [{"id": case, "before": was, "after": now} for case, was, now in rows]},
        () if rows else ("No case is open.",),
        Table(("Case", "Before", "After"), rows),
    )


@group.group
def receipt() -> None:
    """Receipts of erasures: show, verify."""


@verb(receipt, example="tillid erase receipt show E-1f2e3d4c5b6a7988 --identity me.pem")
@click.argument("case")
@identity_option
def show(case: str, identity: Path) -> Result:
    """Show how far a case has come, and its signed receipt at the end."""
    found = StaffClient.as_officer(identity).get(f"erasures/{case}")
    said = found["receipt"] or "There is no receipt yet."
    return Result(found, (f"{found['id']}: {found['state']}", said))


@verb(receipt, example="tillid erase receipt verify receipt.txt --key audit.pem")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The public key of the service, PEM; otherwise it is asked from this installation.",
)
@click.option("--mine", is_flag=True, help="Ask for name and key, to see whose receipt it is.")
def verify(file: Path, key: Path | None, mine: bool) -> Result:  # noqa: FBT001 - click's way
    """Check a receipt offline: its signature, and that the audit log tells of the destruction."""
    from gdpr_erasure.errors import ReceiptInvalid
    from gdpr_erasure.receipt import is_holder, verify_receipt
    from server.assembly import AUDIT_ORIGIN

    try:
        told = verify_receipt(read_text(file), _public_key(key), AUDIT_ORIGIN)
    except ReceiptInvalid as error:
        return Result(
            {"valid": False, "check": error.check},
            (f"{error}.".capitalize(),),
            exit_code=ExitCode.CHECK_SAYS_NO,
        )
    said = [f"The receipt {told['receipt']} stands, and the audit log tells of the destruction."]
    value: dict[str, object] = {"valid": True, "receipt": told["receipt"]}
    if mine:
        name = click.prompt("Name as in the certificate", err=True)
        secret = click.prompt("Key that was given at the request", hide_input=True, err=True)
        value["mine"] = is_holder(str(told["holder"]), secret, name)
        said.append("It is yours." if value["mine"] else "It is not of this name and key.")
    code = ExitCode.CHECK_SAYS_NO if value.get("mine") is False else ExitCode.DONE
    return Result(value, tuple(said), exit_code=code)


def _public_key(file: Path | None) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    from ca.errors import MalformedRequest
    from hsm.labels import AUDIT_KEY

    if file is None:
        with installation(checked=False) as parts:
            return parts.tokens.service_key(AUDIT_KEY).public_key()
    try:
        key = load_pem_public_key(read_text(file).encode())
    except ValueError:
        raise MalformedRequest(f"file {file}", "it is no public key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise MalformedRequest(f"file {file}", "it is no key on an elliptic curve")
    return key


def rulings_table(found: Mapping[str, Any]) -> Table:
    """What becomes of each class of records."""
    return Table(
        ("Records", "Count", "Action", "Until", "Basis"),
        tuple(
            (one["class"], str(one["count"]), one["action"], one["until"] or "", one["basis"])
            for one in found["rulings"]
        ),
    )

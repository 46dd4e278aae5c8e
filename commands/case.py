"""`tillid case`: data-subject cases, through the staff API as an officer."""

from pathlib import Path
from typing import Any

import click

from commands.application import identity_option
from commands.exit_codes import ExitCode
from commands.files import OutFile, read_octets, write_octets
from commands.output import Result, Table, verb
from commands.staff_client import StaffClient

KINDS = (
    "access",
    "rectification",
    "erasure",
    "restriction",
    "portability",
    "objection",
    "consent_withdrawal",
)
CONTENTS = ("text", "file", "package", "refusal", "extension", "passphrase")
PURPOSES = ("handling", "approval", "supervision", "complaint")
case_argument = click.argument("case")


@click.group
def group() -> None:
    """Data-subject cases: take in, identify, prepare, approve, answer."""


def _concerns(application: str | None, certificate: str | None) -> dict[str, str] | None:
    if application is None and certificate is None:
        return None
    named = {"application": application, "certificate": certificate}
    return {name: value for name, value in named.items() if value is not None}


def _whose(function: Any) -> Any:
    """The two ways to say whose data it is."""
    certificate = click.option("--certificate", help="Of whom: a certificate, ISSUER/SERIAL.")
    return click.option("--application", help="Of whom: an application.")(certificate(function))


@verb(group, example="tillid case open access --application A-7KQ2M4XN3P --identity me.pem")
@click.argument("kind", type=click.Choice(KINDS))
@_whose
@click.option("--language", type=click.Choice(["da", "sv", "en"]), default="da")
@click.option("--scope", multiple=True, help="A class of records; none means everything.")
@click.option("--request", "words", default="", help="What was asked for, in the own words.")
@click.option("--contact", default="", help="How the requester wants to be reached.")
@identity_option
def _open(identity: Path, **given: Any) -> Result:
    """Take a request in; prints the secret with which the requester follows the case."""
    body: dict[str, object] = {
        "kind": given["kind"],
        "language": given["language"],
        "scopes": list(given["scope"]),
        "request": given["words"],
        "contact": given["contact"],
    }
    concerns = _concerns(given["application"], given["certificate"])
    body |= {} if concerns is None else {"concerns": concerns}
    found = StaffClient.as_officer(identity).post("cases", body)
    told = f"Give the requester the number {found['id']} and this secret: {found['secret']}"
    return Result(found, (*_sentences(found), told))


@verb(group, example="tillid case list --identity me.pem")
@click.option("--state", help="Only those in this state; else all that are open.")
@identity_option
def _list(state: str | None, identity: Path) -> Result:
    """List cases, those that are due first."""
    found = StaffClient.as_officer(identity).get("cases", {"state": state} if state else {})
    rows = tuple(
        (c["id"], c["kind"], c["state"], c["due_on"] or "", c["assignee"] or "") for c in found
    )
    return Result(
        {"cases": found},
        () if found else ("There is no such case.",),
        Table(("Case", "Kind", "State", "Due", "Assignee"), rows),
    )


@verb(group, example="tillid case show K7F2M9QX --identity me.pem")
@case_argument
@identity_option
def show(case: str, identity: Path) -> Result:
    """Show how a case stands: due day, parts, files, approvals, delivery."""
    found = StaffClient.as_officer(identity).get(f"cases/{case}")
    rows = tuple(_part(each) for each in found["parts"])
    return Result(found, _sentences(found), Table(("Part", "Records", "State"), rows))


@verb(group, example="tillid case read K7F2M9QX --what text --purpose handling --identity me.pem")
@case_argument
@click.option("--what", type=click.Choice(CONTENTS), default="text")
@click.option("--number", type=click.IntRange(1), help="Which file.")
@click.option("--purpose", type=click.Choice(PURPOSES), required=True, help="It is logged.")
@click.option("--out", required=True, type=OutFile(stdout=False), help="Where it goes.")
@identity_option
def read(identity: Path, out: Path, **given: Any) -> Result:
    """Read what is sealed in a case, into a file."""
    from hashlib import sha256

    body = {"what": given["what"], "purpose": given["purpose"]}
    body |= {} if given["number"] is None else {"number": given["number"]}
    octets = StaffClient.as_officer(identity).send(f"cases/{given['case']}/openings", body)
    write_octets(out, octets)
    digest = sha256(octets).hexdigest()
    return Result({"out": str(out), "sha256": digest}, (f"{out}: SHA-256 {digest}",))


@verb(group, example="tillid case assign K7F2M9QX --to officer-3f2a9c01 --identity me.pem")
@case_argument
@click.option("--to", help="The case manager; nobody named is yourself.")
@identity_option
def assign(case: str, to: str | None, identity: Path) -> Result:
    """Give a case to a case manager."""
    return _act(identity, f"cases/{case}/assignment", {"officer": to} if to else {})


@verb(group, example="tillid case ask-identity K7F2M9QX --identity me.pem")
@case_argument
@identity_option
def ask_identity(case: str, identity: Path) -> Result:
    """Ask the requester for proof of identity; within three days, the clock stands meanwhile."""
    return _act(identity, f"cases/{case}/identity-request")


@verb(
    group,
    example="tillid case identify K7F2M9QX --application A-7KQ2M4XN3P --level Substantial"
    " --evidence 'passport, desk 4' --identity me.pem",
)
@case_argument
@_whose
@click.option("--method", type=click.Choice(["desk", "credential"]), default="desk")
@click.option("--level", type=click.Choice(["Low", "Substantial", "High"]), required=True)
@click.option("--evidence", required=True, help="Reference to what was seen.")
@identity_option
def identify(identity: Path, **given: Any) -> Result:
    """Record that the requester proved an identity, and whose data it is."""
    body = {
        "method": given["method"],
        "level": given["level"],
        "evidence": given["evidence"],
        "concerns": _concerns(given["application"], given["certificate"]) or {},
    }
    return _act(identity, f"cases/{given['case']}/identity", body)


@verb(group, example="tillid case add-file K7F2M9QX letter.pdf --for-requester --identity me.pem")
@case_argument
@click.argument("file")
@click.option("--for-requester", is_flag=True, help="It goes into the answer.")
@identity_option
def add_file(case: str, file: str, for_requester: bool, identity: Path) -> Result:  # noqa: FBT001 - click's way
    """Add a file to a case, - for standard input; at most a mebibyte."""
    from base64 import b64encode

    name = "file" if file == "-" else Path(file).name
    content = b64encode(read_octets(file)).decode()
    body = {"name": name, "content": content, "for_requester": for_requester}
    found = StaffClient.as_officer(identity).post(f"cases/{case}/files", body)
    return Result(found, (f"File {found['number']}: SHA-256 {found['sha256']}",))


@verb(group, example="tillid case clarify K7F2M9QX 'Which year?' --identity me.pem")
@case_argument
@click.argument("question")
@identity_option
def clarify(case: str, question: str, identity: Path) -> Result:
    """Ask the requester what is meant."""
    return _act(identity, f"cases/{case}/clarification", {"question": question})


@verb(group, example="tillid case resume K7F2M9QX --identity me.pem")
@case_argument
@identity_option
def resume(case: str, identity: Path) -> Result:
    """Assess again: after a clarification, or to send back what waits for approval."""
    return _act(identity, f"cases/{case}/resumption")


@verb(group, example="tillid case prepare K7F2M9QX --identity me.pem")
@case_argument
@identity_option
def prepare(case: str, identity: Path) -> Result:
    """Collect the parts and hand them to the approvers; again for what could not be reached."""
    found = StaffClient.as_officer(identity).post(f"cases/{case}/preparation")
    whole = found["state"] == "awaiting_approval"
    rows = tuple(_part(each) for each in found["parts"])
    code = ExitCode.WAITING if whole else ExitCode.PARTLY_DONE
    table = Table(("Part", "Records", "State"), rows)
    return Result(found, _sentences(found), table, code)


@verb(group, example="tillid case approve K7F2M9QX --sha256 DIGEST --identity me.pem")
@case_argument
@click.option("--sha256", required=True, help="Of the package that you read.")
@identity_option
def approve(case: str, sha256: str, identity: Path) -> Result:
    """Approve exactly what you read; two persons are needed."""
    found = StaffClient.as_officer(identity).post(f"cases/{case}/approval", {"sha256": sha256})
    approved = found["state"] == "approved"
    code = ExitCode.DONE if approved else ExitCode.WAITING
    return Result(found, _sentences(found), exit_code=code)


@verb(group, example="tillid case deliver K7F2M9QX --identity me.pem")
@case_argument
@click.option("--dry-run", is_flag=True, help="Only show what would be delivered.")
@identity_option
def deliver(case: str, dry_run: bool, identity: Path) -> Result:  # noqa: FBT001 - click's way
    """Encrypt the answer to the requester, who fetches it with the secret of the case."""
    client = StaffClient.as_officer(identity)
    if dry_run:
        return _planned(client.get(f"cases/{case}"))
    found = client.post(f"cases/{case}/delivery")
    said = "It is encrypted to the requester's own certificate."
    if found["passphrase"]:
        said = f"Tell the requester this passphrase by another way: {found['passphrase']}"
    return Result(found, (*_sentences(found), said))


@verb(group, example="tillid case carry-out K7F2M9QX --identity me.pem")
@case_argument
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--application", help="Rectification: the application with the corrected data.")
@click.option("--erase", is_flag=True, help="Erasure, as security administrator; final.")
@identity_option
def carry_out(identity: Path, **given: Any) -> Result:
    """Do what was approved: restrict, unpublish, rectify or erase."""
    client, case = StaffClient.as_officer(identity), given["case"]
    if given["dry_run"]:
        return _planned(client.get(f"cases/{case}"))
    if given["application"]:
        body = {"application": given["application"]}
        found = client.post(f"cases/{case}/rectification", body)
        if not found["done"]:
            said = "Nothing is changed until the corrected certificate is live; then run it again."
            return Result(found, (said,), exit_code=ExitCode.PARTLY_DONE)
        return Result(found, _sentences(found))
    return _act(identity, f"cases/{case}/{'erasure' if given['erase'] else 'execution'}")


@verb(group, example="tillid case lift K7F2M9QX --identity me.pem")
@case_argument
@click.option("--tell", is_flag=True, help="Tell the person first, three days before.")
@identity_option
def lift(case: str, tell: bool, identity: Path) -> Result:  # noqa: FBT001 - click's way
    """End a restriction, after the person was told."""
    return _act(identity, f"cases/{case}/{'lifting-notice' if tell else 'lifting'}")


@verb(
    group,
    example="tillid case refuse K7F2M9QX --reasons 'Not you' --complaint Datatilsynet"
    " --court 'City court' --identity me.pem",
)
@case_argument
@click.option("--reasons", required=True, help="Why.")
@click.option("--complaint", required=True, help="The authority to complain to.")
@click.option("--court", required=True, help="The judicial remedy.")
@identity_option
def refuse(identity: Path, case: str, **told: str) -> Result:
    """Refuse a case, and tell the requester what Art. 12(4) asks for."""
    return _act(identity, f"cases/{case}/refusal", told)


@verb(group, example="tillid case extend K7F2M9QX --reason 'Twelve archives' --identity me.pem")
@case_argument
@click.option("--reason", required=True, help="Why it takes longer; the requester is told.")
@identity_option
def extend(case: str, reason: str, identity: Path) -> Result:
    """Take two months more, inside the first month."""
    return _act(identity, f"cases/{case}/extension", {"reason": reason})


@verb(group, example="tillid case withdraw K7F2M9QX --identity me.pem")
@case_argument
@identity_option
def withdraw(case: str, identity: Path) -> Result:
    """The requester wants it no more."""
    return _act(identity, f"cases/{case}/withdrawal")


def _act(identity: Path, path: str, body: object = None) -> Result:
    found = StaffClient.as_officer(identity).post(path, body)
    return Result(found, _sentences(found))


def _planned(found: dict[str, Any]) -> Result:
    acts = {
        "access": "be delivered",
        "portability": "be delivered",
        "restriction": "put every live certificate on hold and take it out of the directories",
        "rectification": "revoke the wrong certificates once the corrected one is live",
        "erasure": "revoke every live certificate and let the erasure begin, for good",
    }
    does = acts.get(found["kind"], "take every certificate out of the directories")
    ready = found["state"] == "approved"
    said = f"It would {does}." if ready else f"Nothing: it is {found['state']}."
    return Result(found, (*_sentences(found), said))


def _part(found: dict[str, Any]) -> tuple[str, str, str]:
    count = "" if found["records"] is None else str(found["records"])
    return found["name"], count, "done" if found["done"] else found["failure"] or "missing"


def _sentences(found: dict[str, Any]) -> tuple[str, ...]:
    said = [f"{found['id']}: {found['kind']} (GDPR {found['article']}), {found['state']}"]
    if found["due_on"]:
        stands = "; the clock stands until the identity is proved" if found["clock_stands"] else ""
        said.append(f"due on {found['due_on']}{stands}")
    if found["package_sha256"] and found["state"] == "awaiting_approval":
        said.append(f"package SHA-256 {found['package_sha256']}")
    if found["repetition"]:
        said.append(f"{found['repetition']} of this kind in the year before (Art. 12(5))")
    return tuple(said)

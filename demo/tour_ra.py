"""A tour of the registration authority: six ways to a certificate, and who gets none, and why.

It is played from its beginning each time. The people are personas of the test registers.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from demo.applicants import (
    Applicant,
    apply,
    approve,
    attestation,
    certified,
    conclude,
    holder,
    looked_at,
    make_request,
    passport,
    reasons,
    refusal,
    show_passport,
    sign_duty,
)
from demo.chapters import ceremony, enrol, identity, service
from demo.letters import make_printer, read_code
from demo.organisations import (
    appoint,
    ask_mandate,
    associate,
    conclude_mandate,
    file_documents,
    grant_mandate,
    sealed,
)
from demo.relying_party import RelyingParty
from demo.stage import Stage
from demo.tour_ra_afterwards import bankruptcy, child, death
from demo.tour_ra_refusals import people, traces
from server.clock import utc_now

Chapter = Iterator[str]
STAFF = {
    "registration_officer": "Rikke Holm",
    "approving_officer": "Anders Lund",
    "counter_officer": "Mette Friis",
    "personalisation_operator": "Jens Toft",
    "code_dispatcher": "Lise Ravn",
    "security_administrator": "Sofie Krogh",
}
SOEREN = Applicant("low", "0108589995")
NANCY = Applicant("director", "2512489996")
KIRSTEN = Applicant("high", "2911829996")
ANDERS = Applicant("emigrated", "3103979995")
ASTA = Applicant("employee", "0707614285")
COMPANY, JOINT, CEASED = "99000007", "99000015", "99000031"
FOUNDATION, SILENT = "99000066", "99000082"


def five_people(stage: Stage) -> Chapter:
    """At High five people sign for one credential, and a file outside the database names them."""
    yield from service(stage)
    yield from enrol(stage, STAFF)
    listed = {each["officer"]: each for each in stage.tillid("officer", "list")["officers"]}
    tables = []
    for called, officer in stage.facts["officers"].items():
        pem = identity(stage, called).read_bytes()
        der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        lines = f'person = "{listed[officer]["person"]}"\n'
        tables.append(f'[[officer]]\n{lines}certificate_sha256 = "{sha256(der).hexdigest()}"\n')
    until = (utc_now() + timedelta(days=300)).date().isoformat()
    tables.append(
        '[[risk_assessment]]\nprofile = "natural-person-high"\nreference = "RA-1"\n'
        f'approved_by = "security board"\nvalid_until = {until}\ndelivery = ["online"]\n'
    )
    decisions = stage.folder / "decisions.toml"
    decisions.write_text("\n".join(tables))
    settings = stage.state / "tillid.toml"
    settings.write_text(
        f'{settings.read_text()}\n[delivery]\ndecisions_file = "{decisions}"\n'
        f'printer_certificate = "{make_printer(stage)}"\n'
    )
    stage.stop_service()
    stage.start_service()
    yield f"whose signatures count at High, and what was assessed: {decisions}"


def at_low(stage: Stage) -> Chapter:
    """A passport that nobody compared with a face is enough at Low, and only there."""
    made = apply(stage, SOEREN, "low", make_request(stage, SOEREN.name))
    show_passport(stage, made["id"], passport(SOEREN), face=None)
    yield from certified(stage, SOEREN, made)


def at_substantial(stage: Stage) -> Chapter:
    """At Substantial something has to stand against somebody else's applying."""
    request = make_request(stage, NANCY.name)
    made = apply(stage, NANCY, "substantial", request, publication_consent=True)
    stage.remember(director=made["id"])
    show_passport(stage, made["id"], passport(NANCY), face=None)
    yield f"the same evidence: refused, {refusal(conclude, stage, made['id'])}"
    show_passport(stage, made["id"], passport(NANCY))
    clerk, approver = (identity(stage, f"{who}_officer") for who in ("registration", "approving"))
    for act, who in (("conclude", clerk), ("approve", approver)):
        found = stage.tillid("application", act, made["id"], "--identity", str(who))
        yield f"$ tillid application {act} {made['id']} --identity {who.name}: {found['state']}"
    yield looked_at(stage, NANCY.name, made)
    party = RelyingParty(stage, NANCY.name)
    stage.wait_for("the directory entry", lambda: party.directory_values() == 1)
    yield "the directory holds the certificate, with the consent of its holder"


def at_high(stage: Stage) -> Chapter:
    """At High the key is in a device, a letter brings the code, and five people signed."""
    made = _applied_at_high(stage, KIRSTEN)
    show_passport(stage, made["id"], passport(KIRSTEN), face=None)
    yield f"without a comparison: refused, {refusal(conclude, stage, made['id'])}"
    _approved_at_high(stage, KIRSTEN, made)
    yield "verified, the proofing signed by one officer and the package by another"
    _prepare(stage, made)
    _send_code(stage, made)
    code = _printed(stage)
    yield "the code goes to the address of the register, in a letter for the printer alone"
    activate = partial(_activate, stage, made, code)
    yield f"activated before anybody checked the person: refused, {refusal(activate)}"
    by = partial(_duty, stage, made, "personal_check", "registration_officer")
    yield f"the officer who proved would check the person, too: refused, {refusal(by)}"
    _duty(stage, made, "personal_check", "counter_officer")
    yield f"checked at the counter by a fifth person; the holder activates: {activate()['state']}"
    yield looked_at(stage, KIRSTEN.name, made)
    made = _applied_at_high(stage, ANDERS)
    _approved_at_high(stage, ANDERS, made)
    _prepare(stage, made)
    yield f"a letter to somebody who emigrated: refused, {refusal(_send_code, stage, made)}"


def director(stage: Stage) -> Chapter:
    """A director registers a company and gets its seal."""
    who = holder(stage, NANCY.name)
    asked = ("organisation", "ask", COMPANY, "--level", "Substantial", "--by-role")
    mandate = stage.tillid(*asked, "--identity", str(who))
    yield f"$ tillid {' '.join(asked)} --identity {who.name}: {mandate['state']}"
    yield f"mandate {mandate['id']}: {grant_mandate(stage, mandate)}, by the role in the register"
    yield from sealed(stage, COMPANY, who, "seal")
    yield from sealed(stage, COMPANY, who, "next-seal", renews="seal")
    party = RelyingParty(stage, "seal")
    stage.wait_for("OCSP", party.ocsp_revoked)
    yield f"renewed, with the mandate judged anew; the old one: {party.ocsp_says()}"


def employee(stage: Stage) -> Chapter:
    """An employee, proven and associated, gets the certificate of the role."""
    own = apply(stage, ASTA, "substantial", make_request(stage, ASTA.name))
    show_passport(stage, own["id"], passport(ASTA))
    yield from certified(stage, ASTA, own)
    stage.remember(employee=own["id"])
    boss, person = (holder(stage, who.name) for who in (NANCY, ASTA))
    yield from appoint(stage, COMPANY, boss, stage.facts["director"])
    yield from associate(stage, COMPANY, boss, (own["id"], person))


def personnel(stage: Stage) -> Chapter:
    """The company's own system says who belongs to it, signed by the seal it designated."""
    boss, seal = holder(stage, NANCY.name), holder(stage, "next-seal")
    yield f"the seal is not designated: refused, {refusal(_fed, stage, seal)}"
    named = ("organisation", "feed", COMPANY, "--seal", str(stage.folder / "next-seal.pem"))
    stage.tillid(*named, "--identity", str(boss))
    yield f"$ tillid organisation feed {COMPANY} --seal next-seal.pem --identity {boss.name}"
    yield f"signed by somebody else: refused, {refusal(_fed, stage, boss)}"
    made = _fed(stage, seal)
    stage.api(f"associations/{made['id']}/consent", {}, identity=boss)
    yield f"association {made['id']}: {made['state']}, and {_fed(stage, seal)['state']} once agreed"


def foundation(stage: Stage) -> Chapter:
    """A foundation's charter and minutes show who may act, up to Substantial."""
    who = holder(stage, NANCY.name)
    high = ask_mandate(stage, FOUNDATION, who, level="High")
    file_documents(stage, high)
    yield f"at High: refused, {refusal(conclude_mandate, stage, high)}"
    mandate = ask_mandate(stage, FOUNDATION, who)
    file_documents(stage, mandate)
    yield f"mandate {mandate['id']}: {grant_mandate(stage, mandate)}, by charter and minutes"
    yield from sealed(stage, FOUNDATION, who, "foundation")


def companies(stage: Stage) -> Chapter:
    """Companies that get nothing, each with the requirement."""
    who = holder(stage, NANCY.name)
    told = {JOINT: "two directors sign jointly, and one asks", CEASED: "the company has ceased"}
    for cvr, what in told.items():
        mandate = ask_mandate(stage, cvr, who, by_role=True)
        yield f"{what}: refused, {refusal(conclude_mandate, stage, mandate)}"
    waiting = conclude_mandate(stage, ask_mandate(stage, SILENT, who, by_role=True))
    yield f"the register is silent: {waiting['state']}, {reasons(waiting)}"
    for cvr, what in (("99000104", "no such company"), ("12345678", "a wrong check digit")):
        yield f"{what}: refused, {refusal(ask_mandate, stage, cvr, who)}"
    sealing = partial(sealed, stage, COMPANY, holder(stage, ASTA.name), "stolen")
    yield f"an employee applies for the seal: refused, {refusal(lambda: list(sealing()))}"


def _duty(stage: Stage, made: Any, task: str, officer: str) -> None:
    body = {"signature": sign_duty(stage, made["id"], task, officer)}
    path = f"applications/{made['id']}/duties/{task}"
    stage.api(path, body, identity=identity(stage, officer))


def _prepare(stage: Stage, made: Any) -> None:
    who = "personalisation_operator"
    body = {
        "channel": "online",
        "signature": sign_duty(stage, made["id"], "personalisation", who),
    }
    path = f"applications/{made['id']}/preparation"
    stage.api(path, body, identity=identity(stage, who))


def _applied_at_high(stage: Stage, who: Applicant) -> Any:
    request = make_request(stage, who.name)
    return apply(stage, who, "high", request, device="card", attestation=attestation(request))


def _approved_at_high(stage: Stage, who: Applicant, made: Any) -> None:
    show_passport(stage, made["id"], passport(who))
    conclude(stage, made["id"])
    _duty(stage, made, "proofing", "registration_officer")
    approve(stage, made["id"])


def _send_code(stage: Stage, made: Any) -> None:
    who = identity(stage, "code_dispatcher")
    signature = sign_duty(stage, made["id"], "code_dispatch", "code_dispatcher")
    body = {"channel": "post", "signature": signature}
    stage.api(f"applications/{made['id']}/codes", body, identity=who)


def _printed(stage: Stage) -> str:
    """The one letter that waits is printed and confirmed; gives the code that its reader reads."""
    who = identity(stage, "code_dispatcher")
    (letter,) = stage.api("letters", identity=who)
    code = read_code(stage, stage.fetch(f"letters/{letter['id']}", identity=who))
    stage.api(f"letters/{letter['id']}/confirmation", {}, identity=who)
    return code


def _activate(stage: Stage, made: Any, code: str) -> Any:
    body = {"code": code, "receipt": True}
    return stage.api(f"applications/{made['id']}/activation", body, made["secret"])


def _fed(stage: Stage, who: Path) -> Any:
    """The association of the one person in the records, which an identity's key signs."""
    records = stage.folder / "people.json"
    told = {
        "cvr": COMPANY,
        "made_at": utc_now().isoformat(),
        "level": "Substantial",
        "people": [stage.facts["director"]],
    }
    records.write_text(json.dumps(told))
    asked = ("association", "feed", COMPANY, str(records), "--identity", str(who))
    (made,) = stage.tillid(*asked)["associations"]
    return made


REGISTRATION = (
    ("The key ceremony", ceremony),
    ("Service, directory, and the officers", five_people),
    ("An applicant at Low", at_low),
    ("An applicant at Substantial", at_substantial),
    ("An applicant at High", at_high),
    ("A company director", director),
    ("An employee", employee),
    ("A company's own system", personnel),
    ("A foundation", foundation),
    ("People who get no certificate", people),
    ("Companies that get none", companies),
    ("A child", child),
    ("A company goes bankrupt", bankruptcy),
    ("A holder dies", death),
    ("What is left behind", traces),
)

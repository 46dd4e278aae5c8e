"""The chapters of the story, each played so that it can be played again.

A chapter looks at what is there, does what is missing, and yields one line for each thing that
happened. What a later run needs to know is remembered with the stage.
"""

import hashlib
import shlex
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

from cryptography import x509

from demo import direct_sql
from demo.errors import CommandFailed, DemoError
from demo.identities import environment_of, sign_command
from demo.relying_party import RelyingParty
from demo.stage import Stage, line
from ra.fake_registers import persona_name, specimen_passport
from ra.identity import CprNumber
from server.clock import utc_now

ORGANISATION = "Tillid Demo"
APPLICANT = "2512489996"
STAFF = {
    "registration_officer": "Rikke Holm",
    "approving_officer": "Anders Lund",
    "security_administrator": "Sofie Krogh",
    "second_administrator": "Bo Dahl",
    "auditor": "Åse Bøgh",
}
ROLES = {
    "second_administrator": "security_administrator",
    "counter_officer": "registration_officer",
}
"""The role of whoever is not called by it."""
FEATURES = ("hologram", "microprint", "optically-variable-ink")

Chapter = Iterator[str]


def ceremony(stage: Stage) -> Chapter:
    """Tokens, keys, and two certificate authorities."""
    stage.tillid("db", "migrate")
    for step in stage.tillid("ceremony", "run", "--organisation", ORGANISATION)["steps"]:
        told = f"{step['issuer']}: {step['done']}"
        yield f"{told}, SHA-256 {step['fingerprint']}" if step["fingerprint"] else told
    pins = stage.state / "softhsm" / "pins"
    yield f"PINs are random, in files for the owner alone: {pins}"


def staff(stage: Stage) -> Chapter:
    """Directory and service start; five officers are invited, each with a card of their own."""
    yield from service(stage)
    yield from enrol(stage, STAFF)


def service(stage: Stage) -> Chapter:
    """Directory and service start."""
    stage.start_directory()
    yield f"directory: {stage.slapd.url}, base {stage.slapd.suffix}"
    stage.start_service()
    yield f"public listener: {stage.settings.public.url}, staff: {stage.settings.staff.url}"
    RelyingParty(stage).fetch_issuers()


def enrol(stage: Stage, staff: Mapping[str, str]) -> Chapter:
    """Invite and enrol whoever of these is missing; names by what the story calls them."""
    people = stage.facts.setdefault("officers", {})
    missing = [called for called in staff if called not in people]
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda called: _enrol(stage, called, staff[called]), missing))
    finally:
        stage.remember()
    for called in staff:
        officer = people[called]
        yield f"{called.replace('_', ' ')}: {officer}, key in a card (SoftHSM token)"


def _enrol(stage: Stage, called: str, name: str) -> None:
    card, role = stage.folder / "cards" / called, ROLES.get(called, called)
    card.mkdir(parents=True, exist_ok=True, mode=0o700)
    invited = stage.tillid("officer", "invite", name, "--role", role)
    arguments = ["officer", "enrol", invited["link"], "--trust", str(stage.folder / "root.pem")]
    stage.tillid(*arguments, "--card", str(card), "--out", str(identity(stage, called)))
    if role == "registration_officer":
        last = (utc_now() + timedelta(days=365)).date()
        stage.tillid("officer", "train", invited["officer"], "--until", last.isoformat())
    stage.facts["officers"][called] = invited["officer"]


def application(stage: Stage) -> Chapter:
    """An applicant applies at Substantial, is vetted by one officer and approved by another."""
    if "certificate" in stage.facts:
        yield "done in an earlier run"
        return
    if "application" not in stage.facts:
        yield from _apply(stage)
    yield from _vet(stage)
    yield from _approve(stage)


def _apply(stage: Stage) -> Chapter:
    key, csr = stage.folder / "applicant.key", stage.folder / "applicant.csr"
    given, surname = persona_name(CprNumber(APPLICANT))
    command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", str(key), "-out", str(csr), "-subj", "/CN=ignored"]
    stage.tool(command)
    yield line(command)
    shown = stage.api("presentations", {"language": "en"})
    answers = {}
    for kind in ("terms", "security_notice"):
        digest = shown[kind]["sha256"]
        stage.api("presentations/completion", {"sha256": digest}, secret=shown["session"])
        answers[kind] = {"sha256": digest, "read": True, "accepted": True}
    body = {
        "profile": "natural-person-substantial",
        "attributes": {"given_name": given, "surname": surname, "cpr_number": APPLICANT},
        "certificate_request": csr.read_text(),
        "publication_consent": True,
        "session": shown["session"],
        **answers,
    }
    made = stage.api("applications", body)
    stage.remember(application=made["id"], secret=made["secret"])
    yield f"application {made['id']}: {made['state']}, terms and security notice accepted"


def _vet(stage: Stage) -> Chapter:
    of, officer = stage.facts["application"], str(identity(stage, "registration_officer"))
    state = stage.tillid("application", "show", of, "--identity", officer)["state"]
    if state == "submitted":
        number = CprNumber(APPLICANT)
        lines = specimen_passport(
            persona_name(number), number.birth_date, "D23145890", date(2034, 4, 15)
        )
        arguments = ["application", "document", of, "--identity", officer, "--face-matches"]
        arguments += [word for each in lines for word in ("--mrz", each)]
        arguments += [word for each in FEATURES for word in ("--feature", each)]
        for check in stage.tillid(*arguments)["checks"]:
            yield f"{check['check'].replace('_', ' ')}: {check['answer']}"
        state = "proofing"
    if state == "proofing":
        concluded = stage.tillid("application", "conclude", of, "--identity", officer)
        yield f"{concluded['state']} at NSIS {concluded['level']}"


def _approve(stage: Stage) -> Chapter:
    of = stage.facts["application"]
    first, second = identity(stage, "registration_officer"), identity(stage, "approving_officer")
    state = stage.tillid("application", "show", of, "--identity", str(second))["state"]
    if state == "verified":
        why = _refused(stage, "application", "approve", of, "--identity", str(first))
        yield f"the officer who vetted tries to approve: refused, {why}"
        yield f"a package with one changed byte is signed: refused, {_altered(stage, of, second)}"
        approved = stage.tillid("application", "approve", of, "--identity", str(second))
        yield f"the second officer signs the package (CMS): {approved['state']}"

    def issued() -> bool:
        shown = stage.tillid("application", "show", of, "--identity", str(second))
        found = [c for c in shown["certificates"] if c["status"] == "issued"]
        if found:
            stage.remember(certificate=f"{found[0]['issuer']}/{found[0]['serial_number']}")
        return bool(found)

    stage.wait_for("the certificate", issued)


def issuance(stage: Stage) -> Chapter:
    """What the log says of the order: intent committed, then signed, then committed."""
    name = stage.facts["certificate"]
    events = stage.tillid("audit", "tail", "--lines", "200")["events"]
    told = [e for e in events if e["e"].startswith("certificate.") and e["o"] == name]
    for event in told[:2]:
        yield f"{event['t'][11:23]} {event['e']} {event['o'][:24]}…"
    if not _certificate(stage).exists() and "erased" not in stage.facts:
        of, secret = stage.facts["application"], stage.facts["secret"]
        pem = stage.api(f"applications/{of}/certificate", secret=secret)
        _certificate(stage).write_text(pem)
    subject = x509.load_pem_x509_certificate(_certificate(stage).read_bytes()).subject
    yield f"{_certificate(stage)}: {subject.rfc4514_string()}"


def publication(stage: Stage) -> Chapter:
    """The certificate stands in the directory, byte for byte."""
    if "revoked" in stage.facts:
        yield "it was published, and is withdrawn"
        return
    party = RelyingParty(stage)
    stage.wait_for("the directory entry", lambda: party.directory_values() == 1)
    yield line(party.ldapsearch())
    yield "the directory holds the certificate"


def relying_parties(stage: Stage) -> Chapter:
    """Openssl looks at the certificate: by CRL, and by OCSP."""
    if "revoked" in stage.facts:
        yield "it was good, and is revoked"
        return
    party = RelyingParty(stage)
    party.fetch_crls()
    yield line(party.verify())
    yield stage.tool(party.verify()).strip()
    yield line(party.ocsp())
    yield party.ocsp_says()


def early_erasure(stage: Stage) -> Chapter:
    """The data subject asks; nothing is deleted before two persons approved, and by nobody."""
    if "revoked" in stage.facts:
        yield "asked for and refused in an earlier run"
        return
    if "case" not in stage.facts:
        of, secret = stage.facts["application"], stage.facts["secret"]
        stage.remember(case=stage.api(f"applications/{of}/erasure", {}, secret)["id"])
    yield f"the data subject asks: case {stage.facts['case']}, which waits for two persons"
    issuer, _, serial = stage.facts["certificate"].partition("/")
    statement = f"DELETE FROM certificate WHERE issuer = '{issuer}' AND serial = '{serial}'"  # noqa: S608 - our own names; that it is refused is the point
    yield f"SQL> {statement}"
    yield f"the database refuses: {direct_sql.refusal(stage.settings, statement)}"


def revocation(stage: Stage) -> Chapter:
    """The security administrator revokes; how many seconds until everybody sees it."""
    party = RelyingParty(stage)
    if "revoked" not in stage.facts:
        who = str(identity(stage, "security_administrator"))
        arguments = ["cert", "revoke", stage.facts["certificate"], "--yes", "--identity", who]
        record = stage.tillid(*arguments, "--reason", "cessationOfOperation")
        stage.remember(revoked=record["revoked_at"])
        yield f"revoked: {record['reason']}"
        yield f"OCSP says revoked after {stage.wait_for('OCSP', party.ocsp_revoked):.1f} s"
        yield f"the CRL lists it after {stage.wait_for('the CRL', party.crl_lists):.1f} s more"
        gone = stage.wait_for("the withdrawal", lambda: party.directory_values() == 0)
        yield f"the directory no longer holds it after {gone:.1f} s more"
    else:
        yield f"revoked in an earlier run, at {stage.facts['revoked']}"
    party.fetch_crls()
    yield f"openssl verify: {party.verify_says()}"


def erasure(stage: Stage) -> Chapter:
    """After revocation and publication the erasure goes through, with a receipt."""
    case, who = stage.facts["case"], str(identity(stage, "security_administrator"))

    def shown() -> dict[str, object]:
        found: dict[str, object] = stage.tillid("erase", "receipt", "show", case, "--identity", who)
        return found

    for number, administrator in enumerate(("security_administrator", "second_administrator")):
        if shown()["state"] == "requested" and shown()["approvals"] == number:
            by = str(identity(stage, administrator))
            stage.tillid("erase", "approve", case, "--yes", "--identity", by)
            yield f"{administrator.replace('_', ' ')}: approves the rulings"
    stage.wait_for("the receipt", lambda: shown()["state"] == "done")
    stage.remember(erased=True)
    receipt = str(shown()["receipt"])
    (stage.folder / "receipt.txt").write_text(receipt)
    stage.tillid("erase", "receipt", "verify", str(stage.folder / "receipt.txt"))
    digest = hashlib.sha256(receipt.encode()).hexdigest()
    yield f"receipt, signed in the token: {stage.folder / 'receipt.txt'} (SHA-256 {digest[:16]}…)"
    party = RelyingParty(stage)
    party.fetch_crls()
    yield party.ocsp_says()
    yield f"openssl verify: {party.verify_says()}"
    found = stage.tillid("audit", "verify")
    yield f"audit log whole: {found['events']} events, {found['heads']} signed heads"


CHAPTERS = (
    ("The key ceremony", ceremony),
    ("Service, directory and staff", staff),
    ("An application at NSIS Substantial", application),
    ("Intent, signature, certificate", issuance),
    ("Publication", publication),
    ("Relying parties", relying_parties),
    ("Erasure is asked for", early_erasure),
    ("Revocation", revocation),
    ("Erasure", erasure),
)


def identity(stage: Stage, role: str) -> Path:
    """The identity file of the officer in a role."""
    return stage.folder / f"{role}.pem"


def _certificate(stage: Stage) -> Path:
    return stage.folder / "applicant.pem"


def _refused(stage: Stage, *arguments: str) -> str:
    try:
        stage.tillid(*arguments)
    except CommandFailed as refused:
        return str(refused.problem.get("rule", refused.problem["detail"]))
    raise DemoError(f"tillid {shlex.join(arguments)} was not refused")


def _altered(stage: Stage, of: str, officer: Path) -> str:
    """Sign a package in which one byte was changed, with openssl and the card, and hand it in."""
    package, signature = stage.folder / "package.json", stage.folder / "package.cms"
    who = str(officer)
    stage.tillid("application", "package", of, "--out", str(package), "--identity", who)
    octets = bytearray(package.read_bytes())
    octets[len(octets) // 2] ^= 1
    package.write_bytes(octets)
    stage.tool(sign_command(officer, package, signature), environment_of(officer))
    package.unlink()
    why = _refused(
        stage, "application", "approve", of, "--signature", str(signature), "--identity", who
    )
    signature.unlink()
    return why

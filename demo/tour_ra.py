"""The tour of the registration authority: who gets a credential, who does not, and why.

Every act begins with nothing and goes by the same operations that applicants and officers use:
the API by curl, and tillid with the officer's card. It prints what happened, and for a refusal
the requirement. Each act is played once; a further run tells what came of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial

from demo.chapters import FEATURES, Chapter, ceremony, identity, staff
from demo.errors import CommandFailed, DemoError
from demo.stage import Stage
from ra.fake_registers import persona_name, specimen_passport
from ra.identity import CprNumber


@dataclass(frozen=True, slots=True)
class Applying:
    """Who applies: the number of a persona, which profile, and a word for the files of the act."""

    word: str
    number: str
    profile: str
    surname: str = ""
    """Another surname than the persona's own, as an impostor would state."""

    @property
    def names(self) -> tuple[str, str]:
        """Given names and surname as they stand in the passport."""
        silent = ("Tavs Test", "Sandholm")  # of that persona the register says nothing
        return silent if self.number == SILENT else persona_name(CprNumber(self.number))


SILENT = "1502779995"


LOW = Applying("low", "0707614285", "natural-person-low")
SUBSTANTIAL = Applying("substantial", "0108589995", "natural-person-substantial")
HIGH = Applying("high", "2512489996", "natural-person-high")
MORTAL = Applying("mortal", "2103009996", "natural-person-substantial")
REFUSED = tuple(
    Applying(f"refused-{number}", number, "natural-person-substantial")
    for number in (
        "0107729995",
        "1509819996",
        "0201609996",
        "0201919990",
        "0504909989",
        "0504909995",
        SILENT,
    )
)
"""Dead, missing, changed, deleted, annulled, reserved; and one of whom the register is silent."""
IMPOSTOR = Applying("impostor", "2911829996", "natural-person-substantial", "Sandholm")


def granted(who: Applying, stage: Stage) -> Chapter:
    """From nothing to a certificate, or to the requirement that is not met."""
    ended = f"tour-{who.word}"
    if ended in stage.facts:
        yield f"in an earlier run: {stage.facts[ended]}"
        return
    of = _apply(stage, who)
    yield f"application {of}: terms and security notice accepted, at {who.profile}"
    told = _vetted(stage, of, who)
    yield from told[:-1]
    if told[-1] == "verified":
        yield "the registration officer concludes: verified"
        approver = str(identity(stage, "approving_officer"))
        stage.tillid("application", "approve", of, "--identity", approver)
        name = _issued(stage, of)
        yield f"the approving officer signs the package; certificate {name}"
        stage.remember(**{ended: "a certificate", f"tour-certificate-{who.word}": name})
    else:
        yield f"no certificate: {told[-1]}"
        stage.remember(**{ended: told[-1]})


def refused(stage: Stage) -> Chapter:
    """Each persona of whom the register says something that forbids a credential."""
    for who in (*REFUSED, IMPOSTOR):
        for told in granted(who, stage):
            if told.startswith(("no certificate", "in an earlier run")):
                yield told
            elif "certificate issuing" in told:
                raise DemoError("somebody got a certificate who may not have one")


def duty(stage: Stage) -> Chapter:
    """An officer learns that an agreement has ended; the duty is done by a revocation."""
    if "tour-duty" in stage.facts:
        yield "done in an earlier run"
        return
    yield from granted(MORTAL, stage)
    name = stage.facts["tour-certificate-mortal"]
    who = str(identity(stage, "security_administrator"))
    opened = stage.tillid("duty", "open", name, "--cause", "agreement_ended", "--identity", who)
    yield f"duty {opened['id']}: {opened['cause'].replace('_', ' ')}, due {opened['deadline'][:16]}"
    why = ("--no-reason", "opened_in_error", "--identity", who)
    try:
        stage.tillid("duty", "dismiss", opened["id"], *why)
        stage.tillid("duty", "dismiss", opened["id"], *why)
    except CommandFailed as alone:
        yield f"one person tries to dismiss it alone: refused, {alone.problem.get('rule')}"
    done = stage.tillid("duty", "revoke", opened["id"], "--yes", "--identity", who)
    yield f"it is done: {done['status']}, and relying parties are told {done['reason']}"
    stage.remember(**{"tour-duty": True})


ACTS = (
    ("The key ceremony", ceremony),
    ("Service, directory and staff", staff),
    ("An applicant at Low", partial(granted, LOW)),
    ("An applicant at Substantial", partial(granted, SUBSTANTIAL)),
    ("An applicant at High", partial(granted, HIGH)),
    ("Those who are refused", refused),
    ("A duty to revoke", duty),
)


def _apply(stage: Stage, who: Applying) -> str:
    key, csr = stage.folder / f"{who.word}.key", stage.folder / f"{who.word}.csr"
    command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", str(key), "-out", str(csr), "-subj", "/CN=ignored"]
    stage.tool(command)
    given, surname = who.names
    answers = {
        kind: {"sha256": text["sha256"], "read": True, "accepted": True}
        for kind, text in stage.api("terms").items()
    }
    body = {
        "profile": who.profile,
        "attributes": {
            "given_name": given,
            "surname": who.surname or surname,
            "cpr_number": who.number,
        },
        "certificate_request": csr.read_text(),
        "publication_consent": True,
        **answers,
    }
    return str(stage.api("applications", body)["id"])


def _vetted(stage: Stage, of: str, who: Applying) -> list[str]:
    """What the checks said, and last the state, or why it is not verified."""
    officer = str(identity(stage, "registration_officer"))
    number = CprNumber(who.number)
    lines = specimen_passport(who.names, number.birth_date, "D23145890", date(2034, 4, 15))
    arguments = ["application", "document", of, "--identity", officer, "--face-matches"]
    arguments += [word for each in lines for word in ("--mrz", each)]
    arguments += [word for each in FEATURES for word in ("--feature", each)]
    try:
        checks = stage.tillid(*arguments)["checks"]
        told = [f"{each['check'].replace('_', ' ')}: {each['answer']}" for each in checks]
        concluded = stage.tillid("application", "conclude", of, "--identity", officer)
    except CommandFailed as failed:
        return [_why(failed)]
    if concluded["state"] == "verified":
        return [*told, "verified"]
    return [*told, *_findings(concluded)]


def _findings(concluded: dict[str, list[dict[str, str]]]) -> Iterator[str]:
    found = concluded["findings"]
    listed = "; ".join(f"NSIS {each['requirement']} {each['code']}" for each in found)
    yield f"{concluded['state']}, {listed}"


def _why(failed: CommandFailed) -> str:
    return f"{failed.problem.get('rule', '')}: {failed.problem['detail']}"


def _issued(stage: Stage, of: str) -> str:
    who = str(identity(stage, "approving_officer"))
    found: list[str] = []

    def seen() -> bool:
        shown = stage.tillid("application", "show", of, "--identity", who)
        found.extend(
            f"{each['issuer']}/{each['serial_number']}"
            for each in shown["certificates"]
            if each["status"] == "issued"
        )
        return bool(found)

    stage.wait_for("the certificate", seen)
    return found[0]

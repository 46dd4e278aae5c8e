"""People of the tour of the registration authority: what they hand in, and what officers do."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from demo.chapters import FEATURES, identity
from demo.errors import CommandFailed, DemoError
from demo.identities import environment_of, sign_command
from demo.relying_party import RelyingParty
from demo.stage import Stage
from ra.fake_registers import persona_name, specimen_passport
from ra.fake_services import FakeAttestation
from ra.identity import CprNumber

_IN_FORCE, _EXPIRED = date(2034, 4, 15), date(2012, 4, 15)


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody who applies, by what the tour calls them; the number is a persona's."""

    name: str
    number: str
    unknown: tuple[str, str] | None = None
    """Given names and surname of somebody whom the register does not tell."""

    @property
    def names(self) -> tuple[str, str]:
        """Given names and surname."""
        return self.unknown or persona_name(CprNumber(self.number))


def make_request(stage: Stage, name: str) -> Path:
    """A new key in a file of this name, and the request for it; gives the request's file."""
    key, csr = stage.folder / f"{name}.key", stage.folder / f"{name}.csr"
    command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    stage.tool([*command, "-nodes", "-keyout", str(key), "-out", str(csr), "-subj", "/CN=ignored"])
    return csr


def apply(stage: Stage, who: Applicant, level: str, request: Path, **changes: object) -> Any:
    """Apply by the API in a session that was shown both texts; gives the application."""
    if "session" not in stage.facts:
        shown = stage.api("presentations", {"language": "en"})
        digests = {kind: shown[kind]["sha256"] for kind in ("terms", "security_notice")}
        for digest in digests.values():
            stage.api("presentations/completion", {"sha256": digest}, secret=shown["session"])
        stage.remember(session=shown["session"], texts=digests)
    given, surname = who.names
    accepted = {
        kind: {"sha256": digest, "read": True, "accepted": True}
        for kind, digest in stage.facts["texts"].items()
    }
    body = {
        "profile": f"natural-person-{level}",
        "attributes": {"given_name": given, "surname": surname, "cpr_number": who.number},
        "certificate_request": request.read_text(),
        "session": stage.facts["session"],
        **accepted,
        **changes,
    }
    return stage.api("applications", body)


def passport(who: Applicant, *, expired: bool = False) -> tuple[str, str]:
    """The machine-readable zone of the passport that somebody shows."""
    number = CprNumber(who.number)
    expiry = _EXPIRED if expired else _IN_FORCE
    return specimen_passport(who.names, number.birth_date, "D23145890", expiry)


def show_passport(
    stage: Stage, of: str, lines: tuple[str, str], *, face: bool | None = True
) -> None:
    """The registration officer records a passport by the API; `face`: compared, and the answer."""
    body = {
        "mrz_lines": lines,
        "features_seen": FEATURES,
        "presence": "in_person",
        "face_matches": face,
    }
    clerk = identity(stage, "registration_officer")
    stage.api(f"applications/{of}/documents", body, identity=clerk)


def conclude(stage: Stage, of: str) -> Any:
    """The registration officer concludes, by the API."""
    clerk = identity(stage, "registration_officer")
    return stage.api(f"applications/{of}/conclusion", {}, identity=clerk)


def approve(stage: Stage, of: str) -> Any:
    """The approving officer signs the package with openssl and the card, and hands it in."""
    approver = identity(stage, "approving_officer")
    package = stage.fetch(f"applications/{of}/package", identity=approver)
    body = {"signature": signed(stage, package, approver)}
    return stage.api(f"applications/{of}/approval", body, identity=approver)


def sign_duty(stage: Stage, of: str, task: str, officer: str) -> str:
    """An officer's signature over the statement of a task."""
    who = identity(stage, officer)
    return signed(stage, stage.fetch(f"applications/{of}/duties/{task}", identity=who), who)


def signed(stage: Stage, octets: bytes, who: Path) -> str:
    """A detached CMS signature over the octets, in PEM, made with a card."""
    content, signature = stage.folder / "signed.json", stage.folder / "signed.cms"
    content.write_bytes(octets)
    stage.tool(sign_command(who, content, signature), environment_of(who))
    pem = signature.read_text()
    content.unlink()
    signature.unlink()
    return pem


def attestation(request: Path) -> str:
    """TEST EQUIPMENT: what the card says of the request's key, in Base64."""
    key = x509.load_pem_x509_csr(request.read_bytes()).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(FakeAttestation.attest(hashlib.sha256(spki).hexdigest())).decode()


def fetch_certificate(stage: Stage, name: str, made: Any) -> None:
    """The certificate in a file of this name, and the holder's identity file beside it."""
    of, secret = made["id"], made["secret"]

    def issued() -> bool:
        return bool(stage.api(f"applications/{of}", secret=secret)["state"] == "fulfilled")

    stage.wait_for("the certificate", issued)
    pem = stage.api(f"applications/{of}/certificate", secret=secret)
    (stage.folder / f"{name}.pem").write_text(pem)
    key = (stage.folder / f"{name}.key").read_text()
    lines = f"Staff: {stage.settings.staff.url}\nTrust: root.pem\n"
    holder(stage, name).write_text(f"{lines}{key}{pem}")


def certified(stage: Stage, who: Applicant, made: Any) -> Iterator[str]:
    """What was shown is concluded and approved; the certificate has to be good."""
    concluded = conclude(stage, made["id"])
    yield f"application {made['id']}: {concluded['state']} at NSIS {concluded['level']}"
    approve(stage, made["id"])
    yield f"a second officer signs the package: {looked_at(stage, who.name, made)}"


def looked_at(stage: Stage, name: str, made: Any) -> str:
    """What OCSP says of the certificate, which has to be good."""
    fetch_certificate(stage, name, made)
    said = RelyingParty(stage, name).ocsp_says()
    if ": good (verified)" not in said:
        raise DemoError(f"the certificate is not active: {said}")
    return said


def holder(stage: Stage, name: str) -> Path:
    """The identity file of somebody with a personal credential."""
    return stage.folder / f"{name}.identity.pem"


def reasons(found: Any) -> str:
    """Why something waits: each requirement with its code."""
    return ", ".join(f"{each['requirement']} {each['code']}" for each in found["findings"])


def refusal(act: Any, *arguments: object) -> str:
    """Why something is refused: each requirement with its code.

    Raises:
        DemoError: it was not refused.
    """
    try:
        act(*arguments)
    except CommandFailed as refused:
        problem = refused.problem
        rules = [str(problem.get("rule", problem["detail"])).removeprefix("NSIS ")]
        further: Any = problem.get("errors", [])
        rules += [each["field"] for each in further if each["field"] not in rules]
        return ", ".join(rules)
    raise DemoError("what has to be refused was not")

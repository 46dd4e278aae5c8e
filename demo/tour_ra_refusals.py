"""Who gets no certificate and why, and whether anything says more of people than it should."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from demo.applicants import (
    Applicant,
    apply,
    conclude,
    make_request,
    passport,
    reasons,
    refusal,
    show_passport,
)
from demo.chapters import identity
from demo.errors import DemoError
from demo.stage import Stage

Chapter = Iterator[str]
PEOPLE = {
    "0107729995": "dead",
    "1509819996": "missing",
    "0201609996": "the number was changed",
    "0201919990": "the number was one of two of this person",
    "0504909989": "the number was annulled",
    "0504909995": "the number is reserved, and nobody's",
}
SILENT = Applicant("refused", "1502779995", ("Viggo Test", "Stille"))
WITHOUT_ADDRESS = {"3103979995": "emigrated", "0201609995": "without a residence"}
ORDINARY = Applicant("refused", "0707614285")
NUMBERS = (
    *(*PEOPLE, *WITHOUT_ADDRESS, SILENT.number),
    *("0108589995", "2512489996", "2911829996", "1310169995", "2103009996"),
)
"""Of everybody in the tour; beside that of `ORDINARY`."""


def people(stage: Stage) -> Chapter:
    """What the registers say, what the document says, and what the applicant left out."""
    request = make_request(stage, "refused")
    for number, what in PEOPLE.items():
        who = Applicant("refused", number)
        yield f"{what}: refused, {refusal(_proven, stage, who, request)}"
    yield from _documents(stage, request)
    yield from _addresses(stage, request)
    yield from _terms(stage, request)


def _proven(
    stage: Stage, who: Applicant, request: Path, lines: tuple[str, str] | None = None
) -> str:
    made = apply(stage, who, "substantial", request)
    show_passport(stage, made["id"], lines or passport(who))
    conclude(stage, made["id"])
    return str(made["id"])


def _documents(stage: Stage, request: Path) -> Chapter:
    first, second = passport(ORDINARY)
    shown = {
        "an expired passport": passport(ORDINARY, expired=True),
        "a changed digit in it": (first, f"{second[:-1]}{(int(second[-1]) + 1) % 10}"),
        "somebody else's passport": passport(Applicant("refused", "0108589995")),
    }
    for what, lines in shown.items():
        yield f"{what}: refused, {refusal(_proven, stage, ORDINARY, request, lines)}"


def _addresses(stage: Stage, request: Path) -> Chapter:
    clerk = identity(stage, "registration_officer")
    for number, what in WITHOUT_ADDRESS.items():
        made = apply(stage, Applicant("refused", number), "low", request)
        stage.api(f"applications/{made['id']}/proofing", {}, identity=clerk)
        why = refusal(stage.api, f"applications/{made['id']}/letter", {}, "", clerk)
        yield f"{what}, to be proven by a letter: refused, {why}"
    made = apply(stage, SILENT, "substantial", request)
    show_passport(stage, made["id"], passport(SILENT))
    refer = f"applications/{made['id']}/referral"
    referred = stage.api(refer, {}, identity=clerk)
    yield f"the register is silent: {referred['state']}, {reasons(referred)}"


def _terms(stage: Stage, request: Path) -> Chapter:
    unread = {"sha256": stage.facts["texts"]["terms"], "read": True, "accepted": False}
    for what, changes in (
        ("terms not accepted", {"terms": unread}),
        ("terms accepted, but never shown to their end", {"session": ""}),
    ):
        why = refusal(lambda c=changes: apply(stage, ORDINARY, "substantial", request, **c))
        yield f"{what}: refused, {why}"


def traces(stage: Stage) -> Chapter:
    """No log, certificate, published list, directory entry or metric holds a CPR number."""
    forms = {form.encode() for number in (*NUMBERS, ORDINARY.number) for form in _forms(number)}
    count = 0
    for path in [path for path in stage.state.rglob("*") if path.is_file()]:
        # The service goes on: what it is writing takes the place of the one before by its name.
        with suppress(FileNotFoundError):
            octets = _octets(path)
            count += 1
            if any(form in octets for form in forms):
                raise DemoError(f"a CPR number stands in {path}")
    yield f"{count} files of service, directory and demo searched: no CPR number in them"
    checked = stage.tillid("audit", "verify")
    yield f"audit log whole: {checked['events']} events, {checked['heads']} signed heads"


def _octets(path: Path) -> bytes:
    """What a file holds, and its certificates as they are under the armour."""
    octets = path.read_bytes()
    if b"-----BEGIN CERTIFICATE-----" not in octets:
        return octets
    found = x509.load_pem_x509_certificates(octets)
    return octets + b"".join(each.public_bytes(Encoding.DER) for each in found)


def _forms(number: str) -> tuple[str, str]:
    return number, f"{number[:6]}-{number[6:]}"

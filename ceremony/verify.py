"""Checking a transcript with nothing but the file: what holds, what does not, what stays open."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.checks import check_binding, read_script
from ceremony.document import lay_out, pdf
from ceremony.errors import ScriptFaulty
from ceremony.facts import (
    Certified,
    CrlSigned,
    Installed,
    KeyTested,
    ParentThere,
    Requested,
    public_facts,
    test_statement,
    verify_text,
)
from ceremony.script import read_binding
from ceremony.transcript import PDF_FILE, TEXT_FILE, Signed, read_transcript
from revocation.errors import KeyRefused

_NO = (ValueError, TypeError, KeyError, InvalidSignature, UnsupportedAlgorithm, KeyRefused)
"""How parsing and verifying say no; KeyError: what is named is not there."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `holds` is None for what cannot be seen from the file."""

    holds: bool | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Installation:
    """What the installation says, where it is asked: its audit key, and whether its log agrees."""

    audit_key: ec.EllipticCurvePublicKey
    anchored: bool


def verify_transcript(path: Path, installation: Installation | None = None) -> list[Check]:
    """Check a transcript, against the installation too if it is given.

    Raises: TranscriptMalformed.
    """
    signed, octets = read_transcript(path)
    return [
        Check(octets == signed.encode(), "The file is in its one canonical form."),
        _holds("The signature is by the key that the file names.", signed.verify),
        _key(signed, installation),
        *_script(signed),
        *_tests(signed),
        *_requests(signed),
        *_certificates(signed),
        *_crls(signed),
        *_papers(signed, octets, path),
        _log(installation),
        Check(
            None, "That the people were who they say, and the clock was right, no file can show."
        ),
    ]


def _holds(sentence: str, look: Callable[[], object]) -> Check:
    try:
        look()
    except _NO:
        return Check(holds=False, sentence=sentence)
    return Check(holds=True, sentence=sentence)


def _key(signed: Signed, installation: Installation | None) -> Check:
    sentence = "That key is the audit key of the installation."
    try:
        _, digest = public_facts(signed.key())
    except _NO:
        return Check(holds=False, sentence=sentence)
    if installation is not None:
        return Check(digest == public_facts(installation.audit_key)[1], sentence)
    return Check(
        None, f"{sentence} It says {digest}; compare it (tillid ceremony verify --in-log)."
    )


def _script(signed: Signed) -> Iterator[Check]:
    of = signed.transcript
    for what, text, digest in (
        ("script", of.script, of.script_sha256),
        ("binding", of.binding, of.binding_sha256),
    ):
        found = hashlib.sha256(text.encode()).hexdigest()
        yield Check(found == digest, f"The {what} is the one whose digest is stated.")
    try:
        read = read_script(of.script.encode(), "script")
        check_binding(read.script, read_binding(of.binding.encode(), "binding"))
        wanted = [step.do for step in read.script.step]
    except ScriptFaulty:
        wanted = []
    done = [step.facts.do for step in of.steps]
    numbers = [step.number for step in of.steps]
    whole = bool(wanted) and done == wanted and numbers == list(range(1, len(wanted) + 1))
    yield Check(whole, "Every step of the script was done, once and in order.")
    times = [of.runs[0] if of.runs else "", *(step.at for step in of.steps), of.ended]
    yield Check(times == sorted(times), "The times do not go backwards.")


def _keys(signed: Signed) -> dict[str, KeyTested]:
    facts = [step.facts for step in signed.transcript.steps]
    return {fact.label: fact for fact in facts if isinstance(fact, KeyTested)}


def _tests(signed: Signed) -> Iterator[Check]:
    for key in _keys(signed).values():

        def look(key: KeyTested = key) -> None:
            public = key.public()
            if public_facts(public)[1] != key.sha256:
                raise ValueError("digest")
            statement = test_statement(signed.transcript.name, key.label, key.sha256)
            verify_text(public, key.signature, statement)

        yield _holds(f"Key {key.label} signed its own test.", look)


def _issuers(signed: Signed) -> dict[str, Certified | ParentThere | Installed]:
    facts = [step.facts for step in signed.transcript.steps]
    known = Certified | ParentThere | Installed
    return {fact.issuer: fact for fact in facts if isinstance(fact, known)}


def _certificates(signed: Signed) -> Iterator[Check]:
    issuers = _issuers(signed)
    for name, issuer in issuers.items():

        def look(issuer: Certified | ParentThere | Installed = issuer) -> None:
            if issuer.body().fingerprint(hashes.SHA256()).hex() != issuer.sha256:
                raise ValueError("digest")
            match issuer:
                case Certified():
                    above = issuers[issuer.parent].body()
                    issuer.body().verify_directly_issued_by(above)
                    _same_key(signed, issuer)
                case Installed():
                    _same_key(signed, issuer)
                    path = [issuer.body(), *issuer.above()]
                    for child, parent in zip(path, [*path[1:], path[-1]], strict=True):
                        child.verify_directly_issued_by(parent)
                case ParentThere():
                    key: Any = issuer.body().public_key()
                    statement = test_statement(
                        signed.transcript.name, issuer.key, public_facts(key)[1]
                    )
                    verify_text(key, issuer.signature, statement)

        yield _holds(f"Issuer {name}: {_AGREE[issuer.do]}.", look)


_AGREE = {
    "root": "digest, key and signature of its certificate agree",
    "issuing": "digest, key and signature of its certificate agree",
    "install": "digest and key of its certificate agree, and the chain above it is whole",
    "parent": "the digest of its certificate agrees, and its key signed a test",
}


def _same_key(signed: Signed, issuer: Certified | Installed) -> None:
    if issuer.body().public_key() != _keys(signed)[issuer.key].public():
        raise ValueError("key")


def _requests(signed: Signed) -> Iterator[Check]:
    facts = [step.facts for step in signed.transcript.steps]
    for request in (fact for fact in facts if isinstance(fact, Requested)):

        def look(request: Requested = request) -> None:
            body = request.body()
            if hashlib.sha256(body.public_bytes(Encoding.DER)).hexdigest() != request.sha256:
                raise ValueError("digest")
            if body.public_key() != _keys(signed)[request.key].public():
                raise ValueError("key")
            if not body.is_signature_valid:
                raise ValueError("signature")

        yield _holds(f"Request of {request.issuer}: digest, key and signature agree.", look)


def _crls(signed: Signed) -> Iterator[Check]:
    issuers = _issuers(signed)
    facts = [step.facts for step in signed.transcript.steps]
    for crl in (fact for fact in facts if isinstance(fact, CrlSigned)):

        def look(crl: CrlSigned = crl) -> None:
            body = crl.body()
            der = body.public_bytes(Encoding.DER)
            if hashlib.sha256(der).hexdigest() != crl.sha256:
                raise ValueError("digest")
            key = issuers[crl.issuer].body().public_key()
            if not body.is_signature_valid(key):  # type: ignore[arg-type]  # our two kinds of key
                raise ValueError("signature")

        yield _holds(f"CRL of {crl.issuer}: digest and signature agree.", look)


def _papers(signed: Signed, octets: bytes, path: Path) -> Iterator[Check]:
    digest = hashlib.sha256(octets).hexdigest()
    transcript = signed.transcript
    lines = lay_out(asdict(transcript), digest)
    text = "".join(f"{line}\n" for line in lines).encode()
    pages = pdf(lines, transcript.title, digest, rehearsal=transcript.rehearsal)
    for name, wanted in ((TEXT_FILE, text), (PDF_FILE, pages)):
        try:
            found = (path.parent / name).read_bytes()
        except OSError:
            yield Check(None, f"{name} is not beside it, and was not compared.")
        else:
            yield Check(found == wanted, f"{name} beside it says the same, octet for octet.")


def _log(installation: Installation | None) -> Check:
    sentence = "Its digest is anchored in the audit log."
    if installation is None:
        return Check(None, f"{sentence} To look there: tillid ceremony verify --in-log.")
    return Check(installation.anchored, sentence)

"""The transcript: composed of the journal, signed, laid out for the safe, anchored in the log.

It is signed by the audit key, as receipts and heads are: a CA key signs certificates and CRLs and
nothing else that somebody could want signed. That each new key was there is shown by a test that
it signed itself, over a text that names the ceremony (`ceremony.facts.test_statement`).
"""

import base64
import functools
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from audit.events import Detail, Event
from ceremony.document import lay_out, pdf
from ceremony.errors import JournalDamaged, TranscriptMalformed, Unwritable
from ceremony.facts import Facts, Sha256, public_facts
from ceremony.journal import Journal
from ceremony.site import Site
from revocation.errors import PublicationFailed
from revocation.published_files import write_published

JSON_FILE, TEXT_FILE, PDF_FILE = "transcript.json", "transcript.txt", "transcript.pdf"
EVENT, ACTOR = "ceremony.closed", "system:ceremony"

_CEILING = 1 << 22
_CLOSED = ConfigDict(extra="forbid")
_PURPOSE = b"tillid ceremony transcript\n"


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class StepDone:
    """One step, once."""

    number: int
    at: str
    witnesses: tuple[str, ...]
    facts: Facts


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class Deviation:
    """What was not as the script says."""

    step: int
    at: str
    text: str


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class Transcript:
    """What was done, by whom, with what."""

    form: Literal["tillid-ceremony-1"]
    name: str
    title: str
    rehearsal: bool
    runs: Annotated[tuple[str, ...], Field(min_length=1)]
    """When it was begun and each time it was gone on with, UTC."""
    ended: str
    script: str
    script_sha256: Sha256
    binding: str
    binding_sha256: Sha256
    software: dict[str, str]
    steps: tuple[StepDone, ...]
    deviations: tuple[Deviation, ...]

    def encode(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces, UTF-8."""
        return canonical(asdict(self))


@with_config(_CLOSED)
@dataclass(frozen=True, slots=True)
class Signed:
    """A transcript with the signature over it (ECDSA on P-256 with SHA-256, DER in base64)."""

    transcript: Transcript
    public_key: str
    signature: str

    def encode(self) -> bytes:
        """The octets of transcript.json."""
        return canonical(asdict(self))

    def key(self) -> ec.EllipticCurvePublicKey:
        """The key that it says it is signed by. Raises: ValueError, TypeError."""
        key = load_pem_public_key(self.public_key.encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise TypeError("no EC key")
        return key

    def verify(self) -> None:
        """Raises: ValueError, TypeError, InvalidSignature."""
        octets = base64.b64decode(self.signature, validate=True)
        signed = _PURPOSE + self.transcript.encode()
        self.key().verify(octets, signed, ec.ECDSA(hashes.SHA256()))


@dataclass(frozen=True, slots=True)
class Written:
    """Where a transcript lies, and the digest that is compared with the paper in the safe."""

    folder: Path
    sha256: str
    signed: Signed

    @property
    def files(self) -> tuple[Path, ...]:
        """JSON, text and PDF."""
        return tuple(self.folder / name for name in (JSON_FILE, TEXT_FILE, PDF_FILE))


def canonical(value: object) -> bytes:
    """One form for one value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def read_transcript(path: Path) -> tuple[Signed, bytes]:
    """A transcript and its octets; nothing is verified. Raises: TranscriptMalformed."""
    try:
        with path.open("rb") as file:
            octets = file.read(_CEILING + 1)
    except OSError as error:
        raise TranscriptMalformed(path, error.strerror or "it cannot be read") from None
    if len(octets) > _CEILING:
        raise TranscriptMalformed(path, "it is larger than 4 MiB")
    try:
        value: Any = json.loads(octets)
        signed: Signed = _shape().validate_python(value)
        signed.encode()  # JSON can spell characters that UTF-8 has not
    except (ValidationError, ValueError, RecursionError):
        raise TranscriptMalformed(path, "it is not what `tillid ceremony run` writes") from None
    return signed, octets


def finish(journal: Journal, site: Site, folder: Path) -> Written:
    """Sign the transcript, write it three times, and anchor it; what is there already is kept.

    Raises: Unwritable, HsmError, DatabaseUnavailable.
    """
    if not journal.of("ended"):
        journal.append("ended")
    transcript = compose(journal)
    path = folder / JSON_FILE
    signed = _kept(path, transcript) or _sign(transcript, site.audit_key())
    octets = signed.encode()
    digest = digest_of(octets)
    lines = lay_out(asdict(transcript), digest)
    write_paper(path, octets)
    write_paper(folder / TEXT_FILE, "".join(f"{line}\n" for line in lines).encode())
    pages = pdf(lines, transcript.title, digest, rehearsal=transcript.rehearsal)
    write_paper(folder / PDF_FILE, pages)
    event = anchor(transcript, octets)
    if not site.log.holds(event):
        site.log.append(event, journal.now())
    return Written(folder, digest, signed)


def digest_of(octets: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(octets).hexdigest()


def anchor(transcript: Transcript, octets: bytes) -> Event:
    """The event that holds the digest of transcript.json in the audit log; no name of a person."""
    details: dict[str, Detail] = {"sha256": digest_of(octets), "rehearsal": transcript.rehearsal}
    return Event(EVENT, ACTOR, transcript.name, details)


def compose(journal: Journal) -> Transcript:
    """The transcript that the journal makes; the same entries make the same transcript.

    Raises: JournalDamaged when an entry lacks what this program writes.
    """
    try:
        return _composed(journal)
    except (KeyError, ValidationError):
        raise JournalDamaged(journal.path, len(journal.entries)) from None


def _composed(journal: Journal) -> Transcript:
    begun = journal.entries[0]
    runs = [entry["at"] for entry in journal.entries if entry["kind"] in ("begun", "resumed")]
    same = ("name", "title", "rehearsal", "script", "script_sha256", "binding", "binding_sha256")
    composed: Transcript = TypeAdapter(Transcript).validate_python(
        {
            "form": "tillid-ceremony-1",
            **{member: begun[member] for member in same},
            "software": begun["software"],
            "runs": runs,
            "ended": journal.of("ended")[0]["at"],
            "steps": [
                {
                    "number": entry["step"],
                    "at": entry["at"],
                    "witnesses": entry["witnesses"],
                    "facts": entry["facts"],
                }
                for entry in journal.of("done")
            ],
            "deviations": [
                {member: entry[member] for member in ("step", "at", "text")}
                for entry in journal.of("deviation")
            ],
        }
    )
    return composed


def _kept(path: Path, transcript: Transcript) -> Signed | None:
    """The signed transcript of an earlier run, if it is of the same journal."""
    try:
        signed, _ = read_transcript(path)
        signed.verify()
    except (TranscriptMalformed, ValueError, TypeError, InvalidSignature):
        return None
    return signed if signed.transcript == transcript else None


def _sign(transcript: Transcript, key: ec.EllipticCurvePrivateKey) -> Signed:
    signature = key.sign(_PURPOSE + transcript.encode(), ec.ECDSA(hashes.SHA256()))
    pem, _ = public_facts(key.public_key())
    signed = Signed(transcript, pem, base64.b64encode(signature).decode())
    signed.verify()
    return signed


def write_paper(path: Path, octets: bytes) -> None:
    """Write a file whole, unless it is there and the same. Raises: Unwritable."""
    try:
        if path.exists() and path.read_bytes() == octets:
            return
        write_published(path, octets)
    except PublicationFailed as error:
        cause = error.__cause__
        why = cause.strerror if isinstance(cause, OSError) and cause.strerror else "not as written"
        raise Unwritable(path, why) from error


@functools.cache
def _shape() -> TypeAdapter[Signed]:
    return TypeAdapter(Signed)

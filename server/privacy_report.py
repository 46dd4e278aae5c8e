"""The answer to a request for access, as a value: everything that GDPR Art. 15 asks for.

The JSON of a package is this value; its HTML and PDF show it.
"""

from dataclasses import dataclass
from datetime import datetime

from gdpr_erasure.periods import Periods
from gdpr_erasure.person_file import Datum, Disclosure, PersonFile, Record, Value
from gdpr_erasure.processing import PROCESSING
from gdpr_erasure.record_classes import RecordClass
from server.declared import Declared
from server.privacy_words import Language, Words
from server.processors import Processor
from server.settings import Controller

AUTHORITIES = {
    "datatilsynet": "Datatilsynet, Carl Jacobsens Vej 35, DK-2500 Valby, www.datatilsynet.dk",
    "imy": "Integritetsskyddsmyndigheten (IMY), Box 8114, SE-104 20 Stockholm, www.imy.se",
}


@dataclass(frozen=True, slots=True)
class ControllerShown:
    """Who answers for the data (Art. 13(1)(a) and (b))."""

    name: str
    address: str
    contact: str
    dpo: str
    authority: str


@dataclass(frozen=True, slots=True)
class ProcessingShown:
    """Why one class of data is kept, on which basis, from whom, for whom, how long."""

    record_class: str
    title: str
    purpose: str
    basis: str
    sources: tuple[str, ...]
    recipients: tuple[str, ...]
    retention: str


@dataclass(frozen=True, slots=True)
class ProcessorShown:
    """One processor (Art. 28), and where the data lies (Art. 15(2))."""

    name: str
    purpose: str
    region: str
    agreement: str
    transfer: str


@dataclass(frozen=True, slots=True)
class FieldShown:
    """One field: as stored, as people call it, and what stands in it."""

    name: str
    label: str
    value: Value
    record_class: str
    source: str


@dataclass(frozen=True, slots=True)
class RecordShown:
    """One record with its fields."""

    kind: str
    title: str
    reference: str
    fields: tuple[FieldShown, ...]


@dataclass(frozen=True, slots=True)
class RecipientShown:
    """An actual recipient (CJEU C-154/21); times are ISO 8601 in UTC."""

    recipient: str
    what: str
    since: str | None
    until: str | None


@dataclass(frozen=True, slots=True)
class CollectedShown:
    """One part of the installation that was asked, and how much it gave."""

    collector: str
    count: int
    sha256: str


@dataclass(frozen=True, slots=True)
class AccessReport:
    """The whole answer, in one language."""

    form: str
    language: str
    made_at: str
    subject: str
    controller: ControllerShown
    processing: tuple[ProcessingShown, ...]
    recipients: tuple[RecipientShown, ...]
    rights: str
    complaint: str
    automated_decisions: str
    processors: tuple[ProcessorShown, ...]
    records: tuple[RecordShown, ...]
    collected: tuple[CollectedShown, ...]


def access_report(file: PersonFile, of: Declared, language: Language) -> AccessReport:
    """The report of one person's file."""
    words, processors = Words(language), of.processors
    return AccessReport(
        form="tillid-access-report-1",
        language=language,
        made_at=file.at.isoformat(),
        subject=file.subject_id,
        controller=controller_shown(of.controller),
        processing=tuple(processing_shown(each, of.periods, words) for each in file.classes),
        recipients=tuple(_recipient(each, processors, words) for each in file.disclosures),
        rights=words.text("rights_text"),
        complaint=f"{words.text('complaint_text')} {AUTHORITIES[of.controller.authority]}",
        automated_decisions=words.text("automated_text"),
        processors=tuple(processor_shown(each, words) for each in processors),
        records=tuple(record_shown(each, words) for each in file.records),
        collected=tuple(
            CollectedShown(each.name, each.count, each.checksum) for each in file.collections
        ),
    )


def controller_shown(of: Controller) -> ControllerShown:
    """The controller of the settings."""
    return ControllerShown(of.name, of.address, of.contact, of.dpo, AUTHORITIES[of.authority])


def processing_shown(record_class: RecordClass, kept: Periods, words: Words) -> ProcessingShown:
    """One class of records in words."""
    of = PROCESSING[record_class]
    return ProcessingShown(
        record_class=record_class,
        title=words.of("class", record_class),
        purpose=words.of("purpose", of.purpose),
        basis=words.of("basis", of.basis),
        sources=tuple(words.of("source", each) for each in of.sources),
        recipients=tuple(words.of("recipient", each) for each in of.recipients),
        retention=words.retention(kept[record_class]),
    )


def processor_shown(of: Processor, words: Words) -> ProcessorShown:
    """One processor in words."""
    abroad = ", ".join(of.third_countries)
    transfer = f"{abroad}: {of.transfer_basis}" if abroad else words.text("no_transfer")
    return ProcessorShown(of.name, of.purpose, of.region, of.agreement, transfer)


def record_shown(of: Record, words: Words) -> RecordShown:
    """One record in words; what has no word keeps the name under which it is stored."""
    return RecordShown(
        of.kind,
        words.known("kind", of.kind),
        of.reference,
        tuple(_field(each, words) for each in of.data),
    )


def _field(of: Datum, words: Words) -> FieldShown:
    source = words.of("source", of.source)
    return FieldShown(of.name, words.field(of.name), of.value, of.record_class, source)


def _recipient(of: Disclosure, processors: tuple[Processor, ...], words: Words) -> RecipientShown:
    kind, _, name = of.recipient.partition(":")
    operator = next((each.name for each in processors if each.directory == name), None)
    label = f"{words.known('field', kind)} {name}" if kind == "directory" else f"{kind} {name}"
    shown = f"{label} ({operator})" if kind == "directory" and operator else label
    return RecipientShown(shown, of.what, _time(of.at), _time(of.ended))


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()

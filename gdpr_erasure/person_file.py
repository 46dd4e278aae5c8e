"""Everything about one person, as collectors found it (GDPR Art. 15(1) and (3)).

Each part of the installation that keeps personal data has a collector. What a collector found is
counted and has a digest, so that a copy handed out later can be shown to be the whole of it.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Protocol

from gdpr_erasure.processing import PROCESSING, Processing, Source
from gdpr_erasure.record_classes import RecordClass

Value = str | int | bool | None
CERTIFICATE_PEM = "certificate_pem"
"""The field that holds a certificate whole."""
_OFFICER = re.compile(r"\b(?:officer|person)-[0-9a-f]{16}\b")


@dataclass(frozen=True, slots=True, repr=False)
class Datum:
    """One field: its name (dotted, as stored), its value, and where it came from."""

    name: str
    value: Value
    source: Source
    record_class: RecordClass

    @property
    def processing(self) -> Processing:
        """Why it is kept, on which basis, and how long."""
        return PROCESSING[self.record_class]

    @property
    def is_portable(self) -> bool:
        """Whether the person provided it and may take it along (GDPR Art. 20(1))."""
        return self.source is Source.DATA_SUBJECT and self.processing.is_portable

    def __repr__(self) -> str:
        return f"Datum({self.name}, ***)"


@dataclass(frozen=True, slots=True)
class Record:
    """One record about the person: of which kind, what tells it from others, and its fields."""

    kind: str
    reference: str
    data: tuple[Datum, ...]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """An actual recipient: who was told what, when, and until when it stood there.

    CJEU C-154/21: the person is told who, not only which kinds of recipients there are.
    """

    recipient: str
    what: str
    at: datetime | None
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks about whom, and when. `reference` is under what that stands in the audit log."""

    subject_id: str = field(repr=False)
    actor: str
    reference: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Collection:
    """What one collector found."""

    name: str
    records: tuple[Record, ...]
    disclosures: tuple[Disclosure, ...] = ()

    @classmethod
    def read(cls, name: str, content: bytes) -> "Collection":
        """A collection of its content, so that what was collected once can be shown later."""
        records, disclosures = json.loads(content)
        return cls(
            name,
            tuple(
                Record(of["kind"], of["reference"], tuple(_datum(each) for each in of["data"]))
                for of in records
            ),
            tuple(
                Disclosure(of["recipient"], of["what"], _time(of["at"]), _time(of["ended"]))
                for of in disclosures
            ),
        )

    @property
    def count(self) -> int:
        """How many records."""
        return len(self.records)

    @property
    def content(self) -> bytes:
        """The records and disclosures in canonical JSON, UTF-8."""
        found = asdict(self)
        return json.dumps(
            [found["records"], found["disclosures"]],
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            default=datetime.isoformat,
        ).encode()

    @property
    def checksum(self) -> str:
        """SHA-256 over the content, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def attachments(self) -> dict[str, bytes]:
        """The certificates in it as files of their own, PEM, by name."""
        return {
            f"certificates/{record.reference.replace('/', '-')}.pem": one.value.encode()
            for record in self.records
            for one in record.data
            if one.name == CERTIFICATE_PEM and isinstance(one.value, str)
        }

    def within(self, classes: frozenset[RecordClass]) -> "Collection":
        """What of it is of these classes; none named means everything."""
        if not classes:
            return self
        narrowed = (
            replace(of, data=tuple(one for one in of.data if one.record_class in classes))
            for of in self.records
        )
        told = self.disclosures if RecordClass.PUBLICATION in classes else ()
        return replace(self, records=tuple(of for of in narrowed if of.data), disclosures=told)


def _datum(of: Mapping[str, Value]) -> Datum:
    return Datum(
        str(of["name"]),
        of["value"],
        Source(str(of["source"])),
        RecordClass(str(of["record_class"])),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


class Collector(Protocol):
    """A part of the installation that can tell what it keeps about a person."""

    @property
    def name(self) -> str:
        """Its name, unique in the installation."""
        ...

    def collect(self, asked: Asking) -> Collection:
        """Everything that it keeps about the person; a collection without records for nothing.

        It raises when it cannot be reached: what was not asked is not told as nothing.
        """
        ...


@dataclass(frozen=True, slots=True)
class PersonFile:
    """All collections about one person at one moment."""

    subject_id: str
    at: datetime
    collections: tuple[Collection, ...]

    @property
    def records(self) -> Iterator[Record]:
        """Every record, collector by collector."""
        return (record for each in self.collections for record in each.records)

    @property
    def disclosures(self) -> tuple[Disclosure, ...]:
        """Every actual recipient, each once, in the order of time."""
        found = {one: None for each in self.collections for one in each.disclosures}
        return tuple(sorted(found, key=lambda one: (one.at is None, one.at, one.recipient)))

    @property
    def attachments(self) -> dict[str, bytes]:
        """Files that belong to it, by name."""
        return {
            name: octets for each in self.collections for name, octets in each.attachments.items()
        }

    @property
    def classes(self) -> tuple[RecordClass, ...]:
        """The classes of which there is something, in the order of the table."""
        found = {datum.record_class for record in self.records for datum in record.data}
        return tuple(each for each in RecordClass if each in found)

    def portable(self) -> tuple[Record, ...]:
        """The records with only what the person may take along (GDPR Art. 20)."""
        kept = (
            replace(record, data=tuple(one for one in record.data if one.is_portable))
            for record in self.records
        )
        return tuple(record for record in kept if record.data)


def collect(collector: Collector, roles: Mapping[str, str], asked: Asking) -> Collection:
    """Ask a collector, and show other people by their role alone (GDPR Art. 15(4)).

    `roles` maps the pseudonyms of officers, and of the persons behind them, to roles; those of the
    person whose file it is are left out of it.
    """
    found = collector.collect(asked)
    return replace(found, records=tuple(_masked(one, roles) for one in found.records))


def _masked(record: Record, roles: Mapping[str, str]) -> Record:
    def role(pseudonym: re.Match[str]) -> str:
        return roles.get(pseudonym[0], pseudonym[0])

    data = (
        replace(one, value=_OFFICER.sub(role, one.value)) if isinstance(one.value, str) else one
        for one in record.data
    )
    return replace(record, data=tuple(data))

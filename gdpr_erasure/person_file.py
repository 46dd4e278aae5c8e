"""Everything about one person, as collectors found it (GDPR Art. 15(1) and (3)).

Each part of the installation that keeps personal data has a collector. What a collector found is
counted and has a digest, so that a copy handed out later can be shown to be the whole of it.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Protocol

from gdpr_erasure.processing import PROCESSING, Processing, Source
from gdpr_erasure.record_classes import RecordClass

Value = str | int | bool | None
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
class Collection:
    """What one collector found. `attachments` are files that belong to it, by name."""

    name: str
    records: tuple[Record, ...]
    disclosures: tuple[Disclosure, ...] = ()
    attachments: Mapping[str, bytes] | None = None

    @property
    def count(self) -> int:
        """How many records."""
        return len(self.records)

    @property
    def content(self) -> bytes:
        """The records and disclosures in canonical JSON, UTF-8."""
        found = asdict(replace(self, attachments=None))
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


class Collector(Protocol):
    """A part of the installation that can tell what it keeps about a person."""

    @property
    def name(self) -> str:
        """Its name, unique in the installation."""
        ...

    def collect(self, subject_id: str) -> Collection:
        """Everything that it keeps about the person; a collection without records for nothing."""
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
            name: octets
            for each in self.collections
            for name, octets in (each.attachments or {}).items()
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


def collect(
    collectors: Iterable[Collector], roles: Mapping[str, str], subject_id: str, at: datetime
) -> PersonFile:
    """Ask every collector, and show other people by their role alone (GDPR Art. 15(4)).

    `roles` maps the pseudonyms of officers, and of the persons behind them, to roles; those of the
    person whose file it is are left out of it.
    """
    found = tuple(
        replace(each, records=tuple(_masked(one, roles) for one in each.records))
        for each in (collector.collect(subject_id) for collector in collectors)
    )
    return PersonFile(subject_id, at, found)


def _masked(record: Record, roles: Mapping[str, str]) -> Record:
    def role(pseudonym: re.Match[str]) -> str:
        return roles.get(pseudonym[0], pseudonym[0])

    data = (
        replace(one, value=_OFFICER.sub(role, one.value)) if isinstance(one.value, str) else one
        for one in record.data
    )
    return replace(record, data=tuple(data))

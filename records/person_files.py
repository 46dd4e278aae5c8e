"""Everything that the database keeps about one person, field by field from the data map."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, select

from gdpr_erasure.person_file import (
    Asking,
    Collection,
    Collector,
    Datum,
    Disclosure,
    PersonFile,
    Record,
    Value,
    collect,
)
from gdpr_erasure.record_classes import RecordClass
from records.audit_files import AuditCollector
from records.database import Database
from records.errors import Erased, NotFound
from records.person_fields import Field
from records.person_rooms import ROOMS, Room
from records.personal_data import PersonalData
from records.tables import application, disclosure, officer, subject
from records.tables.base import Form, Personal, in_data_map


class DatabaseCollector:
    """The collector of the tables: one record for each row in a room."""

    def __init__(self, database: Database, personal: PersonalData) -> None:
        """Use the database, and the door through which sealed columns open."""
        self._database = database
        self._personal = personal

    @property
    def name(self) -> str:
        """Its name among the collectors."""
        return "records"

    def collect(self, asked: Asking) -> Collection:
        """Every row of every room; NotFound when there is no such person."""
        subject_id = asked.subject_id
        with self._database.read() as tx:
            if tx.execute(select(subject.c.id).where(subject.c.id == subject_id)).first() is None:
                raise NotFound("data subject", subject_id)
            records = [
                self._record(tx, room, row, subject_id)
                for room in ROOMS
                for row in tx.execute(_rows(room, subject_id))
            ]
            shown = (*_directories(tx, subject_id), *_asked_registers(records))
        return Collection(self.name, tuple(records), shown)

    def _record(
        self, tx: Connection, room: Room, row: Row[tuple[object, ...]], subject_id: str
    ) -> Record:
        cells = row._mapping  # noqa: SLF001 - the public way to a row by name
        reference = "/".join(_plain_text(cells[name]) for name in room.reference)
        data = [
            datum
            for column in room.table.columns
            if cells[column.name] is not None
            for datum in self._of_cell(tx, room, column, cells[column.name], subject_id)
        ]
        return Record(room.kind, reference, tuple(data))

    def _of_cell(
        self, tx: Connection, room: Room, column: Column[object], value: object, subject_id: str
    ) -> Iterator[Datum]:
        entry = in_data_map(column)
        sealed = room.sealed.get(column.name)
        if sealed is not None and isinstance(value, bytes):
            try:
                octets = self._personal.open(tx, subject_id, sealed.purpose, value)
            except Erased:
                # A part of the person's data was erased before the rest; that is all there is.
                yield Datum(column.name, None, room.source, _class_of(entry, room))
            else:
                yield from map(_datum, sealed.read(octets))
        elif not _is_of_another(entry, room):
            plain = _plain(value)
            yield Datum(column.name, plain, room.source, _class_of(entry, room))
        elif isinstance(value, str):
            # Whoever acted is told by role; the certificate in a signature would tell the name.
            yield Datum(column.name, value, room.source, RecordClass.OFFICER_IDENTITY)


class PersonFiles:
    """Asks every collector of the installation about a person."""

    def __init__(
        self, database: Database, personal: PersonalData, further: Sequence[Collector] = ()
    ) -> None:
        """Use the database, and the collectors of what is kept elsewhere."""
        self._database = database
        asked: list[Collector] = [DatabaseCollector(database, personal)]
        asked += [AuditCollector(database, personal), *further]
        self._collectors = {each.name: each for each in asked}

    @property
    def names(self) -> tuple[str, ...]:
        """Who will be asked."""
        return tuple(self._collectors)

    def ask(self, name: str, asked: Asking) -> Collection:
        """What one collector keeps about a person; KeyError for a name that is none."""
        return collect(self._collectors[name], self._roles(asked.subject_id), asked)

    def of(self, asked: Asking) -> PersonFile:
        """Everything about one person; NotFound when there is none of that id."""
        roles = self._roles(asked.subject_id)
        found = tuple(collect(each, roles, asked) for each in self._collectors.values())
        return PersonFile(asked.subject_id, asked.at, found)

    def _roles(self, subject_id: str) -> dict[str, str]:
        query = select(officer.c.id, officer.c.person_id, officer.c.role).where(
            officer.c.subject_id != subject_id
        )
        with self._database.read() as tx:
            rows = tx.execute(query).all()
            own = tx.execute(
                select(officer.c.person_id).where(officer.c.subject_id == subject_id)
            ).scalars()
            kept = set(own)
        roles = {row.id: row.role for row in rows}
        return roles | {row.person_id: "officer" for row in rows if row.person_id not in kept}


def _rows(room: Room, subject_id: str) -> Select[Any]:
    keys = [room.table.c[name] for name in room.reference]
    return select(room.table).where(room.of_person(subject_id)).order_by(*keys)


def _datum(field: Field) -> Datum:
    return Datum(field.name, field.value, field.source, field.record_class)


def _is_of_another(entry: object, room: Room) -> bool:
    """Whether the column tells of an officer in a row that is about somebody else."""
    if room.record_class is RecordClass.OFFICER_IDENTITY:
        return False
    return isinstance(entry, Personal) and entry.record_class is RecordClass.OFFICER_IDENTITY


def _class_of(entry: object, room: Room) -> RecordClass:
    if isinstance(entry, Personal) and entry.form is Form.PSEUDONYM:
        return entry.record_class
    return room.record_class


def _plain(value: object) -> Value:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if value is None or isinstance(value, str | int | bool):
        return value
    raise TypeError(type(value).__name__)


def _plain_text(value: object) -> str:
    return str(_plain(value))


def _directories(tx: Connection, subject_id: str) -> Iterator[Disclosure]:
    query = (
        select(disclosure)
        .where(disclosure.c.subject_id == subject_id)
        .order_by(disclosure.c.at, disclosure.c.recipient)
    )
    for row in tx.execute(query):
        what = f"certificate {row.issuer}/{row.serial}"
        yield Disclosure(f"directory:{row.recipient}", what, row.at, row.ended_at)


def _asked_registers(records: Sequence[Record]) -> Iterator[Disclosure]:
    """Whoever was asked about the person was told of the person."""
    for record in records:
        if record.kind != application.name:
            continue
        values = {one.name: one.value for one in record.data}
        for name, source in values.items():
            if name.startswith("checks[") and name.endswith(".source_id") and source:
                check = name.removesuffix(".source_id")
                at = values.get(f"{check}.at")
                when = datetime.fromisoformat(at) if isinstance(at, str) else None
                yield Disclosure(f"register:{source}", str(values.get(f"{check}.check")), when)

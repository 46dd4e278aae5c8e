"""What is gathered in a case: the parts of its answer by collector, and files."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from audit.events import Detail, Event
from gdpr_erasure.case_errors import CaseConflict
from gdpr_erasure.case_parts import CollectorStatus
from gdpr_erasure.cases import Case, CaseState
from gdpr_erasure.person_file import Collection
from records.audit_log import append
from records.case_rows import CASE, case_row
from records.database import Database
from records.errors import NotFound
from records.personal_data import PersonalData
from records.tables import (
    case_approval,
    case_delivery,
    case_file,
    case_part,
    subject_case,
)

_GATHERING = frozenset({CaseState.ASSESSING, CaseState.CLARIFYING})


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One file of a case, without its name and content; `octets` is its length."""

    number: int
    octets: int
    sha256: str
    for_requester: bool
    """Whether it goes into the answer."""
    added_by: str
    at: datetime


class CaseContents:
    """The tables of parts and files."""

    def __init__(self, database: Database, personal: PersonalData) -> None:
        """Use the database, and the door for contents."""
        self._database = database
        self._personal = personal

    def expect(self, case: Case, names: Iterable[str], now: datetime) -> None:
        """Have a row for each collector that has to answer; those that did keep their answer."""
        with self._database.write() as tx:
            _require(tx, case, frozenset({CaseState.ASSESSING}))
            there = set(tx.execute(_names(case)).scalars())
            for name in sorted(set(names) - there):
                tx.execute(insert(case_part).values(case_id=case.id, name=name, at=now))

    def parts(self, case_id: str) -> list[CollectorStatus]:
        """How far each collector is, by name."""
        query = select(case_part).where(case_part.c.case_id == case_id).order_by(case_part.c.name)
        with self._database.read() as tx:
            return [
                CollectorStatus(row.name, row.records, row.sha256, row.at, row.failure)
                for row in tx.execute(query)
            ]

    def record(self, case: Case, name: str, found: Collection, actor: str, now: datetime) -> None:
        """Keep what a collector found, in the place of what it found before."""
        with self._database.write() as tx:
            _require(tx, case, frozenset({CaseState.ASSESSING}))
            sealed = self._personal.seal(tx, str(case.subject_id), CASE, found.content)
            _set(
                tx,
                (case.id, name),
                records=found.count,
                sha256=found.checksum,
                failure=None,
                sealed_content=sealed,
                at=now,
            )
            details: dict[str, Detail] = {
                "collector": name,
                "records": found.count,
                "sha256": found.checksum,
            }
            append(tx, Event("case.collected", actor, case.id, details), now)

    def failed(self, case: Case, name: str, failure: str, now: datetime) -> None:
        """Note what kind of thing was in a collector's way; what it found before does not count."""
        with self._database.write() as tx:
            _require(tx, case, frozenset({CaseState.ASSESSING}))
            _set(
                tx,
                (case.id, name),
                records=None,
                sha256=None,
                failure=failure[:40],
                sealed_content=None,
                at=now,
            )

    def contents(self, case: Case) -> dict[str, bytes]:
        """What was collected, by collector."""
        query = select(case_part).where(
            case_part.c.case_id == case.id, case_part.c.sha256.is_not(None)
        )
        with self._database.read() as tx:
            return {
                row.name: self._personal.open(tx, str(case.subject_id), CASE, row.sealed_content)
                for row in tx.execute(query).all()
            }

    def add_file(
        self, case: Case, file: tuple[str, bytes], kept: CaseFile, now: datetime
    ) -> CaseFile:
        """Add a file by its name and content to a case that is assessed; gives it its number."""
        name, content = file
        with self._database.write() as tx:
            _require(tx, case, _GATHERING)
            number = int(tx.execute(_next_number(case)).scalar_one())
            body = json.dumps({"name": name}).encode() + b"\n" + content
            tx.execute(
                insert(case_file).values(
                    case_id=case.id,
                    number=number,
                    octets=kept.octets,
                    sha256=kept.sha256,
                    for_requester=int(kept.for_requester),
                    added_by=kept.added_by,
                    at=now,
                    sealed_file=self._personal.seal(tx, str(case.subject_id), CASE, body),
                )
            )
            details: dict[str, Detail] = {
                "number": number,
                "octets": kept.octets,
                "sha256": kept.sha256,
            }
            append(tx, Event("case.file_added", kept.added_by, case.id, details), now)
        return CaseFile(number, kept.octets, kept.sha256, kept.for_requester, kept.added_by, now)

    def files(self, case_id: str) -> list[CaseFile]:
        """The files of a case in the order in which they came."""
        query = select(case_file).where(case_file.c.case_id == case_id).order_by(case_file.c.number)
        with self._database.read() as tx:
            return [
                CaseFile(
                    row.number,
                    row.octets,
                    row.sha256,
                    bool(row.for_requester),
                    row.added_by,
                    row.at,
                )
                for row in tx.execute(query)
            ]

    def file(self, case: Case, number: int) -> tuple[str, bytes]:
        """Name and content of a file; NotFound when there is none of that number."""
        query = select(case_file.c.sealed_file).where(
            case_file.c.case_id == case.id, case_file.c.number == number
        )
        with self._database.read() as tx:
            sealed = tx.execute(query).scalar()
            if sealed is None:
                raise NotFound("file of the case", str(number))
            body = self._personal.open(tx, str(case.subject_id), CASE, sealed)
        header, _, content = body.partition(b"\n")
        return str(json.loads(header)["name"]), content


def forget_cases(tx: Connection, subject_id: str) -> int:
    """Take everything about a person who is being erased out of that person's cases.

    What stays says that there was a case of a kind, and when: it names nobody. Gives how many.
    """
    of_subject = select(subject_case.c.id).where(subject_case.c.subject_id == subject_id)
    for table in (case_file, case_part, case_approval, case_delivery):
        tx.execute(delete(table).where(table.c.case_id.in_(of_subject)))
    return tx.execute(
        update(subject_case)
        .where(subject_case.c.subject_id == subject_id)
        .values(
            subject_id=None,
            sealed_text=None,
            sealed_extension=None,
            sealed_refusal=None,
            sealed_package=None,
        )
    ).rowcount


def _require(tx: Connection, case: Case, states: frozenset[CaseState]) -> None:
    row = case_row(tx, case.id, lock=True)
    if CaseState(row.state) not in states:
        raise CaseConflict(case.id, row.state)


def _set(tx: Connection, part: tuple[str, str], **values: object) -> None:
    case_id, name = part
    changed = tx.execute(
        update(case_part)
        .where(case_part.c.case_id == case_id, case_part.c.name == name)
        .values(**values)
    ).rowcount
    if changed != 1:
        raise NotFound("collector of the case", name)


def _names(case: Case) -> Select[str]:
    return select(case_part.c.name).where(case_part.c.case_id == case.id)


def _next_number(case: Case) -> Select[int]:
    return select(func.count() + 1).where(case_file.c.case_id == case.id)

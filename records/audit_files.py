"""What the audit log says of one person: the payloads, told of in the log when they are opened."""

import json
from collections.abc import Iterator

from sqlalchemy import Connection, select

from audit.errors import PayloadAltered, PayloadKeyGone
from audit.events import Detail, Event, Header, parse_header
from audit.payloads import Purpose, open_payload
from gdpr_erasure.person_file import Asking, Collection, Datum, Record
from gdpr_erasure.processing import Source
from gdpr_erasure.record_classes import RecordClass
from records.audit_log import append
from records.audit_payloads import NO_COMMITMENT, AuditKeys, payloads_of
from records.database import Database
from records.personal_data import DamagedData, PersonalData
from records.tables import audit_event

KIND = "audit_payload"


class AuditCollector:
    """The collector of the audit log: one record for each payload about the person."""

    def __init__(self, database: Database, personal: PersonalData) -> None:
        """Use the database, and the door through which payloads open."""
        self._database = database
        self._personal = personal

    @property
    def name(self) -> str:
        """Its name among the collectors."""
        return "audit"

    def collect(self, asked: Asking) -> Collection:
        """Every payload that is still there; that they were opened is in the log with it.

        Raises:
            DamagedData: a payload is not what the log commits to.
            ClockBehind: as in `records.audit_log.append`.
        """
        with self._database.write() as tx:
            records = tuple(self._opened(tx, asked.subject_id))
            if records:
                details: dict[str, Detail] = {
                    "purpose": Purpose.DATA_SUBJECT_REQUEST,
                    "payloads": len(records),
                }
                event = Event("audit.payloads_opened", asked.actor, asked.reference, details)
                append(tx, event, asked.at)
        return Collection(self.name, records)

    def _opened(self, tx: Connection, subject_id: str) -> Iterator[Record]:
        keys = AuditKeys(tx, self._personal)
        for sealed in payloads_of(tx, subject_id):
            octets = tx.execute(
                select(audit_event.c.header).where(audit_event.c.sequence == sealed.sequence)
            ).scalar_one()
            header = parse_header(octets)
            try:
                commitment = header.commitment or NO_COMMITMENT
                content = open_payload(commitment, sealed, keys(subject_id))
            except (PayloadAltered, PayloadKeyGone) as error:
                raise DamagedData("a payload is not the one that the log commits to") from error
            yield _record(header, sealed.number, json.loads(content))


def _record(header: Header, number: int, content: dict[str, Detail]) -> Record:
    told = {"event": header.event.type, "at": header.time.isoformat(), **content}
    data = tuple(
        Datum(name, value, Source.SYSTEM, RecordClass.ACCESS_LOG) for name, value in told.items()
    )
    return Record(KIND, f"{header.sequence}/{number}", data)

"""Personal payloads of the audit log: sealed with their event, opened, and ended with the person.

The rows of `audit_payload` are the only link between an event and a person. What ends them is told
of in the log by number (`audit.payloads.DROPPED`), so that nothing ends in silence.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, insert, select

from audit.errors import HeaderMalformed, PayloadAltered, PayloadKeyGone
from audit.events import Commitment, Detail, Event, parse_header, seal_event
from audit.payloads import (
    Derivation,
    Payload,
    Purpose,
    SealedPayload,
    open_payload,
    seal_payloads,
)
from records.audit_log import append, insert_entries, take_turn
from records.database import Database
from records.errors import Erased, NotFound
from records.personal_data import DamagedData, PersonalData
from records.prepared import Prepared
from records.tables import audit_event, audit_payload, data_key

PURPOSE = "audit"
_PAGE = 1000
_HELD_KEYS = 4096
NO_COMMITMENT = Commitment(1, bytes(32))  # no payload opens against it
_INSERT = Prepared(insert(audit_payload), ("sequence", "number", "subject_id", "sealed"))


@dataclass(frozen=True, slots=True)
class OpenedPayload:
    """One payload in clear: its place in the event, and its canonical JSON."""

    number: int
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """An event with what it says of its subjects, one payload each; often of none."""

    event: Event
    payloads: tuple[Payload, ...] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    """Who opens payloads, for what, and when."""

    officer_id: str
    purpose: Purpose
    at: datetime


def append_told(tx: Connection, told: Sequence[Told], personal: PersonalData, now: datetime) -> int:
    """Add events with their payloads, in the caller's transaction; gives the first number.

    Raises:
        ClockBehind: as in `records.audit_log.append_all`.
        EventRefused: too many payloads, or two of one subject.
        RuleBroken: a subject is being erased and has no audit key (PKI13), or it just ended.
    """
    # Keys first, and kept from an erasure: who waits his turn in the log holds up nobody then.
    subjects = {payload.subject_id for each in told for payload in each.payloads}
    derivations = personal.derivations(tx, subjects, PURPOSE)
    _keep_keys(tx, derivations)
    first = take_turn(tx, now)
    for sequence, each in enumerate(told, first):
        _append(tx, each, sequence, derivations, now)
    return first


def _append(
    tx: Connection,
    told: Told,
    sequence: int,
    derivations: Mapping[str, Derivation],
    now: datetime,
) -> None:
    if not told.payloads:
        insert_entries(tx, [seal_event(told.event, sequence, now)])
        return
    keys = [derivations[payload.subject_id] for payload in told.payloads]
    commitment, sealed = seal_payloads(sequence, told.payloads, keys)
    insert_entries(tx, [seal_event(told.event, sequence, now, commitment)], len(sealed))
    rows = [
        {
            "sequence": sequence,
            "number": number,
            "subject_id": payload.subject_id,
            "sealed": octets,
        }
        for number, (payload, octets) in enumerate(zip(told.payloads, sealed, strict=True))
    ]
    _INSERT.run(tx, rows)


def erase_payloads(tx: Connection, subject_id: str) -> int:
    """Delete every payload of a subject whose data keys are destroyed; gives their number.

    The caller declares the number, under `audit.payloads.DROPPED`, in an event of the same
    transaction. The keys go first: whoever adds a payload meanwhile waits for them or is seen here.
    """
    of = audit_payload.c.subject_id == subject_id
    return tx.execute(delete(audit_payload).where(of)).rowcount


def payloads_of(view: Connection, subject_id: str) -> tuple[SealedPayload, ...]:
    """Every payload about one subject, in the order of the log."""
    at = audit_payload.c
    query = _with_keys().where(at.subject_id == subject_id).order_by(at.sequence, at.number)
    return tuple(_sealed(row) for row in view.execute(query))


def sealed_payloads(view: Connection, start: int) -> Iterator[SealedPayload]:
    """The payloads of the entries from `start` on, in order, a page at a time."""
    at = audit_payload.c
    place = (start, -1)
    while True:
        sequence, number = place
        rows = view.execute(
            _with_keys()
            .where((at.sequence > sequence) | ((at.sequence == sequence) & (at.number > number)))
            .where(at.sequence >= sequence)
            .order_by(at.sequence, at.number)
            .limit(_PAGE)
        ).all()
        for row in rows:
            yield _sealed(row)
        if len(rows) < _PAGE:
            return
        place = (rows[-1].sequence, rows[-1].number)


class AuditKeys:
    """The audit keys of subjects, each taken out once as long as a verification lasts."""

    def __init__(self, view: Connection, personal: PersonalData) -> None:
        """Ask for keys in this view."""
        self._view, self._personal = view, personal
        self._held: dict[str, Derivation] = {}

    def __call__(self, subject_id: str) -> Derivation:
        """What derives the keys of a subject's payloads.

        Raises:
            PayloadAltered: the data key itself was altered.
            PayloadKeyGone: it is no longer in the key store.
        """
        found = self._held.get(subject_id)
        if found is None:
            if len(self._held) >= _HELD_KEYS:
                self._held.clear()
            try:
                found = self._personal.derivation(self._view, subject_id, PURPOSE)
            except DamagedData as error:
                raise PayloadAltered("the data key of a payload was altered") from error
            except Erased as error:
                raise PayloadKeyGone("the data key of a payload is destroyed") from error
            self._held[subject_id] = found
        return found


def open_for(
    database: Database, personal: PersonalData, sequence: int, opening: Opening
) -> tuple[OpenedPayload, ...]:
    """Open the payloads of one event; that it was done is in the log before anybody sees them.

    Raises:
        NotFound, DamagedData: as in `open_payloads`; nothing is told then.
        ClockBehind: as in `records.audit_log.append`.
    """
    with database.write() as tx:
        found = open_payloads(tx, personal, sequence)
        details: dict[str, Detail] = {"purpose": opening.purpose, "payloads": len(found)}
        event = Event("audit.payload_opened", opening.officer_id, f"audit/{sequence}", details)
        append(tx, event, opening.at)
    return found


def open_payloads(
    tx: Connection, personal: PersonalData, sequence: int
) -> tuple[OpenedPayload, ...]:
    """The payloads of one event that are still there, in clear.

    Raises:
        NotFound: there is no such event, or nothing of it is left to open.
        DamagedData: event or payload was altered.
    """
    octets = tx.execute(
        select(audit_event.c.header).where(audit_event.c.sequence == sequence)
    ).scalar()
    if octets is None:
        raise NotFound("audit event", str(sequence))
    rows = [
        _sealed(row)
        for row in tx.execute(
            _with_keys()
            .where(audit_payload.c.sequence == sequence)
            .order_by(audit_payload.c.number)
        )
    ]
    if not rows:
        raise NotFound("payload of audit event", str(sequence))
    keys = AuditKeys(tx, personal)
    try:
        commitment = parse_header(octets).commitment or NO_COMMITMENT
        return tuple(
            OpenedPayload(row.number, open_payload(commitment, row, keys(row.subject_id)))
            for row in rows
        )
    except PayloadKeyGone as error:
        raise Erased("the data key of this subject was destroyed") from error
    except (HeaderMalformed, PayloadAltered) as error:
        raise DamagedData("a payload is not the one that the log commits to") from error


def _with_keys() -> Select[tuple[int, int, str, bytes, bool]]:
    has_key = exists().where(
        data_key.c.subject_id == audit_payload.c.subject_id, data_key.c.purpose == PURPOSE
    )
    return select(
        audit_payload.c.sequence,
        audit_payload.c.number,
        audit_payload.c.subject_id,
        audit_payload.c.sealed,
        has_key,
    )


def _sealed(row: Any) -> SealedPayload:
    sequence, number, subject_id, sealed, has_key = row
    return SealedPayload(sequence, number, subject_id, sealed, has_key=bool(has_key))


def _keep_keys(tx: Connection, subjects: Collection[str]) -> None:
    if tx.dialect.name == "sqlite" or not subjects:  # SQLite has one writer at a time
        return
    tx.execute(
        select(data_key.c.subject_id)
        .where(data_key.c.subject_id.in_(subjects), data_key.c.purpose == PURPOSE)
        .order_by(data_key.c.subject_id)
        .with_for_update(read=True, key_share=True)
    )

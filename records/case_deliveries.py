"""What is delivered in a case: sealed, fetched with the requester's secret, and then gone."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, insert, select, update

from audit.events import Event
from gdpr_erasure.case_errors import CaseConflict
from gdpr_erasure.cases import Case, CaseState, step
from ra.levels import AssuranceLevel
from records.audit_log import append
from records.case_rows import DELIVERY, case_of, case_row, columns_of, destroy_delivery_key
from records.database import Database
from records.errors import Erased, NotFound
from records.personal_data import PersonalData
from records.tables import case_delivery, subject_case


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery; `level` is how well its receiver was identified."""

    case_id: str
    package_sha256: str
    """Of the package inside, which was approved."""
    envelope_sha256: str
    """Of what is downloaded."""
    method: str
    level: AssuranceLevel
    delivered_at: datetime
    expires_at: datetime
    downloaded_at: datetime | None = None
    ended_at: datetime | None = None


class Deliveries:
    """The table of deliveries."""

    def __init__(self, database: Database, personal: PersonalData) -> None:
        """Use the database, and the door for what is delivered."""
        self._database = database
        self._personal = personal

    def deliver(
        self, case: Case, envelope: bytes, made: Delivery, actor: str, now: datetime
    ) -> Case:
        """Keep the envelope for its receiver; the package in clear is kept no longer.

        Raises:
            CaseConflict: the case is not approved, or changed meanwhile.
            RuleBroken: the database forbids it (CASE13).
        """
        after = step(case, CaseState.DELIVERED, now)
        with self._database.write() as tx:
            if case_of(tx, case_row(tx, case.id, lock=True)) != case:
                raise CaseConflict(case.id, "further already")
            tx.execute(
                insert(case_delivery).values(
                    case_id=case.id,
                    package_sha256=made.package_sha256,
                    envelope_sha256=made.envelope_sha256,
                    method=made.method,
                    level=int(made.level),
                    sealed_envelope=self._personal.seal(
                        tx, str(case.subject_id), DELIVERY, envelope
                    ),
                    delivered_at=made.delivered_at,
                    expires_at=made.expires_at,
                )
            )
            _write(tx, after, sealed_package=None)
            details = {"method": made.method, "package_sha256": made.package_sha256}
            append(tx, Event("case.delivered", actor, case.id, details), now)
            return case_of(tx, case_row(tx, case.id))

    def get(self, case_id: str) -> Delivery:
        """How a delivery stands; NotFound when there is none."""
        with self._database.read() as tx:
            return _delivery(_row(tx, case_id))

    def passphrase_seed(self, case: Case) -> bytes:
        """32 octets from which the passphrase of a case's delivery follows.

        They end with the key of the delivery, and until then can be had again: an answer that was
        lost on its way to the officer costs the requester nothing.
        """
        label = f"passphrase {case.id}".encode()
        with self._database.write() as tx:
            return self._personal.derive(tx, str(case.subject_id), DELIVERY, label)

    def download(self, case_id: str, actor: str, now: datetime) -> tuple[bytes, Delivery]:
        """The envelope, and that it was fetched, which is written down.

        Raises:
            NotFound: nothing was delivered.
            Erased: it was taken away after its time, or after it was confirmed.
        """
        with self._database.write() as tx:
            case = case_row(tx, case_id, lock=True)
            row = _row(tx, case_id)
            if row.sealed_envelope is None or now >= row.expires_at:
                raise Erased("this delivery has ended")
            envelope = self._personal.open(tx, case.subject_id, DELIVERY, row.sealed_envelope)
            if hashlib.sha256(envelope).hexdigest() != row.envelope_sha256:
                raise Erased("this delivery is not what was sent")
            if row.downloaded_at is None:
                _set(tx, case_id, downloaded_at=now)
            append(tx, Event("case.downloaded", actor, case_id, {}), now)
            return envelope, _delivery(_row(tx, case_id))

    def confirm(self, case_id: str, actor: str, now: datetime) -> Case:
        """The receiver has it: take it away here, and end its key.

        Raises:
            NotFound: nothing was delivered.
            CaseConflict: it has not been downloaded, or has ended.
        """
        with self._database.write() as tx:
            case = case_of(tx, case_row(tx, case_id, lock=True))
            row = _row(tx, case_id)
            if row.downloaded_at is None or row.ended_at is not None:
                said = "not downloaded yet" if row.ended_at is None else str(case.state)
                raise CaseConflict(case_id, said)
            return self._end(tx, step(case, CaseState.CLOSED, now), ("confirmed", actor), now)

    def expired(self, now: datetime) -> list[str]:
        """The cases whose delivery has been there for its whole time."""
        of = case_delivery.c
        query = select(of.case_id).where(of.ended_at.is_(None), of.expires_at <= now)
        with self._database.read() as tx:
            return list(tx.execute(query.order_by(of.expires_at)).scalars())

    def unfetched(self, until: datetime) -> list[str]:
        """The cases whose delivery ends by then, was not fetched, and of which nobody reminded."""
        of = case_delivery.c
        query = (
            select(of.case_id)
            .where(of.ended_at.is_(None), of.downloaded_at.is_(None), of.reminded_at.is_(None))
            .where(of.expires_at <= until)
        )
        with self._database.read() as tx:
            return list(tx.execute(query.order_by(of.expires_at)).scalars())

    def reminded(self, case_id: str, now: datetime, *, sent: bool) -> bool:
        """Note that the receiver was reminded; False when somebody else did."""
        with self._database.write() as tx:
            case_row(tx, case_id, lock=True)
            row = _row(tx, case_id)
            if row.reminded_at is not None or row.ended_at is not None:
                return False
            _set(tx, case_id, reminded_at=now)
            append(tx, Event("case.reminded", "system:job", case_id, {"sent": sent}), now)
        return True

    def expire(self, case_id: str, now: datetime) -> bool:
        """Take away one whose time has come; False when somebody else did."""
        with self._database.write() as tx:
            case = case_of(tx, case_row(tx, case_id, lock=True))
            row = _row(tx, case_id)
            if row.ended_at is not None or row.expires_at > now:
                return False
            # One that was fetched reached its receiver, with or without a confirmation.
            fetched = row.downloaded_at is not None
            state = CaseState.CLOSED if fetched else CaseState.EXPIRED
            self._end(tx, step(case, state, now), ("delivery_expired", "system:job"), now)
        return True

    def _end(self, tx: Connection, after: Case, event: tuple[str, str], now: datetime) -> Case:
        _set(tx, after.id, sealed_envelope=None, ended_at=now)
        _write(tx, after)
        ended = destroy_delivery_key(tx, self._personal, str(after.subject_id))
        kind, actor = event
        append(tx, Event(f"case.{kind}", actor, after.id, {"key_destroyed": ended}), now)
        return case_of(tx, case_row(tx, after.id))


def _write(tx: Connection, after: Case, **values: object) -> None:
    tx.execute(
        update(subject_case)
        .where(subject_case.c.id == after.id)
        .values(**columns_of(after), **values)
    )


def _set(tx: Connection, case_id: str, **values: object) -> None:
    tx.execute(update(case_delivery).where(case_delivery.c.case_id == case_id).values(**values))


def _row(tx: Connection, case_id: str) -> Row[tuple[object, ...]]:
    row = tx.execute(select(case_delivery).where(case_delivery.c.case_id == case_id)).first()
    if row is None:
        raise NotFound("delivery of case", case_id)
    return row


def _delivery(row: Row[tuple[object, ...]]) -> Delivery:
    return Delivery(
        row.case_id,
        row.package_sha256,
        row.envelope_sha256,
        row.method,
        AssuranceLevel(row.level),
        row.delivered_at,
        row.expires_at,
        row.downloaded_at,
        row.ended_at,
    )

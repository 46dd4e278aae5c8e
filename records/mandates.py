"""Legal persons and the mandates to act for them: operational columns in clear, the rest sealed.

A mandate is sealed under the key of its legal person. Co-signers, the draw of a call-back and
incidents are rows of their own, so that the database can count on them.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from audit.events import Detail, Event
from ra.case import CallBack
from ra.documents import from_document, to_document
from ra.errors import Conflict
from ra.legal_persons import Act, CvrNumber, Drawn
from ra.levels import AssuranceLevel
from ra.mandate_package import MandateApproval
from ra.mandates import Authenticated, Mandate, MandateId, MandateState
from ra.terms import Acceptance
from records.audit_log import append
from records.database import Database
from records.errors import NotFound
from records.personal_data import PersonalData
from records.tables import (
    call_back,
    incident,
    mandate,
    mandate_signature,
    organisation,
    subject,
)

_PURPOSE = "evidence"
HOLDER = "system:holder"
"""The actor of what a person did with a certificate of their own; who, the rows say."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """A legal person by its number; `level` is that of its registration, None before it."""

    id: str
    cvr: CvrNumber
    subject_id: str
    state: str
    level: AssuranceLevel | None


@dataclass(frozen=True, slots=True)
class CallBackRecord:
    """The draw of one mandate, and what came of it."""

    drawn: Drawn
    number_source: str
    outcome: str | None
    called_by: str | None

    @property
    def callback(self) -> CallBack:
        """As a case has it."""
        return self.drawn.callback if self.outcome is None else CallBack(self.outcome)


class Mandates:
    """The tables of organisations and mandates."""

    def __init__(self, database: Database, personal: PersonalData) -> None:
        """Use the database, and the door for sealed bodies."""
        self._database = database
        self._personal = personal

    def add(self, new: Mandate, now: datetime) -> None:
        """Keep a new mandate; its legal person is made at the first."""
        with self._database.write() as tx:
            of = _organisation(tx, new.company) or _made(tx, new.company, now)
            tx.execute(
                insert(mandate).values(
                    id=new.id,
                    organisation_id=of.id,
                    act=new.act,
                    level=int(new.level),
                    registrant=new.registrant.subject_id,
                    holder=new.holder,
                    opened_at=new.opened_at,
                    **self._changing(tx, of.subject_id, new),
                )
            )
            append(tx, _event(new, HOLDER), now)

    def get(self, mandate_id: str) -> Mandate:
        """The mandate as it stands; NotFound when there is none."""
        with self._database.read() as tx:
            return self._mandate(tx, _row(tx, mandate_id))

    def all(self, state: MandateState | None = None) -> tuple[Mandate, ...]:
        """Every mandate, or those in a state, the oldest first."""
        query = select(mandate).order_by(mandate.c.opened_at)
        if state is not None:
            query = query.where(mandate.c.state == state)
        with self._database.read() as tx:
            return tuple(self._mandate(tx, row) for row in tx.execute(query).all())

    def held_by(self, subject_id: str, cvr: CvrNumber) -> tuple[Mandate, ...]:
        """The granted mandates that a person holds for a legal person."""
        return tuple(each for each in self.granted(cvr) if each.holder == subject_id)

    def granted(self, cvr: CvrNumber) -> tuple[Mandate, ...]:
        """The mandates that are granted for a legal person, the oldest first."""
        query = (
            select(mandate)
            .join(organisation, organisation.c.id == mandate.c.organisation_id)
            .where(organisation.c.cvr == cvr.value, mandate.c.state == MandateState.GRANTED)
            .order_by(mandate.c.opened_at)
        )
        with self._database.read() as tx:
            return tuple(self._mandate(tx, row) for row in tx.execute(query).all())

    def update(self, before: Mandate, after: Mandate, actor: str, now: datetime) -> None:
        """Replace a mandate that nobody else changed meanwhile; else Conflict."""
        with self._database.write() as tx:
            self._replace(tx, before, after)
            append(tx, _event(after, actor), now)

    def sign(self, before: Mandate, after: Mandate, signer: Authenticated, now: datetime) -> None:
        """Keep a co-signer's approval, as a row and in the mandate."""
        with self._database.write() as tx:
            self._require_unchanged(tx, before)
            tx.execute(
                insert(mandate_signature).values(
                    mandate_id=after.id,
                    subject_id=signer.subject_id,
                    fingerprint=signer.certificate,
                    asked_sha256=after.asked_sha256,
                    at=now,
                )
            )
            self._write(tx, after)
            told: dict[str, Detail] = {"asked_sha256": after.asked_sha256}
            append(tx, Event("mandate.signed", HOLDER, after.id, told), now)

    def record_power(
        self, before: Mandate, after: Mandate, drawn: Drawn | None, actor: str, now: datetime
    ) -> None:
        """Keep a power of attorney, and the draw of its call-back unless there is one already."""
        with self._database.write() as tx:
            self._replace(tx, before, after)
            append(tx, _event(after, actor), now)
            if drawn is None or _call_back(tx, after.id) is not None:
                return
            source = "" if after.register is None else after.register.source_id
            tx.execute(
                insert(call_back).values(
                    mandate_id=after.id,
                    percent=drawn.percent,
                    selected=int(drawn.selected),
                    number_source=source,
                    drawn_at=now,
                )
            )
            told: dict[str, Detail] = {"percent": drawn.percent, "selected": int(drawn.selected)}
            append(tx, Event("mandate.call_back_drawn", "system:draw", after.id, told), now)

    def call_back(self, mandate_id: str) -> CallBackRecord | None:
        """The draw of a mandate and its outcome; None when nothing was drawn."""
        with self._database.read() as tx:
            return _call_back(tx, mandate_id)

    def called(
        self, before: Mandate, after: Mandate, outcome: CallBack, actor: str, now: datetime
    ) -> None:
        """Keep the outcome of a call-back; a denial comes with the refusal and an incident."""
        with self._database.write() as tx:
            self._replace(tx, before, after)
            tx.execute(
                update(call_back)
                .where(call_back.c.mandate_id == after.id)
                .values(outcome=outcome, called_by=actor, called_at=now)
            )
            told: dict[str, Detail] = {"outcome": outcome.value}
            append(tx, Event("mandate.called_back", actor, after.id, told), now)
            if after.state is MandateState.REFUSED:
                _open_incident(tx, "call_back_denied", after.id, actor, now)
                append(tx, _event(after, actor), now)

    def refuse_for_specimen(
        self, before: Mandate, after: Mandate, actor: str, now: datetime
    ) -> None:
        """Keep a refusal because a signature is not like its specimens, with an incident."""
        with self._database.write() as tx:
            self._replace(tx, before, after)
            _open_incident(tx, "specimen_mismatch", after.id, actor, now)
            append(tx, _event(after, actor), now)

    def incidents(self) -> tuple[Mapping[str, object], ...]:
        """Every incident, the newest first."""
        with self._database.read() as tx:
            rows = tx.execute(select(incident).order_by(incident.c.opened_at.desc()))
            return tuple(dict(row._mapping) for row in rows)  # noqa: SLF001 - SQLAlchemy's own name

    def grant(
        self, before: Mandate, granted: Mandate, approval: MandateApproval, now: datetime
    ) -> None:
        """Keep an approval; a mandate to register makes the legal person registered with it.

        Raises: Conflict; RuleBroken (ORG02, ORG05 to ORG07).
        """
        with self._database.write() as tx:
            self._replace(tx, before, granted, approval)
            told: dict[str, Detail] = {"package_sha256": approval.package_hash}
            append(tx, _event(granted, approval.officer, told), now)
            if granted.act is not Act.REGISTER:
                return
            _register(tx, granted, approval.officer, now)

    def note(
        self, before: Mandate, after: Mandate, what: str, told: dict[str, Detail], now: datetime
    ) -> None:
        """Keep what is done under a granted mandate, with an event of its own; Conflict."""
        with self._database.write() as tx:
            self._replace(tx, before, after)
            append(tx, Event(f"mandate.{what}", HOLDER, after.id, told), now)

    def agreements(self, cvr: CvrNumber) -> tuple[Acceptance, ...]:
        """What was accepted for a legal person under mandates that are granted."""
        return tuple(made for each in self.granted(cvr) for made in each.agreements)

    def organisation(self, cvr: CvrNumber) -> Organisation:
        """The legal person of this number; NotFound when nobody asked for it yet."""
        with self._database.read() as tx:
            found = _organisation(tx, cvr)
        if found is None:
            raise NotFound("organisation", cvr.value)
        return found

    def _replace(
        self,
        tx: Connection,
        before: Mandate,
        after: Mandate,
        approval: MandateApproval | None = None,
    ) -> None:
        self._require_unchanged(tx, before)
        self._write(tx, after, approval)

    def _require_unchanged(self, tx: Connection, before: Mandate) -> None:
        row = _row(tx, before.id, lock=True)
        if self._mandate(tx, row) != before:
            raise Conflict(row.state)

    def _write(
        self, tx: Connection, after: Mandate, approval: MandateApproval | None = None
    ) -> None:
        of = _organisation(tx, after.company)
        if of is None:
            raise NotFound("organisation", after.company.value)
        values = self._changing(tx, of.subject_id, after)
        if approval is not None:
            values |= {
                "approved_by": approval.officer,
                "approved_by_person": approval.person_id,
                "signature": approval.signature,
            }
        tx.execute(update(mandate).where(mandate.c.id == after.id).values(**values))

    def _changing(self, tx: Connection, subject_id: str, of: Mandate) -> dict[str, object]:
        body = json.dumps(to_document(of), separators=(",", ":")).encode()
        return {
            "state": of.state,
            "checked_by_person": None if of.checked_by is None else of.checked_by.person_id,
            "package_sha256": of.package_hash,
            "valid_until": of.valid_until,
            "sealed_body": self._personal.seal(tx, subject_id, _PURPOSE, body),
            "updated_at": of.updated_at,
        }

    def _mandate(self, tx: Connection, row: Row[tuple[Any, ...]]) -> Mandate:
        of = select(organisation.c.subject_id).where(organisation.c.id == row.organisation_id)
        subject_id = str(tx.execute(of).scalar_one())
        body = self._personal.open(tx, subject_id, _PURPOSE, row.sealed_body)
        found = from_document(Mandate, json.loads(body))
        # The columns in clear are what the guards look at, so they decide.
        return replace(
            found,
            id=MandateId(row.id),
            act=Act(row.act),
            level=AssuranceLevel(row.level),
            state=MandateState(row.state),
            holder=row.holder,
        )

    def salt(self, of: Mandate) -> bytes:
        """The octets that hide the evidence behind the commitments of the mandate's package."""
        with self._database.write() as tx:
            subject_id = str(
                tx.execute(
                    select(organisation.c.subject_id).where(organisation.c.cvr == of.company.value)
                ).scalar_one()
            )
            return self._personal.derive(tx, subject_id, _PURPOSE, f"mandate {of.id}".encode())


def _register(tx: Connection, granted: Mandate, actor: str, now: datetime) -> None:
    """The legal person of a granted mandate, at the highest level of any that is in force."""
    mine = organisation.c.cvr == granted.company.value
    of = tx.execute(select(organisation.c.id).where(mine)).scalar_one()
    levels = select(func.max(mandate.c.level)).where(
        mandate.c.organisation_id == of,
        mandate.c.act == Act.REGISTER,
        mandate.c.state == MandateState.GRANTED,
    )
    level = AssuranceLevel(tx.execute(levels).scalar_one())
    tx.execute(update(organisation).where(mine).values(state="registered", level=int(level)))
    told: dict[str, Detail] = {"level": level.label}
    append(tx, Event("organisation.registered", actor, str(of), told), now)


def _made(tx: Connection, cvr: CvrNumber, now: datetime) -> Organisation:
    subject_id = f"subject-{secrets.token_hex(8)}"
    tx.execute(
        insert(subject).values(id=subject_id, kind="legal_person", state="active", created_at=now)
    )
    organisation_id = f"O-{secrets.token_hex(8)}"
    tx.execute(
        insert(organisation).values(
            id=organisation_id,
            cvr=cvr.value,
            subject_id=subject_id,
            state="proposed",
            created_at=now,
        )
    )
    return Organisation(organisation_id, cvr, subject_id, "proposed", None)


def _organisation(tx: Connection, cvr: CvrNumber) -> Organisation | None:
    row = tx.execute(select(organisation).where(organisation.c.cvr == cvr.value)).first()
    if row is None:
        return None
    level = None if row.level is None else AssuranceLevel(row.level)
    return Organisation(row.id, CvrNumber(row.cvr), row.subject_id, row.state, level)


def _call_back(tx: Connection, mandate_id: str) -> CallBackRecord | None:
    row = tx.execute(select(call_back).where(call_back.c.mandate_id == mandate_id)).first()
    if row is None:
        return None
    drawn = Drawn(row.percent, bool(row.selected))
    return CallBackRecord(drawn, row.number_source, row.outcome, row.called_by)


def _open_incident(tx: Connection, kind: str, about: str, actor: str, now: datetime) -> None:
    incident_id = f"I-{secrets.token_hex(8)}"
    tx.execute(
        insert(incident).values(
            id=incident_id, kind=kind, about=about, opened_by=actor, opened_at=now
        )
    )
    append(tx, Event("incident.opened", actor, incident_id, {"kind": kind}), now)


def _event(of: Mandate, actor: str, details: Mapping[str, Detail] | None = None) -> Event:
    return Event(f"mandate.{of.state}", actor, of.id, dict(details or {}))


def _row(tx: Connection, mandate_id: str, *, lock: bool = False) -> Row[tuple[Any, ...]]:
    query = select(mandate).where(mandate.c.id == mandate_id)
    row = tx.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound("mandate", mandate_id)
    return row

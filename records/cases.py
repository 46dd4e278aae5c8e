"""Data-subject cases: operational columns in clear, what was written in them sealed.

Everything personal of a case is sealed under purpose `case` of the person it is about; until that
person is identified, under that of a stand-in for whoever asked, who is erased at that moment.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Update, delete, func, insert, select, update

from audit.events import Detail, Event
from gdpr_erasure.case_errors import CaseConflict
from gdpr_erasure.case_identity import required_level
from gdpr_erasure.cases import (
    APPROVALS,
    OPEN,
    STEPS,
    Actor,
    Case,
    CaseState,
    CaseText,
    Refusal,
    step,
)
from ra.levels import AssuranceLevel
from records.audit_log import append
from records.case_rows import (
    CASE,
    DELIVERY,
    STAND_IN,
    CaseRow,
    case_of,
    case_row,
    certified_levels,
    columns_of,
    destroy_delivery_key,
    text_octets,
)
from records.database import Database
from records.errors import Erased, NotFound
from records.personal_data import PersonalData
from records.roles import erasing
from records.tables import (
    application,
    case_approval,
    certificate,
    subject,
    subject_case,
)

REQUESTER = "system:requester"


class Cases:
    """The table of cases and their approvals."""

    def __init__(self, database: Database, personal: PersonalData) -> None:
        """Use the database, and the door for what is written in cases."""
        self._database = database
        self._personal = personal

    def open(self, new: Case, text: CaseText, secret: str, now: datetime) -> Case:
        """Keep a new case; whoever shows the secret later is its requester.

        Without a subject one is made that stands for the requester.

        Raises:
            NotFound: there is no such subject, or it is being erased.
        """
        stand_in = f"subject-{hashlib.sha256(f'{new.id}{secret}'.encode()).hexdigest()[:16]}"
        case = replace(new, subject_id=new.subject_id or stand_in)
        with self._database.write() as tx:
            if new.subject_id is None:
                tx.execute(
                    insert(subject).values(
                        id=stand_in, kind=STAND_IN, state="active", created_at=now
                    )
                )
            else:
                _require_subject(tx, new.subject_id)
            opened = new.opened_by
            tx.execute(
                insert(subject_case).values(
                    id=case.id,
                    kind=case.kind,
                    language=case.language,
                    scopes=json.dumps(sorted(case.scopes)),
                    secret_sha256=_sha256(secret),
                    received_at=case.received_at,
                    opened_by=None if opened is None else opened.officer_id,
                    opened_person=None if opened is None else opened.person_id,
                    sealed_text=self._seal(tx, case, text_octets(text)),
                    **columns_of(case),
                )
            )
            who = REQUESTER if opened is None else opened.officer_id
            append(tx, Event("case.opened", who, case.id, {"kind": case.kind}), now)
            return case_of(tx, case_row(tx, case.id))

    def get(self, case_id: str) -> Case:
        """The case as it stands; NotFound when there is none."""
        with self._database.read() as tx:
            return case_of(tx, case_row(tx, case_id))

    def all(self, *states: CaseState) -> tuple[Case, ...]:
        """Every case, or those in these states, the oldest first."""
        query = select(subject_case).order_by(subject_case.c.received_at)
        if states:
            query = query.where(subject_case.c.state.in_(states))
        with self._database.read() as tx:
            return tuple(case_of(tx, row) for row in tx.execute(query).all())

    def of_subject(self, subject_id: str) -> tuple[Case, ...]:
        """Every case of a person, the oldest first."""
        query = select(subject_case).where(subject_case.c.subject_id == subject_id)
        with self._database.read() as tx:
            rows = tx.execute(query.order_by(subject_case.c.received_at)).all()
            return tuple(case_of(tx, row) for row in rows)

    def open_cases(self) -> tuple[Case, ...]:
        """Every case that has not been answered."""
        return self.all(*OPEN)

    def count_unasked(self, since: datetime) -> int:
        """How many requests came in since then without an officer who took them in."""
        of = subject_case.c
        query = select(func.count()).where(of.opened_by.is_(None), of.received_at >= since)
        with self._database.read() as tx:
            return int(tx.execute(query).scalar_one())

    def is_requester(self, case_id: str, secret: str) -> bool:
        """Whether this is the secret that was given out when the case was opened."""
        with self._database.read() as tx:
            kept = tx.execute(
                select(subject_case.c.secret_sha256).where(subject_case.c.id == case_id)
            ).scalar()
        # Compared in any case, so that an unknown case takes as long as a known one.
        return hmac.compare_digest(kept or _sha256(""), _sha256(secret)) and kept is not None

    def text(self, case_id: str) -> CaseText:
        """What was written in a case; Erased once its person is."""
        with self._database.read() as tx:
            row = case_row(tx, case_id)
            if row.sealed_text is None or row.subject_id is None:
                raise Erased("what was written in this case was erased")
            octets = self._personal.open(tx, row.subject_id, CASE, row.sealed_text)
        return CaseText(**json.loads(octets))

    def required_level(self, subject_id: str) -> AssuranceLevel:
        """The level at which this person proves an identity: that of the strongest certificate."""
        with self._database.read() as tx:
            _require_subject(tx, subject_id)
            return required_level(certified_levels(tx, subject_id))

    def subject_of_application(self, application_id: str) -> str:
        """Whose application it is; NotFound when there is none."""
        query = select(application.c.subject_id).where(application.c.id == application_id)
        with self._database.read() as tx:
            return _found(tx.execute(query).scalar(), "application", application_id)

    def subject_of_certificate(self, issuer: str, serial: str) -> str:
        """Whose certificate it is; NotFound when there is none, or it is about nobody."""
        query = select(certificate.c.subject_id).where(
            certificate.c.issuer == issuer, certificate.c.serial == serial
        )
        with self._database.read() as tx:
            return _found(tx.execute(query).scalar(), "person in certificate", f"{issuer}/{serial}")

    def move(
        self,
        change: tuple[Case, Case],
        event: tuple[str, str],
        now: datetime,
        *,
        text: CaseText | None = None,
        details: Mapping[str, Detail] | None = None,
    ) -> Case:
        """Put the second case of a change in the place of the first, if nobody else changed it.

        `event` is its kind and its actor.

        Raises:
            CaseConflict: somebody else changed the case meanwhile.
            RuleBroken: the database forbids it (CASE01 to CASE09).
        """
        with self._database.write() as tx:
            values = {} if text is None else {"sealed_text": self._text(tx, change[1], text)}
            return self._write(tx, change, values, (*event, dict(details or {})), now)

    def prove(self, change: tuple[Case, Case], text: CaseText, actor: str, now: datetime) -> Case:
        """As `move`: what was written goes over to the person who was identified.

        A case that was only received is taken through the step in which identity is asked for.
        """
        before, after = change
        with self._database.write() as tx:
            if before.state is CaseState.RECEIVED:
                between = step(before, CaseState.IDENTIFYING, now)
                before = self._write(tx, (before, between), {}, ("asked", actor, {}), now)
            _require_subject(tx, str(after.subject_id))
            proof = after.proof
            details: dict[str, Detail] = {
                "method": None if proof is None else proof.method,
                "level": None if proof is None else proof.level.label,
            }
            values: dict[str, object] = {"sealed_text": self._text(tx, after, text)}
            told = case_row(tx, before.id).sealed_extension
            if told is not None:
                reason = self._personal.open(tx, str(before.subject_id), CASE, told)
                values["sealed_extension"] = self._seal(tx, after, reason)
            return self._write(tx, (before, after), values, ("identified", actor, details), now)

    def refuse(
        self, change: tuple[Case, Case], refusal: Refusal, actor: str, now: datetime
    ) -> Case:
        """As `move`, with what the requester is told (GDPR Art. 12(4))."""
        before, after = change
        told = {"reasons": refusal.reasons, "complaint": refusal.complaint, "court": refusal.court}
        with self._database.write() as tx:
            sealed = self._seal(tx, before, json.dumps(told).encode())
            values: dict[str, object] = {"sealed_refusal": sealed}
            return self._write(tx, (before, after), values, ("refused", actor, {}), now)

    def refusal(self, case_id: str) -> Refusal:
        """What the requester is told of a refusal; NotFound when it was not refused."""
        with self._database.read() as tx:
            row = case_row(tx, case_id)
            if row.sealed_refusal is None:
                raise NotFound("refusal of case", case_id)
            octets = self._personal.open(tx, row.subject_id, CASE, row.sealed_refusal)
        return Refusal(**json.loads(octets))

    def extend(self, change: tuple[Case, Case], reason: str, actor: str, now: datetime) -> Case:
        """As `move`, with the reason that the requester is told (GDPR Art. 12(3))."""
        before, after = change
        with self._database.write() as tx:
            values: dict[str, object] = {
                "sealed_extension": self._seal(tx, before, reason.encode())
            }
            return self._write(tx, (before, after), values, ("extended", actor, {}), now)

    def extension(self, case_id: str) -> str | None:
        """Why the case takes longer, or None."""
        with self._database.read() as tx:
            row = case_row(tx, case_id)
            if row.sealed_extension is None:
                return None
            return self._personal.open(tx, row.subject_id, CASE, row.sealed_extension).decode()

    def submit(self, change: tuple[Case, Case], package: bytes, actor: str, now: datetime) -> Case:
        """As `move`, with the package that approvers read and that is sent unchanged."""
        before, after = change
        details: dict[str, Detail] = {"package_sha256": after.package_sha256}
        with self._database.write() as tx:
            sealed = self._personal.seal(tx, str(before.subject_id), DELIVERY, package)
            values: dict[str, object] = {"sealed_package": sealed}
            # The digest is settled while the case is assessed, and the step taken after it.
            settled = replace(before, package_sha256=after.package_sha256)
            row = case_row(tx, before.id, lock=True)
            _require_same(tx, row, before)
            tx.execute(_update(settled).values(**columns_of(settled)))
            return self._write(tx, (settled, after), values, ("submitted", actor, details), now)

    def package(self, case_id: str) -> bytes:
        """What waits for approval or delivery; NotFound when nothing does."""
        with self._database.read() as tx:
            row = case_row(tx, case_id)
            if row.sealed_package is None:
                raise NotFound("package of case", case_id)
            return self._personal.open(tx, row.subject_id, DELIVERY, row.sealed_package)

    def approve(self, case: Case, approver: Actor, sha256: str, now: datetime) -> Case:
        """Record an approval of exactly this digest; the second person's approves the case.

        Raises:
            Conflict: this person approved it before.
            RuleBroken: the database forbids it (CASE05, CASE06, CASE08).
        """
        with self._database.write() as tx:
            row = case_row(tx, case.id, lock=True)
            _require_same(tx, row, case)
            tx.execute(
                insert(case_approval).values(
                    case_id=case.id,
                    person_id=approver.person_id,
                    package_sha256=sha256,
                    officer_id=approver.officer_id,
                    at=now,
                )
            )
            details: dict[str, Detail] = {"package_sha256": sha256}
            who = approver.officer_id
            append(tx, Event("case.approval", who, case.id, details), now)
            if len(_approvers(tx, case)) < APPROVALS:
                return case
            approved = step(case, CaseState.APPROVED, now)
            return self._write(tx, (case, approved), {}, ("approved", who, details), now)

    def approvers(self, case: Case) -> list[str]:
        """The officers who approved the package of the case as it is."""
        with self._database.read() as tx:
            return _approvers(tx, case)

    def tell_opening(self, case: Case, what: str, purpose: str, actor: str, now: datetime) -> None:
        """Write into the audit log that somebody reads what is sealed, and what for."""
        details: dict[str, Detail] = {"what": what, "purpose": purpose}
        with self._database.write() as tx:
            append(tx, Event("case.read", actor, case.id, details), now)

    def _write(
        self,
        tx: Connection,
        change: tuple[Case, Case],
        values: Mapping[str, object],
        event: tuple[str, str, Mapping[str, Detail]],
        now: datetime,
    ) -> Case:
        before, after = change
        _require_same(tx, case_row(tx, before.id, lock=True), before)
        ends = {} if STEPS[after.state] else {"sealed_package": None}
        tx.execute(_update(after).values(**columns_of(after), **values, **ends))
        kind, actor, details = event
        append(tx, Event(f"case.{kind}", actor, after.id, details), now)
        if before.subject_id != after.subject_id:
            self._end_stand_in(tx, str(before.subject_id))
        if ends:
            destroy_delivery_key(tx, self._personal, str(after.subject_id))
        return case_of(tx, case_row(tx, after.id))

    def _end_stand_in(self, tx: Connection, subject_id: str) -> None:
        """Erase the stand-in of a requester who is identified; another subject stays."""
        ended = tx.execute(
            update(subject)
            .where(subject.c.id == subject_id, subject.c.kind == STAND_IN)
            .values(state="erasing")
        ).rowcount
        if ended:
            self._personal.destroy(tx, subject_id)
            with erasing(tx):
                tx.execute(delete(subject).where(subject.c.id == subject_id))

    def _text(self, tx: Connection, case: Case, text: CaseText) -> bytes:
        return self._seal(tx, case, text_octets(text))

    def _seal(self, tx: Connection, case: Case, octets: bytes) -> bytes:
        return self._personal.seal(tx, str(case.subject_id), CASE, octets)


def _require_same(tx: Connection, row: CaseRow, before: Case) -> None:
    # Compared as a whole: two officers may act within one tick of the clock.
    if case_of(tx, row) != before:
        raise CaseConflict(before.id, row.state)


def _require_subject(tx: Connection, subject_id: str) -> None:
    found = select(subject.c.id).where(subject.c.id == subject_id, subject.c.state != "erasing")
    _found(tx.execute(found.with_for_update()).scalar(), "data subject", "of this case")


def _approvers(tx: Connection, case: Case) -> list[str]:
    of = case_approval.c
    rows = tx.execute(
        select(of.officer_id)
        .where(of.case_id == case.id, of.package_sha256 == case.package_sha256)
        .order_by(of.at, of.officer_id)
    )
    return [officer_id for (officer_id,) in rows]


def _update(case: Case) -> Update:
    return update(subject_case).where(subject_case.c.id == case.id)


def _found(value: str | None, kind: str, name: str) -> str:
    if value is None:
        raise NotFound(kind, name)
    return value


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

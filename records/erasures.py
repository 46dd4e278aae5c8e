"""Erasure cases; implements `gdpr_erasure.erasures.ErasureStore`."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from audit.events import Detail, Event
from gdpr_erasure.erasures import (
    PERSONS,
    Approval,
    AuditProof,
    DirectoryPolicy,
    DirectorySeen,
    Erasure,
    ErasureRules,
    ErasureState,
    NewErasure,
    Notice,
    Observation,
    Place,
    Told,
    evidence_text,
    month_after,
)
from gdpr_erasure.errors import Refused
from gdpr_erasure.retention import Assessment, Item, assessment_text
from records.audit_log import append
from records.audit_proofs import AuditProofs
from records.crls import Crls
from records.database import Database
from records.erasure_destruction import destroy_all, may_be_destroyed
from records.erasure_inventory import inventory, mark_kept
from records.erasure_rows import case_in, case_of, move, places_of_subject
from records.errors import NotFound
from records.orders import written_off
from records.roles import erasing
from records.statuses import revoke_all
from records.tables import (
    certificate,
    erasure,
    erasure_approval,
    erasure_notice,
    erasure_receipt,
    officer,
    publication,
    subject,
)

_JOB = "system:erasure"
_BEGUN = tuple(
    state
    for state in ErasureState
    if state not in {ErasureState.REQUESTED, ErasureState.DONE, ErasureState.CANCELLED}
)


class Erasures:
    """The erasure table and what belongs to it."""

    def __init__(
        self,
        database: Database,
        crls: Crls,
        rules: ErasureRules | None = None,
        forget: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Use the database, where observations are kept, and what the installation decided.

        `forget` takes a person out of what lies outside the database, before the person is erased.
        """
        self._forget = forget
        self._database = database
        self._crls = crls
        self._rules = rules or ErasureRules()
        self._proofs = AuditProofs(database)

    def inventory(self, subject_id: str) -> tuple[Item, ...]:
        """Everything that is kept about the subject."""
        with self._database.read() as tx:
            return inventory(tx, subject_id)

    def open_erasure(self, new: NewErasure, of: Assessment, now: datetime) -> Erasure:
        """A new case, or the one that the subject has already."""
        with self._database.write() as tx:
            # Two requests at once are one after the other from here on.
            own = subject.c.id == new.subject_id
            if not tx.execute(select(subject.c.id).where(own).with_for_update()).first():
                raise NotFound("data subject", "of this request")
            mine = select(erasure).where(erasure.c.subject_id == new.subject_id)
            found = tx.execute(mine).first()
            if found is not None:
                return case_of(tx, found)
            count = len(places_of_subject(tx, new.subject_id))
            case_id = f"E-{secrets.token_hex(8)}"
            tx.execute(
                insert(erasure).values(
                    id=case_id,
                    subject_id=new.subject_id,
                    state=ErasureState.REQUESTED,
                    cause=new.trigger,
                    opened_by=new.actor,
                    requested_at=now,
                    due_at=month_after(now),
                    holder=new.holder,
                    certificates=count,
                    evidence="{}",
                    recheck="[]",
                    updated_at=now,
                    **_ruled(of),
                )
            )
            told: dict[str, Detail] = {"certificates": count, "rulings": of.sha256}
            append(tx, Event("erasure.requested", new.actor, case_id, told), now)
            return case_in(tx, case_id)

    def erasure(self, case_id: str) -> Erasure:
        """The case as it stands; NotFound if there is none."""
        with self._database.read() as tx:
            return case_in(tx, case_id)

    def all(self) -> tuple[Erasure, ...]:
        """Every case, newest first."""
        with self._database.read() as tx:
            rows = tx.execute(select(erasure).order_by(erasure.c.requested_at.desc()))
            return tuple(case_of(tx, row) for row in rows.all())

    def open_erasures(self) -> tuple[Erasure, ...]:
        """Every case that was approved and has not ended."""
        with self._database.read() as tx:
            rows = tx.execute(select(erasure).where(erasure.c.state.in_(_BEGUN)))
            return tuple(case_of(tx, row) for row in rows.all())

    def approve(self, case: Erasure, by: Approval, begins_at: datetime, now: datetime) -> Erasure:
        """Keep an approval; the second person's lets the case begin.

        Raises:
            Refused: this person approved already (ERA03).
            RuleBroken: ERA06, who may not approve, or another digest.
        """
        with self._database.write() as tx:
            # Two persons at once are one after the other, so that the second is seen to be it.
            tx.execute(select(erasure.c.id).where(erasure.c.id == case.id).with_for_update())
            who = select(officer.c.person_id).where(officer.c.id == by.officer_id)
            person = tx.execute(who).scalar() or by.officer_id
            of = erasure_approval.c
            given = select(of.person_id).where(
                of.case_id == case.id, of.rulings_sha256 == by.sha256
            )
            if person in set(tx.execute(given).scalars()):
                raise Refused(
                    "ERA03",
                    "two different persons approve an erasure, and this one has done so already",
                    "have a second security administrator approve it",
                )
            tx.execute(
                insert(erasure_approval).values(
                    case_id=case.id,
                    rulings_sha256=by.sha256,
                    person_id=person,
                    officer_id=by.officer_id,
                    at=now,
                )
            )
            told = {"rulings": by.sha256}
            append(tx, Event("erasure.approval", by.officer_id, case.id, told), now)
            if case_in(tx, case.id).approvals >= PERSONS:
                move(tx, case, now, state=ErasureState.APPROVED, begins_at=begins_at)
                append(tx, Event("erasure.approved", by.officer_id, case.id, told), now)
            return case_in(tx, case.id)

    def reassess(self, case: Erasure, of: Assessment, now: datetime) -> Erasure:
        """Put new rulings in the place of those that are true no more."""
        with self._database.write() as tx:
            move(tx, case, now, state=ErasureState.REQUESTED, begins_at=None, **_ruled(of))
            append(tx, Event("erasure.reassessed", _JOB, case.id, {"rulings": of.sha256}), now)
            return case_in(tx, case.id)

    def cancel(self, case: Erasure, actor: str, now: datetime) -> Erasure:
        """End a case that nothing was done for; it no longer says of whom it was."""
        with self._database.write() as tx:
            move(tx, case, now, state=ErasureState.CANCELLED, subject_id=None)
            append(tx, Event("erasure.cancelled", actor, case.id, {}), now)
            return case_in(tx, case.id)

    def freeze(self, case: Erasure, kept: Assessment, now: datetime) -> Erasure:
        """Stop every new certificate for the subject, and mark until when each record is kept."""
        of = str(case.subject_id)
        with self._database.write() as tx:
            tx.execute(update(subject).where(subject.c.id == of).values(state="erasing"))
            mark_kept(tx, of, kept, now)
            move(tx, case, now, state=ErasureState.FROZEN, kept=assessment_text(kept))
            append(tx, Event("erasure.frozen", _JOB, case.id, {}), now)
            return case_in(tx, case.id)

    def revoke(self, case: Erasure, now: datetime) -> Erasure | None:
        """Revoke what is not revoked; None while a certificate is still being made."""
        of = certificate.c
        own = of.subject_id == case.subject_id
        with self._database.write() as tx:
            intents = select(of.serial).where(own, of.status == "intent", of.not_after >= now)
            if tx.execute(intents.limit(1)).first() is not None:
                return None
            count = revoke_all(tx, str(case.subject_id), _JOB, now)
            last = tx.execute(select(func.max(of.decided_at)).where(own)).scalar()
            told = {"certificates": count, "last": None if last is None else last.isoformat()}
            self._advance(tx, case, (ErasureState.REVOKED, {"revoked": told}), now)
            return case_in(tx, case.id)

    def advance(
        self, case: Erasure, state: ErasureState, evidence: Mapping[str, object], now: datetime
    ) -> Erasure:
        """One state on, with what was seen."""
        with self._database.write() as tx:
            self._advance(tx, case, (state, evidence), now)
            return case_in(tx, case.id)

    def _advance(
        self,
        tx: Connection,
        case: Erasure,
        to: tuple[ErasureState, Mapping[str, object]],
        now: datetime,
    ) -> None:
        state, evidence = to
        values: dict[str, object] = {"evidence": evidence_text({**case.evidence, **evidence})}
        if state is ErasureState.RECHECKED:
            values["recheck"] = "[]"
        move(tx, case, now, state=state, **values)
        append(tx, Event(f"erasure.{state}", _JOB, case.id, {}), now)

    def observe(self, place: Place, seen: Observation) -> None:
        """Keep what was seen of one certificate; the database asks for it before a delete."""
        self._crls.observe(place, seen.channel, seen.sha256, seen.at)

    def directories(self, case: Erasure) -> tuple[DirectorySeen, ...]:
        """How every directory stands that was to hold the subject's certificates."""
        of = publication.c
        with self._database.read() as tx:
            gone = written_off(tx)
            rows = tx.execute(
                select(of.directory, of.state, of.verified_at)
                .where(of.subject_id == case.subject_id)
                .order_by(of.directory)
            ).all()
        names = sorted({str(row.directory) for row in rows})
        return tuple(
            self._seen(name, [row for row in rows if row.directory == name], gone) for name in names
        )

    def _seen(self, name: str, rows: Sequence[Any], gone: frozenset[str]) -> DirectorySeen:
        left = [row for row in rows if row.state != "withdrawn" or row.verified_at is None]
        if not left:
            return DirectorySeen(name, "clean", max(row.verified_at for row in rows))
        if name in gone:
            return DirectorySeen(name, "written_off", certificates=len(left))
        owes = self._rules.directories.get(name) is DirectoryPolicy.DEBT
        waiting = all(row.state == "withdrawing" for row in left)
        return DirectorySeen(name, "owed" if owes and waiting else "open", certificates=len(left))

    def notices(self, case: Erasure) -> tuple[Notice, ...]:
        """What is still to be told, after writing down whom there is to tell."""
        of = erasure_notice.c
        with self._database.write() as tx:
            there = set(tx.execute(select(of.recipient).where(of.case_id == case.id)).scalars())
            missing = [name for name in self._rules.recipients if name not in there]
            rows = [{"case_id": case.id, "recipient": name, "outcome": "open"} for name in missing]
            if rows:
                tx.execute(insert(erasure_notice), rows)
            names = select(of.recipient).where(of.case_id == case.id, of.outcome == "open")
            waiting = tx.execute(names.order_by(of.recipient)).scalars()
            return tuple(Notice(case.id, str(name), case.places) for name in waiting)

    def told(self, notice: Notice, how: Told, now: datetime) -> None:
        """Keep how a notice ended."""
        of = erasure_notice.c
        mine = (of.case_id == notice.case_id, of.recipient == notice.recipient)
        with self._database.write() as tx:
            values = {"outcome": how.outcome, "reason": how.reason, "at": now}
            tx.execute(update(erasure_notice).where(*mine).values(values))
            details: dict[str, Detail] = {"recipient": notice.recipient, "outcome": how.outcome}
            append(tx, Event("erasure.told", _JOB, notice.case_id, details), now)

    def told_of(self, case: Erasure) -> Mapping[str, int]:
        """How many notices ended in which way."""
        of = erasure_notice.c
        counted = select(of.outcome, func.count()).where(of.case_id == case.id)
        with self._database.read() as tx:
            return {str(row[0]): row[1] for row in tx.execute(counted.group_by(of.outcome))}

    def destroy(self, case: Erasure, now: datetime) -> Erasure | None:
        """Delete everything about the person that is not kept; None under a legal hold."""
        of = str(case.subject_id)
        # Before the transaction: a person who is found no more and still there is no harm.
        self._forget(of)
        with self._database.write() as tx:
            if not may_be_destroyed(tx, of):
                return None
            places = places_of_subject(tx, of)
            with erasing(tx):
                counts = destroy_all(tx, of, case.id, self._rules.directories, now)
            sequence = append(tx, Event("erasure.destroyed", _JOB, case.id, dict(counts)), now)
            move(
                tx,
                case,
                now,
                state=ErasureState.DESTROYED,
                evidence=evidence_text({**case.evidence, "destroyed": counts}),
                recheck=json.dumps(places),
                epoch=None,
                destroyed_event=sequence,
                **({} if counts["left"] else {"subject_id": None}),
            )
            return case_in(tx, case.id)

    def note_epoch(self, case: Erasure, epoch: int) -> Erasure:
        """Note which epoch was in force once the deletion of the keys was committed."""
        mine = (erasure.c.id == case.id, erasure.c.state == ErasureState.DESTROYED)
        with self._database.write() as tx:
            noted = update(erasure).where(*mine, erasure.c.epoch.is_(None)).values(epoch=epoch)
            tx.execute(noted)
            return case_in(tx, case.id)

    def proof(self, case: Erasure) -> AuditProof | None:
        """That the destruction stands in the log; None until a signed head covers it."""
        if case.destroyed_event is None:
            return None
        return self._proofs.proof(case.destroyed_event)

    def finish(self, case: Erasure, receipt: str, now: datetime) -> Erasure:
        """Keep the receipt; the case is done, or scheduled while something is kept."""
        state = ErasureState.DONE if case.subject_id is None else ErasureState.SCHEDULED
        with self._database.write() as tx:
            add_receipt(tx, case, receipt, now)
            move(tx, case, now, state=state)
            append(tx, Event(f"erasure.{state}", _JOB, case.id, {}), now)
            return case_in(tx, case.id)


def add_receipt(tx: Connection, case: Erasure, receipt: str, now: datetime) -> None:
    """Keep one more receipt of a case."""
    number = len(case.receipts) + 1
    tx.execute(insert(erasure_receipt).values(case_id=case.id, number=number, text=receipt, at=now))


def _ruled(of: Assessment) -> dict[str, object]:
    return {"rulings": assessment_text(of), "rulings_sha256": of.sha256}

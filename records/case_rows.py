"""Rows of the cases as values, and values as columns."""

import json
from datetime import timedelta

from sqlalchemy import Connection, Row, func, select

from gdpr_erasure.case_clock import REPETITION
from gdpr_erasure.case_identity import IdentityProof, ProofMethod
from gdpr_erasure.cases import Actor, Case, CaseKind, CaseState, CaseText
from gdpr_erasure.record_classes import RecordClass
from ra.levels import AssuranceLevel
from records.errors import NotFound
from records.personal_data import PersonalData
from records.tables import application, case_delivery, certificate, subject_case

CaseRow = Row[tuple[object, ...]]
CASE = "case"
DELIVERY = "delivery"
STAND_IN = "requester"
"""Kind of a subject that stands for whoever asked, until that person is identified."""
_TICK = timedelta(microseconds=1)


def case_row(tx: Connection, case_id: str, *, lock: bool = False) -> CaseRow:
    """The row of a case, for this transaction alone if wished; NotFound when there is none."""
    query = select(subject_case).where(subject_case.c.id == case_id)
    row = tx.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound("case", case_id)
    return row


def case_of(tx: Connection, row: CaseRow) -> Case:
    """A row as a case, with how many of its kind came before."""
    return Case(
        id=row.id,
        kind=CaseKind(row.kind),
        state=CaseState(row.state),
        subject_id=row.subject_id,
        language=row.language,
        scopes=frozenset(RecordClass(each) for each in json.loads(row.scopes)),
        received_at=row.received_at,
        updated_at=row.updated_at,
        opened_by=_actor(row.opened_by, row.opened_person),
        assignee=_actor(row.assignee, row.assignee_person),
        asked_at=row.asked_at,
        proof=_proof(row),
        extended_at=row.extended_at,
        lifting_told_at=row.lifting_told_at,
        package_sha256=row.package_sha256,
        repetition=_earlier(tx, row),
    )


def columns_of(case: Case) -> dict[str, object]:
    """What changes in the course of a case."""
    proof, assignee = case.proof, case.assignee
    issuer, serial = (None, None) if proof is None or proof.place is None else proof.place
    return {
        "state": case.state,
        "subject_id": case.subject_id,
        "updated_at": case.updated_at,
        "assignee": None if assignee is None else assignee.officer_id,
        "assignee_person": None if assignee is None else assignee.person_id,
        "asked_at": case.asked_at,
        "proof_method": None if proof is None else proof.method,
        "proof_level": None if proof is None else int(proof.level),
        "proof_at": None if proof is None else proof.at,
        "proof_by": None if proof is None else proof.by,
        "proof_issuer": issuer,
        "proof_serial": serial,
        "extended_at": case.extended_at,
        "lifting_told_at": case.lifting_told_at,
        "package_sha256": case.package_sha256,
    }


def text_octets(text: CaseText) -> bytes:
    """What was written in a case, as JSON to be sealed."""
    fields = ("request", "contact", "evidence", "question", "answer")
    return json.dumps({name: getattr(text, name) for name in fields}).encode()


def certified_levels(tx: Connection, subject_id: str) -> frozenset[AssuranceLevel]:
    """The levels of the applications that led to a certificate of the subject."""
    rows = tx.execute(
        select(application.c.level)
        .join(certificate, certificate.c.application_id == application.c.id)
        .where(application.c.subject_id == subject_id)
        .distinct()
    )
    return frozenset(AssuranceLevel[level.upper()] for (level,) in rows)


def destroy_delivery_key(tx: Connection, personal: PersonalData, subject_id: str) -> bool:
    """End the key of what was delivered, unless another case of the person still needs it."""
    waiting, sent = subject_case.c.sealed_package, case_delivery.c.sealed_envelope
    still = tx.execute(
        select(subject_case.c.id)
        .join(case_delivery, case_delivery.c.case_id == subject_case.c.id, isouter=True)
        .where(subject_case.c.subject_id == subject_id)
        .where(waiting.is_not(None) | sent.is_not(None))
    ).first()
    return still is None and personal.destroy(tx, subject_id, frozenset({DELIVERY})) > 0


def _earlier(tx: Connection, row: CaseRow) -> int:
    """Cases of the same person and kind in the year before (GDPR Art. 12(5))."""
    if row.subject_id is None:
        return 0
    of = subject_case.c
    return int(
        tx.execute(
            select(func.count()).where(
                of.subject_id == row.subject_id,
                of.kind == row.kind,
                of.id != row.id,
                of.received_at.between(row.received_at - REPETITION, row.received_at - _TICK),
            )
        ).scalar_one()
    )


def _actor(officer_id: str | None, person_id: str | None) -> Actor | None:
    return None if officer_id is None or person_id is None else Actor(officer_id, person_id)


def _proof(row: CaseRow) -> IdentityProof | None:
    if row.proof_level is None:
        return None
    place = None if row.proof_issuer is None else (row.proof_issuer, row.proof_serial)
    method, level = ProofMethod(row.proof_method), AssuranceLevel(row.proof_level)
    return IdentityProof(method, level, row.proof_at, row.proof_by, place)

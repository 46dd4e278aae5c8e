"""The use cases of a data-subject case, from what was received to its approval."""

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from audit.events import Detail
from gdpr_erasure.case_errors import CaseConflict, CaseRefused
from gdpr_erasure.case_identity import IdentityProof, ProofMethod, check_evidence
from gdpr_erasure.case_parts import CollectorStatus
from gdpr_erasure.cases import (
    Actor,
    Case,
    CaseKind,
    CaseState,
    CaseText,
    Refusal,
    ask_identity,
    assign,
    check_approver,
    extend,
    prove_identity,
    step,
    submit,
)
from gdpr_erasure.person_file import Asking
from gdpr_erasure.record_classes import RecordClass
from ra.notices import Sending
from records.case_contents import CaseFile
from records.cases import REQUESTER
from records.officers import Officer, Role
from server.assembly import Assembly
from server.case_answers import case_package
from server.errors import NotSignedIn
from server.logs import get_logger
from server.notices import case_notice, notice_of

_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that are mistaken for another on the telephone
MAX_FILE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class NewCase:
    """What is asked for; no scope means everything, no subject that the requester is unknown."""

    kind: CaseKind
    language: str
    scopes: frozenset[RecordClass]
    text: CaseText
    subject_id: str | None = None


def actor_of(officer: Officer) -> Actor:
    """The officer as somebody who acts in a case."""
    return Actor(officer.id, officer.person_id)


def open_case(
    parts: Assembly, new: NewCase, opened_by: Actor | None, now: datetime
) -> tuple[Case, str]:
    """Take a request in; gives it with the secret that makes its bearer the requester.

    Raises:
        NotFound: there is no such subject.
    """
    case = Case(
        id="K" + "".join(secrets.choice(_LETTERS) for _ in range(7)),
        kind=new.kind,
        state=CaseState.RECEIVED,
        subject_id=new.subject_id,
        language=new.language,
        scopes=new.scopes,
        received_at=now,
        updated_at=now,
        opened_by=opened_by,
    )
    secret = secrets.token_urlsafe(24)
    return parts.cases.open(case, new.text, secret, now), secret


def assign_case(
    parts: Assembly, case_id: str, assignee: Officer, actor: Officer, now: datetime
) -> Case:
    """Give a case to a case manager; a handover is logged with whom it is from and to.

    Raises:
        CaseRefused: the other officer manages no cases.
    """
    if assignee.role is not Role.CASE_MANAGER or assignee.state == "ended":
        raise CaseRefused(
            "CASE07",
            "a case is assigned to a case manager",
            "Name one; see: tillid officer list.",
        )
    before = parts.cases.get(case_id)
    after = assign(before, actor_of(assignee), now)
    former = None if before.assignee is None else before.assignee.officer_id
    details: dict[str, Detail] = {"from": former, "to": assignee.id}
    return parts.cases.move((before, after), ("assigned", actor.id), now, details=details)


def ask_for_identity(parts: Assembly, case_id: str, actor: Officer, now: datetime) -> Case:
    """Ask the requester to prove an identity; asked without delay, the clock stands meanwhile."""
    before = parts.cases.get(case_id)
    after = ask_identity(before, now)
    found = parts.cases.move((before, after), ("asked", actor.id), now)
    notify(parts, found)
    return found


@dataclass(frozen=True, slots=True)
class ProvedRequester:
    """Who the requester is: the subject, the proof, and the reference to what was seen."""

    subject_id: str
    proof: IdentityProof
    evidence: str = ""


def identify_at_desk(
    parts: Assembly, case_id: str, proved: ProvedRequester, officer: Officer
) -> Case:
    """An officer proved who asks.

    Raises:
        CaseRefused: the level is too low, no evidence is named, or it is the officer's own case.
    """
    check_evidence(proved.proof.method, proved.evidence)
    if officer.subject_id == proved.subject_id:
        raise CaseRefused(
            "NSIS REG-IDN-L7",
            "nobody proves an identity of one's own",
            "Let another officer do it.",
        )
    return _identify(parts, case_id, proved, officer.id)


def identify_by_certificate(
    parts: Assembly, case_id: str, presented: x509.Certificate, now: datetime
) -> Case:
    """The requester presents a certificate with its key: it is looked up, and its status is live.

    Raises:
        NotSignedIn: it is none of ours, not good at this moment, or about nobody.
        CaseRefused: a stronger certificate of the person asks for a stronger proof.
    """
    digest = presented.fingerprint(SHA256()).hex()
    in_force = presented.not_valid_before_utc <= now <= presented.not_valid_after_utc
    found = parts.certificates.find(1, fingerprint=digest, status="issued") if in_force else []
    if not found or found[0].application_id is None:
        raise NotSignedIn
    application = parts.applications.get(found[0].application_id)
    place = (str(found[0].issuer), found[0].serial_number.hex)
    proof = IdentityProof(ProofMethod.CERTIFICATE, application.level, now, place=place)
    return _identify(parts, case_id, ProvedRequester(application.subject_id, proof), REQUESTER)


def _identify(parts: Assembly, case_id: str, proved: ProvedRequester, actor: str) -> Case:
    before, now = parts.cases.get(case_id), proved.proof.at
    at = step(before, CaseState.IDENTIFYING, now) if _is_new(before) else before
    required = parts.cases.required_level(proved.subject_id)
    after = prove_identity(at, proved.subject_id, proved.proof, required)
    text = replace(parts.cases.text(case_id), evidence=proved.evidence)
    return parts.cases.prove((before, after), text, actor, now)


def _is_new(case: Case) -> bool:
    return case.state is CaseState.RECEIVED


def ask_clarification(
    parts: Assembly, case_id: str, question: str, officer: Officer, now: datetime
) -> Case:
    """Ask the requester what is meant; the case waits, and its due day does not move."""
    before = parts.cases.get(case_id)
    after = step(before, CaseState.CLARIFYING, now)
    text = replace(parts.cases.text(case_id), question=question)
    found = parts.cases.move((before, after), ("clarifying", officer.id), now, text=text)
    notify(parts, found)
    return found


def resume(parts: Assembly, case_id: str, officer: Officer, now: datetime) -> Case:
    """Assess again: after a clarification, or when approvers send back what waits for them."""
    before = parts.cases.get(case_id)
    after = step(before, CaseState.ASSESSING, now)
    return parts.cases.move((before, after), ("resumed", officer.id), now)


def answer_question(parts: Assembly, case_id: str, answer: str, now: datetime) -> Case:
    """The requester says what was meant, and the case is assessed again.

    Raises:
        CaseConflict: nothing was asked, or it was answered.
        CaseRefused: the answer is empty.
    """
    before = parts.cases.get(case_id)
    if before.state is not CaseState.CLARIFYING:
        raise CaseConflict(before.id, before.state)
    if not answer.strip():
        raise CaseRefused("GDPR 12(2)", "an answer says something", "Write what you mean.")
    text = replace(parts.cases.text(case_id), answer=answer)
    after = step(before, CaseState.ASSESSING, now)
    return parts.cases.move((before, after), ("answered", REQUESTER), now, text=text)


@dataclass(frozen=True, slots=True)
class ForRequester:
    """What is written in a case for the requester; None where there is nothing."""

    question: str | None = field(default=None, repr=False)
    refusal: Refusal | None = field(default=None, repr=False)
    extension: str | None = field(default=None, repr=False)


def for_requester(parts: Assembly, case: Case) -> ForRequester:
    """What the requester may read: a question that waits, why it was refused or takes longer."""
    if case.subject_id is None:
        return ForRequester()
    asked = case.state is CaseState.CLARIFYING
    return ForRequester(
        parts.cases.text(case.id).question if asked else None,
        parts.cases.refusal(case.id) if case.state is CaseState.REFUSED else None,
        parts.cases.extension(case.id),
    )


def add_file(
    parts: Assembly, case_id: str, file: tuple[str, bytes], kept: CaseFile, now: datetime
) -> CaseFile:
    """Add a file, by name and content, to a case that is assessed.

    Raises:
        CaseRefused: it is empty or too long.
    """
    if not 0 < len(file[1]) <= MAX_FILE:
        raise CaseRefused(
            "CASE12",
            f"a file of a case has from 1 to {MAX_FILE} octets",
            "Send it in pieces, or hand it over by another way.",
        )
    return parts.case_contents.add_file(parts.cases.get(case_id), file, kept, now)


def prepare(
    parts: Assembly, case_id: str, officer: Officer, now: datetime
) -> tuple[Case, list[CollectorStatus]]:
    """Collect what is missing, and hand the package to the approvers once nothing is.

    It can be repeated: what was collected is kept, and what could not be reached is tried again.

    Raises:
        CaseConflict: the case is not assessed now.
    """
    case = parts.cases.get(case_id)
    if case.state is not CaseState.ASSESSING:
        raise CaseConflict(case.id, case.state)
    if case.assignee is None:
        # Whoever prepares it answers for it, and so does not approve it.
        case = assign_case(parts, case_id, officer, officer, now)
    wanted = parts.person_files.names
    parts.case_contents.expect(case, wanted, now)
    for status in parts.case_contents.parts(case.id):
        if not status.is_done and status.name in wanted:
            _collect(parts, case, status.name, officer, now)
    statuses = parts.case_contents.parts(case.id)
    if all(status.is_done for status in statuses):
        package = case_package(parts, case, statuses, now)
        after = submit(case, hashlib.sha256(package).hexdigest(), (), now)
        case = parts.cases.submit((case, after), package, officer.id, now)
    return case, statuses


def _collect(parts: Assembly, case: Case, name: str, officer: Officer, now: datetime) -> None:
    """Keep what one collector finds, of the classes that are asked for."""
    asked = Asking(str(case.subject_id), officer.id, case.id, now)
    try:
        found = parts.person_files.ask(name, asked).within(case.scopes)
    except Exception as error:  # noqa: BLE001 - whatever is in the way of one, the others go on
        get_logger("cases").warning("case.not_collected", case=case.id, exc_info=error)
        parts.case_contents.failed(case, name, type(error).__name__, now)
    else:
        parts.case_contents.record(case, name, found, officer.id, now)


def approve(parts: Assembly, case_id: str, sha256: str, officer: Officer, now: datetime) -> Case:
    """Approve exactly the package of this digest; the second person's approval approves the case.

    Raises:
        CaseRefused: the officer had a hand in the case, or it is the officer's own.
        CaseConflict: nothing waits for an approval.
    """
    case = parts.cases.get(case_id)
    if case.state is not CaseState.AWAITING_APPROVAL:
        raise CaseConflict(case.id, case.state)
    approver = actor_of(officer)
    check_approver(case, approver, officer.subject_id)
    return parts.cases.approve(case, approver, sha256, now)


def refuse_case(
    parts: Assembly, case_id: str, refusal: Refusal, officer: Officer, now: datetime
) -> Case:
    """Refuse it, and say why, where to complain, and which court (Art. 12(4))."""
    before = parts.cases.get(case_id)
    after = step(before, CaseState.REFUSED, now)
    found = parts.cases.refuse((before, after), refusal, officer.id, now)
    notify(parts, found)
    return found


def extend_case(
    parts: Assembly, case_id: str, reason: str, officer: Officer, now: datetime
) -> Case:
    """Take two months more, and tell the requester why within the first (Art. 12(3))."""
    if not reason.strip():
        raise CaseRefused("GDPR 12(3)", "an extension has its reason", "Say why it takes longer.")
    before = parts.cases.get(case_id)
    found = parts.cases.extend((before, extend(before, now)), reason, officer.id, now)
    notify(parts, found)
    return found


def withdraw_case(parts: Assembly, case_id: str, actor: str, now: datetime) -> Case:
    """The requester does not want it any more; possible until it is answered."""
    before = parts.cases.get(case_id)
    after = step(before, CaseState.CANCELLED, now)
    return parts.cases.move((before, after), ("withdrawn", actor), now)


def notify(parts: Assembly, case: Case) -> None:
    """Tell the requester that there is something to read; the notice says nothing of what.

    A notice that cannot be sent takes nothing back: the case's page says the same.
    """
    tell(parts, case, f"{case.state}/{case.updated_at.isoformat()}", case.updated_at)


def tell(parts: Assembly, case: Case, occasion: str, now: datetime) -> bool:
    """Send the notice of an occasion, once however often it is asked; whether it was taken over."""
    address = parts.cases.text(case.id).contact if case.subject_id else ""
    if not address:
        return False
    text = notice_of(case.language, case.id, parts.settings.public.url)
    notice = case_notice(text, f"case/{case.id}/{occasion}", address)
    return parts.notifier.send(notice, now) is Sending.TAKEN_OVER

"""What an approved case does: deliver, restrict, take out of directories, rectify, erase.

Each act on the records can be repeated: what was done stays done, and the case goes on to its next
state last. A crash between leaves the case approved, and the same command finishes it.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from ca.errors import Conflict as StatusConflict
from ca.failpoints import reach
from gdpr_erasure.case_errors import CaseConflict, CaseRefused
from gdpr_erasure.cases import (
    Case,
    CaseKind,
    CaseState,
    check_lifting,
    step,
    tell_lifting,
)
from gdpr_erasure.consents import (
    ConsentKind,
    ConsentState,
    IdentityLevel,
    Statement,
    text_for,
)
from gdpr_erasure.envelopes import (
    can_decrypt,
    passphrase_of,
    seal_to_certificate,
    seal_to_passphrase,
)
from gdpr_erasure.erasures import Approval, ErasureState, NewErasure
from gdpr_erasure.saga import request_erasure
from ra.levels import AssuranceLevel
from records.case_acts import ACTOR
from records.case_deliveries import Delivery
from records.certificate_rows import CertificateRecord
from records.errors import NotFound
from records.officers import Officer
from revocation.causes import Cause, Grounds
from server.assembly import Assembly
from server.cases import notify
from server.erasures import approve, policies
from server.revocations import check_release

_MOST = 10_000  # certificates of one person


@dataclass(frozen=True, slots=True)
class Handed:
    """A delivery, and the passphrase that its receiver is told by another way, if there is one."""

    case: Case
    delivery: Delivery
    passphrase: str | None


def deliver(parts: Assembly, case_id: str, officer: Officer, now: datetime) -> Handed:
    """Encrypt the approved package to the requester, to be fetched with the case's secret.

    Raises:
        CaseConflict: the case is not approved.
        CaseRefused: its kind is answered by an act.
    """
    case = _approved(parts, case_id)
    if not case.kind.delivers:
        raise CaseRefused(
            f"GDPR {case.kind.article}",
            f"a case of {case.kind} is answered by an act on the records",
            "Carry it out instead.",
        )
    package = parts.cases.package(case.id)
    certificate = _readable_certificate(parts, case, now)
    passphrase = None
    if certificate is not None:
        envelope = seal_to_certificate(package, certificate)
    else:
        passphrase = passphrase_of(parts.deliveries.passphrase_seed(case))
        envelope = seal_to_passphrase(package, passphrase)
    made = Delivery(
        case_id=case.id,
        package_sha256=hashlib.sha256(package).hexdigest(),
        envelope_sha256=hashlib.sha256(envelope).hexdigest(),
        method="certificate" if certificate is not None else "passphrase",
        level=AssuranceLevel.LOW if case.proof is None else case.proof.level,
        delivered_at=now,
        expires_at=now + timedelta(days=parts.settings.cases.delivery_days),
    )
    delivered = parts.deliveries.deliver(case, envelope, made, officer.id, now)
    notify(parts, delivered)
    return Handed(delivered, made, passphrase)


def passphrase_again(parts: Assembly, case: Case) -> str:
    """The passphrase of a delivery that is still open, to be told once more.

    Raises:
        NotFound: nothing was delivered under a passphrase, or it is gone.
    """
    delivery = parts.deliveries.get(case.id)
    if delivery.method != "passphrase" or delivery.ended_at is not None:
        raise NotFound("passphrase of case", case.id)
    return passphrase_of(parts.deliveries.passphrase_seed(case))


def carry_out(parts: Assembly, case_id: str, officer: Officer, now: datetime) -> Case:
    """Do what two persons approved: restrict, or take the person out of the directories.

    Raises:
        CaseConflict: the case is not approved.
        CaseRefused: its kind has a command of its own.
    """
    acts: dict[CaseKind, Callable[[Assembly, Case, Officer, datetime], None]] = {
        CaseKind.RESTRICTION: _restrict,
        CaseKind.OBJECTION: _unpublish,
        CaseKind.CONSENT_WITHDRAWAL: _unpublish,
    }
    case = _approved(parts, case_id)
    act = acts.get(case.kind)
    if act is None:
        raise CaseRefused(
            f"GDPR {case.kind.article}",
            f"a case of {case.kind} is not carried out by this command",
            "Deliver it, rectify with an application, or let a security administrator erase.",
        )
    act(parts, case, officer, now)
    reach("case.acted")
    return _done(parts, case, officer, now)


def rectify(
    parts: Assembly, case_id: str, application_id: str, officer: Officer, now: datetime
) -> tuple[Case, bool]:
    """Revoke the wrong certificates once the corrected one is live; tells whether it was.

    Until then nothing changes, so that there is no gap: the same command is given again.

    Raises:
        CaseConflict: the case is not an approved one of rectification.
        CaseRefused: the application is not this person's.
    """
    case = _approved(parts, case_id)
    if case.kind is not CaseKind.RECTIFICATION:
        raise CaseConflict(case.id, str(case.kind))
    application = parts.applications.get(application_id)
    if application.subject_id != case.subject_id or application.created_at < case.received_at:
        raise CaseRefused(
            "GDPR 16",
            "the corrected application is this person's own, made in this case",
            "Let the requester apply with the secret of the case.",
        )
    of_person = parts.certificates.find(_MOST, subject_id=str(case.subject_id))
    if not any(_is_live(each, application_id) for each in of_person):
        return case, False
    _revoke(parts, (r for r in of_person if r.application_id != application_id), now)
    reach("case.acted")
    return _done(parts, case, officer, now), True


def _is_live(record: CertificateRecord, application_id: str) -> bool:
    return record.application_id == application_id and record.status == "issued"


def erase(parts: Assembly, case_id: str, officer: Officer, now: datetime) -> tuple[Case, str]:
    """Revoke what is live, and open the erasure (NSIS ISS-REV-L7); gives its number.

    The officer's is the first of two approvals of its rulings.

    Raises:
        CaseConflict: the case is not an approved one of erasure.
        Conflict: another process let it begin at the same moment.
    """
    case = parts.cases.get(case_id)
    begun = case.state is CaseState.CARRIED_OUT and case.subject_id is not None
    if case.kind is not CaseKind.ERASURE or not (begun or case.state is CaseState.APPROVED):
        raise CaseConflict(case.id, case.state)
    of_person = parts.certificates.find(_MOST, subject_id=str(case.subject_id))
    _revoke(parts, iter(of_person), now, Cause.ERASURE)
    new = NewErasure(str(case.subject_id))
    erasure = request_erasure(parts.erasures, policies(parts.settings), new, now)
    reach("case.acted")
    # First the case, then the erasure, which may be done before anything else is written.
    after = case if begun else _done(parts, case, officer, now)
    if erasure.state is ErasureState.REQUESTED and not erasure.approvals:
        approve(parts, erasure.id, Approval(officer.id, erasure.assessment.sha256), now)
    return after, erasure.id


def announce_lifting(parts: Assembly, case_id: str, officer: Officer, now: datetime) -> Case:
    """Tell the person that the restriction will end (Art. 18(3))."""
    before = parts.cases.get(case_id)
    after = tell_lifting(before, now)
    found = parts.cases.move((before, after), ("lifting_told", officer.id), now)
    notify(parts, found)
    return found


def lift(parts: Assembly, case_id: str, officer: Officer, now: datetime) -> Case:
    """End a restriction: certificates that it put on hold are good again.

    Raises:
        CaseRefused: the person was not told, or a moment ago.
        Refused: USE-AUT-L10, the officer's credential is below the level of one of them.
    """
    case = parts.cases.get(case_id)
    if case.kind is not CaseKind.RESTRICTION or case.state is not CaseState.CARRIED_OUT:
        raise CaseConflict(case.id, case.state)
    check_lifting(case, now)
    found = parts.certificates.find(_MOST, subject_id=str(case.subject_id), status="held")
    held = [each for each in found if each.decided_by == ACTOR and each.not_after >= now]
    for each in held:
        check_release(parts, each, officer)
    parts.subject_acts.let_go(str(case.subject_id), case.id, now)
    for each in held:
        parts.statuses.release(each.issuer, each.serial_number, officer.id, now)
    after = step(case, CaseState.CLOSED, now)
    return parts.cases.move((case, after), ("lifted", officer.id), now)


def close_done(parts: Assembly, case: Case, now: datetime) -> bool:
    """Close what was carried out and waits for nothing: an erasure once its person is gone."""
    waits = case.kind is CaseKind.RESTRICTION
    if case.kind is CaseKind.ERASURE:
        waits = case.subject_id is not None
    elif not waits and case.subject_id is not None:
        waits = not parts.subject_acts.is_withdrawn(case.subject_id)
    if waits:
        return False
    after = step(case, CaseState.CLOSED, now)
    parts.cases.move((case, after), ("closed", "system:job"), now)
    return True


def _approved(parts: Assembly, case_id: str) -> Case:
    case = parts.cases.get(case_id)
    if case.state is not CaseState.APPROVED:
        raise CaseConflict(case.id, case.state)
    return case


def _done(parts: Assembly, case: Case, officer: Officer, now: datetime) -> Case:
    recipients = parts.subject_acts.recipients(str(case.subject_id))
    after = step(case, CaseState.CARRIED_OUT, now)
    details = {"recipients": ",".join(recipients)}
    found = parts.cases.move((case, after), ("carried_out", officer.id), now, details=details)
    notify(parts, found)
    return found


def _restrict(parts: Assembly, case: Case, officer: Officer, now: datetime) -> None:
    """No new certificate first, then the live ones on hold; the directories follow the holds."""
    del officer  # two persons approved it, and the case names them
    subject_id = str(case.subject_id)
    parts.subject_acts.restrict(subject_id, case.id, now)
    for each in parts.certificates.find(_MOST, subject_id=subject_id, status="issued"):
        if each.not_after >= now:
            try:
                parts.statuses.hold(each.issuer, each.serial_number, ACTOR, now)
            except StatusConflict:
                # Somebody held or revoked it meanwhile, which serves as well.
                continue


def _unpublish(parts: Assembly, case: Case, officer: Officer, now: datetime) -> None:
    """What rests on consent ends with it, and the ledger says so (Art. 7(3), 21)."""
    text = text_for(ConsentKind.PUBLICATION, case.language, now)
    level = IdentityLevel.NONE
    if case.proof is not None:
        level = IdentityLevel(case.proof.level.label.lower())
    said = Statement(text, ConsentState.WITHDRAWN, officer.id, level, f"case {case.id}")
    parts.consents.end_publication(str(case.subject_id), said, case.id, now)


def _revoke(
    parts: Assembly,
    records: Iterator[CertificateRecord],
    now: datetime,
    cause: Cause = Cause.CONTENT_WRONG,
) -> None:
    for each in records:
        if each.status in {"issued", "held"} and each.not_after >= now:
            try:
                parts.statuses.revoke(each.issuer, each.serial_number, Grounds(cause), ACTOR, now)
            except StatusConflict:
                # Somebody revoked it meanwhile.
                continue


def _readable_certificate(parts: Assembly, case: Case, now: datetime) -> x509.Certificate | None:
    """A live certificate of the requester whose key decrypts, the newest first."""
    found = parts.certificates.find(_MOST, subject_id=str(case.subject_id), status="issued")
    for each in found:
        try:
            body = parts.certificates.body(each.issuer, each.serial_number)
        except NotFound:
            continue
        if each.not_after >= now and can_decrypt(body):
            return body
    return None

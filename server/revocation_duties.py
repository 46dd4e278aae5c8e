"""Duties to revoke: registers are asked, officers decide, and the clock decides when nobody did.

Acting on a duty is a revocation like any other, with the cause that follows from the duty.
"""

from datetime import datetime

import ra.errors
from ra.companies import CompanyRegister
from ra.legal_persons import CvrNumber
from ra.registers import PersonRegister
from ra.revocation_duties import (
    Credential,
    Duty,
    DutyCause,
    DutyState,
    NoReason,
    company_causes,
    person_causes,
)
from records.certificate_rows import CertificateRecord
from records.errors import Conflict, NotFound
from records.officers import Officer
from records.revocation_duties import place_of
from revocation.causes import Grounds
from server.assembly import Assembly
from server.errors import NoRegisters
from server.revocations import Place, revoke_certificate

REGISTERS = "system:registers"
CLOCK = "system:duties"


def ask_about(
    parts: Assembly,
    register: PersonRegister,
    of: tuple[Credential, str],
    now: datetime,
) -> bool:
    """Ask the register about the person of one credential; whether a duty was opened."""
    credential, application_id = of
    try:
        claim = parts.applications.get(application_id).applicant.claim
    except ra.errors.NotFound:  # the person is being erased, which revokes by itself
        return False
    if claim.cpr_number is None:
        return False
    causes = person_causes(claim, register.find(claim.cpr_number, now))
    opened = [parts.duties.open(credential, cause, REGISTERS, now) for cause in causes]
    return any(opened)


def ask_about_company(
    parts: Assembly, register: CompanyRegister, of: tuple[Credential, str], now: datetime
) -> bool:
    """Ask the register about the legal person that one credential names; whether one was opened."""
    credential, cvr = of
    causes = company_causes(register.find(CvrNumber(cvr), now))
    opened = [parts.duties.open(credential, cause, REGISTERS, now) for cause in causes]
    return any(opened)


def end_mandates(
    parts: Assembly, actor: str, now: datetime, company: CvrNumber | None = None
) -> tuple[str, ...]:
    """Open a duty for each credential that no mandate carries any more; again it opens nothing.

    Of what names one legal person, or any.
    """
    ending = DutyCause.MANDATE_ENDED
    found = parts.duties.without_mandate(now, company)
    opened = [parts.duties.open(each, ending, actor, now) for each in found]
    return tuple(each for each in opened if each is not None)


def person_register(parts: Assembly) -> PersonRegister | None:
    """The register that is asked at night; None when none is configured."""
    try:
        registers, _ = parts.registers()
    except NoRegisters:
        return None
    return registers.persons


def open_by_officer(
    parts: Assembly, place: Place, cause: DutyCause, officer: Officer, now: datetime
) -> Duty:
    """An officer learned something: a suspicion, an error, the end of an agreement.

    Raises:
        NotFound: there is no such certificate, or it is about nobody.
        Conflict: such a duty is open, or was dismissed lately, or the certificate is not in force.
    """
    record = parts.certificates.record(*place)
    name = f"{place[0]}/{place[1].hex}"
    if record.subject_id is None:
        raise NotFound("certificate of a person", name)
    if record.status not in {"issued", "held"}:
        raise Conflict(f"certificate {name}", record.status)
    credential = Credential(place[0], place[1].hex, record.subject_id)
    opened = parts.duties.open(credential, cause, officer.id, now)
    if opened is None:
        raise Conflict(f"a duty for {cause}", "open already, or was dismissed lately")
    return parts.duties.get(opened)


def revoke_for(parts: Assembly, duty_id: str, officer: Officer, now: datetime) -> CertificateRecord:
    """Do the duty: revoke its certificate, which ends all its duties.

    Raises: NotFound; Conflict when the duty has ended; as `revoke_certificate`.
    """
    duty = _open_one(parts, duty_id)
    return revoke_certificate(parts, place_of(duty), Grounds(duty.cause.grounds), officer.id, now)


def dismiss(parts: Assembly, duty_id: str, why: NoReason, officer: Officer, now: datetime) -> Duty:
    """Say that there is no reason to revoke; it takes two persons. Raises: as the store."""
    return parts.duties.dismiss(duty_id, why, officer, now)


def due_by_itself(parts: Assembly, now: datetime) -> tuple[Duty, ...]:
    """Duties that a register left no doubt about, and that nobody did in time.

    One that an officer has proposed to dismiss is left to a person, and to the alarm.
    """
    return tuple(
        duty
        for duty in parts.duties.all(DutyState.OPEN)
        if duty.cause.is_certain and duty.is_overdue(now) and duty.proposed_by is None
    )


def revoke_overdue(parts: Assembly, duty: Duty, now: datetime) -> bool:
    """Revoke what is overdue, unless somebody decided meanwhile, or is mandated again."""
    if parts.duties.get(duty.id).state is not DutyState.OPEN:
        return False
    without = duty.cause is DutyCause.MANDATE_ENDED
    if without and duty.credential not in parts.duties.without_mandate(now):
        return False
    revoke_certificate(parts, place_of(duty), Grounds(duty.cause.grounds), CLOCK, now)
    return True


def _open_one(parts: Assembly, duty_id: str) -> Duty:
    duty = parts.duties.get(duty_id)
    if duty.state is not DutyState.OPEN:
        raise Conflict(f"duty {duty_id}", duty.state)
    return duty

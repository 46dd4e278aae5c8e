"""The use cases of mandates: what registrants, co-signers and officers do to one (NSIS 3.1.3)."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from ra.case import CallBack, LegalPersonPart, Specimen
from ra.case_legal_person import legal_person_findings
from ra.companies import CompanyAnswer, NoCompany
from ra.errors import Conflict, MalformedField, Refused
from ra.evidence import Officer as CheckingOfficer
from ra.identity import CprNumber
from ra.legal_persons import Company, draw_callback
from ra.mandate_assessment import Found, conclude, mandate_findings, register_answer
from ra.mandate_package import MandateApproval, grant, mandate_package
from ra.mandates import (
    AskedMandate,
    Authenticated,
    Mandate,
    MandateDocuments,
    MandateState,
    PresentedPower,
    RoleExtract,
    open_mandate,
    record_documents,
    record_extract,
    record_power,
    record_signature,
    refuse,
    step,
)
from ra.package import package_hash
from ra.requirements import finding
from records.mandates import HOLDER
from records.officers import Officer
from server.assembly import Assembly
from server.decisions import require_operator_level
from server.errors import NotAllowed
from server.holders import numbers_of
from server.revocation_duties import end_mandates
from server.staff_signatures import StaffSignatures


def ask_mandate(
    parts: Assembly, asked: AskedMandate, registrant: Authenticated | None, now: datetime
) -> Mandate:
    """Somebody asks for a mandate; at its end officers decide.

    Raises:
        Refused: nobody is authenticated (REG-IDL-L5a), or the register does not know the number.
        RuleBroken: the database forbids it.
    """
    if registrant is None:
        part = LegalPersonPart(registrant=None, declaration=asked.declaration is not None)
        raise Refused(legal_person_findings(part, asked.level))
    register, _ = parts.companies()
    if isinstance(register.find(asked.company, now), NoCompany):
        raise Refused((finding("REG-IDL-L1", "LEGAL_PERSON_NOT_FOUND"),))
    opened = open_mandate(asked, registrant, now)
    parts.mandates.add(opened, now)
    return opened


def sign_mandate(
    parts: Assembly, mandate_id: str, signer: Authenticated, asked_sha256: str, now: datetime
) -> Mandate:
    """A co-signer approves exactly what is asked for, by an authenticated act of their own.

    Raises: Refused (REG-IDL-L5b) when the login is below the level that is asked for; Conflict.
    """
    before = parts.mandates.get(mandate_id)
    if signer.level < before.level:
        raise Refused((finding("REG-IDL-L5b", "REGISTRANT_LEVEL_TOO_LOW"),))
    after = record_signature(before, signer, asked_sha256, now)
    parts.mandates.sign(before, after, signer, now)
    return after


def withdraw_mandate(
    parts: Assembly, mandate_id: str, person: Authenticated, now: datetime
) -> Mandate:
    """The registrant takes it back, or ends it once it is granted; so does its holder.

    What no other mandate carries then has to be revoked (ISS-REV-L4c).
    """
    before = parts.mandates.get(mandate_id)
    if person.subject_id not in {before.registrant.subject_id, before.holder}:
        raise NotAllowed("registrant or holder of the mandate")
    granted = before.state is MandateState.GRANTED
    after = step(before, MandateState.ENDED if granted else MandateState.WITHDRAWN, now)
    parts.mandates.update(before, after, HOLDER, now)
    if granted:
        end_mandates(parts, HOLDER, now, before.company)
    return after


def note_extract(
    parts: Assembly, mandate_id: str, reference: str, officer: Officer, now: datetime
) -> Mandate:
    """An officer found the registrant's name in an extract of the register."""
    extract = RoleExtract(reference, officer.id, now)
    return _record(parts, mandate_id, lambda of: record_extract(of, extract, now), officer)


def note_documents(
    parts: Assembly, mandate_id: str, documents: MandateDocuments, officer: Officer
) -> Mandate:
    """An officer read charter and minutes (REG-IDL-S6c)."""
    at = documents.at
    return _record(parts, mandate_id, lambda of: record_documents(of, documents, at), officer)


@dataclass(frozen=True, slots=True, repr=False)
class PowerInHand:
    """A power of attorney, and the number of the holder whom it names."""

    power: PresentedPower
    holder: CprNumber

    def __repr__(self) -> str:
        return "PowerInHand(***)"


def note_power(
    parts: Assembly, mandate_id: str, given: PowerInHand, officer: Officer, now: datetime
) -> Mandate:
    """An officer has a power of attorney in hand; on paper, its call-back is drawn at once.

    The draw is made once for a mandate, by the operating system's random source, and kept with its
    rate: a power of attorney that is recorded again is not drawn again. A specimen that differs
    refuses the mandate and opens an incident.
    """
    before = parts.mandates.get(mandate_id)
    require_operator_level(parts.decisions, officer, before.level)
    numbers = numbers_of(parts, [before.registrant.subject_id])
    matches = numbers.get(before.registrant.subject_id) == given.holder
    answer = register_answer(found_for(parts, before, now), now)
    power = replace(given.power, holder_matches=matches)
    after = replace(record_power(before, power, now), register=answer)
    if power.specimen is Specimen.MISMATCH:
        reason = (finding("REG-IDL-H8d", "SIGNATURE_SPECIMEN_MISMATCH"),)
        refused = refuse(after, reason, now)
        parts.mandates.refuse_for_specimen(before, refused, officer.id, now)
        return refused
    percent = parts.policy.policy.limits.callback_percent
    drawn = draw_callback(percent, secrets.randbelow) if power.form == "paper" else None
    parts.mandates.record_power(before, after, drawn, officer.id, now)
    return after


def telephone_of(parts: Assembly, mandate_id: str, now: datetime) -> str:
    """The number to call back: from the register, never from a form (REG-IDL-H8d).

    Raises: Conflict when no call-back was drawn; Refused while the register gives no number.
    """
    drawn = parts.mandates.call_back(mandate_id)
    if drawn is None or not drawn.drawn.selected:
        raise Conflict("not to be called back")
    company = _ask(parts, parts.mandates.get(mandate_id), now)
    if not isinstance(company, Company) or company.telephone is None:
        raise Refused((finding("REG-IDL-S7", "LEGAL_PERSON_EVIDENCE_INSUFFICIENT"),))
    return company.telephone


def note_call_back(
    parts: Assembly, mandate_id: str, outcome: CallBack, officer: Officer, now: datetime
) -> Mandate:
    """An officer called the company; a denial refuses the mandate and opens an incident."""
    if outcome not in {CallBack.CONFIRMED, CallBack.DENIED}:
        raise MalformedField("outcome", "confirmed or denied")
    before = parts.mandates.get(mandate_id)
    require_operator_level(parts.decisions, officer, before.level)
    drawn = parts.mandates.call_back(mandate_id)
    if drawn is None or drawn.callback is not CallBack.PENDING:
        raise Conflict("not to be called back")
    after = replace(before, updated_at=now)
    if outcome is CallBack.DENIED:
        after = refuse(before, (finding("REG-IDL-H8d", "CALLBACK_DENIED"),), now)
    parts.mandates.called(before, after, outcome, officer.id, now)
    return after


def conclude_mandate(parts: Assembly, mandate_id: str, officer: Officer, now: datetime) -> Mandate:
    """Verified, or referred while the register or the company is silent.

    Raises: Refused with every requirement that is not met, and the mandate stays as it is.
    """
    before = parts.mandates.get(mandate_id)
    require_operator_level(parts.decisions, officer, before.level)
    who = CheckingOfficer(officer.id, officer.person_id, certificate=officer.certificate)
    if officer.person_id in {before.holder, before.registrant.subject_id}:
        raise Refused((finding("REG-IDN-L7", "OFFICER_IS_SUBJECT"),))
    after = conclude(before, found_for(parts, before, now), who, parts.policy.policy, now)
    if after.state is MandateState.VERIFIED:
        octets = mandate_package(after, parts.mandates.salt(after))
        after = replace(after, package_hash=package_hash(octets))
    parts.mandates.update(before, after, officer.id, now)
    return after


def refuse_mandate(parts: Assembly, mandate_id: str, officer: Officer, now: datetime) -> Mandate:
    """Close a mandate with the requirements that it does not meet now.

    Raises: Conflict when nothing is against it, or it is decided.
    """
    before = parts.mandates.get(mandate_id)
    require_operator_level(parts.decisions, officer, before.level)
    findings = mandate_findings(before, found_for(parts, before, now), parts.policy.policy, now)
    if not findings:
        raise Conflict("nothing is against it")
    after = refuse(before, findings, now)
    parts.mandates.update(before, after, officer.id, now)
    return after


def package_of_mandate(parts: Assembly, mandate_id: str) -> bytes:
    """The octets that an approving officer signs, built anew from what is on record."""
    of = parts.mandates.get(mandate_id)
    return mandate_package(of, parts.mandates.salt(of))


def approve_mandate(
    parts: Assembly, mandate_id: str, signature: bytes, officer: Officer, now: datetime
) -> Mandate:
    """A second officer grants it by a signature over its package.

    Raises: Refused when the register now speaks against the legal person, the company is not yet
    called back, the signature is another's, or both officers are one person.
    """
    before = parts.mandates.get(mandate_id)
    require_operator_level(parts.decisions, officer, before.level)
    package = mandate_package(before, parts.mandates.salt(before))
    found = mandate_findings(before, found_for(parts, before, now), parts.policy.policy, now)
    if found:
        raise Refused(found)
    approval = MandateApproval(officer.id, officer.person_id, package_hash(package), signature, now)
    granted = grant(before, package, approval, StaffSignatures(parts.officers), now)
    parts.mandates.grant(before, granted, approval, now)
    return granted


def found_for(parts: Assembly, mandate: Mandate, now: datetime) -> Found:
    """What is looked up to judge a mandate."""
    register, catalogue = parts.companies()
    signers = (mandate.registrant, *mandate.signatures)
    drawn = parts.mandates.call_back(mandate.id)
    return Found(
        source_id=register.source_id,
        source_approved=catalogue.approves(register.source_id, now),
        company=register.find(mandate.company, now),
        numbers=numbers_of(parts, {each.subject_id for each in signers}),
        callback=CallBack.NOT_SELECTED if drawn is None else drawn.callback,
    )


def _ask(parts: Assembly, mandate: Mandate, now: datetime) -> CompanyAnswer:
    register, _ = parts.companies()
    return register.find(mandate.company, now)


def _record(
    parts: Assembly, mandate_id: str, change: Callable[[Mandate], Mandate], officer: Officer
) -> Mandate:
    before = parts.mandates.get(mandate_id)
    require_operator_level(parts.decisions, officer, before.level)
    after = change(before)
    parts.mandates.update(before, after, officer.id, after.updated_at)
    return after

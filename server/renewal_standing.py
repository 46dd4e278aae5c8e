"""Whether the credential that is renewed still stands, and what the register says of its holder."""

from dataclasses import replace
from datetime import datetime

import records.errors
from ca.identifiers import IssuerName, SerialNumber
from ra.applications import Applicant, Application
from ra.companies import NoCompany
from ra.errors import Conflict, Refused
from ra.evidence import Answer
from ra.further_evidence import RegisterReading
from ra.legal_persons import Company
from ra.proofing import read_register
from ra.registers import NoAnswer
from ra.renewal_rules import is_proven_anew
from ra.renewals import Basis, Renewal
from ra.requirements import finding
from records.errors import RuleBroken
from server.assembly import Assembly

_ONE_SUCCESSOR = "REN02"


def look_again(parts: Assembly, application: Application, now: datetime) -> Application:
    """The application with what certificate and register say at this moment, if it renews one."""
    renewal = application.renewal
    if renewal is None:
        return application
    reading = read_about(parts, application.applicant, now)
    seen = replace(renewal, stands=_stands(parts, renewal), register=reading, register_at=now)
    return replace(application, renewal=seen)


def read_about(parts: Assembly, applicant: Applicant, now: datetime) -> RegisterReading:
    """What the register of persons says of the applicant; of a seal's, that of legal persons."""
    if applicant.organisation is None or not applicant.is_legal_person:
        registers, _ = parts.registers()
        return read_register(applicant.claim, registers, now)[0]
    register, _ = parts.companies()
    match register.find(applicant.organisation.number, now):
        case Company() as company:
            status = company.status.value
        case NoCompany():
            status = Answer.NOT_REGISTERED
        case NoAnswer():
            status = Answer.NO_ANSWER
    return RegisterReading(register.source_id, status)


def require_carried(parts: Assembly, application: Application) -> None:
    """Before a certificate is signed: what a renewal rests on is not revoked or on hold by now.

    Raises: Refused (ISS-REN-L1b).
    """
    renewal = application.renewal
    if renewal is None or renewal.basis is Basis.REPLACEMENT or is_proven_anew(application):
        return
    if not _stands(parts, renewal):
        raise Refused((finding("ISS-REN-L1b", "RENEWAL_CREDENTIAL_NOT_VALID"),))


def _stands(parts: Assembly, renewal: Renewal) -> bool:
    place = (IssuerName(renewal.issuer), SerialNumber.from_hex(renewal.serial))
    try:
        return parts.certificates.record(*place).status == "issued"
    except records.errors.NotFound:  # it was erased
        return False


def is_published(parts: Assembly, earlier: Application) -> bool:
    """Whether the consent to publish that was given with the earlier application still holds."""
    said = [each.state for each in parts.consents.history(earlier.subject_id)]
    return earlier.requested.publication_consent and bool(said) and said[-1] == "given"


def as_conflict(broken: RuleBroken) -> Exception:
    """The rule that a certificate gives way to one other is a conflict to whoever asks."""
    return Conflict("renewed or replaced already") if broken.code == _ONE_SUCCESSOR else broken

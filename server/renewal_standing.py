"""Whether the credential that is renewed still stands, and what the register says of its holder."""

from dataclasses import replace
from datetime import datetime

import records.errors
from ca.identifiers import IssuerName, SerialNumber
from ra.applications import Application
from ra.errors import Refused
from ra.proofing import read_register
from ra.renewal_rules import is_proven_anew
from ra.renewals import Basis, Renewal
from ra.requirements import finding
from server.assembly import Assembly


def look_again(parts: Assembly, application: Application, now: datetime) -> Application:
    """The application with what certificate and register say at this moment, if it renews one."""
    renewal = application.renewal
    if renewal is None:
        return application
    registers, _ = parts.registers()
    reading, _ = read_register(application.applicant.claim, registers, now)
    seen = replace(renewal, stands=_stands(parts, renewal), register=reading, register_at=now)
    return replace(application, renewal=seen)


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

"""Four eyes: a second officer signs the application package, and only that approves.

An `ApprovedApplication` is what issuance takes. It can be made nowhere but here, after the
signature over exactly the present package was verified (ISS-DEL-L1), and the signer is neither
the subject (REG-IDN-L7) nor the officer who proved the identity (ISS-DEL-H4b).
"""

import hmac
from dataclasses import InitVar, dataclass, field, replace
from datetime import datetime
from typing import Protocol

from ra.applications import (
    Application,
    ApplicationId,
    ApplicationState,
    require_not_subject,
    step,
)
from ra.errors import Conflict, MalformedField, Refused, SignatureInvalid
from ra.evidence import Officer
from ra.levels import AssuranceLevel
from ra.package import ProfileReference, build_package, package_hash, profile_of
from ra.requirements import finding

_SEAL = object()


@dataclass(frozen=True, slots=True)
class Approval:
    """A second officer's approval; the signature is a detached CMS SignedData in DER."""

    application_id: ApplicationId
    officer: str
    """The pseudonym that records show."""
    person_id: str
    package_hash: str
    signature: bytes = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True)
class SignerIdentity:
    """Whose certificate a signature verified under: issuer, serial number, and its officer."""

    issuer: str
    serial: str
    officer: str
    person_id: str
    person_key: str | None = None


class SignatureVerifier(Protocol):
    """Verifies officers' signatures: chain, validity, revocation and content."""

    def verify(self, cms_der: bytes, content: bytes) -> SignerIdentity:
        """The signer of exactly this content; SignatureInvalid otherwise."""
        ...


@dataclass(frozen=True, slots=True)
class ApprovedApplication:
    """An application whose present package a second officer has signed."""

    application: Application
    approval: Approval
    profile: ProfileReference
    package: bytes = field(repr=False)
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("only an approval makes an approved application")


def approve(
    application: Application,
    package: bytes,
    approval: Approval,
    verifier: SignatureVerifier,
    now: datetime,
) -> ApprovedApplication:
    """Approve a verified application by a signature over its package.

    Raises: Conflict unless it is verified; Refused when the package is not that of the
    application as it stands, the signature is not over it, the proofing is too old, or the
    approver is the subject or the proofing officer.
    """
    approved = step(application, ApplicationState.APPROVED, now)
    _require_fresh_proofing(application, now)
    _require_linked(application, package, approval)
    _require_second_person(application, _signer(package, approval, verifier))
    return ApprovedApplication(
        application=replace(approved, package_hash=approval.package_hash),
        approval=approval,
        profile=profile_of(package),
        package=package,
        seal=_SEAL,
    )


def confirm_approval(
    application: Application, package: bytes, approval: Approval, verifier: SignatureVerifier
) -> ApprovedApplication:
    """The approved application again, from storage: every rule is checked anew but the age.

    Raises: Conflict unless it is approved; Refused as `approve`.
    """
    if application.state is not ApplicationState.APPROVED:
        raise Conflict(application.state)
    if application.package_hash != approval.package_hash:
        raise Refused((finding("ISS-DEL-L1", "ISSUANCE_NOT_LINKED", ("package_hash",)),))
    _require_linked(application, package, approval)
    _require_second_person(application, _signer(package, approval, verifier))
    return ApprovedApplication(application, approval, profile_of(package), package, seal=_SEAL)


def require_level_carried(application: Application, stated: AssuranceLevel) -> None:
    """A certificate states no more than the lowest level that it rests on.

    Raises: Refused (BRK-L1).
    """
    named = application.applicant.organisation
    rests_on = [
        application.level,
        *([application.proofing.level] if application.proofing else []),
        *([named.level] if named else []),
    ]
    if stated > min(rests_on):
        raise Refused((finding("BRK-L1", "LEVEL_OVERSTATED"),))


def _require_fresh_proofing(application: Application, now: datetime) -> None:
    if application.proofing is None:
        raise Conflict(application.state)
    if now > application.proofing.valid_until:
        raise Refused((finding("REG-IDN-L12", "PROOFING_TOO_OLD"),))


def _require_linked(application: Application, package: bytes, approval: Approval) -> None:
    """The package is rebuilt from the application: one changed octet on either side shows."""
    try:
        fresh = build_package(application, profile_of(package))
    except MalformedField:
        fresh = b""
    same_application = approval.application_id == application.id
    same_package = fresh != b"" and hmac.compare_digest(fresh, package)
    if not (same_application and same_package and approval.package_hash == package_hash(fresh)):
        raise Refused((finding("ISS-DEL-L1", "ISSUANCE_NOT_LINKED", ("package",)),))


def _signer(package: bytes, approval: Approval, verifier: SignatureVerifier) -> Officer:
    """Who signed; that must be whom the approval names."""
    try:
        signer = verifier.verify(approval.signature, package)
    except SignatureInvalid:
        raise Refused((finding("ISS-DEL-L1", "ISSUANCE_NOT_LINKED", ("signature",)),)) from None
    if (signer.officer, signer.person_id) != (approval.officer, approval.person_id):
        raise Refused((finding("ISS-DEL-L1", "ISSUANCE_NOT_LINKED", ("signer",)),))
    return Officer(signer.officer, signer.person_id, signer.person_key)


def _require_second_person(application: Application, approver: Officer) -> None:
    require_not_subject(approver, application)
    first = application.officer
    if first is None:
        raise Conflict(application.state)
    same_account = approver.pseudonym == first.pseudonym
    # Whoever resolved a deviation has vetted, too.
    resolved = {each.person_id for each in application.further.resolutions}
    vetted = same_account or approver.is_same_person(first.person_id, first.person_key)
    if vetted or approver.person_id in resolved:
        raise Refused((finding("ISS-DEL-H4b", "SEPARATION_OF_DUTIES"),))

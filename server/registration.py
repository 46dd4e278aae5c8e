"""The registration use cases: what an applicant and the officers do to an application.

Each joins a decision of `ra`, the record of it, and at the end the order that `ca` signs.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

import ca.errors
import ra.errors
from ca.issuance import Approval as SignedPackage
from ca.issuance import CertificateOrder, issue, prepare
from ca.key_uses import check_key_uses
from ca.names import SubjectName
from ca.profiles import Profile, load_profile
from ca.requests import MAX_OCTETS, parse_request
from ca.signed_data import verify_detached
from hsm.errors import HsmError
from ra.applications import (
    Applicant,
    Application,
    ApplicationState,
    RequestedCertificate,
    draft,
    fulfil,
    record_acceptance,
    record_evidence,
    refuse,
    start_proofing,
)
from ra.approvals import Approval, SignerIdentity, approve, confirm_approval
from ra.assessment import conclude, submit
from ra.claims import natural_person_schema, read_claim
from ra.evidence import Officer as ProofingOfficer
from ra.levels import AssuranceLevel
from ra.package import ProfileReference, build_package, package_hash, subject_name
from ra.proofing import PresentedDocument, examine_document
from ra.requirements import Finding
from ra.terms import TermsKind, accept
from records.errors import RuleBroken
from records.officers import Officer, Officers
from server.assembly import Assembly
from server.errors import IssuerOffline
from server.logs import get_logger

ACTOR = "system:issuance"
# The guards that let an application lead to a certificate once, and only while it is approved.
_ONE_CERTIFICATE = frozenset({"RA12", "RA13"})


@dataclass(frozen=True, slots=True)
class NewApplication:
    """What an applicant hands in; `acceptances` maps terms and security_notice to the answers."""

    profile: str
    attributes: dict[str, str]
    request: bytes
    acceptances: dict[str, dict[str, object]]
    publication_consent: bool


def open_application(
    parts: Assembly, new: NewApplication, now: datetime
) -> tuple[Application, str]:
    """Submit an application; gives it with the secret that makes its bearer the applicant.

    Raises:
        ra.errors.Refused, MalformedField: what is missing or wrong.
        ca.errors.Refused, MalformedRequest: the key or its request.
    """
    profile = load_profile(new.profile)
    if not profile.names_person or profile.email_addresses or profile.assurance_level is None:
        raise ra.errors.MalformedField("profile", "a profile for natural persons")
    level = AssuranceLevel[profile.assurance_level.upper()]
    if len(new.request) > MAX_OCTETS:
        raise ra.errors.MalformedField("certificate_request", f"at most {MAX_OCTETS} octets")
    request = parse_request(new.request)
    claim = read_claim(new.attributes, natural_person_schema(level), now.date())
    requested = RequestedCertificate.read(
        profile.name, level, request.der, publication_consent=new.publication_consent
    )
    applicant = Applicant(f"subject-{secrets.token_hex(8)}", claim)
    profile.check_subject(SubjectName.of(subject_name(applicant)))
    uses = parts.certificates.uses_of_key(request.spki_sha256)
    check_key_uses(uses, applicant.subject_id, None, reuse=profile.reuse_key)
    application = draft(applicant, requested, now)
    for kind in TermsKind:
        (offered,) = parts.policy.terms.in_force(kind, now)
        answer = new.acceptances.get(kind.value, {})
        application = record_acceptance(application, accept(answer, offered, now), now)
    application = submit(application, parts.policy, now)
    secret = secrets.token_urlsafe(32)
    parts.applications.add(application, secret, now)
    return application, secret


def record_document(
    parts: Assembly,
    application_id: str,
    presented: PresentedDocument,
    officer: Officer,
    now: datetime,
) -> Application:
    """An officer takes the application up if need be, and records evidence with its checks.

    Raises:
        Conflict: another officer proves this identity; evidence would be recorded as accepted
        by that officer.
    """
    before = parts.applications.get(application_id)
    _require_in_hand(before, officer)
    taken_up = before
    if before.state in {ApplicationState.SUBMITTED, ApplicationState.REFERRED}:
        who = ProofingOfficer(officer.id, officer.person_id)
        taken_up = start_proofing(before, who, now)
    registers, _ = parts.registers()
    found = examine_document(taken_up, presented, registers, parts.policy, now)
    after = record_evidence(taken_up, found.evidence, found.checks, now)
    parts.applications.update(before, after, officer.id, now)
    return after


def conclude_proofing(
    parts: Assembly, application_id: str, officer: Officer, now: datetime
) -> Application:
    """Conclude the proofing: the application is verified or referred, or Refused says why not."""
    before = parts.applications.get(application_id)
    _require_in_hand(before, officer)
    _, catalogue = parts.registers()
    after = conclude(before, catalogue, parts.policy, now)
    if after.state is ApplicationState.VERIFIED:
        package = build_package(after, profile_reference(load_profile(after.profile)))
        after = replace(after, package_hash=package_hash(package))
    parts.applications.update(before, after, officer.id, now)
    return after


def reject_application(
    parts: Assembly,
    application_id: str,
    findings: tuple[Finding, ...],
    officer: Officer,
    now: datetime,
) -> Application:
    """Close an application with its reasons."""
    before = parts.applications.get(application_id)
    after = refuse(before, findings, now)
    parts.applications.update(before, after, officer.id, now)
    return after


def application_package(application: Application) -> bytes:
    """The octets that an approving officer signs, built anew from what is on record."""
    return build_package(application, profile_reference(load_profile(application.profile)))


def approve_application(
    parts: Assembly, application_id: str, signature: bytes, officer: Officer, now: datetime
) -> Application:
    """Approve by the officer's own signature over the package as it stands, and issue.

    It stays approved while the issuer's token is not there.

    Raises:
        Refused: the signature is another's or over other octets, or the rules of four eyes.
    """
    before = parts.applications.get(application_id)
    package = application_package(before)
    candidate = Approval(
        before.id, officer.id, officer.person_id, package_hash(package), signature, now
    )
    approved = approve(before, package, candidate, StaffSignatures(parts.officers), now)
    parts.applications.approve(before, approved, now)
    try:
        return fulfil_application(parts, approved.application, now)
    except (IssuerOffline, HsmError, ca.errors.SigningFailed) as error:
        # The approval is on record; the job issues once the key is there.
        get_logger("registration").warning("application.waits", exc_info=error)
        return approved.application


def fulfil_application(parts: Assembly, application: Application, now: datetime) -> Application:
    """Issue the certificate of an approved application, unless that was done already.

    Called at the approval, and again at every tick for what a crash left approved. Where two do it
    at once, one issues; the other gives the application as it then stands.
    """
    try:
        return _fulfil(parts, application, now)
    except (ra.errors.Conflict, ca.errors.Conflict):
        return parts.applications.get(application.id)
    except RuleBroken as error:
        if error.code not in _ONE_CERTIFICATE:
            raise
        return parts.applications.get(application.id)


def _fulfil(parts: Assembly, application: Application, now: datetime) -> Application:
    if not _has_certificate(parts, application):
        approval, signed = parts.applications.approval(application)
        approved = confirm_approval(
            application, signed.package, approval, StaffSignatures(parts.officers)
        )
        order = certificate_order(approved.application, signed)
        prepared = prepare(order, parts.issuing(order.profile), now, parts.settings.serial.node)
        issue(prepared, parts.certificates, ACTOR, now)
    after = fulfil(application, now)
    parts.applications.update(application, after, ACTOR, now)
    return after


def certificate_order(application: Application, signed: SignedPackage) -> CertificateOrder:
    """What `ca` is asked for: exactly what stands in the approved package."""
    request = parse_request(application.requested.request_der)
    return CertificateOrder(
        profile=load_profile(application.profile),
        subject=SubjectName.of(subject_name(application.applicant)),
        public_key=request.public_key,
        subject_id=application.subject_id,
        application_id=application.id,
        approval=signed,
        publish=application.requested.publication_consent,
    )


def profile_reference(profile: Profile) -> ProfileReference:
    """The profile as the package names it."""
    return ProfileReference(profile.name, profile.sha256, profile.validity_days)


def _require_in_hand(application: Application, officer: Officer) -> None:
    """Only the officer whose name stands on the proofing goes on with it."""
    proofing = application.state is ApplicationState.PROOFING
    if proofing and application.officer and application.officer.pseudonym != officer.id:
        raise ra.errors.Conflict("in the hands of another officer")


def _has_certificate(parts: Assembly, application: Application) -> bool:
    """Whether one was issued; an orphan's serial was revoked before any was."""
    found = parts.certificates.find(application_id=application.id)
    return any(record.issued_at is not None for record in found)


class StaffSignatures:
    """Who signed an approval; implements `ra.approvals.SignatureVerifier`."""

    def __init__(self, officers: Officers) -> None:
        """Ask this table of officers."""
        self._officers = officers

    def verify(self, cms_der: bytes, content: bytes) -> SignerIdentity:
        """The officer behind a detached signature over exactly this content."""
        try:
            certificate = verify_detached(cms_der, content)
        except ca.errors.MalformedRequest as error:
            raise ra.errors.SignatureInvalid(error.why) from None
        officer = self._officers.by_certificate(certificate)
        if officer is None:
            raise ra.errors.SignatureInvalid("the signer is no active officer")
        return SignerIdentity(
            _issuer_digest(certificate),
            f"{certificate.serial_number:x}",
            officer.id,
            officer.person_id,
        )


def _issuer_digest(certificate: x509.Certificate) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(certificate.issuer.public_bytes())
    return digest.finalize().hex()

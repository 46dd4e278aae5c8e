"""The registration use cases: what an applicant and the officers do to an application.

Each joins a decision of `ra`, the record of it, and at the end the order that `ca` signs.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

import ca.errors
import ra.errors
from audit.errors import ClockBehind
from ca.key_uses import check_key_uses
from ca.names import SubjectName
from ca.profiles import Profile, load_profile
from ca.requests import MAX_OCTETS, parse_request
from gdpr_erasure.consents import ConsentText
from hsm.errors import HsmError
from ra.applications import (
    Applicant,
    Application,
    ApplicationState,
    RequestedCertificate,
    draft,
    record_acceptance,
    record_evidence,
    refuse,
    start_proofing,
)
from ra.approvals import Approval, approve
from ra.assessment import conclude, submit
from ra.authenticators import AuthenticatorRecord, assessment_of, examine_authenticator
from ra.claims import ClaimedIdentity, natural_person_schema, read_claim
from ra.contacts import Contact
from ra.evidence import Officer as ProofingOfficer
from ra.levels import AssuranceLevel
from ra.package import ProfileReference, build_package, package_hash, subject_name
from ra.proofing import PresentedDocument, examine_document
from ra.renewals import Renewal
from ra.requirements import Finding
from ra.terms import require_agreement
from records.officers import Officer
from records.renewals import keep_renewal
from server.acceptances import answered_or_kept
from server.assembly import Assembly
from server.attempts import attempt
from server.decisions import require_operator_level
from server.delivery import awaits_activation, delivery_ports
from server.errors import IssuerOffline
from server.fulfilment import fulfil_application
from server.logs import get_logger
from server.organisation_applications import conclude_application, take_up_named
from server.renewal_standing import look_again
from server.search import index_person
from server.staff_signatures import StaffSignatures


@dataclass(frozen=True, slots=True)
class NewApplication:
    """What an applicant hands in; `acceptances` maps terms and security_notice to the answers."""

    profile: str
    attributes: dict[str, str]
    request: bytes
    acceptances: dict[str, dict[str, object]]
    publication_consent: bool
    session: str = ""
    """The secret of the session that was shown the texts."""
    consent_text: ConsentText | None = None
    """The text of the consent that was read; without it, the English one in force."""
    device: str | None = None
    """The kind of device that the key was made in; None for a key made in software."""
    attestation: bytes = b""
    """What the device says of the key."""
    contact: Contact | None = None
    subject_id: str | None = None
    """The person whose data it corrects (GDPR Art. 16); None for somebody who is new."""
    renews: tuple[Application, Renewal] | None = None
    """The earlier application, and what of it is renewed; None for a first one."""


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
    applicant = _applicant(new, claim)
    profile.check_subject(SubjectName.of(subject_name(applicant)))
    uses = parts.certificates.uses_of_key(request.spki_sha256)
    check_key_uses(uses, applicant.subject_id, None, reuse=profile.reuse_key)
    application = replace(
        draft(applicant, requested, now),
        authenticator=_authenticator(parts, new, requested, now),
        contact=new.contact,
        renewal=None if new.renews is None else new.renews[1],
    )
    earlier = None if new.renews is None else new.renews[0]
    given = (new.acceptances, new.session)
    for acceptance in answered_or_kept(parts, given, earlier, now):
        application = record_acceptance(application, acceptance, now)
    application = submit(application, parts.policy, now)
    require_agreement(application.acceptances, by_statute=profile.agreement != "contract")
    secret = secrets.token_urlsafe(32)
    kept = None if application.renewal is None else keep_renewal(application, now)
    parts.applications.add(application, secret, now, new.consent_text, kept)
    index_person(parts, application)
    return application, secret


def _applicant(new: NewApplication, claim: ClaimedIdentity) -> Applicant:
    """Who renews is certified under the same serialNumber."""
    if new.renews is not None:
        return replace(new.renews[0].applicant, claim=claim)
    return Applicant(new.subject_id or f"subject-{secrets.token_hex(8)}", claim)


def _authenticator(
    parts: Assembly, new: NewApplication, requested: RequestedCertificate, now: datetime
) -> AuthenticatorRecord | None:
    """Where the key lives, as its device attests; None for a key made in software."""
    if new.device is None:
        return None
    verifier = delivery_ports(parts).attestations.get(new.device)
    if verifier is None:
        raise ra.errors.MalformedField("device", "a kind of device whose attestations we verify")
    assessment = assessment_of(requested.profile, parts.decisions.assessments, now)
    key = requested.spki_sha256
    return examine_authenticator(new.attestation, key, verifier, assessment, now)


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
    require_in_hand(parts, before, officer)
    taken_up = before
    if before.state in {ApplicationState.SUBMITTED, ApplicationState.REFERRED}:
        taken_up = start_proofing(before, proofing_officer(parts, officer, now), now)
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
    require_in_hand(parts, before, officer)
    if before.applicant.organisation is not None:
        before = take_up_named(parts, before, officer, now)
    with attempt(parts, before, officer.id, now):
        after = _concluded(parts, before, now)
    if after.state is ApplicationState.VERIFIED:
        package = build_package(after, profile_reference(load_profile(after.profile)))
        after = replace(after, package_hash=package_hash(package))
    parts.applications.update(before, after, officer.id, now)
    return after


def _concluded(parts: Assembly, before: Application, now: datetime) -> Application:
    if before.applicant.organisation is not None:
        return conclude_application(parts, before, now)
    _, catalogue = parts.registers()
    return conclude(look_again(parts, before, now), catalogue, parts.policy, now)


def reject_application(
    parts: Assembly,
    application_id: str,
    findings: tuple[Finding, ...],
    officer: Officer,
    now: datetime,
) -> Application:
    """Close an application with its reasons."""
    before = parts.applications.get(application_id)
    require_operator_level(parts.decisions, officer, before.level)
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
        Refused: the signature is another's or over other octets, the rules of four eyes, or the
            officer's credential is below the level.
    """
    before = parts.applications.get(application_id)
    require_operator_level(parts.decisions, officer, before.level)
    package = application_package(before)
    candidate = Approval(
        before.id, officer.id, officer.person_id, package_hash(package), signature, now
    )
    approved = approve(before, package, candidate, StaffSignatures(parts.officers), now)
    parts.applications.approve(before, approved, now)
    if awaits_activation(parts, approved.application):
        return approved.application
    try:
        return fulfil_application(parts, approved.application, now)
    except (IssuerOffline, HsmError, ClockBehind, ca.errors.SigningFailed) as error:
        # The approval is on record; the job issues once the key is there.
        get_logger("registration").warning("application.waits", exc_info=error)
        return approved.application


def proofing_officer(parts: Assembly, officer: Officer, now: datetime) -> ProofingOfficer:
    """The officer as the proofing records it: how long the training holds, which certificate."""
    until = parts.persons.trainings.trained_until(officer.person_id, now)
    own = officer.certificate
    return ProofingOfficer(officer.id, officer.person_id, trained_until=until, certificate=own)


def profile_reference(profile: Profile) -> ProfileReference:
    """The profile as the package names it."""
    return ProfileReference(profile.name, profile.sha256, profile.validity_days)


def require_in_hand(parts: Assembly, application: Application, officer: Officer) -> None:
    """Only the officer whose name stands on the proofing goes on with it, at the level it is for.

    Raises: Refused (USE-AUT-L10); Conflict.
    """
    require_operator_level(parts.decisions, officer, application.level)
    proofing = application.state is ApplicationState.PROOFING
    if proofing and application.officer and application.officer.pseudonym != officer.id:
        raise ra.errors.Conflict("in the hands of another officer")

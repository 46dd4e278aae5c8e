"""Applications for seals and for employee certificates (NSIS 3.1.3 and 5)."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from ca.key_uses import check_key_uses
from ca.names import SubjectName
from ca.profiles import load_profile
from ca.requests import MAX_OCTETS, parse_request
from ra.applications import (
    Applicant,
    Application,
    ApplicationState,
    RequestedCertificate,
    draft,
    record_acceptance,
    start_proofing,
)
from ra.associations import AssociationKind, AssociationState
from ra.claims import ClaimedIdentity
from ra.errors import MalformedField, Refused
from ra.evidence import Officer as ProofingOfficer
from ra.legal_persons import Company, CvrNumber, NamedOrganisation
from ra.levels import AssuranceLevel
from ra.mandate_assessment import status_findings
from ra.mandates import Authenticated
from ra.organisation_applications import (
    Standing,
    conclude_named,
    renewed_findings,
    standing_findings,
    submit_named,
)
from ra.package import subject_name
from ra.requirements import finding
from ra.terms import require_agreement
from records.associations import keep_named
from records.errors import RuleBroken
from records.officers import Officer
from server.acceptances import answered_or_kept
from server.assembly import Assembly
from server.errors import NotAllowed
from server.organisation_renewals import Renewed, earlier_of, judged_anew, open_renewal
from server.renewal_standing import as_conflict, is_published, look_again
from server.subscribers import mandate_to_register

SEAL, EMPLOYEE = "legal-person-seal", "employee"


@dataclass(frozen=True, slots=True)
class NewNamed:
    """What is handed in; `acceptances` maps terms and security_notice to the answers."""

    request: bytes
    acceptances: dict[str, dict[str, object]]
    publication_consent: bool = False
    session: str = ""
    """The secret of the session that was shown the texts."""
    renews: Renewed | None = None
    """None for a first certificate; texts that are the same then need no new answer."""


def apply_for_seal(
    parts: Assembly, company: CvrNumber, new: NewNamed, actor: Authenticated, now: datetime
) -> tuple[Application, str]:
    """Who is mandated to register a legal person applies for its seal, or for the next one.

    Raises: NotFound; Refused when the actor is not mandated or the register is against it, and as
    `open_renewal`; Conflict when it is being renewed already.
    """
    of = parts.mandates.organisation(company)
    mandate_to_register(parts, company, actor, now)
    if of.level is None:
        raise Refused((finding("REG-IDL-S6a", "AUTHORISATION_NOT_VERIFIED"),))
    name = _registered_name(parts, company, now)
    claim = _claim_of(parts, actor.subject_id)
    # The number of the registrant is no datum of the legal person.
    contact = ClaimedIdentity(claim.given_name, claim.surname)
    named = NamedOrganisation(of.id, company, name, of.level)
    applicant = Applicant(of.subject_id, contact, organisation=named)
    return _open(parts, SEAL, (applicant, actor.level), new, now)


def apply_as_employee(
    parts: Assembly, association_id: str, new: NewNamed, actor: Authenticated, now: datetime
) -> tuple[Application, str]:
    """A person with an active association applies for the role's certificate, or the next one.

    Raises: NotFound; NotAllowed; Refused when the association carries no certificate, and as
    `open_renewal`; Conflict when it is being renewed already.
    """
    of = parts.associations.get(association_id)
    if of.subject_id != actor.subject_id:
        raise NotAllowed("person of the association")
    active = of.state is AssociationState.ACTIVE and of.kind is AssociationKind.CREDENTIAL
    if not active or of.levels is None:
        raise Refused((finding("ASC-S8a", "ASSOCIATION_NOT_UNDER_ORGANISATION_CONTROL"),))
    name = _registered_name(parts, of.organisation, now)
    named = NamedOrganisation(of.organisation_id, of.organisation, name, of.levels.level, of.id)
    applicant = Applicant(actor.subject_id, _claim_of(parts, actor.subject_id), organisation=named)
    return _open(parts, EMPLOYEE, (applicant, actor.level), new, now)


def take_up_named(
    parts: Assembly, before: Application, officer: Officer, now: datetime
) -> Application:
    """An officer takes up an application that names an organisation, unless that was done."""
    if before.state is not ApplicationState.SUBMITTED:
        return before
    trained = parts.persons.trainings.trained_until(officer.person_id, now)
    own = officer.certificate
    who = ProofingOfficer(officer.id, officer.person_id, trained_until=trained, certificate=own)
    taken_up = start_proofing(before, who, now)
    parts.applications.update(before, taken_up, officer.id, now)
    return taken_up


def conclude_application(parts: Assembly, before: Application, now: datetime) -> Application:
    """Conclude an application that names an organisation; the registers are asked."""
    seen = look_again(parts, before, now)
    _, catalogue = parts.registers()
    standing = standing_of(parts, seen, now)
    against = renewed_findings(seen, catalogue, parts.policy, now)
    standing = replace(standing, anew=(*against, *standing.anew))
    return conclude_named(seen, standing, parts.policy, now)


def require_standing(parts: Assembly, application: Application, now: datetime) -> None:
    """At issuance, ask again whether everything still carries the certificate (REG-IDL-L3).

    Raises: Refused; NoRegisters.
    """
    if application.applicant.organisation is None:
        return
    standing = standing_of(parts, application, now)
    found = standing_findings(application, standing, parts.policy.terms)
    if found:
        raise Refused(found)


def standing_of(parts: Assembly, application: Application, now: datetime) -> Standing:
    """How the organisation and the association of an application stand now."""
    named = application.applicant.organisation
    if named is None:
        raise MalformedField("application", "one that names an organisation")
    register, _ = parts.companies()
    of = parts.mandates.organisation(named.number)
    carried = of.level
    if named.association is not None:
        found = parts.associations.get(named.association)
        active = found.state is AssociationState.ACTIVE and found.levels is not None
        carried = found.levels.level if active and found.levels else None
        held = parts.holders.level_of(found.subject_id, now)
        carried = min(carried, held) if carried and held else None
    by_contract = load_profile(application.profile).agreement == "contract"
    agreements = parts.mandates.agreements(named.number) if by_contract else None
    renewed = application.renewal is not None
    anew = judged_anew(parts, named, application.level, now) if renewed else ()
    return Standing(register.find(named.number, now), of.level, carried, agreements, anew)


def _open(
    parts: Assembly,
    profile_name: str,
    who: tuple[Applicant, AssuranceLevel],
    new: NewNamed,
    now: datetime,
) -> tuple[Application, str]:
    applicant, login = who
    earlier = None
    if new.renews is not None:
        earlier = earlier_of(parts, new.renews, applicant)
        # Who renews is certified under the same serialNumber.
        applicant = replace(applicant, serial_number=earlier[0].applicant.serial_number)
    profile = load_profile(profile_name)
    level = AssuranceLevel.from_label(str(profile.assurance_level))
    if len(new.request) > MAX_OCTETS:
        raise MalformedField("certificate_request", f"at most {MAX_OCTETS} octets")
    request = parse_request(new.request)
    published = new.publication_consent if earlier is None else is_published(parts, earlier[0])
    requested = RequestedCertificate.read(
        profile.name, level, request.der, publication_consent=published
    )
    profile.check_subject(SubjectName.of(subject_name(applicant)))
    uses = parts.certificates.uses_of_key(request.spki_sha256)
    check_key_uses(uses, applicant.subject_id, None, reuse=profile.reuse_key)
    application = draft(applicant, requested, now)
    if earlier is not None and new.renews is not None:
        renewal = open_renewal(parts, earlier, applicant, (login, new.renews.loss), now)
        application = replace(application, renewal=renewal)
    given, before = (new.acceptances, new.session), None if earlier is None else earlier[0]
    for acceptance in answered_or_kept(parts, given, before, now):
        application = record_acceptance(application, acceptance, now)
    application = submit_named(application, parts.policy, now)
    require_agreement(application.acceptances, by_statute=profile.agreement != "contract")
    secret = secrets.token_urlsafe(32)
    try:
        parts.applications.add(application, secret, now, also=keep_named(application, now))
    except RuleBroken as broken:
        raise as_conflict(broken) from None
    return application, secret


def _registered_name(parts: Assembly, company: CvrNumber, now: datetime) -> str:
    """The name under which the register knows it now; Refused when it may not act."""
    register, _ = parts.companies()
    answer = register.find(company, now)
    found = status_findings(answer)
    if found or not isinstance(answer, Company):
        raise Refused(found)
    return answer.name


def _claim_of(parts: Assembly, subject_id: str) -> ClaimedIdentity:
    """The claim under which a person was proven."""
    proven = [
        each
        for each in parts.applications.of_subject(subject_id)
        if each.state is ApplicationState.FULFILLED and each.applicant.organisation is None
    ]
    if not proven:
        raise Refused((finding("ASC-L4", "ASSOCIATED_PERSON_LEVEL_TOO_LOW"),))
    return proven[-1].applicant.claim

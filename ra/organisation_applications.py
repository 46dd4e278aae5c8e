"""Applications for certificates that name an organisation: seals, and employees (NSIS 3.1.3, 5).

Nothing is proven anew here: a seal rests on the registration of its legal person, an employee on
the association and on the person's own credential. What is asked again is the register. A renewal
meets what a first application has to meet, and what carried that is judged anew (ISS-REN-L1a).
"""

from dataclasses import dataclass, replace
from datetime import datetime

from ra.applications import Application, ApplicationState, step
from ra.assessment import Accepted, ProofingPolicy, assess_natural_person
from ra.authenticators import authenticator_part
from ra.case import Case
from ra.case_assessment import assess_level
from ra.companies import CompanyAnswer
from ra.errors import Conflict, Refused
from ra.evidence import ProofingResult
from ra.levels import AssuranceLevel
from ra.mandate_assessment import status_findings
from ra.renewal_rules import renewal_findings
from ra.requirements import Finding, finding
from ra.sources import SourceCatalogue
from ra.terms import Acceptance, TermsLibrary, part_findings, terms_findings


@dataclass(frozen=True, slots=True)
class Standing:
    """How what the application rests on stands now; None for what is there no more."""

    company: CompanyAnswer
    organisation: AssuranceLevel | None
    association: AssuranceLevel | None
    """The level of the active association; as the organisation's for a seal."""
    agreements: tuple[Acceptance, ...] | None
    """What the organisation accepted; None where a statute stands in the place of contracts."""
    anew: tuple[Finding, ...] = ()
    """What a renewal meets when mandate and association are judged as on their first day."""


def submit_named(application: Application, policy: ProofingPolicy, now: datetime) -> Application:
    """Hand in an application that names an organisation.

    Raises: Refused with what the texts and the level still lack; Conflict.
    """
    case = Case(authenticator=authenticator_part(application.authenticator, None, now))
    reasons = assess_level(case, application.level, policy.policy).reasons
    found = (
        *terms_findings(application.acceptances, policy.terms, application.level),
        *(each.finding for each in reasons),
    )
    submitted = step(application, ApplicationState.SUBMITTED, now)
    if found:
        raise Refused(found)
    return submitted


def standing_findings(
    application: Application, standing: Standing, terms: TermsLibrary
) -> tuple[Finding, ...]:
    """Everything that does not carry the certificate, or no longer."""
    found = list(status_findings(standing.company))
    if standing.organisation is None or standing.organisation < application.level:
        found.append(finding("ASC-L5", "ASSOCIATED_ORGANISATION_LEVEL_TOO_LOW"))
    if standing.association is None or standing.association < application.level:
        found.append(finding("ASC-S8a", "ASSOCIATION_NOT_UNDER_ORGANISATION_CONTROL"))
    own, of = application.acceptances, standing.agreements
    agreed = () if of is None else part_findings(own, of, terms, application.created_at)
    return tuple(dict.fromkeys((*found, *agreed, *standing.anew)))


def renewed_findings(
    application: Application, catalogue: SourceCatalogue, policy: ProofingPolicy, now: datetime
) -> tuple[Finding, ...]:
    """Why the old certificate, and what the register says of its person, carry no new one."""
    if application.renewal is None:
        return ()
    if application.applicant.is_legal_person:
        return renewal_findings(application, policy.policy.limits, now)
    outcome = assess_natural_person(application, catalogue, policy, now)
    return () if isinstance(outcome, Accepted) else outcome.findings


def conclude_named(
    application: Application, standing: Standing, policy: ProofingPolicy, now: datetime
) -> Application:
    """Verified, once an officer has taken it up, and only on what carries its level.

    Raises: Refused when something no longer carries it; Conflict when nobody took it up, or it is
    decided.
    """
    if application.state is not ApplicationState.PROOFING:
        raise Conflict(application.state)
    found = standing_findings(application, standing, policy.terms)
    if found:
        raise Refused(found)
    result = ProofingResult(
        level=application.level,
        policy_version=policy.version,
        completed_at=now,
        valid_until=now + policy.policy.limits.proofing_age,
        policy_sha256=policy.policy.sha256,
    )
    return replace(step(application, ApplicationState.VERIFIED, now), proofing=result)

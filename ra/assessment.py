"""What the evidence on record of a live application is worth at the level asked for (NSIS 3.1).

The application becomes a case, and the rules of cases decide. A check that is not on record is
missing, an answer that no rule knows is missing too, and a register that did not answer makes the
application wait. All reasons that hold are given. Delivery and activation come after the approval,
and are assessed when the holder activates (`server.delivery`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime

from ra.applications import Application, ApplicationState, is_subject, step
from ra.authenticators import authenticator_part
from ra.case import Case, NaturalPersonPart
from ra.case_assessment import assess_level
from ra.claims import natural_person_schema, schema_findings
from ra.errors import Conflict, Refused
from ra.evidence import Check, CheckResult, Evidence, EvidenceKind, ProofingResult
from ra.further_facts import with_further
from ra.levels import AssuranceLevel
from ra.policies import Policy
from ra.renewal_rules import renewal_findings
from ra.requirements import Finding
from ra.sources import SourceCatalogue
from ra.terms import TermsLibrary, terms_findings
from ra.verdicts import presented_part

_BASIC_CHECKS = (Check.FORMAT, Check.VALIDITY_PERIOD, Check.DATA_MATCH)
_SUBSTANTIAL_CHECKS = (Check.GENUINENESS, Check.DOCUMENT_STATUS, Check.REGISTER_STATUS)


@dataclass(frozen=True, slots=True)
class ProofingPolicy:
    """The policy of identity proofing, and the texts applicants are shown."""

    terms: TermsLibrary
    policy: Policy

    @property
    def version(self) -> str:
        """The name of the policy, which ends in its version."""
        return self.policy.name

    @property
    def accepted_kinds(self) -> frozenset[EvidenceKind]:
        """The kinds of evidence that are accepted."""
        return self.policy.person_rules.accepted_kinds

    @property
    def minimum_features(self) -> int:
        """How many security features an officer must see."""
        return self.policy.limits.minimum_features


@dataclass(frozen=True, slots=True)
class Accepted:
    """The identity is proven at this level."""

    level: AssuranceLevel


@dataclass(frozen=True, slots=True)
class Referred:
    """Nothing speaks against it, but an answer is missing that time can bring."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """At least one requirement is not met."""

    findings: tuple[Finding, ...]


Assessment = Accepted | Referred | Rejected


def assess_natural_person(
    application: Application, catalogue: SourceCatalogue, policy: ProofingPolicy, now: datetime
) -> Assessment:
    """Accepted at the level asked for, or every reason why it is not (NSIS 3.1.1 and 3.1.2)."""
    level = application.level
    part = natural_person_part(application, catalogue, now)
    case = Case(
        natural_person=with_further(part, application, catalogue, policy.policy, now),
        authenticator=authenticator_part(application.authenticator, catalogue, now),
    )
    findings = (
        *_claim_findings(application, policy),
        *renewal_findings(application, policy.policy.limits, now),
        *_case_findings(case, level, policy),
    )
    if not findings:
        return Accepted(level)
    return Referred(findings) if all(each.waits for each in findings) else Rejected(findings)


def _case_findings(
    case: Case, level: AssuranceLevel, policy: ProofingPolicy
) -> tuple[Finding, ...]:
    return tuple(each.finding for each in assess_level(case, level, policy.policy).reasons)


def submit(application: Application, policy: ProofingPolicy, now: datetime) -> Application:
    """The applicant hands the draft in.

    Raises: Refused with what the texts, the attributes and the level still lack; Conflict.
    """
    submitted = step(application, ApplicationState.SUBMITTED, now)
    authenticator = authenticator_part(application.authenticator, None, now)
    found = (
        *_claim_findings(application, policy),
        *_case_findings(Case(authenticator=authenticator), application.level, policy),
    )
    if found:
        raise Refused(found)
    return submitted


def conclude(
    application: Application, catalogue: SourceCatalogue, policy: ProofingPolicy, now: datetime
) -> Application:
    """End the proofing: `verified` with its result, or `referred` while an answer is missing.

    Raises: Refused when a requirement is not met (the officer then records other evidence, or
    refuses the application); Conflict when no proofing is under way.
    """
    if application.state is not ApplicationState.PROOFING:
        raise Conflict(application.state)
    outcome = assess_natural_person(application, catalogue, policy, now)
    if isinstance(outcome, Rejected):
        raise Refused(outcome.findings)
    if isinstance(outcome, Referred):
        waiting = step(application, ApplicationState.REFERRED, now)
        return replace(waiting, findings=outcome.findings)
    result = ProofingResult(
        level=outcome.level,
        policy_version=policy.version,
        completed_at=now,
        valid_until=now + policy.policy.limits.proofing_age,
        policy_sha256=policy.policy.sha256,
    )
    return replace(step(application, ApplicationState.VERIFIED, now), proofing=result)


def _claim_findings(application: Application, policy: ProofingPolicy) -> tuple[Finding, ...]:
    """Terms and attributes (REG-APP)."""
    claim, level = application.applicant.claim, application.level
    names = frozenset(each.name for each in fields(claim) if getattr(claim, each.name) is not None)
    return (
        *terms_findings(application.acceptances, policy.terms, level),
        *schema_findings(names, natural_person_schema(level)),
    )


def natural_person_part(
    application: Application, catalogue: SourceCatalogue, now: datetime
) -> NaturalPersonPart:
    """The evidence last presented, and the latest result of each check on it, as facts."""
    officer = application.officer
    by_subject = officer is not None and is_subject(officer, application)
    trained = officer is None or officer.is_trained(now)
    if not application.evidence:
        part = NaturalPersonPart(officer_is_subject=by_subject, officer_trained=trained)
        numbered = application.applicant.claim.cpr_number is not None
        return part if numbered else replace(part, cpr_status=None)
    evidence = application.evidence[-1]
    results = {each.check: each for each in application.checks if each.evidence_id == evidence.id}
    part = presented_part(evidence.kind, results.values())
    sources = (each.source_id for each in results.values())
    record = replace(
        part.on_record,
        basic_missing=_absent(_BASIC_CHECKS, results),
        missing=_absent(_SUBSTANTIAL_CHECKS, results),
        unapproved_evidence=_unapproved((evidence.source_id,), catalogue, now),
        unapproved_registers=_unapproved(sources, catalogue, now),
    )
    return replace(
        part,
        officer_is_subject=by_subject,
        officer_trained=trained,
        photo=evidence.photo,
        expired=part.expired or _has_expired(evidence, now),
        on_record=record,
    )


def _absent(demanded: tuple[Check, ...], results: Mapping[Check, CheckResult]) -> tuple[str, ...]:
    return tuple(each.value for each in demanded if each not in results)


def _unapproved(
    sources: Iterable[str | None], catalogue: SourceCatalogue, now: datetime
) -> tuple[str, ...]:
    """Sources relied on that the catalogue does not approve (REG-IDN-L4)."""
    named = (each for each in sources if each is not None)
    return tuple(each for each in named if not catalogue.approves(each, now))


def _has_expired(evidence: Evidence, now: datetime) -> bool:
    """Judged today and not only on the day the evidence was presented."""
    return evidence.expiry_date is not None and evidence.expiry_date < now.date()

"""What the evidence on record is worth at the level asked for (NSIS 3.1.2; decision table 5.1).

`assess_natural_person` is pure. It counts recorded check results, never statements: a check that
is not on record is missing, an answer that the table does not know is missing too, and a register
that did not answer makes the application wait. All reasons that hold are given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from ra.applications import Application, ApplicationState, is_subject, step
from ra.claims import natural_person_schema, schema_findings
from ra.errors import Conflict, Refused
from ra.evidence import Check, CheckResult, Evidence, EvidenceKind, ProofingResult
from ra.levels import AssuranceLevel
from ra.requirements import Finding, finding
from ra.sources import SourceCatalogue
from ra.terms import TermsLibrary, terms_findings
from ra.verdicts import passes, result_findings

_LOW, _HIGH = AssuranceLevel.LOW, AssuranceLevel.HIGH
_BASIC_CHECKS = (Check.FORMAT, Check.VALIDITY_PERIOD, Check.DATA_MATCH)
_SUBSTANTIAL_CHECKS = (Check.GENUINENESS, Check.DOCUMENT_STATUS, Check.REGISTER_STATUS)


@dataclass(frozen=True, slots=True)
class ProofingPolicy:
    """The versioned limits of identity proofing and the texts applicants are shown.

    `measures` are the checks of which a passing one guards against impersonation (REG-IDN-S6c).
    """

    version: str
    terms: TermsLibrary
    accepted_kinds: frozenset[EvidenceKind] = frozenset({EvidenceKind.PASSPORT})
    minimum_features: int = 3
    measures: frozenset[Check] = frozenset({Check.PHYSICAL_COMPARISON})
    maximum_age: timedelta = timedelta(days=30)


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
    found = [
        *_claim_findings(application, policy),
        *_evidence_findings(application, catalogue, policy, now),
        *unreachable_findings(level),
    ]
    # Two checks can find the same; the first that says so is kept.
    findings = tuple({(each.requirement, each.code): each for each in reversed(found)}.values())
    findings = findings[::-1]
    if not findings:
        return Accepted(level)
    return Referred(findings) if all(each.waits for each in findings) else Rejected(findings)


def unreachable_findings(level: AssuranceLevel) -> tuple[Finding, ...]:
    """What this version can never record, so that High is refused before anyone is troubled."""
    if level < AssuranceLevel.HIGH:
        return ()
    return (
        finding("ISS-STR-H5", "KEY_ATTESTATION_MISSING"),
        finding("ISS-DEL-H3", "ACTIVATION_NOT_PERSONAL"),
    )


def submit(application: Application, policy: ProofingPolicy, now: datetime) -> Application:
    """The applicant hands the draft in.

    Raises: Refused with what the texts, the attributes and the level still lack; Conflict.
    """
    submitted = step(application, ApplicationState.SUBMITTED, now)
    found = (*_claim_findings(application, policy), *unreachable_findings(application.level))
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
        valid_until=now + policy.maximum_age,
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


def _evidence_findings(
    application: Application, catalogue: SourceCatalogue, policy: ProofingPolicy, now: datetime
) -> tuple[Finding, ...]:
    """The evidence last presented, and the latest result of each check on it (REG-IDN)."""
    level = application.level
    if application.officer is not None and is_subject(application.officer, application):
        return (finding("REG-IDN-L7", "OFFICER_IS_SUBJECT"),)
    if not application.evidence:
        return _nothing_presented(application)
    evidence = application.evidence[-1]
    results = {each.check: each for each in application.checks if each.evidence_id == evidence.id}
    answered = (
        *_document_findings(evidence, policy, now),
        *(each for result in results.values() for each in result_findings(result, level)),
    )
    if evidence.issuer is None and answered:
        # What cannot be read cannot be looked up, so what is missing for it says nothing more.
        return answered
    return (
        *answered,
        *_missing_findings(results, policy, level),
        *_source_findings(evidence, results, (catalogue, level), now),
    )


def _nothing_presented(application: Application) -> tuple[Finding, ...]:
    """Knowing a number is not evidence; from Substantial up, not even a number was given."""
    missing = finding("REG-IDN-L1", "EVIDENCE_MISSING")
    if application.level is _LOW or application.applicant.claim.cpr_number is not None:
        return (missing,)
    return (finding("REG-IDN-S6b", "PERSON_NOT_IN_REGISTER"), missing)


def _document_findings(
    evidence: Evidence, policy: ProofingPolicy, now: datetime
) -> tuple[Finding, ...]:
    """Kind and expiry, judged today and not only on the day the evidence was presented."""
    found: list[Finding] = []
    if evidence.kind not in policy.accepted_kinds:
        found.append(finding("REG-IDN-L2", "EVIDENCE_KIND_NOT_ACCEPTED"))
    if evidence.expiry_date is not None and evidence.expiry_date < now.date():
        found.append(finding("REG-IDN-L2", "EVIDENCE_EXPIRED"))
    return tuple(found)


def _missing_findings(
    results: Mapping[Check, CheckResult], policy: ProofingPolicy, level: AssuranceLevel
) -> tuple[Finding, ...]:
    """Checks without a result, and measures of which none passed."""
    found: list[Finding] = []
    basic = tuple(each.value for each in _BASIC_CHECKS if each not in results)
    if basic:
        found.append(finding("REG-IDN-L5", "EVIDENCE_RECORD_INCOMPLETE", basic))
    if level is _LOW:
        return tuple(found)
    demanded = tuple(each.value for each in _SUBSTANTIAL_CHECKS if each not in results)
    if demanded:
        found.append(finding("REG-IDN-S6f", "CHECK_NOT_EVIDENCED", demanded))
    if not any(passes(result) for check, result in results.items() if check in policy.measures):
        found.append(finding("REG-IDN-S6c", "IMPERSONATION_MEASURE_MISSING"))
    if level is _HIGH and Check.PHYSICAL_COMPARISON not in results:
        found.append(finding("REG-IDN-H9a", "PHYSICAL_COMPARISON_MISSING"))
    return tuple(found)


def _source_findings(
    evidence: Evidence,
    results: Mapping[Check, CheckResult],
    measure: tuple[SourceCatalogue, AssuranceLevel],
    now: datetime,
) -> tuple[Finding, ...]:
    """Sources relied on at this level that the catalogue does not approve (REG-IDN-L4)."""
    catalogue, level = measure
    relied_on = [evidence.source_id]
    if level > _LOW:
        relied_on += [each.source_id for each in results.values() if each.source_id is not None]
    unapproved = tuple(each for each in relied_on if not catalogue.approves(each, now))
    return (finding("REG-IDN-L4", "SOURCE_NOT_APPROVED", unapproved),) if unapproved else ()

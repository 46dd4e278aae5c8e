"""Recording what proves an identity beside documents, and referring what one officer cannot decide.

Each step maps an application to the next one. The ports are asked by the caller; here stands what
may be recorded in which state, and what is refused before it becomes evidence.
"""

import hmac
import secrets
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from ra.applications import Application, ApplicationState, is_subject, step
from ra.assessment import Accepted, ProofingPolicy, assess_natural_person
from ra.biometrics import Asked, ComparatorReport, report_findings
from ra.case import ComparisonKind
from ra.errors import Conflict, MalformedField, Refused
from ra.evidence import CheckResult, Officer, Presence
from ra.further_evidence import (
    Comparison,
    ControlQuestions,
    Derivation,
    Deviation,
    FurtherEvidence,
    PriorProofing,
    ProofingLetter,
    RegisterReading,
    Resolution,
)
from ra.requirements import Finding, finding
from ra.sources import SourceCatalogue

_TAKING = frozenset({ApplicationState.SUBMITTED, ApplicationState.PROOFING})
_NOTE_LENGTH = (10, 500)
_CODE_OCTETS = 10
DISAGREEMENT = "IDENTITY_MISMATCH"
_WRONG_CODE = "letter_code"

# What somebody or something said against the applicant: it is a failed attempt (REG-IDN-L9).
AGAINST = frozenset(
    {
        DISAGREEMENT,
        "EVIDENCE_FORMAT_INVALID",
        "EVIDENCE_NOT_GENUINE",
        "EVIDENCE_REPORTED_LOST_OR_STOLEN",
        "EVIDENCE_REVOKED",
        "COMPARISON_NOT_LIVE",
        "BIOMETRIC_STALE",
        "BIOMETRIC_REPLAY",
        "LIVENESS_FAILED",
        "INJECTION_SUSPECTED",
        "SOURCE_CREDENTIAL_NOT_VALID",
        "CONTROL_QUESTIONS_INSUFFICIENT",
    }
)


def speaks_against(findings: tuple[Finding, ...]) -> bool:
    """Whether a refusal is a failed attempt, and not merely something that is still missing."""
    return any(each.code in AGAINST or _WRONG_CODE in each.concerns for each in findings)


def record_comparison(
    application: Application, comparison: Comparison, now: datetime
) -> Application:
    """Keep an officer's comparison with the evidence presented last.

    Raises: Conflict without evidence or outside the proofing; Refused (REG-IDN-H9c) when what was
    compared did not come from the applicant there and then.
    """
    _require(application, frozenset({ApplicationState.PROOFING}))
    evidence_id = evidence_to_compare(application)
    if comparison.evidence_id != evidence_id:
        raise MalformedField("evidence", "the evidence that was presented last")
    if not comparison.live:
        raise Refused((finding("REG-IDN-H9c", "COMPARISON_NOT_LIVE"),))
    return _with(application, now, comparisons=(*application.further.comparisons, comparison))


def record_biometric(
    application: Application, report: ComparatorReport, asked: Asked, method: str, now: datetime
) -> Application:
    """Keep what a comparator reported for our nonce.

    Raises: Refused (REG-IDN-H9d, H9f) for a report that is worth nothing at any level; Conflict.
    """
    against = report_findings(report, asked, now)
    if against:
        raise Refused(against)
    made = Comparison(
        evidence_id=evidence_to_compare(application),
        kind=ComparisonKind.BIOMETRIC,
        presence=Presence.SUPERVISED_REMOTE,
        matches=report.matches,
        live=True,
        by=report.comparator,
        at=now,
        method=method,
        nonce_sha256=digest(report.nonce),
        captured_at=report.captured_at,
        sensor=report.sensor,
        channel_protected=report.channel_protected,
    )
    return record_comparison(application, made, now)


def evidence_to_compare(application: Application) -> str:
    """The id of the evidence presented last; Conflict when there is none."""
    if not application.evidence:
        raise Conflict(application.state)
    return application.evidence[-1].id


def record_derivation(
    application: Application, derivation: Derivation, now: datetime
) -> Application:
    """Keep a login with a credential that the applicant holds; Conflict in another state."""
    _require(application, _TAKING)
    return _with(application, now, derivations=(*application.further.derivations, derivation))


def record_prior_proofing(
    application: Application, prior: PriorProofing, now: datetime
) -> Application:
    """Keep an earlier proofing for another purpose; Conflict in another state."""
    _require(application, frozenset({ApplicationState.PROOFING}))
    kept = (*application.further.prior_proofings, prior)
    return _with(application, now, prior_proofings=kept)


def record_questions(
    application: Application, questions: ControlQuestions, now: datetime
) -> Application:
    """Keep how many control questions were asked and answered rightly; Conflict."""
    _require(application, frozenset({ApplicationState.PROOFING}))
    if not 0 <= questions.correct <= questions.asked:
        raise MalformedField("correct", "a number from 0 to the number of questions asked")
    return _with(application, now, questions=(*application.further.questions, questions))


def send_letter(
    application: Application, reading: RegisterReading, policy: ProofingPolicy, now: datetime
) -> tuple[Application, str]:
    """Make a code for a letter to the registered address; only its digest is kept."""
    _require(application, _TAKING)
    code = secrets.token_hex(_CODE_OCTETS)
    letter = ProofingLetter(
        code_sha256=digest(code),
        register=reading,
        sent_at=now,
        expires_at=now + policy.policy.limits.letter_window,
    )
    return _with(application, now, letters=(*application.further.letters, letter)), code


def return_code(application: Application, code: str, now: datetime) -> Application:
    """The applicant returns the code of the letter sent last, once and within its window.

    Raises: Refused (REG-IDN-L1) when it is another, too late, or was returned before; Conflict.
    """
    _require(application, _TAKING)
    letters = application.further.letters
    last = letters[-1] if letters else None
    if (
        last is None
        or last.returned_at is not None
        or now > last.expires_at
        or not hmac.compare_digest(last.code_sha256, digest(code))
    ):
        raise Refused((finding("REG-IDN-L1", "EVIDENCE_MISSING", (_WRONG_CODE,)),))
    returned = replace(last, returned_at=now)
    return _with(application, now, letters=(*letters[:-1], returned))


def refer(
    application: Application, catalogue: SourceCatalogue, policy: ProofingPolicy, now: datetime
) -> Application:
    """Refer what waits for an answer, or what disagrees; it keeps the findings.

    Raises: Refused with everything that another officer cannot cure; Conflict when nothing does
    stand in the way, or no proofing is under way.
    """
    if application.state is not ApplicationState.PROOFING:
        raise Conflict(application.state)
    outcome = assess_natural_person(application, catalogue, policy, now)
    if isinstance(outcome, Accepted):
        raise Conflict(application.state)
    final = tuple(f for f in outcome.findings if not f.waits and f.code != DISAGREEMENT)
    if final:
        raise Refused(final)
    waiting = step(application, ApplicationState.REFERRED, now)
    return replace(waiting, findings=outcome.findings)


def resolve_by_answer(
    application: Application, checks: tuple[CheckResult, ...], now: datetime
) -> Application:
    """Registers were asked again about a referred application: the proofing goes on."""
    taken_up = step(application, ApplicationState.PROOFING, now)
    return replace(taken_up, checks=(*application.checks, *checks), findings=())


def resolve_by_officer(
    application: Application, officer: Officer, deviation: Deviation, note: str, now: datetime
) -> Application:
    """A second officer answers for a deviation of names, with a reason (REG-IDN-S6e).

    Raises: Refused (ISS-DEL-H4b, REG-IDN-L7, ORG-STF-L1) when the officer is the first one, the
    subject, or not trained; MalformedField for a note that says nothing; Conflict.
    """
    if application.state is not ApplicationState.REFERRED or application.officer is None:
        raise Conflict(application.state)
    first = application.officer
    if is_subject(officer, application):
        raise Refused((finding("REG-IDN-L7", "OFFICER_IS_SUBJECT"),))
    if officer.pseudonym == first.pseudonym or officer.is_same_person(
        first.person_id, first.person_key
    ):
        raise Refused((finding("ISS-DEL-H4b", "SEPARATION_OF_DUTIES"),))
    if not officer.is_trained(now):
        raise Refused((finding("ORG-STF-L1", "OFFICER_NOT_TRAINED"),))
    if all(each.code != DISAGREEMENT for each in application.findings):
        raise Conflict(application.state)
    shortest, longest = _NOTE_LENGTH
    if not shortest <= len(note.strip()) <= longest or not note.isprintable():
        raise MalformedField("reason", f"{shortest} to {longest} printable characters")
    said = Resolution(
        evidence_id=evidence_to_compare(application),
        deviation=deviation,
        note=note.strip(),
        officer=officer.pseudonym,
        person_id=officer.person_id,
        at=now,
    )
    taken_up = replace(step(application, ApplicationState.PROOFING, now), findings=())
    return _with(taken_up, now, resolutions=(*application.further.resolutions, said))


def exhaust(application: Application, now: datetime) -> Application:
    """Close an application whose attempts are used up (REG-IDN-L9)."""
    closed = step(application, ApplicationState.REJECTED, now)
    return replace(closed, findings=(finding("REG-IDN-L9", "ATTEMPTS_EXHAUSTED"),))


def lapses_at(application: Application, policy: ProofingPolicy) -> datetime:
    """When an application that is still open lapses."""
    return application.created_at + policy.policy.limits.application_age


def digest(secret: str) -> str:
    """SHA-256 of a secret in hexadecimal."""
    return sha256(secret.encode()).hexdigest()


def _require(application: Application, states: frozenset[ApplicationState]) -> None:
    if application.state not in states:
        raise Conflict(application.state)


def _with(application: Application, now: datetime, **changes: object) -> Application:
    further: FurtherEvidence = replace(application.further, **changes)  # type: ignore[arg-type]
    return replace(application, further=further, updated_at=now)

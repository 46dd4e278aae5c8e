"""Use cases of proofing natural persons: comparisons, logins, letters, referral, withdrawal.

Each asks a port at most once, joins a decision of `ra.persons`, and records it with one event.
What came back from a port and was refused is a failed attempt, see `server.attempts`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import ra.errors
from ra.applications import Application, ApplicationState, start_proofing, withdraw
from ra.biometrics import Asked
from ra.case import CodeChannel, ComparisonKind, SourceStatus
from ra.evidence import Presence
from ra.further_evidence import (
    Comparison,
    ControlQuestions,
    Derivation,
    Deviation,
    PriorProofing,
)
from ra.identity import Personal
from ra.logins import Login
from ra.notices import Notice, NoticeKind, Sending
from ra.persons import (
    evidence_to_compare,
    record_biometric,
    record_comparison,
    record_derivation,
    record_prior_proofing,
    record_questions,
    refer,
    resolve_by_answer,
    resolve_by_officer,
    return_code,
    send_letter,
)
from ra.proofing import ask_again, read_register
from ra.registers import NoAnswer, RegisteredPerson
from ra.requirements import Finding, finding
from records.derivations import credential_digest, edge
from records.officers import Officer
from records.proofing_records import add_resolution
from server.assembly import Assembly
from server.attempts import attempt
from server.decisions import require_operator_level
from server.errors import NoRegisters
from server.registration import proofing_officer, require_in_hand

APPLICANT = "system:applicant"
_LOGIN_LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Seen:
    """What an officer compared with the applicant there and then."""

    kind: ComparisonKind
    matches: bool
    live: bool
    feature_list: str


@dataclass(frozen=True, slots=True, repr=False)
class Capture:
    """What an applicant's device captured: its name at the comparator, our nonce, the method."""

    name: str
    nonce: str
    method: str


@dataclass(frozen=True, slots=True, repr=False)
class LoginReturn:
    """What came back from a provider of logins, for our nonce."""

    provider: str
    answer: str
    nonce: str


def take_up(parts: Assembly, application_id: str, officer: Officer, now: datetime) -> Application:
    """An officer takes an application up without a document.

    Raises: Refused when the officer is the subject or not trained (ORG-STF-L1); Conflict.
    """
    before = parts.applications.get(application_id)
    require_operator_level(parts.decisions, officer, before.level)
    who = proofing_officer(parts, officer, now)
    if not who.is_trained(now):
        raise ra.errors.Refused((finding("ORG-STF-L1", "OFFICER_NOT_TRAINED"),))
    after = start_proofing(before, who, now)
    parts.applications.update(before, after, officer.id, now)
    return after


def compare_in_person(
    parts: Assembly, application_id: str, seen: Seen, officer: Officer, now: datetime
) -> Application:
    """Record a comparison that an officer made in person."""
    before = _in_hand(parts, application_id, officer)
    made = Comparison(
        evidence_id=evidence_to_compare(before),
        kind=seen.kind,
        presence=Presence.IN_PERSON,
        matches=seen.matches,
        live=seen.live,
        by=officer.id,
        at=now,
        feature_list=seen.feature_list,
    )
    with attempt(parts, before, officer.id, now):
        after = record_comparison(before, made, now)
    parts.applications.update(before, after, officer.id, now)
    return after


def ask_nonce(parts: Assembly, application_id: str, purpose: str, now: datetime) -> str:
    """A nonce of ours for a biometric comparison or a login; Conflict when it is closed."""
    application = parts.applications.get(application_id)
    if application.is_final:
        raise ra.errors.Conflict(application.state)
    biometric = purpose == "biometric"
    life = parts.policy.policy.limits.biometric_age if biometric else _LOGIN_LIFE
    return parts.persons.nonces.ask(application_id, purpose, now, life)


def compare_by_machine(
    parts: Assembly, application_id: str, capture: Capture, now: datetime
) -> Application:
    """Have a capture compared with the evidence on record, for a nonce of ours used up by it.

    Raises: Refused (REG-IDN-H9d, H9f); NoRegisters without a comparator or its answer; Conflict.
    """
    before = parts.applications.get(application_id)
    make = parts.persons.ports.comparator
    if make is None:
        raise NoRegisters
    evidence_to_compare(before)
    with attempt(parts, before, APPLICANT, now):
        ours = parts.persons.nonces.use(capture.nonce, application_id, "biometric", now)
        report = make(now).compare(capture.name, capture.nonce, now)
        if isinstance(report, NoAnswer):
            raise ra.errors.Refused((finding("REG-IDN-S6a", "EVIDENCE_STATUS_UNKNOWN"),))
        limit = parts.policy.policy.limits.biometric_age
        asked = Asked(capture.nonce, is_used=not ours, maximum_age=limit)
        after = record_biometric(before, report, asked, capture.method, now)
    parts.applications.update(before, after, APPLICANT, now)
    return after


def log_in(
    parts: Assembly, application_id: str, returned: LoginReturn, now: datetime
) -> Application:
    """Record a login with a credential that the applicant holds, and the edge to it (REG-IDN-L10).

    Raises: Refused when there is no such login, or none for a nonce of ours; Conflict.
    """
    before = parts.applications.get(application_id)
    provider = parts.persons.ports.logins.get(returned.provider)
    if provider is None:
        raise ra.errors.Refused((finding("REG-IDN-L10", "SOURCE_CREDENTIAL_NOT_ASSESSED"),))
    with attempt(parts, before, APPLICANT, now):
        if not parts.persons.nonces.use(returned.nonce, application_id, "login", now):
            raise ra.errors.Refused(_not_fresh())
        login = provider.redeem(returned.answer, returned.nonce, now)
        if not isinstance(login, Login):
            raise ra.errors.Refused(_unknown() if isinstance(login, NoAnswer) else _not_fresh())
        status = provider.status_of(login.credential, now)
        registers, _ = parts.registers()
        claim = before.applicant.claim
        reading, _ = read_register(claim, registers, now)
        made = Derivation(
            provider=login.provider,
            level=login.level,
            authenticated_at=login.authenticated_at,
            is_dynamic=login.is_dynamic,
            assertion_sha256=login.assertion_sha256,
            status=status if isinstance(status, SourceStatus) else None,
            same_number=login.cpr_number is not None and login.cpr_number == claim.cpr_number,
            register=reading,
            at=now,
            factors=login.factors,
        )
        after = record_derivation(before, made, now)
    digest = credential_digest(login.provider, login.credential)
    kept = edge(before.id, digest, login.level, now)
    parts.applications.update(before, after, APPLICANT, now, also=kept)
    return after


def record_prior(
    parts: Assembly,
    application_id: str,
    claimed: tuple[str, str, str],
    officer: Officer,
    now: datetime,
) -> Application:
    """Record an earlier proofing: its provider, scope and reference (REG-IDN-S8)."""
    before = _in_hand(parts, application_id, officer)
    registers, _ = parts.registers()
    reading, _ = read_register(before.applicant.claim, registers, now)
    provider, scope, reference = claimed
    made = PriorProofing(provider, scope, reference, reading, officer.id, now)
    after = record_prior_proofing(before, made, now)
    parts.applications.update(before, after, officer.id, now)
    return after


def record_control_questions(
    parts: Assembly,
    application_id: str,
    asked: ControlQuestions,
    officer: Officer,
    now: datetime,
) -> Application:
    """Record how many control questions were answered rightly (REG-IDN-S6d)."""
    before = _in_hand(parts, application_id, officer)
    after = record_questions(before, asked, now)
    parts.applications.update(before, after, officer.id, now)
    return after


def post_letter(
    parts: Assembly, application_id: str, officer: Officer, now: datetime
) -> Application:
    """Send a code to the address that the register has; it is kept as a digest before it goes.

    Raises: Refused when the register gives no address, or the post does not take it over.
    """
    before = _in_hand(parts, application_id, officer)
    post = parts.persons.ports.post
    if post is None:
        raise NoRegisters
    registers, _ = parts.registers()
    number = before.applicant.claim.cpr_number
    reading, person = read_register(before.applicant.claim, registers, now)
    if not isinstance(person, RegisteredPerson) or number is None:
        raise ra.errors.Refused(
            _unknown()
            if isinstance(person, NoAnswer)
            else (finding("REG-IDN-S6b", "PERSON_NOT_IN_REGISTER"),)
        )
    if not person.has_address:
        raise ra.errors.Refused((finding("REG-IDN-L1", "EVIDENCE_MISSING", ("address",)),))
    after, code = send_letter(before, reading, parts.policy, now)
    parts.applications.update(before, after, officer.id, now)
    # Whoever carries letters prints the address that the register has for the number that day.
    key = f"{before.id}-{len(after.further.letters)}"
    notice = Notice(key, NoticeKind.PROOFING_CODE, CodeChannel.POST, number, Personal(code))
    if post.send(notice, now) is not Sending.TAKEN_OVER:
        raise ra.errors.Refused((finding("REG-IDN-L1", "EVIDENCE_MISSING", ("letter",)),))
    return after


def return_letter_code(
    parts: Assembly, application_id: str, code: str, now: datetime
) -> Application:
    """The applicant returns the code of the letter; a wrong one is a failed attempt."""
    before = parts.applications.get(application_id)
    with attempt(parts, before, APPLICANT, now):
        after = return_code(before, code, now)
    parts.applications.update(before, after, APPLICANT, now)
    return after


def refer_application(
    parts: Assembly, application_id: str, officer: Officer, now: datetime
) -> Application:
    """Refer an application in which something waits or disagrees."""
    before = _in_hand(parts, application_id, officer)
    _, catalogue = parts.registers()
    after = refer(before, catalogue, parts.policy, now)
    parts.applications.update(before, after, officer.id, now)
    return after


def hear_answers(
    parts: Assembly, application_id: str, officer: Officer, now: datetime
) -> Application:
    """Ask the registers again about a referred application; its proofing goes on."""
    before = parts.applications.get(application_id)
    if before.state is not ApplicationState.REFERRED:
        raise ra.errors.Conflict(before.state)
    registers, _ = parts.registers()
    after = resolve_by_answer(before, ask_again(before, registers, now), now)
    parts.applications.update(before, after, officer.id, now)
    return after


def resolve_referral(
    parts: Assembly,
    application_id: str,
    word: tuple[Deviation, str],
    officer: Officer,
    now: datetime,
) -> Application:
    """A second officer answers for a deviation of names, with a reason."""
    before = parts.applications.get(application_id)
    require_operator_level(parts.decisions, officer, before.level)
    who = proofing_officer(parts, officer, now)
    after = resolve_by_officer(before, who, *word, now)
    parts.applications.update(
        before, after, officer.id, now, also=lambda tx: add_resolution(tx, before, after)
    )
    return after


def withdraw_application(parts: Assembly, application_id: str, now: datetime) -> Application:
    """The applicant takes the application back."""
    before = parts.applications.get(application_id)
    after = withdraw(before, now)
    parts.applications.update(before, after, APPLICANT, now)
    return after


def _in_hand(parts: Assembly, application_id: str, officer: Officer) -> Application:
    """The application, unless another officer proves this identity."""
    application = parts.applications.get(application_id)
    require_in_hand(parts, application, officer)
    return application


def _unknown() -> tuple[Finding, ...]:
    return (finding("REG-IDN-S6a", "EVIDENCE_STATUS_UNKNOWN"),)


def _not_fresh() -> tuple[Finding, ...]:
    return (finding("REG-IDN-L10", "SOURCE_AUTHENTICATION_STALE"),)

"""The use cases of delivery and activation: prepare, dispatch a code, activate (NSIS 3.2.2).

Officers prepare and dispatch; only the holder activates, with a code that went by another channel
than the credential. The certificate is signed after that, and at High only when five signatures of
five people stand behind it (`ra.duties`).
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import ca.errors
import ra.errors
from audit.errors import ClockBehind
from ca.profiles import load_profile
from hsm.errors import HsmError
from ra.activation_codes import HolderSecret, SecretUse, new_salt
from ra.applications import Application, ApplicationState, change_contact
from ra.approvals import ApprovedApplication, confirm_approval
from ra.authenticators import authenticator_part
from ra.case import Case, Channel, CodeChannel
from ra.contacts import Contact
from ra.delivery import (
    Credential,
    PersonalCheck,
    Redemption,
    Step,
    StoredCode,
    activation_findings,
    check_channels,
    check_method,
    delivery_part,
    demands_activation,
    refusal_of,
    window_of,
)
from ra.duties import Duty, Task, confirm_duties, duty_statement
from ra.levels import AssuranceLevel
from ra.logins import Login
from ra.requirements import finding
from records.errors import NotFound, RuleBroken
from records.officers import Officer
from server.assembly import Assembly
from server.decisions import ListedSignatures
from server.delivery_ports import DeliveryPorts
from server.dispatches import Dispatched, deliver, way_to
from server.errors import IssuerOffline, NoRegisters
from server.logs import get_logger
from server.staff_signatures import StaffSignatures

ACTOR = "system:holder"
_TWO_TASKS = frozenset({"DUT01", "DUT04", "DUT05", "DUT06"})


@dataclass(frozen=True, slots=True)
class Hand:
    """An officer who does a task, with the signature over its statement, if one is asked for."""

    officer: Officer
    signature: bytes | None = None


def demanded(parts: Assembly, level: AssuranceLevel) -> bool:
    """Whether a credential of this level is activated before its certificate is signed."""
    since = AssuranceLevel[parts.settings.delivery.activate_from.upper()]
    return demands_activation(level, since)


def statement_of(parts: Assembly, application_id: str, task: Task) -> bytes:
    """The octets that an officer signs for a task."""
    return duty_statement(task, parts.applications.get(application_id))


def record_duty(
    parts: Assembly, application_id: str, task: Task, hand: Hand, now: datetime
) -> Duty:
    """Record a task that has no act of its own here: the proofing, or the personal check.

    Raises:
        Refused: ISS-DEL-H4b, the person did another task, or the signature is not the officer's.
        MalformedField: the task is done by an act that records it.
    """
    if task not in {Task.PROOFING, Task.PERSONAL_CHECK}:
        raise ra.errors.MalformedField("task", "proofing or personal_check")
    application = parts.applications.get(application_id)
    first = application.officer
    if task is Task.PROOFING and (first is None or first.pseudonym != hand.officer.id):
        raise ra.errors.Conflict("proven by another officer")
    done = _duty(parts, application, task, hand, now)
    _separated(lambda: parts.credentials.record_duty(done))
    return done


def prepare_credential(
    parts: Assembly, application_id: str, channel: Channel, hand: Hand, now: datetime
) -> Credential:
    """Begin the delivery of an approved application's credential (personalisation).

    Raises: Refused (ISS-DEL-S2a, H4b); Conflict.
    """
    application = _approved(parts, application_id)
    done = _duty(parts, application, Task.PERSONALISATION, hand, now)
    check_method(application, channel, parts.decisions.assessments, now)
    _separated(lambda: parts.credentials.prepare(channel, done))
    return _credential(parts, application_id)


def dispatch_code(
    parts: Assembly, application_id: str, channel: CodeChannel, hand: Hand, now: datetime
) -> Dispatched:
    """Make an activation code and send it; nobody here sees it.

    Post goes to the address that the register has now. A code that was sent before is dead.

    Raises:
        Refused: ISS-DEL-S2d, S2f or H4b.
        NotFound: no credential was prepared.
        RegisterSilent: the register of addresses does not answer.
    """
    application = _approved(parts, application_id)
    credential = _credential(parts, application_id)
    check_channels(credential.channel, channel)
    way = way_to(application, channel, delivery_ports(parts), now)
    done = None
    if not _is_done(parts, application, Task.CODE_DISPATCH, hand.officer):
        done = _duty(parts, application, Task.CODE_DISPATCH, hand, now)
    secret, salt = HolderSecret.random(), new_salt()
    code = StoredCode(
        id=f"code-{secrets.token_hex(8)}",
        application_id=application.id,
        channel=channel,
        salt=salt,
        digest=secret.digest(SecretUse.ACTIVATION, application.id, salt),
        tries=0,
        made_at=now,
        expires_at=now + window_of(channel, parts.policy.policy.limits),
    )
    letter = way.letter(parts, application, secret, code, now)
    _separated(lambda: parts.credentials.dispatch(application, code, done, hand.officer.id, letter))
    return deliver(parts, way, secret, code, now)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a holder brings to the activation: the code, and a login where one is to be had."""

    code: str
    login_answer: str | None = None
    receipt: bool = False


def activate(parts: Assembly, application_id: str, claim: Claim, now: datetime) -> Application:
    """The holder activates the credential, and the certificate is signed.

    Raises:
        Refused: what delivery, activation or authenticator lack for the level; the code is as
            good as before. Or the code does not fit, and the try is counted.
        IssuerOffline: nothing can be signed now; the code is as good as before.
    """
    from server.fulfilment import fulfil_application  # noqa: PLC0415 - it asks `require_activated`

    typed = HolderSecret.parse(claim.code)
    application = parts.applications.get(application_id)
    credential = parts.credentials.get(application_id)
    if credential is None or credential.code_id is None:
        raise refusal_of(Redemption.OVER)
    if credential.step is not Step.DELIVERED:
        raise refusal_of(Redemption.OVER)
    _require_open(application)
    check = _personal_check(parts, application, credential, claim.login_answer, now)
    said = (check, claim.receipt)
    _require_assessed(parts, application, credential, said, now)
    parts.issuing(load_profile(application.profile))
    parts.credentials.activate(application, typed, ACTOR, said, now)
    try:
        return fulfil_application(parts, application, now)
    except (IssuerOffline, HsmError, ClockBehind, ca.errors.SigningFailed) as error:
        # The activation is on record; the job issues once the key is there.
        get_logger("delivery").warning("application.waits", exc_info=error)
        return application


def require_activated(parts: Assembly, approved: ApprovedApplication, now: datetime) -> None:
    """Before a certificate is signed: the activation is ours, and at High five people signed.

    Nothing here believes a column: the activation is sealed, and signatures are listed outside the
    database.

    Raises: Refused (ISS-DEL-S2h, H3, H4b, ISS-STR) with what is missing.
    """
    application = approved.application
    if not awaits_activation(parts, application, always=True):
        return
    done = parts.credentials.activation(application)
    if done is None:
        raise ra.errors.Refused((finding("ISS-DEL-S2h", "CREDENTIAL_NOT_ACTIVATED"),))
    said = (done.check, done.receipt)
    _require_assessed(parts, application, _credential(parts, application.id), said, now)


def awaits_activation(parts: Assembly, application: Application, *, always: bool = False) -> bool:
    """Whether the certificate has to wait for the holder; `always`: or had to."""
    credential = parts.credentials.get(application.id)
    if credential is not None and credential.step == "activated" and not always:
        return False
    return credential is not None or demanded(parts, application.level)


def move_contact(
    parts: Assembly, application_id: str, contact: Contact, now: datetime
) -> Application:
    """The applicant is reached elsewhere: codes are dead, and what was vetted is vetted again."""
    before = parts.applications.get(application_id)
    after = change_contact(before, contact, now)
    # First the code: a death in between leaves no live code to the former place.
    parts.credentials.call_back(application_id, "system:applicant", now)
    parts.applications.update(before, after, "system:applicant", now)
    return after


def delivery_ports(parts: Assembly) -> DeliveryPorts:
    """The ports; NoRegisters when none are configured."""
    if parts.delivery_ports is None:
        raise NoRegisters
    return parts.delivery_ports


def _require_assessed(
    parts: Assembly,
    application: Application,
    credential: Credential,
    said: tuple[PersonalCheck | None, bool],
    now: datetime,
) -> None:
    """Delivery, activation and authenticator reach the level, by recorded facts alone."""
    check, receipt = said
    _confirm_duties(parts, application, check)
    _, catalogue = parts.registers()
    case = Case(
        authenticator=authenticator_part(application.authenticator, catalogue, now),
        delivery=delivery_part(credential, check, receipt=receipt, separated=True),
    )
    if found := activation_findings(application, case, parts.policy.policy):
        raise ra.errors.Refused(found)


def _confirm_duties(parts: Assembly, application: Application, check: PersonalCheck | None) -> None:
    if application.level < AssuranceLevel.HIGH:
        return
    approval, signed = parts.applications.approval(application)
    staff = StaffSignatures(parts.officers)
    confirm_duties(
        confirm_approval(application, signed.package, approval, staff),
        parts.credentials.duties(application),
        ListedSignatures(parts.officers, parts.decisions),
        # Without any check it is ISS-DEL-H3 that refuses.
        checked_by_login=check is not PersonalCheck.IN_PERSON,
    )


def _personal_check(
    parts: Assembly,
    application: Application,
    credential: Credential,
    login_answer: str | None,
    now: datetime,
) -> PersonalCheck | None:
    """A login at High of this very person, or an officer's signed check in person; None without."""
    if login_answer is not None and credential.code_id is not None:
        login = delivery_ports(parts).logins.redeem(login_answer, credential.code_id, now)
        if isinstance(login, Login) and _is_holder(parts, application, login, now):
            return PersonalCheck.LOGIN
        raise ra.errors.Refused((finding("ISS-DEL-H3", "ACTIVATION_NOT_PERSONAL"),))
    done = {each.task for each in parts.credentials.duties(application)}
    return PersonalCheck.IN_PERSON if Task.PERSONAL_CHECK in done else None


def _is_holder(parts: Assembly, application: Application, login: Login, now: datetime) -> bool:
    number = application.applicant.claim.cpr_number
    age = (now - login.authenticated_at).total_seconds()
    fresh = 0 <= age <= parts.policy.policy.limits.login_age.total_seconds()
    two = len(set(login.factors)) > 1
    strong = login.level >= AssuranceLevel.HIGH and login.is_dynamic and two
    return fresh and strong and number is not None and login.cpr_number == number


def _duty(parts: Assembly, application: Application, task: Task, hand: Hand, now: datetime) -> Duty:
    """The duty as it is recorded; at High only with the officer's own listed signature."""
    statement = duty_statement(task, application)
    if application.level >= AssuranceLevel.HIGH:
        try:
            verifier = ListedSignatures(parts.officers, parts.decisions)
            signer = verifier.verify(hand.signature or b"", statement)
        except ra.errors.SignatureInvalid:
            raise _separation(task) from None
        if (signer.officer, signer.person_id) != (hand.officer.id, hand.officer.person_id):
            raise _separation(task)
    package = application.package_hash or ""
    officer = hand.officer
    return Duty(application.id, package, task, officer.id, officer.person_id, now, hand.signature)


def _separation(task: Task) -> ra.errors.Refused:
    return ra.errors.Refused((finding("ISS-DEL-H4b", "SEPARATION_OF_DUTIES", (task.value,)),))


def _separated(record: Callable[[], None]) -> None:
    """Record; what the database says of two tasks of one person is the requirement's refusal."""
    try:
        record()
    except RuleBroken as broken:
        if broken.code not in _TWO_TASKS:
            raise
        raise ra.errors.Refused((finding("ISS-DEL-H4b", "SEPARATION_OF_DUTIES"),)) from None


def _is_done(parts: Assembly, application: Application, task: Task, officer: Officer) -> bool:
    """Whether the officer did the task already, and may go on with it."""
    done = {each.task: each for each in parts.credentials.duties(application)}
    if task not in done:
        return False
    if done[task].person_id != officer.person_id and application.level >= AssuranceLevel.HIGH:
        raise ra.errors.Conflict("in the hands of another officer")
    return True


def _approved(parts: Assembly, application_id: str) -> Application:
    application = parts.applications.get(application_id)
    _require_open(application)
    return application


def _require_open(application: Application) -> None:
    if application.state is not ApplicationState.APPROVED:
        raise ra.errors.Conflict(application.state)


def _credential(parts: Assembly, application_id: str) -> Credential:
    found = parts.credentials.get(application_id)
    if found is None:
        raise NotFound("credential prepared for application", application_id)
    return found

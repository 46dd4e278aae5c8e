"""The application (ansøgning) and the states it goes through.

A state change maps value to value and raises Conflict on a forbidden step. The steps that need
no assessment are here; concluding the proofing is in `ra.assessment`, approving in `ra.approvals`.
"""

import re
import secrets
from base64 import b32encode
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Protocol, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ra.authenticators import AuthenticatorRecord
from ra.claims import ClaimedIdentity
from ra.contacts import Contact
from ra.errors import Conflict, MalformedField, Refused
from ra.evidence import CheckResult, Evidence, Officer, ProofingResult
from ra.further_evidence import FurtherEvidence
from ra.legal_persons import NamedOrganisation
from ra.levels import AssuranceLevel
from ra.renewals import Renewal
from ra.requirements import Finding, finding
from ra.terms import Acceptance

_ID = re.compile(r"A-[A-Z2-7]{10}")
_NOTHING_FURTHER = FurtherEvidence()


class ApplicationId(str):
    """The random name of an application: A- and ten base-32 characters."""

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Check the form; MalformedField for another."""
        if not _ID.fullmatch(value):
            raise MalformedField("application_id", "A- and ten characters A to Z, 2 to 7")
        return super().__new__(cls, value)

    @classmethod
    def random(cls) -> Self:
        """A new id with 50 random bits."""
        return cls("A-" + b32encode(secrets.token_bytes(7)).decode()[:10])


class ApplicationState(StrEnum):
    """Where an application stands; the last four are final."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    PROOFING = "proofing"
    REFERRED = "referred"
    VERIFIED = "verified"
    APPROVED = "approved"
    FULFILLED = "fulfilled"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


_ENDINGS = frozenset(
    {ApplicationState.REJECTED, ApplicationState.WITHDRAWN, ApplicationState.LAPSED}
)
STEPS = MappingProxyType(
    {
        ApplicationState.DRAFT: _ENDINGS | {ApplicationState.SUBMITTED},
        ApplicationState.SUBMITTED: _ENDINGS | {ApplicationState.PROOFING},
        ApplicationState.PROOFING: _ENDINGS
        | {ApplicationState.REFERRED, ApplicationState.VERIFIED},
        ApplicationState.REFERRED: _ENDINGS | {ApplicationState.PROOFING},
        # Back to proofing when the way to the applicant changes before the activation.
        ApplicationState.VERIFIED: _ENDINGS
        | {ApplicationState.PROOFING, ApplicationState.APPROVED},
        ApplicationState.APPROVED: _ENDINGS
        | {ApplicationState.PROOFING, ApplicationState.FULFILLED},
        ApplicationState.FULFILLED: frozenset[ApplicationState](),
        ApplicationState.REJECTED: frozenset[ApplicationState](),
        ApplicationState.WITHDRAWN: frozenset[ApplicationState](),
        ApplicationState.LAPSED: frozenset[ApplicationState](),
    }
)


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who asks: an opaque subject id, the claim, and the subject's serialNumber to be certified.

    `person_key` is the keyed value of the CPR number, handed in by whoever holds the key.
    """

    subject_id: str
    claim: ClaimedIdentity
    person_key: str | None = None
    serial_number: str = field(default_factory=lambda: "UI:" + secrets.token_hex(16))
    organisation: NamedOrganisation | None = None
    """Of whom a seal is, or to whom an employee belongs."""

    @property
    def is_legal_person(self) -> bool:
        """Whether a seal is asked for, so that no person is certified."""
        return self.organisation is not None and self.organisation.association is None


@dataclass(frozen=True, slots=True)
class RequestedCertificate:
    """What is asked for: profile, level, PKCS#10 request in DER, consent to publish."""

    profile: str
    level: AssuranceLevel
    request_der: bytes = field(repr=False)
    spki_sha256: str
    publication_consent: bool = False

    @classmethod
    def read(
        cls, profile: str, level: AssuranceLevel, request_der: bytes, *, publication_consent: bool
    ) -> Self:
        """Take the digest of the request's public key (SubjectPublicKeyInfo, hexadecimal).

        Raises: MalformedField when the octets are no request. Proof of possession is `ca`'s.
        """
        return cls(
            profile=profile,
            level=level,
            request_der=request_der,
            spki_sha256=_spki_sha256(request_der),
            publication_consent=publication_consent,
        )


def _spki_sha256(request_der: bytes) -> str:
    try:
        key = x509.load_der_x509_csr(request_der).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise MalformedField("certificate_request", "a PKCS#10 request in DER") from None
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(spki).hexdigest()


@dataclass(frozen=True, slots=True)
class Application:
    """One application; all its personal content is in values that redact themselves."""

    id: ApplicationId
    applicant: Applicant
    requested: RequestedCertificate
    state: ApplicationState
    created_at: datetime
    updated_at: datetime
    salt: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    """Random octets, in hexadecimal, that hide the evidence behind the package's commitments."""
    acceptances: tuple[Acceptance, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    officer: Officer | None = None
    """The officer who proves the identity."""
    proofing: ProofingResult | None = None
    findings: tuple[Finding, ...] = ()
    """Why it waits, or why it was refused."""
    package_hash: str | None = None
    """SHA-256 of the package that was approved, in hexadecimal."""
    further: FurtherEvidence = _NOTHING_FURTHER
    """What proves the identity beside documents."""
    authenticator: AuthenticatorRecord | None = None
    """What is known of where the key lives; None: its holder made it in software."""
    contact: Contact | None = None
    """How an activation code can reach the applicant beside the registered address."""
    renewal: Renewal | None = None
    """The credential that gives way to this one; None for a first one."""

    @property
    def profile(self) -> str:
        """The name of the certificate profile asked for."""
        return self.requested.profile

    @property
    def level(self) -> AssuranceLevel:
        """The assurance level asked for."""
        return self.requested.level

    @property
    def subject_id(self) -> str:
        """The opaque id of the person."""
        return self.applicant.subject_id

    @property
    def spki_sha256(self) -> str:
        """The digest of the public key to be certified, in hexadecimal."""
        return self.requested.spki_sha256

    @property
    def is_final(self) -> bool:
        """Whether no step leads on from here."""
        return not STEPS[self.state]


class ApplicationStore(Protocol):
    """Where applications are kept; `records` implements it."""

    def add(self, application: Application) -> None:
        """Keep a new one; Conflict when the id is taken."""
        ...

    def get(self, application_id: ApplicationId) -> Application:
        """The application as it stands; NotFound when there is none."""
        ...

    def update(self, application: Application, expected: ApplicationState) -> None:
        """Replace it if it still is in the expected state; else Conflict, or NotFound."""
        ...

    def in_state(self, state: ApplicationState) -> tuple[Application, ...]:
        """All applications in this state, the oldest first."""
        ...


def draft(applicant: Applicant, requested: RequestedCertificate, now: datetime) -> Application:
    """A new application under a random id."""
    return Application(
        id=ApplicationId.random(),
        applicant=applicant,
        requested=requested,
        state=ApplicationState.DRAFT,
        created_at=now,
        updated_at=now,
    )


def step(application: Application, state: ApplicationState, now: datetime) -> Application:
    """The same application in the next state; Conflict when the step is forbidden."""
    if state not in STEPS[application.state]:
        raise Conflict(application.state)
    return replace(application, state=state, updated_at=now)


def record_acceptance(
    application: Application, acceptance: Acceptance, now: datetime
) -> Application:
    """Keep the applicant's own answer to a text while the application is a draft."""
    _require_state(application, ApplicationState.DRAFT)
    return replace(application, acceptances=(*application.acceptances, acceptance), updated_at=now)


_TO_TAKE_UP = frozenset({ApplicationState.SUBMITTED, ApplicationState.REFERRED})


def start_proofing(application: Application, officer: Officer, now: datetime) -> Application:
    """An officer takes the application up, or takes it up again after it waited.

    Raises: Refused (REG-IDN-L7) when the officer is the subject; Conflict.
    """
    require_not_subject(officer, application)
    if application.state not in _TO_TAKE_UP:
        raise Conflict(application.state)
    taken_up = step(application, ApplicationState.PROOFING, now)
    return replace(taken_up, officer=officer, findings=())


def record_evidence(
    application: Application,
    evidence: Evidence,
    checks: tuple[CheckResult, ...],
    now: datetime,
) -> Application:
    """Add evidence and the results of its checks; what is on record stays."""
    _require_state(application, ApplicationState.PROOFING)
    if any(each.evidence_id != evidence.id for each in checks):
        raise MalformedField("checks", "results of the evidence they come with")
    return replace(
        application,
        evidence=(*application.evidence, evidence),
        checks=(*application.checks, *checks),
        updated_at=now,
    )


def change_contact(application: Application, contact: Contact, now: datetime) -> Application:
    """The applicant is reached elsewhere; what was vetted is vetted again (ISS-DEL-S2j).

    Raises: Conflict when the application is closed.
    """
    if application.is_final:
        raise Conflict(application.state)
    changed = replace(application, contact=contact, updated_at=now)
    if application.state in {ApplicationState.VERIFIED, ApplicationState.APPROVED}:
        found = (finding("ISS-DEL-S2j", "CONTACT_CHANGED_AFTER_APPROVAL"),)
        return replace(step(changed, ApplicationState.PROOFING, now), findings=found)
    return changed


def refuse(application: Application, findings: tuple[Finding, ...], now: datetime) -> Application:
    """Close the application with at least one reason; Conflict when it is closed already."""
    if not findings:
        raise MalformedField("findings", "at least one requirement that is not met")
    return replace(step(application, ApplicationState.REJECTED, now), findings=findings)


def withdraw(application: Application, now: datetime) -> Application:
    """The applicant takes it back; Conflict when it is closed already."""
    return step(application, ApplicationState.WITHDRAWN, now)


def lapse(application: Application, now: datetime) -> Application:
    """A deadline passed; Conflict when it is closed already."""
    return step(application, ApplicationState.LAPSED, now)


def fulfil(application: Application, now: datetime) -> Application:
    """The certificate is with the holder; Conflict unless the application was approved."""
    return step(application, ApplicationState.FULFILLED, now)


def is_subject(officer: Officer, application: Application) -> bool:
    """Whether the officer is the subject, by person and not by account."""
    applicant = application.applicant
    return officer.is_same_person(applicant.subject_id, applicant.person_key)


def require_not_subject(officer: Officer, application: Application) -> None:
    """Refuse an officer who is the subject (REG-IDN-L7)."""
    if is_subject(officer, application):
        raise Refused((finding("REG-IDN-L7", "OFFICER_IS_SUBJECT"),))


def _require_state(application: Application, state: ApplicationState) -> None:
    if application.state is not state:
        raise Conflict(application.state)

"""Evidence, the checks made on it, and the result of identity proofing.

Words follow ETSI TS 119 461: evidence is collected and validated, the applicant is bound to it,
and a proofing result is issued. A check result is a record, not an opinion: what was asked, what
came back, by whom and when. What an answer is worth is decided in `ra.assessment`.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from ra.levels import AssuranceLevel


class EvidenceKind(StrEnum):
    """Kinds of identity evidence."""

    PASSPORT = "passport"
    DRIVING_LICENCE = "driving_licence"
    ID_CARD = "id_card"
    MILITARY_ID = "military_id"


class Presence(StrEnum):
    """How the applicant and the officer met."""

    IN_PERSON = "in_person"
    SUPERVISED_REMOTE = "supervised_remote"
    AUTOMATED_REMOTE = "automated_remote"
    ONLINE = "online"


class Check(StrEnum):
    """The checks that this version makes."""

    FORMAT = "format"
    VALIDITY_PERIOD = "validity_period"
    GENUINENESS = "genuineness"
    DOCUMENT_STATUS = "document_status"
    REGISTER_STATUS = "register_status"
    DATA_MATCH = "data_match"
    PHYSICAL_COMPARISON = "physical_comparison"


class Answer(StrEnum):
    """The answers of checks that no register gives; registers answer in their own words."""

    SOUND = "sound"
    MALFORMED = "malformed"
    IN_FORCE = "in_force"
    EXPIRED = "expired"
    ENOUGH_FEATURES = "enough_features"
    TOO_FEW_FEATURES = "too_few_features"
    AGREES = "agrees"
    DIFFERS_FROM_EVIDENCE = "differs_from_evidence"
    DIFFERS_FROM_REGISTER = "differs_from_register"
    MATCHES_IN_PERSON = "matches_in_person"
    MATCHES_AT_A_DISTANCE = "matches_at_a_distance"
    NOT_REGISTERED = "not_registered"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Officer:
    """A registration officer: the pseudonym that records show, and who it is in person.

    `person_id` is of the same kind as `Applicant.subject_id`, and `person_key` is the keyed value
    of the CPR number in the same form as `Applicant.person_key`; either one gives a person away.
    """

    pseudonym: str
    person_id: str
    person_key: str | None = None
    trained_until: date | None = None
    """The last day (UTC) on which the training for this work holds; None without any."""
    certificate: str | None = None
    """The certificate with which the officer acted: SHA-256, in hexadecimal."""

    def is_trained(self, now: datetime) -> bool:
        """Whether the training holds on the day (UTC) of `now` (ORG-STF-L1, REG-IDN-H9g)."""
        return self.trained_until is not None and now.date() <= self.trained_until

    def is_same_person(self, person_id: str, person_key: str | None) -> bool:
        """Whether both are one person, by either identifier."""
        same_key = self.person_key is not None and self.person_key == person_key
        return same_key or self.person_id == person_id


@dataclass(frozen=True, slots=True, repr=False)
class VisualZone:
    """What an officer reads from a document without a machine-readable zone."""

    issuer: str
    number: str
    given_name: str
    surname: str
    birth_date: date
    expiry_date: date

    def __repr__(self) -> str:
        return f"VisualZone({self.issuer}, ***)"


@dataclass(frozen=True, slots=True, repr=False)
class Evidence:
    """One presented piece of evidence; no picture of it is kept.

    Issuer, number and expiry date are None when the machine-readable zone could not be read.
    """

    id: str
    kind: EvidenceKind
    mrz_lines: tuple[str, ...]
    presented_at: datetime
    accepted_by: str
    issuer: str | None = None
    number: str | None = None
    expiry_date: date | None = None
    visual: VisualZone | None = None
    photo: bool = True

    @property
    def source_id(self) -> str:
        """The id under which the catalogue approves it: kind and issuing state."""
        return f"{self.kind.value}:{self.issuer}"

    def __repr__(self) -> str:
        return f"Evidence({self.id}, {self.kind.value}, ***)"


@dataclass(frozen=True, slots=True, repr=False)
class CheckResult:
    """One executed check (kontrol): on which evidence, under which clause, with which answer.

    `input_hash` is the SHA-256 digest of what was checked, in hexadecimal; `concerns` names
    fields or features, never values. All of it is personal and stored encrypted.
    """

    check: Check
    answer: str
    evidence_id: str
    requirement: str
    method: str
    by: str
    at: datetime
    input_hash: str
    source_id: str | None = None
    concerns: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"CheckResult({self.check.value}, ***)"


@dataclass(frozen=True, slots=True)
class ProofingResult:
    """The outcome of identity proofing (identitetssikring), and until when it may be used."""

    level: AssuranceLevel
    policy_version: str
    completed_at: datetime
    valid_until: datetime
    policy_sha256: str = ""
    """Of the policy's file, in hexadecimal: a policy is immutable once it was used."""

"""What proves an identity beside documents, as it is kept with an application (NSIS 3.1.2).

Comparisons made apart from the examination of a document; the login with a credential that the
applicant holds; an earlier proofing; control questions; a letter to the registered address; and
what a second officer resolved. Each is a record of what came back and when. No sample, no answer
to a question and no code is kept. What a record is worth is decided in `ra.further_facts`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ra.case import ComparisonKind, Factor, SourceStatus
from ra.evidence import Presence
from ra.levels import AssuranceLevel


class Deviation(StrEnum):
    """Why names may differ although it is one person (REG-IDN-S6e)."""

    CHANGED_NAME = "changed_name"
    MISSING_MIDDLE_NAME = "missing_middle_name"
    TRANSLITERATION = "transliteration"


@dataclass(frozen=True, slots=True)
class RegisterReading:
    """What the register of persons said about the claimed number, and what differs from the claim.

    `status` is a status code, `not_registered` or `no_answer`; `differs` names fields.
    """

    source_id: str
    status: str
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a physical characteristic with the evidence on record (REG-IDN-H9a)."""

    evidence_id: str
    kind: ComparisonKind
    presence: Presence
    matches: bool
    live: bool
    by: str
    """The officer's pseudonym, or the id of the comparator."""
    at: datetime
    method: str = ""
    """Name and version of a mechanism at a distance, as its equivalence assessment has it."""
    feature_list: str = ""
    """The version of the list that an officer went by (REG-IDN-H9g)."""
    nonce_sha256: str = ""
    captured_at: datetime | None = None
    sensor: str = ""
    channel_protected: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class Derivation:
    """A login with a credential that the applicant holds already (REG-IDN-L10).

    `status` is None when the provider did not say how the credential stands; `same_number` tells
    whether it was issued to the claimed number. The credential itself stands in the edge alone.
    """

    provider: str
    level: AssuranceLevel
    authenticated_at: datetime
    is_dynamic: bool
    assertion_sha256: str
    status: SourceStatus | None
    same_number: bool
    register: RegisterReading
    at: datetime
    factors: tuple[Factor, ...] = ()

    def __repr__(self) -> str:
        return f"Derivation({self.provider}, ***)"


@dataclass(frozen=True, slots=True, repr=False)
class PriorProofing:
    """An earlier proofing for another purpose, and the assessment that it rests on (REG-IDN-S8)."""

    provider: str
    scope: str
    reference: str
    register: RegisterReading
    by: str
    at: datetime

    def __repr__(self) -> str:
        return f"PriorProofing({self.provider}, ***)"


@dataclass(frozen=True, slots=True)
class ControlQuestions:
    """How many questions were asked and answered rightly; never which, nor the answers (S6d)."""

    presence: Presence
    source: str
    asked: int
    correct: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class ProofingLetter:
    """A code that went to the registered address, as its digest; and when it came back."""

    code_sha256: str
    register: RegisterReading
    sent_at: datetime
    expires_at: datetime
    returned_at: datetime | None = None

    def __repr__(self) -> str:
        return "ProofingLetter(***)"


@dataclass(frozen=True, slots=True, repr=False)
class Resolution:
    """A second officer's word on a deviation of names, for the evidence it was said of."""

    evidence_id: str
    deviation: Deviation
    note: str
    officer: str
    person_id: str
    at: datetime

    def __repr__(self) -> str:
        return f"Resolution({self.deviation.value}, ***)"


@dataclass(frozen=True, slots=True)
class FurtherEvidence:
    """Everything of this kind on one application, in the order in which it came."""

    comparisons: tuple[Comparison, ...] = ()
    derivations: tuple[Derivation, ...] = ()
    prior_proofings: tuple[PriorProofing, ...] = ()
    questions: tuple[ControlQuestions, ...] = ()
    letters: tuple[ProofingLetter, ...] = ()
    resolutions: tuple[Resolution, ...] = ()

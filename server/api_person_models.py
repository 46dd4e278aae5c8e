"""The bodies of the operations on natural persons; unknown fields are refused."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ra.case import ComparisonKind
from ra.evidence import Presence
from ra.further_evidence import Deviation
from server.api_models import Body, Digest, Identifier, LenientBody

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,63}$")]
Secret = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]


class PresentationBody(Body):
    """In which language who wants to read: an applicant, or an organisation as subscriber."""

    language: Literal["da", "sv", "en"] = "en"
    reader: Literal["applicant", "subscriber"] = "applicant"


class CompletionBody(Body):
    """Which text was shown to its end."""

    sha256: Digest


class ComparisonBody(LenientBody):
    """What an officer compared in person."""

    kind: Literal[ComparisonKind.PHOTO, ComparisonKind.SIGNATURE]
    matches: bool
    live: bool
    feature_list: Word


class PriorProofingBody(Body):
    """An earlier proofing for another purpose."""

    provider: Word
    scope: Word
    reference: Word


class QuestionsBody(LenientBody):
    """How many control questions were asked; the answers are never sent."""

    presence: Presence
    source: Word
    asked: Annotated[int, Field(ge=1, le=50)]
    correct: Annotated[int, Field(ge=0, le=50)]


class ResolutionBody(LenientBody):
    """A second officer's word on a deviation of names."""

    deviation: Deviation
    reason: Annotated[str, Field(max_length=500)]


class NonceBody(Body):
    """What a nonce is for."""

    purpose: Literal["biometric", "login"]


class BiometricBody(Body):
    """A capture at the comparator, the nonce it holds, and the method with its version."""

    capture: Word
    nonce: Secret
    method: Word


class LoginBody(Body):
    """What came back from a provider of logins."""

    provider: Word
    answer: Annotated[str, Field(min_length=1, max_length=8192)]
    nonce: Secret


class LetterCodeBody(Body):
    """The code of a letter."""

    code: Annotated[str, Field(min_length=1, max_length=100)]


class TrainingBody(LenientBody):
    """Until when an officer is trained; dates are days in UTC."""

    officer: Identifier
    trained_on: date
    valid_until: date


class CascadeBody(Body):
    """A credential that was got by fraud: ours is `issuer/serial` of the provider `tillid`."""

    provider: Word
    credential: Annotated[str, Field(min_length=1, max_length=200)]


class ReviewPath(BaseModel):
    """Which application is reviewed."""

    application_id: Identifier


class DecisionBody(Body):
    """What a review came to."""

    decision: Literal["stands", "revoked"]

"""The bodies of the API's operations on data-subject cases. Unknown fields are refused."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from server.api_models import Body, Digest, Identifier

Words = Annotated[str, Field(max_length=4000)]
Line = Annotated[str, Field(max_length=200)]
Kind = Literal[
    "access",
    "rectification",
    "erasure",
    "restriction",
    "portability",
    "objection",
    "consent_withdrawal",
]
Language = Literal["da", "sv", "en"]
Purpose = Literal["handling", "approval", "supervision", "complaint"]
"""What sealed content is opened for; it stands in the audit log, so it is one of these words."""


class SubjectCasePath(BaseModel):
    """Which case."""

    case_id: Identifier


class Concerned(Body):
    """Whose data it is: an application, or a certificate as ISSUER/SERIAL."""

    application: Identifier | None = None
    certificate: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}/[0-9a-f]{1,40}$")] | None = (
        None
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.application is None) is (self.certificate is None):
            raise ValueError("give either an application or a certificate")
        return self


class NewCaseBody(Body):
    """What a person asks for; no scope means everything."""

    kind: Kind
    language: Language = "da"
    scopes: Annotated[list[Line], Field(max_length=20)] = Field(default_factory=list)
    request: Words = ""
    contact: Line = ""
    concerns: Concerned | None = None


class CaseQuery(BaseModel):
    """Cases in one state, or all that are open."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[str, Field(max_length=20)] | None = None


class AssignmentBody(Body):
    """Who handles it from now on; nobody named is the officer who asks."""

    officer: Identifier | None = None


class IdentityBody(Body):
    """How an officer proved who asks, and whose data it is."""

    method: Literal["desk", "credential"]
    level: Literal["Low", "Substantial", "High"]
    evidence: Line
    concerns: Concerned


class QuestionBody(Body):
    """What the requester is asked."""

    question: Annotated[str, Field(min_length=1, max_length=4000)]


class AnswerBody(Body):
    """What the requester says to a question."""

    answer: Annotated[str, Field(min_length=1, max_length=4000)]


class FileBody(Body):
    """A file, in base64; `for_requester` puts it into the answer."""

    name: Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f]{1,100}$")]
    content: str
    for_requester: bool = False


class OpeningBody(Body):
    """What is read, and what for."""

    what: Literal["text", "file", "package", "refusal", "extension", "passphrase"]
    number: Annotated[int, Field(ge=1)] | None = None
    purpose: Purpose


class CaseApprovalBody(Body):
    """The digest of the package that was read."""

    sha256: Digest


class RefusalBody(Body):
    """What the requester is told (Art. 12(4)); none may be empty."""

    reasons: Words
    complaint: Words
    court: Words


class ExtensionBody(Body):
    """Why it takes longer; the requester is told."""

    reason: Words


class RectificationBody(Body):
    """The application with the corrected data."""

    application: Identifier

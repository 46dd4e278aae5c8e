"""The bodies of the API, as they are read and as they stand in the OpenAPI document.

Unknown fields are refused everywhere.
"""

from collections.abc import Collection
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from audit.events import MAX_INTEGER
from audit.payloads import Purpose
from ra.evidence import EvidenceKind, Presence, VisualZone
from ra.identity import PersonName
from revocation.causes import FOR_HOLD, MAY_GIVE, Cause, Party
from revocation.selections import MOST

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")]
ProfileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=200)]


class Body(BaseModel):
    """A body with no field beyond those named."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ApplicationPath(BaseModel):
    """Which application."""

    application_id: Identifier


class CasePath(BaseModel):
    """Which erasure case."""

    case_id: Identifier


class CertificatePath(BaseModel):
    """Which certificate: the issuer's name and the serial number in hexadecimal."""

    issuer: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    serial: Annotated[str, Field(pattern=r"^[0-9a-fA-F:]{1,60}$")]


class TermsAnswer(Body):
    """The applicant's own answer to one text: which text, read, accepted."""

    sha256: Digest
    read: bool
    accepted: bool


class ApplicationBody(Body):
    """What an applicant hands in."""

    profile: ProfileName
    attributes: Annotated[dict[str, Text], Field(max_length=10)]
    certificate_request: Annotated[
        str, Field(max_length=24 * 1024, description="PKCS#10 request in PEM")
    ]
    terms: TermsAnswer
    security_notice: TermsAnswer
    session: Annotated[str, Field(max_length=100)] = ""
    publication_consent: bool = False


class LenientBody(Body):
    """In JSON kinds and dates are words; strict reading would take the Python types only."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class VisualBody(LenientBody):
    """What an officer reads from a document without a machine-readable zone."""

    issuer: Annotated[str, Field(pattern=r"^[A-Z]{1,3}$")]
    number: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}$")]
    given_name: Annotated[str, Field(max_length=64)]
    surname: Annotated[str, Field(max_length=64)]
    birth_date: date
    expiry_date: date

    def zone(self) -> VisualZone:
        """The same as a value; MalformedField for names that are none."""
        return VisualZone(
            issuer=self.issuer,
            number=self.number,
            given_name=PersonName.parse(self.given_name, "given_name").value,
            surname=PersonName.parse(self.surname, "surname").value,
            birth_date=self.birth_date,
            expiry_date=self.expiry_date,
        )


class DocumentBody(Body):
    """What a registration officer had in hand and saw."""

    # In JSON the kinds are words; strict reading would take members of the enumerations only.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    kind: EvidenceKind = EvidenceKind.PASSPORT
    mrz_lines: Annotated[list[Annotated[str, Field(max_length=44)]], Field(max_length=3)]
    features_seen: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=20)]
    presence: Presence
    face_matches: bool | None = None
    visual: VisualBody | None = None
    photo: bool = True


class ApprovalBody(Body):
    """The approving officer's detached CMS signature over the package, in PEM."""

    signature: Annotated[str, Field(max_length=64 * 1024)]


ReasonWord = Literal[
    "keyCompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
]
CauseWord = Annotated[
    str,
    AfterValidator(lambda word: one_of(word, MAY_GIVE[Party.OFFICER])),
    WithJsonSchema({"type": "string", "enum": sorted(MAY_GIVE[Party.OFFICER])}),
]
HoldCauseWord = Annotated[
    str,
    AfterValidator(lambda word: one_of(word, FOR_HOLD)),
    WithJsonSchema({"type": "string", "enum": sorted(FOR_HOLD)}),
]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


def one_of(word: str, causes: Collection[Cause]) -> str:
    """The word; ValueError unless it is that of one of the causes."""
    if word not in causes:
        raise ValueError(f"it is one of {', '.join(sorted(causes))}")
    return word


class RevocationBody(Body):
    """Why a certificate is revoked: the cause, or who knows no more, the reason that is published.

    `invalid_since` is when a compromised key may have been known to others first (UTC).
    """

    cause: CauseWord | None = None
    reason: ReasonWord | None = None
    invalid_since: Time | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.cause is None) is (self.reason is None):
            raise ValueError("give either the cause or the reason")
        return self


class HoldBody(Body):
    """Why a certificate is put on hold."""

    cause: HoldCauseWord


class BulkPath(BaseModel):
    """Which bulk revocation."""

    bulk_id: Identifier


class PlanBody(Body):
    """Which certificates to revoke, and why: a list, or what they all have in common.

    A line of the list is ISSUER/SERIAL, or the serial number alone if the issuer is given.
    """

    cause: CauseWord
    invalid_since: Time | None = None
    certificates: Annotated[list[str], Field(max_length=MOST)] | None = None
    issuer: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")] | None = None
    spki_sha256: Digest | None = None
    profile: ProfileName | None = None
    issued_from: Time | None = None
    issued_until: Time | None = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        named = self.model_dump(exclude={"cause", "invalid_since"}, exclude_none=True)
        if not named:
            raise ValueError("name certificates, an issuer, a key, a profile or a time")
        return self


class BeginBody(Body):
    """The digest of the selection that is confirmed."""

    sha256: Digest


class EnrolmentBody(Body):
    """An invited officer's one-time token and certification request."""

    token: Annotated[str, Field(max_length=100)]
    certificate_request: Annotated[str, Field(max_length=24 * 1024)]


class AuditQuery(BaseModel):
    """Which events: `limit` of them, before the sequence number `before`."""

    model_config = ConfigDict(extra="forbid")

    before: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class EventPath(BaseModel):
    """Which event of the audit log, by its sequence number."""

    sequence: Annotated[int, Field(ge=0, le=MAX_INTEGER)]


class OpeningBody(Body):
    """What the payloads of an event are opened for; the word stands in the log."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    purpose: Purpose


class CertificateQuery(BaseModel):
    """Certificates by what is known of them."""

    model_config = ConfigDict(extra="forbid")

    application_id: Identifier | None = None
    profile: ProfileName | None = None
    status: Literal["intent", "issued", "held", "revoked"] | None = None


class LanguageQuery(BaseModel):
    """In which language."""

    model_config = ConfigDict(extra="forbid")

    language: Literal["da", "sv", "en"] = "en"


class ApplicationQuery(BaseModel):
    """Applications in one state, or all that are open."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[str, Field(max_length=12)] | None = None

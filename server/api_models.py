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


class SubjectPath(BaseModel):
    """Which data subject."""

    subject_id: Identifier


AccessPurpose = Literal[
    "access-request",
    "rectification",
    "erasure-request",
    "authority-order",
    "incident",
    "audit",
]
"""Why an officer looks at everything about a person: words, so that the log holds no text."""


class SearchBody(Body):
    """Whom to look for, by what, and why."""

    by: Literal["cpr", "name", "mail", "serial"]
    value: Annotated[str, Field(min_length=1, max_length=254)]
    purpose: AccessPurpose


class PersonOpeningBody(Body):
    """Why a person's file is opened."""

    purpose: AccessPurpose


class ReportBody(Body):
    """Which package is made, in which language, and why."""

    purpose: AccessPurpose
    language: Literal["da", "sv", "en"] = "en"
    package: Literal["access", "portability"] = "access"


class ConsentBody(Body):
    """What a person says: given, with the digest of the text that was read, or withdrawn."""

    kind: Literal["publication"] = "publication"
    state: Literal["given", "withdrawn"]
    text_sha256: Digest | None = None
    level: Literal["none", "low", "substantial", "high"] = "none"
    details: Annotated[str, Field(max_length=500)] | None = None


class CasePath(BaseModel):
    """Which erasure case."""

    case_id: Identifier


class OrderPath(BaseModel):
    """Which order about keeping."""

    order_id: Identifier


class ErasureBody(Body):
    """Of whom the data is to be erased: the person of this application."""

    application_id: Identifier


class ErasureApprovalBody(Body):
    """The digest of the rulings that are approved, as the case shows it."""

    rulings_sha256: Digest


class OrderBody(Body):
    """An order about keeping; it counts once a second person has approved it.

    `hold` and `shorten` are about the person of an application, `release` ends a hold, `write_off`
    declares a directory gone for good. `basis` is a clause or file number, and names nobody.
    """

    kind: Literal["hold", "release", "shorten", "write_off"]
    basis: Annotated[str, Field(pattern=r"^[A-Za-z0-9 .,()/§-]{1,80}$")]
    application_id: Identifier | None = None
    hold_id: Identifier | None = None
    directory: Identifier | None = None
    until: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])$")] | None = None

    @model_validator(mode="after")
    def _is_a_day(self) -> Self:
        if self.until is not None:
            date.fromisoformat(self.until)
        return self


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
    publication_text_sha256: Digest | None = None
    device: Annotated[str | None, Field(max_length=40)] = None
    attestation: Annotated[
        str, Field(max_length=64 * 1024, description="What the device says of the key, in Base64")
    ] = ""
    phone: Annotated[str | None, Field(max_length=40)] = None


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


class AuditSampleBody(Body):
    """How many cases of each level and outcome; the seed gives the same ones again."""

    count: Annotated[int, Field(ge=1, le=100)]
    seed: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")] | None = None


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

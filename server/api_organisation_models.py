"""The bodies of operations on mandates and associations; unknown fields are refused."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from server.api_models import Body, Digest, Identifier, TermsAnswer

CvrText = Annotated[str, Field(min_length=8, max_length=14)]
LevelWord = Literal["Low", "Substantial", "High"]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9 .,/()-]{1,80}$")]
"""A file number or a shelf mark; it names nobody."""


def _is_day(text: str) -> str:
    date.fromisoformat(text)
    return text


Day = Annotated[
    str,
    Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])$"),
    AfterValidator(_is_day),
]


class MandatePath(BaseModel):
    """Which mandate."""

    mandate_id: Identifier


class OrganisationPath(BaseModel):
    """Which legal person, by its number."""

    cvr: CvrText


class AssociationPath(BaseModel):
    """Which association."""

    association_id: Identifier


class MandateQuery(BaseModel):
    """Mandates in one state, or all."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[str, Field(max_length=12)] | None = None


class AssociationQuery(BaseModel):
    """The associations of one legal person."""

    model_config = ConfigDict(extra="forbid")

    cvr: CvrText


class DeclarationBody(Body):
    """The registrant's own declaration: which text, and that it is so."""

    sha256: Digest
    declared: bool


class MandateBody(Body):
    """What a registrant asks for.

    `act` is register, for oneself, or administer, for the person of the application
    `administrator`. `by_role` says that the register names the registrant.
    """

    cvr: CvrText
    level: LevelWord
    act: Literal["register", "administer"] = "register"
    administrator: Identifier | None = None
    by_role: bool = False
    declaration: DeclarationBody | None = None


class SignatureBody(Body):
    """The digest of what is asked for, as the mandate shows it."""

    asked_sha256: Digest


class ExtractBody(Body):
    """Where the extract of the register is filed."""

    reference: Reference


class MandateDocumentsBody(Body):
    """What an officer found in charter and minutes."""

    charter: Reference
    charter_sha256: Digest
    minutes: Reference
    minutes_sha256: Digest
    role: Literal["chair", "board_member", "director"]
    held_on: Day
    quorum: bool
    accepted: bool
    concerns_grantor: bool = False


class WitnessBody(Body):
    """Who attests a signature on paper."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    address: Annotated[str, Field(min_length=1, max_length=200)]
    signed_on: Day


class PowerBody(Body):
    """A power of attorney as an officer has it in hand."""

    cvr: CvrText
    reference: Reference
    sha256: Digest
    grantors: Annotated[list[Annotated[str, Field(max_length=11)]], Field(max_length=9)]
    holder: Annotated[str, Field(max_length=11)]
    scope: Annotated[list[Literal["register", "administer", "revoke"]], Field(max_length=3)]
    valid_from: Day
    valid_until: Day | None = None
    form: Literal["digital", "paper"]
    signature_verified: bool
    specimen: Literal["match", "mismatch", "none"] = "none"
    witnesses: Annotated[tuple[WitnessBody, ...], Field(max_length=9, strict=False)] = ()


class CallBackBody(Body):
    """What the company said."""

    outcome: Literal["confirmed", "denied"]


class AssociationBody(Body):
    """Whom an organisation proposes to be associated with it, and on what basis."""

    cvr: CvrText
    application_id: Identifier
    level: LevelWord
    kind: Literal["credential", "link"] = "credential"
    basis: Literal["declaration", "administrator", "authoritative_system", "cvr_relation"]


class AgreementBody(Body):
    """The answer of an organisation to the agreement of the subscriber, and where it was shown."""

    subscriber: TermsAnswer
    session: Annotated[str, Field(max_length=100)]


class FeedBody(Body):
    """The seal that signs for the organisation's own system; null: none does any more."""

    certificate_sha256: Digest | None


class SignedRecordsBody(Body):
    """Records of the organisation's own system, and the seal's detached CMS signature in PEM.

    `records` is the JSON text that was signed, octet for octet, in UTF-8; `FeedRecordsBody` has
    its fields.
    """

    records: Annotated[str, Field(max_length=64 * 1024)]
    signature: Annotated[str, Field(max_length=64 * 1024)]


class FeedRecordsBody(Body):
    """Everybody who belongs to the organisation, by the ids of their applications."""

    cvr: CvrText
    made_at: Annotated[str, Field(max_length=40)]
    """ISO 8601 with its offset from UTC."""
    level: LevelWord
    kind: Literal["credential", "link"] = "credential"
    people: Annotated[list[Identifier], Field(max_length=1000)]


class NamedApplicationBody(Body):
    """An application for a seal or an employee certificate.

    With `renews`, the SHA-256 of a certificate, for the next one in its place.
    """

    certificate_request: Annotated[
        str, Field(max_length=24 * 1024, description="PKCS#10 request in PEM")
    ]
    terms: TermsAnswer | None = None
    security_notice: TermsAnswer | None = None
    session: Annotated[str, Field(max_length=100)] = ""
    publication_consent: bool = False
    renews: Digest | None = None
    loss: Literal["lost", "compromised", "unusable"] | None = None

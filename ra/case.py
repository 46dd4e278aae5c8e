"""A case: everything that is known of one application, as plain facts, in five parts.

The five parts are what NSIS proves one by one: the natural person (3.1.2), the legal person and
its mandate (3.1.3), the authenticator (3.2.1), delivery and activation (3.2.2), the association
of person and organisation (5). A live application and a file that somebody wrote become the same
values, and the rules in `ra.case_*` judge these alone.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from ra.evidence import EvidenceKind, Presence
from ra.levels import AssuranceLevel
from ra.registers import PersonStatus


class StatusOfDocument(StrEnum):
    """What is known of the document from its issuer."""

    VALID = "valid"
    NOT_CHECKED = "not_checked"
    UNREACHABLE = "unreachable"
    NO_SERVICE = "no_service"
    LOST_OR_STOLEN = "lost_or_stolen"
    REVOKED = "revoked"
    SUSPENDED = "suspended"


class Measure(StrEnum):
    """What can guard against somebody applying in another's name (REG-IDN-S6c, S6d)."""

    REGISTERED_ADDRESS_DELIVERY = "registered_address_delivery"
    PHYSICAL_COMPARISON = "physical_comparison"
    CHIP_READ = "chip_read"
    CONTROL_QUESTIONS = "control_questions"
    CONTROL_QUESTIONS_IN_PERSON = "control_questions_in_person"


class ComparisonKind(StrEnum):
    """Which physical characteristic was compared."""

    PHOTO = "photo"
    SIGNATURE = "signature"
    BIOMETRIC = "biometric"


class SourceStatus(StrEnum):
    """How the credential stands from which an identity is derived."""

    VALID = "valid"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class OnRecord:
    """What only the record of a live application tells; there is nothing against a written case.

    The tuples name checks, fields or sources, never values.
    """

    readable: bool = True
    """The machine-readable zone is sound."""
    genuine: bool = True
    expired_by_issuer: bool = False
    register_answered: bool = True
    source_answered: bool = True
    """It is known how the credential stands that was logged in with."""
    login_is_dynamic: bool = True
    login_factors: int = 2
    """With how many factors the login was made, and of how many categories."""
    login_categories: int = 2
    basic_missing: tuple[str, ...] = ()
    """Checks without a result that every level demands."""
    missing: tuple[str, ...] = ()
    """Checks without a result that are demanded from Substantial."""
    strange: tuple[str, ...] = ()
    """Checks with an answer that no rule knows."""
    differs: tuple[str, ...] = ()
    differs_from_register: tuple[str, ...] = ()
    unapproved_evidence: tuple[str, ...] = ()
    unapproved_registers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NaturalPersonPart:
    """Who somebody is, and what shows it (NSIS 3.1.2)."""

    document: EvidenceKind | None = None
    document_status: StatusOfDocument = StatusOfDocument.NOT_CHECKED
    expired: bool = False
    data_match: bool = True
    """Claim, visual zone, machine-readable zone and register agree."""
    photo: bool = True
    """The document carries a recognised photo."""
    cpr_status: PersonStatus | None = PersonStatus.ACTIVE_IN_DENMARK
    """None: not in the register, or a replacement number."""
    measures: tuple[Measure, ...] = ()
    presence: Presence = Presence.ONLINE
    comparison: ComparisonKind | None = None
    comparison_live: bool = True
    biometric_channel_protected: bool = True
    equivalence_assessment: bool = False
    """Approved and unexpired for exactly this method."""
    officer_trained: bool = True
    officer_is_subject: bool = False
    source_credential: AssuranceLevel | None = None
    source_status: SourceStatus = SourceStatus.VALID
    source_assessed: bool = True
    source_auth_fresh: bool = True
    prior_proofing: bool = False
    prior_equivalence_confirmed: bool = False
    on_record: OnRecord = field(default_factory=OnRecord)


class CompanyStatus(StrEnum):
    """How a legal person stands in its register (CVR)."""

    ACTIVE = "active"
    CEASED = "ceased"
    BANKRUPT = "bankrupt"
    NOT_FOUND = "not_found"


class Route(StrEnum):
    """By which route a mandate is shown (REG-IDL-S6b, S6c, S6d)."""

    CVR_ROLE = "cvr_role"
    DOCUMENTS = "documents"
    POWER_OF_ATTORNEY = "power_of_attorney"


class Form(StrEnum):
    """The form of a power of attorney."""

    DIGITAL = "digital"
    PAPER = "paper"


class CallBack(StrEnum):
    """How the sampled call-back to the company stands (REG-IDL-H8d)."""

    NOT_SELECTED = "not_selected"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    DENIED = "denied"


class Specimen(StrEnum):
    """How a handwritten signature compares with the known specimens."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LegalPersonPart:
    """That a legal person exists, and that the registrant may act for it (NSIS 3.1.3)."""

    cvr_status: CompanyStatus = CompanyStatus.ACTIVE
    registrant: AssuranceLevel | None = AssuranceLevel.LOW
    """How the registering person was authenticated; None: not at all."""
    declaration: bool = False
    route: Route | None = None
    role_in_cvr: bool = False
    signing_rule_met: bool = True
    documents_accepted: bool = False
    cpr_cvr_linked: bool = False
    """The registrant's own CPR number holds the role, not only the name."""
    grantor_entitled: bool = False
    holder_matches: bool = True
    in_scope: bool = True
    poa_valid: bool = True
    poa_form: Form = Form.DIGITAL
    signature_verified: bool = True
    witnessed: bool = False
    callback: CallBack = CallBack.NOT_SELECTED
    specimen: Specimen = Specimen.MATCH


class Factor(StrEnum):
    """The categories of authentication factors (2015/1502 Annex 1(2))."""

    KNOWLEDGE = "knowledge"
    POSSESSION = "possession"
    INHERENCE = "inherence"


@dataclass(frozen=True, slots=True)
class AuthenticatorPart:
    """How strong the authenticator is (NSIS Akkreditiv, 3.2.1)."""

    factors: tuple[Factor, ...] = ()
    copyable: bool = True
    certified: bool = False
    equivalence_analysis: bool = False
    mobile_criteria: int | None = None
    """How many of the six criteria for keys in telephones are evidenced; None: no telephone."""
    attested: bool = False
    test_token: bool = False
    independent: bool = True
    risk_assessment: bool = True
    holder_protection: bool = True
    """It asks its holder at each use. Only of what is on record; no file of a case says it."""


class Channel(StrEnum):
    """How a credential travels."""

    ONLINE = "online"
    POST = "post"
    IN_PERSON = "in_person"


class CodeChannel(StrEnum):
    """How an activation code travels."""

    SMS = "sms"
    EMAIL = "email"
    POST = "post"
    ONLINE = "online"


class Address(StrEnum):
    """Where the address of a letter comes from."""

    AUTHORITATIVE = "authoritative"
    USER_GIVEN = "user_given"
    NONE = "none"


class ActivatedBy(StrEnum):
    """Who activated a credential."""

    HOLDER = "holder"
    OFFICER = "officer"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class DeliveryPart:
    """How the credential reached the holder, and how it was activated (NSIS 3.2.2)."""

    channel: Channel = Channel.ONLINE
    channel_protected: bool = True
    address: Address = Address.AUTHORITATIVE
    code_channel: CodeChannel | None = CodeChannel.SMS
    activated_by: ActivatedBy = ActivatedBy.HOLDER
    personal_check: bool = False
    within_window: bool = True
    receipt: bool = True
    actors_separated: bool = True
    contact_changed: bool = False


class Basis(StrEnum):
    """What an association of person and organisation rests on (NSIS 5.2)."""

    DECLARATION = "declaration"
    ADMINISTRATOR = "administrator"
    AUTHORITATIVE_SYSTEM = "authoritative_system"
    CVR_RELATION = "cvr_relation"


@dataclass(frozen=True, slots=True)
class AssociationPart:
    """That a person belongs to an organisation (NSIS 5)."""

    person: AssuranceLevel = AssuranceLevel.LOW
    organisation: AssuranceLevel = AssuranceLevel.LOW
    mandate_status_ok: bool = True
    basis: Basis | None = Basis.DECLARATION
    basis_authorised: bool = True
    unique_ids: bool = True
    consents: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """The parts that are to be assessed; one that is None is not."""

    natural_person: NaturalPersonPart | None = None
    legal_person: LegalPersonPart | None = None
    authenticator: AuthenticatorPart | None = None
    delivery: DeliveryPart | None = None
    association: AssociationPart | None = None

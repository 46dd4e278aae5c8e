"""Legal persons: their numbers, who signs for them, and powers of attorney (NSIS 3.1.3).

Persons are known here by opaque identifiers, of the kind of `Applicant.subject_id` or the keyed
value of a CPR number; names prove nothing about a mandate at High (REG-IDL-H8a).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Self

from ra.case import CallBack, CompanyStatus, Form, LegalPersonPart, Route, Specimen
from ra.errors import MalformedField
from ra.levels import AssuranceLevel

_CVR_WEIGHTS = (2, 7, 6, 5, 4, 3, 2, 1)
_CVR_MODULUS = 11


@dataclass(frozen=True, slots=True)
class CvrNumber:
    """Eight digits of which the weighted sum is divisible by eleven (erhvervsstyrelsen.dk).

    Numbers of production units are of another kind, and their check digit does not always hold.
    """

    value: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{8}", self.value):
            raise MalformedField("cvr_number", "eight digits")
        digits = (int(digit) for digit in self.value)
        total = sum(w * d for w, d in zip(_CVR_WEIGHTS, digits, strict=True))
        if self.value[0] == "0" or total % _CVR_MODULUS:
            raise MalformedField("cvr_number", "a number whose check digit holds")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read eight digits, with or without DK before them and spaces between pairs.

        Raises: MalformedField.
        """
        plain = re.sub(r"\A(?:DK)?[ -]?", "", text.strip(" "))
        return cls(re.sub(r"(?<=[0-9][0-9]) (?=[0-9][0-9])", "", plain))


class Role(StrEnum):
    """The roles that a register gives to persons of a company."""

    DIRECTOR = "director"
    CHAIR = "chair"
    BOARD_MEMBER = "board_member"
    FULLY_LIABLE = "fully_liable"
    TRUSTEE = "trustee"


@dataclass(frozen=True, slots=True)
class Signatory:
    """One person with a role; `person` is an opaque identifier."""

    person: str
    role: Role


@dataclass(frozen=True, slots=True)
class Alone:
    """Each signatory binds the company alone."""


@dataclass(frozen=True, slots=True)
class Jointly:
    """Any `count` signatories bind the company together."""

    count: int

    def __post_init__(self) -> None:
        if self.count < 2:  # noqa: PLR2004 - one is Alone
            raise MalformedField("signing_rule", "at least two who sign jointly")


@dataclass(frozen=True, slots=True)
class ChairAndOne:
    """The chair binds the company together with any other signatory."""


SigningRule = Alone | Jointly | ChairAndOne


def signing_rule_met(
    rule: SigningRule, signatories: tuple[Signatory, ...], approvals: frozenset[str]
) -> bool:
    """Whether those who approved bind the company; each person counts once (REG-IDL-S6b)."""
    able = {each.person for each in signatories} & approvals
    chairs = {each.person for each in signatories if each.role is Role.CHAIR}
    match rule:
        case Alone():
            return bool(able)
        case Jointly(count):
            return len(able) >= count
        case ChairAndOne():
            return any(able - {chair} for chair in chairs & able)


class Act(StrEnum):
    """What a power of attorney can cover here."""

    REGISTER = "register"
    """Registering the legal person, and agreeing to its terms."""
    ADMINISTER = "administer"
    """Maintaining the associations of its people."""
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True, repr=False)
class Witness:
    """Who attests a signature on paper."""

    name: str
    address: str
    signed_on: date

    def __repr__(self) -> str:
        return "Witness(***)"


@dataclass(frozen=True, slots=True)
class PowerOfAttorney:
    """A power of attorney (fuldmagt): who grants what to whom, from when until when."""

    company: CvrNumber
    grantor: str
    holder: str
    scope: frozenset[Act]
    valid_from: date
    valid_until: date | None = None
    form: Form = Form.DIGITAL
    signature_verified: bool = False
    """Validated with its status at the time of signing."""
    witnesses: tuple[Witness, ...] = ()
    callback: CallBack = CallBack.NOT_SELECTED
    specimen: Specimen = Specimen.NONE


@dataclass(frozen=True, slots=True)
class Use:
    """Somebody wants to do an act for a company on a day (UTC)."""

    company: CvrNumber
    person: str
    act: Act
    on: date


@dataclass(frozen=True, slots=True)
class Drawn:
    """The draw of a sample: the rate in percent, and whether this case is called back."""

    percent: int
    selected: bool

    @property
    def callback(self) -> CallBack:
        """How the call-back of the case stands after the draw."""
        return CallBack.PENDING if self.selected else CallBack.NOT_SELECTED


def draw_callback(percent: int, randbelow: Callable[[int], int]) -> Drawn:
    """Draw whether a paper power of attorney is called back (REG-IDL-H8d).

    `randbelow` gives a number below its argument, each as often: `secrets.randbelow`.
    """
    return Drawn(percent, randbelow(100) < percent)


def power_of_attorney_part(
    given: PowerOfAttorney, use: Use, *, grantor_entitled: bool, witnesses: int
) -> LegalPersonPart:
    """The three checks of a power of attorney and its dates, as facts (REG-IDL-S6d, H8b to H8d).

    `witnesses` is how many the policy demands on paper.
    """
    begun = given.valid_from <= use.on
    ended = given.valid_until is not None and given.valid_until < use.on
    attesting = {(each.name, each.address) for each in given.witnesses}
    return LegalPersonPart(
        route=Route.POWER_OF_ATTORNEY,
        grantor_entitled=grantor_entitled,
        holder_matches=given.holder == use.person,
        in_scope=given.company == use.company and use.act in given.scope,
        poa_valid=begun and not ended,
        poa_form=given.form,
        signature_verified=given.signature_verified,
        witnessed=len(attesting) >= witnesses,
        callback=given.callback,
        specimen=given.specimen,
    )


@dataclass(frozen=True, slots=True)
class Company:
    """What its register says about a legal person."""

    number: CvrNumber
    name: str
    form: str
    status: CompanyStatus
    signatories: tuple[Signatory, ...] = ()
    rule: SigningRule = field(default_factory=Alone)
    telephone: str | None = None
    """The number for call-backs; never one from a form."""
    address: str | None = None
    barred: tuple[str, ...] = ()
    """Persons whom the register bars from acting for it (ASC-L6)."""


@dataclass(frozen=True, slots=True, repr=False)
class NamedOrganisation:
    """The organisation that a certificate names, and for an employee by which association.

    `id` is that of its record, `level` that of its registration or of the association.
    """

    id: str
    number: CvrNumber
    name: str
    level: AssuranceLevel
    association: str | None = None

    def __repr__(self) -> str:
        return f"NamedOrganisation({self.id})"


def role_part(
    company: Company, registrant: str, approvals: frozenset[str], *, by_number: bool
) -> LegalPersonPart:
    """The route by a role in the register, as facts (REG-IDL-S6b, H8a).

    `by_number` tells that `registrant` came from a login with the person's own number.
    """
    role = any(each.person == registrant for each in company.signatories)
    signed = signing_rule_met(company.rule, company.signatories, approvals | {registrant})
    return LegalPersonPart(
        cvr_status=company.status,
        route=Route.CVR_ROLE,
        role_in_cvr=role,
        signing_rule_met=signed,
        cpr_cvr_linked=role and by_number,
    )


def registered_by(
    part: LegalPersonPart, level: AssuranceLevel | None, *, declaration: bool
) -> LegalPersonPart:
    """The part with how the registrant was authenticated, and whether there is a declaration."""
    return replace(part, registrant=level, declaration=declaration)

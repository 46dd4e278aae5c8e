"""What the record of a mandate is worth at the level asked for (NSIS 3.1.3).

The mandate becomes the legal-person part of a case, and the rules of cases decide. A register
that does not answer makes it wait; a register that is not approved proves nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ra.case import CallBack, Case, CompanyStatus, LegalPersonPart, Route
from ra.case_assessment import assess_level
from ra.companies import CompanyAnswer, NoCompany
from ra.errors import Conflict, Refused
from ra.evidence import Officer
from ra.identity import CprNumber
from ra.legal_persons import (
    Company,
    PowerOfAttorney,
    Use,
    power_of_attorney_part,
    registered_by,
    role_part,
    signing_rule_met,
)
from ra.levels import AssuranceLevel
from ra.mandates import Mandate, MandateState, RegisterAnswer, route_of, step
from ra.policies import Policy
from ra.registers import NoAnswer
from ra.requirements import Finding, finding

_UNVERIFIED = "LEGAL_PERSON_EVIDENCE_INSUFFICIENT"
# What only the register tells: while it is silent, it speaks against nobody.
_ASKED_OF_REGISTER = frozenset(
    {
        "AUTHORISATION_NOT_VERIFIED",
        "ROLE_NOT_FOUND_IN_CVR",
        "SIGNING_RULE_NOT_SATISFIED",
        "CPR_CVR_ROLE_MISMATCH",
        "POA_GRANTOR_NOT_ENTITLED",
    }
)


@dataclass(frozen=True, slots=True)
class Found:
    """What was looked up to judge a mandate: the register's answer, numbers, the call-back.

    `numbers` are the CPR numbers of those who signed, by subject id, as far as they are known.
    """

    source_id: str
    source_approved: bool
    company: CompanyAnswer
    numbers: Mapping[str, CprNumber]
    callback: CallBack = CallBack.NOT_SELECTED


def register_answer(found: Found, now: datetime) -> RegisterAnswer:
    """The answer as it is kept."""
    match found.company:
        case Company() as company:
            rule = type(company.rule).__name__
            return RegisterAnswer(
                found.source_id, company.status, now, company.name, company.form, rule
            )
        case NoCompany():
            return RegisterAnswer(found.source_id, CompanyStatus.NOT_FOUND, now)
        case NoAnswer():
            return RegisterAnswer(found.source_id, None, now)


def mandate_part(mandate: Mandate, found: Found, policy: Policy, now: datetime) -> LegalPersonPart:
    """The record as facts; a register that is silent says nothing against the legal person."""
    company = found.company if isinstance(found.company, Company) else None
    part = _route_part(mandate, company, found, policy, now)
    status = company.status if company else CompanyStatus.ACTIVE
    if isinstance(found.company, NoCompany):
        status = CompanyStatus.NOT_FOUND
    part = replace(part, cvr_status=status)
    return registered_by(
        part, mandate.registrant.level, declaration=mandate.declaration is not None
    )


def mandate_findings(
    mandate: Mandate, found: Found, policy: Policy, now: datetime
) -> tuple[Finding, ...]:
    """Every reason why the mandate falls short of the level asked for."""
    case = Case(legal_person=mandate_part(mandate, found, policy, now))
    reasons = (each.finding for each in assess_level(case, mandate.level, policy).reasons)
    if isinstance(found.company, NoAnswer):
        reasons = (each for each in reasons if each.code not in _ASKED_OF_REGISTER)
    return (*_unverified(mandate, found), *reasons)


def conclude(
    mandate: Mandate, found: Found, officer: Officer, policy: Policy, now: datetime
) -> Mandate:
    """`verified`, or `referred` while the register is silent or the company is to be called.

    Raises: Refused when a requirement is not met, which closes nothing; Conflict when the mandate
    is decided already.
    """
    if mandate.state not in {MandateState.OPEN, MandateState.REFERRED}:
        raise Conflict(mandate.state)
    findings = mandate_findings(mandate, found, policy, now)
    silent = isinstance(found.company, NoAnswer)
    company = found.company if isinstance(found.company, Company) else None
    checked = replace(
        mandate,
        route=route_of(mandate, names_persons=bool(company and company.signatories)),
        register=register_answer(found, now),
        checked_by=officer,
        findings=findings,
        updated_at=now,
    )
    if not findings:
        power = mandate.power
        until = None if power is None else power.valid_until
        return replace(step(checked, MandateState.VERIFIED, now), valid_until=until)
    if not all(each.waits or (silent and each.code == _UNVERIFIED) for each in findings):
        raise Refused(findings)
    if mandate.state is MandateState.REFERRED:
        return checked
    return step(checked, MandateState.REFERRED, now)


def status_findings(answer: CompanyAnswer) -> tuple[Finding, ...]:
    """What keeps a legal person from acting, asked again when a certificate is issued."""
    match answer:
        case NoCompany():
            return (finding("REG-IDL-L1", "LEGAL_PERSON_NOT_FOUND"),)
        case NoAnswer():
            return (finding("REG-IDL-S7", _UNVERIFIED),)
        case Company(status=CompanyStatus.CEASED):
            return (finding("REG-IDL-L3", "LEGAL_PERSON_CEASED"),)
        case Company(status=CompanyStatus.BANKRUPT):
            return (finding("REG-IDL-L3", "LEGAL_PERSON_IN_BANKRUPTCY"),)
        case _:
            return ()


def _unverified(mandate: Mandate, found: Found) -> tuple[Finding, ...]:
    """The legal person's own evidence: an answer of an approved register (REG-IDL-S7, H9)."""
    silent = isinstance(found.company, NoAnswer)
    high = mandate.level is AssuranceLevel.HIGH
    if silent or (mandate.level > AssuranceLevel.LOW and not found.source_approved):
        of = "REG-IDL-H9" if high else "REG-IDL-S7"
        return (finding(of, _UNVERIFIED),)
    return ()


def _route_part(
    mandate: Mandate, company: Company | None, found: Found, policy: Policy, now: datetime
) -> LegalPersonPart:
    route = route_of(mandate, names_persons=bool(company and company.signatories))
    match route:
        case Route.POWER_OF_ATTORNEY:
            part = _power_part(mandate, company, policy, now)
            return replace(part, callback=found.callback)
        case Route.CVR_ROLE if company is not None:
            return _role_part(mandate, company, found.numbers)
        case Route.DOCUMENTS:
            of = mandate.documents
            accepted = of is not None and of.suffice and not of.concerns_grantor
            return LegalPersonPart(route=route, documents_accepted=accepted)
        case _:
            return LegalPersonPart()


def _role_part(
    mandate: Mandate, company: Company, numbers: Mapping[str, CprNumber]
) -> LegalPersonPart:
    registrant = numbers.get(mandate.registrant.subject_id)
    signed = frozenset(
        numbers[each.subject_id].value for each in mandate.signatures if each.subject_id in numbers
    )
    own = "" if registrant is None else registrant.value
    # A number counts as linked only by a login at High (REG-IDL-H8a).
    strong = registrant is not None and mandate.registrant.level is AssuranceLevel.HIGH
    part = role_part(company, own, signed, by_number=strong)
    if part.role_in_cvr or mandate.extract is None:
        # Who has no role says nothing about the signing rule.
        return part if part.role_in_cvr else replace(part, signing_rule_met=True)
    # By name only: the registrant counts as one of the signatories, though not at High.
    return replace(part, role_in_cvr=True, signing_rule_met=_by_name(company, signed))


def _by_name(company: Company, signed: frozenset[str]) -> bool:
    """Whether those who signed and one more signatory, whoever that is, bind the company."""
    others = (each.person for each in company.signatories if each.person not in signed)
    return any(
        signing_rule_met(company.rule, company.signatories, signed | {other}) for other in others
    )


def _power_part(
    mandate: Mandate, company: Company | None, policy: Policy, now: datetime
) -> LegalPersonPart:
    power = mandate.power
    if power is None:
        return LegalPersonPart()
    given = PowerOfAttorney(
        company=power.company,
        grantor="grantor",
        holder=mandate.registrant.subject_id,
        scope=frozenset(power.scope),
        valid_from=power.valid_from,
        valid_until=power.valid_until,
        form=power.form,
        signature_verified=power.signature_verified,
        witnesses=power.witnesses,
        specimen=power.specimen,
    )
    person = mandate.registrant.subject_id if power.holder_matches else "another"
    use = Use(mandate.company, person, mandate.act, now.date())
    return power_of_attorney_part(
        given,
        use,
        grantor_entitled=_grantors_entitled(mandate, company),
        witnesses=policy.limits.witnesses,
    )


def _grantors_entitled(mandate: Mandate, company: Company | None) -> bool:
    """By their roles in the register, or by documents where it names no persons (REG-IDL-S6d)."""
    if company is None or mandate.power is None:
        return False
    if company.signatories:
        grantors = frozenset(each.value for each in mandate.power.grantors)
        return signing_rule_met(company.rule, company.signatories, grantors)
    documents = mandate.documents
    return documents is not None and documents.suffice and documents.concerns_grantor

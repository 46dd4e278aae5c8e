"""The use cases of associations: who proposes, who agrees, what they are worth, how they end."""

from dataclasses import dataclass
from datetime import datetime

from ra.associations import (
    Appointment,
    Association,
    AssociationKind,
    Levels,
    Proposal,
    Side,
    association_part,
    require_administrator,
    require_reactivation,
)
from ra.case import Basis, Case
from ra.case_assessment import assess_level
from ra.companies import CompanyAnswer
from ra.errors import Refused
from ra.legal_persons import Act, Alone, Company, CvrNumber, Role
from ra.levels import AssuranceLevel
from ra.mandate_assessment import status_findings
from ra.mandates import Authenticated, Mandate
from ra.requirements import Finding, finding
from records.associations import NewAssociation
from server.assembly import Assembly
from server.errors import NotAllowed
from server.holders import numbers_of
from server.subscribers import feed_of

_NOT_AUTHORISED = ("ASC-S8a", "ASSOCIATION_ADMIN_NOT_AUTHORISED")


@dataclass(frozen=True, slots=True)
class AskedAssociation:
    """What an organisation proposes: whom, of which kind, on what basis, at which level."""

    company: CvrNumber
    application_id: str
    """Of the person, who gave it to the organisation."""
    kind: AssociationKind
    basis: Basis
    level: AssuranceLevel


def propose_association(
    parts: Assembly, asked: AskedAssociation, actor: Authenticated, now: datetime
) -> Association:
    """An administrator, or who registered the organisation, proposes a person of its own.

    Raises:
        NotFound: there is no such organisation or application.
        Refused: the actor holds no mandate for this organisation (ASC-S8a).
        RuleBroken: ASC01, it is not registered.
    """
    of = parts.mandates.organisation(asked.company)
    _require_of_organisation(parts, asked.company, actor, now)
    person = parts.applications.get(asked.application_id)
    new = NewAssociation(
        of.id, person.subject_id, asked.kind, asked.basis, asked.level, actor.subject_id
    )
    return parts.associations.propose(new, now)


def consent_to(
    parts: Assembly, association_id: str, actor: Authenticated, now: datetime
) -> Association:
    """The person agrees that the organisation is named."""
    before = parts.associations.get(association_id)
    if before.subject_id != actor.subject_id:
        raise NotAllowed("person of the association")
    return parts.associations.consent(before, now)


def endorse_association(
    parts: Assembly, association_id: str, actor: Authenticated, now: datetime
) -> Association:
    """A second administrator of the organisation acts on it as well."""
    before = parts.associations.get(association_id)
    _require_of_organisation(parts, before.organisation, actor, now)
    return parts.associations.endorse(before, actor.subject_id, now)


def activate_association(
    parts: Assembly, association_id: str, actor: Authenticated, now: datetime
) -> Association:
    """Verify it and let it begin.

    Raises: Refused with every requirement that it does not meet at the level asked for.
    """
    before = parts.associations.get(association_id)
    _require_of_organisation(parts, before.organisation, actor, now)
    levels, found = assess_association(parts, before, now)
    if found:
        raise Refused(found)
    return parts.associations.activate(before, levels, now)


def suspend_association(
    parts: Assembly, association_id: str, actor: Authenticated, now: datetime
) -> Association:
    """Either side suspends it."""
    before = parts.associations.get(association_id)
    return parts.associations.suspend(before, _side(parts, before, actor, now), now)


def resume_association(
    parts: Assembly, association_id: str, actor: Authenticated, now: datetime
) -> Association:
    """The side that suspended it takes it up again, if it still is worth its level."""
    before = parts.associations.get(association_id)
    side = _side(parts, before, actor, now)
    require_reactivation(before, side)
    _, found = assess_association(parts, before, now)
    if found:
        raise Refused(found)
    return parts.associations.resume(before, side, now)


def end_association(
    parts: Assembly, association_id: str, actor: Authenticated, now: datetime
) -> Association:
    """Either side ends it; the certificates that carry it are revoked (affiliationChanged)."""
    before = parts.associations.get(association_id)
    side = _side(parts, before, actor, now)
    return parts.associations.end(before, side.value, now)


def assess_association(
    parts: Assembly, of: Association, now: datetime
) -> tuple[Levels, tuple[Finding, ...]]:
    """What it is worth, and every reason why that is less than the level asked for."""
    register, _ = parts.companies()
    answer = register.find(of.organisation, now)
    number = numbers_of(parts, [of.subject_id]).get(of.subject_id)
    own = "" if number is None else number.value
    held = parts.holders.level_of(of.subject_id, now)
    organisation = parts.mandates.organisation(of.organisation).level
    proposal = Proposal(
        person=of.subject_id,
        person_level=held or AssuranceLevel.LOW,
        organisation=of.organisation,
        organisation_level=organisation or AssuranceLevel.LOW,
        basis=of.basis,
        consents=frozenset(
            {of.organisation.value, *([of.subject_id] if of.person_consent_at else [])}
        ),
        barred=isinstance(answer, Company) and own in answer.barred,
        unique_ids=number is not None and isinstance(answer, Company),
    )
    link = _link_level(parts, of, proposal, answer, now)
    part = association_part(proposal, basis_authorised=link is not None)
    case = assess_level(Case(association=part), of.asked_level, parts.policy.policy)
    missing = () if held else (finding("ASC-L4", "ASSOCIATED_PERSON_LEVEL_TOO_LOW"),)
    found = (
        *status_findings(answer),
        *missing,
        *(each.finding for each in case.reasons),
    )
    levels = Levels(proposal.person_level, proposal.organisation_level, link or AssuranceLevel.LOW)
    return levels, found


def _link_level(
    parts: Assembly,
    of: Association,
    proposal: Proposal,
    answer: CompanyAnswer,
    now: datetime,
) -> AssuranceLevel | None:
    """How far the basis carries; None when it is not authorised."""
    match of.basis:
        case Basis.DECLARATION:
            return AssuranceLevel.LOW
        case Basis.ADMINISTRATOR:
            return _administered(parts, of, proposal, now)
        case Basis.CVR_RELATION:
            number = numbers_of(parts, [of.subject_id]).get(of.subject_id)
            related = number is not None and _binds_alone(answer, number.value)
            return AssuranceLevel.HIGH if related else None
        case _:
            return _fed(parts, of, now)


def _fed(parts: Assembly, of: Association, now: datetime) -> AssuranceLevel | None:
    """Told by the system of the organisation, whose feed still is designated (ASC-S8b)."""
    feed = feed_of(parts, of.organisation, now)
    fed = of.proposed_by == parts.mandates.organisation(of.organisation).subject_id
    return feed.level if feed and fed and feed.level >= of.asked_level else None


def _administered(
    parts: Assembly, of: Association, proposal: Proposal, now: datetime
) -> AssuranceLevel | None:
    appointments = tuple(
        found
        for each in of.administrators
        if (found := _appointment(parts, each, of.organisation, now)) is not None
    )
    if len(appointments) < len(of.administrators):
        return None
    try:
        require_administrator(proposal, of.asked_level, appointments, now.date())
    except Refused:
        return None
    return min(each.level for each in appointments)


def _appointment(
    parts: Assembly, person: str, company: CvrNumber, now: datetime
) -> Appointment | None:
    held = [
        each
        for each in parts.mandates.held_by(person, company)
        if each.holds(Act.ADMINISTER, now.date())
    ]
    if not held:
        return None
    best = max(held, key=lambda each: each.level)
    return Appointment(person, company, best.level, best.opened_at.date(), best.valid_until)


def _binds_alone(answer: CompanyAnswer, number: str) -> bool:
    """Fully liable, or entitled to sign alone (ASC-S8c)."""
    if not isinstance(answer, Company):
        return False
    alone = isinstance(answer.rule, Alone)
    return any(
        each.person == number and (alone or each.role is Role.FULLY_LIABLE)
        for each in answer.signatories
    )


def _mandates(
    parts: Assembly, company: CvrNumber, actor: Authenticated, now: datetime
) -> tuple[Mandate, ...]:
    today = now.date()
    return tuple(
        each
        for each in parts.mandates.held_by(actor.subject_id, company)
        if each.holds(Act.REGISTER, today) or each.holds(Act.ADMINISTER, today)
    )


def _require_of_organisation(
    parts: Assembly, company: CvrNumber, actor: Authenticated, now: datetime
) -> None:
    """Administrators maintain the people of their own organisation and of no other (ASC-S8a)."""
    if not _mandates(parts, company, actor, now):
        raise Refused((finding(*_NOT_AUTHORISED),))


def _side(parts: Assembly, of: Association, actor: Authenticated, now: datetime) -> Side:
    if actor.subject_id == of.subject_id:
        return Side.PERSON
    _require_of_organisation(parts, of.organisation, actor, now)
    return Side.ORGANISATION

"""Associations of persons with organisations, and who may make them (NSIS 5; ASC)."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from ra.case import AssociationPart, Basis
from ra.errors import Conflict, Refused
from ra.legal_persons import CvrNumber
from ra.levels import AssuranceLevel
from ra.requirements import finding


class AssociationState(StrEnum):
    """Where an association stands; `ended` is final."""

    PROPOSED = "proposed"
    VERIFIED = "verified"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


STEPS = MappingProxyType(
    {
        AssociationState.PROPOSED: frozenset({AssociationState.VERIFIED, AssociationState.ENDED}),
        AssociationState.VERIFIED: frozenset({AssociationState.ACTIVE, AssociationState.ENDED}),
        AssociationState.ACTIVE: frozenset({AssociationState.SUSPENDED, AssociationState.ENDED}),
        AssociationState.SUSPENDED: frozenset({AssociationState.ACTIVE, AssociationState.ENDED}),
        AssociationState.ENDED: frozenset[AssociationState](),
    }
)


def next_state(state: AssociationState, wanted: AssociationState) -> AssociationState:
    """The wanted state; Conflict when no step leads there."""
    if wanted not in STEPS[state]:
        raise Conflict(state)
    return wanted


@dataclass(frozen=True, slots=True)
class Appointment:
    """An administrator whom the management of an organisation appointed (ASC-S8a)."""

    person: str
    organisation: CvrNumber
    level: AssuranceLevel
    """The level at which the appointment was proven, like a mandate."""
    valid_from: date
    valid_until: date | None = None

    def holds(self, organisation: CvrNumber, level: AssuranceLevel, on: date) -> bool:
        """Whether it carries associations of this organisation at this level on this day."""
        in_force = self.valid_from <= on and (self.valid_until is None or on <= self.valid_until)
        return in_force and self.organisation == organisation and self.level >= level


@dataclass(frozen=True, slots=True)
class Proposal:
    """An association that somebody asks for; persons are opaque identifiers."""

    person: str
    person_level: AssuranceLevel
    organisation: CvrNumber
    organisation_level: AssuranceLevel
    basis: Basis
    consents: frozenset[str]
    """Who agreed: the person, and the organisation by its number (ASC-L7)."""
    barred: bool = False
    unique_ids: bool = True


def association_part(proposal: Proposal, *, basis_authorised: bool) -> AssociationPart:
    """The proposal as facts; `basis_authorised` is what was found out about its basis."""
    return AssociationPart(
        person=proposal.person_level,
        organisation=proposal.organisation_level,
        mandate_status_ok=not proposal.barred,
        basis=proposal.basis,
        basis_authorised=basis_authorised,
        unique_ids=proposal.unique_ids,
        consents={proposal.person, proposal.organisation.value} <= proposal.consents,
    )


def require_administrator(
    proposal: Proposal,
    level: AssuranceLevel,
    appointments: tuple[Appointment, ...],
    on: date,
) -> None:
    """Check those administrators who act together on a proposal; the first of them asks.

    Raises: Refused (ASC-S8a) when one is not appointed for this organisation at this level, or
    when somebody adds himself at High without a second administrator.
    """
    able = {each.person for each in appointments if each.holds(proposal.organisation, level, on)}
    alone = able == {proposal.person} and level is AssuranceLevel.HIGH
    if len(able) < len({each.person for each in appointments}) or not able or alone:
        raise Refused((finding("ASC-S8a", "ASSOCIATION_ADMIN_NOT_AUTHORISED"),))


class AssociationKind(StrEnum):
    """The two kinds of NSIS 5 (ASC-L1)."""

    CREDENTIAL = "credential"
    """A credential of its own for the role: an employee certificate."""
    LINK = "link"
    """The personal credential may act for the organisation."""


class Side(StrEnum):
    """The two sides, either of which can suspend and end an association (ASC-L10)."""

    PERSON = "person"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class Levels:
    """What an association is worth: the lowest of its three parts, computed and never set."""

    person: AssuranceLevel
    organisation: AssuranceLevel
    link: AssuranceLevel

    @property
    def level(self) -> AssuranceLevel:
        """The level of the association."""
        return min(self.person, self.organisation, self.link)


@dataclass(frozen=True, slots=True)
class Association:
    """An association as it stands; persons are opaque subject ids, times are UTC."""

    id: str
    organisation_id: str
    organisation: CvrNumber
    subject_id: str
    kind: AssociationKind
    basis: Basis
    asked_level: AssuranceLevel
    state: AssociationState
    proposed_by: str
    created_at: datetime
    updated_at: datetime
    endorsed_by: str | None = None
    """A second administrator, whom nobody who adds themselves at High can do without."""
    person_consent_at: datetime | None = None
    levels: Levels | None = None
    """None until it is verified."""
    suspended_by: Side | None = None

    @property
    def administrators(self) -> tuple[str, ...]:
        """Those who act for the organisation on it."""
        return (self.proposed_by, *([self.endorsed_by] if self.endorsed_by else []))


def require_reactivation(association: Association, side: Side) -> None:
    """Only the side that suspended an association lifts the suspension; Conflict for the other."""
    if association.suspended_by is not side:
        raise Conflict("suspended by the other side")

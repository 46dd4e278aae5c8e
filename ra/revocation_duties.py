"""Duties to revoke: what the issuer has to do about a credential of its own accord (NSIS 3.2.3(4)).

A register's answer becomes the causes of duties by pure functions. A duty is open until its
certificate is revoked, or until a second person confirms that there was no reason for it. What a
register says for certain is carried out by the system itself when nobody did so in time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from ra.case import CompanyStatus
from ra.claims import ClaimedIdentity
from ra.companies import CompanyAnswer, NoCompany
from ra.legal_persons import Company
from ra.proofing import names_are_registered
from ra.registers import NotRegistered, PersonAnswer, PersonStatus, RegisteredPerson
from revocation.causes import Cause


class DutyCause(StrEnum):
    """Why a credential may have to be revoked; a closed set."""

    COMPROMISE_SUSPECTED = "compromise_suspected"
    CONTENT_WRONG = "content_wrong"
    NAME_CHANGED = "name_changed"
    NUMBER_REPLACED = "number_replaced"
    AGREEMENT_ENDED = "agreement_ended"
    ASSOCIATION_ENDED = "association_ended"
    MANDATE_ENDED = "mandate_ended"
    """Nobody is mandated any more who could answer for what names the legal person."""
    COMPANY_CEASED = "company_ceased"
    COMPANY_BANKRUPT = "company_bankrupt"
    DEATH = "death"
    MISSING = "missing"
    NOT_REGISTERED = "not_registered"

    @property
    def time_to_act(self) -> timedelta:
        """From the moment at which it became known to the deadline."""
        return _LATER.get(self, TIME_TO_ACT)

    @property
    def is_certain(self) -> bool:
        """Whether the system revokes by itself at the deadline: a register left nothing open."""
        return self in _CERTAIN

    @property
    def grounds(self) -> Cause:
        """The cause that is given when the certificate is revoked for it."""
        return _GROUNDS[self]


class DutyState(StrEnum):
    """Where a duty stands; only the first goes on."""

    OPEN = "open"
    REVOKED = "revoked"
    DISMISSED = "dismissed"


class NoReason(StrEnum):
    """Why a duty is dismissed; no words of an officer's own, which could name somebody."""

    REGISTER_WRONG = "register_wrong"
    OTHER_PERSON = "other_person"
    CREDENTIAL_RIGHT = "credential_right"
    OPENED_IN_ERROR = "opened_in_error"


TIME_TO_ACT = timedelta(hours=24)
"""What ETSI EN 319 411-1 REV-6.2.4-03A leaves from the receipt of a request to its effect."""
_LATER = MappingProxyType(
    {
        # The credential still names its holder: time for a renewal under the new name or number.
        DutyCause.NAME_CHANGED: timedelta(days=14),
        DutyCause.NUMBER_REPLACED: timedelta(days=14),
        # A register that forgets somebody has mostly made a mistake, which a person has to look at.
        DutyCause.NOT_REGISTERED: timedelta(days=3),
    }
)
_CERTAIN = frozenset(
    {
        DutyCause.AGREEMENT_ENDED,
        DutyCause.ASSOCIATION_ENDED,
        DutyCause.MANDATE_ENDED,
        DutyCause.COMPANY_CEASED,
        DutyCause.COMPANY_BANKRUPT,
        DutyCause.DEATH,
    }
)
# None of these tells relying parties of a death: the published reasons are the least revealing.
_GROUNDS = MappingProxyType(
    {
        DutyCause.COMPROMISE_SUSPECTED: Cause.COMPROMISE_SUSPECTED,
        DutyCause.CONTENT_WRONG: Cause.CONTENT_WRONG,
        DutyCause.NAME_CHANGED: Cause.CONTENT_CHANGED,
        DutyCause.NUMBER_REPLACED: Cause.CONTENT_CHANGED,
        DutyCause.AGREEMENT_ENDED: Cause.AGREEMENT_ENDED,
        DutyCause.ASSOCIATION_ENDED: Cause.ASSOCIATION_ENDED,
        DutyCause.MANDATE_ENDED: Cause.AGREEMENT_ENDED,
        DutyCause.COMPANY_CEASED: Cause.COMPANY_CEASED,
        DutyCause.COMPANY_BANKRUPT: Cause.COMPANY_CEASED,
        DutyCause.DEATH: Cause.DEATH,
        DutyCause.MISSING: Cause.NOT_NEEDED,
        DutyCause.NOT_REGISTERED: Cause.CONTENT_WRONG,
    }
)


@dataclass(frozen=True, slots=True)
class Credential:
    """The certificate that a duty is about, and the opaque id of its subject."""

    issuer: str
    serial: str
    """Lower-case hexadecimal."""
    subject_id: str


@dataclass(frozen=True, slots=True)
class Duty:
    """One duty; it names nobody but by pseudonym."""

    id: str
    credential: Credential
    cause: DutyCause
    state: DutyState
    opened_at: datetime
    opened_by: str
    deadline: datetime
    proposed_by: str | None = None
    """The officer who says that there is no reason to revoke."""
    no_reason: NoReason | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None

    def is_overdue(self, now: datetime) -> bool:
        """Whether it is open past its deadline (REVOCATION_DUTY_OVERDUE)."""
        return self.state is DutyState.OPEN and now > self.deadline


_STATUSES = MappingProxyType(
    {
        PersonStatus.DEAD: DutyCause.DEATH,
        PersonStatus.MISSING: DutyCause.MISSING,
        PersonStatus.ANNULLED: DutyCause.CONTENT_WRONG,
        PersonStatus.DELETED_DUPLICATE: DutyCause.NUMBER_REPLACED,
        PersonStatus.CHANGED: DutyCause.NUMBER_REPLACED,
    }
)


def person_causes(claim: ClaimedIdentity, answer: PersonAnswer) -> tuple[DutyCause, ...]:
    """What follows for a credential of this person from what the register says now.

    No answer gives no duty: it is asked again in the next night.
    """
    if isinstance(answer, NotRegistered):
        return (DutyCause.NOT_REGISTERED,)
    if not isinstance(answer, RegisteredPerson):
        return ()
    by_status = _STATUSES.get(answer.status)
    if by_status is not None:
        return (by_status,)
    if answer.successor is not None:
        return (DutyCause.NUMBER_REPLACED,)
    same = names_are_registered(claim, answer)
    return () if same else (DutyCause.NAME_CHANGED,)


def company_causes(answer: CompanyAnswer) -> tuple[DutyCause, ...]:
    """What follows for a credential of this legal person, or of one of its people."""
    if isinstance(answer, NoCompany):
        return (DutyCause.NOT_REGISTERED,)
    if not isinstance(answer, Company):
        return ()
    if answer.status is CompanyStatus.BANKRUPT:
        return (DutyCause.COMPANY_BANKRUPT,)
    return (DutyCause.COMPANY_CEASED,) if answer.status is CompanyStatus.CEASED else ()

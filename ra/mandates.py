"""Mandates: that somebody may act for a legal person, and on what that rests (NSIS 3.1.3, 5.2(8)).

One mandate is for one act of one legal person: to register it, or to administer the associations
of its people. Who holds it, and who signed for it, are persons with a credential of their own.
A state change maps value to value and raises Conflict on a forbidden step.
"""

import re
import secrets
from base64 import b32encode
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Self

from ra.case import CompanyStatus, Form, Route, Specimen
from ra.errors import Conflict, MalformedField
from ra.evidence import Officer
from ra.feeds import Feed
from ra.identity import CprNumber
from ra.legal_persons import Act, CvrNumber, Witness
from ra.levels import AssuranceLevel
from ra.requirements import Finding
from ra.terms import Acceptance

_ID = re.compile(r"M-[A-Z2-7]{10}")


class MandateId(str):
    """The random name of a mandate: M- and ten base-32 characters."""

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Check the form; MalformedField for another."""
        if not _ID.fullmatch(value):
            raise MalformedField("mandate_id", "M- and ten characters A to Z, 2 to 7")
        return super().__new__(cls, value)

    @classmethod
    def random(cls) -> Self:
        """A new id with 50 random bits."""
        return cls("M-" + b32encode(secrets.token_bytes(7)).decode()[:10])


class MandateState(StrEnum):
    """Where a mandate stands; the last three are final."""

    OPEN = "open"
    REFERRED = "referred"
    """The register did not answer, or the company was not called back yet."""
    VERIFIED = "verified"
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


_CLOSED = frozenset({MandateState.REFUSED, MandateState.WITHDRAWN})
MANDATE_STEPS = MappingProxyType(
    {
        MandateState.OPEN: _CLOSED | {MandateState.REFERRED, MandateState.VERIFIED},
        MandateState.REFERRED: _CLOSED | {MandateState.OPEN, MandateState.VERIFIED},
        MandateState.VERIFIED: _CLOSED | {MandateState.GRANTED},
        MandateState.GRANTED: frozenset({MandateState.ENDED}),
        MandateState.REFUSED: frozenset[MandateState](),
        MandateState.WITHDRAWN: frozenset[MandateState](),
        MandateState.ENDED: frozenset[MandateState](),
    }
)
_COLLECTING = frozenset({MandateState.OPEN, MandateState.REFERRED})


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Somebody who logged in with a certificate of ours: who, at which level, and when (UTC).

    The person is known by the opaque subject id; `certificate` is the SHA-256 fingerprint.
    """

    subject_id: str
    level: AssuranceLevel
    certificate: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Declaration:
    """The registrant's own statement of being authorised, and the digest of its text."""

    version: int
    sha256: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RoleExtract:
    """An officer found the registrant's name with a role; a name is not enough at High."""

    reference: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class MandateDocuments:
    """Charter and minutes that an officer read: references, digests, and the result (REG-IDL-S6c).

    `concerns_grantor` tells that they show the mandate of a grantor and not of the registrant.
    """

    charter: str
    charter_sha256: str
    minutes: str
    minutes_sha256: str
    role: str
    held_on: date
    quorum: bool
    accepted: bool
    concerns_grantor: bool
    by: str
    at: datetime

    def __repr__(self) -> str:
        return "MandateDocuments(***)"

    @property
    def suffice(self) -> bool:
        """Whether the officer accepted them, and the meeting could decide."""
        return self.accepted and self.quorum


@dataclass(frozen=True, slots=True, repr=False)
class PresentedPower:
    """A power of attorney as an officer had it in hand (REG-IDL-S6d, H8b to H8d).

    `sha256` is of the document. The holder's number was compared with the registrant's when it
    was recorded, and is not kept.
    """

    company: CvrNumber
    reference: str
    sha256: str
    grantors: tuple[CprNumber, ...]
    holder_matches: bool
    scope: tuple[Act, ...]
    valid_from: date
    valid_until: date | None
    form: Form
    signature_verified: bool
    specimen: Specimen
    by: str
    at: datetime
    witnesses: tuple[Witness, ...] = ()

    def __repr__(self) -> str:
        return "PresentedPower(***)"


@dataclass(frozen=True, slots=True, repr=False)
class RegisterAnswer:
    """What the register said of the legal person when it was last asked; status None: silence."""

    source_id: str
    status: CompanyStatus | None
    at: datetime
    name: str | None = None
    form: str | None = None
    rule: str | None = None

    def __repr__(self) -> str:
        return f"RegisterAnswer({self.source_id}, ***)"


@dataclass(frozen=True, slots=True)
class Mandate:
    """One mandate; `level` is what is asked for, and counts only once it is granted."""

    id: MandateId
    company: CvrNumber
    act: Act
    level: AssuranceLevel
    state: MandateState
    registrant: Authenticated
    holder: str
    """Who may act: the registrant, or the administrator whom the management appoints."""
    opened_at: datetime
    updated_at: datetime
    by_role: bool = False
    """The registrant says that the register names them."""
    declaration: Declaration | None = None
    route: Route | None = None
    signatures: tuple[Authenticated, ...] = ()
    """Those who sign together with the registrant."""
    extract: RoleExtract | None = None
    documents: MandateDocuments | None = None
    power: PresentedPower | None = None
    register: RegisterAnswer | None = None
    checked_by: Officer | None = None
    findings: tuple[Finding, ...] = ()
    package_hash: str | None = None
    valid_until: date | None = None
    agreements: tuple[Acceptance, ...] = ()
    """What its holder accepted for the legal person as subscriber, the latest last."""
    feed: Feed | None = None
    """Which seal its holder designated to sign for the legal person's own system."""

    @property
    def asked_sha256(self) -> str:
        """The digest of what is asked for: what a co-signer's approval is bound to."""
        asked = f"{self.id}|{self.company.value}|{self.act}|{self.level.label}|{self.holder}"
        return sha256(asked.encode()).hexdigest()

    def holds(self, act: Act, on: date) -> bool:
        """Whether its holder may do this act on this day."""
        in_force = self.valid_until is None or on <= self.valid_until
        return self.state is MandateState.GRANTED and self.act is act and in_force


@dataclass(frozen=True, slots=True)
class AskedMandate:
    """What is asked for: by whom, for which legal person, which act, at which level."""

    company: CvrNumber
    act: Act
    level: AssuranceLevel
    holder: str
    by_role: bool = False
    declaration: Declaration | None = None


def open_mandate(asked: AskedMandate, registrant: Authenticated, now: datetime) -> Mandate:
    """A new mandate under a random id."""
    return Mandate(
        id=MandateId.random(),
        company=asked.company,
        act=asked.act,
        level=asked.level,
        state=MandateState.OPEN,
        registrant=registrant,
        holder=asked.holder,
        opened_at=now,
        updated_at=now,
        by_role=asked.by_role,
        declaration=asked.declaration,
    )


def step(mandate: Mandate, state: MandateState, now: datetime) -> Mandate:
    """The same mandate in the next state; Conflict when the step is forbidden."""
    if state not in MANDATE_STEPS[mandate.state]:
        raise Conflict(mandate.state)
    return replace(mandate, state=state, updated_at=now)


def record_signature(mandate: Mandate, signer: Authenticated, asked: str, now: datetime) -> Mandate:
    """Keep a co-signer's approval of exactly what is asked for.

    Raises: Conflict when it is closed, signed already, or something else was approved.
    """
    _require_collecting(mandate)
    signed = {mandate.registrant.subject_id, *(each.subject_id for each in mandate.signatures)}
    if signer.subject_id in signed:
        raise Conflict("signed by this person already")
    if asked != mandate.asked_sha256:
        raise MalformedField("asked_sha256", "the digest of what this mandate asks for")
    return replace(mandate, signatures=(*mandate.signatures, signer), updated_at=now)


def record_extract(mandate: Mandate, extract: RoleExtract, now: datetime) -> Mandate:
    """Keep that an officer found the registrant's name with a role."""
    _require_collecting(mandate)
    return replace(mandate, extract=extract, updated_at=now)


def record_documents(mandate: Mandate, documents: MandateDocuments, now: datetime) -> Mandate:
    """Keep what an officer found in charter and minutes."""
    _require_collecting(mandate)
    return replace(mandate, documents=documents, updated_at=now)


def record_power(mandate: Mandate, power: PresentedPower, now: datetime) -> Mandate:
    """Keep a power of attorney, which is then the route."""
    _require_collecting(mandate)
    return replace(mandate, power=power, updated_at=now)


def record_agreement(mandate: Mandate, acceptance: Acceptance, now: datetime) -> Mandate:
    """Keep that its holder accepted the agreement of the subscriber for the legal person."""
    return replace(mandate, agreements=(*mandate.agreements, acceptance), updated_at=now)


def refuse(mandate: Mandate, findings: tuple[Finding, ...], now: datetime) -> Mandate:
    """Close it with at least one reason; Conflict when it is closed or granted."""
    if not findings:
        raise MalformedField("findings", "at least one requirement that is not met")
    return replace(step(mandate, MandateState.REFUSED, now), findings=findings)


def route_of(mandate: Mandate, *, names_persons: bool) -> Route | None:
    """By which route the mandate is shown: a power of attorney, documents, a role, or none."""
    if mandate.power is not None:
        return Route.POWER_OF_ATTORNEY
    if mandate.documents is not None and not names_persons:
        return Route.DOCUMENTS
    return Route.CVR_ROLE if mandate.by_role or mandate.extract is not None else None


def _require_collecting(mandate: Mandate) -> None:
    if mandate.state not in _COLLECTING:
        raise Conflict(mandate.state)

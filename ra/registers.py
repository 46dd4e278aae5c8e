"""The ports to registers: persons (CPR) and the status of identity evidence.

An adapter answers with one of these closed sets and never raises for a register that is down:
no answer is an answer, and it makes the application wait. Any adapter must pass
`tests/support/register_contract.py`.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from ra.identity import CprNumber, PersonName


class PersonStatus(StrEnum):
    """The status codes of the CPR register."""

    ACTIVE_IN_DENMARK = "01"
    ACTIVE_IN_DENMARK_SPECIAL_ROAD_CODE = "03"
    ACTIVE_IN_GREENLAND = "05"
    ACTIVE_IN_GREENLAND_SPECIAL_ROAD_CODE = "07"
    RESERVED = "10"
    NO_RESIDENCE = "20"
    ANNULLED = "30"
    DELETED_DUPLICATE = "50"
    CHANGED = "60"
    MISSING = "70"
    EMIGRATED = "80"
    DEAD = "90"


@dataclass(frozen=True, slots=True, repr=False)
class RegisteredPerson:
    """The register knows the number."""

    status: PersonStatus
    given_name: PersonName
    surname: PersonName
    birth_date: date
    has_address: bool = True
    protected: bool = False
    """Name and address are protected: only the officer of the case may see them."""
    successor: CprNumber | None = None
    """The number in use, for officers, when this one was replaced."""

    def __repr__(self) -> str:
        return "RegisteredPerson(***)"


@dataclass(frozen=True, slots=True)
class NotRegistered:
    """The register answered that it does not know the number."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The register did not answer; never a pass and never a refusal."""


PersonAnswer = RegisteredPerson | NotRegistered | NoAnswer


class DocumentStatus(StrEnum):
    """What the issuer of identity evidence says about one document."""

    VALID = "valid"
    LOST = "lost"
    STOLEN = "stolen"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    NOT_KNOWN = "not_known"
    NO_SERVICE = "no_service"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True, repr=False)
class DocumentReference:
    """What identifies one document: kind, issuing state (ICAO 9303-3 section 5) and number."""

    kind: str
    issuer: str
    number: str

    def __repr__(self) -> str:
        return f"DocumentReference({self.kind}, {self.issuer}, ***)"


class PersonRegister(Protocol):
    """A register of natural persons."""

    @property
    def source_id(self) -> str:
        """The id of this register in the catalogue of authoritative sources."""
        ...

    def find(self, number: CprNumber, now: datetime) -> PersonAnswer:
        """What the register says about the number at this moment (UTC)."""
        ...


class DocumentStatusRegister(Protocol):
    """A register, or a gateway to several, of the status of identity evidence."""

    @property
    def source_id(self) -> str:
        """The id of this register in the catalogue of authoritative sources."""
        ...

    def status_of(self, document: DocumentReference, now: datetime) -> DocumentStatus:
        """What the issuer says about the document at this moment (UTC)."""
        ...

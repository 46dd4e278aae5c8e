"""The port to registered addresses: where a letter goes, fetched when it is sent (ISS-DEL-S2f).

Nobody types an address, and none is kept: it goes into the letter and is forgotten. Any adapter
must pass `AddressRegisterContract` in `tests/support/port_contracts.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from ra.identity import CprNumber, Personal
from ra.registers import NoAnswer, PersonRegister, RegisteredPerson


@dataclass(frozen=True, slots=True, repr=False)
class RegisteredAddress(Personal):
    """The lines of an address below the name, as the register has them, parted by line ends."""


@dataclass(frozen=True, slots=True)
class NoRegisteredAddress:
    """The register has no address to which a letter could go (CPR status 20 and 80)."""


AddressAnswer = RegisteredAddress | NoRegisteredAddress | NoAnswer


class AddressRegister(Protocol):
    """A register of the addresses of persons."""

    @property
    def source_id(self) -> str:
        """The id of this register in the catalogue of authoritative sources."""
        ...

    def address_of(self, number: CprNumber, now: datetime) -> AddressAnswer:
        """Where letters to this person go at this moment (UTC)."""
        ...


@dataclass(frozen=True, slots=True)
class FakeAddresses:
    """TEST EQUIPMENT: everybody with an address lives at one, unless given another."""

    persons: PersonRegister
    addresses: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def source_id(self) -> str:
        """That of the register of persons."""
        return self.persons.source_id

    def address_of(self, number: CprNumber, now: datetime) -> AddressAnswer:
        """The address of a persona."""
        found = self.persons.find(number, now)
        if isinstance(found, NoAnswer):
            return found
        if not isinstance(found, RegisteredPerson) or not found.has_address:
            return NoRegisteredAddress()
        return RegisteredAddress(self.addresses.get(number.value, "Prøvegade 1\n2100 København Ø"))

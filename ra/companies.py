"""The port to the register of legal persons (CVR).

An adapter answers with this closed set and never raises for a register that is down: no answer
is an answer, and it makes the application wait. Any adapter must pass
`tests/support/port_contracts.py`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ra.legal_persons import Company, CvrNumber
from ra.registers import NoAnswer


@dataclass(frozen=True, slots=True)
class NoCompany:
    """The register answered that it does not know the number."""


CompanyAnswer = Company | NoCompany | NoAnswer


class CompanyRegister(Protocol):
    """A register of legal persons."""

    @property
    def source_id(self) -> str:
        """The id of this register in the catalogue of authoritative sources."""
        ...

    def find(self, number: CvrNumber, now: datetime) -> CompanyAnswer:
        """What the register says about the number at this moment (UTC)."""
        ...

"""An installation that takes over an authority, and somebody at its command line."""

from dataclasses import dataclass

from ca.identifiers import IssuerName, SerialNumber
from server.assembly import Assembly
from tests.support.operator import Operator

OLD = IssuerName("old-ca")


@dataclass(frozen=True)
class Office:
    """An installation, and somebody at its command line."""

    parts: Assembly
    tillid: Operator

    def statuses(self, *serials: str) -> list[object]:
        numbers = map(SerialNumber.from_hex, serials)
        return [self.parts.statuses.status_of(OLD, number) for number in numbers]

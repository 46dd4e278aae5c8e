"""What an application renews or replaces, and what is known of that (NSIS 3.2.4).

A renewal rests on a valid credential of the same holder, who proved in the request to have its key.
A replacement is asked for by who has that key no more: it rests on the earlier proofing and on
controls that tie it to the same person, or on a new proofing. What each is worth is decided in
`ra.renewal_rules`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from ra.further_evidence import RegisterReading
from ra.levels import AssuranceLevel
from revocation.causes import Cause

PROVIDER = "tillid"
"""Our own credentials, among those that an identity can rest on (REG-IDN-L11)."""


class Basis(StrEnum):
    """What carries the new credential."""

    RENEWAL = "renewal"
    REPLACEMENT = "replacement"


class Loss(StrEnum):
    """Why a credential has to be replaced, in the holder's word."""

    LOST = "lost"
    COMPROMISED = "compromised"
    UNUSABLE = "unusable"
    """Broken or blocked, and in nobody else's hands: it is good until the new one is."""

    @property
    def cause(self) -> Cause | None:
        """Why the old certificate is revoked at once; None where it waits for the new one."""
        return _CAUSES.get(self)


_CAUSES = MappingProxyType({Loss.LOST: Cause.KEY_LOST, Loss.COMPROMISED: Cause.KEY_COMPROMISED})


@dataclass(frozen=True, slots=True)
class Renewal:
    """One credential that gives way to the one applied for."""

    application: str
    """The application that led to it."""
    issuer: str
    serial: str
    """Lower-case hexadecimal."""
    basis: Basis
    level: AssuranceLevel
    at: datetime
    proven_at: datetime
    """When the identity was last proven by evidence: renewals upon renewals do not move it."""
    stands: bool
    """Whether the old certificate was neither revoked nor on hold when it was last looked at."""
    register: RegisterReading
    """Of persons, and for a seal of legal persons."""
    register_at: datetime
    changed: tuple[str, ...] = ()
    """Attributes that are not those of the earlier application."""
    loss: Loss | None = None

    @property
    def credential(self) -> str:
        """The old certificate as a credential of ours: issuer and serial."""
        return f"{self.issuer}/{self.serial}"

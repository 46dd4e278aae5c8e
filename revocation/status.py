"""The status of a certificate, as a relying party is told it (RFC 6960 section 2.2).

Nothing here has a default: a serial that nobody issued is `Unknown`, and `Good` is only what a
store said in so many words.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ca.identifiers import IssuerName, SerialNumber
from revocation.reasons import Reason


@dataclass(frozen=True, slots=True)
class Good:
    """Issued, and not revoked."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """Revoked, or on hold, since `at` (UTC)."""

    reason: Reason
    at: datetime

    def __post_init__(self) -> None:
        """ValueError for removeFromCRL, which says the opposite, and for a naive time."""
        if self.reason is Reason.REMOVE_FROM_CRL:
            raise ValueError(
                "removeFromCRL is a delta CRL entry, not a revocation (RFC 5280 5.3.1)"
            )
        if self.at.tzinfo is None:
            raise ValueError("a revocation time is an aware UTC time")


@dataclass(frozen=True, slots=True)
class Unknown:
    """Never issued by this issuer, as far as this authority knows."""


Status = Good | Revoked | Unknown


class StatusSource(Protocol):
    """Where the status of a certificate is read."""

    def status_of(self, issuer: IssuerName, serial: SerialNumber) -> Status:
        """The status now, `Unknown` when there is no such certificate.

        Raises:
            StatusUnavailable: it cannot be read; no answer is given in its place.
        """
        ...

    def sha256_of(self, issuer: IssuerName, serial: SerialNumber) -> bytes | None:
        """SHA-256 of the certificate's DER; None where it is not known, as after an erasure.

        Raises:
            StatusUnavailable: it cannot be read.
        """
        ...

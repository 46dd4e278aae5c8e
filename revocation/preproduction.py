"""OCSP responses made ahead of the question (RFC 6960 section 2.5, RFC 5019 section 2.2).

For each serial whose status is settled there are two, one for each hash that clients put in a
CertID. They are made again in good time before they end, each serial at a moment of its own, and a
change of status makes them due at once: the database withdraws them in the transaction that changes
it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from ca.identifiers import IssuerName, SerialNumber
from revocation.cert_ids import CertIdHash
from revocation.status import Good, Revoked

_LONG = timedelta(hours=16)
_LONG_MARGIN = timedelta(hours=8)
_LONG_AGE = timedelta(days=4)
# Which part of the time until they are due those of one second are spread over.
_SPREAD: Final = 4
_STEPS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class DueResponse:
    """A serial that wants responses. `version` is that of its status: it rises with each change.

    `certificate_sha256` is of the certificate's DER, None where none is known: of an intent that
    was closed, and of a certificate that was erased.
    """

    serial: SerialNumber
    version: int
    status: Good | Revoked
    certificate_sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """What a response says of itself: thisUpdate to nextUpdate (UTC), both inclusive."""

    this_update: datetime
    next_update: datetime

    @property
    def due_at(self) -> datetime:
        """When the next one is made at the latest, so that an outage meanwhile is not seen.

        At half-life, or, of a life of 16 hours or more, 8 hours before its end and within 4 days
        (CA/Browser Forum BR 4.9.10).
        """
        whole = self.next_update - self.this_update
        if whole < _LONG:
            return self.this_update + whole / 2
        return min(self.next_update - _LONG_MARGIN, self.this_update + _LONG_AGE)

    def due_for(self, serial: SerialNumber) -> datetime:
        """When that of a serial is made again: up to a quarter earlier than it must be.

        So a million that were made at once do not fall due at once, and part further each time.
        """
        earlier = (self.due_at - self.this_update) / _SPREAD * (serial % _STEPS) / _STEPS
        return self.due_at - earlier

    def holds(self, now: datetime) -> bool:
        """Whether a relying party takes it now; not before thisUpdate, if the clock went back."""
        return self.this_update <= now < self.next_update


@dataclass(frozen=True, slots=True)
class ProducedResponses:
    """The responses for one serial, one for each hash."""

    serial: SerialNumber
    version: int
    life: Life
    bodies: Mapping[CertIdHash, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PreproducedResponse:
    """One response as it is kept."""

    life: Life
    body: bytes = field(repr=False)


class ResponseSource(Protocol):
    """Where responses that were made ahead are found."""

    def find(
        self, issuer: IssuerName, serial: SerialNumber, cert_id_hash: CertIdHash
    ) -> PreproducedResponse | None:
        """The response for this CertID; None when none was made since the status changed.

        Raises:
            StatusUnavailable: it cannot be read.
        """


class ResponseStore(ResponseSource, Protocol):
    """Where responses are kept; each call is one transaction."""

    def due(self, issuer: IssuerName, now: datetime, limit: int) -> list[DueResponse]:
        """Serials of unexpired certificates whose responses are due, the longest due first."""

    def keep(self, issuer: IssuerName, produced: Sequence[ProducedResponses]) -> None:
        """Keep responses, except those whose status has changed since they were asked for."""


class Producer(Protocol):
    """What makes the responses of one issuer."""

    @property
    def issuer_name(self) -> IssuerName:
        """Whose they are."""

    def produce(self, due: DueResponse, now: datetime) -> ProducedResponses:
        """Sign the responses for one serial."""


def find_response(
    source: ResponseSource,
    issuer: IssuerName,
    recognised: tuple[CertIdHash, SerialNumber],
    now: datetime,
) -> PreproducedResponse | None:
    """The response made ahead for a CertID that `IssuerCertIds.recognise_only` knew, if it holds.

    Raises:
        StatusUnavailable: it cannot be read.
    """
    cert_id_hash, serial = recognised
    found = source.find(issuer, serial, cert_id_hash)
    return None if found is None or not found.life.holds(now) else found


def preproduce(producer: Producer, store: ResponseStore, now: datetime, limit: int) -> int:
    """Make the responses that are due, at most so many serials; gives how many.

    Raises:
        HsmError: the token does not sign; what was made before stays usable until its nextUpdate.
    """
    due = store.due(producer.issuer_name, now, limit)
    if due:
        store.keep(producer.issuer_name, [producer.produce(each, now) for each in due])
    return len(due)

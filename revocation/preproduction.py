"""OCSP responses made ahead of the question (RFC 6960 section 2.5, RFC 5019 section 2.2).

For each serial whose status is settled there are two, one for each hash that clients put in a
CertID. They are made again at half of their life, and a change of status makes them due at once:
the database withdraws them in the transaction that changes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ca.identifiers import IssuerName, SerialNumber
from revocation.cert_ids import CertIdHash, IssuerCertIds
from revocation.errors import MalformedRequest
from revocation.ocsp import parse_request
from revocation.status import Good, Revoked


@dataclass(frozen=True, slots=True)
class DueResponse:
    """A serial that wants responses. `version` is that of its status: it rises with each change."""

    serial: SerialNumber
    version: int
    status: Good | Revoked


@dataclass(frozen=True, slots=True)
class Life:
    """What a response says of itself: thisUpdate to nextUpdate (UTC), both inclusive."""

    this_update: datetime
    next_update: datetime

    @property
    def due_at(self) -> datetime:
        """When the next one is made: at half-life, so that an outage as long is not seen."""
        return self.this_update + (self.next_update - self.this_update) / 2

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
    octets: bytes, source: ResponseSource, issuer: tuple[IssuerName, IssuerCertIds], now: datetime
) -> tuple[SerialNumber, PreproducedResponse] | None:
    """The response made ahead for a question about one certificate, without a nonce.

    Raises:
        StatusUnavailable: it cannot be read.
    """
    name, cert_ids = issuer
    try:
        request = parse_request(octets)
    except MalformedRequest:
        return None
    if request.nonce is not None or len(request.cert_ids) != 1:
        return None
    recognised = cert_ids.recognise(request.cert_ids[0])
    if recognised is None:
        return None
    cert_id_hash, serial = recognised
    found = source.find(name, serial, cert_id_hash)
    return None if found is None or not found.life.holds(now) else (serial, found)


def preproduce(producer: Producer, store: ResponseStore, now: datetime, limit: int) -> int:
    """Make the responses that are due, at most so many serials; gives how many.

    Raises:
        HsmError: the token does not sign; what was made before stays usable until its nextUpdate.
    """
    due = store.due(producer.issuer_name, now, limit)
    if due:
        store.keep(producer.issuer_name, [producer.produce(each, now) for each in due])
    return len(due)

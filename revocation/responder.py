"""The OCSP responder: octets in, octets out (RFC 6960 section 2).

It answers for one issuer with a delegated key. What the status source does not call good is
never called good; what it does not know is unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca.identifiers import IssuerName
from ca.signatures import SigningKey
from revocation.cert_ids import CertIdHash, IssuerCertIds, serial_of
from revocation.errors import (
    MalformedRequest,
    ResponderNotValid,
    ResponderRefused,
    ResponderRule,
    Unavailable,
)
from revocation.ocsp import (
    CertId,
    OcspRequest,
    ResponseSigner,
    ResponseStatus,
    SingleAnswer,
    build_response,
    error_response,
    parse_request,
)
from revocation.ocsp_gate import ResponseGate, Unverified
from revocation.preproduction import DueResponse, Life, ProducedResponses
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Status, StatusSource, Unknown

DEFAULT_VALIDITY: Final = timedelta(hours=1)
_VALIDITY_CEILING = timedelta(hours=16)
_ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class OcspIssuer:
    """An issuer and the responder it delegated to: checked when made.

    Raises:
        ResponderRefused: the responder certificate breaks a rule of `ResponderRule`.
    """

    name: IssuerName
    certificate: x509.Certificate
    responder_certificate: x509.Certificate
    key: SigningKey

    def __post_init__(self) -> None:
        """Check the delegation."""
        try:
            self.responder_certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            raise ResponderRefused(ResponderRule.ISSUED_BY_ISSUER) from None
        if not _names_ocsp_signing(self.responder_certificate):
            raise ResponderRefused(ResponderRule.OCSP_SIGNING)
        if self.responder_certificate.public_key() != self.key.public_key():
            raise ResponderRefused(ResponderRule.KEY_MATCHES)


def _names_ocsp_signing(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage.value


@dataclass(frozen=True, slots=True)
class OcspAnswer:
    """A response to send; `next_update` (UTC) is until when it may be cached, None for never."""

    body: bytes
    next_update: datetime | None


class OcspResponder:
    """Answers for one issuer; `validity` is thisUpdate to nextUpdate, inclusive."""

    def __init__(
        self,
        issuer: OcspIssuer,
        source: StatusSource,
        validity: timedelta = DEFAULT_VALIDITY,
    ) -> None:
        """ValueError for a validity of 16 hours or more: that would ask for earlier refresh."""
        if not _ONE_SECOND < validity < _VALIDITY_CEILING or validity % _ONE_SECOND:
            raise ValueError("an OCSP validity is whole seconds and below 16 hours")
        self._issuer = issuer
        self._source = source
        self._validity = validity
        self._signer = ResponseSigner.of(issuer.responder_certificate, issuer.key)
        self._gate = ResponseGate.of(self._signer, issuer.responder_certificate)
        self._not_before = issuer.responder_certificate.not_valid_before_utc
        self._not_after = issuer.responder_certificate.not_valid_after_utc
        self._cert_ids = IssuerCertIds.of(issuer.certificate)

    @property
    def issuer_name(self) -> IssuerName:
        """Whose certificates it answers for."""
        return self._issuer.name

    def produce(self, due: DueResponse, now: datetime) -> ProducedResponses:
        """Sign the responses for one serial, for each hash; they are due again at half-life.

        Raises:
            ResponderNotValid: its certificate is not valid now.
            ResponseRefused: what was signed breaks a rule.
        """
        life = self._life(now)
        if life is None:
            raise ResponderNotValid
        bodies = {}
        for cert_id_hash in CertIdHash:
            cert_id = self._cert_ids.encode(cert_id_hash, due.serial)
            single = SingleAnswer(cert_id, due.status, life.this_update, life.next_update)
            bodies[cert_id_hash], unverified = self._built([single], life, None, now)
            unverified.verify()
        return ProducedResponses(due.serial, due.version, life, bodies)

    def answer(self, octets: bytes, now: datetime) -> OcspAnswer:
        """The response to any octets at all, as they came in a request body.

        Octets that are no request get malformedRequest; a request about other issuers only,
        unauthorized; and tryLater is said while a status cannot be read or the responder
        certificate is not valid.
        """
        try:
            request = parse_request(octets)
        except MalformedRequest:
            return _error(ResponseStatus.MALFORMED_REQUEST)
        if not any(self._cert_ids.is_ours(cert_id) for cert_id in request.cert_ids):
            return _error(ResponseStatus.UNAUTHORIZED)
        try:
            return self._signed(request, now)
        except Unavailable:
            return _error(ResponseStatus.TRY_LATER)

    def _signed(self, request: OcspRequest, now: datetime) -> OcspAnswer:
        life = self._life(now)
        if life is None:
            return _error(ResponseStatus.TRY_LATER)
        statuses = [self._status_of(cert_id) for cert_id in request.cert_ids]
        singles = [
            SingleAnswer(cert_id.encoded, status, life.this_update, life.next_update)
            for cert_id, status in zip(request.cert_ids, statuses, strict=True)
        ]
        body, unverified = self._built(singles, life, request.nonce, now)
        # What may be otherwise in the next second must not linger.
        lasting = request.nonce is None and all(map(_is_settled, statuses))
        if lasting:  # what is for one client and one moment, that client verifies
            unverified.verify()
        return OcspAnswer(body, life.next_update if lasting else None)

    def _built(
        self, singles: Sequence[SingleAnswer], life: Life, nonce: bytes | None, now: datetime
    ) -> tuple[bytes, Unverified]:
        """A response that our own gate let pass. Raises: ResponseRefused."""
        body = build_response(self._signer, life.this_update, singles, nonce)
        return body, self._gate.check(body, singles, nonce, now)

    def _life(self, now: datetime) -> Life | None:
        """Of a response that is signed now; None while the responder's certificate is not valid."""
        this_update = now.replace(microsecond=0)
        life = Life(this_update, min(this_update + self._validity - _ONE_SECOND, self._not_after))
        return life if self._not_before <= now and life.holds(now) else None

    def _status_of(self, cert_id: CertId) -> Status:
        if not self._cert_ids.is_ours(cert_id):
            return Unknown()
        serial = serial_of(cert_id)
        return Unknown() if serial is None else self._source.status_of(self._issuer.name, serial)


def _is_settled(status: Status) -> bool:
    """Whether it stays until somebody decides: an unknown serial, or one on hold, may be good."""
    match status:
        case Good():
            return True
        case Revoked(reason=reason):
            return reason is not Reason.CERTIFICATE_HOLD
        case Unknown():
            return False
    assert_never(status)


def _error(status: ResponseStatus) -> OcspAnswer:
    return OcspAnswer(error_response(status), None)

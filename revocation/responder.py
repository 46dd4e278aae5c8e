"""The OCSP responder: octets in, octets out (RFC 6960 section 2).

It answers for one issuer with a delegated key. What the status source does not call good is
never called good; what it does not know is unknown.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca.identifiers import IssuerName, SerialNumber
from ca.signatures import SigningKey
from revocation import der
from revocation.errors import (
    MalformedRequest,
    ResponderRefused,
    ResponderRule,
    Unavailable,
)
from revocation.ocsp import (
    CertId,
    ResponseSigner,
    ResponseStatus,
    SingleAnswer,
    build_response,
    error_response,
    parse_request,
)
from revocation.status import Status, StatusSource, Unknown

DEFAULT_VALIDITY: Final = timedelta(hours=1)
_VALIDITY_CEILING = timedelta(hours=16)
_ONE_SECOND = timedelta(seconds=1)

_HASHES: dict[bytes, Callable[[bytes], bytes]] = {
    der.oid("1.3.14.3.2.26"): lambda octets: hashlib.sha1(octets, usedforsecurity=False).digest(),
    der.oid("2.16.840.1.101.3.4.2.1"): lambda octets: hashlib.sha256(octets).digest(),
}


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
        self._not_before = issuer.responder_certificate.not_valid_before_utc
        self._not_after = issuer.responder_certificate.not_valid_after_utc
        subject, public_key = der.subject_and_key(issuer.certificate)
        self._issuer_hashes = {
            identifier: (digest(subject), digest(public_key))
            for identifier, digest in _HASHES.items()
        }

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
        if not any(self._is_ours(cert_id) for cert_id in request.cert_ids):
            return _error(ResponseStatus.UNAUTHORIZED)
        this_update = now.replace(microsecond=0)
        next_update = min(this_update + self._validity - _ONE_SECOND, self._not_after)
        if not self._not_before <= now < next_update:
            return _error(ResponseStatus.TRY_LATER)
        try:
            statuses = [self._status_of(cert_id) for cert_id in request.cert_ids]
        except Unavailable:
            return _error(ResponseStatus.TRY_LATER)
        singles = [
            SingleAnswer(cert_id.encoded, status, this_update, next_update)
            for cert_id, status in zip(request.cert_ids, statuses, strict=True)
        ]
        body = build_response(self._signer, this_update, singles, request.nonce)
        # An unknown serial may be issued in the next second: that answer must not linger.
        lasting = request.nonce is None and Unknown() not in statuses
        return OcspAnswer(body, next_update if lasting else None)

    def _is_ours(self, cert_id: CertId) -> bool:
        hashes = (cert_id.issuer_name_hash, cert_id.issuer_key_hash)
        return self._issuer_hashes.get(cert_id.hash_algorithm) == hashes

    def _status_of(self, cert_id: CertId) -> Status:
        if not self._is_ours(cert_id):
            return Unknown()
        try:
            serial = SerialNumber(cert_id.serial)
        except ValueError:  # no serial of ours is zero, negative or above 159 bits
            return Unknown()
        return self._source.status_of(self._issuer.name, serial)


def _error(status: ResponseStatus) -> OcspAnswer:
    return OcspAnswer(error_response(status), None)

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
    sign_responses,
)
from revocation.ocsp_extensions import EXTENDED_REVOKE, NEVER_ISSUED, archive_cutoff, cert_hash
from revocation.ocsp_gate import ResponseGate, Statement, Unverified
from revocation.ocsp_policy import OcspPolicy
from revocation.preproduction import DueResponse, Life, ProducedResponses
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Status, StatusSource, Unknown

DEFAULT_POLICY: Final = OcspPolicy()
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
    """Answers for one issuer; thisUpdate to nextUpdate of its policy is meant inclusive."""

    def __init__(
        self, issuer: OcspIssuer, source: StatusSource, policy: OcspPolicy = DEFAULT_POLICY
    ) -> None:
        """Answer from the source."""
        self._issuer = issuer
        self._source = source
        self._policy = policy
        since = issuer.certificate.not_valid_before_utc
        self._of_all = (archive_cutoff(since),) if policy.archive_cutoff else ()
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
            single = SingleAnswer(
                cert_id,
                due.status,
                life.this_update,
                life.next_update,
                self._extensions(due.certificate_sha256),
            )
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
        return self.answer_request(request, now)

    def answer_request(self, request: OcspRequest, now: datetime) -> OcspAnswer:
        """As `answer`, of a request that was read already."""
        if not any(self._cert_ids.is_ours(cert_id) for cert_id in request.cert_ids):
            return _error(ResponseStatus.UNAUTHORIZED)
        try:
            return self._signed(request, now)
        except Unavailable:
            return _error(ResponseStatus.TRY_LATER)

    def statement(self, response: bytes, life: Life) -> Statement | None:
        """What a response that was made ahead says, if this responder's key signed it."""
        return self._gate.statement(response, life)

    def with_nonce(self, statement: Statement, nonce: bytes, now: datetime) -> bytes | None:
        """A statement that still holds, signed again for who sent this nonce (RFC 9654).

        None where it is not this responder's to sign. It is as true as the response it stood in,
        which others are served meanwhile.

        Raises:
            HsmError: the token does not sign.
            ResponseRefused: what was signed breaks a rule.
        """
        is_own = statement.responder_id == self._signer.responder_id
        if not is_own or not self._not_before <= now <= self._not_after:
            return None
        produced_at = now.replace(microsecond=0)
        body = sign_responses(self._signer, produced_at, statement.single, nonce)
        self._gate.check(body, statement, nonce, now)
        return body

    def _signed(self, request: OcspRequest, now: datetime) -> OcspAnswer:
        life = self._life(now)
        if life is None:
            return _error(ResponseStatus.TRY_LATER)
        singles = [self._single(cert_id, life) for cert_id in request.cert_ids]
        body, unverified = self._built(singles, life, request.nonce, now)
        # What may be otherwise in the next second must not linger.
        lasting = request.nonce is None and all(_is_settled(single.status) for single in singles)
        if lasting:  # what is for one client and one moment, that client verifies
            unverified.verify()
        return OcspAnswer(body, life.next_update if lasting else None)

    def _single(self, cert_id: CertId, life: Life) -> SingleAnswer:
        status, sha256 = self._status_of(cert_id)
        extensions = self._extensions(sha256)
        return SingleAnswer(cert_id.encoded, status, life.this_update, life.next_update, extensions)

    def _extensions(self, certificate_sha256: bytes | None) -> tuple[bytes, ...]:
        """The singleExtensions of a certificate with this digest, if one is known."""
        if certificate_sha256 is None or not self._policy.cert_hash:
            return self._of_all
        return (cert_hash(certificate_sha256), *self._of_all)

    def _built(
        self, singles: Sequence[SingleAnswer], life: Life, nonce: bytes | None, now: datetime
    ) -> tuple[bytes, Unverified]:
        """A response that our own gate let pass. Raises: ResponseRefused."""
        never_issued = any(single.status == NEVER_ISSUED for single in singles)
        extensions = (EXTENDED_REVOKE,) if never_issued else ()
        body = build_response(self._signer, life.this_update, singles, nonce, extensions)
        return body, self._gate.check(body, singles, nonce, now)

    def _life(self, now: datetime) -> Life | None:
        """Of a response that is signed now; None while the responder's certificate is not valid."""
        this_update = now.replace(microsecond=0)
        next_update = this_update + self._policy.validity - _ONE_SECOND
        life = Life(this_update, min(next_update, self._not_after))
        return life if self._not_before <= now and life.holds(now) else None

    def _status_of(self, cert_id: CertId) -> tuple[Status, bytes | None]:
        """The status, and the digest of the certificate where the policy shows it."""
        if not self._cert_ids.is_ours(cert_id):
            return Unknown(), None  # of another issuer this key says nothing, not even revoked
        name, serial = self._issuer.name, serial_of(cert_id)
        status = Unknown() if serial is None else self._source.status_of(name, serial)
        if serial is None or isinstance(status, Unknown):
            return (NEVER_ISSUED if self._policy.non_issued_revoked else Unknown()), None
        return status, self._source.sha256_of(name, serial) if self._policy.cert_hash else None


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

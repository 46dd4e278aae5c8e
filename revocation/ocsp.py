"""The OCSP codec: requests read strictly, responses written (RFC 6960, RFC 5019, RFC 9654)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from typing import Final, Self, assert_never

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.signatures import SignatureAlgorithm, SigningKey
from revocation import der
from revocation.errors import MalformedRequest, NotDer
from revocation.reasons import Reason
from revocation.signatures import algorithm_for, signed
from revocation.status import Good, Revoked, Status, Unknown

MAX_REQUEST_OCTETS: Final = 4096
MAX_CERT_IDS: Final = 10
MAX_NONCE_OCTETS: Final = 128

_BASIC_RESPONSE = der.oid("1.3.6.1.5.5.7.48.1.1")
NONCE = der.oid("1.3.6.1.5.5.7.48.1.2")


class ResponseStatus(IntEnum):
    """OCSPResponseStatus (RFC 6960 section 4.2.1); 4 is not assigned."""

    SUCCESSFUL = 0
    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    SIG_REQUIRED = 5
    UNAUTHORIZED = 6


@dataclass(frozen=True, slots=True)
class CertId:
    """Which certificate is asked about; `encoded` is the CertID as it came, to be echoed.

    `hash_algorithm` is the DER of its OBJECT IDENTIFIER. The serial is any INTEGER.
    """

    encoded: bytes
    hash_algorithm: bytes
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int


@dataclass(frozen=True, slots=True)
class OcspRequest:
    """One to ten certificates asked about, and the nonce (1 to 128 octets) if there is one."""

    cert_ids: tuple[CertId, ...]
    nonce: bytes | None


def parse_request(octets: bytes) -> OcspRequest:
    """Read an OCSPRequest of at most 4096 octets; its signature, if any, is not looked at.

    Raises:
        MalformedRequest: not DER, too long, none or too many CertIDs, a bad nonce, or an
            extension that is critical and not known here (RFC 6960 section 4.1).
    """
    if len(octets) > MAX_REQUEST_OCTETS:
        raise MalformedRequest
    try:
        return _read_request(octets)
    except NotDer:
        raise MalformedRequest from None


def _read_request(octets: bytes) -> OcspRequest:
    outside = der.Reader(octets)
    request = outside.enter(der.SEQUENCE)
    outside.finish()
    tbs = request.enter(der.SEQUENCE)
    if request.next_is(der.context(0)):
        signature = request.enter(der.context(0))
        signature.enter(der.SEQUENCE)
        signature.finish()
    request.finish()
    # A version is not expected: v1 is the default, which DER leaves out.
    if tbs.next_is(der.context(1)):
        tbs.skip()
    request_list = tbs.enter(der.SEQUENCE)
    cert_ids: list[CertId] = []
    while not request_list.at_end():
        if len(cert_ids) == MAX_CERT_IDS:
            raise MalformedRequest
        cert_ids.append(_read_single_request(request_list.enter(der.SEQUENCE)))
    if not cert_ids:
        raise MalformedRequest
    nonce = None
    if tbs.next_is(der.context(2)):
        nonce = _read_extensions(tbs.enter(der.context(2)), known=NONCE)
    tbs.finish()
    return OcspRequest(tuple(cert_ids), nonce if nonce is None else _read_nonce(nonce))


def _read_single_request(single: der.Reader) -> CertId:
    start = single.position
    cert_id = single.enter(der.SEQUENCE)
    algorithm = cert_id.enter(der.SEQUENCE)
    hash_algorithm = algorithm.oid()
    if algorithm.rest() not in (b"", der.NULL):  # no hash has other parameters (RFC 5754 2)
        raise MalformedRequest
    name_hash = cert_id.content(der.OCTET_STRING)
    key_hash = cert_id.content(der.OCTET_STRING)
    serial = cert_id.integer()
    cert_id.finish()
    encoded = single.since(start)
    if single.next_is(der.context(0)):
        _read_extensions(single.enter(der.context(0)), known=None)
    single.finish()
    return CertId(encoded, hash_algorithm, name_hash, key_hash, serial)


def _read_extensions(explicit: der.Reader, known: bytes | None) -> bytes | None:
    """The value of the known extension; a critical one that is not known is malformed."""
    listed = explicit.enter(der.SEQUENCE)
    explicit.finish()
    values: dict[bytes, bytes] = {}
    while not listed.at_end() or not values:
        extension = listed.enter(der.SEQUENCE)
        identifier = extension.oid()
        critical = extension.next_is(der.BOOLEAN)
        if critical and extension.whole(der.BOOLEAN) != der.TRUE:
            raise MalformedRequest
        value = extension.content(der.OCTET_STRING)
        extension.finish()
        if identifier in values or (critical and identifier != known):
            raise MalformedRequest
        values[identifier] = value
    return None if known is None else values.get(known)


def _read_nonce(value: bytes) -> bytes:
    """The octets inside the nonce extension: 1 to 128 of them (RFC 9654 section 2.1)."""
    outside = der.Reader(value)
    nonce = outside.content(der.OCTET_STRING)
    outside.finish()
    if not 1 <= len(nonce) <= MAX_NONCE_OCTETS:
        raise MalformedRequest
    return nonce


def encode_request(cert_id: bytes, nonce: bytes | None) -> bytes:
    """A request about one CertID (its DER), as nearly every client writes it."""
    extensions = b""
    if nonce is not None:
        of = der.sequence(der.extension(NONCE, der.octet_string(nonce)))
        extensions = der.element(der.context(2), of)
    return der.sequence(der.sequence(der.sequence(der.sequence(cert_id)), extensions))


def error_response(status: ResponseStatus) -> bytes:
    """The unsigned response that only names an error; ValueError for `successful`."""
    if status is ResponseStatus.SUCCESSFUL:
        raise ValueError("a successful response has response bytes")
    return der.sequence(der.element(der.ENUMERATED, bytes((status,))))


@dataclass(frozen=True, slots=True)
class SingleAnswer:
    """What is said about one CertID (its DER), valid from this_update to next_update (UTC).

    `extensions` are singleExtensions, each as `revocation.ocsp_extensions` encodes it.
    """

    cert_id: bytes
    status: Status
    this_update: datetime
    next_update: datetime
    extensions: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponseSigner:
    """A responder's key, with the DER by which relying parties know it."""

    key: SigningKey
    algorithm: SignatureAlgorithm
    responder_id: bytes
    certificates: bytes

    @classmethod
    def of(cls, certificate: x509.Certificate, key: SigningKey) -> Self:
        """The signer with this certificate, named byKey (RFC 6960 section 4.2.1)."""
        _, public_key = der.subject_and_key(certificate)
        key_hash = hashlib.sha1(public_key, usedforsecurity=False).digest()
        return cls(
            key=key,
            algorithm=algorithm_for(key),
            responder_id=der.element(der.context(2), der.octet_string(key_hash)),
            certificates=der.element(
                der.context(0), der.sequence(certificate.public_bytes(Encoding.DER))
            ),
        )


def build_response(
    signer: ResponseSigner,
    produced_at: datetime,
    singles: Sequence[SingleAnswer],
    nonce: bytes | None,
    extensions: tuple[bytes, ...] = (),
) -> bytes:
    """Sign a successful response with the signer's certificate inside, the nonce echoed if given.

    A reason stands in RevokedInfo and nowhere else: not in singleExtensions.
    """
    ready = b"".join(_single_response(single) for single in singles)
    return sign_responses(signer, produced_at, ready, nonce, extensions)


def sign_responses(
    signer: ResponseSigner,
    produced_at: datetime,
    ready: bytes,
    nonce: bytes | None,
    extensions: tuple[bytes, ...] = (),
) -> bytes:
    """As `build_response`, of SingleResponses that are encoded already."""
    if nonce is not None:
        extensions = (der.extension(NONCE, der.octet_string(nonce)), *extensions)
    response_data = der.sequence(
        signer.responder_id,
        _time(produced_at),
        der.sequence(ready),
        _explicit_extensions(extensions),
    )
    basic = signed(signer.algorithm, signer.key, response_data, signer.certificates)
    response_bytes = der.sequence(_BASIC_RESPONSE, der.octet_string(basic))
    return der.sequence(_SUCCESSFUL, der.element(der.context(0), response_bytes))


_SUCCESSFUL = der.element(der.ENUMERATED, bytes((ResponseStatus.SUCCESSFUL,)))
_GOOD = der.element(0x80)
_UNKNOWN = der.element(0x82)
# The same few times stand in all responses of a second.
_time = lru_cache(maxsize=256)(der.generalized_time)


def _single_response(single: SingleAnswer) -> bytes:
    return der.sequence(
        single.cert_id,
        _cert_status(single.status),
        _time(single.this_update),
        der.element(der.context(0), _time(single.next_update)),
        _explicit_extensions(single.extensions),
    )


def _explicit_extensions(listed: tuple[bytes, ...]) -> bytes:
    """[1] EXPLICIT Extensions, as both ResponseData and SingleResponse have them; b"" for none."""
    return der.element(der.context(1), der.sequence(*listed)) if listed else b""


def _cert_status(status: Status) -> bytes:
    match status:
        case Good():
            return _GOOD
        case Revoked(reason=reason, at=at):
            code = b""
            if reason is not Reason.UNSPECIFIED:
                code = der.element(der.context(0), der.element(der.ENUMERATED, bytes((reason,))))
            return der.element(der.context(1), der.generalized_time(at), code)
        case Unknown():
            return _UNKNOWN
    assert_never(status)

import hashlib
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from asn1crypto import ocsp as asn1_ocsp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import OCSPNonce
from cryptography.x509 import ocsp as x509_ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.identifiers import SerialNumber
from revocation import der
from revocation.errors import MalformedRequest
from revocation.ocsp import (
    ResponseSigner,
    ResponseStatus,
    SingleAnswer,
    build_response,
    error_response,
    parse_request,
)
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Status, Unknown
from tests.support.revocation_pki import Pki

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
LATER = NOW + timedelta(minutes=59, seconds=59)
PKI = Pki.new()
SIGNER = ResponseSigner.of(PKI.ocsp.responder_certificate, PKI.ocsp.key)

SHA1 = der.sequence(der.oid("1.3.14.3.2.26"), der.NULL)
SHA1_WITHOUT_PARAMETERS = der.sequence(der.oid("1.3.14.3.2.26"))
NONCE = der.oid("1.3.6.1.5.5.7.48.1.2")
UNKNOWN_EXTENSION = der.oid("1.3.6.1.4.1.99999.1")


def cert_id(serial: int, algorithm: bytes = SHA1) -> bytes:
    hashed = der.octet_string(bytes(20))
    return der.sequence(algorithm, hashed, hashed, der.integer(serial))


def tbs_request(*singles: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    return der.sequence(before, der.sequence(*singles), after)


def request(*serials: int, after: bytes = b"") -> bytes:
    return der.sequence(tbs_request(*(der.sequence(cert_id(s)) for s in serials), after=after))


def extensions(*listed: bytes, tag: int = 2) -> bytes:
    return der.element(der.context(tag), der.sequence(*listed))


def nonce(octets: bytes) -> bytes:
    return extensions(der.extension(NONCE, der.octet_string(octets)))


def critical(identifier: bytes, value: bytes) -> bytes:
    return der.sequence(identifier, der.TRUE, der.octet_string(value))


@pytest.mark.parametrize("hash_algorithm", [hashes.SHA1(), hashes.SHA256()])  # noqa: S303 - RFC 5019
def test_a_request_built_elsewhere_is_read(hash_algorithm: hashes.HashAlgorithm) -> None:
    subscriber = PKI.subscriber(SerialNumber(77))
    octets = (
        x509_ocsp.OCSPRequestBuilder()
        .add_certificate(subscriber, PKI.issuing.certificate, hash_algorithm)
        .add_extension(OCSPNonce(b"n" * 32), critical=False)
        .build()
    )
    encoded = octets.public_bytes(Encoding.DER)
    read = parse_request(encoded)
    (single,) = read.cert_ids
    assert read.nonce == b"n" * 32
    assert single.serial == 77
    assert single.issuer_name_hash == octets.issuer_name_hash
    assert single.issuer_key_hash == octets.issuer_key_hash
    assert single.encoded in encoded


def test_ten_certificates_may_be_asked_about() -> None:
    assert [single.serial for single in parse_request(request(*range(10))).cert_ids] == list(
        range(10)
    )


def test_a_requestor_name_and_a_signature_are_accepted_and_not_needed() -> None:
    name = der.element(der.context(1), der.element(0x82, b"relying.example"))
    signature = der.sequence(SHA1, der.bit_string(b"whatever"))
    octets = der.sequence(
        tbs_request(der.sequence(cert_id(5)), before=name),
        der.element(der.context(0), signature),
    )
    assert parse_request(octets).cert_ids[0].serial == 5


def test_absent_hash_parameters_are_accepted() -> None:
    octets = der.sequence(tbs_request(der.sequence(cert_id(5, SHA1_WITHOUT_PARAMETERS))))
    assert parse_request(octets).cert_ids[0].hash_algorithm == der.oid("1.3.14.3.2.26")


@pytest.mark.parametrize("length", [1, 32, 128])
def test_a_nonce_has_1_to_128_octets(length: int) -> None:
    assert parse_request(request(5, after=nonce(bytes(length)))).nonce == bytes(length)


def test_extensions_that_are_not_known_nor_critical_are_passed_over() -> None:
    unknown = der.extension(UNKNOWN_EXTENSION, der.NULL)
    single = der.sequence(cert_id(5), extensions(unknown, tag=0))
    octets = der.sequence(tbs_request(single, after=extensions(unknown)))
    assert parse_request(octets).nonce is None


UNKNOWN_CRITICAL = critical(UNKNOWN_EXTENSION, der.NULL)
EXPLICIT_FALSE = der.sequence(NONCE, b"\x01\x01\x00", der.octet_string(der.octet_string(b"n")))
NONCE_EXTENSION = der.extension(NONCE, der.octet_string(b"n"))

MALFORMED = {
    "nothing": b"",
    "another type": der.octet_string(b""),
    "an empty sequence": der.sequence(),
    "no certificate": request(),
    "eleven certificates": request(*range(11)),
    "an octet after the end": request(5) + b"\x00",
    "an octet too few": request(5)[:-1],
    "too long": request(5, after=extensions(der.extension(UNKNOWN_EXTENSION, bytes(4096)))),
    "a version that DER leaves out": der.sequence(
        tbs_request(der.sequence(cert_id(5)), before=der.element(der.context(0), der.integer(0)))
    ),
    "a nonce of no octets": request(5, after=nonce(b"")),
    "a nonce of 129 octets": request(5, after=nonce(bytes(129))),
    "a bare nonce": request(5, after=extensions(der.extension(NONCE, b"bare"))),
    "two nonces": request(5, after=extensions(NONCE_EXTENSION, NONCE_EXTENSION)),
    "no extensions in extensions": request(5, after=extensions()),
    "a criticality that DER leaves out": request(5, after=extensions(EXPLICIT_FALSE)),
    "an unknown critical extension": request(5, after=extensions(UNKNOWN_CRITICAL)),
    "an unknown critical extension of one certificate": der.sequence(
        tbs_request(der.sequence(cert_id(5), extensions(UNKNOWN_CRITICAL, tag=0)))
    ),
    "a serial not in its shortest form": request(5).replace(b"\x02\x01\x05", b"\x02\x01"),
    "a hash with parameters": der.sequence(
        tbs_request(
            der.sequence(cert_id(5, der.sequence(der.oid("1.3.14.3.2.26"), der.integer(1))))
        )
    ),
}


@pytest.mark.parametrize("octets", MALFORMED.values(), ids=MALFORMED.keys())
def test_anything_else_is_malformed(octets: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse_request(octets)


@settings(max_examples=500)
@given(st.binary(max_size=300))
def test_no_octets_raise_anything_but_malformed(octets: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse_request(octets)


@settings(max_examples=100)
@given(
    st.sampled_from([Good(), Unknown(), *(Revoked(r, NOW) for r in Reason if r != 8)]),
    st.binary(min_size=1, max_size=128) | st.none(),
)
def test_another_decoder_reads_what_was_said(status: Status, nonce: bytes | None) -> None:
    single = SingleAnswer(cert_id(5), status, NOW, LATER)
    octets = build_response(SIGNER, NOW, [single], nonce)
    read = x509_ocsp.load_der_ocsp_response(octets)
    key = PKI.ocsp.responder_certificate.public_key()
    SIGNER.algorithm.verify(key, read.signature, read.tbs_response_bytes)
    assert read.certificates == [PKI.ocsp.responder_certificate]
    _, key_octets = der.subject_and_key(PKI.ocsp.responder_certificate)
    assert read.responder_key_hash == hashlib.sha1(key_octets, usedforsecurity=False).digest()
    assert read.responder_name is None
    assert (read.produced_at_utc, read.this_update_utc) == (NOW, NOW)
    assert read.next_update_utc == LATER
    assert read.serial_number == 5
    assert len(read.single_extensions) == 0
    assert [extension.value for extension in read.extensions] == (
        [] if nonce is None else [OCSPNonce(nonce)]
    )
    assert said_by(read) == status


def said_by(read: x509_ocsp.OCSPResponse) -> Status:
    if read.certificate_status is x509_ocsp.OCSPCertStatus.GOOD:
        return Good()
    if read.certificate_status is x509_ocsp.OCSPCertStatus.UNKNOWN:
        return Unknown()
    assert read.revocation_time_utc is not None
    word = read.revocation_reason.value if read.revocation_reason else "unspecified"
    return Revoked(Reason.from_label(word), read.revocation_time_utc)


def test_what_is_no_status_is_never_signed() -> None:
    nothing = cast("Status", None)
    with pytest.raises(AssertionError):
        build_response(SIGNER, NOW, [SingleAnswer(cert_id(5), nothing, NOW, LATER)], None)


def test_several_certificates_are_answered_in_their_order() -> None:
    statuses: list[Status] = [Good(), Revoked(Reason.UNSPECIFIED, NOW), Unknown()]
    ids = [cert_id(serial) for serial in (1, 2, 3)]
    singles = [
        SingleAnswer(asked, status, NOW, LATER) for asked, status in zip(ids, statuses, strict=True)
    ]
    read = asn1_ocsp.OCSPResponse.load(build_response(SIGNER, NOW, singles, None), strict=True)
    answered = read.response_data["responses"]
    assert [single["cert_id"].dump() for single in answered] == ids
    assert [single["cert_status"].name for single in answered] == ["good", "revoked", "unknown"]


@pytest.mark.parametrize("status", [s for s in ResponseStatus if s])
def test_an_error_is_named_and_nothing_more(status: ResponseStatus) -> None:
    read = x509_ocsp.load_der_ocsp_response(error_response(status))
    assert read.response_status.value == status.value


def test_success_without_an_answer_is_not_a_response() -> None:
    with pytest.raises(ValueError, match="response bytes"):
        error_response(ResponseStatus.SUCCESSFUL)

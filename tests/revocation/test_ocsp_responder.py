from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import OCSPNonce
from cryptography.x509 import ocsp as x509_ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.identifiers import SerialNumber
from revocation import der
from revocation.errors import ResponderRefused, ResponderRule
from revocation.ocsp import ResponseStatus, error_response
from revocation.reasons import Reason
from revocation.responder import OcspIssuer, OcspResponder
from revocation.status import Good, Revoked
from tests.support import revocation_questions
from tests.support.revocation_pki import (
    ISSUER,
    NOT_AFTER,
    NOT_BEFORE,
    Pki,
    new_key,
    responder_certificate,
)
from tests.support.revocation_questions import SHA1, joined
from tests.support.revocation_stores import MemoryStatusSource

NOW = datetime(2026, 11, 22, 8, 30, 5, 123_456, tzinfo=UTC)
THIS_UPDATE = NOW.replace(microsecond=0)
NEXT_UPDATE = THIS_UPDATE + timedelta(minutes=59, seconds=59)
PKI = Pki.new()
STRANGERS = Pki.new()
GOOD, REVOKED, UNISSUED = (SerialNumber(1000), SerialNumber(2000), SerialNumber(3000))
SOURCE = MemoryStatusSource(
    {GOOD: Good(), REVOKED: Revoked(Reason.KEY_COMPROMISE, NOW - timedelta(days=1))}
)
RESPONDER = OcspResponder(PKI.ocsp, SOURCE)


def asked(
    serial: SerialNumber,
    *,
    algorithm: hashes.HashAlgorithm = SHA1,
    nonce: bytes | None = None,
    pki: Pki = PKI,
) -> bytes:
    return revocation_questions.asked(pki, serial, algorithm=algorithm, nonce=nonce)


def statuses_in(body: bytes) -> list[x509_ocsp.OCSPCertStatus]:
    return [
        single.certificate_status for single in x509_ocsp.load_der_ocsp_response(body).responses
    ]


@pytest.mark.parametrize("algorithm", [SHA1, hashes.SHA256()], ids=["SHA-1", "SHA-256"])
def test_good_is_said_of_what_the_source_calls_good(algorithm: hashes.HashAlgorithm) -> None:
    answer = RESPONDER.answer(asked(GOOD, algorithm=algorithm), NOW)
    assert statuses_in(answer.body) == [x509_ocsp.OCSPCertStatus.GOOD]
    read = x509_ocsp.load_der_ocsp_response(answer.body)
    assert isinstance(read.hash_algorithm, type(algorithm))
    assert (read.this_update_utc, read.next_update_utc) == (THIS_UPDATE, NEXT_UPDATE)
    assert answer.next_update == NEXT_UPDATE


def test_revoked_is_said_with_reason_and_time() -> None:
    answer = RESPONDER.answer(asked(REVOKED), NOW)
    read = x509_ocsp.load_der_ocsp_response(answer.body)
    assert read.certificate_status is x509_ocsp.OCSPCertStatus.REVOKED
    assert read.revocation_reason is x509.ReasonFlags.key_compromise
    assert read.revocation_time_utc == THIS_UPDATE - timedelta(days=1)
    assert answer.next_update == NEXT_UPDATE


def test_a_serial_that_was_not_issued_is_unknown_and_not_cached() -> None:
    answer = RESPONDER.answer(asked(UNISSUED), NOW)
    assert statuses_in(answer.body) == [x509_ocsp.OCSPCertStatus.UNKNOWN]
    assert answer.next_update is None


@settings(max_examples=100)
@given(st.integers(1, (1 << 159) - 1).map(SerialNumber))
def test_no_serial_outside_the_source_is_ever_good(serial: SerialNumber) -> None:
    responder = OcspResponder(PKI.ocsp, MemoryStatusSource())
    assert statuses_in(responder.answer(asked(serial), NOW).body) == [
        x509_ocsp.OCSPCertStatus.UNKNOWN
    ]


@pytest.mark.parametrize("serial", [b"\x02\x01\x00", b"\x02\x01\xff", b"\x02\x15" + b"\x7f" * 21])
def test_a_serial_that_no_issuer_may_give_is_unknown(serial: bytes) -> None:
    content = der.Reader(asked(GOOD))
    single = content.enter(der.SEQUENCE).enter(der.SEQUENCE).enter(der.SEQUENCE).enter(der.SEQUENCE)
    hashed = single.enter(der.SEQUENCE)
    parts = [
        hashed.whole(der.SEQUENCE),
        hashed.whole(der.OCTET_STRING),
        hashed.whole(der.OCTET_STRING),
    ]
    cert_id = der.sequence(*parts, serial)
    octets = der.sequence(der.sequence(der.sequence(der.sequence(cert_id))))
    answer = RESPONDER.answer(octets, NOW)
    assert cert_id in answer.body
    assert answer.next_update is None
    assert der.element(0x82) in answer.body


def test_a_nonce_is_echoed_and_the_answer_not_cached() -> None:
    answer = RESPONDER.answer(asked(GOOD, nonce=b"once"), NOW)
    read = x509_ocsp.load_der_ocsp_response(answer.body)
    assert read.extensions.get_extension_for_class(OCSPNonce).value.nonce == b"once"
    assert answer.next_update is None


def test_several_certificates_are_answered_at_once() -> None:
    answer = RESPONDER.answer(joined(asked(GOOD), asked(REVOKED)), NOW)
    assert statuses_in(answer.body) == [
        x509_ocsp.OCSPCertStatus.GOOD,
        x509_ocsp.OCSPCertStatus.REVOKED,
    ]
    assert answer.next_update == NEXT_UPDATE


def test_a_certificate_of_another_issuer_among_ours_is_unknown() -> None:
    answer = RESPONDER.answer(joined(asked(GOOD), asked(GOOD, pki=STRANGERS)), NOW)
    assert statuses_in(answer.body) == [
        x509_ocsp.OCSPCertStatus.GOOD,
        x509_ocsp.OCSPCertStatus.UNKNOWN,
    ]
    assert answer.next_update is None


@pytest.mark.parametrize(
    "octets",
    [asked(GOOD, pki=STRANGERS), asked(GOOD, algorithm=hashes.SHA384())],
    ids=["another issuer", "another hash"],
)
def test_nothing_but_other_issuers_is_unauthorized(octets: bytes) -> None:
    answer = RESPONDER.answer(octets, NOW)
    assert answer.body == error_response(ResponseStatus.UNAUTHORIZED)
    assert answer.next_update is None


def test_while_the_source_is_away_nothing_is_said_of_the_certificate() -> None:
    responder = OcspResponder(PKI.ocsp, MemoryStatusSource({GOOD: Good()}, available=False))
    answer = responder.answer(asked(GOOD), NOW)
    assert answer.body == error_response(ResponseStatus.TRY_LATER)
    assert answer.next_update is None


@pytest.mark.parametrize("now", [NOT_BEFORE - timedelta(seconds=1), NOT_AFTER])
def test_a_responder_out_of_its_validity_signs_nothing(now: datetime) -> None:
    assert RESPONDER.answer(asked(GOOD), now).body == error_response(ResponseStatus.TRY_LATER)


def test_no_answer_outlives_the_responder_certificate() -> None:
    answer = RESPONDER.answer(asked(GOOD), NOT_AFTER - timedelta(minutes=1))
    assert answer.next_update == NOT_AFTER


def foreign_responder() -> OcspIssuer:
    ocsp = STRANGERS.ocsp
    return OcspIssuer(ISSUER, PKI.issuing.certificate, ocsp.responder_certificate, ocsp.key)


def responder_for_servers() -> OcspIssuer:
    key = new_key()
    certificate = responder_certificate(PKI.issuing, key, ExtendedKeyUsageOID.SERVER_AUTH)
    return OcspIssuer(ISSUER, PKI.issuing.certificate, certificate, key)


def subscriber_as_responder() -> OcspIssuer:
    certificate = PKI.subscriber(GOOD)
    return OcspIssuer(ISSUER, PKI.issuing.certificate, certificate, PKI.issuing.key)


def responder_with_another_key() -> OcspIssuer:
    certificate = PKI.ocsp.responder_certificate
    return OcspIssuer(ISSUER, PKI.issuing.certificate, certificate, new_key())


REFUSED = [
    (ResponderRule.ISSUED_BY_ISSUER, foreign_responder),
    (ResponderRule.OCSP_SIGNING, responder_for_servers),
    (ResponderRule.OCSP_SIGNING, subscriber_as_responder),
    (ResponderRule.KEY_MATCHES, responder_with_another_key),
]


@pytest.mark.parametrize(("rule", "example"), REFUSED)
def test_a_certificate_that_was_not_delegated_to_signs_no_answers(
    rule: ResponderRule, example: Callable[[], OcspIssuer]
) -> None:
    with pytest.raises(ResponderRefused) as refusal:
        example()
    assert refusal.value.rule is rule


def test_every_rule_for_a_responder_has_a_refused_example() -> None:
    assert {rule for rule, _ in REFUSED} == set(ResponderRule)


REQUESTS = [
    asked(GOOD),
    asked(REVOKED, algorithm=hashes.SHA256(), nonce=b"n" * 32),
    joined(asked(GOOD), asked(REVOKED)),
]


@st.composite
def mutated_requests(draw: st.DrawFn) -> bytes:
    octets = bytearray(draw(st.sampled_from(REQUESTS)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(octets)))
        end = draw(st.integers(start, min(start + 8, len(octets))))
        octets[start:end] = draw(st.binary(max_size=8))
    return bytes(octets)


@settings(max_examples=500)
@given(mutated_requests() | st.binary(max_size=5000))
def test_any_octets_get_a_response_that_can_be_read(octets: bytes) -> None:
    answer = OcspResponder(PKI.ocsp, MemoryStatusSource()).answer(octets, NOW)
    read = x509_ocsp.load_der_ocsp_response(answer.body)
    assert read.response_status is not x509_ocsp.OCSPResponseStatus.INTERNAL_ERROR
    assert answer.next_update is None

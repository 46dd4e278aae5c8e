"""What a policy puts into OCSP answers, and what requests may hold without being refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import core
from asn1crypto import ocsp as asn1_ocsp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as x509_ocsp

from ca.identifiers import SerialNumber
from revocation import der
from revocation.ocsp_policy import OcspPolicy
from revocation.preproduction import DueResponse
from revocation.reasons import Reason
from revocation.responder import OcspResponder
from revocation.status import Good, Revoked
from tests.support.revocation_pki import NOT_BEFORE, Pki
from tests.support.revocation_questions import asked, joined
from tests.support.revocation_stores import MemoryStatusSource

NOW = datetime(2026, 11, 22, 8, 30, 5, tzinfo=UTC)
PKI, STRANGERS = Pki.new(), Pki.new()
GOOD, REVOKED, ERASED, UNISSUED = map(SerialNumber, (1000, 2000, 2500, 3000))
WAS_REVOKED = Revoked(Reason.KEY_COMPROMISE, NOW - timedelta(days=1))
CERTIFICATE = PKI.subscriber(GOOD)
BODY = CERTIFICATE.public_bytes(Encoding.DER)
DIGEST = CERTIFICATE.fingerprint(hashes.SHA256())
SOURCE = MemoryStatusSource(
    {GOOD: Good(), REVOKED: WAS_REVOKED, ERASED: WAS_REVOKED},
    digests={GOOD: DIGEST, REVOKED: b"r" * 32},
)
CERT_HASH, ARCHIVE_CUTOFF = "1.3.36.8.3.13", "1.3.6.1.5.5.7.48.1.6"
EXTENDED_REVOKE = "1.3.6.1.5.5.7.48.1.9"


def answered(policy: OcspPolicy, octets: bytes) -> asn1_ocsp.ResponseData:
    answer = OcspResponder(PKI.ocsp, SOURCE, policy).answer(octets, NOW)
    return asn1_ocsp.OCSPResponse.load(answer.body, strict=True).response_data


def single_extensions(single: asn1_ocsp.SingleResponse) -> dict[str, bytes]:
    found = single["single_extensions"]
    assert not any(each["critical"].native for each in found)
    return {each["extn_id"].dotted: each["extn_value"].contents for each in found}


def response_extensions(answer: asn1_ocsp.ResponseData) -> dict[str, bytes]:
    found = answer["response_extensions"]
    return {each["extn_id"].dotted: each["extn_value"].contents for each in found}


def hash_in(value: bytes) -> tuple[str, bytes]:
    algorithm, digest = core.SequenceOf.load(value, spec=core.Any)
    identifier = core.SequenceOf.load(algorithm.dump(), spec=core.Any)[0]
    return core.ObjectIdentifier.load(identifier.dump()).native, digest.parse().native


def test_without_a_policy_there_is_no_extension() -> None:
    (single,) = answered(OcspPolicy(), asked(PKI, GOOD))["responses"]
    assert single_extensions(single) == {}


def test_the_positive_statement_is_the_hash_of_the_certificate_that_is_known() -> None:
    answer = answered(OcspPolicy(cert_hash=True), joined(asked(PKI, GOOD), asked(PKI, REVOKED)))
    good, revoked = map(single_extensions, answer["responses"])

    digest = hashes.Hash(hashes.SHA256())
    digest.update(BODY)
    assert hash_in(good[CERT_HASH]) == ("2.16.840.1.101.3.4.2.1", digest.finalize())
    assert hash_in(revoked[CERT_HASH])[1] == b"r" * 32


@pytest.mark.parametrize("serial", [ERASED, UNISSUED])
def test_of_what_was_erased_or_never_issued_there_is_no_hash(serial: SerialNumber) -> None:
    (single,) = answered(OcspPolicy(cert_hash=True), asked(PKI, serial))["responses"]
    assert single_extensions(single) == {}


def test_an_archive_goes_back_to_the_beginning_of_the_issuer() -> None:
    (single,) = answered(OcspPolicy(archive_cutoff=True), asked(PKI, REVOKED))["responses"]
    value = single_extensions(single)[ARCHIVE_CUTOFF]
    assert core.GeneralizedTime.load(value).native == NOT_BEFORE


def test_responses_made_ahead_hold_the_same() -> None:
    responder = OcspResponder(PKI.ocsp, SOURCE, OcspPolicy(cert_hash=True, archive_cutoff=True))
    due = DueResponse(GOOD, 0, Good(), DIGEST)
    for body in responder.produce(due, NOW).bodies.values():
        (single,) = asn1_ocsp.OCSPResponse.load(body, strict=True).response_data["responses"]
        assert set(single_extensions(single)) == {CERT_HASH, ARCHIVE_CUTOFF}
        assert hash_in(single_extensions(single)[CERT_HASH])[1] == DIGEST
    erased = replace(due, status=WAS_REVOKED, certificate_sha256=None)
    for body in responder.produce(erased, NOW).bodies.values():
        (single,) = asn1_ocsp.OCSPResponse.load(body, strict=True).response_data["responses"]
        assert set(single_extensions(single)) == {ARCHIVE_CUTOFF}


EXTENDED = OcspPolicy(non_issued_revoked=True)


def test_a_serial_that_was_never_issued_can_be_told_of_as_revoked() -> None:
    octets = OcspResponder(PKI.ocsp, SOURCE, EXTENDED).answer(asked(PKI, UNISSUED), NOW)
    read = x509_ocsp.load_der_ocsp_response(octets.body)
    assert read.certificate_status is x509_ocsp.OCSPCertStatus.REVOKED
    assert read.revocation_reason is not None
    assert read.revocation_reason.value == "certificateHold"
    assert read.revocation_time_utc == datetime(1970, 1, 1, tzinfo=UTC)
    assert octets.next_update is None  # it may be issued in the next second
    found = response_extensions(answered(EXTENDED, asked(PKI, UNISSUED)))
    assert found == {EXTENDED_REVOKE: b"\x05\x00"}


def test_the_nonce_stands_beside_it() -> None:
    found = response_extensions(answered(EXTENDED, asked(PKI, UNISSUED, nonce=b"n" * 16)))
    assert set(found) == {"1.3.6.1.5.5.7.48.1.2", EXTENDED_REVOKE}


def test_what_was_issued_is_told_of_as_ever() -> None:
    answer = answered(EXTENDED, joined(asked(PKI, GOOD), asked(PKI, REVOKED)))
    assert [each["cert_status"].name for each in answer["responses"]] == ["good", "revoked"]
    assert response_extensions(answer) == {}


def test_of_another_issuer_nothing_is_said_but_unknown() -> None:
    answer = answered(EXTENDED, joined(asked(PKI, GOOD), asked(STRANGERS, UNISSUED)))
    assert [each["cert_status"].name for each in answer["responses"]] == ["good", "unknown"]
    assert response_extensions(answer) == {}


@pytest.mark.parametrize(
    "validity",
    [
        timedelta(0),
        timedelta(hours=-1),
        timedelta(days=10, seconds=1),
        timedelta(milliseconds=1500),
    ],
    ids=str,
)
def test_a_validity_out_of_bounds_is_no_policy(validity: timedelta) -> None:
    with pytest.raises(ValueError):
        OcspPolicy(validity)


def _extension(dotted: str, value: bytes) -> bytes:
    return der.element(der.context(2), der.sequence(der.extension(der.oid(dotted), value)))


P256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))
IGNORED = {
    "preferred signature algorithms": _extension(
        "1.3.6.1.5.5.7.48.1.8", der.sequence(der.sequence(P256))
    ),
    "acceptable responses": _extension(
        "1.3.6.1.5.5.7.48.1.4", der.sequence(der.oid("1.3.6.1.5.5.7.48.1.1"))
    ),
}


@pytest.mark.parametrize("extension", IGNORED.values(), ids=IGNORED.keys())
def test_what_a_client_would_like_is_passed_over(extension: bytes) -> None:
    request_list = der.Reader(asked(PKI, GOOD)).enter(der.SEQUENCE).enter(der.SEQUENCE).rest()
    (single,) = answered(OcspPolicy(), der.sequence(der.sequence(request_list, extension)))[
        "responses"
    ]
    assert single["cert_status"].name == "good"


def test_a_signed_request_is_answered_like_any_other_and_its_signature_not_looked_at() -> None:
    request_list = der.Reader(asked(PKI, GOOD)).enter(der.SEQUENCE).enter(der.SEQUENCE).rest()
    requestor = der.element(der.context(1), der.element(0x82, b"relying.example"))
    certificates = der.element(der.context(0), der.sequence(BODY))
    signature = der.sequence(P256, der.bit_string(b"no signature at all"), certificates)
    octets = der.sequence(
        der.sequence(requestor, request_list), der.element(der.context(0), signature)
    )
    answer = OcspResponder(PKI.ocsp, SOURCE).answer(octets, NOW)
    read = x509_ocsp.load_der_ocsp_response(answer.body)
    assert read.certificate_status is x509_ocsp.OCSPCertStatus.GOOD
    assert b"relying.example" not in answer.body

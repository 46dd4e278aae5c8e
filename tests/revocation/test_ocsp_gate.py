"""Our own gate for OCSP responses: each fault that linters do not see, and each that they do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.identifiers import SerialNumber
from revocation import der
from revocation.cert_ids import CertIdHash, IssuerCertIds
from revocation.errors import OcspRule, ResponderRefused, ResponderRule, ResponseRefused
from revocation.ocsp import (
    ResponseSigner,
    ResponseStatus,
    SingleAnswer,
    build_response,
    error_response,
)
from revocation.ocsp_gate import ResponseGate
from revocation.ocsp_policy import LONGEST_VALIDITY
from revocation.preproduction import DueResponse
from revocation.reasons import Reason
from revocation.responder import OcspIssuer, OcspResponder
from revocation.status import Good, Revoked, Status, Unknown
from tests.support.ca_builders import a_key
from tests.support.recording_key import RecordingKey
from tests.support.revocation_pki import Pki, new_key, responder_certificate
from tests.support.revocation_questions import asked
from tests.support.revocation_stores import MemoryStatusSource

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
PKI = Pki.new()
SIGNER = ResponseSigner.of(PKI.ocsp.responder_certificate, PKI.ocsp.key)
GATE = ResponseGate.of(SIGNER, PKI.ocsp.responder_certificate)
CERT_IDS = IssuerCertIds.of(PKI.issuing.certificate)
REVOKED = Revoked(Reason.KEY_COMPROMISE, NOW - HOUR)
NONCE = b"n" * 16
REASON_CODE = der.extension(der.oid("2.5.29.21"), der.element(der.ENUMERATED, b"\x01"))
CUTOFF = der.extension(der.oid("1.3.6.1.5.5.7.48.1.6"), der.generalized_time(NOW))


def single(status: Status = REVOKED, serial: int = 77, **changes: datetime) -> SingleAnswer:
    cert_id = CERT_IDS.encode(CertIdHash.SHA1, SerialNumber(serial))
    return replace(SingleAnswer(cert_id, status, NOW, NOW + HOUR), **changes)


def response(*singles: SingleAnswer, nonce: bytes | None = None, produced: datetime = NOW) -> bytes:
    return build_response(SIGNER, produced, singles or [single()], nonce)


def signed_by_hand(
    data: bytes, certificates: bytes = SIGNER.certificates, signer: ResponseSigner = SIGNER
) -> bytes:
    """A response over these contents of ResponseData, by whatever key."""
    tbs = der.sequence(data)
    signature = der.bit_string(signer.algorithm.sign(signer.key, tbs))
    basic = der.sequence(tbs, signer.algorithm.identifier, signature, certificates)
    whole = der.sequence(der.oid("1.3.6.1.5.5.7.48.1.1"), der.octet_string(basic))
    return der.sequence(b"\x0a\x01\x00", der.element(der.context(0), whole))


def data_of(one: bytes, after: bytes = b"", responder_id: bytes = SIGNER.responder_id) -> bytes:
    return responder_id + der.generalized_time(NOW) + der.sequence(one) + after


def one_of(
    *, next_update: bytes | None = None, status: bytes | None = None, after: bytes = b""
) -> bytes:
    usual = der.element(der.context(0), der.generalized_time(NOW + HOUR))
    return der.sequence(
        single().cert_id,
        _told(1) if status is None else status,
        der.generalized_time(NOW),
        usual if next_update is None else next_update,
        after,
    )


def _told(code: int) -> bytes:
    """RevokedInfo with a reason."""
    reason = der.element(der.context(0), der.element(der.ENUMERATED, bytes([code])))
    return der.element(der.context(1), der.generalized_time(REVOKED.at), reason)


def _explicit(*extensions: bytes) -> bytes:
    return der.element(der.context(1), der.sequence(*extensions))


def refused(octets: bytes, *ordered: SingleAnswer, nonce: bytes | None = None) -> OcspRule | None:
    """The rule that a response breaks, as what was ordered, now."""
    try:
        GATE.check(octets, ordered or [single()], nonce, NOW).verify()
    except ResponseRefused as error:
        return error.rule
    return None


@pytest.mark.parametrize("status", [Good(), Unknown(), REVOKED, *(
    Revoked(reason, NOW) for reason in Reason if reason is not Reason.REMOVE_FROM_CRL
), Revoked(Reason.CERTIFICATE_HOLD, NOW - timedelta(microseconds=1))])  # fmt: skip
@pytest.mark.parametrize("nonce", [None, NONCE])
def test_what_was_ordered_passes(status: Status, nonce: bytes | None) -> None:
    one = single(status)
    assert refused(response(one, nonce=nonce), one, nonce=nonce) is None


def test_what_is_told_of_several_certificates_passes_in_their_order() -> None:
    ordered = [single(Good(), serial) for serial in (5, 3, 2**158)]
    assert refused(response(*ordered), *ordered) is None
    assert refused(response(*reversed(ordered)), *ordered) is OcspRule.ANSWERS
    assert refused(response(*ordered[:2]), *ordered) is OcspRule.ANSWERS
    assert refused(response(*ordered), *ordered[:2]) is OcspRule.ANSWERS


def test_known_extensions_pass() -> None:
    octets = signed_by_hand(data_of(one_of(after=_explicit(CUTOFF))))
    assert refused(octets) is None


OTHER = Pki.new()
OTHER_SIGNER = ResponseSigner.of(OTHER.ocsp.responder_certificate, OTHER.ocsp.key)
LATE, EARLY = (
    single(next_update=NOW - SECOND, this_update=NOW - HOUR),
    single(this_update=NOW + SECOND),
)
FORTY_DAYS = single(next_update=NOW + timedelta(days=40))

FAULTS: dict[str, tuple[OcspRule, Callable[[], OcspRule | None]]] = {
    "expired": (OcspRule.DATES, lambda: refused(response(LATE), LATE)),
    "thisUpdate ahead": (OcspRule.DATES, lambda: refused(response(EARLY), EARLY)),
    "producedAt ahead": (OcspRule.DATES, lambda: refused(response(produced=NOW + SECOND))),
    "40 days": (OcspRule.VALIDITY, lambda: refused(response(FORTY_DAYS), FORTY_DAYS)),
    "no nextUpdate": (
        OcspRule.DATES,
        lambda: refused(signed_by_hand(data_of(one_of(next_update=b"")))),
    ),
    "no signer certificate": (
        OcspRule.SIGNER,
        lambda: refused(signed_by_hand(data_of(one_of()), b"")),
    ),
    "another certificate": (
        OcspRule.SIGNER,
        lambda: refused(signed_by_hand(data_of(one_of()), OTHER_SIGNER.certificates)),
    ),
    "another responder's name": (
        OcspRule.SIGNER,
        lambda: refused(signed_by_hand(data_of(one_of(), responder_id=OTHER_SIGNER.responder_id))),
    ),
    "another key": (
        OcspRule.SIGNATURE,
        lambda: refused(signed_by_hand(data_of(one_of()), signer=OTHER_SIGNER)),
    ),
    "another algorithm": (
        OcspRule.ALGORITHM,
        lambda: refused(
            signed_by_hand(data_of(one_of()), signer=replace(SIGNER, algorithm=P384.algorithm))
        ),
    ),
    "good for revoked": (OcspRule.ANSWERS, lambda: refused(response(single(Good())))),
    "another reason": (
        OcspRule.ANSWERS,
        lambda: refused(response(single(Revoked(Reason.SUPERSEDED, REVOKED.at)))),
    ),
    "another time of revocation": (
        OcspRule.ANSWERS,
        lambda: refused(response(single(replace(REVOKED, at=NOW)))),
    ),
    "another serial": (OcspRule.ANSWERS, lambda: refused(response(single(serial=78)))),
    "another nextUpdate": (
        OcspRule.ANSWERS,
        lambda: refused(response(single(next_update=NOW + HOUR - SECOND))),
    ),
    "no nonce": (OcspRule.NONCE, lambda: refused(response(), nonce=NONCE)),
    "a nonce unasked": (OcspRule.NONCE, lambda: refused(response(nonce=NONCE))),
    "another nonce": (OcspRule.NONCE, lambda: refused(response(nonce=NONCE), nonce=b"m" * 16)),
    "a reason beside RevokedInfo": (
        OcspRule.EXTENSIONS,
        lambda: refused(signed_by_hand(data_of(one_of(after=_explicit(REASON_CODE))))),
    ),
    "an extension twice": (
        OcspRule.EXTENSIONS,
        lambda: refused(signed_by_hand(data_of(one_of(after=_explicit(CUTOFF, CUTOFF))))),
    ),
    "no extension in the list": (
        OcspRule.EXTENSIONS,
        lambda: refused(signed_by_hand(data_of(one_of(after=_explicit())))),
    ),
    "an unknown extension": (
        OcspRule.EXTENSIONS,
        lambda: refused(signed_by_hand(data_of(one_of(), _explicit(CUTOFF)))),
    ),
    "reason 0 told": (
        OcspRule.STRUCTURE,
        lambda: refused(signed_by_hand(data_of(one_of(status=_told(0))))),
    ),
    "reason 7": (
        OcspRule.STRUCTURE,
        lambda: refused(signed_by_hand(data_of(one_of(status=_told(7))))),
    ),
    "a good with something in it": (
        OcspRule.STRUCTURE,
        lambda: refused(signed_by_hand(data_of(one_of(status=b"\x80\x01\x00")))),
    ),
    "an error": (
        OcspRule.STRUCTURE,
        lambda: refused(error_response(ResponseStatus.INTERNAL_ERROR)),
    ),
    "nothing": (OcspRule.STRUCTURE, lambda: refused(b"")),
    "octets after it": (OcspRule.STRUCTURE, lambda: refused(response() + b"\x00")),
}
WHOLE = response(nonce=NONCE)
P384 = ResponseSigner.of(PKI.ocsp.responder_certificate, a_key("EC-P384"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_held_back_by_its_rule(fault: str) -> None:
    rule, found = FAULTS[fault]
    assert found() is rule


def test_every_rule_has_a_fault() -> None:
    assert {rule for rule, _ in FAULTS.values()} == {*OcspRule}


def test_the_longest_validity_passes_and_a_second_more_does_not() -> None:
    longest = single(next_update=NOW + LONGEST_VALIDITY)
    longer = single(next_update=NOW + LONGEST_VALIDITY + SECOND)
    assert refused(response(longest), longest) is None
    assert refused(response(longer), longer) is OcspRule.VALIDITY


def test_a_response_does_not_outlive_its_signer() -> None:
    gate = replace(GATE, not_after=NOW + HOUR - SECOND)
    with pytest.raises(ResponseRefused) as caught:
        gate.check(response(), [single()], None, NOW)
    assert caught.value.rule is OcspRule.DATES


def test_a_leaf_without_the_purpose_signs_no_responses() -> None:
    key = new_key()
    leaf = responder_certificate(PKI.issuing, key, ExtendedKeyUsageOID.CLIENT_AUTH)
    with pytest.raises(ResponderRefused) as caught:
        OcspIssuer(PKI.ocsp.name, PKI.issuing.certificate, leaf, key)
    assert caught.value.rule is ResponderRule.OCSP_SIGNING


@settings(max_examples=400)
@given(st.data())
def test_a_changed_octet_is_held_back(chance: st.DataObject) -> None:
    octets = bytearray(WHOLE)
    position = chance.draw(st.integers(0, len(octets) - 1))
    octets[position] ^= chance.draw(st.integers(1, 255))
    assert refused(bytes(octets), nonce=NONCE) is not None


def test_what_a_broken_token_signs_is_not_made_ahead_nor_kept_by_caches() -> None:
    key = RecordingKey(PKI.ocsp.key, [], lambda made: made[:-1] + bytes([made[-1] ^ 1]))
    issuer = replace(PKI.ocsp, key=key)
    responder = OcspResponder(issuer, MemoryStatusSource({SerialNumber(77): Good()}))
    for act in (
        lambda: responder.answer(asked(PKI, SerialNumber(77)), NOW),
        lambda: responder.produce(DueResponse(SerialNumber(77), 1, Good()), NOW),
    ):
        with pytest.raises(ResponseRefused) as caught:
            act()
        assert caught.value.rule is OcspRule.SIGNATURE

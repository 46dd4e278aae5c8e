from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import crl as asn1_crl
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.identifiers import SerialNumber
from ca.signatures import SigningKey
from revocation import der
from revocation.crl import CrlHeader, build_crl, check_crl, encode_entry, vanished
from revocation.errors import CrlRefused, CrlRule, KeyRefused
from revocation.reasons import Reason
from revocation.signatures import algorithm_for
from tests.support.revocation_pki import Pki, issuer_certificate, new_key

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
HEADER = CrlHeader(7, NOW, NOW + timedelta(days=1))
PKI = Pki.new()
ISSUER = PKI.issuing.certificate
KEY = PKI.issuing.key

SERIALS = st.integers(1, (1 << 159) - 1).map(SerialNumber)
REASONS = st.sampled_from([reason for reason in Reason if reason is not Reason.REMOVE_FROM_CRL])
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - hypothesis asks


def crl_of(*serials: int, header: CrlHeader = HEADER, key: SigningKey = KEY) -> bytes:
    entries = [encode_entry(SerialNumber(serial), NOW, Reason.SUPERSEDED) for serial in serials]
    return build_crl(ISSUER, key, header, entries)


@settings(max_examples=50)
@given(st.dictionaries(SERIALS, st.tuples(TIMES, REASONS), max_size=8))
def test_two_other_decoders_read_what_was_revoked(
    revoked: dict[SerialNumber, tuple[datetime, Reason]],
) -> None:
    expected = {
        serial: (at.replace(tzinfo=UTC, microsecond=0), reason)
        for serial, (at, reason) in revoked.items()
    }
    entries = [encode_entry(serial, *expected[serial]) for serial in sorted(expected)]
    crl = build_crl(ISSUER, KEY, HEADER, entries)
    assert check_crl(crl, ISSUER, NOW) == HEADER
    assert read_by_cryptography(crl) == expected
    assert read_by_asn1crypto(crl) == expected


def read_by_cryptography(crl: bytes) -> dict[SerialNumber, tuple[datetime, Reason]]:
    read = {}
    for entry in x509.load_der_x509_crl(crl):
        reason = Reason.UNSPECIFIED
        for extension in entry.extensions:
            assert isinstance(extension.value, x509.CRLReason)
            reason = Reason.from_label(extension.value.reason.value)
            assert reason is not Reason.UNSPECIFIED
        read[SerialNumber(entry.serial_number)] = (entry.revocation_date_utc, reason)
    return read


def read_by_asn1crypto(crl: bytes) -> dict[SerialNumber, tuple[datetime, Reason]]:
    listed = asn1_crl.CertificateList.load(crl, strict=True)["tbs_cert_list"]
    read = {}
    for entry in listed["revoked_certificates"] or []:
        reason = entry.crl_reason_value
        read[SerialNumber(entry["user_certificate"].native)] = (
            entry["revocation_date"].native,
            Reason.UNSPECIFIED if reason is None else Reason(REASON_NUMBERS[reason.native]),
        )
    return read


REASON_NUMBERS = {word: number for number, word in asn1_crl.CRLReason._map.items()}


def test_an_empty_crl_has_no_revoked_certificates_at_all() -> None:
    listed = asn1_crl.CertificateList.load(crl_of(), strict=True)["tbs_cert_list"]
    assert not isinstance(listed["revoked_certificates"], asn1_crl.RevokedCertificates)
    assert listed["version"].native == "v2"


def test_the_issuer_field_is_the_subject_byte_for_byte() -> None:
    crl = x509.load_der_x509_crl(crl_of(3))
    assert crl.issuer.public_bytes() == ISSUER.subject.public_bytes()
    subject, _ = der.subject_and_key(ISSUER)
    assert subject in crl.tbs_certlist_bytes


def test_it_carries_the_number_and_the_issuers_key_identifier_and_nothing_else() -> None:
    extensions = x509.load_der_x509_crl(crl_of(3)).extensions
    number = extensions.get_extension_for_class(x509.CRLNumber)
    authority = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    subject = ISSUER.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert number.value.crl_number == 7
    assert authority.value.key_identifier == subject.value.digest
    assert [extension.critical for extension in extensions] == [False, False]


@pytest.mark.parametrize(
    "make_key",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "P-521", "RSA"],
)
def test_every_kind_of_key_signs_a_crl_that_others_verify(
    make_key: Callable[[], SigningKey],
) -> None:
    key = make_key()
    certificate = issuer_certificate(key)
    crl = build_crl(certificate, key, HEADER, [encode_entry(SerialNumber(3), NOW, Reason(1))])
    assert check_crl(crl, certificate, NOW) == HEADER
    assert x509.load_der_x509_crl(crl).is_signature_valid(key.public_key())


def test_an_odd_curve_makes_no_signature() -> None:
    with pytest.raises(KeyRefused):
        algorithm_for(ec.generate_private_key(ec.SECP256K1()))


def test_no_signature_of_another_kind_of_key_is_verified() -> None:
    with pytest.raises(InvalidSignature):
        algorithm_for(KEY).verify(
            ed25519.Ed25519PrivateKey.generate().public_key(), bytes(64), b"tbs"
        )


def test_the_reason_that_lifts_a_hold_is_not_in_a_full_crl() -> None:
    with pytest.raises(ValueError, match="delta"):
        encode_entry(SerialNumber(3), NOW, Reason.REMOVE_FROM_CRL)


@pytest.mark.parametrize(
    ("number", "this_update", "next_update"),
    [
        (-1, NOW, NOW + timedelta(days=1)),
        (1 << 159, NOW, NOW + timedelta(days=1)),
        (1, NOW, NOW),
        (1, NOW.replace(microsecond=1), NOW + timedelta(days=1)),
    ],
)
def test_a_header_out_of_bounds_does_not_exist(
    number: int, this_update: datetime, next_update: datetime
) -> None:
    with pytest.raises(ValueError):
        CrlHeader(number, this_update, next_update)


# The examples of a refused CRL: each is the CRL, its judge's certificate and the time.
Judged = tuple[bytes, x509.Certificate, datetime]


def judged(crl: bytes, certificate: x509.Certificate = ISSUER, now: datetime = NOW) -> Judged:
    return crl, certificate, now


def resealed(crl: bytes, old: bytes, new: bytes) -> bytes:
    """The CRL with octets of the same length changed before it is signed."""
    certificate_list = der.Reader(crl).enter(der.SEQUENCE)
    tbs = certificate_list.whole(der.SEQUENCE)
    assert old in tbs
    algorithm = algorithm_for(KEY)
    tbs = tbs.replace(old, new)
    signature = der.bit_string(algorithm.sign(KEY, tbs))
    return der.sequence(tbs, algorithm.identifier, signature)


ENTRY = encode_entry(SerialNumber(3), NOW, Reason.SUPERSEDED)
CRL = crl_of(3, 200, 70_000)

REFUSED: list[tuple[CrlRule, Callable[[], Judged]]] = [
    (CrlRule.STRUCTURE, lambda: judged(CRL + b"\x00")),
    (CrlRule.STRUCTURE, lambda: judged(CRL[:-1])),
    (CrlRule.STRUCTURE, lambda: judged(b"")),
    (CrlRule.STRUCTURE, lambda: judged(build_crl(ISSUER, KEY, HEADER, [b""]))),
    (CrlRule.STRUCTURE, lambda: judged(resealed(CRL, der.integer(1), der.integer(0)))),
    (CrlRule.STRUCTURE, lambda: judged(resealed(CRL, b"\x02\x01\x07", b"\x02\x01\xff"))),
    (CrlRule.MAY_SIGN, lambda: judged(CRL, issuer_certificate(KEY, crl_sign=False))),
    (CrlRule.MAY_SIGN, lambda: judged(CRL, issuer_certificate(KEY, crl_sign=None))),
    (CrlRule.MAY_SIGN, lambda: judged(CRL, PKI.subscriber(SerialNumber(9)))),
    (CrlRule.ISSUER, lambda: judged(CRL, issuer_certificate(KEY, common_name="Persons G2"))),
    (
        CrlRule.ALGORITHM,
        lambda: judged(CRL, issuer_certificate(ec.generate_private_key(ec.SECP384R1()))),
    ),
    (CrlRule.EXTENSIONS, lambda: judged(CRL, issuer_certificate(KEY, key_identifier=b"other"))),
    (CrlRule.DATES, lambda: judged(CRL, now=HEADER.next_update + timedelta(seconds=1))),
    (CrlRule.DATES, lambda: judged(CRL, now=HEADER.this_update - timedelta(seconds=1))),
    (CrlRule.ENTRIES, lambda: judged(crl_of(3, 3))),
    (CrlRule.ENTRIES, lambda: judged(crl_of(200, 3))),
    (CrlRule.ENTRIES, lambda: judged(build_crl(ISSUER, KEY, HEADER, [ENTRY[:-1]]))),
    (CrlRule.ENTRIES, lambda: judged(build_crl(ISSUER, KEY, HEADER, [ENTRY, b"\x05\x00"]))),
    (CrlRule.ENTRIES, lambda: judged(resealed(CRL, b"\x0a\x01\x04", b"\x0a\x01\x00"))),
    (CrlRule.ENTRIES, lambda: judged(resealed(CRL, b"\x0a\x01\x04", b"\x0a\x01\x08"))),
    (CrlRule.SIGNATURE, lambda: judged(crl_of(3, key=new_key()))),
]


@pytest.mark.parametrize(("rule", "example"), REFUSED)
def test_the_gate_names_the_rule_that_a_crl_breaks(
    rule: CrlRule, example: Callable[[], Judged]
) -> None:
    with pytest.raises(CrlRefused) as refusal:
        check_crl(*example())
    assert refusal.value.rule is rule


def test_every_rule_has_a_refused_example() -> None:
    told_by_issue_crl = {CrlRule.AS_ORDERED, CrlRule.AS_BEFORE}
    assert {rule for rule, _ in REFUSED} | told_by_issue_crl == set(CrlRule)


def test_an_issuer_without_key_identifier_signs_no_crl() -> None:
    with pytest.raises(CrlRefused) as refusal:
        build_crl(PKI.subscriber(SerialNumber(9)), KEY, HEADER, [])
    assert refusal.value.rule is CrlRule.MAY_SIGN


@settings(max_examples=200)
@given(st.integers(0, len(CRL) - 1), st.integers(1, 255))
def test_no_single_changed_octet_passes_the_gate(position: int, change: int) -> None:
    changed = bytearray(CRL)
    changed[position] ^= change
    with pytest.raises(CrlRefused):
        check_crl(bytes(changed), ISSUER, NOW)


@settings(max_examples=50)
@given(st.sets(SERIALS, max_size=30), st.sets(SERIALS, max_size=30), st.sets(SERIALS, max_size=30))
def test_what_vanished_is_the_difference_of_the_lists(
    kept: set[SerialNumber], gone: set[SerialNumber], added: set[SerialNumber]
) -> None:
    previous = crl_of(*sorted(kept | gone))
    new = crl_of(*sorted(kept | added))
    assert vanished(previous, new) == (kept | gone) - (kept | added)


def test_what_vanished_is_found_in_long_lists_too() -> None:
    before = range(2, 30_000)
    after = sorted({*before, *range(40_000, 45_000)} - {2, 4097, 4098, 12_345, 29_999})
    assert vanished(crl_of(*before), crl_of(*after)) == {2, 4097, 4098, 12_345, 29_999}
    assert vanished(crl_of(*before), crl_of()) == set(before)

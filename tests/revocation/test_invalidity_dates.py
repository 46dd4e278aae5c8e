"""invalidityDate in CRL entries (RFC 5280 section 5.3.2): written, gated and read by others."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import crl as asn1_crl
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.identifiers import SerialNumber
from revocation.crl import CrlHeader, build_crl, check_crl, encode_entry, vanished
from revocation.errors import CrlRefused, CrlRule
from revocation.reasons import Reason
from tests.support.revocation_lint import findings_in_crl
from tests.support.revocation_pki import Pki

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
HEADER = CrlHeader(7, NOW, NOW + timedelta(days=1))
PKI = Pki.new()
ISSUER, KEY = PKI.issuing.certificate, PKI.issuing.key
SERIALS = st.integers(1, (1 << 159) - 1).map(SerialNumber)
TIMES = st.sampled_from([NOW, NOW.replace(year=2050), NOW.replace(year=1999)])
DATES = st.none() | st.sampled_from([NOW - timedelta(days=40), NOW.replace(year=2051)])


def crl_of(revoked: dict[SerialNumber, tuple[datetime, datetime | None]]) -> bytes:
    """A CRL of compromises; those without a date say nothing but when they were revoked."""
    entries = [
        encode_entry(s, at, Reason.KEY_COMPROMISE if since else Reason.UNSPECIFIED, since)
        for s, (at, since) in sorted(revoked.items())
    ]
    return build_crl(ISSUER, KEY, HEADER, entries)


@settings(max_examples=100)
@given(st.dictionaries(SERIALS, st.tuples(TIMES, DATES), max_size=8))
def test_others_read_the_date_and_the_gate_lets_it_pass(
    revoked: dict[SerialNumber, tuple[datetime, datetime | None]],
) -> None:
    crl = crl_of(revoked)

    assert check_crl(crl, ISSUER, NOW) == HEADER
    dates = {serial: since for serial, (_, since) in revoked.items()}
    assert by_cryptography(crl) == by_asn1crypto(crl) == dates


def test_the_linter_and_openssl_have_nothing_to_say(tmp_path: Path) -> None:
    serial = SerialNumber((7 << 130) + 1)
    crl = crl_of({serial: (NOW, NOW - timedelta(days=40))})
    assert findings_in_crl(crl) == []

    file = tmp_path / "dated.crl"
    file.write_bytes(crl)
    command = ["openssl", "crl", "-inform", "DER", "-noout", "-text", "-in", str(file)]
    read = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    assert "Invalidity Date" in read
    assert "Oct 13 08:30:00 2026 GMT" in read


def by_cryptography(crl: bytes) -> dict[SerialNumber, datetime | None]:
    read: dict[SerialNumber, datetime | None] = {}
    for entry in x509.load_der_x509_crl(crl):
        dates = [e.value for e in entry.extensions if isinstance(e.value, x509.InvalidityDate)]
        read[SerialNumber(entry.serial_number)] = dates[0].invalidity_date_utc if dates else None
    return read


def by_asn1crypto(crl: bytes) -> dict[SerialNumber, datetime | None]:
    tbs = asn1_crl.CertificateList.load(crl, strict=True)["tbs_cert_list"]
    return {
        SerialNumber(entry["user_certificate"].native): (
            None if entry.invalidity_date_value is None else entry.invalidity_date_value.native
        )
        for entry in tbs["revoked_certificates"]
    }


def test_no_entry_hides_behind_one_that_looks_like_an_extension() -> None:
    """An entry of 38 octets after one without extensions begins as a dated extension would."""
    short, seven, nineteen = (SerialNumber((1 << (8 * n - 2)) + 1) for n in (1, 7, 19))
    later = NOW.replace(year=2050)
    entries = [
        encode_entry(short, NOW, Reason.UNSPECIFIED),
        encode_entry(seven, NOW, Reason.SUPERSEDED),
        encode_entry(nineteen, later, Reason.UNSPECIFIED),
    ]
    assert [len(entry) for entry in entries[1:]] == [2 + 38] * 2
    whole = build_crl(ISSUER, KEY, HEADER, entries)
    for gone in (seven, nineteen):
        left = [e for e, s in zip(entries, (short, seven, nineteen), strict=True) if s != gone]
        assert vanished(whole, build_crl(ISSUER, KEY, HEADER, left)) == {gone}


@pytest.mark.parametrize("reason", [Reason.SUPERSEDED, Reason.CERTIFICATE_HOLD])
def test_a_date_beside_a_reason_that_is_no_compromise_is_held_back(reason: Reason) -> None:
    crl = build_crl(ISSUER, KEY, HEADER, [encode_entry(SerialNumber(3), NOW, reason, NOW)])
    with pytest.raises(CrlRefused) as refusal:
        check_crl(crl, ISSUER, NOW)
    assert refusal.value.rule is CrlRule.ENTRIES

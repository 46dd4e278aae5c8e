"""Certificates as they are encoded and signed, judged by OpenSSL, GnuTLS and pkilint."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ca.certificates import Issuer, StatusUrls, assemble, sign_octets, validity_period
from ca.errors import SigningFailed
from ca.identifiers import SERIAL_RANDOM_BITS, IssuerName, SerialNumber
from ca.profiles import load_profile
from ca.signatures import algorithm_of
from server.clock import utc_now
from tests.support.ca_builders import (
    CA_PROFILES,
    LEAF_PROFILES,
    NOW,
    a_key,
    a_prepared,
    a_root,
    an_issuer,
)
from tests.support.pkilint_findings import pkilint_findings
from tests.support.relying_parties import gnutls_verify, openssl_verify

KINDS = ("EC-P256", "EC-P384", "RSA-2048")
SECOND = timedelta(seconds=1)
# Findings of severity NOTICE that are as we want them: none.
WAIVED: frozenset[str] = frozenset()


def signed(
    issuer: Issuer, profile: str = "staff", kind: str = "EC-P256", now: datetime = NOW
) -> x509.Certificate:
    prepared = a_prepared(profile, issuer, kind, now)
    signature = sign_octets(issuer.key, prepared.tbs_certificate)
    return assemble(prepared.copy, signature, issuer)


def a_chain(
    kind: str, root_kind: str, profile: str = "staff", now: datetime = NOW
) -> list[x509.Certificate]:
    issuer, root = an_issuer(kind, root_kind, now), a_root(root_kind, now)
    assert issuer.certificate is not None
    assert root.certificate is not None
    return [signed(issuer, profile, now=now), issuer.certificate, root.certificate]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("root_kind", KINDS)
def test_openssl_verifies_the_chain_between_its_dates(
    kind: str, root_kind: str, tmp_path: Path
) -> None:
    chain = a_chain(kind, root_kind)
    first, last = chain[0].not_valid_before_utc, chain[0].not_valid_after_utc
    assert openssl_verify(tmp_path, chain, first) == ""
    # OpenSSL does not count the last second any more (X509_cmp_time), RFC 5280 4.1.2.5 does.
    assert openssl_verify(tmp_path, chain, last - SECOND) == ""
    assert "certificate has expired" in openssl_verify(tmp_path, chain, last + SECOND)
    assert "not yet valid" in openssl_verify(tmp_path, chain, first - SECOND)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("root_kind", KINDS)
def test_gnutls_verifies_a_chain_made_now(kind: str, root_kind: str, tmp_path: Path) -> None:
    assert gnutls_verify(tmp_path, a_chain(kind, root_kind, now=utc_now())) == ""


@pytest.mark.parametrize("profile", LEAF_PROFILES)
def test_openssl_and_gnutls_verify_a_certificate_of_each_profile(
    profile: str, tmp_path: Path
) -> None:
    chain = a_chain("EC-P256", "EC-P384", profile, utc_now())
    assert openssl_verify(tmp_path, chain, chain[0].not_valid_before_utc) == ""
    assert gnutls_verify(tmp_path, chain) == ""


def test_openssl_and_gnutls_refuse_a_chain_with_another_root(tmp_path: Path) -> None:
    chain = [*a_chain("EC-P256", "EC-P384", now=utc_now())[:2], *a_chain("EC-P256", "EC-P384")[2:]]
    assert openssl_verify(tmp_path, chain, chain[0].not_valid_before_utc) != ""
    assert gnutls_verify(tmp_path, chain) != ""


@pytest.mark.parametrize("kind", KINDS)
def test_pkilint_finds_nothing_in_the_certificates_of_the_authorities(kind: str) -> None:
    for issuer in (a_root(kind), an_issuer(kind)):
        assert issuer.certificate is not None
        assert pkilint_findings(issuer.certificate) <= WAIVED


@pytest.mark.parametrize("profile", LEAF_PROFILES)
def test_pkilint_finds_nothing_in_a_certificate_of_each_profile(profile: str) -> None:
    for kind in load_profile(profile).key_types:
        if kind not in {"RSA-3072", "RSA-4096"}:  # another length of the same encoding
            assert pkilint_findings(signed(an_issuer(), profile, kind)) <= WAIVED


def test_not_after_is_the_last_second_that_counts() -> None:
    profile = load_profile("tls-server")
    not_before, not_after = validity_period(profile, NOW.replace(microsecond=999_999))
    assert not_before == NOW
    assert not_after - not_before + SECOND == timedelta(days=profile.validity_days)


def test_an_issuer_whose_certificate_names_no_key_is_named_by_the_key_itself() -> None:
    """Authorities of old have no subjectKeyIdentifier (RFC 5280 section 4.2.1.1)."""
    whole, key = an_issuer(), a_key()
    begins, ends = (moment.replace(tzinfo=None) for moment in (NOW, NOW + timedelta(days=4000)))
    builder = x509.CertificateBuilder(
        whole.subject, whole.subject, key.public_key(), 1, begins, ends
    )
    builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)  # noqa: FBT003
    own = builder.sign(key, hashes.SHA256())  # type: ignore[arg-type]
    prepared = a_prepared("tls-server", replace(whole, key=key, certificate=own))
    found = prepared.copy.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert found == x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def test_what_is_signed_is_what_was_looked_at_octet_for_octet() -> None:
    prepared = a_prepared()
    issuer = prepared.content.issuer
    made = assemble(prepared.copy, sign_octets(issuer.key, prepared.tbs_certificate), issuer)
    assert made.tbs_certificate_bytes == prepared.copy.tbs_certificate_bytes
    assert made.signature != prepared.copy.signature
    assert made.signature_algorithm_oid == prepared.copy.signature_algorithm_oid
    assert made.public_bytes(Encoding.DER) != prepared.copy.public_bytes(Encoding.DER)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("garbage", [b"", b"\0", b"\x30\x00", b"\xff" * 256, b"\0" * 4096])
def test_garbage_for_a_signature_is_no_certificate(kind: str, garbage: bytes) -> None:
    issuer = an_issuer(kind)
    with pytest.raises(SigningFailed, match="does not verify"):
        assemble(a_prepared("staff", issuer).copy, garbage, issuer)


def test_the_throw_away_copy_itself_is_no_certificate() -> None:
    copy = a_prepared().copy
    with pytest.raises(SigningFailed):
        assemble(copy, copy.signature, an_issuer())


@pytest.mark.parametrize("kind", ["EC-P256", "RSA-2048"])
def test_a_signature_by_another_key_than_the_certified_one_is_no_certificate(kind: str) -> None:
    swapped = replace(an_issuer("EC-P256"), key=a_key(kind))
    prepared = a_prepared("staff", swapped)
    with pytest.raises(SigningFailed, match="does not verify"):
        assemble(prepared.copy, sign_octets(swapped.key, prepared.tbs_certificate), swapped)


def test_the_addresses_are_those_under_which_the_issuer_publishes() -> None:
    urls = StatusUrls.under("http://127.0.0.1:8080", IssuerName("issuing"))
    extensions = signed(an_issuer()).extensions
    access = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    points = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert [each.access_location.value for each in access] == [urls.ocsp, urls.certificate]
    assert [name.value for point in points for name in point.full_name or ()] == [urls.crl]


@pytest.mark.parametrize("kind", [*KINDS, "EC-P521"])
@pytest.mark.parametrize("profile", [*LEAF_PROFILES, *CA_PROFILES])
def test_our_encoding_is_that_of_another_builder_octet_for_octet(profile: str, kind: str) -> None:
    prepared = a_prepared(profile, an_issuer(kind))
    content, key = prepared.content, prepared.content.issuer.key
    builder = x509.CertificateBuilder(
        content.issuer.subject,
        content.subject.to_x509(),
        content.public_key,
        content.serial_number,
        content.not_before.replace(tzinfo=None),
        content.not_after.replace(tzinfo=None),
    )
    for extension, critical in content.expected_extensions():
        builder = builder.add_extension(extension, critical)
    built = builder.sign(key, algorithm_of(key).hash_algorithm)  # type: ignore[arg-type]
    assert built.tbs_certificate_bytes == prepared.tbs_certificate


@pytest.mark.parametrize("year", [2049, 2050])
def test_dates_on_both_sides_of_2050_read_back_as_they_were_decided(year: int) -> None:
    now = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    prepared = a_prepared("tls-server", a_root(), now=now)
    copy = prepared.copy
    assert copy.not_valid_before_utc == now
    assert copy.not_valid_after_utc == prepared.content.not_after


def test_the_signature_is_as_strong_as_the_key() -> None:
    names = [signed(an_issuer(kind)).signature_hash_algorithm for kind in (*KINDS, "EC-P521")]
    assert [n.name for n in names if n] == ["sha256", "sha384", "sha256", "sha512"]


def test_serial_numbers_are_eighteen_octets_without_a_repeat_or_a_leaning_bit() -> None:
    draws = 100_000
    serials = [SerialNumber.random() for _ in range(draws)]
    assert len(set(serials)) == draws
    assert {(s.bit_length() + 7) // 8 for s in serials} == {18}
    assert min(serials) > 0
    assert all(s >> SERIAL_RANDOM_BITS == 1 for s in serials)
    five_sigma = 5 * (draws * 0.25) ** 0.5
    for bit in range(SERIAL_RANDOM_BITS):
        ones = sum(s >> bit & 1 for s in serials)
        assert abs(ones - draws / 2) < five_sigma, bit


def test_two_nodes_never_draw_the_same_serial_number() -> None:
    assert {SerialNumber.random(node) >> SERIAL_RANDOM_BITS for node in range(1, 128)} == set(
        range(1, 128)
    )


@pytest.mark.parametrize("node", [0, -1, 128])
def test_a_node_octet_that_would_vanish_or_look_negative_is_refused(node: int) -> None:
    with pytest.raises(ValueError, match="1 to 127"):
        SerialNumber.random(node)


@pytest.mark.parametrize("value", [0, -1, 1 << 159])
def test_a_serial_number_out_of_bounds_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match=re.escape("below 2^159")):
        SerialNumber(value)


def test_a_prepared_certificate_does_not_show_whom_it_names() -> None:
    shown = repr(a_prepared("natural-person-substantial"))
    assert "Kirsten" not in shown
    assert "Ødegaard" not in shown

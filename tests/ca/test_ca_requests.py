"""Certification requests: one kind of key passes, and nothing but a typed refusal comes out."""

import ipaddress
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import AttributeOID
from hypothesis import given
from hypothesis import strategies as st

from ca import der
from ca.errors import MalformedRequest, Refused
from ca.key_quality import key_type
from ca.requests import (
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_OCTETS,
    CertificationRequest,
    check_host_name,
    parse_request,
)
from ca.signatures import SigningKey
from tests.support.ca_builders import a_key, an_rsa_key
from tests.support.request_builders import (
    a_request,
    a_request_for_numbers,
    a_request_of_version,
    a_request_on_explicit_parameters,
    a_request_with_attributes,
    an_rsa_modulus,
)

KINDS = ("EC-P256", "EC-P384", "EC-P521", "RSA-2048")
GOOD = a_request(ec.derive_private_key(7, ec.SECP256R1()), [x509.DNSName("ca.tillid.example")])


def refused_rule(octets: bytes) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        parse_request(octets)
    (finding,) = refused.value.findings
    return finding.rule, finding.sentence


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_signed_by_its_key_gives_the_key(kind: str) -> None:
    key = a_key(kind)
    request = parse_request(a_request(key))
    assert request.public_key == key.public_key()
    assert key_type(request.public_key) == kind


@pytest.mark.parametrize("kind", ["EC-P256", "RSA-2048"])
def test_a_request_made_by_openssl_passes_in_pem_and_in_der(kind: str, tmp_path: Path) -> None:
    key, path = a_key(kind), tmp_path / "key.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    read = []
    for form in ("PEM", "DER"):
        command = ["openssl", "req", "-new", "-key", path, "-subj", "/CN=Karen", "-outform", form]
        made = subprocess.run(command, check=True, capture_output=True, timeout=20).stdout
        read.append(parse_request(made))
    assert [request.public_key for request in read] == [key.public_key()] * 2


def test_only_the_key_and_host_names_come_through() -> None:
    wanted = [x509.DNSName("Ca.Tillid.Example"), x509.DNSName("ca.tillid.example"),
              x509.RFC822Name("root@tillid.example"),
              x509.DirectoryName(x509.Name([]))]  # fmt: skip
    request = parse_request(a_request(a_key(), wanted))
    assert request.proposed_host_names == ("ca.tillid.example",)
    assert CertificationRequest.__slots__ == ("public_key", "proposed_host_names", "der")


def test_a_common_name_proposes_no_dns_name() -> None:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca.tillid.example")])
    assert parse_request(a_request(a_key(), subject=subject)).proposed_host_names == ()


@pytest.mark.parametrize(
    "name",
    ["*.tillid.example", "127.0.0.1", "a..example", "-a.example", "a_b.example", "a" * 64, "7",
     ".example", "example.", "a.example\0", f"{'a.' * 127}aa", "<script>.example", "",
     "ab--cd.example", "www.ab--cd.example", "a---b.example", "ca.ab--cd"],
)  # fmt: skip
def test_a_dns_name_that_names_no_host_is_refused(name: str) -> None:
    assert refused_rule(a_request(a_key(), [x509.DNSName(name)]))[0] == "name.host"


@pytest.mark.parametrize("name", ["xn--kbenhavn-54a.example", "abc--d.example", "a-b.example"])
def test_hyphens_where_they_are_not_reserved_pass(name: str) -> None:
    assert check_host_name(name) == name


@pytest.mark.parametrize("name", ["fe80::1%eth0", "fe80::1%1", "::1%", "192.0.2.1%eth0"])
def test_an_address_with_a_zone_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="nor an IP address"):
        check_host_name(name)
    assert check_host_name("fe80::1") == "fe80::1"


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "it is empty"),
        (b" \n\t ", "it is empty"),
        (b"junk", "the octets are not a PKCS#10 request"),
        (b"\x30\x80\x00\x00", "the octets are not a PKCS#10 request"),
        (b"\x30" * 9000, "the octets are not a PKCS#10 request"),
        (b"-----BEGIN CERTIFICATE REQUEST-----\n", "the octets are not a PKCS#10 request"),
        (GOOD + b"\0", "the octets are not a PKCS#10 request"),
        (GOOD[:-1], "the octets are not a PKCS#10 request"),
        (GOOD + b" " * 17 * 1024, f"it is longer than {MAX_OCTETS} octets"),
    ],
    ids=["empty", "blank", "text", "indefinite", "nested", "pem", "long", "short", "17 KiB"],
)
def test_what_is_no_request_is_malformed(octets: bytes, why: str) -> None:
    with pytest.raises(MalformedRequest, match=why):
        parse_request(octets)


def test_a_request_cut_anywhere_is_malformed() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(MalformedRequest):
            parse_request(GOOD[:length])


def test_a_request_of_a_later_version_is_malformed() -> None:
    with pytest.raises(MalformedRequest):
        parse_request(a_request_of_version(1, an_rsa_key()))


def test_extensions_that_cannot_be_read_are_malformed() -> None:
    x400 = x509.UnrecognizedExtension(x509.ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
                                      b"\x30\x04\xa3\x02\x05\0")  # fmt: skip
    builder = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(x400, False)  # noqa: FBT003
    octets = builder.sign(a_key(), hashes.SHA256()).public_bytes(Encoding.DER)
    with pytest.raises(MalformedRequest, match="extensions cannot be read"):
        parse_request(octets)


def an_attribute(levels: int) -> bytes:
    """An attribute of so many levels of elements, its own and the set of its values among them."""
    value = b""
    for _ in range(levels - 2):
        value = der.sequence(value)
    return der.sequence(der.oid("1.2.3.4"), der.element(0x31, value))


@pytest.mark.parametrize(
    ("attributes", "passes"),
    [
        (b"", True),
        (an_attribute(3) * MAX_ATTRIBUTES, True),
        (an_attribute(3) * (MAX_ATTRIBUTES + 1), False),
        (an_attribute(MAX_DEPTH), True),
        (an_attribute(MAX_DEPTH + 1), False),
        (an_attribute(3000), False),
    ],
    ids=["none", "64", "65", "32 levels", "33 levels", "3000 levels"],
)
def test_a_request_has_few_attributes_of_few_levels(attributes: bytes, *, passes: bool) -> None:
    octets = a_request_with_attributes(a_key(), attributes)  # type: ignore[arg-type]
    if passes:
        assert parse_request(octets).der == octets
    else:
        with pytest.raises(MalformedRequest):
            parse_request(octets)


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_that_its_key_did_not_sign_is_refused(kind: str) -> None:
    octets = bytearray(a_request(a_key(kind)))
    octets[-1] ^= 1
    assert refused_rule(bytes(octets))[0] == "request.possession"


def test_a_request_signed_by_another_key_is_refused() -> None:
    one, other = (a_request(a_key()) for _ in range(2))
    key, stolen = (x509.load_der_x509_csr(o).public_key().public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint) for o in (one, other))  # fmt: skip
    assert refused_rule(one.replace(key, stolen))[0] == "request.possession"


@pytest.mark.parametrize(
    ("key", "broken"),
    [
        (lambda: ec.generate_private_key(ec.SECP224R1()), "key.curve"),
        (lambda: ec.generate_private_key(ec.SECP256K1()), "key.curve"),
        (lambda: ec.generate_private_key(ec.BrainpoolP256R1()), "key.curve"),
        (lambda: an_rsa_key(1024), "key.size"),
        (lambda: an_rsa_key(2048, 3), "key.exponent"),
        (lambda: an_rsa_key(2056), "key.size"),
    ],
    ids=["P-224", "secp256k1", "brainpool", "RSA-1024", "e=3", "RSA-2056"],
)
def test_a_key_outside_the_list_is_refused(key: Callable[[], SigningKey], broken: str) -> None:
    assert refused_rule(a_request(key()))[0] == broken


def test_an_edwards_key_is_refused() -> None:
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    request = builder.sign(ed25519.Ed25519PrivateKey.generate(), None)
    octets = request.public_bytes(Encoding.DER)
    assert refused_rule(octets) == (
        "request.key",
        "the public key is of a kind that is not certified",
    )


def test_a_curve_written_out_is_refused() -> None:
    octets = a_request_on_explicit_parameters(ec.generate_private_key(ec.SECP256R1()))
    assert refused_rule(octets)[0] == "request.key"


@pytest.mark.parametrize(
    ("modulus", "exponent", "broken"),
    [
        (an_rsa_modulus(512, 1), 65537, "key.size"),
        (an_rsa_modulus(2048, 2), 65537, "key.even"),
        (an_rsa_modulus(2048, 3), 65537, "key.small-factor"),
        (an_rsa_modulus(2048, 751), 65537, "key.small-factor"),
        (an_rsa_modulus(16384, 1), 65537, "key.size"),
        (an_rsa_modulus(2048, 1), 1, "request.key"),
        (an_rsa_modulus(2048, 1), 2, "request.key"),
        (an_rsa_modulus(2048, 1), 2**2047 + 1, "key.exponent"),
    ],
    ids=["512", "even", "three", "751", "16384", "e=1", "e=2", "e huge"],
)
def test_numbers_that_make_a_weak_rsa_key_are_refused(
    modulus: int, exponent: int, broken: str
) -> None:
    assert refused_rule(a_request_for_numbers(modulus, exponent))[0] == broken


@cache
def whole_requests() -> list[bytes]:
    return [GOOD, a_request(an_rsa_key(), [x509.DNSName("ca.tillid.example")])]


@given(st.binary(max_size=600))
def test_any_octets_are_refused_with_a_type(octets: bytes) -> None:
    with pytest.raises((MalformedRequest, Refused)):
        parse_request(octets)


@given(st.data())
def test_any_change_of_a_good_request_is_refused_with_a_type(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from(whole_requests()))
    octets = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(octets) - 1))
        octets[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        octets = octets or bytearray(b"\0")
    if octets == good:
        return
    try:
        key = parse_request(bytes(octets)).public_key
    except (MalformedRequest, Refused):
        return
    # ECDSA signatures can be written in two ways; what they sign is still what was signed.
    assert key == parse_request(good).public_key


def test_an_ip_address_is_proposed_as_what_it_is() -> None:
    wanted = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("a.example")]
    assert parse_request(a_request(a_key(), wanted)).proposed_host_names == (
        "a.example",
        "127.0.0.1",
    )


def test_der_is_der_whatever_armor_stands_in_it() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    password = b"\n-----BEGIN CERTIFICATE REQUEST-----\n"
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    asked = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, password)
    request = asked.sign(key, hashes.SHA256())
    for encoding in (Encoding.DER, Encoding.PEM):
        octets = request.public_bytes(encoding)
        assert parse_request(octets).der == request.public_bytes(Encoding.DER)


@pytest.mark.parametrize("before", ["Certificate Request:\n    Data:\n", "0: see below\n", "\n"])
def test_text_may_stand_before_the_armor(before: str) -> None:
    pem = x509.load_der_x509_csr(GOOD).public_bytes(Encoding.PEM)
    assert parse_request(before.encode() + pem).der == GOOD


@pytest.mark.parametrize("word", [b"NEW CERTIFICATE", b"CERTIFICATE"])
def test_of_two_requests_none_is_taken(word: bytes) -> None:
    pem = x509.load_der_x509_csr(GOOD).public_bytes(Encoding.PEM)
    with pytest.raises(MalformedRequest, match="there are 2 where one is asked for"):
        parse_request(pem + pem.replace(b"CERTIFICATE", word))

"""CRLs of other hands: full ones of the named issuer are read; what vanished after them is seen."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ca.errors import MalformedRequest
from ca.identifiers import SerialNumber
from revocation.crl import CrlHeader, build_crl, encode_entry, vanished
from revocation.foreign_crls import MAX_NUMBER, read_crl
from revocation.reasons import Reason
from tests.support.ca_builders import NOW, an_issuer

ISSUER = an_issuer()
ENDS = NOW + timedelta(days=7)


def a_crl(
    *extensions: x509.ExtensionType, serials: tuple[int, ...] = (), entry: bool = False
) -> bytes:
    builder = x509.CertificateRevocationListBuilder(ISSUER.subject, NOW, ENDS)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder(serial, NOW)
        if entry:
            name = x509.DirectoryName(ISSUER.subject)
            revoked = revoked.add_extension(x509.CertificateIssuer([name]), critical=True)
        builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(ISSUER.key, hashes.SHA256()).public_bytes(Encoding.DER)


def our_crl(*serials: int) -> bytes:
    assert ISSUER.certificate is not None
    entries = [encode_entry(SerialNumber(s), NOW, Reason.SUPERSEDED) for s in serials]
    return build_crl(ISSUER.certificate, ISSUER.key, CrlHeader(8, NOW, ENDS), entries)


def read(octets: bytes) -> object:
    assert ISSUER.certificate is not None
    return read_crl(octets, ISSUER.certificate)


def test_a_number_and_entries_are_read_and_a_crl_may_have_none() -> None:
    assert ISSUER.certificate is not None
    found = read_crl(a_crl(x509.CRLNumber(7), serials=(9, 3)), ISSUER.certificate)
    assert (found.number, found.this_update, found.next_update) == (7, NOW, ENDS)
    assert found.entries == {3: (Reason.UNSPECIFIED, NOW), 9: (Reason.UNSPECIFIED, NOW)}
    assert read_crl(a_crl(), ISSUER.certificate).number is None


@pytest.mark.parametrize(
    "octets",
    [
        a_crl(x509.DeltaCRLIndicator(3)),
        a_crl(x509.IssuingDistributionPoint(
            [x509.UniformResourceIdentifier("http://a.example/1.crl")], None, False, False,  # noqa: FBT003
            None, False, False)),  # noqa: FBT003
        a_crl(serials=(3,), entry=True),
        a_crl(x509.CRLNumber(MAX_NUMBER + 1)),
        b"junk",
    ],
    ids=["delta", "partial", "indirect", "number", "junk"],
)  # fmt: skip
def test_a_crl_that_says_less_than_it_seems_is_refused(octets: bytes) -> None:
    with pytest.raises(MalformedRequest):
        read(octets)


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        ((9, 3, 300), (3, 9, 300), set()),
        ((9, 3, 300), (3, 300), {9}),
        ((3, 9), (), {3, 9}),
        ((), (3,), set()),
    ],
)
@pytest.mark.parametrize("extension", [(), (x509.CRLNumber(7),)], ids=["plain", "numbered"])
def test_what_vanished_since_a_crl_of_other_hands_is_seen(
    before: tuple[int, ...],
    after: tuple[int, ...],
    gone: set[int],
    extension: tuple[x509.ExtensionType, ...],
) -> None:
    assert vanished(a_crl(*extension, serials=before), our_crl(*after)) == gone


def test_entries_in_any_order_are_followed_in_ours() -> None:
    """Of our shape but for the order, as some authorities write them."""
    assert ISSUER.certificate is not None
    entries = [encode_entry(SerialNumber(s), NOW, Reason.SUPERSEDED) for s in (300, 3, 9)]
    unordered = build_crl(ISSUER.certificate, ISSUER.key, CrlHeader(7, NOW, ENDS), entries)
    assert vanished(unordered, our_crl(3, 9, 300)) == frozenset()
    assert vanished(unordered, our_crl(3, 300)) == {9}

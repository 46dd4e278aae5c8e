"""Certificate revocation lists, version 2: what stands around the entries, and checking it all.

Complete CRLs, partitions of them (shards, RFC 5280 section 5.2.5) and delta CRLs (5.2.4). A CRL is
a head, its entries and a tail with the signature; `check_crl` looks at all of it as a relying
party would, and keeps nothing of the entries.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ca.identifiers import SerialNumber
from ca.signatures import SigningKey
from revocation import der
from revocation.crl_entries import (
    Octets,
    check_ascending,
    encode_entry,
    serial_of,
    serials,
    vanished_between,
)
from revocation.errors import CrlRefused, CrlRule, NotDer
from revocation.foreign_crls import foreign_serials
from revocation.signatures import algorithm_for, declared_algorithm, signed

__all__ = ["CrlHeader", "build_crl", "check_crl", "encode_entry", "vanished"]

_CRL_NUMBER_CEILING = 1 << 159
_VERSION_2 = der.integer(1)
_AUTHORITY_KEY_IDENTIFIER = der.oid("2.5.29.35")
_CRL_NUMBER = der.oid("2.5.29.20")
_DELTA_CRL_INDICATOR = der.oid("2.5.29.27")
_ISSUING_DISTRIBUTION_POINT = der.oid("2.5.29.28")
_FRESHEST_CRL = der.oid("2.5.29.46")
_EXPIRED_CERTS_ON_CRL = der.oid("2.5.29.60")
_URI = 0x86


@dataclass(frozen=True, slots=True)
class CrlHeader:
    """What tells one CRL of an issuer from the others; times are UTC.

    `base` is the number of the CRL that a delta CRL goes on from. `distribution_point` is the URL
    of the one shard that the CRL is about, octet for octet as its certificates name it. `freshest`
    is the URL of the delta CRL that goes with it. `expired_since` says that certificates that
    expired after that time are on it, too.
    """

    number: int
    this_update: datetime
    next_update: datetime
    base: int | None = None
    distribution_point: str | None = None
    freshest: str | None = None
    expired_since: datetime | None = None

    def __post_init__(self) -> None:
        """ValueError for a number outside RFC 5280 5.2.3, or times that are not whole seconds."""
        if not 0 <= self.number < _CRL_NUMBER_CEILING:
            raise ValueError("a CRL number is at least 0 and below 2^159 (RFC 5280 5.2.3)")
        if self.base is not None and not 0 <= self.base < self.number:
            raise ValueError("the base of a delta CRL is an earlier CRL (RFC 5280 5.2.4)")
        if not self.this_update < self.next_update:
            raise ValueError("nextUpdate comes after thisUpdate")
        if self.this_update.microsecond or self.next_update.microsecond:
            raise ValueError("the times of a CRL are whole seconds (RFC 5280 4.1.2.5)")


def encode_head(issuer_certificate: x509.Certificate, key: SigningKey, header: CrlHeader) -> bytes:
    """What stands in the tbsCertList before revokedCertificates, as ready elements."""
    subject, _ = der.subject_and_key(issuer_certificate)
    return b"".join(
        (
            _VERSION_2,
            algorithm_for(key).identifier,
            subject,
            der.choice_time(header.this_update),
            der.choice_time(header.next_update),
        )
    )


def encode_extensions(issuer_certificate: x509.Certificate, header: CrlHeader) -> bytes:
    """What stands in the tbsCertList after revokedCertificates.

    Raises:
        CrlRefused: the issuer certificate has no SubjectKeyIdentifier.
    """
    try:
        identifier = issuer_certificate.extensions.get_extension_for_class(
            x509.SubjectKeyIdentifier
        ).value.digest
    except x509.ExtensionNotFound:
        raise CrlRefused(CrlRule.MAY_SIGN) from None
    authority_key = der.sequence(der.element(0x80, identifier))
    listed = [
        der.extension(_AUTHORITY_KEY_IDENTIFIER, authority_key),
        der.extension(_CRL_NUMBER, der.integer(header.number)),
    ]
    if header.base is not None:
        listed.append(_critical(_DELTA_CRL_INDICATOR, der.integer(header.base)))
    if header.distribution_point is not None:
        point = der.sequence(_full_name(header.distribution_point))
        listed.append(_critical(_ISSUING_DISTRIBUTION_POINT, point))
    if header.freshest is not None:
        points = der.sequence(der.sequence(_full_name(header.freshest)))
        listed.append(der.extension(_FRESHEST_CRL, points))
    if header.expired_since is not None:
        since = der.generalized_time(header.expired_since)
        listed.append(der.extension(_EXPIRED_CERTS_ON_CRL, since))
    return der.element(der.context(0), der.sequence(*listed))


def _critical(identifier: bytes, value: bytes) -> bytes:
    return der.sequence(identifier, der.TRUE, der.octet_string(value))


def _full_name(url: str) -> bytes:
    """[0] distributionPoint, in it [0] fullName with one URL (RFC 5280 section 4.2.1.13)."""
    name = der.element(_URI, url.encode("ascii"))
    return der.element(der.context(0), der.element(der.context(0), name))


def build_crl(
    issuer_certificate: x509.Certificate,
    key: SigningKey,
    header: CrlHeader,
    entries: Iterable[bytes],
) -> bytes:
    """Sign a CRL in memory over ready entries, which come in ascending order of serial.

    `check_crl` is the judge of the product, also of the order.

    Raises:
        CrlRefused: the issuer certificate has no SubjectKeyIdentifier.
    """
    listed = tuple(entries)
    revoked_certificates = der.header(der.SEQUENCE, sum(map(len, listed))) if listed else b""
    tbs = der.sequence(
        encode_head(issuer_certificate, key, header),
        revoked_certificates,
        *listed,
        encode_extensions(issuer_certificate, header),
    )
    return signed(algorithm_for(key), key, tbs)


@dataclass(frozen=True, slots=True)
class Parts:
    """A CRL taken apart: everything but the entries as octets, those as two offsets."""

    tbs: tuple[int, int]
    algorithms: tuple[bytes, bytes]
    issuer: bytes
    this_update: datetime
    next_update: datetime
    entries: tuple[int, int]
    extensions: bytes
    signature: bytes


def read_parts(crl: Octets) -> Parts:
    """Read the CertificateList in the shape that `build_crl` writes; NotDer for any other."""
    outside = der.Reader(crl)
    certificate_list = outside.enter(der.SEQUENCE)
    outside.finish()
    tbs_start = certificate_list.position
    tbs = certificate_list.enter(der.SEQUENCE)
    tbs_range = (tbs_start, certificate_list.position)
    outer_algorithm = certificate_list.whole(der.SEQUENCE)
    signature = certificate_list.content(der.BIT_STRING)
    certificate_list.finish()
    if tbs.whole(der.INTEGER) != _VERSION_2 or signature[:1] != b"\x00":
        raise NotDer("not a version 2 CRL")
    algorithms = (tbs.whole(der.SEQUENCE), outer_algorithm)
    issuer = tbs.whole(der.SEQUENCE)
    this_update, next_update = tbs.time(), tbs.time()
    entries = (tbs.position, tbs.position)
    if tbs.next_is(der.SEQUENCE):
        revoked = tbs.enter(der.SEQUENCE)
        entries = (revoked.position, revoked.end)
        if revoked.at_end():
            raise NotDer("revokedCertificates is present but empty (RFC 5280 5.1.2.6)")
    extensions = tbs.whole(der.context(0))
    tbs.finish()
    return Parts(
        tbs_range,
        algorithms,
        issuer,
        this_update,
        next_update,
        entries,
        extensions,
        signature[1:],
    )


def read_header(parts: Parts) -> CrlHeader:
    """What the extensions and the times say. Raises: NotDer, or ValueError for bounds."""
    listed = der.Reader(parts.extensions).enter(der.context(0)).enter(der.SEQUENCE)
    found: dict[bytes, der.Reader] = {}
    while not listed.at_end():
        extension = listed.enter(der.SEQUENCE)
        identifier = extension.oid()
        if extension.next_is(der.BOOLEAN):
            extension.skip()
        found[identifier] = extension.enter(der.OCTET_STRING)
    if _CRL_NUMBER not in found:
        raise NotDer("a CRL has a number (RFC 5280 5.2.3)")
    base, point = found.get(_DELTA_CRL_INDICATOR), found.get(_ISSUING_DISTRIBUTION_POINT)
    freshest, since = found.get(_FRESHEST_CRL), found.get(_EXPIRED_CERTS_ON_CRL)
    return CrlHeader(
        found[_CRL_NUMBER].integer(),
        parts.this_update,
        parts.next_update,
        None if base is None else base.integer(),
        None if point is None else _url(point.enter(der.SEQUENCE)),
        None if freshest is None else _url(freshest.enter(der.SEQUENCE).enter(der.SEQUENCE)),
        None if since is None else since.generalized_time(),
    )


def _url(point: der.Reader) -> str:
    name = point.enter(der.context(0)).enter(der.context(0))
    return name.content(_URI).decode("ascii")


def check_crl(crl: Octets, issuer_certificate: x509.Certificate, now: datetime) -> CrlHeader:
    """Check a signed CRL as a relying party would, and that it has exactly our shape.

    Raises:
        CrlRefused: it breaks one of the rules of `CrlRule`, which the error names.
    """
    parts, found = check_frame(crl, issuer_certificate)
    if not found.this_update <= now <= found.next_update:
        raise CrlRefused(CrlRule.DATES)
    check_ascending(serials(crl, *parts.entries, delta=found.base is not None))
    check_signature(parts, crl, issuer_certificate)
    return found


def check_frame(crl: Octets, issuer_certificate: x509.Certificate) -> tuple[Parts, CrlHeader]:
    """Check all that stands around the entries, but not the signature. Raises: CrlRefused."""
    try:
        parts = read_parts(crl)
        found = read_header(parts)
    except (NotDer, ValueError):
        raise CrlRefused(CrlRule.STRUCTURE) from None
    if not _may_sign_crls(issuer_certificate):
        raise CrlRefused(CrlRule.MAY_SIGN)
    if parts.issuer != der.subject_and_key(issuer_certificate)[0]:
        raise CrlRefused(CrlRule.ISSUER)
    inner, outer = parts.algorithms
    if inner != outer or declared_algorithm(issuer_certificate.public_key(), outer) is None:
        raise CrlRefused(CrlRule.ALGORITHM)
    if parts.extensions != encode_extensions(issuer_certificate, found):
        raise CrlRefused(CrlRule.EXTENSIONS)
    return parts, found


def _may_sign_crls(issuer_certificate: x509.Certificate) -> bool:
    """Whether keyUsage says cRLSign, as RFC 10007 has relying parties check."""
    try:
        usage = issuer_certificate.extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound:
        return False
    return usage.value.crl_sign


def check_signature(parts: Parts, crl: Octets, issuer_certificate: x509.Certificate) -> None:
    """Verify the signature under the issuer certificate. Raises: CrlRefused."""
    public_key = issuer_certificate.public_key()
    start, end = parts.tbs
    algorithm = declared_algorithm(public_key, parts.algorithms[1])
    if algorithm is None:
        raise CrlRefused(CrlRule.ALGORITHM)
    try:
        algorithm.verify(public_key, parts.signature, crl[start:end])
    except InvalidSignature:
        raise CrlRefused(CrlRule.SIGNATURE) from None


def _all_serials(crl: Octets) -> frozenset[SerialNumber]:
    batches = serials(crl, *read_parts(crl).entries)
    return frozenset(serial_of(order) for batch in batches for order in batch)


def vanished(previous: bytes, new: bytes) -> frozenset[SerialNumber]:
    """The serials that the previous CRL lists and the new one does not.

    Both are CRLs that `check_crl` let pass, so both ascend and are walked side by side, a batch
    at a time. Only the first one after an import follows one of other hands, whose entries have
    any form and order: what the walk then misses is looked for in the whole new one.
    """
    try:
        gone = vanished_between(
            serials(previous, *read_parts(previous).entries), serials(new, *read_parts(new).entries)
        )
    except (NotDer, CrlRefused):
        gone = foreign_serials(previous)
    return gone - _all_serials(new) if gone else gone

"""Certificate revocation lists, version 2: building and checking (RFC 5280 section 5).

Entries are ready DER, made once when a certificate is revoked. A CRL is a header, those entries
joined and one signature; the check walks the entries once and keeps none of them.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import lt

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ca.identifiers import SerialNumber
from ca.signatures import SigningKey
from revocation import der
from revocation.errors import CrlRefused, CrlRule, NotDer
from revocation.foreign_crls import foreign_serials
from revocation.reasons import Reason
from revocation.signatures import algorithm_for, declared_algorithm, signed

_CRL_NUMBER_CEILING = 1 << 159
_VERSION_2 = der.integer(1)
_AUTHORITY_KEY_IDENTIFIER = der.oid("2.5.29.35")
_CRL_NUMBER = der.oid("2.5.29.20")
_REASON_CODE = der.oid("2.5.29.21")
_INVALIDITY_DATE = der.oid("2.5.29.24")

# The grammar of an entry, as a regular expression over DER: it walks a million entries in C.
# Serials are positive, in their shortest form, of 1 to 20 octets; keys are lengths in octets.
_SERIALS = {1: rb"[\x01-\x7f]"} | {
    length: rb"(?:\x00[\x80-\xff]|[\x01-\x7f].).{%d}" % (length - 2) for length in range(2, 21)
}
_TIMES = {15: rb"\x17\x0d[0-9]{12}Z", 17: rb"\x18\x0f[0-9]{14}Z"}
_REASONS = {
    14: rb"\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01[\x01-\x06\x09\x0a]",
    0: b"",
}
# Reason code and invalidityDate: seldom, so these shapes are tried after all others.
_DATED_REASONS = {
    40: rb"\x30\x26\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01[\x01\x02]"
    rb"\x30\x18\x06\x03\x55\x1d\x18\x04\x11\x18\x0f[0-9]{14}Z"
}
_SHAPES = [
    rb"\x%02x\x02\x%02x" % (2 + length + time + reason, length)
    + _SERIALS[length]
    + _TIMES[time]
    + reasons[reason]
    for reasons in (_REASONS, _DATED_REASONS)
    for length in sorted(_SERIALS, reverse=True)
    for time in _TIMES
    for reason in reasons
]
_ENTRIES = re.compile(rb"(?:\x30(?:" + b"|".join(_SHAPES) + rb")){1,4096}+", re.DOTALL)
# Within entries of that grammar: the serial with its length octet before it.
_SERIAL = re.compile(
    rb"\x30.\x02("
    + b"|".join(rb"\x%02x.{%d}" % (length, length) for length in sorted(_SERIALS, reverse=True))
    + rb")(?:\x17.{14}|\x18.{16})(?:\x30(?:\x0c.{12}|\x26\x30.{37}))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class CrlHeader:
    """What tells one CRL of an issuer from the next: number, thisUpdate, nextUpdate (UTC)."""

    number: int
    this_update: datetime
    next_update: datetime

    def __post_init__(self) -> None:
        """ValueError for a number outside RFC 5280 5.2.3, or times that are not whole seconds."""
        if not 0 <= self.number < _CRL_NUMBER_CEILING:
            raise ValueError("a CRL number is at least 0 and below 2^159 (RFC 5280 5.2.3)")
        if not self.this_update < self.next_update:
            raise ValueError("nextUpdate comes after thisUpdate")
        if self.this_update.microsecond or self.next_update.microsecond:
            raise ValueError("the times of a CRL are whole seconds (RFC 5280 4.1.2.5)")


def encode_entry(
    serial: SerialNumber, at: datetime, reason: Reason, invalid_since: datetime | None = None
) -> bytes:
    """One element of revokedCertificates; the reason `unspecified` is left out (5.3.1).

    `invalid_since` is the invalidityDate (5.3.2), which is told of compromises only. ValueError for
    removeFromCRL, which only a delta CRL may hold.
    """
    if reason is Reason.REMOVE_FROM_CRL:
        raise ValueError("removeFromCRL appears only in delta CRLs (RFC 5280 5.3.1)")
    entry = der.integer(serial) + der.choice_time(at)
    if reason is not Reason.UNSPECIFIED:
        code = der.element(der.ENUMERATED, bytes((reason,)))
        extensions = der.extension(_REASON_CODE, code)
        if invalid_since is not None:
            extensions += der.extension(_INVALIDITY_DATE, der.generalized_time(invalid_since))
        entry += der.sequence(extensions)
    return der.sequence(entry)


def build_crl(
    issuer_certificate: x509.Certificate,
    key: SigningKey,
    header: CrlHeader,
    entries: Iterable[bytes],
) -> bytes:
    """Sign a full CRL over ready entries, which come in ascending order of serial.

    `check_crl` is the judge of the product, also of the order.

    Raises:
        CrlRefused: the issuer certificate has no SubjectKeyIdentifier.
    """
    algorithm = algorithm_for(key)
    subject, _ = der.subject_and_key(issuer_certificate)
    listed = tuple(entries)
    revoked_certificates = der.header(der.SEQUENCE, sum(map(len, listed))) if listed else b""
    tbs = der.sequence(
        _VERSION_2,
        algorithm.identifier,
        subject,
        der.choice_time(header.this_update),
        der.choice_time(header.next_update),
        revoked_certificates,
        *listed,
        _extensions(issuer_certificate, header.number),
    )
    return signed(algorithm, key, tbs)


def _extensions(issuer_certificate: x509.Certificate, number: int) -> bytes:
    try:
        identifier = issuer_certificate.extensions.get_extension_for_class(
            x509.SubjectKeyIdentifier
        ).value.digest
    except x509.ExtensionNotFound:
        raise CrlRefused(CrlRule.MAY_SIGN) from None
    authority_key = der.sequence(der.element(0x80, identifier))
    return der.element(
        der.context(0),
        der.sequence(
            der.extension(_AUTHORITY_KEY_IDENTIFIER, authority_key),
            der.extension(_CRL_NUMBER, der.integer(number)),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """A CRL taken apart: everything but the entries as octets, those as two offsets."""

    tbs: tuple[int, int]
    algorithms: tuple[bytes, bytes]
    issuer: bytes
    this_update: datetime
    next_update: datetime
    entries: tuple[int, int]
    extensions: bytes
    signature: bytes


def _take_apart(crl: bytes) -> _Parts:
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
    return _Parts(
        tbs_range,
        algorithms,
        issuer,
        this_update,
        next_update,
        entries,
        extensions,
        signature[1:],
    )


def _number(extensions: bytes) -> int:
    """The CRLNumber, which is the second and last extension."""
    listed = der.Reader(extensions).enter(der.context(0)).enter(der.SEQUENCE)
    listed.skip()
    crl_number = listed.enter(der.SEQUENCE)
    crl_number.skip()
    return crl_number.enter(der.OCTET_STRING).integer()


def _serials(crl: bytes, entries: tuple[int, int]) -> Iterator[list[bytes]]:
    """Batches of serials, each its length octet and content: bytes order is numeric order."""
    position, end = entries
    while found := _ENTRIES.match(crl, position, end):
        yield _SERIAL.findall(crl, position, found.end())
        position = found.end()
    if position != end:
        raise CrlRefused(CrlRule.ENTRIES)


def check_crl(crl: bytes, issuer_certificate: x509.Certificate, now: datetime) -> CrlHeader:
    """Check a signed CRL as a relying party would, and that it has exactly our shape.

    Raises:
        CrlRefused: it breaks one of the rules of `CrlRule`, which the error names.
    """
    try:
        parts = _take_apart(crl)
        number = _number(parts.extensions)
        found = CrlHeader(number, parts.this_update, parts.next_update)
    except (NotDer, ValueError):
        raise CrlRefused(CrlRule.STRUCTURE) from None
    _check_fields(parts, number, issuer_certificate)
    if not found.this_update <= now <= found.next_update:
        raise CrlRefused(CrlRule.DATES)
    previous = b""
    for batch in _serials(crl, parts.entries):
        if previous >= batch[0] or not all(map(lt, batch, islice(batch, 1, None))):
            raise CrlRefused(CrlRule.ENTRIES)
        previous = batch[-1]
    _check_signature(parts, crl, issuer_certificate)
    return found


def _check_fields(parts: _Parts, number: int, issuer_certificate: x509.Certificate) -> None:
    if not _may_sign_crls(issuer_certificate):
        raise CrlRefused(CrlRule.MAY_SIGN)
    if parts.issuer != der.subject_and_key(issuer_certificate)[0]:
        raise CrlRefused(CrlRule.ISSUER)
    inner, outer = parts.algorithms
    if inner != outer or declared_algorithm(issuer_certificate.public_key(), outer) is None:
        raise CrlRefused(CrlRule.ALGORITHM)
    if parts.extensions != _extensions(issuer_certificate, number):
        raise CrlRefused(CrlRule.EXTENSIONS)


def _may_sign_crls(issuer_certificate: x509.Certificate) -> bool:
    """Whether keyUsage says cRLSign, as RFC 10007 has relying parties check."""
    try:
        usage = issuer_certificate.extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound:
        return False
    return usage.value.crl_sign


def _check_signature(parts: _Parts, crl: bytes, issuer_certificate: x509.Certificate) -> None:
    public_key = issuer_certificate.public_key()
    start, end = parts.tbs
    algorithm = declared_algorithm(public_key, parts.algorithms[1])
    if algorithm is None:
        raise CrlRefused(CrlRule.ALGORITHM)
    try:
        algorithm.verify(public_key, parts.signature, crl[start:end])
    except InvalidSignature:
        raise CrlRefused(CrlRule.SIGNATURE) from None


def _all_serials(crl: bytes) -> frozenset[SerialNumber]:
    batches = _serials(crl, _take_apart(crl).entries)
    return frozenset(
        SerialNumber(int.from_bytes(serial[1:], "big")) for batch in batches for serial in batch
    )


def vanished(previous: bytes, new: bytes) -> frozenset[SerialNumber]:
    """The serials that the previous CRL lists and the new one does not.

    Both are CRLs that `check_crl` let pass, so both ascend and are walked side by side, a batch
    at a time. Only the first one after an import follows one of other hands, whose entries have
    any form and order: what the walk then misses is looked for in the whole new one.
    """
    try:
        gone = _vanished(previous, new)
    except (NotDer, CrlRefused):
        gone = foreign_serials(previous)
    return gone - _all_serials(new) if gone else gone


def _vanished(previous: bytes, new: bytes) -> frozenset[SerialNumber]:
    gone: set[bytes] = set()
    fresh = _serials(new, _take_apart(new).entries)
    ahead: list[bytes] = []
    for batch in _serials(previous, _take_apart(previous).entries):
        last = batch[-1]
        while not ahead or ahead[-1] < last:
            more = next(fresh, None)
            if more is None:
                break
            ahead += more
        cut = bisect_right(ahead, last)
        if ahead[:cut] != batch:
            gone |= set(batch).difference(ahead[:cut])
        del ahead[:cut]
    return frozenset(SerialNumber(int.from_bytes(serial[1:], "big")) for serial in gone)

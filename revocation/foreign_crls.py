"""CRLs that others made: one boundary between octets and a list that can be taken over.

Reads what RFC 5280 section 5 allows for a full CRL of one issuer, whatever its extensions; delta,
partial and indirect CRLs say less than they seem to, so they are refused.
"""

import warnings
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from ca import der
from ca.errors import MalformedRequest
from ca.identifiers import SerialNumber
from revocation.reasons import Reason

MAX_OCTETS = 64 * 1024 * 1024
MAX_NUMBER = 2**52
"""Numbers go on from there, and the audit log counts to 2^53."""
_WHAT = "CRL"
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    Warning,
)
_PARTIAL = (x509.DeltaCRLIndicator, x509.IssuingDistributionPoint)


@dataclass(frozen=True, slots=True)
class ForeignCrl:
    """A full CRL: its number if it has one, its times (UTC), and who is revoked since when."""

    number: int | None
    this_update: datetime
    next_update: datetime
    entries: dict[SerialNumber, tuple[Reason, datetime]] = field(repr=False)
    der: bytes = field(repr=False)
    tbs_digest: bytes = b""
    """SHA-256 of what was signed."""


def read_crl(octets: bytes, issuer: x509.Certificate) -> ForeignCrl:
    """Read a CRL, PEM or DER, that this issuer signed.

    Raises:
        MalformedRequest: it is none, not a full one, or of another issuer or key.
    """
    if len(octets) > MAX_OCTETS:
        raise MalformedRequest(_WHAT, f"it is longer than {MAX_OCTETS} octets")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return _read(octets, issuer)
    except _UNREADABLE:
        raise MalformedRequest(_WHAT, "the octets are not a CRL") from None


def foreign_serials(der: bytes) -> frozenset[SerialNumber]:
    """The serials of a CRL that `read_crl` let pass."""
    return frozenset(SerialNumber(entry.serial_number) for entry in x509.load_der_x509_crl(der))


def _read(octets: bytes, issuer: x509.Certificate) -> ForeignCrl:
    load = x509.load_pem_x509_crl if der.is_armored(octets) else x509.load_der_x509_crl
    crl = load(octets)
    extensions = {type(each.value): each.value for each in crl.extensions}
    if any(kind in extensions for kind in _PARTIAL):
        raise MalformedRequest(_WHAT, "it is not a full CRL of its issuer alone")
    if crl.issuer.public_bytes() != issuer.subject.public_bytes() or not _is_signed(crl, issuer):
        raise MalformedRequest(_WHAT, "it is not signed by this certificate authority")
    if crl.next_update_utc is None:
        raise MalformedRequest(_WHAT, "it does not say when the next one comes")
    return ForeignCrl(
        number=_number(extensions.get(x509.CRLNumber)),
        this_update=crl.last_update_utc,
        next_update=crl.next_update_utc,
        entries=dict(map(_entry, crl)),
        der=crl.public_bytes(Encoding.DER),
        tbs_digest=sha256(crl.tbs_certlist_bytes).digest(),
    )


def _number(extension: x509.ExtensionType | None) -> int | None:
    if not isinstance(extension, x509.CRLNumber):
        return None
    if not 0 <= extension.crl_number <= MAX_NUMBER:
        raise MalformedRequest(_WHAT, f"its number is not from 0 to {MAX_NUMBER}")
    return extension.crl_number


def _is_signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type] # TypeError if so


def _entry(entry: x509.RevokedCertificate) -> tuple[SerialNumber, tuple[Reason, datetime]]:
    reason = Reason.UNSPECIFIED
    for extension in entry.extensions:
        if isinstance(extension.value, x509.CertificateIssuer):
            raise MalformedRequest(_WHAT, "it is not a full CRL of its issuer alone")
        if isinstance(extension.value, x509.CRLReason):
            reason = Reason.from_label(extension.value.reason.value)
    return SerialNumber(entry.serial_number), (reason, entry.revocation_date_utc)

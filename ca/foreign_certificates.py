"""Certificates from outside: one boundary between octets and a certificate that can be looked at.

The library reads lazily, so everything is walked here: what comes out holds no fault that would
show up later (RFC 5280 section 4).
"""

import re
import warnings
from collections.abc import Callable
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from ca import der
from ca.errors import MalformedRequest
from ca.identifiers import SerialNumber

MAX_OCTETS = 64 * 1024
"""Of one certificate in DER; the largest in use hold a few KiB."""
MAX_PEM_OCTETS = 16 * 1024 * 1024
"""Of a file with many certificates in PEM."""

_WHAT = "certificate"
_PEM = re.compile(
    rb"-----BEGIN (X509 )?CERTIFICATE-----.*?-----END (X509 )?CERTIFICATE-----", re.DOTALL
)
# What cryptography raises, or warns of, for octets that are not what they should be.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    Warning,
)


def read_certificate(octets: bytes) -> x509.Certificate:
    """Read one certificate, PEM or DER, of at most 64 KiB, whoever signed it.

    Raises:
        MalformedRequest: it is none, or a part of it cannot be read.
    """
    found = read_certificates(octets)
    if len(found) != 1:
        raise MalformedRequest(_WHAT, f"there are {len(found)} where one is asked for")
    return found[0]


def read_certificates(octets: bytes) -> list[x509.Certificate]:
    """Read all certificates of a PEM file, or the one of a DER file; at least one.

    Raises:
        MalformedRequest: there is none, or a part of one cannot be read.
    """
    if len(octets) > MAX_PEM_OCTETS:
        raise MalformedRequest(_WHAT, f"the file is longer than {MAX_PEM_OCTETS} octets")
    if not der.is_armored(octets):
        return [_read(x509.load_der_x509_certificate, octets)]
    found = [_read(x509.load_pem_x509_certificate, block[0]) for block in _PEM.finditer(octets)]
    if not found:
        raise MalformedRequest(_WHAT, "the file holds PEM, and no certificate in it")
    return found


def read_first_of_chain(octets: bytes) -> x509.Certificate:
    """As `read_certificate`, or the first of several of which each is signed by the next.

    Raises:
        MalformedRequest: as `read_certificates`; there are several, and they are no chain.
    """
    found = read_certificates(octets)
    if not all(is_signed_by(each, above) for each, above in pairwise(found)):
        raise MalformedRequest(_WHAT, f"there are {len(found)}, and not each is signed by the next")
    return found[0]


def is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's name and key are those that the certificate was signed with."""
    if certificate.issuer.public_bytes() != issuer.subject.public_bytes():
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _read(load: Callable[[bytes], x509.Certificate], octets: bytes) -> x509.Certificate:
    if not octets.strip():
        raise MalformedRequest(_WHAT, "it is empty")
    if len(octets) > MAX_OCTETS:
        raise MalformedRequest(_WHAT, f"it is longer than {MAX_OCTETS} octets")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            certificate = load(octets)
            _walk(certificate)
    except UNREADABLE:
        raise MalformedRequest(_WHAT, "the octets are not an X.509 certificate") from None
    return certificate


def _walk(certificate: x509.Certificate) -> CertificatePublicKeyTypes:
    """Touch every part that is read only when asked for; ValueError for a serial out of bounds."""
    SerialNumber(certificate.serial_number)
    _ = (certificate.version, certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    _ = (certificate.subject, certificate.issuer, certificate.signature_algorithm_oid)
    _ = list(certificate.extensions)
    return certificate.public_key()

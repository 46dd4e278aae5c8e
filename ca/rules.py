"""The gate before the signature: every rule looks at the encoded certificate, not at intentions.

One record a clause; all must be satisfied, and what cannot be read is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.certificates import CertificateContent
from ca.errors import Finding, Refused
from ca.key_quality import check_key, key_type
from ca.names import SubjectName
from ca.requests import check_email_address, check_host_name

_MIN_SERIAL_BITS = 96
_INCLUSIVE_SECOND = timedelta(seconds=1)
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One clause: `broken` says what is wrong with an encoded certificate, or None."""

    id: str
    clause: str
    broken: Callable[[x509.Certificate, CertificateContent], str | None]


def lint(copy: x509.Certificate, content: CertificateContent) -> None:
    """Refuse a certificate that breaks any rule; the finding names each one."""
    findings = []
    for rule in RULES:
        try:
            sentence = rule.broken(copy, content)
        except Refused as refused:
            sentence = "; ".join(finding.sentence for finding in refused.findings)
        except _UNREADABLE:
            sentence = "the certificate cannot be read back"
        if sentence is not None:
            way_out = f"correct the request or profile {content.profile.name}"
            findings.append(Finding(rule.id, rule.clause, sentence, way_out))
    if findings:
        raise Refused(*findings)


def _version(copy: x509.Certificate, _: CertificateContent) -> str | None:
    return None if copy.version is x509.Version.v3 else "the version is not 3"


def _serial(copy: x509.Certificate, content: CertificateContent) -> str | None:
    if copy.serial_number != content.serial_number:
        return "the serial number is not the one that was reserved"
    if copy.serial_number.bit_length() < _MIN_SERIAL_BITS:
        return f"the serial number has fewer than {_MIN_SERIAL_BITS} bits"
    return None


def _issuer(copy: x509.Certificate, content: CertificateContent) -> str | None:
    certificate = content.issuer.certificate
    subject = content.issuer.subject if certificate is None else certificate.subject
    # Octets, not values: relying parties that compare encodings must find the issuer, too.
    if copy.issuer.public_bytes() != subject.public_bytes():
        return "the issuer is not the issuing CA's own name"
    if certificate is None and copy.subject != subject:
        return "a CA without a certificate can certify only itself"
    return None


def _path(copy: x509.Certificate, content: CertificateContent) -> str | None:
    issuer = content.issuer.certificate
    if issuer is None:
        return None
    above = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not above.ca:
        return "the issuer is no certificate authority"
    own = copy.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not own.ca or above.path_length is None:
        return None
    if own.path_length is None or own.path_length >= above.path_length:
        return "the path length of the issuer leaves no room for this certificate authority"
    return None


def _subject(copy: x509.Certificate, content: CertificateContent) -> str | None:
    name = copy.subject
    read_back = SubjectName.from_x509(name)
    if read_back != content.subject:
        return "the subject reads back as another name"
    if name.public_bytes() != content.subject.to_x509().public_bytes():
        return "the subject is encoded in other string types than it should be"
    content.profile.check_subject(read_back)
    return None


def _validity(copy: x509.Certificate, content: CertificateContent) -> str | None:
    if (copy.not_valid_before_utc, copy.not_valid_after_utc) != (
        content.not_before,
        content.not_after,
    ):
        return "the validity is not the one that was decided"
    period = copy.not_valid_after_utc - copy.not_valid_before_utc + _INCLUSIVE_SECOND
    if period > timedelta(days=content.profile.validity_days):
        return "the certificate is valid for longer than its profile allows"
    if period <= timedelta(0):
        return "the certificate ends before it begins"
    return None


def _inside_issuer(copy: x509.Certificate, content: CertificateContent) -> str | None:
    issuer = content.issuer.certificate
    if issuer is None:
        return None
    if copy.not_valid_before_utc < issuer.not_valid_before_utc:
        return "the certificate begins before its issuer's does"
    if copy.not_valid_after_utc > issuer.not_valid_after_utc:
        ends = issuer.not_valid_after_utc.astimezone(UTC).date().isoformat()
        return f"the certificate would outlive its issuer, which ends {ends}"
    return None


def _key(copy: x509.Certificate, content: CertificateContent) -> str | None:
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if copy.public_key().public_bytes(*form) != content.public_key.public_bytes(*form):
        return "the public key is not the one that was asked for"
    check_key(content.public_key)
    kind = key_type(content.public_key)
    if kind not in content.profile.key_types:
        return f"a key of type {kind} is not allowed: {', '.join(content.profile.key_types)}"
    return None


def _own_key(copy: x509.Certificate, content: CertificateContent) -> str | None:
    own = copy.public_key() == content.issuer.key.public_key()
    if content.issuer.certificate is None:
        return None if own else "a self-signed certificate holds another key than the CA's own"
    return "the public key is the issuing CA's own" if own else None


def _extensions(copy: x509.Certificate, content: CertificateContent) -> str | None:
    encoded = [(e.value, e.critical) for e in copy.extensions]
    if encoded != content.expected_extensions():
        return "the extensions are not exactly those of the profile"
    return None


def _names(copy: x509.Certificate, content: CertificateContent) -> str | None:
    if content.profile.host_names and not content.host_names:
        return "the profile needs at least one host name"
    if not content.profile.host_names and content.host_names:
        return "the profile takes no host names"
    if content.profile.email_addresses and not content.email_addresses:
        return "the profile needs at least one e-mail address"
    if not content.profile.email_addresses and content.email_addresses:
        return "the profile takes no e-mail addresses"
    for name in content.host_names:
        check_host_name(name)
    for address in content.email_addresses:
        check_email_address(address)
    del copy
    return None


RULES = (
    Rule("certificate.version", "RFC 5280 4.1.2.1", _version),
    Rule("certificate.serial", "RFC 5280 4.1.2.2, CA/B BR 7.1", _serial),
    Rule("certificate.issuer", "RFC 5280 4.1.2.4", _issuer),
    Rule("certificate.path", "RFC 5280 4.2.1.9", _path),
    Rule("certificate.subject", "RFC 5280 4.1.2.6", _subject),
    Rule("certificate.names", "RFC 5280 4.2.1.6", _names),
    Rule("certificate.validity", "RFC 5280 4.1.2.5", _validity),
    Rule("certificate.outlives", "RFC 5280 6.1.3", _inside_issuer),
    Rule("certificate.key", "RFC 5280 4.1.2.7", _key),
    Rule("certificate.own-key", "RFC 5280 4.2.1.2", _own_key),
    Rule("certificate.extensions", "RFC 5280 4.2", _extensions),
)

"""The gate before the signature: every rule looks at the encoded certificate, not at intentions.

One record a clause; all must be satisfied, and what cannot be read is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from ca import der, qualified
from ca.certificates import CertificateContent
from ca.errors import Finding, Refused
from ca.key_quality import check_key, key_type, spki
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
class Encoded:
    """A certificate as a library reads it, beside the octets of single fields of it."""

    certificate: x509.Certificate
    issuer: bytes
    subject: bytes
    subject_key: bytes

    @classmethod
    def of(cls, certificate: x509.Certificate) -> "Encoded":
        """Take the tbsCertificate apart (RFC 5280 section 4.1)."""
        fields = der.children(certificate.tbs_certificate_bytes)
        if fields[0][0] != der.context(0):
            fields.insert(0, b"")  # a certificate of version 1 does not say so
        return cls(certificate, fields[3], fields[5], fields[6])


@dataclass(frozen=True, slots=True)
class Rule:
    """One clause: `broken` says what is wrong with an encoded certificate, or None."""

    id: str
    clause: str
    broken: Callable[[Encoded, CertificateContent], str | None]


def lint(copy: x509.Certificate, content: CertificateContent) -> None:
    """Refuse a certificate that breaks any rule; the finding names each one."""
    findings, encoded = [], Encoded.of(copy)
    for rule in RULES:
        try:
            sentence = rule.broken(encoded, content)
        except Refused as refused:
            sentence = "; ".join(finding.sentence for finding in refused.findings)
        except _UNREADABLE:
            sentence = "the certificate cannot be read back"
        if sentence is not None:
            way_out = f"correct the request or profile {content.profile.name}"
            findings.append(Finding(rule.id, rule.clause, sentence, way_out))
    if findings:
        raise Refused(*findings)


def _version(encoded: Encoded, _: CertificateContent) -> str | None:
    return None if encoded.certificate.version is x509.Version.v3 else "the version is not 3"


def _serial(encoded: Encoded, content: CertificateContent) -> str | None:
    if encoded.certificate.serial_number != content.serial_number:
        return "the serial number is not the one that was reserved"
    if encoded.certificate.serial_number.bit_length() < _MIN_SERIAL_BITS:
        return f"the serial number has fewer than {_MIN_SERIAL_BITS} bits"
    return None


def _issuer(encoded: Encoded, content: CertificateContent) -> str | None:
    certificate = content.issuer.certificate
    subject = content.issuer.subject if certificate is None else certificate.subject
    # Octets, not values: relying parties that compare encodings must find the issuer, too.
    if encoded.issuer != subject.public_bytes():
        return "the issuer is not the issuing CA's own name"
    if certificate is None and encoded.certificate.subject != subject:
        return "a CA without a certificate can certify only itself"
    return None


def _path(encoded: Encoded, content: CertificateContent) -> str | None:
    issuer = content.issuer.certificate
    if issuer is None:
        return None
    above = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not above.ca:
        return "the issuer is no certificate authority"
    own = encoded.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not own.ca or above.path_length is None:
        return None
    if own.path_length is None or own.path_length >= above.path_length:
        return "the path length of the issuer leaves no room for this certificate authority"
    return None


def _subject(encoded: Encoded, content: CertificateContent) -> str | None:
    if encoded.subject != content.subject.to_x509().public_bytes():
        if SubjectName.from_x509(encoded.certificate.subject) != content.subject:
            return "the subject reads back as another name"
        return "the subject is encoded in other string types than it should be"
    content.profile.check_subject(content.subject)
    return None


def _validity(encoded: Encoded, content: CertificateContent) -> str | None:
    begins = encoded.certificate.not_valid_before_utc
    ends = encoded.certificate.not_valid_after_utc
    if (begins, ends) != (content.not_before, content.not_after):
        return "the validity is not the one that was decided"
    period = ends - begins + _INCLUSIVE_SECOND
    if period > timedelta(days=content.profile.validity_days):
        return "the certificate is valid for longer than its profile allows"
    if period <= timedelta(0):
        return "the certificate ends before it begins"
    return None


def _inside_issuer(encoded: Encoded, content: CertificateContent) -> str | None:
    issuer = content.issuer.certificate
    if issuer is None:
        return None
    if encoded.certificate.not_valid_before_utc < issuer.not_valid_before_utc:
        return "the certificate begins before its issuer's does"
    if encoded.certificate.not_valid_after_utc > issuer.not_valid_after_utc:
        ends = issuer.not_valid_after_utc.astimezone(UTC).date().isoformat()
        return f"the certificate would outlive its issuer, which ends {ends}"
    return None


def _key(encoded: Encoded, content: CertificateContent) -> str | None:
    if encoded.subject_key != spki(content.public_key):
        return "the public key is not the one that was asked for"
    check_key(content.public_key)
    kind = key_type(content.public_key)
    if kind not in content.profile.key_types:
        return f"a key of type {kind} is not allowed: {', '.join(content.profile.key_types)}"
    return None


def _own_key(encoded: Encoded, content: CertificateContent) -> str | None:
    own = encoded.certificate.public_key() == content.issuer.key.public_key()
    if content.issuer.certificate is None:
        return None if own else "a self-signed certificate holds another key than the CA's own"
    return "the public key is the issuing CA's own" if own else None


def _extensions(encoded: Encoded, content: CertificateContent) -> str | None:
    read_back = [(e.value, e.critical) for e in encoded.certificate.extensions]
    if read_back != content.expected_extensions():
        return "the extensions are not exactly those of the profile"
    return None


def _qualified(encoded: Encoded, content: CertificateContent) -> str | None:
    # Where the profile states nothing the certificate does not either, by certificate.extensions.
    return None if content.profile.qualified is None else qualified.broken(encoded.certificate)


def _names(encoded: Encoded, content: CertificateContent) -> str | None:
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
    del encoded
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
    Rule("certificate.qualified", "ETSI EN 319 412-5 4 and 5", _qualified),
)

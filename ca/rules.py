"""The gate before the signature: every rule looks at the encoded certificate, not at intentions.

One record a clause; all must be satisfied, and what cannot be read is refused.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TypeVar, get_args

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from ca import der, qualified
from ca.certificates import CertificateContent, Issuer
from ca.errors import Finding, Refused
from ca.key_quality import check_key, key_type, spki
from ca.names import SubjectName
from ca.profiles import EXTENDED_KEY_USAGES, KeyUsageBit
from ca.requests import check_email_address, check_host_name

_MIN_SERIAL_BITS = 96
_INCLUSIVE_SECOND = timedelta(seconds=1)
_USAGES = get_args(KeyUsageBit)
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
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
    values: dict[type[x509.ExtensionType], x509.ExtensionType]

    @classmethod
    def of(cls, certificate: x509.Certificate) -> "Encoded":
        """Take the tbsCertificate apart (RFC 5280 section 4.1)."""
        fields = der.children(certificate.tbs_certificate_bytes)
        if fields[0][0] != der.context(0):
            fields.insert(0, b"")  # a certificate of version 1 does not say so
        try:
            values = {type(each.value): each.value for each in certificate.extensions}
        except _UNREADABLE:  # as certificate.extensions will say
            values = {}
        return cls(certificate, fields[3], fields[5], fields[6], values)

    def find(self, kind: type[_Extension]) -> _Extension | None:
        """The value of the extension of that kind, if it is there and can be read."""
        value = self.values.get(kind)
        return value if isinstance(value, kind) else None


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
    serial_number = encoded.certificate.serial_number
    if serial_number != content.serial_number:
        return "the serial number is not the one that was reserved"
    if serial_number.bit_length() < _MIN_SERIAL_BITS:
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
    own = encoded.subject_key == spki(content.issuer.key.public_key())
    if content.issuer.certificate is None:
        return None if own else "a self-signed certificate holds another key than the CA's own"
    return "the public key is the issuing CA's own" if own else None


def _authority_key(encoded: Encoded, content: CertificateContent) -> str | None:
    found = encoded.find(x509.AuthorityKeyIdentifier)
    if found is None or found.key_identifier != _key_identifier(content.issuer):
        return "the authority key identifier is not the issuer's subject key identifier"
    return None


def _key_identifier(issuer: Issuer) -> bytes:
    if issuer.certificate is not None:
        for extension in issuer.certificate.extensions:
            if isinstance(extension.value, x509.SubjectKeyIdentifier):
                return extension.value.digest
    # A root before its certificate, or an authority whose certificate is of old and by others.
    return x509.SubjectKeyIdentifier.from_public_key(issuer.key.public_key()).digest


def _subject_key(encoded: Encoded, content: CertificateContent) -> str | None:
    ((_, bits),) = der.elements(der.children(encoded.subject_key)[1])
    digest = hashlib.sha1(bits[1:], usedforsecurity=False).digest()  # method (1) of the clause
    found = encoded.find(x509.SubjectKeyIdentifier)
    del content
    if found is None or found.digest != digest:
        return "the subject key identifier is not that of the public key"
    return None


def _key_usage(encoded: Encoded, content: CertificateContent) -> str | None:
    found = encoded.find(x509.KeyUsage)
    said = set() if found is None else {usage for usage in _USAGES if getattr(found, usage)}
    if said != set(content.profile.key_usage):
        return "the key usage is not the profile's"
    enciphers = not said.isdisjoint({"key_encipherment", "data_encipherment"})
    if enciphers and not isinstance(content.public_key, rsa.RSAPublicKey):
        return "the key usage has a key encipher that is no RSA key (RFC 8813 3)"
    if "crl_sign" in said and not content.profile.certificate_authority:
        return "the key usage has a holder sign CRLs"
    return None


def _purposes(encoded: Encoded, content: CertificateContent) -> str | None:
    said = list(encoded.find(x509.ExtendedKeyUsage) or ())
    if said != [EXTENDED_KEY_USAGES[word] for word in content.profile.extended_key_usage]:
        return "the extended key usage is not the profile's"
    if ExtendedKeyUsageOID.SERVER_AUTH in said and not (
        content.host_names or content.profile.certificate_authority
    ):
        return "a TLS server is named by no host name (RFC 9525 3)"
    return "a purpose stands twice" if _repeats(said) else None


def _policies(encoded: Encoded, content: CertificateContent) -> str | None:
    found = encoded.find(x509.CertificatePolicies) or ()
    said = [policy.policy_identifier.dotted_string for policy in found]
    if said != list(content.profile.policy_oids):
        return "the certificate policies are not the profile's"
    return "a certificate policy stands twice" if _repeats(said) else None


def _repeats(said: Sequence[object]) -> bool:
    return len(set(said)) < len(said)


def _crl(encoded: Encoded, content: CertificateContent) -> str | None:
    issuer, served = content.issuer, []
    if content.profile.status_urls:
        shard = issuer.shard_for(content.serial_number, content.profile)
        url = x509.UniformResourceIdentifier(issuer.urls.crl_of(shard))
        served.append(([url], None, None, None))
    points = encoded.find(x509.CRLDistributionPoints) or ()
    said = [(each.full_name, each.relative_name, each.reasons, each.crl_issuer) for each in points]
    if said != served:
        return "the CRL distribution point is not where the issuer's CRL is served"
    return None


def _access(encoded: Encoded, content: CertificateContent) -> str | None:
    urls, profile = content.issuer.urls, content.profile
    served = [(AuthorityInformationAccessOID.OCSP, urls.ocsp)] if profile.ocsp_url else []
    served.append((AuthorityInformationAccessOID.CA_ISSUERS, urls.certificate))
    found = encoded.find(x509.AuthorityInformationAccess) or ()
    said = [(each.access_method, each.access_location.value) for each in found]
    if said != (served if profile.status_urls else []):
        return "the authority information access is not where issuer and OCSP are served"
    return None


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
    Rule("certificate.authority-key", "RFC 5280 4.2.1.1", _authority_key),
    Rule("certificate.subject-key", "RFC 5280 4.2.1.2", _subject_key),
    Rule("certificate.key-usage", "RFC 5280 4.2.1.3", _key_usage),
    Rule("certificate.policies", "RFC 5280 4.2.1.4", _policies),
    Rule("certificate.purposes", "RFC 5280 4.2.1.12", _purposes),
    Rule("certificate.crl", "RFC 5280 4.2.1.13", _crl),
    Rule("certificate.access", "RFC 5280 4.2.2.1", _access),
    Rule("certificate.extensions", "RFC 5280 4.2", _extensions),
    Rule("certificate.qualified", "ETSI EN 319 412-5 4 and 5", _qualified),
)

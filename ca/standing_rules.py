"""Rules that any certificate can be held to, whoever issued it; `ca.rules` knows what we ordered.

Each is judged by itself, so that one look at a certificate tells everything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca import qualified
from ca.errors import Finding, Refused
from ca.key_quality import SubjectPublicKey, check_key, key_type
from ca.names import SubjectName
from ca.profiles import EXTENDED_KEY_USAGES, Profile

_MIN_SERIAL_BITS = 64
_SECOND = timedelta(seconds=1)
_SHA2 = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
Extension = TypeVar("Extension", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class StandingRule:
    """One clause: `broken` says what is wrong with a certificate, or None."""

    id: str
    clause: str
    broken: Callable[[x509.Certificate], str | None]
    way_out: str


def judge(certificate: x509.Certificate, profile: Profile | None = None) -> list[Finding]:
    """Everything that stands against a certificate, and against it as one of the profile."""
    findings = [
        Finding(rule.id, rule.clause, sentence, rule.way_out)
        for rule in RULES
        if (sentence := rule.broken(certificate)) is not None
    ]
    return findings if profile is None else findings + _against_profile(certificate, profile)


def _version(certificate: x509.Certificate) -> str | None:
    return None if certificate.version is x509.Version.v3 else "the version is not 3"


def _serial(certificate: x509.Certificate) -> str | None:
    if certificate.serial_number.bit_length() >= _MIN_SERIAL_BITS:
        return None
    return f"the serial number has fewer than {_MIN_SERIAL_BITS} bits, so it can be foreseen"


def _signature(certificate: x509.Certificate) -> str | None:
    digest = certificate.signature_hash_algorithm
    if digest is None or isinstance(digest, _SHA2):  # without one, the scheme hashes by itself
        return None
    return "it is not signed over a SHA-2 digest"


def _validity(certificate: x509.Certificate) -> str | None:
    if certificate.not_valid_after_utc >= certificate.not_valid_before_utc:
        return None
    return "it ends before it begins"


def _names(certificate: x509.Certificate) -> str | None:
    if not certificate.issuer.rdns:
        return "the issuer has no name"
    if not certificate.subject.rdns:
        return None if _is_critical(certificate, x509.SubjectAlternativeName) else (
            "the subject has no name, and subjectAltName is not critical"
        )  # fmt: skip
    try:
        SubjectName.from_x509(certificate.subject)
    except Refused as refused:
        return "; ".join(finding.sentence for finding in refused.findings)
    return None


def _key(certificate: x509.Certificate) -> str | None:
    key = certificate.public_key()
    if not isinstance(key, SubjectPublicKey):
        return "the public key is of a kind that is not certified here"
    try:
        check_key(key)
    except Refused as refused:
        return "; ".join(finding.sentence for finding in refused.findings)
    return None


def _authority(certificate: x509.Certificate) -> str | None:
    constraints = _find(certificate, x509.BasicConstraints)
    usage = _find(certificate, x509.KeyUsage)
    is_ca = constraints is not None and constraints.ca
    if not is_ca:
        signs = usage is not None and usage.key_cert_sign
        return "it may sign certificates, and is no certificate authority" if signs else None
    if not _is_critical(certificate, x509.BasicConstraints):
        return "the basicConstraints of a certificate authority are not critical"
    if usage is None or not usage.key_cert_sign:
        return "a certificate authority without keyCertSign"
    if not usage.crl_sign:
        return "a certificate authority without cRLSign cannot say what it revoked"
    return None


def _identifiers(certificate: x509.Certificate) -> str | None:
    constraints = _find(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca and not _has(certificate, _SUBJECT_KEY):
        return "a certificate authority without subjectKeyIdentifier"
    own = certificate.issuer == certificate.subject
    found = _find(certificate, x509.AuthorityKeyIdentifier)
    if not own and (found is None or found.key_identifier is None):
        return "no authorityKeyIdentifier says which key of the issuer signed it"
    return None


def _host_names(certificate: x509.Certificate) -> str | None:
    purposes = _find(certificate, x509.ExtendedKeyUsage)
    if purposes is None or ExtendedKeyUsageOID.SERVER_AUTH not in purposes:
        return None
    if _has(certificate, x509.SubjectAlternativeName):
        return None
    return "a TLS server that no subjectAltName names"


def _status(certificate: x509.Certificate) -> str | None:
    kinds = (x509.CRLDistributionPoints, x509.AuthorityInformationAccess, x509.OCSPNoCheck)
    own = certificate.issuer == certificate.subject
    if own or any(_has(certificate, kind) for kind in kinds):
        return None
    return "nobody is told where its status is to be found"


def _critical(certificate: x509.Certificate) -> str | None:
    unknown = [
        extension.oid.dotted_string
        for extension in certificate.extensions
        if extension.critical and isinstance(extension.value, x509.UnrecognizedExtension)
    ]
    if not unknown:
        return None
    return f"a critical extension that is not known here: {', '.join(unknown)}"


_SUBJECT_KEY = x509.SubjectKeyIdentifier
_AGAIN = "have it issued again"
RULES = (
    StandingRule("certificate.version", "RFC 5280 4.1.2.1", _version, _AGAIN),
    StandingRule("certificate.serial", "CA/B BR 7.1, RFC 5280 4.1.2.2", _serial, _AGAIN),
    StandingRule("certificate.signature", "CA/B BR 7.1.3.2, ETSI TS 119 312", _signature, _AGAIN),
    StandingRule("certificate.validity", "RFC 5280 4.1.2.5", _validity, _AGAIN),
    StandingRule(
        "certificate.subject", "RFC 5280 4.1.2.4 and 4.1.2.6", _names, "have the name corrected"
    ),
    StandingRule(
        "certificate.key", "CA/B BR 6.1.1.3, ETSI TS 119 312", _key, "make a new key, at once"
    ),
    StandingRule("certificate.authority", "RFC 5280 4.2.1.3 and 4.2.1.9", _authority, _AGAIN),
    StandingRule("certificate.identifiers", "RFC 5280 4.2.1.1 and 4.2.1.2", _identifiers, _AGAIN),
    StandingRule("certificate.names", "RFC 9525 3, RFC 5280 4.2.1.6", _host_names, _AGAIN),
    StandingRule("certificate.status", "RFC 5280 4.2.1.13 and 4.2.2.1", _status, _AGAIN),
    StandingRule("certificate.qualified", "ETSI EN 319 412-5 4 and 5", qualified.broken, _AGAIN),
    StandingRule("certificate.critical", "RFC 5280 4.2", _critical, "ask its issuer what it means"),
)


def _against_profile(certificate: x509.Certificate, profile: Profile) -> list[Finding]:
    """How it differs from what we would issue under a profile."""
    return [
        Finding("profile." + topic, f"profile {profile.name}", sentence, "issue it anew under it")
        for topic, sentence in _deviations(certificate, profile)
    ]


def _deviations(certificate: x509.Certificate, profile: Profile) -> list[tuple[str, str]]:
    key = certificate.public_key()
    whole = certificate.not_valid_after_utc - certificate.not_valid_before_utc + _SECOND
    purposes, policies = (
        _find(certificate, x509.ExtendedKeyUsage),
        _find(certificate, x509.CertificatePolicies),
    )
    wanted = {EXTENDED_KEY_USAGES[word] for word in profile.extended_key_usage}
    named = () if policies is None else (p.policy_identifier.dotted_string for p in policies)
    constraints = _find(certificate, x509.BasicConstraints)
    holds = {
        ("key", f"its key is none of {', '.join(profile.key_types)}"): (
            isinstance(key, SubjectPublicKey) and key_type(key) in profile.key_types
        ),
        ("validity", f"it is valid for more than {profile.validity_days} days"): (
            whole <= timedelta(days=profile.validity_days)
        ),
        ("subject", f"its name is not {', '.join(profile.subject)} in this order"): (
            _has_name(certificate, profile)
        ),
        ("key-usage", f"its keyUsage is not {', '.join(profile.key_usage)}"): (
            _find(certificate, x509.KeyUsage) == profile.x509_key_usage()
        ),
        ("purposes", "its extendedKeyUsage is not the profile's"): (
            (set() if purposes is None else set(purposes)) == wanted
        ),
        ("policies", "its certificatePolicies are not the profile's"): (
            set(named) == set(profile.policy_oids)
        ),
        ("qualified", "its qcStatements are not the profile's"): (
            qualified.statements(certificate)
            == (None if profile.qualified is None else profile.qualified.extension())
        ),
        ("authority", "it differs in being a certificate authority"): (
            (constraints is not None and constraints.ca) == profile.certificate_authority
        ),
    }
    return [deviation for deviation, is_so in holds.items() if not is_so]


def _has_name(certificate: x509.Certificate, profile: Profile) -> bool:
    try:
        profile.check_subject(SubjectName.from_x509(certificate.subject))
    except Refused:
        return False
    return True


def _find(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _has(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> bool:
    return any(isinstance(extension.value, kind) for extension in certificate.extensions)


def _is_critical(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> bool:
    return any(
        isinstance(extension.value, kind) and extension.critical
        for extension in certificate.extensions
    )

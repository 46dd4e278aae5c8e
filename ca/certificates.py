"""What a certificate will say, and its encoding before and after the signature.

The to-be-signed octets are written here (RFC 5280 section 4.1), for a builder would cost several
times a signature. A throw-away copy with nothing for a signature carries them: the copy is what the
rules look at, read back by another library, and its tbsCertificate is what the token signs, octet
for octet.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import AuthorityInformationAccessOID

from ca import der
from ca.errors import Finding, Refused, SigningFailed
from ca.identifiers import IssuerName, SerialNumber
from ca.key_quality import SubjectPublicKey, spki
from ca.names import SubjectName
from ca.profiles import EXTENDED_KEY_USAGES, Profile
from ca.requests import ip_address
from ca.signatures import SignatureAlgorithm, SigningKey, algorithm_of

_VERSION_3 = der.element(der.context(0), der.integer(2))
_NO_SIGNATURE = bytes(64)
_SUBJECT_KEY, _SUBJECT_NAMES = der.oid("2.5.29.14"), der.oid("2.5.29.17")
# The context-specific tags of a GeneralName (RFC 5280 section 4.2.1.6).
_RFC822_NAME, _DNS_NAME, _IP_ADDRESS = 0x81, 0x82, 0x87


@dataclass(frozen=True, slots=True)
class StatusUrls:
    """Where relying parties fetch an issuer's certificate, CRL and OCSP answers."""

    certificate: str
    crl: str
    ocsp: str

    @classmethod
    def under(cls, base: str, issuer: IssuerName) -> "StatusUrls":
        """The public paths of one issuer under a base such as http://127.0.0.1:8080."""
        return cls(f"{base}/ca/{issuer}.cer", f"{base}/crl/{issuer}.crl", f"{base}/ocsp/{issuer}")

    def crl_of(self, shard: int) -> str:
        """The CRL of one shard; the complete one for 0."""
        return f"{self.crl.removesuffix('.crl')}/{shard}.crl" if shard else self.crl

    @property
    def delta(self) -> str:
        """The delta CRL of the complete one."""
        return f"{self.crl.removesuffix('.crl')}/delta.crl"


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate authority that can sign: name, key, and certificate once it has one.

    `profiles` are the names of those it may issue under, None when it may under any; `algorithm` is
    how its key signs, `known_key` the key that relying parties verify with: the one in the
    certificate, or the token's own while there is none; and `key_identifier` says which that is.
    Certificates are spread over `shards` of its CRL, if there are any; those `in_force` are served,
    0 for the complete one.
    """

    name: IssuerName
    subject: x509.Name
    key: SigningKey
    certificate: x509.Certificate | None
    urls: StatusUrls
    profiles: frozenset[str] | None = None
    shards: int = 0
    in_force: frozenset[int] = frozenset({0})
    algorithm: SignatureAlgorithm = field(init=False, repr=False, compare=False)
    known_key: object = field(init=False, repr=False, compare=False)
    key_identifier: x509.AuthorityKeyIdentifier = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        holder = self.key if self.certificate is None else self.certificate
        object.__setattr__(self, "algorithm", algorithm_of(self.key))
        object.__setattr__(self, "known_key", holder.public_key())
        object.__setattr__(self, "key_identifier", _authority_key_identifier(self))

    def shard_for(self, serial_number: SerialNumber, profile: Profile) -> int:
        """Which shard of its CRL lists a certificate, for the whole life of that; 0 for none.

        Those of authorities are few: they are in the complete one, which everybody has.

        Raises:
            Refused: relying parties would find no CRL at the address that the certificate names.
        """
        if not profile.status_urls or profile.certificate_authority:
            return 0
        shard = 1 + serial_number % self.shards if self.shards else 0
        if shard not in self.in_force:
            which = f"shard {shard} of the CRL" if shard else "the CRL"
            raise Refused(
                Finding(
                    "issuer.crl",
                    "RFC 5280 4.2.1.13, CA/B BR 7.1.2.11.2",
                    f"{which} of {self.name} is not served yet, or has ended",
                    "wait until the service has made it, or run: tillid crl issue",
                )
            )
        return shard


Extensions = list[tuple[x509.ExtensionType, bool]]
"""Values with their criticality, in the order they are encoded."""


@dataclass(frozen=True, slots=True)
class CertificateContent:
    """Everything that will stand in one certificate; `shard` is the part of the CRL it names."""

    issuer: Issuer
    serial_number: SerialNumber
    subject: SubjectName
    host_names: tuple[str, ...]
    public_key: SubjectPublicKey
    profile: Profile
    not_before: datetime
    not_after: datetime
    email_addresses: tuple[str, ...] = ()
    shard: int = 0

    def expected_extensions(self) -> Extensions:
        """The extensions with their criticality, in the order they are encoded."""
        first, middle, last = self.common_extensions()
        own_key = x509.SubjectKeyIdentifier.from_public_key(self.public_key)
        return [*first.values, (own_key, False), *middle.values, *self._names(), *last.values]

    def common_extensions(self) -> "_Common":
        """Those that all certificates of this issuer, profile and shard share."""
        issuer = self.issuer
        urls = replace(issuer.urls, crl=issuer.urls.crl_of(self.shard))
        return _common_extensions(self.profile, urls, issuer.key_identifier)

    def _names(self) -> Extensions:
        if not (self.profile.host_names or self.profile.email_addresses):
            return []
        names = [*map(_general_name, self.host_names)]
        names += map(x509.RFC822Name, self.email_addresses)
        return [(x509.SubjectAlternativeName(names), False)]

    def throw_away_copy(self) -> x509.Certificate:
        """The certificate with a signature of zeros, which verifies under no key."""
        algorithm = self.issuer.algorithm.identifier
        tbs = _tbs_certificate(self, algorithm)
        return x509.load_der_x509_certificate(_certificate(tbs, algorithm, _NO_SIGNATURE))


def _tbs_certificate(content: CertificateContent, algorithm: bytes) -> bytes:
    """The to-be-signed octets; a library's parser and the rules read them before anybody signs."""
    return der.sequence(
        _VERSION_3,
        der.integer(content.serial_number),
        algorithm,
        content.issuer.subject.public_bytes(),
        der.sequence(der.choice_time(content.not_before), der.choice_time(content.not_after)),
        content.subject.to_der(),
        spki(content.public_key),
        der.element(der.context(3), der.sequence(*_extensions(content))),
    )


def _extensions(content: CertificateContent) -> Iterator[bytes]:
    """All extensions; but for two they are the same octets in every certificate of a profile."""
    first, middle, last = content.common_extensions()
    own_key = x509.SubjectKeyIdentifier.from_public_key(content.public_key)
    yield first.octets
    yield der.extension(_SUBJECT_KEY, der.octet_string(own_key.digest))
    yield middle.octets
    if content.profile.host_names or content.profile.email_addresses:
        hosts, mailboxes = map(_host_octets, content.host_names), content.email_addresses
        named = [der.element(_RFC822_NAME, mailbox.encode()) for mailbox in mailboxes]
        yield der.extension(_SUBJECT_NAMES, der.sequence(*hosts, *named))
    yield last.octets


def _host_octets(host: str) -> bytes:
    address = ip_address(host)
    if address is None:
        return der.element(_DNS_NAME, host.encode())
    return der.element(_IP_ADDRESS, address.packed)


class _Run(NamedTuple):
    """Extensions that follow one another, and their octets."""

    values: Extensions
    octets: bytes

    @classmethod
    def of(cls, values: Extensions) -> "_Run":
        return cls(values, b"".join(_encode(*each) for each in values))


_Common = tuple[_Run, _Run, _Run]


@functools.lru_cache(maxsize=1024)
def _common_extensions(
    profile: Profile, urls: StatusUrls, authority_key: x509.AuthorityKeyIdentifier
) -> _Common:
    """Before the subject's key identifier, between it and the subject's names, and after those."""
    middle: Extensions = [(authority_key, False)]
    if profile.extended_key_usage:
        purposes = [EXTENDED_KEY_USAGES[word] for word in profile.extended_key_usage]
        middle.append((x509.ExtendedKeyUsage(purposes), False))
    if profile.policy_oids:
        middle.append((_policies(profile.policy_oids), False))
    last: Extensions = []
    if profile.status_urls:
        last.append((_crl_distribution_points(urls.crl), False))
        last.append((_information_access(urls, ocsp=profile.ocsp_url), False))
    if profile.ocsp_no_check:
        last.append((x509.OCSPNoCheck(), False))
    if profile.qualified is not None:
        last.append((profile.qualified.extension(), False))
    constraints = x509.BasicConstraints(profile.certificate_authority, profile.path_length)
    first: Extensions = [(constraints, True), (profile.x509_key_usage(), True)]
    return _Run.of(first), _Run.of(middle + _constraints(profile)), _Run.of(last)


def _encode(value: x509.ExtensionType, critical: bool) -> bytes:  # noqa: FBT001 - as in x509
    octets = der.octet_string(value.public_bytes())
    return der.sequence(der.oid(value.oid.dotted_string), der.TRUE if critical else b"", octets)


def _certificate(tbs: bytes, algorithm: bytes, signature: bytes) -> bytes:
    return der.sequence(tbs, algorithm, der.bit_string(signature))


def subject_of(tbs_certificate: bytes) -> bytes:
    """The DER of the subject name in to-be-signed octets that we encoded ourselves."""
    # The parser needs some algorithm, and does not compare it with the one inside.
    anything = der.sequence(der.oid("1.2.840.10045.4.3.2"))
    copy = x509.load_der_x509_certificate(_certificate(tbs_certificate, anything, _NO_SIGNATURE))
    return copy.subject.public_bytes()


def validity_period(profile: Profile, now: datetime) -> tuple[datetime, datetime]:
    """NotBefore and notAfter: both seconds count as valid (RFC 5280 section 4.1.2.5)."""
    not_before = now.replace(microsecond=0)
    return not_before, not_before + timedelta(days=profile.validity_days) - timedelta(seconds=1)


def sign_octets(key: SigningKey, octets: bytes) -> bytes:
    """One signature with the key's own algorithm, the one that `throw_away_copy` declared."""
    return algorithm_of(key).sign(key, octets)


def assemble(copy: x509.Certificate, signature: bytes, issuer: Issuer) -> x509.Certificate:
    """Put the real signature in place of the copy's, and check both octets and signature.

    Raises:
        SigningFailed: the signature does not verify under the key that relying parties know.
    """
    tbs, algorithm = copy.tbs_certificate_bytes, issuer.algorithm
    octets = _certificate(tbs, algorithm.identifier, signature)
    certificate = x509.load_der_x509_certificate(octets)
    if certificate.tbs_certificate_bytes != tbs:
        raise SigningFailed("the certificate's octets are not those that were checked")
    try:
        algorithm.verify(issuer.known_key, signature, tbs)
    except InvalidSignature as error:
        raise SigningFailed("the token's signature does not verify") from error
    return certificate


def _authority_key_identifier(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    if issuer.certificate is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    try:
        own = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:  # as in certificates of old that others signed
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


def _general_name(host: str) -> x509.GeneralName:
    address = ip_address(host)
    return x509.DNSName(host) if address is None else x509.IPAddress(address)


def _policies(oids: tuple[str, ...]) -> x509.CertificatePolicies:
    return x509.CertificatePolicies(
        [x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids]
    )


def _constraints(profile: Profile) -> list[tuple[x509.ExtensionType, bool]]:
    """What a certificate authority is held to; both are critical (RFC 5280 4.2.1.10, 4.2.1.11)."""
    held: list[tuple[x509.ExtensionType, bool]] = []
    permitted, excluded = (
        [_constrained(name) for name in names] or None
        for names in (profile.permitted_names, profile.excluded_names)
    )
    if permitted or excluded:
        held.append((x509.NameConstraints(permitted, excluded), True))
    if profile.require_explicit_policy is not None:
        held.append((x509.PolicyConstraints(profile.require_explicit_policy, None), True))
    return held


def _constrained(name: str) -> x509.GeneralName:
    kind, _, domain = name.partition(":")
    return x509.DNSName(domain) if kind == "dns" else x509.RFC822Name(domain)


def _crl_distribution_points(url: str) -> x509.CRLDistributionPoints:
    name = x509.UniformResourceIdentifier(url)
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])


def _information_access(urls: StatusUrls, *, ocsp: bool) -> x509.AuthorityInformationAccess:
    methods = [(AuthorityInformationAccessOID.CA_ISSUERS, urls.certificate)]
    if ocsp:
        methods.insert(0, (AuthorityInformationAccessOID.OCSP, urls.ocsp))
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(oid, x509.UniformResourceIdentifier(url)) for oid, url in methods]
    )

"""What a certificate will say, and its encoding before and after the signature.

The to-be-signed octets come out of a copy signed with a throw-away key of the issuer's own kind:
the copy is what the rules look at, and its tbsCertificate is what the token signs, octet for octet.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from ca.errors import SigningFailed
from ca.identifiers import IssuerName, SerialNumber
from ca.key_quality import SubjectPublicKey, key_type
from ca.names import SubjectName
from ca.profiles import EXTENDED_KEY_USAGES, Profile
from ca.requests import ip_address
from ca.signatures import SigningKey, algorithm_of

_MAKERS: dict[str, Callable[[], SigningKey]] = {
    "EC-P256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EC-P384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "EC-P521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "ML-DSA-44": mldsa.MLDSA44PrivateKey.generate,
    "ML-DSA-65": mldsa.MLDSA65PrivateKey.generate,
    "ML-DSA-87": mldsa.MLDSA87PrivateKey.generate,
}


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


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate authority that can sign: name, key, and certificate once it has one.

    `profiles` are the names of those it may issue under, None when it may under any.
    """

    name: IssuerName
    subject: x509.Name
    key: SigningKey
    certificate: x509.Certificate | None
    urls: StatusUrls
    profiles: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class CertificateContent:
    """Everything that will stand in one certificate."""

    issuer: Issuer
    serial_number: SerialNumber
    subject: SubjectName
    host_names: tuple[str, ...]
    public_key: SubjectPublicKey
    profile: Profile
    not_before: datetime
    not_after: datetime
    email_addresses: tuple[str, ...] = ()

    def expected_extensions(self) -> list[tuple[x509.ExtensionType, bool]]:
        """The extensions with their criticality, in the order they are encoded."""
        profile, issuer = self.profile, self.issuer
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(profile.certificate_authority, profile.path_length), True),
            (profile.x509_key_usage(), True),
            (x509.SubjectKeyIdentifier.from_public_key(self.public_key), False),
            (_authority_key_identifier(issuer), False),
        ]
        if profile.extended_key_usage:
            purposes = [EXTENDED_KEY_USAGES[word] for word in profile.extended_key_usage]
            extensions.append((x509.ExtendedKeyUsage(purposes), False))
        if profile.policy_oids:
            extensions.append((_policies(profile.policy_oids), False))
        extensions += _constraints(profile)
        if profile.host_names or profile.email_addresses:
            names = [*map(_general_name, self.host_names)]
            names += map(x509.RFC822Name, self.email_addresses)
            extensions.append((x509.SubjectAlternativeName(names), False))
        if profile.status_urls:
            extensions.append((_crl_distribution_points(issuer.urls.crl), False))
            extensions.append((_information_access(issuer.urls, ocsp=profile.ocsp_url), False))
        if profile.ocsp_no_check:
            extensions.append((x509.OCSPNoCheck(), False))
        return extensions

    def throw_away_copy(self) -> x509.Certificate:
        """The certificate, signed with a key that is nobody's."""
        builder = (
            x509.CertificateBuilder()
            .serial_number(int(self.serial_number))
            .issuer_name(self.issuer.subject)
            .subject_name(self.subject.to_x509())
            .public_key(self.public_key)
            .not_valid_before(self.not_before)
            .not_valid_after(self.not_after)
        )
        for extension, critical in self.expected_extensions():
            builder = builder.add_extension(extension, critical)
        algorithm = algorithm_of(self.issuer.key)
        return builder.sign(
            _throw_away_key(self.issuer.key),
            algorithm.hash_algorithm,
            rsa_padding=algorithm.rsa_padding,
        )


def subject_of(tbs_certificate: bytes) -> bytes:
    """The DER of the subject name in to-be-signed octets that we encoded ourselves."""
    octets: bytes = asn1_x509.TbsCertificate.load(tbs_certificate)["subject"].dump()
    return octets


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
    certificate = x509.load_der_x509_certificate(_with_signature(copy, signature))
    if certificate.tbs_certificate_bytes != copy.tbs_certificate_bytes:
        raise SigningFailed("the certificate's octets are not those that were checked")
    try:
        _verify(issuer, signature, copy.tbs_certificate_bytes)
    except InvalidSignature as error:
        raise SigningFailed("the token's signature does not verify") from error
    return certificate


def _verify(issuer: Issuer, signature: bytes, octets: bytes) -> None:
    """Verify with the key in the issuer's certificate, or the token's own while there is none."""
    known = issuer.key if issuer.certificate is None else issuer.certificate
    algorithm_of(issuer.key).verify(known.public_key(), signature, octets)


def _with_signature(copy: x509.Certificate, signature: bytes) -> bytes:
    der, tbs = copy.public_bytes(Encoding.DER), copy.tbs_certificate_bytes
    start = der.index(tbs) + len(tbs)
    algorithm = der[start : start + 2 + der[start + 1]]
    bit_string = _tlv(0x03, b"\0" + signature)
    return _tlv(0x30, tbs + algorithm + bit_string)


def _tlv(tag: int, value: bytes) -> bytes:
    short_form = 0x80
    if len(value) < short_form:
        return bytes((tag, len(value))) + value
    length = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes((tag, short_form | len(length))) + length + value


def _throw_away_key(like: SigningKey) -> SigningKey:
    return _throw_away(key_type(like.public_key()))


@functools.cache
def _throw_away(kind: str) -> SigningKey:
    family, _, size = kind.partition("-")
    if family == "RSA":
        return rsa.generate_private_key(65537, int(size))
    return _MAKERS[kind]()


def _authority_key_identifier(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    if issuer.certificate is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    ski = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski.value)


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

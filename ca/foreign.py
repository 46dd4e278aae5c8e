"""Foreign certificate authorities: our request to one, its certificate for us, ours for it.

What comes in is read behind one boundary and refused by rule, each fault in one sentence.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from ca.errors import Finding, MalformedRequest, Refused
from ca.foreign_certificates import UNREADABLE, is_signed_by, read_certificates
from ca.issuance import CertificateOrder
from ca.issuers import IssuerCertificate, IssuerRecord
from ca.key_quality import SubjectPublicKey, check_key, spki_sha256
from ca.names import SubjectName
from ca.profiles import Profile
from ca.requests import parse_request
from ca.signatures import SigningKey, algorithm_of

_MAX_PATH = 8
_HONOURED = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
)
_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def request_certificate(record: IssuerRecord, key: SigningKey, profile: Profile) -> bytes:
    """A PKCS#10 request of an issuer (PEM), signed in its token, that asks for what it needs."""
    public = record.with_key(key).key.public_key()
    constraints = x509.BasicConstraints(profile.certificate_authority, profile.path_length)
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(record.subject)
        .add_extension(constraints, critical=True)
        .add_extension(profile.x509_key_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    algorithm = algorithm_of(key)
    request = builder.sign(key, algorithm.hash_algorithm, rsa_padding=algorithm.rsa_padding)
    return request.public_bytes(Encoding.PEM)


@dataclass(frozen=True, slots=True)
class _Offered:
    """A certificate that a foreign authority made for an issuer of ours."""

    record: IssuerRecord
    profile: Profile
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    now: datetime


def check_offered(
    record: IssuerRecord, profile: Profile, added: IssuerCertificate, now: datetime
) -> None:
    """Refuse a foreign authority's certificate with which our issuer could not work.

    Raises:
        Refused: one finding for each rule that it breaks.
    """
    offered = _Offered(record, profile, added.certificate, added.chain, now)
    findings = []
    for rule, clause, broken in _OFFERED_RULES:
        try:
            sentence = broken(offered)
        except (*UNREADABLE, x509.ExtensionNotFound):
            sentence = "it lacks an extension that a certificate authority needs"
        if sentence is not None:
            way_out = "ask the authority above for another certificate"
            findings.append(Finding(rule, clause, sentence, way_out))
    if findings:
        raise Refused(*findings)


def _key(offered: _Offered) -> str | None:
    if _digest(offered.certificate) != offered.record.spki_sha256:
        return f"the certificate is not for the key of {offered.record.name}"
    return None


def _name(offered: _Offered) -> str | None:
    # Octets: what stands as issuer in what we sign must be this very name (RFC 5280 4.1.2.6).
    if offered.certificate.subject.public_bytes() != offered.record.subject.public_bytes():
        return f"the subject is not the name of {offered.record.name}, octet for octet"
    return None


def _authority(offered: _Offered) -> str | None:
    return _may_certify(offered.certificate, "the certificate") or _may_sign_crls(offered)


def _may_sign_crls(offered: _Offered) -> str | None:
    usage = offered.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    return None if usage.crl_sign else "the certificate does not let the key sign CRLs"


def _path_length(offered: _Offered) -> str | None:
    extensions = offered.certificate.extensions
    given = extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    wanted = offered.profile.path_length
    if given is not None and (wanted is None or given < wanted):
        return f"the path length {given} leaves less room below than profile {offered.profile.name}"
    return None


def _key_identifier(offered: _Offered) -> str | None:
    extensions = offered.certificate.extensions
    found = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    if found.digest != _identifier(offered.certificate).digest:
        return "the subject key identifier is not the one that was asked for"
    return None


def _validity(offered: _Offered) -> str | None:
    certificate, now = offered.certificate, offered.now
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return "the certificate is not valid now"
    return None


def _criticals(offered: _Offered) -> str | None:
    for extension in offered.certificate.extensions:
        if extension.critical and extension.oid not in _HONOURED:
            return f"the critical extension {extension.oid.dotted_string} is not honoured here"
    return None


def _chain(offered: _Offered) -> str | None:
    path = (offered.certificate, *offered.chain)
    if len(path) > _MAX_PATH:
        return f"the chain holds more than {_MAX_PATH} certificates"
    if path[-1].subject != path[-1].issuer:
        return "the chain does not lead to a self-signed certificate"
    for place, child in enumerate(path):
        above = min(place + 1, len(path) - 1)
        sentence = _signed(child, path[above]) or _above(path[above], above, offered.now)
        if sentence is not None:
            return sentence
    return None


def _signed(child: x509.Certificate, parent: x509.Certificate) -> str | None:
    if not isinstance(child.signature_hash_algorithm, _STRONG):
        return "a certificate of the chain is signed with a hash that is not trusted"
    if not is_signed_by(child, parent):
        return "a certificate of the chain is not signed by the next"
    return None


def _above(parent: x509.Certificate, below: int, now: datetime) -> str | None:
    """What keeps a certificate from standing above, with `below` authorities in between."""
    if not parent.not_valid_before_utc <= now <= parent.not_valid_after_utc:
        return "a certificate of the chain is not valid now"
    length = parent.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    if length is not None and length < below:
        return "the path length of a certificate of the chain is exceeded"
    _certifiable(parent.public_key())
    return _may_certify(parent, "a certificate of the chain")


def _may_certify(certificate: x509.Certificate, what: str) -> str | None:
    extensions = certificate.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    if not (constraints.value.ca and constraints.critical and usage.key_cert_sign):
        return f"{what} is not that of a certificate authority"
    return None


_OFFERED_RULES: Sequence[tuple[str, str, Callable[[_Offered], str | None]]] = (
    ("install.key", "RFC 5280 4.1.2.7", _key),
    ("install.name", "RFC 5280 4.1.2.6", _name),
    ("install.authority", "RFC 5280 4.2.1.3, 4.2.1.9, RFC 10007", _authority),
    ("install.path", "RFC 5280 4.2.1.9", _path_length),
    ("install.key-identifier", "RFC 5280 4.2.1.2", _key_identifier),
    ("install.validity", "RFC 5280 4.1.2.5", _validity),
    ("install.critical", "RFC 5280 4.2", _criticals),
    ("install.chain", "RFC 5280 6.1", _chain),
)


def cross_order(octets: bytes, profile: Profile, signer: x509.Certificate) -> CertificateOrder:
    """An order for a certificate over a foreign authority's key, from its request or root.

    Either is signed by the key itself. The name is taken as it is, or not at all; the certificate
    ends with the signer's, and with the foreign root if that was given.

    Raises:
        MalformedRequest: it is neither a PKCS#10 request nor a certificate.
        Refused: the profile is not for authorities, or the key or name cannot be certified.
    """
    if not profile.certificate_authority or profile.path_length is None:
        raise _not_crossed("the profile is not one for an authority with a bounded path")
    ends = signer.not_valid_after_utc
    try:
        request = parse_request(octets)
    except MalformedRequest:
        root = read_certificates(octets)[0]
        key, name = _certifiable(root.public_key()), root.subject
        ends = min(ends, root.not_valid_after_utc)
        _check_root(root)
    else:
        key, name = request.public_key, x509.load_der_x509_csr(request.der).subject
    subject = SubjectName.from_x509(name)
    if subject.to_x509().public_bytes() != name.public_bytes():
        raise _not_crossed("the name is encoded in string types that are not written here")
    return CertificateOrder(profile, subject, key, not_after=ends)


def _check_root(root: x509.Certificate) -> None:
    if _signed(root, root) is not None:
        raise _not_crossed("the certificate is not signed by its own key; send a request")
    try:
        sentence = _may_certify(root, "the certificate")
        found = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        if found.digest != _identifier(root).digest:
            sentence = "its key identifier is not the SHA-1 of its key, so paths would not be found"
    except x509.ExtensionNotFound:
        sentence = "the certificate lacks an extension that a certificate authority needs"
    if sentence is not None:
        raise _not_crossed(sentence)


def _certifiable(key: object) -> SubjectPublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise _not_crossed("the public key is of a kind that is not certified")
    check_key(key)
    return key


def _not_crossed(sentence: str) -> Refused:
    way_out = "ask the foreign authority for a request that meets the rule"
    return Refused(Finding("cross.request", "RFC 5280 3.2, 4.1.2.6", sentence, way_out))


def _identifier(certificate: x509.Certificate) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())


def _digest(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return spki_sha256(key)
    return "of a kind that no issuer here has"

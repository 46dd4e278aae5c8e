"""Builders: an issuer, its delegated OCSP responder and subscriber certificates, software keys."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ca.identifiers import IssuerName, SerialNumber
from ca.signatures import SigningKey, algorithm_of
from revocation.publication import IssuingKey
from revocation.responder import OcspIssuer

NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2049, 12, 31, tzinfo=UTC)
ISSUER = IssuerName("persons-g1")


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_usage(**stated: bool) -> x509.KeyUsage:
    nothing = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**(nothing | stated))


def name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DK"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tillid Prøve"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def issuer_certificate(
    key: SigningKey,
    *,
    common_name: str = "Persons G1",
    crl_sign: bool | None = True,
    key_identifier: bytes | None = None,
) -> x509.Certificate:
    """A self-signed issuer; without a key usage when `crl_sign` is None."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    if key_identifier is not None:
        identifier = x509.SubjectKeyIdentifier(key_identifier)
    builder = (
        _builder(common_name, common_name, SerialNumber(1))
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(identifier, critical=False)
    )
    if crl_sign is not None:
        usage = key_usage(key_cert_sign=True, crl_sign=crl_sign)
        builder = builder.add_extension(usage, critical=True)
    algorithm = algorithm_of(key)
    return builder.sign(key, algorithm.hash_algorithm, rsa_padding=algorithm.rsa_padding)


def _builder(subject: str, issuer: str, serial: SerialNumber) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .serial_number(serial)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
    )


@dataclass(frozen=True)
class Pki:
    """One issuer and the responder it delegated to."""

    issuing: IssuingKey
    ocsp: OcspIssuer

    @classmethod
    def new(cls, key: SigningKey | None = None) -> "Pki":
        key = key or new_key()
        certificate = issuer_certificate(key)
        issuing = IssuingKey(ISSUER, certificate, key)
        responder_key = new_key()
        responder = responder_certificate(issuing, responder_key)
        return cls(issuing, OcspIssuer(ISSUER, certificate, responder, responder_key))

    def subscriber(self, serial: SerialNumber) -> x509.Certificate:
        return (
            _builder(f"Subscriber {serial.hex}", "Persons G1", serial)
            .public_key(self.issuing.key.public_key())
            .add_extension(key_usage(digital_signature=True), critical=True)
            .add_extension(authority_key_identifier(self.issuing), critical=False)
            .sign(self.issuing.key, hashes.SHA256())
        )


def authority_key_identifier(issuing: IssuingKey) -> x509.AuthorityKeyIdentifier:
    subject = issuing.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject.value)


def responder_certificate(
    issuing: IssuingKey,
    key: SigningKey,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.OCSP_SIGNING,
) -> x509.Certificate:
    return (
        _builder("OCSP responder", "Persons G1", SerialNumber(2))
        .public_key(key.public_key())
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(key_usage(digital_signature=True), critical=True)
        .add_extension(x509.OCSPNoCheck(), critical=False)
        .add_extension(authority_key_identifier(issuing), critical=False)
        .sign(issuing.key, hashes.SHA256())
    )


def write_pem(path: Path, certificate: x509.Certificate) -> Path:
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return path

"""Certificates and entries to publish."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ca.identifiers import SerialNumber
from publish_ldap.entry import PERSON, Entry, Holder

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def an_issuer(common_name: str = "Issuing CA 1", organization: str = "Tillid A/S") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DK"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, "NTRDK-12345678"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


@dataclass(frozen=True)
class Published:
    """A certificate with what names it."""

    issuer: x509.Name = field(default_factory=an_issuer)
    serial: SerialNumber = field(default_factory=SerialNumber.random)

    @property
    def der(self) -> bytes:
        return _der(self.issuer, self.serial)


def a_holder(common_name: str = "Kirsten Ødegaard", pseudonym: str | None = None) -> Holder:
    return Holder(
        "natural-person-substantial",
        (
            ("GN", "Kirsten"),
            ("SN", "Ødegaard"),
            ("CN", common_name),
            ("serialNumber", pseudonym or uuid.uuid4().hex),
            ("mail", "kirsten@tillid.example"),
        ),
    )


def an_entry(common_name: str = "Kirsten Ødegaard", pseudonym: str | None = None) -> Entry:
    return PERSON.entry(a_holder(common_name, pseudonym))


def pseudonym_of(entry: Entry) -> str:
    return entry.holder[1]


@cache
def _der(issuer: x509.Name, serial: SerialNumber) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kirsten Ødegaard")])
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), serial)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=365))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )

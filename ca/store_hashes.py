"""What an HTTP certificate store is asked by: SHA-1 of parts of a certificate (RFC 4387 2.1).

The algorithm is the protocol's; nothing is trusted because of it.
"""

from dataclasses import dataclass
from hashlib import sha1

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca import der


@dataclass(frozen=True, slots=True)
class StoreHashes:
    """Digests (20 octets) of the certificate, of its issuer and serial number, and of its names.

    `key` is that of the subjectKeyIdentifier, None without one.
    """

    certificate: bytes
    issuer_and_serial: bytes
    subject: bytes
    key: bytes | None


def store_hashes(certificate: x509.Certificate) -> StoreHashes:
    """The digests of a certificate."""
    named = der.sequence(certificate.issuer.public_bytes(), der.integer(certificate.serial_number))
    return StoreHashes(
        certificate=_sha1(certificate.public_bytes(Encoding.DER)),
        issuer_and_serial=_sha1(named),
        subject=name_hash(certificate.subject),
        key=_key_hash(certificate),
    )


def name_hash(name: x509.Name) -> bytes:
    """SHA-1 of a name: sHash of its certificates, iHash of what it issued."""
    return _sha1(name.public_bytes())


def _key_hash(certificate: x509.Certificate) -> bytes | None:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return None
    return _sha1(found.value.digest)


def _sha1(octets: bytes) -> bytes:
    return sha1(octets, usedforsecurity=False).digest()

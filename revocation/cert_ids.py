"""How OCSP names a certificate: hashes of its issuer's name and key, and its serial number.

RFC 6960 section 4.1.1.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from cryptography import x509

from ca.der import LONG_FORM
from ca.identifiers import SerialNumber
from revocation import der
from revocation.ocsp import MAX_NONCE_OCTETS, NONCE, CertId, OcspRequest, encode_request


class CertIdHash(StrEnum):
    """The hashes that clients name issuers by."""

    SHA1 = "sha1"
    SHA256 = "sha256"


_HASHES: dict[CertIdHash, tuple[bytes, Callable[[bytes], bytes]]] = {
    CertIdHash.SHA1: (
        der.oid("1.3.14.3.2.26"),
        lambda octets: hashlib.sha1(octets, usedforsecurity=False).digest(),
    ),
    CertIdHash.SHA256: (
        der.oid("2.16.840.1.101.3.4.2.1"),
        lambda octets: hashlib.sha256(octets).digest(),
    ),
}


# SEQUENCEs around the one CertID of a request, the CertID's own included, in the short form.
_PLAIN_DEPTH = 10
_DEEPEST = 15  # the same with lengths above 127, as far as there are any
_PLAIN = tuple(
    b"".join(bytes((der.SEQUENCE, max(whole - inner, 0))) for inner in range(2, 12, 2))
    for whole in range(LONG_FORM)
)


@dataclass(frozen=True, slots=True)
class IssuerCertIds:
    """The CertIDs of one issuer's certificates."""

    _issuer_hashes: Mapping[bytes, tuple[bytes, bytes]]
    _beginnings: Mapping[CertIdHash, bytes]

    @classmethod
    def of(cls, issuer: x509.Certificate) -> Self:
        """Those of the certificates that this one signs."""
        subject, public_key = der.subject_and_key(issuer)
        hashes = {
            identifier: (digest(subject), digest(public_key))
            for identifier, digest in _HASHES.values()
        }
        beginnings = {
            cert_id_hash: der.sequence(identifier, der.NULL)
            + b"".join(map(der.octet_string, hashes[identifier]))
            for cert_id_hash, (identifier, _) in _HASHES.items()
        }
        return cls(hashes, beginnings)

    def is_ours(self, cert_id: CertId) -> bool:
        """Whether it names this issuer."""
        hashes = (cert_id.issuer_name_hash, cert_id.issuer_key_hash)
        return self._issuer_hashes.get(cert_id.hash_algorithm) == hashes

    def encode(self, cert_id_hash: CertIdHash, serial: SerialNumber) -> bytes:
        """The CertID as nearly every client writes it: with NULL beside the hash algorithm."""
        return der.sequence(self._beginnings[cert_id_hash], der.integer(serial))

    def recognise(self, cert_id: CertId) -> tuple[CertIdHash, SerialNumber] | None:
        """What `encode` made this CertID from, octet for octet; None for any other."""
        serial = serial_of(cert_id)
        if serial is None:
            return None
        for cert_id_hash in _HASHES:
            if cert_id.encoded == self.encode(cert_id_hash, serial):
                return cert_id_hash, serial
        return None

    def recognise_plain(self, octets: bytes) -> tuple[CertIdHash, SerialNumber] | None:
        """As `recognise_only`, of the octets of a request that holds one CertID and nothing else.

        Nearly every request is one. Whatever else comes is None here, and is read properly.
        """
        whole = len(octets)
        if not _PLAIN_DEPTH <= whole < LONG_FORM or octets[:_PLAIN_DEPTH] != _PLAIN[whole]:
            return None
        for cert_id_hash, beginning in self._beginnings.items():
            if octets.startswith(beginning, _PLAIN_DEPTH):
                rest = octets[_PLAIN_DEPTH + len(beginning) :]
                serial = serial_in(rest)
                return None if serial is None else (cert_id_hash, serial)
        return None

    def recognise_nonced(
        self, octets: bytes
    ) -> tuple[tuple[CertIdHash, SerialNumber], bytes] | None:
        """As `recognise_plain`, of a request that holds a nonce too, which is given beside it.

        Nonces of more than 125 octets, which nobody sends, are left to the reader.
        """
        for cert_id_hash, beginning in self._beginnings.items():
            start = octets.find(beginning, _PLAIN_DEPTH, _DEEPEST + len(beginning))
            if start < 0:
                continue
            at = start + len(beginning)
            end = at + 2 + (octets[at + 1] if at + 1 < len(octets) else 0)
            serial = serial_in(octets[at:end])
            nonce = octets[octets.find(NONCE, end) + len(NONCE) + 4 :]
            if serial is None or not 1 <= len(nonce) <= MAX_NONCE_OCTETS:
                return None
            # What was found so is believed only if it is all there is.
            cert_id = self.encode(cert_id_hash, serial)
            found = (cert_id_hash, serial), nonce
            return found if encode_request(cert_id, nonce) == octets else None
        return None

    def recognise_only(self, request: OcspRequest) -> tuple[CertIdHash, SerialNumber] | None:
        """The one CertID of a request, recognised; None when it asks about several."""
        first, *others = request.cert_ids
        return None if others else self.recognise(first)

    @property
    def issuer_hashes(self) -> Iterator[tuple[bytes, bytes, bytes]]:
        """Hash algorithm (DER), hash of the name, hash of the key: as CertIDs name this issuer."""
        for algorithm, (name_hash, key_hash) in self._issuer_hashes.items():
            yield algorithm, name_hash, key_hash


def serial_in(element: bytes) -> SerialNumber | None:
    """The serial in the DER of one INTEGER and nothing after it; None for anything else."""
    try:
        serial = SerialNumber(int.from_bytes(element[2:], "big"))
    except ValueError:
        return None
    return serial if der.integer(serial) == element else None


def serial_of(cert_id: CertId) -> SerialNumber | None:
    """The serial; None where none of ours is: zero, negative, or above 159 bits."""
    try:
        return SerialNumber(cert_id.serial)
    except ValueError:
        return None

"""Looking at status from outside: CRL and OCSP as a relying party fetches and checks them.

Only our own public address is asked, never one that stands in a certificate handed to us.
"""

import hashlib
import http.client
import urllib.error
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from ca.hierarchy import IssuerRecord
from gdpr_erasure.saga import Observation, Place
from records.issuers import Issuers
from revocation.crl import check_crl
from revocation.errors import RevocationError
from server.clock import utc_now

_SECONDS = 5
_MAX_OCTETS = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PublicProbe:
    """Asks the public listener; implements `gdpr_erasure.saga.StatusProbe`."""

    issuers: Issuers

    def revoked_in_crl(self, place: Place, since: datetime) -> Observation | None:
        """The CRL served now, if it verifies, was made since then, and lists the serial."""
        name, serial = place
        record = self.issuers.get(name)
        octets = _fetch(record.urls.crl)
        if octets is None or record.certificate is None:
            return None
        try:
            header = check_crl(octets, record.certificate, utc_now())
        except RevocationError:
            return None
        crl = x509.load_der_x509_crl(octets)
        if (
            header.this_update < since
            or crl.get_revoked_certificate_by_serial_number(serial) is None
        ):
            return None
        digest = hashlib.sha256(octets).digest()
        return Observation("crl", digest, utc_now(), header.number)

    def revoked_in_ocsp(self, place: Place) -> Observation | None:
        """The OCSP answer given now, if it verifies and says revoked."""
        name, serial = place
        record = self.issuers.get(name)
        if record.certificate is None:
            return None
        request = _request(record.certificate, serial)
        octets = _fetch(f"{record.urls.ocsp}/{b64encode(request).decode()}")
        if octets is None or not _says_revoked(octets, record, serial):
            return None
        return Observation("ocsp", hashlib.sha256(octets).digest(), utc_now())


def _fetch(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - our own URL
            body: bytes = answer.read(_MAX_OCTETS)
            return body
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return None


def _request(issuer: x509.Certificate, serial: int) -> bytes:
    key = issuer.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        hashlib.sha256(issuer.subject.public_bytes()).digest(),
        hashlib.sha256(key).digest(),
        serial,
        hashes.SHA256(),
    )
    return builder.build().public_bytes(Encoding.DER)


def _says_revoked(octets: bytes, record: IssuerRecord, serial: int) -> bool:
    try:
        answer = ocsp.load_der_ocsp_response(octets)
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return False
        (responder,) = answer.certificates
        if record.certificate is None:
            return False
        responder.verify_directly_issued_by(record.certificate)
        key = responder.public_key()
        algorithm = answer.signature_hash_algorithm
        if not isinstance(key, ec.EllipticCurvePublicKey) or algorithm is None:
            return False
        key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(algorithm))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return (
        answer.serial_number == serial and answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    )

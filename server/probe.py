"""Looking at status from outside: CRL and OCSP as a relying party fetches and checks them.

Only our own public address is asked, never one that stands in a certificate handed to us, and
neither a redirect nor a proxy leads elsewhere. Each OCSP request carries a nonce, so that what
comes back was made for it (RFC 9654).
"""

import hashlib
import http.client
import secrets
import urllib.error
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from gdpr_erasure.erasures import Observation, Place
from records.issuers import Issuers
from revocation.crl import check_crl
from revocation.errors import RevocationError
from revocation.publication import NEVER
from server.clock import utc_now

_SECONDS = 5
_MAX_OCTETS = 256 * 1024 * 1024
_NONCE_OCTETS = 32


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """None: the redirect is an error like any other."""


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


@dataclass(frozen=True, slots=True)
class PublicProbe:
    """Asks the public listener; implements `gdpr_erasure.saga.StatusProbe`."""

    issuers: Issuers

    def revoked_in_crl(self, place: Place, since: datetime) -> Observation | None:
        """The CRL served now, if it verifies, was made since then, and lists the serial."""
        name, serial = place
        record = self.issuers.get(name)
        octets = fetch(record.urls.crl)
        if octets is None or record.certificate is None:
            return None
        try:
            header = check_crl(octets, record.certificate, utc_now())
        except RevocationError:
            return None
        crl = x509.load_der_x509_crl(octets)
        last = header.next_update == NEVER
        if (
            header.this_update < since and not last
        ) or crl.get_revoked_certificate_by_serial_number(serial) is None:
            return None
        digest = hashlib.sha256(octets).digest()
        return Observation("crl", digest, utc_now(), header.number, last=last)

    def revoked_in_ocsp(self, place: Place) -> Observation | None:
        """The OCSP answer given now, if it verifies and says revoked."""
        name, serial = place
        record = self.issuers.get(name)
        if record.certificate is None:
            return None
        nonce = x509.OCSPNonce(secrets.token_bytes(_NONCE_OCTETS))
        request = _request(record.certificate, serial, nonce)
        octets = fetch(f"{record.urls.ocsp}/{b64encode(request).decode()}")
        if octets is None or not _says_revoked(octets, record.certificate, serial, nonce):
            return None
        return Observation("ocsp", hashlib.sha256(octets).digest(), utc_now())


def fetch(url: str, seconds: float = _SECONDS) -> bytes | None:
    """What lies at one of our own addresses; None when nothing answers with 200."""
    try:
        with _OPENER.open(url, timeout=seconds) as answer:
            body: bytes = answer.read(_MAX_OCTETS)
            return body
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return None


def _request(issuer: x509.Certificate, serial: int, nonce: x509.OCSPNonce) -> bytes:
    key = issuer.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        hashlib.sha256(issuer.subject.public_bytes()).digest(),
        hashlib.sha256(key).digest(),
        serial,
        hashes.SHA256(),
    )
    return builder.add_extension(nonce, critical=False).build().public_bytes(Encoding.DER)


def _says_revoked(
    octets: bytes, issuer: x509.Certificate, serial: int, nonce: x509.OCSPNonce
) -> bool:
    try:
        answer = ocsp.load_der_ocsp_response(octets)
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return False
        echoed = answer.extensions.get_extension_for_class(x509.OCSPNonce).value
        return (
            is_signed(answer, issuer)
            and echoed == nonce
            and answer.serial_number == serial
            and answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
        )
    except (ValueError, TypeError, NotImplementedError):
        return False
    except (InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False


def is_signed(answer: ocsp.OCSPResponse, issuer: x509.Certificate) -> bool:
    """Whether a responder that the issuer delegated to signed it (RFC 6960 section 4.2.2.2)."""
    (responder,) = answer.certificates
    responder.verify_directly_issued_by(issuer)
    usage = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    key, algorithm = responder.public_key(), answer.signature_hash_algorithm
    if ExtendedKeyUsageOID.OCSP_SIGNING not in usage:
        return False
    if not isinstance(key, ec.EllipticCurvePublicKey) or algorithm is None:
        return False
    key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(algorithm))
    return True

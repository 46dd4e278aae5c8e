"""OCSP requests as clients write them, and some as few do."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import OCSPNonce
from cryptography.x509 import ocsp as x509_ocsp

from ca.identifiers import SerialNumber
from revocation import der
from tests.support.revocation_pki import Pki

SHA1 = hashes.SHA1()  # noqa: S303 - relying parties ask with it (RFC 5019 2.1.1)


def asked(
    pki: Pki,
    serial: SerialNumber,
    *,
    algorithm: hashes.HashAlgorithm = SHA1,
    nonce: bytes | None = None,
) -> bytes:
    """A question about one certificate."""
    issuer = pki.issuing.certificate
    builder = x509_ocsp.OCSPRequestBuilder()
    builder = builder.add_certificate(pki.subscriber(serial), issuer, algorithm)
    if nonce is not None:
        builder = builder.add_extension(OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def joined(*requests: bytes) -> bytes:
    """One request for everything that the requests ask about."""
    singles = []
    for octets in requests:
        tbs = der.Reader(octets).enter(der.SEQUENCE).enter(der.SEQUENCE)
        singles.append(tbs.enter(der.SEQUENCE).whole(der.SEQUENCE))
    return der.sequence(der.sequence(der.sequence(*singles)))


def without_null(question: bytes) -> bytes:
    """The same question with no parameter beside the hash algorithm (RFC 5754 section 2)."""
    outside = der.Reader(question).enter(der.SEQUENCE).enter(der.SEQUENCE).enter(der.SEQUENCE)
    cert_id = outside.enter(der.SEQUENCE).enter(der.SEQUENCE)
    algorithm = cert_id.enter(der.SEQUENCE).whole(der.OBJECT_IDENTIFIER)
    lean = der.sequence(der.sequence(algorithm), cert_id.rest())
    return der.sequence(der.sequence(der.sequence(der.sequence(lean))))

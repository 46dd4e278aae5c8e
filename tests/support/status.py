"""Status as the public listener tells it: an OCSP answer and a CRL, read by another library."""

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from tests.support.service import Service


def ocsp_status(service: Service, serial: int) -> ocsp.OCSPCertStatus:
    """What OCSP says about a serial of the issuing CA."""
    issuer = x509.load_der_x509_certificate(service.public("/ca/issuing.cer").body)
    key = issuer.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        _sha256(issuer.subject.public_bytes()), _sha256(key), serial, SHA256()
    )
    answer = service.public("/ocsp/issuing", sent=builder.build().public_bytes(Encoding.DER))
    return ocsp.load_der_ocsp_response(answer.body).certificate_status


def crl(service: Service, issuer: str = "issuing") -> x509.CertificateRevocationList:
    """The CRL that is served now."""
    return x509.load_der_x509_crl(service.public(f"/crl/{issuer}.crl").body)


def crl_lists(service: Service, serial: int) -> bool:
    return crl(service).get_revoked_certificate_by_serial_number(serial) is not None


def _sha256(octets: bytes) -> bytes:
    digest = Hash(SHA256())
    digest.update(octets)
    return digest.finalize()

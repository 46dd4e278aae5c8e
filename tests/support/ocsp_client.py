"""Asks an OCSP responder as clients do: with SHA-1 CertIDs."""

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from records.officers import Role
from revocation import der
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Status, Unknown
from server.assembly import Assembly
from server.clock import utc_now
from tests.support.staff import an_officer
from tests.support.wsgi import Answered


def request_for(
    parts: Assembly, serial: int, *, nonce: bytes | None = None, issuer: str = "issuing"
) -> bytes:
    certificate = parts.issuers.get(issuer).certificate
    assert certificate is not None
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        *issuer_hashes(certificate),
        serial,
        hashes.SHA1(),  # noqa: S303 - what clients send
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def issuer_hashes(issuer: x509.Certificate) -> tuple[bytes, bytes]:
    subject, key = (hashlib.sha1(part) for part in der.subject_and_key(issuer))  # noqa: S324
    return subject.digest(), key.digest()


def said(answer: Answered) -> ocsp.OCSPResponse:
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/ocsp-response"
    return ocsp.load_der_ocsp_response(answer.body)


def an_issued_serial(parts: Assembly) -> int:
    return an_officer(parts, Role.AUDITOR).certificate.serial_number


def status_in(read: ocsp.OCSPResponse, parts: Assembly) -> Status:
    """What an answer says, once its signature and its times were checked."""
    issuer, (signer,) = parts.issuing_record().certificate, read.certificates
    assert issuer is not None
    signer.verify_directly_issued_by(issuer)
    usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.OCSP_SIGNING in usage
    key = signer.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(read.signature, read.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
    assert read.next_update_utc is not None
    assert read.this_update_utc <= utc_now() < read.next_update_utc
    if read.certificate_status is ocsp.OCSPCertStatus.GOOD:
        return Good()
    if read.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        return Unknown()
    assert read.revocation_time_utc is not None
    word = read.revocation_reason.value if read.revocation_reason else "unspecified"
    return Revoked(Reason.from_label(word), read.revocation_time_utc)

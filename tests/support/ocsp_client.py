"""Asks an OCSP responder as clients do: with SHA-1 CertIDs."""

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from records.officers import Role
from revocation import der
from server.assembly import Assembly
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

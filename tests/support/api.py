"""Asking the API: who asks, what an applicant sends, and the problem that comes back."""

import re
from base64 import encodebytes
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from werkzeug.test import TestResponse

from records.officers import Role
from server.assembly import Assembly
from tests.support.ra_builders import NANCY, a_new_request_der, claimed
from tests.support.staff import Office, shown

KEYS = {"type", "title", "status", "detail", "rule", "way_out", "reference", "errors"}


def as_officer(office: Office, role: Role) -> dict[str, str]:
    return presenting(office.staff[role].certificate)


def presenting(certificate: x509.Certificate) -> dict[str, str]:
    pem = certificate.public_bytes(Encoding.PEM).decode()
    return {"SSL_CLIENT_CERT": pem, "SSL_CLIENT_VERIFY": "SUCCESS"}


def problem(answer: TestResponse) -> dict[str, Any]:
    """The problem document (RFC 9457) that the answer is."""
    assert answer.mimetype == "application/problem+json"
    document = answer.json
    assert document is not None
    assert set(document) <= KEYS
    assert document["status"] == answer.status_code
    assert re.fullmatch(r"/problems/[a-z-]+", document["type"])
    assert document["title"]
    assert document["detail"]
    assert all(set(one) == {"field", "detail", "way_out"} for one in document.get("errors", []))
    return document


def an_application(parts: Assembly, number: str = NANCY, **changes: object) -> dict[str, object]:
    """What an applicant sends."""
    session, digests = shown(parts)
    answers = {
        kind: {"sha256": digest, "read": True, "accepted": True} for kind, digest in digests.items()
    }
    pem = x509.load_der_x509_csr(a_new_request_der()).public_bytes(Encoding.PEM).decode()
    return {
        "profile": "natural-person-substantial",
        "attributes": claimed(number),
        "certificate_request": pem,
        "session": session,
        **answers,
        **changes,
    }


def armoured(cms: bytes) -> str:
    return f"-----BEGIN CMS-----\n{encodebytes(cms).decode()}-----END CMS-----\n"


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}

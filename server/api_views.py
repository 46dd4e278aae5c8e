"""Values as the JSON objects of the API; times are ISO 8601 in UTC."""

from datetime import datetime

from gdpr_erasure.saga import Erasure
from ra.applications import Application
from records.certificate_rows import CertificateRecord

JsonObject = dict[str, object]


def application_view(of: Application) -> JsonObject:
    """An application without anything personal."""
    return {
        "id": of.id,
        "profile": of.profile,
        "level": of.level.label,
        "state": of.state,
        "created_at": _time(of.created_at),
        "updated_at": _time(of.updated_at),
        "package_sha256": of.package_hash,
        "findings": [
            {"requirement": f.requirement, "code": f.code, "sentence": f.applicant_sentence}
            for f in of.findings
        ],
    }


def certificate_view(of: CertificateRecord) -> JsonObject:
    """The operational facts of a certificate."""
    return {
        "issuer": of.issuer,
        "serial_number": of.serial_number.hex,
        "status": of.status,
        "profile": of.profile,
        "application_id": of.application_id,
        "not_before": _time(of.not_before),
        "not_after": _time(of.not_after),
        "issued_at": _time(of.issued_at),
        "revoked_at": _time(of.revoked_at),
        "reason": None if of.reason is None else of.reason.label,
        "cause": of.cause,
        "invalid_since": _time(of.invalid_since),
        "decided_by": of.decided_by,
        "fingerprint": of.fingerprint,
    }


def erasure_view(of: Erasure) -> JsonObject:
    """How far an erasure has come, what was seen, and its receipt at the end."""
    return {
        "id": of.id,
        "state": of.state,
        "requested_at": _time(of.requested_at),
        "updated_at": _time(of.updated_at),
        "evidence": of.evidence,
        "receipt": of.receipt,
    }


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()

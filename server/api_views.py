"""Values as the JSON objects of the API; times are ISO 8601 in UTC."""

from datetime import datetime

from gdpr_erasure.erasures import Erasure
from gdpr_erasure.retention import Assessment
from ra.applications import Application
from ra.renewals import Renewal
from records.bulk_revocations import BulkRevocation
from records.certificate_rows import CertificateRecord
from records.orders import Order

JsonObject = dict[str, object]


def application_view(of: Application) -> JsonObject:
    """An application without anything personal."""
    return {
        "id": of.id,
        "profile": of.profile,
        "level": of.level.label,
        "state": of.state,
        "created_at": time_view(of.created_at),
        "updated_at": time_view(of.updated_at),
        "package_sha256": of.package_hash,
        "renews": None if of.renewal is None else renewal_view(of.renewal),
        "findings": [
            {"requirement": f.requirement, "code": f.code, "sentence": f.applicant_sentence}
            for f in of.findings
        ],
    }


def renewal_view(of: Renewal) -> JsonObject:
    """Which certificate gives way to that of an application, and what carries it."""
    return {"basis": of.basis.value, "application": of.application, "certificate": of.credential}


def certificate_view(of: CertificateRecord) -> JsonObject:
    """The operational facts of a certificate."""
    return {
        "issuer": of.issuer,
        "serial_number": of.serial_number.hex,
        "status": of.status,
        "profile": of.profile,
        "application_id": of.application_id,
        "not_before": time_view(of.not_before),
        "not_after": time_view(of.not_after),
        "issued_at": time_view(of.issued_at),
        "revoked_at": time_view(of.revoked_at),
        "reason": None if of.reason is None else of.reason.label,
        "cause": of.cause,
        "invalid_since": time_view(of.invalid_since),
        "decided_by": of.decided_by,
        "fingerprint": of.fingerprint,
    }


def bulk_view(of: BulkRevocation, counts: list[tuple[str, str, int]] | None) -> JsonObject:
    """A bulk revocation; with the counts by issuer and profile where they are asked for."""
    view: JsonObject = {
        "id": of.id,
        "state": of.state,
        "cause": of.grounds.cause,
        "reason": of.grounds.cause.reason.label,
        "invalid_since": time_view(of.grounds.invalid_since),
        "selection": dict(of.selection),
        "sha256": of.sha256,
        "certificates": of.total,
        "left_out": of.left_out,
        "done": of.done,
        "revoked": of.revoked,
        "planned_by": of.planned_by,
        "planned_at": time_view(of.planned_at),
        "begun_by": of.begun_by,
        "begun_at": time_view(of.begun_at),
        "ended_at": time_view(of.ended_at),
    }
    if counts is not None:
        keys = ("issuer", "profile", "certificates")
        view["counts"] = [dict(zip(keys, each, strict=True)) for each in counts]
    return view


def erasure_view(of: Erasure) -> JsonObject:
    """How far an erasure has come, what was ruled and seen, and its receipts."""
    return {
        "id": of.id,
        "state": of.state,
        "trigger": of.trigger,
        "requested_at": time_view(of.requested_at),
        "updated_at": time_view(of.updated_at),
        "due_at": time_view(of.due_at),
        "begins_at": time_view(of.begins_at),
        "approvals": of.approvals,
        "rulings_sha256": of.assessment.sha256,
        **assessment_view(of.assessment),
        "evidence": of.evidence,
        "trouble": of.error,
        "receipt": of.receipt,
        "receipts": list(of.receipts),
    }


def assessment_view(of: Assessment) -> JsonObject:
    """What is erased and what is kept, class by class."""
    return {
        "policies": list(of.policies),
        "failed_policies": list(of.failed),
        "rulings": [
            {
                "class": record_class,
                "count": of.counts[record_class],
                "action": ruling.action,
                "until": None if ruling.until is None else ruling.until.isoformat(),
                "basis": ruling.basis,
                "text": dict(ruling.text),
            }
            for record_class, ruling in of.rulings.items()
        ],
    }


def order_view(of: Order) -> JsonObject:
    """An order about keeping, and whether it counts."""
    return {
        "id": of.id,
        "kind": of.kind,
        "directory": of.directory,
        "hold": of.hold_id,
        "until": time_view(of.until_at),
        "basis": of.basis,
        "asked_by": of.asked_by,
        "asked_at": time_view(of.asked_at),
        "approved_by": of.approved_by,
        "approved_at": time_view(of.approved_at),
    }


def time_view(time: datetime | None) -> str | None:
    """A time in ISO 8601; None stays None."""
    return None if time is None else time.isoformat()

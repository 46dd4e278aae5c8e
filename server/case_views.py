"""Data-subject cases as the JSON objects of the API: nothing of what was written in them."""

from dataclasses import asdict
from datetime import date, datetime

from gdpr_erasure.case_parts import CollectorStatus
from gdpr_erasure.cases import ANSWERED, OPEN, Case
from records.case_contents import CaseFile
from records.case_deliveries import Delivery
from records.errors import NotFound
from server.api_views import JsonObject
from server.assembly import Assembly
from server.cases import for_requester


def case_view(of: Case, today: date) -> JsonObject:
    """The operational facts of a case, with its due day."""
    proof, clock = of.proof, of.clock
    is_open = of.state in OPEN
    return {
        "id": of.id,
        "kind": of.kind,
        "article": of.kind.article,
        "state": of.state,
        "language": of.language,
        "scopes": sorted(of.scopes) or ["everything"],
        "received_at": of.received_at.isoformat(),
        "due_on": clock.due_on(today).isoformat() if is_open else None,
        "clock_stands": is_open and clock.stands(today),
        "overdue": is_open and clock.is_overdue(today),
        "extended": of.extended_at is not None,
        "opened_by": None if of.opened_by is None else of.opened_by.officer_id,
        "assignee": None if of.assignee is None else of.assignee.officer_id,
        "identity": None
        if proof is None
        else {"method": proof.method, "level": proof.level.label, "at": proof.at.isoformat()},
        "package_sha256": of.package_sha256,
        "repetition": of.repetition,
        "updated_at": of.updated_at.isoformat(),
    }


def whole_view(parts: Assembly, of: Case, today: date) -> JsonObject:
    """A case with how far its collectors, files, approvals and delivery are."""
    return {
        **case_view(of, today),
        "parts": [part_view(each) for each in parts.case_contents.parts(of.id)],
        "files": [file_view(each) for each in parts.case_contents.files(of.id)],
        "approved_by": parts.cases.approvers(of),
        "delivery": _delivery(parts, of),
    }


def requester_view(parts: Assembly, of: Case, today: date) -> JsonObject:
    """What the requester sees of the own case."""
    shown = ("id", "kind", "state", "received_at", "due_on", "clock_stands", "extended")
    whole = case_view(of, today)
    view: JsonObject = {name: whole[name] for name in shown}
    told = of.state in ANSWERED
    written = asdict(for_requester(parts, of))
    return view | written | {"delivery": _delivery(parts, of) if told else None}


def part_view(of: CollectorStatus) -> JsonObject:
    """How far one collector is."""
    return {
        "name": of.name,
        "done": of.is_done,
        "records": of.count,
        "sha256": of.sha256,
        "failure": of.failure,
    }


def file_view(of: CaseFile) -> JsonObject:
    """One file without its name."""
    return {
        "number": of.number,
        "octets": of.octets,
        "sha256": of.sha256,
        "for_requester": of.for_requester,
        "added_by": of.added_by,
        "at": of.at.isoformat(),
    }


def delivery_view(of: Delivery) -> JsonObject:
    """How a delivery stands; after its download this is the receipt."""
    return {
        "case": of.case_id,
        "package_sha256": of.package_sha256,
        "envelope_sha256": of.envelope_sha256,
        "method": of.method,
        "level": of.level.label,
        "delivered_at": of.delivered_at.isoformat(),
        "expires_at": of.expires_at.isoformat(),
        "downloaded_at": _time(of.downloaded_at),
        "ended_at": _time(of.ended_at),
    }


def _delivery(parts: Assembly, of: Case) -> JsonObject | None:
    try:
        return delivery_view(parts.deliveries.get(of.id))
    except NotFound:
        return None


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()

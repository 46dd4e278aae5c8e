"""Mandates and associations as the JSON objects of the API, without anything personal."""

from ra.associations import Association
from ra.mandates import Mandate
from records.mandates import CallBackRecord
from server.api_views import JsonObject


def mandate_view(of: Mandate, drawn: CallBackRecord | None = None) -> JsonObject:
    """A mandate; who signed stands there only as a number of persons."""
    register = of.register
    return {
        "id": of.id,
        "cvr": of.company.value,
        "act": of.act.value,
        "level": of.level.label,
        "state": of.state.value,
        "route": None if of.route is None else of.route.value,
        "asked_sha256": of.asked_sha256,
        "registrant_level": of.registrant.level.label,
        "signatures": len(of.signatures),
        "declared": of.declaration is not None,
        "feed": None if of.feed is None else of.feed.certificate,
        "agreed_versions": [each.version for each in of.agreements],
        "register": None
        if register is None
        else {
            "source": register.source_id,
            "status": None if register.status is None else register.status.value,
            "rule": register.rule,
            "at": register.at.isoformat(),
        },
        "call_back": None if drawn is None else drawn.callback.value,
        "package_sha256": of.package_hash,
        "valid_until": None if of.valid_until is None else of.valid_until.isoformat(),
        "opened_at": of.opened_at.isoformat(),
        "updated_at": of.updated_at.isoformat(),
        "findings": [
            {"requirement": f.requirement, "code": f.code, "sentence": f.applicant_sentence}
            for f in of.findings
        ],
    }


def association_view(of: Association) -> JsonObject:
    """An association; the level is the lowest of its parts, and null until it is verified."""
    levels = of.levels
    return {
        "id": of.id,
        "cvr": of.organisation.value,
        "kind": of.kind.value,
        "basis": of.basis.value,
        "asked_level": of.asked_level.label,
        "state": of.state.value,
        "level": None if levels is None else levels.level.label,
        "parts": None
        if levels is None
        else {
            "person": levels.person.label,
            "organisation": levels.organisation.label,
            "link": levels.link.label,
        },
        "person_agreed": of.person_consent_at is not None,
        "endorsed": of.endorsed_by is not None,
        "suspended_by": None if of.suspended_by is None else of.suspended_by.value,
        "created_at": of.created_at.isoformat(),
        "updated_at": of.updated_at.isoformat(),
    }

"""Sampled cases with all that shows how they were decided, for an auditor (NSIS 4.1.7).

A case names its person by the opaque id alone: no name, no number of a person or a document, no
address, nothing that a person wrote. What the audit log says of persons, `tillid audit open` shows.
"""

import json

import ca.errors
import ra.errors
from ca.signed_data import verify_detached
from ra.applications import Application
from ra.documents import to_document
from ra.evidence import Evidence
from records.audit_samples import Drawing, draw
from server.api_views import JsonObject, application_view, certificate_view, time_view
from server.assembly import Assembly
from server.organisation_views import association_view, mandate_view

_OF_CHECK = ("check", "answer", "requirement", "method", "by", "at", "source_id", "concerns")
_OF_FURTHER = {
    "comparisons": ("kind", "presence", "matches", "live", "by", "at", "method", "feature_list"),
    "derivations": ("provider", "level", "authenticated_at", "status", "same_number", "at"),
    "prior_proofings": ("provider", "scope", "reference", "by", "at"),
    "questions": ("presence", "source", "asked", "correct", "by", "at"),
    "letters": ("sent_at", "expires_at", "returned_at"),
    "resolutions": ("deviation", "officer", "person_id", "at"),
}


def sampled_cases(parts: Assembly, drawing: Drawing) -> JsonObject:
    """Draw, and give each case; what was drawn stands in the audit log before it is opened."""
    drawn = draw(parts.database, drawing)
    return {
        "reference": drawing.reference,
        "seed": drawing.seed,
        "drawn": [
            {
                "level": each.level.label,
                "outcome": each.outcome,
                "among": each.among,
                "cases": [case_view(parts, name) for name in each.application_ids],
            }
            for each in drawn
        ],
    }


def case_view(parts: Assembly, application_id: str) -> JsonObject:
    """Everything that shows how one application was decided."""
    of = parts.applications.get(application_id)
    return {
        **application_view(of),
        "findings": [f"{each.requirement} {each.code}" for each in of.findings],
        "subject": of.subject_id,
        "publication_consent": of.requested.publication_consent,
        "acceptances": [to_document(each) for each in of.acceptances],
        "evidence": [_evidence(each) for each in of.evidence],
        "checks": [_some(each, _OF_CHECK) for each in of.checks],
        "further": {
            name: [_some(each, names) for each in getattr(of.further, name)]
            for name, names in _OF_FURTHER.items()
        },
        "officer": None if of.officer is None else _some(of.officer, ("pseudonym", "person_id")),
        "proofing": None if of.proofing is None else to_document(of.proofing),
        "authenticator": None if of.authenticator is None else to_document(of.authenticator),
        "approval": _approval(parts, of),
        "duties": [
            {
                "task": each.task,
                "officer": each.officer,
                "person": each.person_id,
                "at": time_view(each.at),
                "signed": each.signature is not None,
            }
            for each in parts.credentials.duties(of)
        ],
        "credential": _credential(parts, of),
        "organisation": _organisation(parts, of),
        "certificates": [
            certificate_view(each) for each in parts.certificates.find(application_id=of.id)
        ],
    }


def _some(value: object, names: tuple[str, ...]) -> JsonObject:
    document = to_document(value)
    return {name: document[name] for name in names}


def _evidence(of: Evidence) -> JsonObject:
    return {**_some(of, ("id", "accepted_by", "presented_at", "photo")), "source": of.source_id}


def _approval(parts: Assembly, of: Application) -> JsonObject | None:
    try:
        found, signed = parts.applications.approval(of)
    except ra.errors.NotFound:
        return None
    try:
        verify_detached(found.signature, signed.package)
        verifies = True
    except ca.errors.MalformedRequest:
        verifies = False
    return {
        "officer": found.officer,
        "person": found.person_id,
        "package_sha256": found.package_hash,
        "package_form": json.loads(signed.package).get("format"),
        "signature_verifies": verifies,
        "at": time_view(found.at),
    }


def _credential(parts: Assembly, of: Application) -> JsonObject | None:
    found = parts.credentials.get(of.id)
    if found is None:
        return None
    done = parts.credentials.activation(of)
    return {
        "step": found.step,
        "channel": found.channel,
        "code_channel": found.code_channel,
        "prepared_at": time_view(found.prepared_at),
        "delivered_at": time_view(found.delivered_at),
        "activated_at": time_view(found.activated_at),
        "ended_at": time_view(found.ended_at),
        "personal_check": None if done is None else done.check,
        "receipt": None if done is None else done.receipt,
    }


def _organisation(parts: Assembly, of: Application) -> JsonObject | None:
    """The legal person that the certificate names, who may act for it, and the association."""
    named = of.applicant.organisation
    if named is None:
        return None
    tied = None if named.association is None else parts.associations.get(named.association)
    return {
        "cvr": named.number.value,
        "level": named.level.label,
        "association": None if tied is None else association_view(tied),
        "mandates": [
            mandate_view(each, parts.mandates.call_back(each.id))
            for each in parts.mandates.granted(named.number)
        ],
    }

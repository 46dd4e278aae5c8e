"""Operations of the API for bulk revocation: plan, look, begin."""

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint

from ca.identifiers import IssuerName
from records.bulk_revocations import BulkRevocation
from revocation.selections import Selection, read_list
from server.access import Act, acting_officer
from server.api_models import BeginBody, BulkPath, PlanBody
from server.api_views import JsonObject, bulk_view
from server.assembly import Assembly
from server.clock import utc_now
from server.revocations import grounds_of, time_of

PATH = "/api/v1/revocations"
MAX_PLAN = 16 * 1024 * 1024
"""Octets of a plan with a list; the lists of other operations are short."""


def register_revocations(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Bulk revocations."""

    def view(bulk: BulkRevocation) -> JsonObject:
        return bulk_view(bulk, parts.bulk_revocations.counts(bulk.id))

    @blueprint.post("/revocations", summary="Plan a bulk revocation; revokes nothing yet")
    def plan_revocation(body: PlanBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.REVOKE)
        grounds = grounds_of(body.cause, None, body.invalid_since)
        planned = parts.bulk_revocations.plan(_selection(body), grounds, officer.id, utc_now())
        return jsonify(view(planned)), 201

    @blueprint.get("/revocations", summary="The newest bulk revocations")
    def revocations() -> Response:
        acting_officer(parts, request, Act.REVOKE)
        return jsonify([bulk_view(each, None) for each in parts.bulk_revocations.all()])

    @blueprint.get("/revocations/<bulk_id>", summary="One bulk revocation, and how far it is")
    def one_revocation(path: BulkPath) -> Response:
        acting_officer(parts, request, Act.REVOKE)
        return jsonify(view(parts.bulk_revocations.get(path.bulk_id)))

    @blueprint.post("/revocations/<bulk_id>/beginning", summary="Confirm its digest; final")
    def begin_revocation(path: BulkPath, body: BeginBody) -> Response:
        officer = acting_officer(parts, request, Act.REVOKE)
        begun = parts.bulk_revocations.begin(path.bulk_id, body.sha256, officer.id, utc_now())
        return jsonify(view(begun))


def admit_plan(parts: Assembly) -> None:
    """Let a plan be longer than other bodies, once it is known who sends it."""
    if request.method == "POST" and request.path == PATH:
        acting_officer(parts, request, Act.REVOKE)
        request.max_content_length = MAX_PLAN


def _selection(body: PlanBody) -> Selection:
    issuer = None if body.issuer is None else IssuerName(body.issuer)
    places = None if body.certificates is None else read_list(body.certificates, issuer)
    return Selection(
        places=places,
        issuer=issuer,
        spki_sha256=body.spki_sha256,
        profile=body.profile,
        issued_from=time_of("issued_from", body.issued_from),
        issued_until=time_of("issued_until", body.issued_until),
    )

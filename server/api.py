"""The API under /api/v1 on the staff listener: use cases as JSON.

Officers come with their certificate (mutual TLS), applicants with the secret of their application.
"""

import json
from datetime import timedelta
from secrets import token_hex

from cryptography.hazmat.primitives.serialization import Encoding
from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint

from records.audit_log import audit_log
from records.audit_payloads import Opening, open_for
from records.audit_samples import Drawing
from server.access import Act, acting_officer, officer_of, presented_certificate
from server.api_applications import register_applications
from server.api_associations import register_associations
from server.api_case_requesters import register_case_requesters
from server.api_cases import register_cases
from server.api_consents import register_consents
from server.api_delivery import register_delivery
from server.api_duties import register_duties
from server.api_erasures import register_erasures, register_retention
from server.api_mandates import register_mandates
from server.api_models import (
    AuditQuery,
    AuditSampleBody,
    CertificatePath,
    CertificateQuery,
    EnrolmentBody,
    EventPath,
    OpeningBody,
)
from server.api_persons import register_persons
from server.api_renewals import register_renewals
from server.api_revocations import register_revocations
from server.api_statuses import place_of, register_statuses
from server.api_subjects import register_subjects
from server.api_trainings import register_trainings
from server.api_views import certificate_view
from server.assembly import Assembly
from server.audit_samples import sampled_cases
from server.clock import utc_now
from server.errors import NotSignedIn
from server.staffing import enrol_officer


def api(parts: Assembly) -> APIBlueprint:
    """All operations, on one installation."""
    blueprint = APIBlueprint("api", __name__, url_prefix="/api/v1")
    for register in (
        register_applications,
        register_persons,
        register_trainings,
        register_delivery,
        register_renewals,
        _staff,
        _certificates,
        register_statuses,
        register_revocations,
        register_duties,
        register_subjects,
        register_consents,
        register_cases,
        register_case_requesters,
        register_mandates,
        register_associations,
        register_erasures,
        register_retention,
        _audit,
    ):
        register(blueprint, parts)
    return blueprint


def _staff(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/enrolments", summary="An invited officer gets a staff certificate")
    def enrol(body: EnrolmentBody) -> tuple[Response, int]:
        officer, certificate = enrol_officer(
            parts, body.token, body.certificate_request.encode(), utc_now()
        )
        pem = certificate.public_bytes(Encoding.PEM).decode()
        return jsonify({"officer": officer.id, "role": officer.role, "certificate": pem}), 201

    @blueprint.post("/sign-ins", summary="A link to sign in to the pages with, once")
    def sign_in() -> tuple[Response, int]:
        officer = parts.officers.by_certificate(presented_certificate(request))
        if officer is None:
            raise NotSignedIn
        minutes = parts.settings.links.minutes
        life, own = timedelta(minutes=minutes), officer.certificate
        token = parts.officers.make_link(officer.id, "sign-in", utc_now(), life, own)
        link = f"{parts.settings.staff.url}/sign-in/{token}"
        return jsonify({"officer": officer.id, "link": link, "minutes": minutes}), 201

    @blueprint.get("/whoami", summary="The officer whose certificate this is")
    def whoami() -> Response:
        officer = officer_of(parts, request)
        if officer is None:
            raise NotSignedIn
        return jsonify({"officer": officer.id, "role": officer.role})


def _certificates(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/certificates", summary="Find certificates")
    def find(query: CertificateQuery) -> Response:
        acting_officer(parts, request, Act.FIND)
        wanted = query.model_dump(exclude_none=True)
        return jsonify([certificate_view(each) for each in parts.certificates.find(**wanted)])

    @blueprint.get("/certificates/<issuer>/<serial>", summary="One certificate's record")
    def one(path: CertificatePath) -> Response:
        acting_officer(parts, request, Act.FIND)
        return jsonify(certificate_view(parts.certificates.record(*place_of(path))))


def _audit(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/audit/events", summary="Events of the audit log, newest first")
    def events(query: AuditQuery) -> Response:
        acting_officer(parts, request, Act.AUDIT)
        with audit_log(parts.database) as log:
            size = log.size()
            end = size if query.before is None else min(query.before, size)
            start = max(end - query.limit, 0)
            found = [entry.header.decode() for entry in log.page(start, end)]
        return Response(f"[{','.join(filter(None, reversed(found)))}]", mimetype="application/json")

    @blueprint.post("/audit/events/<int:sequence>/openings", summary="Open an event's payloads")
    def openings(path: EventPath, body: OpeningBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.OPEN_PAYLOADS)
        opening = Opening(officer.id, body.purpose, utc_now())
        found = open_for(parts.database, parts.personal, path.sequence, opening)
        payloads = [{"number": each.number, "content": json.loads(each.content)} for each in found]
        return jsonify({"sequence": path.sequence, "payloads": payloads}), 201

    @blueprint.post("/audit/samples", summary="Cases drawn by lot, with what decided them")
    def samples(body: AuditSampleBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.AUDIT)
        drawing = Drawing(
            officer_id=officer.id,
            count=body.count,
            seed=body.seed or token_hex(8),
            reference=f"sample-{token_hex(8)}",
            at=utc_now(),
        )
        return jsonify(sampled_cases(parts, drawing)), 201

    @blueprint.get("/audit/head", summary="The latest signed head")
    def head() -> Response:
        acting_officer(parts, request, Act.AUDIT)
        with audit_log(parts.database) as log:
            latest = log.latest_head()
        return Response(latest.text if latest else "", mimetype="text/plain")

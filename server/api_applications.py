"""API operations on applications: apply, vet, approve, and what the applicant may ask."""

from cryptography.hazmat.primitives.serialization import Encoding
from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint

from gdpr_erasure.consents import ConsentKind, ConsentText, text_read
from ra.applications import STEPS, Application, ApplicationState
from ra.errors import MalformedField, Refused
from ra.proofing import PresentedDocument
from ra.requirements import finding
from ra.terms import FOR_APPLICANTS
from records.errors import NotFound
from server.access import Act, acting_officer, applicant_only, officer_of
from server.api_contacts import attestation_of, contact_of
from server.api_models import (
    ApplicationBody,
    ApplicationPath,
    ApplicationQuery,
    ApprovalBody,
    DocumentBody,
    LanguageQuery,
)
from server.api_views import JsonObject, application_view, certificate_view, erasure_view
from server.assembly import Assembly
from server.clock import utc_now
from server.erasures import ask_erasure
from server.pem import cms_from_pem
from server.registration import (
    NewApplication,
    application_package,
    approve_application,
    conclude_proofing,
    open_application,
    record_document,
)

OPEN_STATES = tuple(state for state in ApplicationState if STEPS[state])


def register_applications(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Add the operations to the API."""
    for register in (_applicants, _proofing, _approvals):
        register(blueprint, parts)


def _applicants(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/terms", summary="The texts in force that an applicant answers to")
    def terms(query: LanguageQuery) -> Response:
        texts = {
            kind.value: {
                "version": each.version,
                "language": each.language,
                "sha256": each.sha256,
                "text": each.text,
            }
            for kind in FOR_APPLICANTS
            for each in parts.policy.terms.in_force(kind, utc_now())
            if each.language == query.language
        }
        return jsonify(texts)

    @blueprint.post("/applications", summary="Apply for a certificate")
    def apply(body: ApplicationBody) -> tuple[Response, int]:
        if officer_of(parts, request) is not None:
            # An officer's own click is nobody's acceptance.
            raise Refused((finding("REG-APP-S4e", "ACCEPTANCE_BY_PROXY"),))
        new = NewApplication(
            profile=body.profile,
            attributes=body.attributes,
            request=body.certificate_request.encode(),
            acceptances={
                "terms": body.terms.model_dump(),
                "security_notice": body.security_notice.model_dump(),
            },
            publication_consent=body.publication_consent,
            session=body.session,
            consent_text=_text_read(body),
            device=body.device,
            attestation=attestation_of(body.attestation),
            contact=contact_of(None, body.phone) if body.phone else None,
        )
        application, secret = open_application(parts, new, utc_now())
        return jsonify({**application_view(application), "secret": secret}), 201

    @blueprint.get("/applications/<application_id>", summary="How an application stands")
    def show(path: ApplicationPath) -> Response:
        officer_or_applicant(parts, path.application_id)
        application = parts.applications.get(path.application_id)
        return jsonify(_with_certificates(parts, application))

    @blueprint.get("/applications/<application_id>/certificate", summary="The certificate, PEM")
    def body(path: ApplicationPath) -> Response:
        officer_or_applicant(parts, path.application_id)
        issued = [
            each
            for each in parts.certificates.find(application_id=path.application_id)
            if each.issued_at is not None
        ]
        if not issued:
            raise NotFound("certificate yet for application", path.application_id)
        certificate = parts.certificates.body(issued[0].issuer, issued[0].serial_number)
        return Response(certificate.public_bytes(Encoding.PEM), mimetype="application/x-pem-file")

    @blueprint.post(
        "/applications/<application_id>/erasure", summary="The data subject asks for erasure"
    )
    def erase(path: ApplicationPath) -> tuple[Response, int]:
        applicant_only(parts, request, path.application_id)
        of = parts.applications.get(path.application_id)
        case, key = ask_erasure(parts, of, utc_now())
        return jsonify({**erasure_view(case), "holder_key": key}), 202


def _proofing(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/applications", summary="The queue")
    def queue(query: ApplicationQuery) -> Response:
        acting_officer(parts, request, Act.SEE_APPLICATIONS)
        states = (_state(query.state),) if query.state else OPEN_STATES
        return jsonify([application_view(each) for each in parts.applications.in_state(*states)])

    @blueprint.post("/applications/<application_id>/documents", summary="Record a document")
    def document(path: ApplicationPath, body: DocumentBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.PROVE)
        presented = PresentedDocument(
            body.kind,
            tuple(body.mrz_lines),
            tuple(body.features_seen),
            body.presence,
            body.face_matches,
            None if body.visual is None else body.visual.zone(),
            body.photo,
        )
        after = record_document(parts, path.application_id, presented, officer, utc_now())
        checks = [{"check": each.check, "answer": each.answer} for each in after.checks]
        return jsonify({**application_view(after), "checks": checks}), 201

    @blueprint.post("/applications/<application_id>/conclusion", summary="Conclude the proofing")
    def conclusion(path: ApplicationPath) -> Response:
        officer = acting_officer(parts, request, Act.PROVE)
        after = conclude_proofing(parts, path.application_id, officer, utc_now())
        return jsonify(application_view(after))


def _approvals(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/applications/<application_id>/package", summary="What an approval signs")
    def package(path: ApplicationPath) -> Response:
        acting_officer(parts, request, Act.SEE_APPLICATIONS)
        octets = application_package(parts.applications.get(path.application_id))
        return Response(octets, mimetype="application/json")

    @blueprint.post("/applications/<application_id>/approval", summary="Approve by signature")
    def approval(path: ApplicationPath, body: ApprovalBody) -> Response:
        # Anyone who sees applications may try: whose signature counts, the rules say.
        officer = acting_officer(parts, request, Act.SEE_APPLICATIONS)
        signature = cms_from_pem(body.signature)
        after = approve_application(parts, path.application_id, signature, officer, utc_now())
        return jsonify(_with_certificates(parts, after))


def _text_read(body: ApplicationBody) -> ConsentText | None:
    digest = body.publication_text_sha256
    if digest is None or not body.publication_consent:
        return None
    return text_read(ConsentKind.PUBLICATION, digest, utc_now())


def officer_or_applicant(parts: Assembly, application_id: str) -> None:
    """Let through who sees applications, and the applicant."""
    if officer_of(parts, request) is not None:
        acting_officer(parts, request, Act.SEE_APPLICATIONS)
    else:
        applicant_only(parts, request, application_id)


def _state(text: str) -> ApplicationState:
    try:
        return ApplicationState(text)
    except ValueError:
        raise MalformedField("state", f"one of {', '.join(ApplicationState)}") from None


def _with_certificates(parts: Assembly, application: Application) -> JsonObject:
    found = parts.certificates.find(application_id=application.id)
    return {
        **application_view(application),
        "certificates": [certificate_view(each) for each in found],
    }

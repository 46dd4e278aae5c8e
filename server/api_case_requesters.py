"""API operations of a requester on the own case, by its secret.

For a proof of identity the requester's own certificate stands in the handshake as well.
"""

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint

from gdpr_erasure.case_errors import CaseConflict
from gdpr_erasure.cases import CaseKind, CaseState
from gdpr_erasure.envelopes import MEDIA_TYPE
from records.cases import REQUESTER
from server.access import presented_certificate, requester_only
from server.api_case_models import AnswerBody, SubjectCasePath
from server.api_models import ApplicationBody
from server.api_views import application_view
from server.assembly import Assembly
from server.case_views import delivery_view, requester_view
from server.cases import answer_question, identify_by_certificate, withdraw_case
from server.clock import utc_now
from server.registration import NewApplication, open_application


def register_case_requesters(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Add the operations to the API."""
    for register in (_following, _fetching, _correcting):
        register(blueprint, parts)


def _following(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/cases/<case_id>/own", summary="How the requester's own case stands")
    def own(path: SubjectCasePath) -> Response:
        requester_only(parts, request, path.case_id)
        case = parts.cases.get(path.case_id)
        return jsonify(requester_view(parts, case, utc_now().date()))

    @blueprint.post("/cases/<case_id>/own-identity", summary="Prove an identity by certificate")
    def own_identity(path: SubjectCasePath) -> Response:
        requester_only(parts, request, path.case_id)
        presented = presented_certificate(request)
        case = identify_by_certificate(parts, path.case_id, presented, utc_now())
        return jsonify(requester_view(parts, case, utc_now().date()))

    @blueprint.post("/cases/<case_id>/own-withdrawal", summary="The requester wants it no more")
    def own_withdrawal(path: SubjectCasePath) -> Response:
        requester_only(parts, request, path.case_id)
        case = withdraw_case(parts, path.case_id, REQUESTER, utc_now())
        return jsonify(requester_view(parts, case, utc_now().date()))

    @blueprint.post("/cases/<case_id>/own-answer", summary="Answer what the requester was asked")
    def own_answer(path: SubjectCasePath, body: AnswerBody) -> Response:
        requester_only(parts, request, path.case_id)
        case = answer_question(parts, path.case_id, body.answer, utc_now())
        return jsonify(requester_view(parts, case, utc_now().date()))


def _fetching(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/cases/<case_id>/download", summary="Fetch what was delivered, encrypted")
    def download(path: SubjectCasePath) -> Response:
        requester_only(parts, request, path.case_id)
        envelope, _ = parts.deliveries.download(path.case_id, REQUESTER, utc_now())
        return Response(envelope, mimetype="application/pkcs7-mime", content_type=MEDIA_TYPE)

    @blueprint.post("/cases/<case_id>/receipt", summary="Confirm the download; it is then deleted")
    def receipt(path: SubjectCasePath) -> Response:
        requester_only(parts, request, path.case_id)
        parts.deliveries.confirm(path.case_id, REQUESTER, utc_now())
        return jsonify(delivery_view(parts.deliveries.get(path.case_id)))


def _correcting(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/cases/<case_id>/application", summary="Apply with the corrected data")
    def corrected(path: SubjectCasePath, body: ApplicationBody) -> tuple[Response, int]:
        requester_only(parts, request, path.case_id)
        case = parts.cases.get(path.case_id)
        approved = case.state is CaseState.APPROVED
        if case.kind is not CaseKind.RECTIFICATION or not approved:
            raise CaseConflict(case.id, case.state)
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
            subject_id=case.subject_id,
        )
        application, secret = open_application(parts, new, utc_now())
        return jsonify({**application_view(application), "secret": secret}), 201

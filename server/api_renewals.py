"""API operations of a holder who renews a credential, replaces one that is lost, or ends it all."""

from typing import Annotated, Literal

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from ra.errors import Refused
from ra.renewals import Loss
from ra.requirements import finding
from server.access import applicant_only, officer_of, presented_certificate
from server.agreements import end_agreement
from server.api_contacts import attestation_of, contact_of
from server.api_models import ApplicationPath, Body, TermsAnswer, Text
from server.api_views import application_view
from server.assembly import Assembly
from server.clock import utc_now
from server.renewals import Asked, renew, replace_lost


class NextBody(Body):
    """A new key, and what belongs to it; texts that are the same need no new answer."""

    certificate_request: Annotated[
        str, Field(max_length=24 * 1024, description="PKCS#10 request in PEM")
    ]
    terms: TermsAnswer | None = None
    security_notice: TermsAnswer | None = None
    session: Annotated[str, Field(max_length=100)] = ""
    device: Annotated[str | None, Field(max_length=40)] = None
    attestation: Annotated[
        str, Field(max_length=64 * 1024, description="What the device says of the key, in Base64")
    ] = ""
    phone: Annotated[str | None, Field(max_length=40)] = None


class RenewalBody(NextBody):
    """A renewal; `changes` are attributes that are not what they were."""

    changes: Annotated[dict[str, Text], Field(max_length=10, default_factory=dict)]


class ReplacementBody(NextBody):
    """A replacement: what happened to the old key."""

    loss: Literal["lost", "compromised", "unusable"]


def register_renewals(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Add the operations to the API."""

    @blueprint.post("/renewals", summary="The holder of a valid certificate asks for the next one")
    def renewal(body: RenewalBody) -> tuple[Response, int]:
        presented = presented_certificate(request)
        application, secret = renew(parts, presented, _asked(body, body.changes), utc_now())
        return jsonify({**application_view(application), "secret": secret}), 201

    @blueprint.post(
        "/applications/<application_id>/replacement",
        summary="The holder has the key no more, and asks for another credential",
    )
    def replacement(path: ApplicationPath, body: ReplacementBody) -> tuple[Response, int]:
        applicant_only(parts, request, path.application_id)
        if officer_of(parts, request) is not None:
            # An officer's own click is nobody's acceptance.
            raise Refused((finding("REG-APP-S4e", "ACCEPTANCE_BY_PROXY"),))
        asked = _asked(body, {})
        application, secret = replace_lost(
            parts, path.application_id, Loss(body.loss), asked, utc_now()
        )
        return jsonify({**application_view(application), "secret": secret}), 201

    @blueprint.post(
        "/applications/<application_id>/agreement-end", summary="The holder ends the agreement"
    )
    def agreement_end(path: ApplicationPath) -> tuple[Response, int]:
        applicant_only(parts, request, path.application_id)
        duties = end_agreement(parts, path.application_id, utc_now())
        view = application_view(parts.applications.get(path.application_id))
        return jsonify({**view, "duties": list(duties)}), 202


def _asked(body: NextBody, changes: dict[str, str]) -> Asked:
    answers = {"terms": body.terms, "security_notice": body.security_notice}
    return Asked(
        request=body.certificate_request.encode(),
        acceptances={name: each.model_dump() for name, each in answers.items() if each},
        session=body.session,
        changes=changes,
        device=body.device,
        attestation=attestation_of(body.attestation),
        contact=contact_of(None, body.phone) if body.phone else None,
    )

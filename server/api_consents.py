"""API operations on consents: the texts, what a person said, and saying it (GDPR Art. 7)."""

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint

from gdpr_erasure.consents import (
    Consent,
    ConsentKind,
    ConsentState,
    ConsentText,
    IdentityLevel,
    Statement,
    text_for,
    text_read,
    texts_in_force,
)
from gdpr_erasure.errors import ConsentRefused
from server.access import Act, acting_officer, applicant_only, officer_of
from server.api_applications import officer_or_applicant
from server.api_models import ApplicationPath, ConsentBody
from server.assembly import Assembly
from server.clock import utc_now


def register_consents(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Add the operations to the API."""

    @blueprint.get("/consents/texts", summary="The texts in force that a person can consent to")
    def consent_texts() -> Response:
        return jsonify(
            {
                kind.value: {
                    language: {"version": of.version, "sha256": of.sha256, "text": of.text}
                    for language, of in texts_in_force(kind, utc_now()).items()
                }
                for kind in ConsentKind
            }
        )

    @blueprint.get("/applications/<application_id>/consents", summary="What the person said")
    def consents_of(path: ApplicationPath) -> Response:
        officer_or_applicant(parts, path.application_id)
        subject = parts.applications.get(path.application_id).subject_id
        return jsonify([_view(each) for each in parts.consents.history(subject)])

    @blueprint.post(
        "/applications/<application_id>/consents", summary="The person consents, or withdraws it"
    )
    def record_consent(path: ApplicationPath, body: ConsentBody) -> tuple[Response, int]:
        actor, level = _who(parts, path.application_id, body)
        subject = parts.applications.get(path.application_id).subject_id
        said = Statement(_text(body), ConsentState(body.state), actor, level, body.details)
        return jsonify(_view(parts.consents.say(subject, said, utc_now()))), 201


def _who(parts: Assembly, application_id: str, body: ConsentBody) -> tuple[str, IdentityLevel]:
    """The applicant, or the officer to whom the person said it; only an officer states a level."""
    if officer_of(parts, request) is not None:
        officer = acting_officer(parts, request, Act.PROVE)
        return officer.id, IdentityLevel(body.level)
    applicant_only(parts, request, application_id)
    return "system:applicant", IdentityLevel.NONE


def _text(body: ConsentBody) -> ConsentText:
    kind, now = ConsentKind(body.kind), utc_now()
    if body.text_sha256 is not None:
        return text_read(kind, body.text_sha256, now)
    if ConsentState(body.state) is ConsentState.GIVEN:
        raise ConsentRefused("a consent names the digest of the text in force, as it was shown")
    return text_for(kind, "en", now)


def _view(of: Consent) -> dict[str, object]:
    return {
        "kind": of.kind,
        "number": of.number,
        "state": of.state,
        "text_version": of.text_version,
        "text_sha256": of.text_sha256,
        "language": of.language,
        "level": of.level,
        "at": of.at.isoformat(),
    }

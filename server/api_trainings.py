"""API operations of a security administrator: trainings, and reviews of derived identities."""

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint

from server.access import Act, acting_officer
from server.api_person_models import CascadeBody, DecisionBody, ReviewPath, TrainingBody
from server.api_views import JsonObject
from server.assembly import Assembly
from server.clock import utc_now


def register_trainings(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Add the operations to the API."""
    for register in (_trainings, _reviews):
        register(blueprint, parts)


def _trainings(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/trainings", summary="Who is trained for proofing, and until when")
    def trainings() -> Response:
        acting_officer(parts, request, Act.MANAGE_TRAINING)
        found = [
            {
                "id": each.id,
                "officers": list(officers),
                "topic": each.topic,
                "trained_on": each.trained_on.isoformat(),
                "valid_until": each.valid_until.isoformat(),
                "recorded_by": each.recorded_by,
            }
            for each, officers in parts.persons.trainings.all()
        ]
        return jsonify(found)

    @blueprint.post("/trainings", summary="Record that an officer was trained")
    def record_training(body: TrainingBody) -> tuple[Response, int]:
        manager = acting_officer(parts, request, Act.MANAGE_TRAINING)
        days = (body.trained_on, body.valid_until)
        made = parts.persons.trainings.record(body.officer, days, manager, utc_now())
        view: JsonObject = {"id": made.id, "valid_until": made.valid_until.isoformat()}
        return jsonify(view), 201


def _reviews(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/derivation-reviews", summary="What was derived from a fraud, and its review")
    def derivation_reviews() -> Response:
        acting_officer(parts, request, Act.REVIEW_DERIVATIONS)
        found = [
            {
                "application": each.application_id,
                "opened_at": each.opened_at.isoformat(),
                "decision": each.decision,
            }
            for each in parts.persons.derivations.reviews()
        ]
        return jsonify(found)

    @blueprint.post("/derivation-reviews", summary="A credential was got by fraud: review the rest")
    def open_reviews(body: CascadeBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.REVIEW_DERIVATIONS)
        opened = parts.persons.derivations.open_reviews(
            body.provider, body.credential, officer, utc_now()
        )
        return jsonify({"opened": opened}), 201

    @blueprint.post("/derivation-reviews/<application_id>/decision", summary="Decide a review")
    def decide_review(path: ReviewPath, body: DecisionBody) -> Response:
        officer = acting_officer(parts, request, Act.REVIEW_DERIVATIONS)
        of = path.application_id
        parts.persons.derivations.decide(of, body.decision, officer, utc_now())
        return jsonify({"application": of, "decision": body.decision})

"""Operations of the API on duties to revoke: list, open, revoke, dismiss."""

from typing import Annotated

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from ca.identifiers import IssuerName, SerialNumber
from ra.revocation_duties import Duty, DutyCause, DutyState, NoReason
from server.access import Act, acting_officer
from server.api_models import Body
from server.api_views import JsonObject, certificate_view
from server.assembly import Assembly
from server.clock import utc_now
from server.revocation_duties import dismiss, open_by_officer, revoke_for


class DutyPath(BaseModel):
    """Which duty."""

    duty_id: Annotated[str, Field(pattern=r"^D-[0-9a-f]{16}$")]


class DutyQuery(BaseModel):
    """Duties in one state; without it those that are open."""

    model_config = ConfigDict(extra="forbid")

    state: DutyState = DutyState.OPEN


class DutyBody(Body):
    """What an officer learned, about which certificate."""

    issuer: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    serial: Annotated[str, Field(pattern=r"^[0-9a-f]{1,40}$")]
    cause: Annotated[DutyCause, Field(strict=False)]


class DismissalBody(Body):
    """Why there is no reason to revoke."""

    no_reason: Annotated[NoReason, Field(strict=False)]


def register_duties(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Duties to revoke."""

    @blueprint.get("/duties", summary="Duties to revoke, those that are due first")
    def revocation_duties(query: DutyQuery) -> Response:
        acting_officer(parts, request, Act.REVOKE)
        return jsonify([duty_view(each) for each in parts.duties.all(query.state)])

    @blueprint.post("/duties", summary="Open a duty to revoke")
    def open_revocation_duty(body: DutyBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.REVOKE)
        place = IssuerName(body.issuer), SerialNumber.from_hex(body.serial)
        opened = open_by_officer(parts, place, body.cause, officer, utc_now())
        return jsonify(duty_view(opened)), 201

    @blueprint.post("/duties/<duty_id>/revocation", summary="Revoke for it; final")
    def do_revocation_duty(path: DutyPath) -> Response:
        officer = acting_officer(parts, request, Act.REVOKE)
        return jsonify(certificate_view(revoke_for(parts, path.duty_id, officer, utc_now())))

    @blueprint.post("/duties/<duty_id>/dismissal", summary="Dismiss it, with a second officer")
    def dismiss_revocation_duty(path: DutyPath, body: DismissalBody) -> Response:
        officer = acting_officer(parts, request, Act.REVOKE)
        duty = dismiss(parts, path.duty_id, body.no_reason, officer, utc_now())
        return jsonify(duty_view(duty))


def duty_view(of: Duty) -> JsonObject:
    """A duty; it says nothing of a person but by pseudonym."""
    decided = of.decided_at
    return {
        "id": of.id,
        "certificate": f"{of.credential.issuer}/{of.credential.serial}",
        "cause": of.cause,
        "state": of.state,
        "opened_at": of.opened_at.isoformat(),
        "opened_by": of.opened_by,
        "deadline": of.deadline.isoformat(),
        "proposed_by": of.proposed_by,
        "no_reason": of.no_reason,
        "decided_by": of.decided_by,
        "decided_at": None if decided is None else decided.isoformat(),
    }

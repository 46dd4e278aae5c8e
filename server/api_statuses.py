"""Operations of the API that change the status of one certificate."""

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint

from ca.identifiers import IssuerName, SerialNumber
from ra.errors import MalformedField
from revocation.causes import Cause
from server.access import Act, acting_officer
from server.api_models import CertificatePath, HoldBody, RevocationBody
from server.api_views import certificate_view
from server.assembly import Assembly
from server.clock import utc_now
from server.revocations import (
    grounds_of,
    hold_certificate,
    release_certificate,
    revoke_certificate,
)


def register_statuses(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Hold, release and revocation."""

    @blueprint.post("/certificates/<issuer>/<serial>/revocation", summary="Revoke; final")
    def revoke(path: CertificatePath, body: RevocationBody) -> Response:
        officer = acting_officer(parts, request, Act.REVOKE)
        grounds = grounds_of(body.cause, body.reason, body.invalid_since)
        record = revoke_certificate(parts, place_of(path), grounds, officer.id, utc_now())
        return jsonify(certificate_view(record))

    @blueprint.post("/certificates/<issuer>/<serial>/hold", summary="Put on hold")
    def hold(path: CertificatePath, body: HoldBody) -> Response:
        officer = acting_officer(parts, request, Act.REVOKE)
        record = hold_certificate(parts, place_of(path), Cause(body.cause), officer.id, utc_now())
        return jsonify(certificate_view(record))

    @blueprint.post("/certificates/<issuer>/<serial>/release", summary="Lift a hold")
    def release(path: CertificatePath) -> Response:
        officer = acting_officer(parts, request, Act.RELEASE)
        record = release_certificate(parts, place_of(path), officer, utc_now())
        return jsonify(certificate_view(record))


def place_of(path: CertificatePath) -> tuple[IssuerName, SerialNumber]:
    """Which certificate; MalformedField when the serial number is none."""
    try:
        return IssuerName(path.issuer), SerialNumber.from_hex(path.serial)
    except ValueError:
        raise MalformedField("serial", "a serial number in hexadecimal") from None

"""API operations on associations: an organisation proposes, a person agrees, either side ends.

Everybody presents the certificate of their own personal credential; officers only read. What an
organisation's own system says is authenticated by the signature of a seal.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import ValidationError

from ra.associations import Association, AssociationKind
from ra.case import Basis
from ra.errors import MalformedField
from ra.feeds import FeedRecords
from ra.legal_persons import CvrNumber
from ra.levels import AssuranceLevel
from ra.mandates import Authenticated
from server.access import Act, acting_officer
from server.api_mandates import new_named
from server.api_organisation_models import (
    AssociationBody,
    AssociationPath,
    AssociationQuery,
    FeedBody,
    FeedRecordsBody,
    NamedApplicationBody,
    OrganisationPath,
    SignedRecordsBody,
)
from server.api_views import application_view
from server.assembly import Assembly
from server.associations import (
    AskedAssociation,
    activate_association,
    consent_to,
    end_association,
    endorse_association,
    propose_association,
    resume_association,
    suspend_association,
)
from server.clock import utc_now
from server.feeds import take_records
from server.holders import acting_holder
from server.organisation_applications import apply_as_employee
from server.organisation_views import association_view, mandate_view
from server.pem import cms_from_pem
from server.subscribers import designate_feed

_Change = Callable[[Assembly, str, Authenticated, datetime], Association]
_CHANGES: tuple[tuple[str, str, _Change], ...] = (
    ("consent", "The person agrees", consent_to),
    ("endorsement", "A second administrator acts on it", endorse_association),
    ("activation", "Verify it and let it begin", activate_association),
    ("suspension", "Either side suspends it", suspend_association),
    ("resumption", "The side that suspended it takes it up again", resume_association),
    ("end", "Either side ends it, and its certificates with it", end_association),
)


def register_associations(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Add the operations to the API."""

    @blueprint.post("/associations", summary="An organisation proposes a person of its own")
    def association_proposal(body: AssociationBody) -> tuple[Response, int]:
        now = utc_now()
        person = acting_holder(parts, request, now)
        asked = AskedAssociation(
            company=CvrNumber.parse(body.cvr),
            application_id=body.application_id,
            kind=AssociationKind(body.kind),
            basis=Basis(body.basis),
            level=AssuranceLevel.from_label(body.level),
        )
        return jsonify(association_view(propose_association(parts, asked, person, now))), 201

    @blueprint.get("/associations", summary="The associations of a legal person")
    def association_list(query: AssociationQuery) -> Response:
        acting_officer(parts, request, Act.SEE_APPLICATIONS)
        found = parts.associations.of_organisation(CvrNumber.parse(query.cvr))
        return jsonify([association_view(each) for each in found])

    @blueprint.post(
        "/associations/<association_id>/applications", summary="Apply for the role's certificate"
    )
    def employee_application(
        path: AssociationPath, body: NamedApplicationBody
    ) -> tuple[Response, int]:
        now = utc_now()
        person = acting_holder(parts, request, now)
        of = path.association_id
        application, secret = apply_as_employee(parts, of, new_named(body), person, now)
        return jsonify({**application_view(application), "secret": secret}), 201

    _feeds(blueprint, parts)
    for word, summary, change in _CHANGES:
        _change(blueprint, parts, (word, summary, change))


def _feeds(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post(
        "/organisations/<cvr>/feed", summary="Designate the seal that signs for one's own system"
    )
    def feed_designation(path: OrganisationPath, body: FeedBody) -> tuple[Response, int]:
        now = utc_now()
        person = acting_holder(parts, request, now)
        seal, company = body.certificate_sha256, CvrNumber.parse(path.cvr)
        return jsonify(mandate_view(designate_feed(parts, company, seal, person, now))), 201

    @blueprint.post(
        "/organisations/<cvr>/feed/records", summary="Who belongs, signed by the designated seal"
    )
    def feed_records(path: OrganisationPath, body: SignedRecordsBody) -> Response:
        signed = (body.records.encode(), cms_from_pem(body.signature))
        company = CvrNumber.parse(path.cvr)
        carried = take_records(parts, company, signed, read_records, utc_now())
        return jsonify([association_view(each) for each in carried])


def read_records(octets: bytes) -> FeedRecords:
    """The records that a system signed; MalformedField when they are not of their form."""
    try:
        body = FeedRecordsBody.model_validate_json(octets)
        made_at = datetime.fromisoformat(body.made_at)
    except (ValidationError, ValueError):
        raise MalformedField("records", "JSON with the fields of FeedRecordsBody") from None
    if made_at.tzinfo is None:
        raise MalformedField("made_at", "a time with its offset from UTC")
    return FeedRecords(
        company=CvrNumber.parse(body.cvr),
        made_at=made_at.astimezone(UTC),
        kind=AssociationKind(body.kind),
        level=AssuranceLevel.from_label(body.level),
        people=tuple(body.people),
    )


def _change(blueprint: APIBlueprint, parts: Assembly, operation: tuple[str, str, _Change]) -> None:
    word, summary, change = operation

    def act(path: AssociationPath) -> Response:
        now = utc_now()
        person = acting_holder(parts, request, now)
        return jsonify(association_view(change(parts, path.association_id, person, now)))

    act.__name__ = f"association_{word}"
    blueprint.post(f"/associations/<association_id>/{word}", summary=summary)(act)

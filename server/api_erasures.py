"""Operations of the API on erasures and on what is kept: plan, open, approve, cancel, orders."""

from datetime import UTC, datetime

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint

from gdpr_erasure.erasures import Approval
from gdpr_erasure.saga import cancel_erasure
from ra.errors import MalformedField
from records.orders import NewOrder, Order
from server.access import Act, acting_officer
from server.api_models import (
    ApplicationPath,
    CasePath,
    ErasureApprovalBody,
    ErasureBody,
    OrderBody,
    OrderPath,
)
from server.api_views import assessment_view, erasure_view, order_view
from server.assembly import Assembly
from server.clock import utc_now
from server.erasure_nights import overdue, ruled
from server.erasures import approve, open_erasure, planned


def register_erasures(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Erasure cases."""

    @blueprint.get(
        "/applications/<application_id>/erasure-plan",
        summary="What an erasure would delete and keep; nothing is written",
    )
    def plan_erasure(path: ApplicationPath) -> Response:
        acting_officer(parts, request, Act.ERASE)
        subject = parts.orders.subject_of(path.application_id)
        return jsonify(assessment_view(planned(parts, subject, utc_now())))

    @blueprint.post("/erasures", summary="Open a case for somebody who asked in another way")
    def open_erasure_case(body: ErasureBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.ERASE)
        subject = parts.orders.subject_of(body.application_id)
        return jsonify(erasure_view(open_erasure(parts, subject, officer.id, utc_now()))), 201

    @blueprint.get("/erasures", summary="Every erasure case")
    def erasure_cases() -> Response:
        acting_officer(parts, request, Act.ERASE)
        return jsonify([erasure_view(each) for each in parts.erasures.all()])

    @blueprint.get("/erasures/<case_id>", summary="One erasure case, with its receipts")
    def one_erasure(path: CasePath) -> Response:
        acting_officer(parts, request, Act.ERASE)
        return jsonify(erasure_view(parts.erasures.erasure(path.case_id)))

    @blueprint.post(
        "/erasures/<case_id>/approval", summary="Approve the rulings; the second person begins it"
    )
    def approve_erasure(path: CasePath, body: ErasureApprovalBody) -> Response:
        officer = acting_officer(parts, request, Act.ERASE)
        by = Approval(officer.id, body.rulings_sha256)
        return jsonify(erasure_view(approve(parts, path.case_id, by, utc_now())))

    @blueprint.post("/erasures/<case_id>/cancellation", summary="End a case before it is frozen")
    def cancel_erasure_case(path: CasePath) -> Response:
        officer = acting_officer(parts, request, Act.ERASE)
        after = cancel_erasure(parts.erasures, path.case_id, officer.id, utc_now())
        return jsonify(erasure_view(after))


def register_retention(blueprint: APIBlueprint, parts: Assembly) -> None:
    """What is kept: the plan of the night, and orders of two persons."""

    @blueprint.get("/retention/plan", summary="Whose time to be kept has ended, and why")
    def plan_retention() -> Response:
        acting_officer(parts, request, Act.ERASE)
        now = utc_now()
        return jsonify(
            [
                {"subject": subject, **assessment_view(ruled(parts, subject, now))}
                for subject in overdue(parts, now)
            ]
        )

    @blueprint.get("/retention/orders", summary="Orders about keeping, the newest first")
    def retention_orders() -> Response:
        acting_officer(parts, request, Act.ERASE)
        return jsonify([order_view(each) for each in parts.orders.all()])

    @blueprint.post("/retention/orders", summary="Ask for a hold, its end, or a shorter period")
    def ask_order(body: OrderBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.ERASE)
        order = parts.orders.ask(_new_order(parts, body), officer.id, utc_now())
        return jsonify(order_view(order)), 201

    @blueprint.post("/retention/orders/<order_id>/approval", summary="The second person")
    def approve_order(path: OrderPath) -> Response:
        officer = acting_officer(parts, request, Act.ERASE)
        order: Order = parts.orders.approve(path.order_id, officer.id, utc_now())
        return jsonify(order_view(order))


def _new_order(parts: Assembly, body: OrderBody) -> NewOrder:
    if body.kind == "release":
        return NewOrder("release", body.basis, hold_id=_given(body.hold_id, "hold_id"))
    if body.kind == "write_off":
        # One that is gone for good may be gone from the settings, too.
        known = sorted({*parts.settings.directories, *parts.directory_desk.names()})
        if body.directory not in known:
            raise MalformedField("directory", f"a directory that there is: {', '.join(known)}")
        return NewOrder("write_off", body.basis, directory=body.directory)
    of = parts.orders.subject_of(_given(body.application_id, "application_id"))
    if body.kind == "hold":
        return NewOrder("hold", body.basis, subject_id=of)
    day = _given(body.until, "until")
    until = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return NewOrder("shorten", body.basis, subject_id=of, until_at=until)


def _given(value: str | None, field: str) -> str:
    if value is None:
        raise MalformedField(field, "given for this kind of order")
    return value

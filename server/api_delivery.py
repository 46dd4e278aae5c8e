"""API operations on delivery and activation: duties, preparation, codes, letters, activation."""

from typing import Annotated, Literal

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, Field

from gdpr_erasure.envelopes import MEDIA_TYPE
from ra.applications import Application
from ra.case import Channel, CodeChannel
from ra.delivery import CertificateFacts, credential_state
from ra.duties import Task
from records.certificate_rows import CertificateRecord
from records.letters import PrintJob
from records.officers import Officer
from server.access import Act, acting_officer, applicant_only
from server.api_applications import officer_or_applicant
from server.api_contacts import contact_of
from server.api_models import ApplicationPath, Body
from server.api_views import JsonObject, application_view, time_view
from server.assembly import Assembly
from server.clock import utc_now
from server.delivery import (
    Claim,
    Hand,
    activate,
    dispatch_code,
    move_contact,
    prepare_credential,
    record_duty,
    statement_of,
)
from server.pem import cms_from_pem

Signature = Annotated[
    str | None,
    Field(
        max_length=64 * 1024,
        description="The officer's detached CMS signature over the task's statement, in PEM;"
        " demanded at High",
    ),
]


class DutyPath(ApplicationPath):
    """Which task of which application."""

    task: Literal["proofing", "personalisation", "code_dispatch", "personal_check"]


class DutyBody(Body):
    """The officer's signature over the statement of the task."""

    signature: Signature = None


class PreparationBody(Body):
    """How the credential travels."""

    channel: Literal["online", "post", "in_person"]
    signature: Signature = None


class CodeBody(Body):
    """How the code travels: another way than the credential."""

    channel: Literal["post", "email", "sms"]
    signature: Signature = None


class ActivationBody(Body):
    """What the holder brings; `login` is the answer of a login to the code's number."""

    code: Annotated[str, Field(max_length=100)]
    login: Annotated[str | None, Field(max_length=4096)] = None
    receipt: bool = False


class ContactBody(Body):
    """Where a code can be sent; what is left out is taken away."""

    email: Annotated[str | None, Field(max_length=254)] = None
    phone: Annotated[str | None, Field(max_length=40)] = None


class LetterPath(BaseModel):
    """Which letter."""

    letter_id: Annotated[str, Field(pattern=r"^letter-[0-9a-f]{16}$")]


def register_delivery(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Add the operations to the API."""
    for register in (_staff, _holders, _letters):
        register(blueprint, parts)


def _staff(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get(
        "/applications/<application_id>/duties/<task>", summary="What an officer signs for a task"
    )
    def duty_statement(path: DutyPath) -> Response:
        acting_officer(parts, request, Act.SEE_APPLICATIONS)
        octets = statement_of(parts, path.application_id, Task(path.task))
        return Response(octets, mimetype="application/json")

    @blueprint.post(
        "/applications/<application_id>/duties/<task>",
        summary="Sign a proofing, or a check of the person at the activation",
    )
    def sign_duty(path: DutyPath, body: DutyBody) -> tuple[Response, int]:
        hand = _hand(acting_officer(parts, request, Act.PROVE), body.signature)
        done = record_duty(parts, path.application_id, Task(path.task), hand, utc_now())
        return jsonify({done.task.value: done.officer}), 201

    @blueprint.post("/applications/<application_id>/preparation", summary="Prepare the credential")
    def prepare(path: ApplicationPath, body: PreparationBody) -> tuple[Response, int]:
        hand = _hand(acting_officer(parts, request, Act.PERSONALISE), body.signature)
        channel = Channel(body.channel)
        prepare_credential(parts, path.application_id, channel, hand, utc_now())
        return jsonify(_view(parts, path.application_id)), 201

    @blueprint.post(
        "/applications/<application_id>/codes", summary="Make an activation code and send it"
    )
    def dispatch(path: ApplicationPath, body: CodeBody) -> tuple[Response, int]:
        hand = _hand(acting_officer(parts, request, Act.DISPATCH_CODES), body.signature)
        channel = CodeChannel(body.channel)
        sent = dispatch_code(parts, path.application_id, channel, hand, utc_now())
        view = {**_view(parts, path.application_id), "sending": sent.sending}
        return jsonify(view), 201


def _holders(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/applications/<application_id>/credential", summary="How the credential stands")
    def credential(path: ApplicationPath) -> Response:
        officer_or_applicant(parts, path.application_id)
        return jsonify(_view(parts, path.application_id))

    @blueprint.post(
        "/applications/<application_id>/activation", summary="The holder activates the credential"
    )
    def activate_own(path: ApplicationPath, body: ActivationBody) -> Response:
        applicant_only(parts, request, path.application_id)
        claim = Claim(body.code, body.login, body.receipt)
        after = activate(parts, path.application_id, claim, utc_now())
        return jsonify({**application_view(after), **_view(parts, path.application_id)})

    @blueprint.post(
        "/applications/<application_id>/contact", summary="The applicant is reached elsewhere"
    )
    def change_contact(path: ApplicationPath, body: ContactBody) -> Response:
        applicant_only(parts, request, path.application_id)
        moved = contact_of(body.email, body.phone)
        return jsonify(application_view(move_contact(parts, path.application_id, moved, utc_now())))

    @blueprint.post(
        "/applications/<application_id>/revocation-secret",
        summary="The secret that blocks the credential without its key; given out once",
    )
    def revocation_secret(path: ApplicationPath) -> tuple[Response, int]:
        applicant_only(parts, request, path.application_id)
        now = utc_now()
        secret = parts.revocation_secrets.make(path.application_id, "system:applicant", now)
        return jsonify({"application": path.application_id, "secret": secret.groups}), 201


def _letters(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/letters", summary="Letters that wait for the printer")
    def letters() -> Response:
        acting_officer(parts, request, Act.DISPATCH_CODES)
        return jsonify([_letter_view(each) for each in parts.letters.waiting()])

    @blueprint.get("/letters/<letter_id>", summary="One letter, encrypted to the printer")
    def one_letter(path: LetterPath) -> Response:
        officer = acting_officer(parts, request, Act.DISPATCH_CODES)
        octets = parts.letters.fetch(path.letter_id, officer.id, utc_now())
        return Response(octets, content_type=MEDIA_TYPE)

    @blueprint.post("/letters/<letter_id>/confirmation", summary="It is printed; it is purged here")
    def confirm_letter(path: LetterPath) -> Response:
        officer = acting_officer(parts, request, Act.DISPATCH_CODES)
        return jsonify(_letter_view(parts.letters.confirm(path.letter_id, officer.id, utc_now())))


def _hand(officer: Officer, signature: str | None) -> Hand:
    return Hand(officer, None if signature is None else cms_from_pem(signature))


def _view(parts: Assembly, application_id: str) -> JsonObject:
    """A credential without anything personal; the code's number is no secret."""
    application: Application = parts.applications.get(application_id)
    credential = parts.credentials.get(application_id)
    found = parts.certificates.find(application_id=application_id)
    state = credential_state(credential, _facts(found), utc_now())
    duties = {each.task: each for each in parts.credentials.duties(application)}
    return {
        "application": application.id,
        "credential": None if state is None else state.value,
        "channel": None if credential is None else credential.channel,
        "code": None if credential is None else credential.code_id,
        "code_channel": None if credential is None else credential.code_channel,
        "code_expires_at": None if credential is None else time_view(credential.code_expires_at),
        "duties": {task.value: each.officer for task, each in duties.items()},
    }


def _facts(found: list[CertificateRecord]) -> CertificateFacts | None:
    issued = [each for each in found if each.issued_at is not None]
    return CertificateFacts(issued[0].status, issued[0].not_after) if issued else None


def _letter_view(of: PrintJob) -> JsonObject:
    return {
        "id": of.id,
        "made_at": time_view(of.made_at),
        "confirmed_at": time_view(of.confirmed_at),
        "purged_at": time_view(of.purged_at),
    }

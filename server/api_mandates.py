"""API operations on mandates: registrants and co-signers ask, officers check and approve.

Registrants and co-signers present the certificate of their own personal credential.
"""

from datetime import date

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint

from ra.case import CallBack, Form, Specimen
from ra.declarations import DECLARATION_TEXTS, declaration_digests, declare
from ra.errors import MalformedField
from ra.identity import CprNumber
from ra.legal_persons import Act as MandatedAct
from ra.legal_persons import CvrNumber, Witness
from ra.levels import AssuranceLevel
from ra.mandates import AskedMandate, Mandate, MandateDocuments, MandateState, PresentedPower
from ra.renewals import Loss
from server.access import Act, acting_officer, officer_of
from server.api_models import ApprovalBody
from server.api_organisation_models import (
    AgreementBody,
    CallBackBody,
    ExtractBody,
    MandateBody,
    MandateDocumentsBody,
    MandatePath,
    MandateQuery,
    NamedApplicationBody,
    OrganisationPath,
    PowerBody,
    SignatureBody,
)
from server.api_views import JsonObject, application_view
from server.assembly import Assembly
from server.clock import utc_now
from server.holders import acting_holder, holder_of
from server.mandates import (
    PowerInHand,
    approve_mandate,
    ask_mandate,
    conclude_mandate,
    note_call_back,
    note_documents,
    note_extract,
    note_power,
    package_of_mandate,
    refuse_mandate,
    sign_mandate,
    telephone_of,
    withdraw_mandate,
)
from server.organisation_applications import NewNamed, apply_for_seal
from server.organisation_renewals import Renewed
from server.organisation_views import mandate_view
from server.pem import cms_from_pem
from server.subscribers import agree_as_subscriber


def register_mandates(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Add the operations to the API."""
    for register in (_registrants, _seals, _queue, _checks, _calls, _decisions):
        register(blueprint, parts)


def _registrants(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/declarations", summary="The declaration of being authorised")
    def declaration_texts() -> Response:
        digests = declaration_digests()
        texts = {
            language: {"sha256": digests[language], "text": text}
            for language, text in DECLARATION_TEXTS.items()
        }
        return jsonify(texts)

    @blueprint.post("/mandates", summary="Ask for a mandate to act for a legal person")
    def mandate_request(body: MandateBody) -> tuple[Response, int]:
        now = utc_now()
        person = holder_of(parts, request, now)
        declaration = None
        if body.declaration is not None:
            given = body.declaration
            declaration = declare(given.sha256, declared=given.declared, now=now)
        asked = AskedMandate(
            company=CvrNumber.parse(body.cvr),
            act=MandatedAct(body.act),
            level=AssuranceLevel.from_label(body.level),
            holder=_holder(parts, body, "" if person is None else person.subject_id),
            by_role=body.by_role,
            declaration=declaration,
        )
        return _shown(parts, ask_mandate(parts, asked, person, now), 201)

    @blueprint.get("/mandates/<mandate_id>", summary="How a mandate stands")
    def show_mandate(path: MandatePath) -> tuple[Response, int]:
        if officer_of(parts, request) is not None:
            acting_officer(parts, request, Act.SEE_APPLICATIONS)
        else:
            # A co-signer reads it before signing, and so is let in by certificate alone.
            acting_holder(parts, request, utc_now())
        return _shown(parts, parts.mandates.get(path.mandate_id))

    @blueprint.post("/mandates/<mandate_id>/signatures", summary="Sign together with others")
    def mandate_signature(path: MandatePath, body: SignatureBody) -> tuple[Response, int]:
        now = utc_now()
        person = acting_holder(parts, request, now)
        after = sign_mandate(parts, path.mandate_id, person, body.asked_sha256, now)
        return _shown(parts, after, 201)

    @blueprint.post("/mandates/<mandate_id>/withdrawal", summary="Withdraw it, or end it")
    def mandate_withdrawal(path: MandatePath) -> tuple[Response, int]:
        now = utc_now()
        person = acting_holder(parts, request, now)
        return _shown(parts, withdraw_mandate(parts, path.mandate_id, person, now))


def _seals(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/organisations/<cvr>/applications", summary="Apply for a seal")
    def seal_application(
        path: OrganisationPath, body: NamedApplicationBody
    ) -> tuple[Response, int]:
        now = utc_now()
        person = acting_holder(parts, request, now)
        company = CvrNumber.parse(path.cvr)
        application, secret = apply_for_seal(parts, company, new_named(body), person, now)
        return jsonify({**application_view(application), "secret": secret}), 201

    @blueprint.post("/organisations/<cvr>/agreement", summary="Agree as subscriber")
    def subscriber_agreement(path: OrganisationPath, body: AgreementBody) -> tuple[Response, int]:
        now = utc_now()
        person = acting_holder(parts, request, now)
        answer = (body.subscriber.model_dump(), body.session)
        company = CvrNumber.parse(path.cvr)
        return _shown(parts, agree_as_subscriber(parts, company, answer, person, now), 201)


def _queue(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/mandates", summary="Mandates in a state, or all")
    def mandate_queue(query: MandateQuery) -> Response:
        acting_officer(parts, request, Act.SEE_APPLICATIONS)
        state = None if query.state is None else _state(query.state)
        return jsonify([mandate_view(each) for each in parts.mandates.all(state)])

    @blueprint.get("/incidents", summary="Incidents, the newest first")
    def incident_list() -> Response:
        acting_officer(parts, request, Act.SEE_APPLICATIONS)
        return jsonify(
            [
                {name: str(value) for name, value in each.items()}
                for each in parts.mandates.incidents()
            ]
        )

    @blueprint.get("/organisations/<cvr>", summary="How a legal person is registered")
    def organisation_shown(path: OrganisationPath) -> Response:
        acting_officer(parts, request, Act.SEE_APPLICATIONS)
        found = parts.mandates.organisation(CvrNumber.parse(path.cvr))
        level = None if found.level is None else found.level.label
        view = {"id": found.id, "cvr": found.cvr.value, "state": found.state, "level": level}
        return jsonify(view)


def _checks(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/mandates/<mandate_id>/extract", summary="A role found by name")
    def mandate_extract(path: MandatePath, body: ExtractBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.PROVE)
        after = note_extract(parts, path.mandate_id, body.reference, officer, utc_now())
        return _shown(parts, after, 201)

    @blueprint.post("/mandates/<mandate_id>/documents", summary="Charter and minutes")
    def mandate_documents(path: MandatePath, body: MandateDocumentsBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.PROVE)
        given = body.model_dump(exclude={"held_on"})
        held_on = date.fromisoformat(body.held_on)
        read = MandateDocuments(**given, held_on=held_on, by=officer.id, at=utc_now())
        return _shown(parts, note_documents(parts, path.mandate_id, read, officer), 201)

    @blueprint.post("/mandates/<mandate_id>/power-of-attorney", summary="A power of attorney")
    def mandate_power(path: MandatePath, body: PowerBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.PROVE)
        now = utc_now()
        given = PowerInHand(_power(body, officer.id), CprNumber.parse(body.holder))
        return _shown(parts, note_power(parts, path.mandate_id, given, officer, now), 201)


def _calls(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/mandates/<mandate_id>/call-back", summary="The number to call")
    def call_back_number(path: MandatePath) -> Response:
        acting_officer(parts, request, Act.PROVE)
        return jsonify({"telephone": telephone_of(parts, path.mandate_id, utc_now())})

    @blueprint.post("/mandates/<mandate_id>/call-back", summary="What the company said")
    def call_back_outcome(path: MandatePath, body: CallBackBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.PROVE)
        outcome = CallBack(body.outcome)
        after = note_call_back(parts, path.mandate_id, outcome, officer, utc_now())
        return _shown(parts, after)


def _decisions(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/mandates/<mandate_id>/conclusion", summary="Conclude the checks")
    def mandate_conclusion(path: MandatePath) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.PROVE)
        return _shown(parts, conclude_mandate(parts, path.mandate_id, officer, utc_now()))

    @blueprint.post("/mandates/<mandate_id>/refusal", summary="Refuse for what is not met")
    def mandate_refusal(path: MandatePath) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.PROVE)
        return _shown(parts, refuse_mandate(parts, path.mandate_id, officer, utc_now()))

    @blueprint.get("/mandates/<mandate_id>/package", summary="What an approval signs")
    def mandate_octets(path: MandatePath) -> Response:
        acting_officer(parts, request, Act.SEE_APPLICATIONS)
        octets = package_of_mandate(parts, path.mandate_id)
        return Response(octets, mimetype="application/json")

    @blueprint.post("/mandates/<mandate_id>/approval", summary="Approve by signature")
    def mandate_approval(path: MandatePath, body: ApprovalBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.SEE_APPLICATIONS)
        signature = cms_from_pem(body.signature)
        after = approve_mandate(parts, path.mandate_id, signature, officer, utc_now())
        return _shown(parts, after)


def new_named(body: NamedApplicationBody) -> NewNamed:
    """What was handed in for a seal or as an employee."""
    if body.loss is not None and body.renews is None:
        raise MalformedField("renews", "the certificate that is lost")
    answers = {"terms": body.terms, "security_notice": body.security_notice}
    loss = None if body.loss is None else Loss(body.loss)
    return NewNamed(
        request=body.certificate_request.encode(),
        acceptances={name: each.model_dump() for name, each in answers.items() if each},
        session=body.session,
        publication_consent=body.publication_consent,
        renews=None if body.renews is None else Renewed(body.renews, loss),
    )


def _holder(parts: Assembly, body: MandateBody, registrant: str) -> str:
    if (body.act == "administer") is (body.administrator is None):
        raise MalformedField("administrator", "given exactly where the act is administer")
    if body.administrator is None or not registrant:
        return registrant
    return parts.applications.get(body.administrator).subject_id


def _power(body: PowerBody, officer: str) -> PresentedPower:
    until = None if body.valid_until is None else date.fromisoformat(body.valid_until)
    return PresentedPower(
        company=CvrNumber.parse(body.cvr),
        reference=body.reference,
        sha256=body.sha256,
        grantors=tuple(CprNumber.parse(each) for each in body.grantors),
        holder_matches=False,
        scope=tuple(MandatedAct(each) for each in body.scope),
        valid_from=date.fromisoformat(body.valid_from),
        valid_until=until,
        form=Form(body.form),
        signature_verified=body.signature_verified,
        specimen=Specimen(body.specimen),
        by=officer,
        at=utc_now(),
        witnesses=tuple(
            Witness(each.name, each.address, date.fromisoformat(each.signed_on))
            for each in body.witnesses
        ),
    )


def _state(text: str) -> MandateState:
    try:
        return MandateState(text)
    except ValueError:
        raise MalformedField("state", f"one of {', '.join(MandateState)}") from None


def _shown(parts: Assembly, of: Mandate, status: int = 200) -> tuple[Response, int]:
    view: JsonObject = mandate_view(of, parts.mandates.call_back(of.id))
    return jsonify(view), status

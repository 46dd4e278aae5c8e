"""API operations of proofing natural persons: evidence beside documents, referral, the own end."""

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint

from ra.further_evidence import ControlQuestions
from ra.terms import FOR_APPLICANTS, TermsKind
from server.access import Act, acting_officer, applicant_only, session_secret
from server.api_models import ApplicationPath
from server.api_person_models import (
    BiometricBody,
    ComparisonBody,
    CompletionBody,
    LetterCodeBody,
    LoginBody,
    NonceBody,
    PresentationBody,
    PriorProofingBody,
    QuestionsBody,
    ResolutionBody,
)
from server.api_views import application_view
from server.assembly import Assembly
from server.clock import utc_now
from server.persons import (
    Capture,
    LoginReturn,
    Seen,
    ask_nonce,
    compare_by_machine,
    compare_in_person,
    hear_answers,
    log_in,
    post_letter,
    record_control_questions,
    record_prior,
    refer_application,
    resolve_referral,
    return_letter_code,
    take_up,
    withdraw_application,
)


def register_persons(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Add the operations to the API."""
    for register in (_texts, _applicants, _taking, _evidence, _referral):
        register(blueprint, parts)


def _texts(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post(
        "/presentations", summary="Show an applicant or a subscriber the texts in force"
    )
    def present(body: PresentationBody) -> tuple[Response, int]:
        now = utc_now()
        texts = [
            each
            for kind in (FOR_APPLICANTS if body.reader == "applicant" else (TermsKind.SUBSCRIBER,))
            for each in parts.policy.terms.in_force(kind, now)
            if each.language == body.language
        ]
        session = parts.persons.presentations.begin(texts, now)
        shown = {
            each.kind.value: {"version": each.version, "sha256": each.sha256, "text": each.text}
            for each in texts
        }
        return jsonify({"session": session, "language": body.language, **shown}), 201

    @blueprint.post("/presentations/completion", summary="A text was shown to its end")
    def complete(body: CompletionBody) -> Response:
        secret = session_secret(request)
        parts.persons.presentations.complete(secret, body.sha256, utc_now())
        return jsonify({"sha256": body.sha256, "complete": True})


def _applicants(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/applications/<application_id>/nonces", summary="A nonce for an applicant")
    def make_nonce(path: ApplicationPath, body: NonceBody) -> tuple[Response, int]:
        applicant_only(parts, request, path.application_id)
        made = ask_nonce(parts, path.application_id, body.purpose, utc_now())
        return jsonify({"nonce": made, "purpose": body.purpose}), 201

    @blueprint.post("/applications/<application_id>/biometrics", summary="Compare a live face")
    def compare_face(path: ApplicationPath, body: BiometricBody) -> tuple[Response, int]:
        applicant_only(parts, request, path.application_id)
        capture = Capture(body.capture, body.nonce, body.method)
        after = compare_by_machine(parts, path.application_id, capture, utc_now())
        return jsonify(application_view(after)), 201

    @blueprint.post("/applications/<application_id>/logins", summary="Log in with a credential")
    def log_in_with(path: ApplicationPath, body: LoginBody) -> tuple[Response, int]:
        applicant_only(parts, request, path.application_id)
        returned = LoginReturn(body.provider, body.answer, body.nonce)
        after = log_in(parts, path.application_id, returned, utc_now())
        return jsonify(application_view(after)), 201

    @blueprint.post("/applications/<application_id>/letter-code", summary="Return a letter's code")
    def give_code(path: ApplicationPath, body: LetterCodeBody) -> Response:
        applicant_only(parts, request, path.application_id)
        after = return_letter_code(parts, path.application_id, body.code, utc_now())
        return jsonify(application_view(after))

    @blueprint.post("/applications/<application_id>/withdrawal", summary="Take it back; final")
    def take_back(path: ApplicationPath) -> Response:
        applicant_only(parts, request, path.application_id)
        after = withdraw_application(parts, path.application_id, utc_now())
        return jsonify(application_view(after))


def _taking(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/applications/<application_id>/proofing", summary="Take an application up")
    def begin_proofing(path: ApplicationPath) -> Response:
        officer = acting_officer(parts, request, Act.PROVE)
        return jsonify(application_view(take_up(parts, path.application_id, officer, utc_now())))

    @blueprint.post(
        "/applications/<application_id>/letter", summary="Post a code to the register's"
    )
    def write_letter(path: ApplicationPath) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.PROVE)
        after = post_letter(parts, path.application_id, officer, utc_now())
        return jsonify(application_view(after)), 201


def _evidence(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/applications/<application_id>/comparisons", summary="Compare in person")
    def compare(path: ApplicationPath, body: ComparisonBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.PROVE)
        seen = Seen(body.kind, body.matches, body.live, body.feature_list)
        after = compare_in_person(parts, path.application_id, seen, officer, utc_now())
        return jsonify(application_view(after)), 201

    @blueprint.post("/applications/<application_id>/prior-proofings", summary="An earlier proofing")
    def prior_proofing(path: ApplicationPath, body: PriorProofingBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.PROVE)
        claimed = (body.provider, body.scope, body.reference)
        after = record_prior(parts, path.application_id, claimed, officer, utc_now())
        return jsonify(application_view(after)), 201

    @blueprint.post("/applications/<application_id>/questions", summary="Control questions")
    def ask_questions(path: ApplicationPath, body: QuestionsBody) -> tuple[Response, int]:
        officer, now = acting_officer(parts, request, Act.PROVE), utc_now()
        asked = ControlQuestions(
            body.presence, body.source, body.asked, body.correct, officer.id, now
        )
        after = record_control_questions(parts, path.application_id, asked, officer, now)
        return jsonify(application_view(after)), 201


def _referral(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/applications/<application_id>/referral", summary="Refer what disagrees")
    def refer_it(path: ApplicationPath) -> Response:
        officer = acting_officer(parts, request, Act.PROVE)
        after = refer_application(parts, path.application_id, officer, utc_now())
        return jsonify(application_view(after))

    @blueprint.post("/applications/<application_id>/answers", summary="Ask the registers again")
    def ask_registers(path: ApplicationPath) -> Response:
        officer = acting_officer(parts, request, Act.PROVE)
        after = hear_answers(parts, path.application_id, officer, utc_now())
        return jsonify(application_view(after))

    @blueprint.post("/applications/<application_id>/resolution", summary="Resolve a referral")
    def resolve_it(path: ApplicationPath, body: ResolutionBody) -> Response:
        officer = acting_officer(parts, request, Act.PROVE)
        word = (body.deviation, body.reason)
        after = resolve_referral(parts, path.application_id, word, officer, utc_now())
        return jsonify(application_view(after))

"""API operations on data-subject cases: take in, identify, gather, approve, answer.

The requester's own operations are in `server.api_case_requesters`.
"""

import binascii
import hashlib
from base64 import b64decode
from dataclasses import asdict

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint

from gdpr_erasure.case_identity import IdentityProof, ProofMethod
from gdpr_erasure.cases import Case, CaseKind, CaseState, CaseText, Refusal
from gdpr_erasure.record_classes import RecordClass
from ra.errors import MalformedField
from ra.levels import AssuranceLevel
from records.case_contents import CaseFile
from records.officers import Officer, Role
from server.access import Act, acting_officer
from server.api_case_models import (
    AssignmentBody,
    CaseApprovalBody,
    CaseQuery,
    Concerned,
    ExtensionBody,
    FileBody,
    IdentityBody,
    NewCaseBody,
    OpeningBody,
    QuestionBody,
    RectificationBody,
    RefusalBody,
    SubjectCasePath,
)
from server.assembly import Assembly
from server.case_execution import (
    announce_lifting,
    carry_out,
    deliver,
    erase,
    lift,
    passphrase_again,
    rectify,
)
from server.case_views import case_view, delivery_view, file_view, part_view, whole_view
from server.cases import (
    NewCase,
    ProvedRequester,
    actor_of,
    add_file,
    approve,
    ask_clarification,
    ask_for_identity,
    assign_case,
    extend_case,
    identify_at_desk,
    open_case,
    prepare,
    refuse_case,
    resume,
    withdraw_case,
)
from server.clock import utc_now
from server.errors import NotAllowed

MAX_FILE_BODY = 3 * 1024 * 1024 // 2
"""Octets of a body with a file: a mebibyte in base64 and what stands around it."""


def register_cases(blueprint: APIBlueprint, parts: Assembly) -> None:
    """Add the operations to the API."""
    for register in (_intake, _reading, _identity, _gathering, _deciding, _answering, _restricting):
        register(blueprint, parts)


def admit_file(parts: Assembly) -> None:
    """Let a file be longer than other bodies, once it is known who sends it."""
    path = request.path
    if request.method == "POST" and path.startswith("/api/v1/cases/") and path.endswith("/files"):
        acting_officer(parts, request, Act.MANAGE_CASES)
        request.max_content_length = MAX_FILE_BODY


def _view(case: Case) -> Response:
    return jsonify(case_view(case, utc_now().date()))


def _intake(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/cases", summary="Take a data subject's request in")
    def take_in(body: NewCaseBody) -> tuple[Response, int]:
        officer = acting_officer(parts, request, Act.MANAGE_CASES)
        subject = None if body.concerns is None else subject_of(parts, body.concerns)
        new = NewCase(
            CaseKind(body.kind),
            body.language,
            scopes_of(body.scopes),
            CaseText(request=body.request, contact=body.contact),
            subject,
        )
        case, secret = open_case(parts, new, actor_of(officer), utc_now())
        return jsonify({**case_view(case, utc_now().date()), "secret": secret}), 201

    @blueprint.post("/cases/<case_id>/assignment", summary="Give a case to a case manager")
    def assignment(path: SubjectCasePath, body: AssignmentBody) -> Response:
        officer = acting_officer(parts, request, Act.MANAGE_CASES)
        to = officer if body.officer is None else parts.officers.get(body.officer)
        return _view(assign_case(parts, path.case_id, to, officer, utc_now()))


def _reading(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.get("/cases", summary="Cases by due day; a case manager sees the own and the free")
    def subject_cases(query: CaseQuery) -> Response:
        officer = acting_officer(parts, request, Act.SEE_CASES)
        states = (_state(query.state),) if query.state else ()
        found = parts.cases.all(*states) if states else parts.cases.open_cases()
        today = utc_now().date()
        seen = [each for each in found if _may_see(officer, each)]
        seen.sort(key=lambda each: each.clock.due_on(today))
        return jsonify([case_view(each, today) for each in seen])

    @blueprint.get("/cases/<case_id>", summary="One case, and how far its parts are")
    def one_case_of_subject(path: SubjectCasePath) -> Response:
        case = _seen(parts, path.case_id, acting_officer(parts, request, Act.SEE_CASES))
        return jsonify(whole_view(parts, case, utc_now().date()))

    @blueprint.post("/cases/<case_id>/openings", summary="Read what is sealed; it is logged")
    def opening(path: SubjectCasePath, body: OpeningBody) -> Response:
        officer = acting_officer(parts, request, Act.SEE_CASES)
        case = _seen(parts, path.case_id, officer)
        octets, kind = _content(parts, case, body)
        parts.cases.tell_opening(case, body.what, body.purpose, officer.id, utc_now())
        return Response(octets, mimetype=kind)


def _identity(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/cases/<case_id>/identity-request", summary="Ask for proof of identity")
    def identity_request(path: SubjectCasePath) -> Response:
        officer = _handler(parts, path.case_id)
        return _view(ask_for_identity(parts, path.case_id, officer, utc_now()))

    @blueprint.post("/cases/<case_id>/identity", summary="Record a proof of identity")
    def identity(path: SubjectCasePath, body: IdentityBody) -> Response:
        officer = acting_officer(parts, request, Act.PROVE)
        level = AssuranceLevel.from_label(body.level)
        method, person = ProofMethod(body.method), officer.person_id
        proof = IdentityProof(method, level, utc_now(), by=person)
        proved = ProvedRequester(subject_of(parts, body.concerns), proof, body.evidence)
        return _view(identify_at_desk(parts, path.case_id, proved, officer))


def _gathering(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/cases/<case_id>/files", summary="Add a file to a case")
    def file(path: SubjectCasePath, body: FileBody) -> tuple[Response, int]:
        officer = _handler(parts, path.case_id)
        now, content = utc_now(), _octets(body.content)
        digest = hashlib.sha256(content).hexdigest()
        kept = CaseFile(0, len(content), digest, body.for_requester, officer.id, now)
        added = add_file(parts, path.case_id, (body.name, content), kept, now)
        return jsonify(file_view(added)), 201

    @blueprint.post("/cases/<case_id>/clarification", summary="Ask the requester what is meant")
    def clarification(path: SubjectCasePath, body: QuestionBody) -> Response:
        officer = _handler(parts, path.case_id)
        return _view(ask_clarification(parts, path.case_id, body.question, officer, utc_now()))

    @blueprint.post("/cases/<case_id>/resumption", summary="Assess again, or send back")
    def resumption(path: SubjectCasePath) -> Response:
        officer = acting_officer(parts, request, Act.SEE_CASES)
        waits = parts.cases.get(path.case_id).state is CaseState.AWAITING_APPROVAL
        if not (waits and officer.role is Role.CASE_APPROVER):
            officer = _handler(parts, path.case_id)
        return _view(resume(parts, path.case_id, officer, utc_now()))

    @blueprint.post("/cases/<case_id>/preparation", summary="Collect, and hand to the approvers")
    def case_preparation(path: SubjectCasePath) -> Response:
        officer = _handler(parts, path.case_id)
        case, statuses = prepare(parts, path.case_id, officer, utc_now())
        view = case_view(case, utc_now().date())
        return jsonify({**view, "parts": [part_view(each) for each in statuses]})


def _deciding(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/cases/<case_id>/approval", summary="Approve exactly the package of a digest")
    def case_approval(path: SubjectCasePath, body: CaseApprovalBody) -> Response:
        officer = acting_officer(parts, request, Act.APPROVE_CASES)
        return _view(approve(parts, path.case_id, body.sha256, officer, utc_now()))

    @blueprint.post("/cases/<case_id>/refusal", summary="Refuse, with reasons and remedies")
    def refusal(path: SubjectCasePath, body: RefusalBody) -> Response:
        officer = _handler(parts, path.case_id)
        told = Refusal(body.reasons, body.complaint, body.court)
        return _view(refuse_case(parts, path.case_id, told, officer, utc_now()))

    @blueprint.post("/cases/<case_id>/extension", summary="Take two months more, and say why")
    def extension(path: SubjectCasePath, body: ExtensionBody) -> Response:
        officer = _handler(parts, path.case_id)
        return _view(extend_case(parts, path.case_id, body.reason, officer, utc_now()))

    @blueprint.post("/cases/<case_id>/withdrawal", summary="The requester wants it no more")
    def withdrawal(path: SubjectCasePath) -> Response:
        officer = _handler(parts, path.case_id)
        return _view(withdraw_case(parts, path.case_id, officer.id, utc_now()))


def _answering(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/cases/<case_id>/delivery", summary="Encrypt the answer to the requester")
    def delivery(path: SubjectCasePath) -> Response:
        officer = _handler(parts, path.case_id)
        handed = deliver(parts, path.case_id, officer, utc_now())
        told = {"delivery": delivery_view(handed.delivery), "passphrase": handed.passphrase}
        return jsonify({**case_view(handed.case, utc_now().date()), **told})

    @blueprint.post("/cases/<case_id>/execution", summary="Restrict, or take out of directories")
    def execution(path: SubjectCasePath) -> Response:
        officer = _handler(parts, path.case_id)
        return _view(carry_out(parts, path.case_id, officer, utc_now()))

    @blueprint.post("/cases/<case_id>/rectification", summary="Replace the wrong certificates")
    def rectification(path: SubjectCasePath, body: RectificationBody) -> Response:
        officer = _handler(parts, path.case_id)
        case, done = rectify(parts, path.case_id, body.application, officer, utc_now())
        return jsonify({**case_view(case, utc_now().date()), "done": done})

    @blueprint.post("/cases/<case_id>/erasure", summary="Let an approved erasure begin; final")
    def erasure(path: SubjectCasePath) -> Response:
        officer = acting_officer(parts, request, Act.ERASE)
        case, number = erase(parts, path.case_id, officer, utc_now())
        return jsonify({**case_view(case, utc_now().date()), "erasure": number})


def _restricting(blueprint: APIBlueprint, parts: Assembly) -> None:
    @blueprint.post("/cases/<case_id>/lifting-notice", summary="Tell that a restriction will end")
    def lifting_notice(path: SubjectCasePath) -> Response:
        officer = _handler(parts, path.case_id)
        return _view(announce_lifting(parts, path.case_id, officer, utc_now()))

    @blueprint.post("/cases/<case_id>/lifting", summary="End a restriction")
    def lifting(path: SubjectCasePath) -> Response:
        officer = _handler(parts, path.case_id)
        return _view(lift(parts, path.case_id, officer, utc_now()))


def subject_of(parts: Assembly, concerned: Concerned) -> str:
    """Whose data it is; NotFound when nobody's."""
    if concerned.application is not None:
        return parts.cases.subject_of_application(concerned.application)
    issuer, _, serial = str(concerned.certificate).partition("/")
    return parts.cases.subject_of_certificate(issuer, serial)


def scopes_of(words: list[str]) -> frozenset[RecordClass]:
    """Classes of records by name; MalformedField for another word."""
    try:
        return frozenset(RecordClass(word) for word in words if word != "everything")
    except ValueError:
        raise MalformedField("scopes", f"of everything, {', '.join(RecordClass)}") from None


def _handler(parts: Assembly, case_id: str) -> Officer:
    """The case manager to whom the case was assigned, or anyone while it is nobody's."""
    officer = acting_officer(parts, request, Act.MANAGE_CASES)
    _seen(parts, case_id, officer)
    return officer


def _seen(parts: Assembly, case_id: str, officer: Officer) -> Case:
    case = parts.cases.get(case_id)
    if not _may_see(officer, case):
        raise NotAllowed("case manager to whom it is assigned")
    return case


def _may_see(officer: Officer, case: Case) -> bool:
    theirs = case.assignee is None or case.assignee.person_id == officer.person_id
    return theirs or officer.role is not Role.CASE_MANAGER


def _content(parts: Assembly, case: Case, body: OpeningBody) -> tuple[bytes, str]:
    if body.what == "package":
        return parts.cases.package(case.id), "application/zip"
    if body.what == "file":
        _, content = parts.case_contents.file(case, body.number or 1)
        return content, "application/octet-stream"
    if body.what == "text":
        return jsonify(asdict(parts.cases.text(case.id))).data, "application/json"
    if body.what == "refusal":
        told = "\n\n".join(asdict(parts.cases.refusal(case.id)).values())
    elif body.what == "extension":
        told = parts.cases.extension(case.id) or ""
    else:
        # Whoever can tell it to the requester is who handles the case, and nobody who only looks.
        acting_officer(parts, request, Act.MANAGE_CASES)
        told = passphrase_again(parts, case)
    return f"{told}\n".encode(), "text/plain"


def _octets(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedField("content", "base64") from None


def _state(text: str) -> CaseState:
    try:
        return CaseState(text)
    except ValueError:
        raise MalformedField("state", f"one of {', '.join(CaseState)}") from None

"""The public page on which anybody begins a data-subject request."""

import re
from urllib.parse import urlencode

import pytest

from gdpr_erasure.case_identity import IdentityProof, ProofMethod
from gdpr_erasure.cases import CaseState, Refusal
from ra.levels import AssuranceLevel
from records.officers import Role
from server.assembly import Assembly
from server.case_execution import deliver
from server.cases import (
    ProvedRequester,
    approve,
    ask_clarification,
    assign_case,
    identify_at_desk,
    prepare,
    refuse_case,
)
from server.clock import utc_now
from server.notices import ALLOWED, NOTICES, notice_of, placeholders
from server.privacy_page import PER_HOUR, PER_MINUTE
from server.privacy_texts import LANGUAGES, STATES, TEXTS
from server.public import PublicApp
from tests.support.staff import an_officer, certified, text_of
from tests.support.wsgi import Answered, ask

FORM = "application/x-www-form-urlencoded"
STRANGE = "<script>alert(1)</script>"


def send(app: PublicApp, path: str, language: str = "en", **fields: str) -> Answered:
    body = urlencode(fields).encode()
    return ask(app, path, "POST", body, CONTENT_TYPE=FORM, QUERY_STRING=f"lang={language}")


def begun(app: PublicApp, **fields: str) -> tuple[str, str]:
    """Number and secret of a new request."""
    page = send(app, "/privacy/request", **{"kind": "access"} | fields)
    assert page.status == 200, page.body
    text = text_of(page.body.decode())
    number = re.search(r"Number of the case (K[0-9A-Z]{7})", text)
    secret = re.search(r"Secret ([\w-]{32})", text)
    assert number is not None
    assert secret is not None
    return number[1], secret[1]


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of the rate limit passes between two tests of one installation."""
    monkeypatch.setattr("server.privacy_page.PER_HOUR", 10_000)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/privacy", "/privacy/request"])
def test_the_pages_need_no_script_and_nothing_from_elsewhere(
    app: PublicApp, path: str, language: str
) -> None:
    page = ask(app, path, QUERY_STRING=f"lang={language}")
    assert page.status == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    text = page.body.decode()
    assert f'<html lang="{language}">' in text
    assert "<script" not in text
    assert " style=" not in text
    links = re.findall(r'(?:href|src|action)="([^"]*)"', text)
    assert all(link.startswith(("/privacy", "/check/", "#")) for link in links)
    for field in re.findall(r'<(?:input|textarea)[^>]* id="(\w+)"', text):
        assert f'<label for="{field}">' in text


@pytest.mark.parametrize(
    ("accepted", "language"), [("sv-SE,sv;q=0.9", "sv"), ("fr", "da"), ("", "da"), ("en-GB", "en")]
)
def test_the_language_is_that_of_the_browser_or_danish(
    app: PublicApp, accepted: str, language: str
) -> None:
    page = ask(app, "/privacy", HTTP_ACCEPT_LANGUAGE=accepted)
    assert f'<html lang="{language}">' in page.body.decode()


def test_every_language_says_everything() -> None:
    assert len({frozenset(texts) for texts in TEXTS.values()}) == 1
    for states in STATES.values():
        assert set(states) == set(CaseState)


def test_a_request_begins_without_login_and_is_followed_by_its_secret(
    app: PublicApp, parts: Assembly
) -> None:
    number, secret = begun(app, request=f"Alt om mig {STRANGE}", contact="n@example.test")
    assert parts.cases.text(number).request == f"Alt om mig {STRANGE}"
    shown = send(app, "/privacy/follow", number=number, secret=secret)
    text = text_of(shown.body.decode())
    assert "The case is received." in text
    assert re.search(r"Answer by \d{4}-\d\d-\d\d", text)
    assert STRANGE not in shown.body.decode()


def test_nobody_learns_from_the_page_whom_we_know(app: PublicApp, parts: Assembly) -> None:
    person = certified(
        parts,
        an_officer(parts, Role.REGISTRATION_OFFICER).officer,
        an_officer(parts, Role.APPROVING_OFFICER),
    )
    name = person.applicant.claim.surname.value
    known = send(app, "/privacy/request", kind="access", request=name)
    unknown = send(app, "/privacy/request", kind="access", request="Nobody")

    def without_secrets(page: Answered) -> str:
        return re.sub(r"K[0-9A-Z]{7}|[\w-]{32}", "", page.body.decode())

    assert without_secrets(known) == without_secrets(unknown)
    number, _ = begun(app)
    wrong = send(app, "/privacy/follow", number=number, secret="x" * 32)
    nothing = send(app, "/privacy/follow", number="K2222222", secret="x" * 32)
    assert (wrong.status, wrong.body) == (nothing.status, nothing.body) == (403, wrong.body)


def test_an_answer_is_fetched_confirmed_and_gone(app: PublicApp, parts: Assembly) -> None:
    now = utc_now()
    verifier = an_officer(parts, Role.REGISTRATION_OFFICER).officer
    manager = an_officer(parts, Role.CASE_MANAGER).officer
    person = certified(parts, verifier, an_officer(parts, Role.APPROVING_OFFICER))
    number, secret = begun(app)
    assign_case(parts, number, manager, manager, now)
    proof = IdentityProof(ProofMethod.DESK, AssuranceLevel.HIGH, now, verifier.person_id)
    requester = ProvedRequester(person.subject_id, proof, "passport, desk 4")
    identify_at_desk(parts, number, requester, verifier)
    case, _ = prepare(parts, number, manager, now)
    for _ in range(2):
        approver = an_officer(parts, Role.CASE_APPROVER).officer
        case = approve(parts, number, str(case.package_sha256), approver, utc_now())
    both = {"number": number, "secret": secret}
    assert send(app, "/privacy/download", **both).status == 409
    deliver(parts, number, manager, utc_now())
    assert b"Fetch the answer" in send(app, "/privacy/follow", **both).body
    assert send(app, "/privacy/receipt", **both).status == 409
    fetched = send(app, "/privacy/download", **both)
    assert fetched.headers["Content-Type"].startswith("application/pkcs7-mime")
    assert fetched.body.startswith(b"0\x83")
    assert send(app, "/privacy/download", number=number, secret="x" * 32).status == 403
    assert b"The answer is deleted here" in send(app, "/privacy/receipt", **both).body
    assert send(app, "/privacy/download", **both).status == 409


def test_what_is_written_for_the_requester_is_read_with_the_secret_alone(
    app: PublicApp, parts: Assembly
) -> None:
    now = utc_now()
    verifier = an_officer(parts, Role.REGISTRATION_OFFICER).officer
    manager = an_officer(parts, Role.CASE_MANAGER).officer
    person = certified(parts, verifier, an_officer(parts, Role.APPROVING_OFFICER))
    number, secret = begun(app)
    both = {"number": number, "secret": secret}
    proof = IdentityProof(ProofMethod.DESK, AssuranceLevel.HIGH, now, verifier.person_id)
    requester = ProvedRequester(person.subject_id, proof, "passport, desk 4")
    identify_at_desk(parts, number, requester, verifier)
    ask_clarification(parts, number, f"Which year? {STRANGE}", manager, now)
    asked = send(app, "/privacy/follow", **both).body.decode()
    assert "Which year?" in text_of(asked)
    assert STRANGE not in asked
    assert send(app, "/privacy/answer", number=number, secret="x" * 32).status == 403
    assert send(app, "/privacy/answer", **both).status == 400
    assert send(app, "/privacy/answer", **both, answer="All").status == 200
    assert send(app, "/privacy/answer", **both, answer="All").status == 409
    assert parts.cases.text(number).answer == "All"
    refuse_case(parts, number, Refusal("Not yours", "IMY", "City court"), manager, utc_now())
    shown = text_of(send(app, "/privacy/follow", **both).body.decode())
    assert all(word in shown for word in ("Not yours", "IMY", "City court"))
    assert send(app, "/privacy/withdraw", **both).status == 409


def test_a_requester_withdraws_the_request_on_the_page(app: PublicApp, parts: Assembly) -> None:
    number, secret = begun(app)
    assert send(app, "/privacy/withdraw", number=number, secret="x" * 32).status == 403
    shown = send(app, "/privacy/withdraw", number=number, secret=secret)
    assert "The case is withdrawn." in text_of(shown.body.decode())
    assert parts.cases.get(number).state is CaseState.CANCELLED


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kind": "gossip"},
        {"kind": "access", "cpr": "2512489996"},
        {"kind": "access", "request": "x" * 4001},
        {"kind": "access", "contact": "x" * 201},
    ],
    ids=str,
)
def test_a_form_that_is_none_changes_nothing(
    app: PublicApp, parts: Assembly, fields: dict[str, str]
) -> None:
    before = len(parts.cases.all())
    assert send(app, "/privacy/request", **fields).status == 400
    assert len(parts.cases.all()) == before


@pytest.mark.parametrize("path", ["/privacy/request", "/privacy/follow"])
@pytest.mark.parametrize("body", [b"", b"\x00" * 100, b"kind=access&kind=" + b"x" * 40_000])
def test_what_is_no_form_is_turned_away(app: PublicApp, path: str, body: bytes) -> None:
    assert ask(app, path, "POST", body, CONTENT_TYPE=FORM).status in {400, 403, 413}


def test_a_flood_is_turned_away_by_each_worker_and_by_all(
    app: PublicApp, parts: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.privacy_page.monotonic", lambda: 5.0)
    lines = [send(app, "/privacy/request", kind="access").status for _ in range(PER_MINUTE + 1)]
    assert lines == [200] * PER_MINUTE + [429]
    monkeypatch.setattr("server.privacy_page.monotonic", lambda: 66.0)
    monkeypatch.setattr("server.privacy_page.PER_HOUR", PER_MINUTE)
    assert send(app, "/privacy/request", kind="access").status == 429
    assert PER_HOUR > PER_MINUTE
    assert len(parts.cases.open_cases()) >= PER_MINUTE


@pytest.mark.parametrize("path", ["/privacy/x", "/privacy/follow", "/privacy/request/x"])
def test_nothing_else_lies_below(app: PublicApp, path: str) -> None:
    assert ask(app, path).status == 404


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_holds_the_number_of_the_case_and_nothing_about_anybody(language: str) -> None:
    assert placeholders(NOTICES[language]) <= ALLOWED
    notice = notice_of(language, "K7F2M9QX", "https://ca.example")
    assert "K7F2M9QX" in notice
    assert "$" not in notice


@pytest.mark.parametrize("template", ["Hello $name", "$case: ${mail}", "$case for $cpr_number"])
def test_a_notice_with_a_personal_placeholder_is_found(template: str) -> None:
    assert not placeholders(template) <= ALLOWED

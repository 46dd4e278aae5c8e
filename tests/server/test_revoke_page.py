"""The holder blocks a credential without its key: on a page without script, in three languages."""

import json
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest

from records.officers import Role
from revocation.errors import RevocationRefused
from server.assembly import Assembly
from server.clock import utc_now
from server.revoke_page import WRONG_PER_MINUTE, RevokePage
from server.revoke_texts import TEXTS
from tests.support.staff import an_officer, applied, certified

WRONG = "22222-22222-22222"


@pytest.fixture
def page(parts: Assembly) -> RevokePage:
    return RevokePage(parts)


@pytest.fixture(scope="module")
def issued(parts: Assembly) -> tuple[str, str]:
    """An application with a certificate, and its secret."""
    officer = an_officer(parts, Role.REGISTRATION_OFFICER)
    approver = an_officer(parts, Role.APPROVING_OFFICER)
    application = certified(parts, officer.officer, approver)
    secret = parts.revocation_secrets.make(application.id, "system:applicant", utc_now())
    return application.id, secret.groups


def ask(
    page: RevokePage,
    fields: dict[str, str] | None = None,
    accept: str = "text/html",
    lang: str = "",
) -> tuple[str, str]:
    body = urlencode(fields or {}).encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET" if fields is None else "POST",
        "QUERY_STRING": f"lang={lang}" if lang else "",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_ACCEPT": accept,
        "wsgi.input": BytesIO(body),
    }
    answer = page.answer(environ, "")
    assert answer is not None
    return answer[0], answer[1].decode()


def form(application: str, secret: str, **changes: str) -> dict[str, str]:
    fields = {"application": application, "secret": secret}
    return {**fields, "block": "suspend", "cause": "key-lost", **changes}


@pytest.mark.parametrize("language", TEXTS)
def test_the_page_is_plain_and_speaks_the_holders_language(page: RevokePage, language: str) -> None:
    status, body = ask(page, lang=language)
    assert status == "200 OK"
    assert f'<html lang="{language}">' in body
    assert TEXTS[language]["title"] in body
    assert "<script" not in body
    assert set(TEXTS[language]) == set(TEXTS["en"])


def test_a_holder_suspends_then_revokes_and_cannot_lift_it(
    page: RevokePage, parts: Assembly, issued: tuple[str, str]
) -> None:
    application, secret = issued
    (certificate,) = parts.certificates.find(application_id=application)
    place = (certificate.issuer, certificate.serial_number)

    assert ask(page, form(application, secret.upper()))[0] == "200 OK"
    held = parts.certificates.record(*place)
    assert (held.status, held.cause) == ("held", "key-lost")
    with pytest.raises(RevocationRefused):
        parts.statuses.release(*place, str(held.decided_by), utc_now())

    assert ask(page, form(application, secret, block="revoke"))[0] == "200 OK"
    assert ask(page, form(application, secret, block="revoke"))[0] == "200 OK"
    assert parts.certificates.record(*place).status == "revoked"


def test_known_and_unknown_numbers_get_one_answer(
    page: RevokePage, parts: Assembly, issued: tuple[str, str]
) -> None:
    answers = {
        ask(page, form(number, WRONG), accept=accept)
        for number in (issued[0], "A-AAAAAAAAAA", "K7F2M9QX")
        for accept in ("text/html",)
    }
    assert len(answers) == 1
    (answer,) = answers
    assert answer[0] == "403 Forbidden"
    (certificate,) = parts.certificates.find(application_id=issued[0])
    assert certificate.status != "intent"


def test_a_program_gets_json(page: RevokePage) -> None:
    status, body = ask(page, form("A-AAAAAAAAAA", WRONG), "application/json", "en")
    assert status == "403 Forbidden"
    assert json.loads(body) == {"outcome": "wrong", "text": TEXTS["en"]["wrong"]}


@pytest.mark.parametrize(
    "changes",
    [{"block": "release"}, {"cause": "death"}, {"secret": ""}, {"more": "x"}, {"application": ""}],
)
def test_a_form_that_is_none_of_ours_changes_nothing(
    page: RevokePage, changes: dict[str, str]
) -> None:
    assert ask(page, form("A-AAAAAAAAAA", WRONG) | changes)[0] == "400 Bad Request"


def test_a_flood_of_wrong_secrets_keeps_no_holder_out(page: RevokePage, parts: Assembly) -> None:
    application = applied(parts)
    secret = parts.revocation_secrets.make(application.id, "system:applicant", utc_now())
    said = [ask(page, form(application.id, WRONG))[0] for _ in range(WRONG_PER_MINUTE + 1)]
    assert said[-1] == "429 Too Many Requests"
    assert ask(page, form(application.id, secret.groups))[0] == "200 OK"
    assert parts.applications.get(application.id).state == "withdrawn"

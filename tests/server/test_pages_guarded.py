"""What the staff pages keep out: other roles, other sites, unknown fields, markup, frames."""

import re
from datetime import timedelta

import pytest

from gdpr_erasure.erasures import Erasure, NewErasure
from gdpr_erasure.saga import ERASE_ALL, request_erasure
from ra.applications import withdraw
from records.officers import Role
from revocation.causes import Cause, Grounds
from revocation.selections import Selection
from server.clock import utc_now
from server.erasures import saga
from server.jobs import run_job
from server.metrics import Metrics
from server.pages_frame import FORM_COOKIE
from tests.support.staff import (
    Browser,
    Office,
    an_officer,
    applied,
    certified,
    signed_in,
    text_of,
    token_of,
    vetted,
)

PAYLOAD = "\"'><script>alert(1)</script>"
ALLOWED = {
    "/queue": {
        Role.REGISTRATION_OFFICER,
        Role.APPROVING_OFFICER,
        Role.PERSONALISATION_OPERATOR,
        Role.CODE_DISPATCHER,
    },
    "/case/{submitted}": {
        Role.REGISTRATION_OFFICER,
        Role.APPROVING_OFFICER,
        Role.PERSONALISATION_OPERATOR,
        Role.CODE_DISPATCHER,
    },
    "/case/{verified}/approve": {Role.APPROVING_OFFICER},
    "/case/{verified}/package": {Role.APPROVING_OFFICER},
    "/certificates": set(Role),
    "/certificates/issuing/{serial}": set(Role),
    "/certificates/issuing/{serial}/revoke": {Role.SECURITY_ADMINISTRATOR},
    "/certificates/issuing/{serial}/hold": {Role.SECURITY_ADMINISTRATOR},
    "/revocations": {Role.SECURITY_ADMINISTRATOR},
    "/revocations/{bulk}": {Role.SECURITY_ADMINISTRATOR},
    "/erasures": {Role.SECURITY_ADMINISTRATOR},
    "/erasures/{erasure}": {Role.SECURITY_ADMINISTRATOR},
    "/audit": {Role.AUDITOR},
}
FORMS = {
    "/case/{submitted}/document": ("/queue", Role.REGISTRATION_OFFICER, 400),
    "/case/{submitted}/conclude": ("/queue", Role.REGISTRATION_OFFICER, 400),
    "/case/{submitted}/refuse": ("/queue", Role.REGISTRATION_OFFICER, 400),
    "/case/{verified}/approve": ("/queue", Role.APPROVING_OFFICER, 400),
    "/certificates/issuing/{serial}/revoke": ("/audit", Role.SECURITY_ADMINISTRATOR, 400),
    "/certificates/issuing/{serial}/hold": ("/audit", Role.SECURITY_ADMINISTRATOR, 400),
    "/certificates/issuing/{serial}/release": ("/audit", Role.SECURITY_ADMINISTRATOR, 409),
    "/revocations": ("/audit", Role.SECURITY_ADMINISTRATOR, 400),
    "/revocations/{bulk}/begin": ("/audit", Role.SECURITY_ADMINISTRATOR, 400),
    "/erasures/{erasure}/approve": ("/audit", Role.SECURITY_ADMINISTRATOR, 400),
    "/erasures/{erasure}/cancel": ("/audit", Role.SECURITY_ADMINISTRATOR, 400),
    "/sign-out": ("/certificates", Role.AUDITOR, 400),
}


def an_erasure(office: Office, subject_id: str) -> Erasure:
    """Asked for by the data subject."""
    new = NewErasure(subject_id)
    return request_erasure(office.parts.erasures, ERASE_ALL, new, utc_now())


@pytest.fixture(scope="session")
def places(office: Office) -> dict[str, str]:
    """What the paths name: applications in two states, a certificate, an erasure case."""
    officer = office.registration.officer
    issued = certified(office.parts, officer, office.approving)
    (certificate,) = office.parts.certificates.find(application_id=issued.id)
    planner = office.staff[Role.SECURITY_ADMINISTRATOR].officer.id
    listed = Selection({(certificate.issuer, certificate.serial_number): 1})
    plans = office.parts.bulk_revocations
    return {
        "bulk": plans.plan(listed, Grounds(Cause.REPLACED), planner, utc_now()).id,
        "submitted": applied(office.parts).id,
        "verified": vetted(office.parts, officer).id,
        "serial": certificate.serial_number.hex,
        "erasure": an_erasure(office, applied(office.parts).subject_id).id,
    }


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("path", list(ALLOWED))
def test_a_page_opens_for_its_roles_and_no_other(
    office: Office, places: dict[str, str], path: str, role: Role
) -> None:
    browser = office.browser(role)
    allowed = role in ALLOWED[path]
    page = browser.get(path.format(**places), 200 if allowed else 403)
    assert allowed or "This is for the role" in page


@pytest.mark.parametrize("path", list(ALLOWED))
def test_no_page_opens_for_somebody_unknown(
    office: Office, places: dict[str, str], path: str
) -> None:
    Browser(office.app).get(path.format(**places), 401)


@pytest.mark.parametrize("path", list(FORMS))
def test_a_form_is_refused_to_other_roles(
    office: Office, places: dict[str, str], path: str
) -> None:
    for role in set(Role) - {FORMS[path][1]} - ({*Role} if path == "/sign-out" else set()):
        browser = office.browser(role)
        answer = browser.send("/certificates", path.format(**places))
        assert answer.status_code == 403, role


@pytest.mark.parametrize("path", list(FORMS))
def test_a_form_with_an_unknown_field_is_refused(
    office: Office, places: dict[str, str], path: str
) -> None:
    browser = office.browser(FORMS[path][1])
    fields = {"colour": "blue", PAYLOAD: "x"}
    answer = browser.send("/certificates", path.format(**places), **fields)
    assert answer.status_code == 400
    assert "colour" in text_of(answer.text)
    assert "<script" not in answer.text
    browser.get("/certificates")


@pytest.mark.parametrize("path", list(FORMS))
def test_a_form_without_the_token_of_this_browser_is_refused(
    office: Office, places: dict[str, str], path: str
) -> None:
    role = FORMS[path][1]
    browser, other = office.browser(role), office.browser(role)
    foreign = token_of(other.get("/certificates"))
    for fields in ({}, {"token": ""}, {"token": "å" * 64}, {"token": foreign}):
        answer = browser.post(path.format(**places), **fields)
        assert answer.status_code == 400
        assert "does not belong to your present sign-in" in text_of(answer.text)


def test_a_form_from_another_site_is_refused(auditing: Browser) -> None:
    token = token_of(auditing.get("/audit"))
    for site in ("cross-site", "same-site"):
        answer = auditing.client.post(
            "/sign-out",
            base_url="https://localhost",
            data={"token": token},
            headers={"Sec-Fetch-Site": site},
        )
        assert answer.status_code == 400
    auditing.get("/audit")


def test_nobody_is_signed_in_by_a_form_of_another_site(office: Office) -> None:
    officer = office.registration.officer
    token = office.parts.officers.make_link(officer.id, "sign-in", utc_now(), timedelta(minutes=5))
    victim = Browser(office.app)
    assert victim.post(f"/sign-in/{token}").status_code == 400
    elsewhere = token_of(Browser(office.app).get(f"/sign-in/{token}"))
    assert victim.post(f"/sign-in/{token}", token=elsewhere).status_code == 400
    victim.get("/queue", 401)


def test_a_certificate_alone_sends_no_form(office: Office) -> None:
    application = applied(office.parts)
    case = f"/case/{application.id}"
    browser = Browser(office.app)
    browser.present(office.registration.certificate)
    reason = {"reason": "REG-IDN-L1:EVIDENCE_MISSING"}
    assert browser.post(f"{case}/refuse", **reason).status_code == 400
    page = browser.get(case)
    browser.client.delete_cookie(FORM_COOKIE)
    assert browser.post(f"{case}/refuse", token=token_of(page), **reason).status_code == 400
    assert browser.send(case, f"{case}/refuse", **reason).status_code == 303


def test_markup_in_what_is_asked_for_stays_text(auditing: Browser) -> None:
    for path in (
        f"/certificates?q={PAYLOAD}",
        f"/certificates/{PAYLOAD.replace('/', '')}/01",
        f"/sign-in/{PAYLOAD.replace('/', '')}",
    ):
        page = auditing.client.get(path, base_url="https://localhost").text
        assert "<script" not in page
        assert "alert(1)" in page


def test_markup_in_a_form_stays_text(office: Office, vetting: Browser) -> None:
    case = f"/case/{applied(office.parts).id}"
    form = {"mrz": f"</textarea>{PAYLOAD}", "kind": PAYLOAD, "face": PAYLOAD}
    page = vetting.send(case, f"{case}/document", **form).text
    assert "<script" not in page
    assert "&lt;/textarea&gt;" in page
    vetting.send(
        case,
        f"{case}/document",
        **form
        | {
            "kind": "passport",
            "presence": "online",
            "face": "matches",
        },
    )
    assert "zone could not be read" in text_of(vetting.get(case))


@pytest.mark.parametrize("role", list(Role))
def test_every_page_carries_its_headers_and_nothing_inline(
    office: Office, places: dict[str, str], role: Role
) -> None:
    browser = office.browser(role)
    paths = [path.format(**places) for path in ALLOWED]
    for path in (*paths, "/", "/sign-in/x", "/case/none", "/assets/tillid.css"):
        answer = browser.client.get(path, base_url="https://localhost")
        text = answer.text
        answer.close()
        policy = answer.headers["Content-Security-Policy"]
        assert policy == (
            "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        if path.startswith("/assets/"):
            continue
        assert answer.headers["Cache-Control"] == "no-store"
        if answer.mimetype == "text/html" and text:
            assert_plain(text)


def assert_plain(page: str) -> None:
    """Semantic, labelled, without anything inline or from elsewhere."""
    assert '<html lang="en">' in page
    assert 'href="#content"' in page
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", page)
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)
    assert page.count("<table") == page.count("<caption")
    assert page.count("<h1") == 1
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    for field in re.findall(
        r'<(?:select|textarea|input type="(?:text|file)")[^>]*\sid="([^"]+)"', page
    ):
        assert f'<label for="{field}"' in page


def test_the_search_field_has_a_label(auditing: Browser) -> None:
    assert '<label for="q">' in auditing.get("/certificates")


def test_an_erasure_is_let_begin_and_followed_to_its_receipt(
    office: Office, securing: Browser
) -> None:
    parts = office.parts
    application = applied(parts)
    parts.applications.update(
        application, withdraw(application, utc_now()), "system:applicant", utc_now()
    )
    case = an_erasure(office, application.subject_id)
    page, sha256 = f"/erasures/{case.id}", case.assessment.sha256
    assert "This cannot be undone." in text_of(securing.get(page))
    securing.get(f"{page}/receipt", 404)

    assert securing.send(page, f"{page}/approve", sha256=sha256).status_code == 303
    assert "1 of 2 persons" in text_of(securing.get(page))
    assert securing.send(page, f"{page}/approve", sha256=sha256).status_code == 422
    second = signed_in(office.app, parts, an_officer(parts, Role.SECURITY_ADMINISTRATOR).officer)
    assert second.send(page, f"{page}/approve", sha256=sha256).status_code == 303
    assert "Approved (reached" in text_of(securing.get(page))
    assert securing.send(page, f"{page}/cancel").status_code == 303
    assert "Cancelled" in text_of(securing.get(page)).title()

    case = an_erasure(office, application.subject_id)
    page = f"/erasures/{case.id}"
    for browser in (securing, second):
        assert browser.send(page, f"{page}/approve", sha256=sha256).status_code == 303
    for _ in range(3):
        saga(parts).carry_on(parts.erasures.erasure(case.id), utc_now)
        parts.vault.seal(utc_now())
        run_job("seal-audit-log", parts, Metrics.of_process())
    text = text_of(securing.get(page))
    assert "Done (reached" in text
    assert "applications 1" in text
    receipt = securing.client.get(f"{page}/receipt", base_url="https://localhost")
    assert case.id in receipt.text
    assert receipt.headers["Content-Disposition"].startswith("attachment")

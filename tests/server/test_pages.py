"""The staff pages, driven as a browser does: links, forms and cookies, without a script."""

import base64
import re
import subprocess
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ra.applications import ApplicationState
from ra.fake_registers import persona_name
from ra.identity import CprNumber
from records.officers import Role
from server.access import COOKIE
from server.clock import utc_now
from server.registration import application_package
from tests.support.installation import an_installation
from tests.support.ra_builders import FEATURES, passport_of
from tests.support.softhsm import SoftHsm
from tests.support.staff import (
    Browser,
    Office,
    a_link,
    an_app,
    an_officer,
    applied,
    certified,
    signed_in,
    text_of,
    token_of,
    vetted,
)

PROTECTED = "2911829996"
SOEREN = "0108589995"


def a_document(number: str = "2512489996", **changes: object) -> dict[str, object]:
    """The document form as it is filled in for a sound passport."""
    return {
        "kind": "passport",
        "mrz": "\n".join(passport_of(number).mrz_lines),
        "presence": "in_person",
        "features": list(FEATURES),
        "face": "matches",
    } | changes


def pem(signature: bytes) -> str:
    """The armour in which openssl writes a signature."""
    body = base64.encodebytes(signature).decode()
    return f"-----BEGIN CMS-----\n{body}-----END CMS-----\n"


def test_a_link_signs_in_once_and_not_twice(office: Office) -> None:
    browser, other = Browser(office.app), Browser(office.app)
    link = a_link(office.parts, office.registration.officer)

    first = browser.send(link, link)
    assert first.status_code == 303
    cookie = next(c for c in first.headers.getlist("Set-Cookie") if c.startswith(f"{COOKIE}="))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert "Queue" in text_of(browser.get("/queue"))

    second = other.send(link, link)
    assert second.status_code == 410
    assert "tillid officer sign-in" in text_of(second.text)
    assert COOKIE not in str(second.headers)


def test_looking_at_a_link_does_not_use_it_up(office: Office) -> None:
    link = a_link(office.parts, office.registration.officer)
    for _ in range(3):
        Browser(office.app).get(link)
    browser = Browser(office.app)
    assert browser.send(link, link).status_code == 303


def test_an_expired_link_signs_nobody_in(office: Office) -> None:
    link = a_link(office.parts, office.registration.officer, timedelta(seconds=-1))
    browser = Browser(office.app)
    assert browser.send(link, link).status_code == 410
    browser.get("/queue", 401)


def test_an_enrolment_link_does_not_sign_in(office: Office) -> None:
    token = office.parts.officers.make_link(
        office.registration.officer.id, "enrolment", utc_now(), timedelta(minutes=5)
    )
    browser = Browser(office.app)
    assert browser.send(f"/sign-in/{token}", f"/sign-in/{token}").status_code == 410


def test_signing_out_ends_the_session_at_the_server(office: Office, vetting: Browser) -> None:
    stolen = vetting.client.get_cookie(COOKIE)
    assert stolen is not None
    assert vetting.send("/queue", "/sign-out").status_code == 303
    vetting.get("/queue", 401)

    other = Browser(office.app)
    other.client.set_cookie(COOKIE, stolen.value, secure=True)
    other.get("/queue", 401)


@pytest.mark.parametrize(
    ("role", "path"),
    [
        (Role.REGISTRATION_OFFICER, "/queue"),
        (Role.APPROVING_OFFICER, "/queue"),
        (Role.SECURITY_ADMINISTRATOR, "/certificates"),
        (Role.AUDITOR, "/audit"),
    ],
)
def test_each_role_begins_at_its_first_page(office: Office, role: Role, path: str) -> None:
    browser = office.browser(role)
    answer = browser.client.get("/", base_url="https://localhost")
    assert answer.status_code == 303
    assert answer.headers["Location"] == path
    assert 'aria-current="page"' in browser.get(path)


def test_nobody_signed_in_is_told_how_to_sign_in(office: Office) -> None:
    browser = Browser(office.app)
    assert "tillid officer sign-in" in text_of(browser.get("/"))
    assert "tillid officer sign-in" in text_of(browser.get("/queue", 401))


def test_an_empty_installation_says_so(softhsm: SoftHsm, tmp_path: Path) -> None:
    with an_installation(softhsm, tmp_path / "state") as parts:
        app = an_app(parts)
        officer = an_officer(parts, Role.REGISTRATION_OFFICER).officer
        admin = an_officer(parts, Role.SECURITY_ADMINISTRATOR).officer
        assert "No application waits." in text_of(signed_in(app, parts, officer).get("/queue"))
        cases = signed_in(app, parts, admin).get("/erasures")
        assert "Nobody has asked for erasure." in text_of(cases)


def test_the_queue_names_the_applicant_and_its_links_do_not(
    office: Office, vetting: Browser
) -> None:
    application = applied(office.parts, SOEREN)
    page = vetting.get("/queue")
    assert "Søren Åge Test Lærkegård" in text_of(page)
    assert f'href="/case/{application.id}"' in page
    assert not [link for link in re.findall(r'href="([^"]*)"', page) if "rkeg" in link]


@pytest.mark.parametrize("number", ["2512489996", PROTECTED])
def test_only_the_birth_date_of_a_number_is_shown(
    office: Office, vetting: Browser, number: str
) -> None:
    application = applied(office.parts, number)
    case = f"/case/{application.id}"
    vetting.send(case, f"{case}/document", **a_document(number))
    page = vetting.get(case)
    assert f"{number[:6]}-••••" in page
    assert number[6:] not in text_of(page).replace(application.id, "")
    assert number not in page


def test_a_registration_officer_vets_a_case_to_the_end(office: Office, vetting: Browser) -> None:
    application = applied(office.parts)
    case = f"/case/{application.id}"
    before = text_of(vetting.get(case))
    assert (
        "REG-IDN-L1 EVIDENCE_MISSING Ask the applicant for identity evidence of an accepted kind."
        in before
    )
    assert "Conclude the proofing" not in before

    assert vetting.send(case, f"{case}/document", **a_document()).status_code == 303
    recorded = text_of(vetting.get(case))
    assert "accepted Everything that Substantial demands is on record." in recorded
    assert "register status active in denmark REG-IDN-S6b" in recorded

    assert vetting.send(case, f"{case}/conclude").status_code == 303
    assert office.parts.applications.get(application.id).state is ApplicationState.VERIFIED
    assert "Record another document" not in text_of(vetting.get(case))


def test_a_zone_is_read_as_people_and_scanners_type_it(office: Office, vetting: Browser) -> None:
    application = applied(office.parts)
    case = f"/case/{application.id}"
    upper, lower = passport_of().mrz_lines
    typed = f"  {upper.lower()}\r\n\r\n{lower[:20]} {lower[20:]}\r\n"
    vetting.send(case, f"{case}/document", **a_document(mrz=typed))
    assert "accepted Everything" in text_of(vetting.get(case))


def test_what_is_not_met_is_named_with_its_rule_and_way_out(
    office: Office, vetting: Browser
) -> None:
    application = applied(office.parts)
    case = f"/case/{application.id}"
    vetting.send(case, f"{case}/document", **a_document(features="kinegram", face="differs"))
    page = text_of(vetting.get(case))
    assert "REG-IDN-L3 IDENTITY_MISMATCH: physical comparison Correct the application" in page
    assert "REG-IDN-S7 EVIDENCE_NOT_GENUINE" in page
    assert "Conclude the proofing" not in page


def test_a_form_that_is_not_complete_comes_back_as_it_was_filled_in(
    office: Office, vetting: Browser
) -> None:
    application = applied(office.parts)
    case = f"/case/{application.id}"
    form = a_document()
    del form["face"], form["presence"]
    answer = vetting.send(case, f"{case}/document", **form)
    assert answer.status_code == 400
    assert 'href="#field-face"' in answer.text
    assert 'href="#field-presence"' in answer.text
    assert passport_of().mrz_lines[1].replace("<", "&lt;") in answer.text
    assert 'value="uv_print" checked' in answer.text
    assert office.parts.applications.get(application.id).evidence == ()


def test_another_officer_does_not_go_on_with_a_proofing(office: Office, vetting: Browser) -> None:
    application = applied(office.parts)
    case = f"/case/{application.id}"
    vetting.send(case, f"{case}/document", **a_document())
    other = an_officer(office.parts, Role.REGISTRATION_OFFICER)
    browser = signed_in(office.app, office.parts, other.officer)

    assert "Another officer proves this identity." in text_of(browser.get(case))
    for action, fields in (("document", a_document()), ("conclude", {}), ("refuse", {})):
        assert browser.send(case, f"{case}/{action}", **fields).status_code == 409
    assert office.parts.applications.get(application.id).state is ApplicationState.PROOFING


def test_an_application_is_refused_with_a_reason_of_the_table(
    office: Office, vetting: Browser
) -> None:
    application = applied(office.parts)
    case = f"/case/{application.id}"
    made_up = vetting.send(case, f"{case}/refuse", reason="REG-IDN-L1:BECAUSE")
    assert made_up.status_code == 400
    done = vetting.send(case, f"{case}/refuse", reason="REG-IDN-S6a:EVIDENCE_REVOKED")
    assert done.status_code == 303
    page = text_of(vetting.get(case))
    assert "rejected; it is closed. The issuer has revoked the evidence." in page
    assert "Record a document" not in page


def test_being_signed_in_approves_nothing(office: Office, approving: Browser) -> None:
    application = vetted(office.parts, office.registration.officer)
    path = f"/case/{application.id}/approve"
    package = application_package(application)
    other = an_officer(office.parts, Role.APPROVING_OFFICER)
    attempts = {
        "": 400,
        "not a signature": 400,
        pem(b"\x30\x03\x02\x01\x01"): 422,
        pem(office.approving.sign(package + b" ")): 422,
        pem(office.registration.sign(package)): 422,
        pem(other.sign(package)): 422,
    }
    for signature, status in attempts.items():
        answer = approving.send(path, path, signature=signature)
        assert answer.status_code == status, signature
        assert status == 400 or "ISS-DEL-L1" in answer.text
    assert office.parts.applications.get(application.id).state is ApplicationState.VERIFIED
    assert office.parts.certificates.find(application_id=application.id) == []


def test_an_approving_officer_signs_what_the_page_shows(office: Office, approving: Browser) -> None:
    application = vetted(office.parts, office.registration.officer)
    path = f"/case/{application.id}/approve"
    page = text_of(approving.get(path))
    assert "GN Nancy Ann Test" in page
    assert str(application.package_hash) in page
    download = approving.client.get(f"/case/{application.id}/package", base_url="https://localhost")
    assert download.headers["Content-Disposition"].endswith(f'"{application.id}.json"')

    signature = pem(office.approving.sign(download.data))
    assert approving.send(path, path, signature=signature).status_code == 303
    assert office.parts.applications.get(application.id).state is ApplicationState.FULFILLED
    (issued,) = office.parts.certificates.find(application_id=application.id)
    assert issued.serial_number.hex in approving.get(f"/case/{application.id}")
    approving.get(path, 409)


def test_a_signature_is_taken_as_a_file_in_der(office: Office, approving: Browser) -> None:
    application = vetted(office.parts, office.registration.officer)
    path = f"/case/{application.id}/approve"
    der = office.approving.sign(application_package(application))
    both = {"signature": pem(der), "signature_file": (BytesIO(der), "a.cms")}
    assert approving.send(path, path, **both).status_code == 400
    form = {"signature": "", "signature_file": (BytesIO(der), "a.cms")}
    assert approving.send(path, path, **form).status_code == 303
    assert office.parts.applications.get(application.id).state is ApplicationState.FULFILLED


def test_the_command_line_on_the_page_makes_the_signature(
    office: Office, approving: Browser, tmp_path: Path
) -> None:
    application = vetted(office.parts, office.registration.officer)
    path = f"/case/{application.id}/approve"
    (command,) = re.findall(r"<code>(openssl cms [^<]*)</code>", approving.get(path))
    package = approving.client.get(f"/case/{application.id}/package", base_url="https://localhost")
    (tmp_path / f"{application.id}.json").write_bytes(package.data)
    certificate = office.approving.certificate.public_bytes(Encoding.PEM)
    (tmp_path / "me.pem").write_bytes(certificate)
    (tmp_path / "me.key").write_bytes(office.approving.key_pem)
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    made = (tmp_path / f"{application.id}.cms").read_text()
    assert approving.send(path, path, signature=made).status_code == 303


def test_a_certificate_is_found_by_serial_number_and_by_application(
    office: Office, auditing: Browser
) -> None:
    application = certified(office.parts, office.registration.officer, office.approving)
    (issued,) = office.parts.certificates.find(application_id=application.id)
    serial = issued.serial_number.hex
    for asked in (serial, serial.upper(), application.id, application.id.lower()):
        page = auditing.get(f"/certificates?q={asked}")
        assert f'href="/certificates/issuing/{serial}"' in page
    assert "No certificate is known" in text_of(auditing.get("/certificates?q=01"))
    assert "is neither a serial number" in text_of(auditing.get("/certificates?q=Nancy"))
    given_name, _ = persona_name(CprNumber("2512489996"))
    assert given_name not in auditing.get(f"/certificates/issuing/{serial}")


def test_a_certificate_is_revoked_for_good_after_a_warning(
    office: Office, securing: Browser
) -> None:
    application = certified(office.parts, office.registration.officer, office.approving)
    (issued,) = office.parts.certificates.find(application_id=application.id)
    page = f"/certificates/issuing/{issued.serial_number.hex}"
    path = f"{page}/revoke"
    assert path in securing.get(page)
    assert "This is final." in text_of(securing.get(path))

    assert securing.send(path, path, cause="orphan").status_code == 400
    assert securing.send(path, path).status_code == 400
    assert securing.send(path, path, cause="key-lost").status_code == 303
    result = text_of(securing.get(page))
    assert "reason key compromise . This is final." in result
    assert "The next CRL shows it" in result
    assert path not in securing.get(page)
    securing.get(path, 409)


def test_an_issuer_is_not_revoked_on_a_page(office: Office, securing: Browser) -> None:
    issuing = office.parts.issuing_record()
    assert issuing.certificate is not None
    page = f"/certificates/root/{issuing.certificate.serial_number:x}"
    assert "/revoke" not in securing.get(page)
    securing.get(f"{page}/revoke", 403)
    fields = {"token": token_of(securing.get("/certificates")), "cause": "replaced"}
    assert securing.post(f"{page}/revoke", **fields).status_code == 403


def test_the_audit_log_is_paged_newest_first(office: Office, auditing: Browser) -> None:
    for _ in range(18):
        a_link(office.parts, office.staff[Role.AUDITOR].officer)
    page = auditing.get("/audit")
    numbers = [int(n) for n in re.findall(r'<th scope="row">(\d+)</th>', page)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 50
    assert "officer.linked" in page
    older = auditing.get(f"/audit?before={numbers[-1]}")
    assert f'<th scope="row">{numbers[-1] - 1}</th>' in older
    assert f'<th scope="row">{numbers[-1]}</th>' not in older
    for asked in ("-1", "99999999999999999999", "x"):
        auditing.get(f"/audit?before={asked}")


def test_an_auditor_sees_what_somebody_cut_out_or_overwrote(
    softhsm: SoftHsm, tmp_path: Path
) -> None:
    with an_installation(softhsm, tmp_path / "state") as parts:
        officer = an_officer(parts, Role.AUDITOR).officer
        browser = signed_in(an_app(parts), parts, officer)
        with parts.database.write() as tx:
            guards = tx.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_event'"
            )
            for (name,) in guards.all():
                tx.exec_driver_sql(f"DROP TRIGGER {name}")
            tx.exec_driver_sql("DELETE FROM audit_event WHERE sequence IN (3, 4)")
            tx.exec_driver_sql("UPDATE audit_event SET header = x'7b7d' WHERE sequence = 5")
        page = text_of(browser.get("/audit?before=7"))
    assert "2 of the events on this page are missing." in page
    assert "5 cannot be read This entry is not what was sealed." in page
    assert " 7 " not in page.split("Details")[1]

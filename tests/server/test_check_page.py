"""The page "Check a certificate" on the public listener, as people and programs ask it."""

import json
import re
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ca.certificates import assemble, sign_octets
from ca.identifiers import SerialNumber
from ca.issuance import CertificateOrder, prepare
from ca.names import SubjectName
from ca.profiles import load_profile
from records.officers import Role
from revocation.causes import Cause, Grounds
from server.assembly import Assembly
from server.check_page import PER_SECOND
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.public import PublicApp
from tests.support.ca_builders import a_root
from tests.support.staff import an_officer, text_of
from tests.support.wsgi import Answered, ask

FORM = "application/x-www-form-urlencoded"
PERSONAL = "Nancy <script>alert(1)</script>"


@pytest.fixture
def card(app: PublicApp, parts: Assembly) -> x509.Certificate:
    """A certificate that was just issued; the app serves CRL and OCSP."""
    assert app.parts is parts
    return an_officer(parts, Role.AUDITOR).certificate


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def place(certificate: x509.Certificate) -> Any:
    return "issuing", SerialNumber(certificate.serial_number)


def pasted(app: PublicApp, octets: bytes) -> Answered:
    """The form as a browser sends it without a file."""
    body = urlencode({"certificate": octets.decode("latin-1")}).encode()
    return ask(app, "/check", "POST", body, CONTENT_TYPE=FORM, HTTP_ACCEPT="text/html")


def told(app: PublicApp, octets: bytes, kind: str = "application/octet-stream") -> dict[str, Any]:
    """What a program is told."""
    answer = ask(app, "/check", "POST", octets, CONTENT_TYPE=kind, HTTP_ACCEPT="application/json")
    assert answer.headers["Content-Type"] == "application/json"
    found: dict[str, Any] = json.loads(answer.body)
    assert set(found) == {"verdict", "sentence", "checked_at", "chain", "crl", "ocsp"}
    assert answer.status == (400 if found["verdict"] == "no-certificate" else 200)
    return found


def test_the_form_needs_no_script_and_nothing_from_elsewhere(app: PublicApp) -> None:
    page = ask(app, "/check")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    text = page.body.decode()
    assert "<script" not in text
    assert " style=" not in text
    links = re.findall(r'(?:href|src|action)="([^"]*)"', text)
    assert {link for link in links if not link.startswith(("/check", "#"))} == set()
    for link in links:
        if not link.startswith("#"):
            assert ask(app, link).status == 200


@pytest.mark.parametrize("form", [Encoding.PEM, Encoding.DER])
def test_a_valid_one_is_told_with_its_chain_and_where_programs_read_it(
    app: PublicApp, card: x509.Certificate, form: Encoding
) -> None:
    found = told(app, card.public_bytes(form))
    assert found["verdict"] == "valid"
    assert [(link["issuer"], link["status"]) for link in found["chain"]] == [
        ("issuing", "good"),
        ("root", "good"),
        ("root", "good"),
    ]
    assert found["chain"][0]["serial_number"] == place(card)[1].hex
    assert found["crl"]["shows_this_status"] is True


def test_an_answer_that_lies_ready_is_told_with_its_times(
    app: PublicApp, parts: Assembly, card: x509.Certificate
) -> None:
    assert told(app, pem(card))["ocsp"] is None
    run_job("ocsp-responses", parts, Metrics.of_process())
    ready = told(app, pem(card))["ocsp"]
    assert ready["this_update"] < ready["next_update"]
    assert "lies ready" in text_of(pasted(app, pem(card)).body.decode())


def test_a_hold_and_its_release_are_told_and_no_cause(
    app: PublicApp, parts: Assembly, card: x509.Certificate
) -> None:
    parts.statuses.hold(*place(card), "system:operator", utc_now(), Cause.COMPROMISE_SUSPECTED)
    found, page = told(app, pem(card)), pasted(app, pem(card)).body.decode()
    assert found["verdict"] == "on-hold"
    assert found["chain"][0]["reason"] == "certificateHold"
    assert found["crl"]["shows_this_status"] is False
    assert "On hold since" in text_of(page)
    assert "suspected" not in page + json.dumps(found)

    officer = an_officer(parts, Role.SECURITY_ADMINISTRATOR).officer.id
    parts.statuses.release(*place(card), officer, utc_now())
    assert told(app, pem(card))["verdict"] == "valid"


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (Cause.DEATH, "it is no longer in use"),
        (Cause.KEY_LOST, "its key may be known to others"),
        (Cause.REPLACED, "another certificate took its place"),
        (Cause.CONTENT_WRONG, "what it says of its holder is no longer right"),
        (Cause.TERMS_BREACHED, "its holder may no longer use it"),
    ],
)
def test_a_revocation_says_since_when_and_the_published_why(
    app: PublicApp, parts: Assembly, card: x509.Certificate, cause: Cause, said: str
) -> None:
    now = utc_now()
    record = parts.statuses.revoke(*place(card), Grounds(cause), "system:operator", now)
    found = told(app, pem(card))
    assert found["verdict"] == "revoked"
    assert found["sentence"] == (
        f"This certificate is revoked since {record.revoked_at:%Y-%m-%d %H:%M:%S} UTC: {said}."
    )
    page = pasted(app, pem(card)).body.decode()
    assert said in text_of(page)
    assert cause.value not in page + json.dumps(found)
    run_job("renew-crls", parts, Metrics.of_process())
    assert told(app, pem(card))["crl"]["shows_this_status"] is True


def test_one_that_ended_or_begins_later_is_told_so(
    app: PublicApp, card: x509.Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = card.not_valid_after_utc + timedelta(seconds=1)
    monkeypatch.setattr("server.check_page.utc_now", lambda: after)
    assert told(app, pem(card))["verdict"] == "expired"
    before = card.not_valid_before_utc - timedelta(seconds=1)
    monkeypatch.setattr("server.check_page.utc_now", lambda: before)
    assert told(app, pem(card))["verdict"] == "not-yet-valid"


def test_issuers_and_roots_are_told_with_what_stands_above_them(
    app: PublicApp, parts: Assembly, card: x509.Certificate
) -> None:
    issuing = parts.issuers.get("issuing").certificate
    root = parts.issuers.get("root").certificate
    assert issuing is not None
    assert root is not None
    assert [told(app, pem(each))["verdict"] for each in (issuing, root)] == ["valid", "valid"]
    assert [len(told(app, pem(each))["chain"]) for each in (card, issuing, root)] == [3, 2, 1]


def test_a_stranger_is_not_ours(app: PublicApp) -> None:
    stranger = a_root().certificate
    assert stranger is not None
    found = told(app, pem(stranger))
    assert (found["verdict"], found["chain"]) == ("not-ours", [])
    assert pasted(app, pem(stranger)).status == 200


def test_one_that_our_key_signed_without_a_row_is_not_vouched_for(
    app: PublicApp, parts: Assembly, card: x509.Certificate
) -> None:
    del card
    issuer = parts.issuing()
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    subject = SubjectName.of([("CN", PERSONAL[:5])])
    order = CertificateOrder(load_profile("tls-server"), subject, key, host_names=("localhost",))
    prepared = prepare(order, issuer, utc_now())
    signature = sign_octets(issuer.key, prepared.tbs_certificate)
    found = told(app, pem(assemble(prepared.copy, signature, issuer)))
    assert found["verdict"] == "unknown"
    assert found["chain"][0]["status"] == "unknown"


@pytest.mark.parametrize(
    "octets",
    [b"", b"junk", b"0\x82", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    ids=str,
)
def test_what_is_no_certificate_is_said_in_one_sentence(app: PublicApp, octets: bytes) -> None:
    assert told(app, octets)["verdict"] == "no-certificate"
    page = pasted(app, octets)
    assert page.status == 400
    assert "This is not one certificate in PEM or DER" in text_of(page.body.decode())


def test_two_certificates_are_not_one(app: PublicApp, card: x509.Certificate) -> None:
    found = told(app, pem(card) * 2)
    assert found["verdict"] == "no-certificate"
    assert "there are 2" in found["sentence"]


@pytest.mark.parametrize("kind", [FORM, "application/octet-stream", "multipart/form-data"])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_what_is_too_long_is_not_read(app: PublicApp, kind: str, accept: str) -> None:
    answer = ask(app, "/check", "POST", b"x" * 70_000, CONTENT_TYPE=f"{kind}", HTTP_ACCEPT=accept)
    assert answer.status in {400, 413}
    assert (answer.status == 413) or kind == "multipart/form-data"


def test_a_file_is_read_from_the_form(app: PublicApp, card: x509.Certificate) -> None:
    boundary = "tillid-boundary"
    parts = [
        b'Content-Disposition: form-data; name="certificate"\r\n\r\n',
        b'Content-Disposition: form-data; name="file"; filename="a.der"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + card.public_bytes(Encoding.DER),
    ]
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    body += b"--" + boundary.encode() + b"--\r\n"
    kind = f"multipart/form-data; boundary={boundary}"
    answer = ask(app, "/check", "POST", body, CONTENT_TYPE=kind, HTTP_ACCEPT="text/html")
    assert answer.status == 200
    assert "Valid" in text_of(answer.body.decode())


@pytest.mark.parametrize("junk", [b"", b"--x", b"no form at all", b"\x00" * 100])
def test_a_broken_form_is_no_certificate(app: PublicApp, junk: bytes) -> None:
    kind = "multipart/form-data; boundary=x"
    answer = ask(app, "/check", "POST", junk, CONTENT_TYPE=kind, HTTP_ACCEPT="text/html")
    assert answer.status == 400


def test_curl_without_a_content_type_is_understood(app: PublicApp, card: x509.Certificate) -> None:
    for form in (Encoding.PEM, Encoding.DER):
        assert told(app, card.public_bytes(form), FORM)["verdict"] == "valid"


def test_a_body_that_does_not_say_its_length_is_read(
    app: PublicApp, card: x509.Certificate
) -> None:
    json_wanted = {"HTTP_ACCEPT": "application/json", "CONTENT_LENGTH": ""}
    answer = ask(app, "/check", "POST", pem(card), **json_wanted)
    assert json.loads(answer.body)["verdict"] == "valid"
    assert ask(app, "/check", "POST", b"x" * 70_000, **json_wanted).status == 413


def test_names_are_shown_as_text_and_not_as_marks(app: PublicApp, parts: Assembly) -> None:
    issuer = parts.issuing()
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    order = CertificateOrder(
        load_profile("tls-server"),
        SubjectName.of([("CN", PERSONAL)]),
        key,
        host_names=("localhost",),
    )
    prepared = prepare(order, issuer, utc_now())
    signature = sign_octets(issuer.key, prepared.tbs_certificate)
    page = pasted(app, pem(assemble(prepared.copy, signature, issuer))).body.decode()
    assert "<script" not in page
    assert "&lt;script" in page


def test_nothing_that_a_certificate_names_is_fetched(app: PublicApp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        place = x509.UniformResourceIdentifier(address)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stranger")])
        now = utc_now()
        point = x509.DistributionPoint([place], None, None, None)
        reached = [
            x509.AccessDescription(method, place)
            for method in (
                x509.oid.AuthorityInformationAccessOID.OCSP,
                x509.oid.AuthorityInformationAccessOID.CA_ISSUERS,
            )
        ]
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), 5)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.CRLDistributionPoints([point]), critical=False)
            .add_extension(x509.AuthorityInformationAccess(reached), critical=False)
            .sign(key, hashes.SHA256())
        )
        assert told(app, pem(certificate))["verdict"] == "not-ours"
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize("path", ["/check/", "/check/../ca/root.cer", "/check/x", "/check/static"])
def test_nothing_else_lies_below(app: PublicApp, path: str) -> None:
    assert ask(app, path).status in ({200} if path == "/check/" else {404})


def test_a_flood_is_turned_away_and_status_is_told_meanwhile(
    app: PublicApp, card: x509.Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.check_page.monotonic", lambda: 5.0)
    lines = [pasted(app, pem(card)).status for _ in range(PER_SECOND + 1)]
    assert lines == [200] * PER_SECOND + [429]
    assert "try again in a second" in text_of(pasted(app, pem(card)).body.decode())
    assert ask(app, "/crl/issuing.crl").status == 200

    monkeypatch.setattr("server.check_page.monotonic", lambda: 6.0)
    assert pasted(app, pem(card)).status == 200


def test_other_methods_are_not_taken(app: PublicApp) -> None:
    answer = ask(app, "/check", "DELETE")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert ask(app, "/check", "HEAD").body == b""


def test_no_name_is_logged(app: PublicApp, parts: Assembly, card: x509.Certificate) -> None:
    pasted(app, pem(card))
    logs = Path(parts.settings.state / "logs")
    written = b"".join(each.read_bytes() for each in logs.glob("*")) if logs.exists() else b""
    assert b"officer" not in written

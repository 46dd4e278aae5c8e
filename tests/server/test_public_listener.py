"""The public listener as a WSGI callable on a whole installation."""

import dataclasses
import hashlib
import io
import json
import os
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from ca.identifiers import IssuerName, SerialNumber
from records.database import Database
from records.issuers import Issuers
from records.officers import Role
from revocation import der
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.logs import get_logger, log_to
from server.metrics import Metrics
from server.public import PublicApp
from tests.support.installation import an_installation
from tests.support.revocation_pki import new_key
from tests.support.softhsm import SoftHsm
from tests.support.staff import Office, an_officer
from tests.support.wsgi import Answered, ask

NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/none"
FAR = 10**7
SETTINGS = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def parts(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    with an_installation(softhsm, tmp_path_factory.mktemp("public") / "state") as found:
        yield found


@pytest.fixture(scope="module")
def metrics() -> Metrics:
    return Metrics.of_process()


@pytest.fixture
def app(parts: Assembly, metrics: Metrics) -> PublicApp:
    for job in ("own-certificates", "renew-crls", "publish-crls"):
        run_job(job, parts, metrics)
    return PublicApp(parts, metrics)


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr("server.public.utc_now", lambda: moment)


def request_for(
    parts: Assembly, serial: int, *, nonce: bytes | None = None, issuer: str = "issuing"
) -> bytes:
    certificate = parts.issuers.get(issuer).certificate
    assert certificate is not None
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        *_issuer_hashes(certificate),
        serial,
        hashes.SHA1(),  # noqa: S303 - what clients send
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def _issuer_hashes(issuer: x509.Certificate) -> tuple[bytes, bytes]:
    subject, key = (hashlib.sha1(part) for part in der.subject_and_key(issuer))  # noqa: S324
    return subject.digest(), key.digest()


def said(answer: Answered) -> ocsp.OCSPResponse:
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/ocsp-response"
    return ocsp.load_der_ocsp_response(answer.body)


def an_issued_serial(parts: Assembly) -> int:
    return an_officer(parts, Role.AUDITOR).certificate.serial_number


@pytest.mark.parametrize("issuer", ["root", "issuing"])
def test_a_ca_certificate_and_its_crl_are_served(
    app: PublicApp, parts: Assembly, issuer: str
) -> None:
    certificate = ask(app, f"/ca/{issuer}.cer")
    assert certificate.headers["Content-Type"] == "application/pkix-cert"
    found = x509.load_der_x509_certificate(certificate.body)
    assert found == parts.issuers.get(issuer).certificate

    served = ask(app, f"/crl/{issuer}.crl")
    assert (served.status, served.headers["Content-Type"]) == (200, "application/pkix-crl")
    crl = x509.load_der_x509_crl(served.body)
    assert crl.is_signature_valid(found.public_key())  # type: ignore[arg-type]


def test_it_says_that_it_lives_and_is_ready(app: PublicApp) -> None:
    assert ask(app, "/healthz") == Answered(
        200, {"Content-Type": "text/plain; charset=utf-8", "Content-Length": "6"}, b"alive\n"
    )
    assert ask(app, "/readyz").body == b"ready\n"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//",
        "/healthz/x",
        "/readyz/x",
        "/ca",
        "/ca/",
        "/ca/.cer",
        "/ca/issuing",
        "/ca/none.cer",
        "/ca/issuing.cer/",
        "/ca/ISSUING.cer",
        "/ca/issuing.cer\0.cer",
        "/ca/../tillid.sqlite.cer",
        "/crl/none.crl",
        "/crl/issuing.crl.crl",
        "/crl/../crl/issuing.crl",
        "/crl/./issuing.crl",
        "/crl/..%2f..%2fetc%2fpasswd",
        "/crl//etc/passwd",
        "/crl/\xc3\xa6.crl",
        "/ocsp",
        "/ocsp/",
        "/ocsp/none",
        "/ocsp/none/MAA=",
        "/ocsp/../crl/issuing.crl",
        "/metrics",
        "/api/v1/terms",
        "/public/crl/issuing.crl",
        "/tls/staff.key",
    ],
)
def test_nothing_else_is_served(app: PublicApp, path: str) -> None:
    answer = ask(app, path)
    assert (answer.status, answer.body) == (404, b"there is nothing at this address\n")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/healthz", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
        ("/ca/issuing.cer", "GET, HEAD"),
        ("/crl/issuing.crl", "GET, HEAD"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_what_is_only_read_takes_no_other_method(
    app: PublicApp, path: str, methods: str, method: str
) -> None:
    answer = ask(app, path, method)
    assert (answer.status, answer.headers["Allow"]) == (405, methods)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/ocsp/issuing"),
        ("GET", "/ocsp/issuing/"),
        ("PUT", "/ocsp/issuing"),
        ("POST", "/ocsp/issuing/MAA="),
    ],
)
def test_ocsp_is_asked_by_post_or_with_the_request_in_the_path(
    app: PublicApp, method: str, path: str
) -> None:
    answer = ask(app, path, method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/ca/root.cer", "/crl/issuing.crl", "/x"])
def test_head_is_get_without_the_body(app: PublicApp, path: str) -> None:
    whole, head = ask(app, path), ask(app, path, "HEAD")
    assert head == dataclasses.replace(whole, body=b"")


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*", " * "])
def test_a_crl_that_a_client_has_is_not_sent_again(app: PublicApp, form: str) -> None:
    tag = ask(app, "/crl/issuing.crl").headers["ETag"]
    again = ask(app, "/crl/issuing.crl", HTTP_IF_NONE_MATCH=form.format(tag))
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == tag
    assert "Content-Length" not in again.headers


@pytest.mark.parametrize("form", ['"x"', "", '""', "0" * 64])
def test_a_client_with_another_crl_gets_the_whole_one(app: PublicApp, form: str) -> None:
    assert ask(app, "/crl/issuing.crl", HTTP_IF_NONE_MATCH=form).status == 200


def test_a_crl_may_be_cached_until_it_ends_and_no_longer(app: PublicApp) -> None:
    answer = ask(app, "/crl/issuing.crl")
    ends = x509.load_der_x509_crl(answer.body).next_update_utc
    assert ends is not None
    assert answer.headers["Expires"] == ends.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert "max-age=60" in answer.headers["Cache-Control"]


def test_an_expired_crl_is_never_served(app: PublicApp, monkeypatch: pytest.MonkeyPatch) -> None:
    served = ask(app, "/crl/issuing.crl")
    ends = x509.load_der_x509_crl(served.body).next_update_utc
    assert ends is not None
    at(monkeypatch, ends)
    assert ask(app, "/crl/issuing.crl").status == 200
    at(monkeypatch, ends + timedelta(seconds=1))
    late = ask(app, "/crl/issuing.crl", HTTP_IF_NONE_MATCH=served.headers["ETag"])
    assert (late.status, late.headers["Retry-After"]) == (503, "30")
    ready = ask(app, "/readyz")
    assert (ready.status, ready.body) == (503, b"issuing: no CRL in force\n")


@pytest.mark.parametrize("content", [None, b"", b"0\x82", b"no CRL"])
def test_a_crl_that_is_not_there_or_torn_is_mended_and_not_served(
    app: PublicApp, parts: Assembly, metrics: Metrics, content: bytes | None
) -> None:
    whole = ask(app, "/crl/issuing.crl").body
    path = parts.crl_file(IssuerName("issuing"))
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert ask(app, "/crl/issuing.crl").status == 503
    assert b"issuing: no CRL in force" in ask(app, "/readyz").body
    assert run_job("publish-crls", parts, metrics) == 1
    assert ask(app, "/crl/issuing.crl").body == whole


def test_a_new_crl_is_seen_even_within_one_tick_of_the_clock(
    app: PublicApp, parts: Assembly, metrics: Metrics
) -> None:
    first = ask(app, "/crl/issuing.crl").body
    path = parts.crl_file(IssuerName("issuing"))
    when = path.stat().st_mtime_ns
    serial = SerialNumber(an_issued_serial(parts))
    parts.certificates.revoke(
        IssuerName("issuing"), serial, Reason.SUPERSEDED, "system:operator", utc_now()
    )
    run_job("renew-crls", parts, metrics)
    os.utime(path, ns=(when, when))
    second = ask(app, "/crl/issuing.crl").body
    assert second != first
    assert x509.load_der_x509_crl(second).get_revoked_certificate_by_serial_number(serial)


def test_ocsp_says_what_the_records_say_at_once(app: PublicApp, parts: Assembly) -> None:
    serial = an_issued_serial(parts)
    asked = request_for(parts, serial)
    good = ask(app, "/ocsp/issuing", "POST", asked)
    assert said(good).certificate_status is ocsp.OCSPCertStatus.GOOD
    assert "max-age=" in good.headers["Cache-Control"]
    parts.certificates.revoke(
        IssuerName("issuing"), SerialNumber(serial), Reason.KEY_COMPROMISE, "system:x", utc_now()
    )
    revoked = said(ask(app, "/ocsp/issuing", "POST", asked))
    assert revoked.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert revoked.revocation_reason is x509.ReasonFlags.key_compromise
    unknown = ask(app, "/ocsp/issuing", "POST", request_for(parts, serial ^ 1))
    assert said(unknown).certificate_status is ocsp.OCSPCertStatus.UNKNOWN
    assert unknown.headers["Cache-Control"] == "no-store"


def test_a_request_in_the_path_is_read_in_every_spelling(app: PublicApp, parts: Assembly) -> None:
    serial = an_issued_serial(parts)
    texts = (
        b64encode(request_for(parts, serial, nonce=bytes([n, 255 - n] * size))).decode()
        for n in range(256)
        for size in (8, 9, 10)
    )
    text = next(one for one in texts if "+" in one and "/" in one and one.endswith("="))
    for spelled in (
        text,
        quote(text),
        quote(text, safe=""),
        text.replace("+", " "),
        text.replace("=", "%3D"),
    ):
        answer = said(ask(app, f"/ocsp/issuing/{spelled}"))
        assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert ask(app, f"/ocsp/issuing/{text}", "HEAD").body == b""


@pytest.mark.parametrize("text", ["!", "MAA", "%", "%zz", "====", "\xff\xfe", "MAA=" * 5000, "/"])
def test_junk_in_the_path_is_a_malformed_request(app: PublicApp, text: str) -> None:
    answer = said(ask(app, f"/ocsp/issuing/{text}"))
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_a_request_about_another_issuer_is_not_answered(app: PublicApp, parts: Assembly) -> None:
    answer = said(ask(app, "/ocsp/issuing", "POST", request_for(parts, 5, issuer="root")))
    assert answer.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_an_issuer_without_a_responder_asks_to_come_later(app: PublicApp, parts: Assembly) -> None:
    answer = ask(app, "/ocsp/root", "POST", request_for(parts, 5, issuer="root"))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


def test_of_ten_megabytes_no_more_is_read_than_a_request_may_have(app: PublicApp) -> None:
    body = io.BytesIO(bytes(FAR))
    answer = said(ask(app, "/ocsp/issuing", "POST", body))
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    assert body.tell() == 4097


@SETTINGS
@given(st.one_of(st.binary(max_size=200), st.binary(min_size=4090, max_size=4100)))
def test_any_octets_get_an_ocsp_answer(app: PublicApp, octets: bytes) -> None:
    assert said(ask(app, "/ocsp/issuing", "POST", octets)).response_status
    encoded = quote(b64encode(octets).decode(), safe="")
    answer = ask(app, f"/ocsp/issuing/{encoded}")
    assert answer.status == 405 if not octets else said(answer)


@SETTINGS
@given(st.text(st.characters(max_codepoint=255), max_size=40), st.sampled_from(["", "ca", "crl"]))
def test_any_path_is_found_or_not(app: PublicApp, path: str, place: str) -> None:
    assert ask(app, f"/{place}/{path}").status in {200, 404, 405}


@SETTINGS
@given(data=st.data())
def test_a_mutated_request_is_answered(
    app: PublicApp, parts: Assembly, data: st.DataObject
) -> None:
    octets = bytearray(request_for(parts, 77, nonce=bytes(16)))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    assert said(ask(app, "/ocsp/issuing", "POST", bytes(octets))).response_status


def test_of_ten_thousand_random_serials_none_is_good(app: PublicApp, parts: Assembly) -> None:
    certificate = parts.issuers.get("issuing").certificate
    assert certificate is not None
    name_hash, key_hash = _issuer_hashes(certificate)
    algorithm = der.sequence(der.oid("1.3.14.3.2.26"), der.NULL)
    hashed = der.octet_string(name_hash) + der.octet_string(key_hash)
    seen = set()
    for _ in range(1000):
        listed = (
            der.sequence(der.sequence(algorithm, hashed, der.integer(SerialNumber.random())))
            for _ in range(10)
        )
        body = der.sequence(der.sequence(der.sequence(*listed)))
        answer = asn1_ocsp.OCSPResponse.load(ask(app, "/ocsp/issuing", "POST", body).body)
        singles = answer.response_data["responses"]
        assert len(singles) == 10
        seen |= {single["cert_status"].name for single in singles}
    assert seen == {"unknown"}


def test_a_new_issuer_is_known_at_once(softhsm: SoftHsm, tmp_path: Path, metrics: Metrics) -> None:
    with an_installation(softhsm, tmp_path / "state") as parts:
        app = PublicApp(parts, metrics)
        assert ask(app, "/ca/second.cer").status == 404
        issuing = parts.issuers.get("issuing")
        assert issuing.certificate is not None
        second = dataclasses.replace(issuing, name=IssuerName("second"), certificate=None)
        parts.issuers.add(second, utc_now())
        assert ask(app, "/ca/second.cer").status == 404
        parts.issuers.activate(IssuerName("second"), issuing.certificate, utc_now())
        assert ask(app, "/ca/second.cer").status == 200


def test_readiness_names_everything_that_lacks(
    softhsm: SoftHsm, tmp_path: Path, metrics: Metrics
) -> None:
    with an_installation(softhsm, tmp_path / "state") as parts:
        answer = ask(PublicApp(parts, metrics), "/readyz")
    assert answer.status == 503
    assert b"root: no CRL in force\nissuing: no CRL in force\n" in answer.body


def test_a_request_asks_the_database_no_more_than_it_must(app: PublicApp, parts: Assembly) -> None:
    asked = request_for(parts, an_issued_serial(parts))
    paths = ["/ca/issuing.cer", "/crl/issuing.crl"]
    for path in paths:
        ask(app, path)
    ask(app, "/ocsp/issuing", "POST", asked)
    begun: list[object] = []

    def count(connection: object) -> None:
        begun.append(connection)

    event.listen(parts.database.engine, "begin", count)
    try:
        for path in paths:
            ask(app, path)
        assert begun == []
        ask(app, "/ocsp/issuing", "POST", asked)
        assert len(begun) == 1
    finally:
        event.remove(parts.database.engine, "begin", count)


def _without_database(parts: Assembly) -> Iterator[Assembly]:
    database = Database(NOWHERE)
    yield dataclasses.replace(
        parts,
        issuers=Issuers(database),
        certificates=type(parts.certificates)(database, None),  # type: ignore[arg-type]
    )
    database.close()


def test_while_the_database_is_away_it_says_when_to_come_again(
    app: PublicApp, parts: Assembly, metrics: Metrics
) -> None:
    asked = request_for(parts, an_issued_serial(parts))
    ask(app, "/ocsp/issuing", "POST", asked)
    for away in _without_database(parts):
        fresh = PublicApp(away, metrics)
        for path in ("/ca/issuing.cer", "/crl/issuing.crl", "/ocsp/issuing/MAA="):
            answer = ask(fresh, path)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        ready = ask(fresh, "/readyz")
        assert (ready.status, ready.body) == (
            503,
            b"the database or the token does not answer\n",
        )
        # Who knows the issuer still serves its CRL, and OCSP says to try later.
        app.parts = away
        app._responders["issuing"][1]._source = away.certificates
        assert ask(app, "/crl/issuing.crl").status == 200
        later = said(ask(app, "/ocsp/issuing", "POST", asked))
        assert later.response_status is ocsp.OCSPResponseStatus.TRY_LATER


def test_a_fault_of_ours_shows_nothing_of_the_inside_and_the_log_goes_on(
    app: PublicApp, parts: Assembly
) -> None:
    app = PublicApp(_Broken(parts), app.metrics)  # type: ignore[arg-type]
    with log_to(parts.settings.state, "public-test") as path:
        answer = ask(app, "/ca/issuing.cer")
        get_logger("public").info("public.after")
        assert "public.after" in path.read_text()
    assert answer.status == 500
    assert b"canary" not in answer.body
    reference = answer.body.decode().split()[-1]
    log = (parts.settings.state / "logs" / "unforeseen.log").read_text()
    last = json.loads(log.splitlines()[-1])
    assert last["reference"] == reference
    assert "canary" not in log


class _Broken:
    """Parts of which none works."""

    def __init__(self, parts: Assembly) -> None:
        self.settings = parts.settings

    @property
    def issuers(self) -> Issuers:
        raise RuntimeError("canary")


def test_an_officers_certificate_is_asked_about_like_any_other(
    app: PublicApp, office: Office
) -> None:
    # Another installation's serial is unknown here, whatever it is there.
    serial = office.approving.certificate.serial_number
    answer = said(ask(app, "/ocsp/issuing", "POST", request_for(app.parts, serial)))
    assert answer.certificate_status is ocsp.OCSPCertStatus.UNKNOWN


def test_another_key_is_never_taken_for_the_issuers(parts: Assembly, app: PublicApp) -> None:
    certificate = parts.issuers.get("issuing").certificate
    assert certificate is not None
    served = x509.load_der_x509_crl(ask(app, "/crl/issuing.crl").body)
    assert not served.is_signature_valid(new_key().public_key())

"""The public listener as a WSGI callable on a whole installation."""

import dataclasses
import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import ocsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.heads import parse_head
from ca.identifiers import IssuerName, SerialNumber
from ca.key_quality import spki_sha256
from records.database import Database
from records.issuers import Issuers
from records.ocsp_responses import OcspResponses
from records.statuses import Statuses
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.logs import get_logger, log_to
from server.metrics import Metrics
from server.public import PublicApp
from tests.support.ca_builders import a_root
from tests.support.installation import an_installation, before_its_first_crl
from tests.support.ocsp_client import an_issued_serial, request_for, said
from tests.support.revocation_pki import new_key
from tests.support.softhsm import SoftHsm
from tests.support.wsgi import Answered, ask

SETTINGS = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/none"


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr("server.public.utc_now", lambda: moment)


def test_the_latest_head_of_the_audit_log_is_there_to_be_kept(parts: Assembly) -> None:
    run_job("seal-audit-log", parts, Metrics.of_process())
    kept = parts.settings.state / "public" / "audit" / "checkpoint"
    app = PublicApp(parts, Metrics.of_process())
    served = ask(app, "/audit/checkpoint")
    assert (served.status, served.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert served.body == kept.read_bytes()
    assert parse_head(served.body.decode()).size > 0
    for path in ("/audit", "/audit/", "/audit/head.txt", "/audit/checkpoint/1"):
        assert ask(app, path).status == 404


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
        "/ocspx",
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
    parts.statuses.revoke(
        IssuerName("issuing"), serial, Reason.SUPERSEDED, "system:operator", utc_now()
    )
    run_job("renew-crls", parts, metrics)
    os.utime(path, ns=(when, when))
    second = ask(app, "/crl/issuing.crl").body
    assert second != first
    assert x509.load_der_x509_crl(second).get_revoked_certificate_by_serial_number(serial)


@SETTINGS
@given(st.text(st.characters(max_codepoint=255), max_size=40), st.sampled_from(["", "ca", "crl"]))
def test_any_path_is_found_or_not(app: PublicApp, path: str, place: str) -> None:
    assert ask(app, f"/{place}/{path}").status in {200, 404, 405}


def test_a_new_issuer_is_known_at_once(softhsm: SoftHsm, tmp_path: Path, metrics: Metrics) -> None:
    with an_installation(softhsm, tmp_path / "state") as parts:
        app = PublicApp(parts, metrics)
        assert ask(app, "/ca/second.cer").status == 404
        issuing = parts.issuers.get("issuing")
        assert issuing.certificate is not None
        made = a_root(now=utc_now())
        assert made.certificate is not None
        second = dataclasses.replace(
            issuing,
            name=IssuerName("second"),
            certificate=None,
            spki_sha256=spki_sha256(made.key.public_key()),
        )
        parts.issuers.add(second, utc_now())
        assert ask(app, "/ca/second.cer").status == 404
        parts.issuers.activate(IssuerName("second"), made.certificate, utc_now())
        assert ask(app, "/ca/second.cer").status == 200


def test_readiness_names_everything_that_lacks(
    softhsm: SoftHsm, tmp_path: Path, metrics: Metrics
) -> None:
    with before_its_first_crl(softhsm, tmp_path / "state") as parts:
        answer = ask(PublicApp(parts, metrics), "/readyz")
    assert answer.status == 503
    assert b"issuing: no CRL in force\nissuing: no OCSP responder\n" in answer.body


def test_what_a_worker_knows_is_said_without_the_database(app: PublicApp, parts: Assembly) -> None:
    asked = request_for(parts, an_issued_serial(parts))
    run_job("ocsp-responses", parts, app.metrics)
    app.held.look(parts.ocsp_responses)
    paths = ["/ca/issuing.cer", "/crl/issuing.crl"]
    for path in paths:
        ask(app, path)
    first = ask(app, "/ocsp/issuing", "POST", asked)
    for away in _without_database(parts):
        app.parts = app.ocsp.parts = away
        assert [ask(app, path).status for path in paths] == [200, 200]
        assert ask(app, "/ocsp/issuing", "POST", asked).body == first.body


def _without_database(parts: Assembly) -> Iterator[Assembly]:
    database = Database(NOWHERE)
    yield dataclasses.replace(
        parts,
        issuers=Issuers(database),
        statuses=Statuses(database),
        ocsp_responses=OcspResponses(database),
    )
    database.close()


def test_while_the_database_is_away_it_says_when_to_come_again(
    app: PublicApp, parts: Assembly, metrics: Metrics
) -> None:
    asked = request_for(parts, an_issued_serial(parts))
    ask(app, "/ocsp/issuing", "POST", asked)
    for away in _without_database(parts):
        fresh = PublicApp(away, metrics)
        for path in ("/ca/issuing.cer", "/crl/issuing.crl"):
            answer = ask(fresh, path)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        later = ask(fresh, "/ocsp/issuing", "POST", asked)
        assert said(later).response_status is ocsp.OCSPResponseStatus.TRY_LATER
        assert (later.headers["Retry-After"], later.headers["Cache-Control"]) == ("5", "no-store")
        ready = ask(fresh, "/readyz")
        assert (ready.status, ready.body) == (
            503,
            b"the database or the token does not answer\n",
        )
        # Who knows the issuer still serves its CRL, and OCSP says to try later.
        app.parts = away
        app.ocsp.parts = away
        app.ocsp._responders["issuing"][1].responders[0]._source = away.statuses
        assert ask(app, "/crl/issuing.crl").status == 200
        serial = ocsp.load_der_ocsp_request(asked).serial_number
        for question in (asked, request_for(parts, serial, nonce=b"n" * 16)):
            later = ask(app, "/ocsp/issuing", "POST", question)
            assert said(later).response_status is ocsp.OCSPResponseStatus.TRY_LATER
            assert later.headers["Retry-After"] == "5"


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


def test_another_key_is_never_taken_for_the_issuers(parts: Assembly, app: PublicApp) -> None:
    certificate = parts.issuers.get("issuing").certificate
    assert certificate is not None
    served = x509.load_der_x509_crl(ask(app, "/crl/issuing.crl").body)
    assert not served.is_signature_valid(new_key().public_key())

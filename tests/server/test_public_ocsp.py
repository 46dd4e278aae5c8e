"""OCSP on the public listener: every spelling of a request, junk, and ten megabytes."""

import dataclasses
import io
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import cast
from urllib.parse import quote

import pytest
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.x509 import ocsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ca.identifiers import IssuerName, SerialNumber
from ca.issuers import IssuerRecord
from revocation import der
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.logs import log_to
from server.metrics import Metrics
from server.public import PublicApp
from tests.support.installation import an_installation
from tests.support.ocsp_client import an_issued_serial, issuer_hashes, request_for, said
from tests.support.softhsm import SoftHsm
from tests.support.staff import Office
from tests.support.wsgi import ask

FAR = 10**7


SETTINGS = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/ocsp/issuing"),
        ("GET", "/ocsp/issuing/"),
        ("GET", "/ocsp"),
        ("GET", "/ocsp/"),
        ("PUT", "/ocsp"),
        ("POST", "/ocsp/MAA="),
        ("PUT", "/ocsp/issuing"),
        ("POST", "/ocsp/issuing/MAA="),
    ],
)
def test_ocsp_is_asked_by_post_or_with_the_request_in_the_path(
    app: PublicApp, method: str, path: str
) -> None:
    answer = ask(app, path, method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


def test_ocsp_says_what_the_records_say_at_once(app: PublicApp, parts: Assembly) -> None:
    serial = an_issued_serial(parts)
    asked = request_for(parts, serial)
    good = ask(app, "/ocsp/issuing", "POST", asked)
    assert said(good).certificate_status is ocsp.OCSPCertStatus.GOOD
    assert "max-age=" in good.headers["Cache-Control"]
    parts.statuses.revoke(
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


def test_a_root_answers_by_its_crl_alone(app: PublicApp, parts: Assembly) -> None:
    answer = ask(app, "/ocsp/root", "POST", request_for(parts, 5, issuer="root"))
    assert said(answer).response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_who_does_not_know_the_issuers_address_is_answered_by_the_hashes(
    app: PublicApp, parts: Assembly
) -> None:
    asked = request_for(parts, an_issued_serial(parts))
    for path, method, body in (
        ("/ocsp", "POST", asked),
        ("/ocsp/", "POST", asked),
        (f"/ocsp/{b64encode(asked).decode()}", "GET", b""),
        (f"/ocsp/{quote(b64encode(asked).decode(), safe='')}", "GET", b""),
    ):
        answer = said(ask(app, path, method, body))
        assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    stranger = asked.replace(asked[30:40], bytes(10))
    answer = said(ask(app, "/ocsp", "POST", stranger))
    assert answer.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_an_issuer_whose_signer_is_not_certified_yet_asks_to_come_later(
    softhsm: SoftHsm, tmp_path: Path
) -> None:
    with an_installation(softhsm, tmp_path / "state") as parts:
        app = PublicApp(parts, Metrics.of_process())
        answer = ask(app, "/ocsp/issuing", "POST", request_for(parts, 5))
        assert said(answer).response_status is ocsp.OCSPResponseStatus.TRY_LATER
        assert answer.headers["Retry-After"] == "5"
        run_job("own-certificates", parts, app.metrics)
        answer = ask(app, "/ocsp/issuing", "POST", request_for(parts, 5))
        assert said(answer).certificate_status is ocsp.OCSPCertStatus.UNKNOWN


ERRORS = {
    "malformed": (lambda _: b"0", ocsp.OCSPResponseStatus.MALFORMED_REQUEST),
    "unauthorized": (
        lambda parts: request_for(parts, 5, issuer="root"),
        ocsp.OCSPResponseStatus.UNAUTHORIZED,
    ),
}


@pytest.mark.parametrize("error", ERRORS)
def test_no_cache_keeps_an_error(app: PublicApp, parts: Assembly, error: str) -> None:
    octets, status = ERRORS[error]
    answer = ask(app, "/ocsp/issuing", "POST", octets(parts))
    assert said(answer).response_status is status
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers


def test_a_fault_of_ours_is_an_internal_error_and_shows_nothing_of_the_inside(
    app: PublicApp, parts: Assembly
) -> None:
    app.ocsp.issuer_of = cast("Callable[[str], IssuerRecord | None]", None)
    with log_to(parts.settings.state, "public-test"):
        answer = ask(app, "/ocsp/issuing", "POST", request_for(parts, 5))
    assert said(answer).response_status is ocsp.OCSPResponseStatus.INTERNAL_ERROR
    assert len(answer.body) == 5
    assert answer.headers["Cache-Control"] == "no-store"
    log = (parts.settings.state / "logs" / "unforeseen.log").read_text()
    assert "TypeError" in log.splitlines()[-1]


def test_caches_keep_an_answer_well_within_its_life(
    app: PublicApp, parts: Assembly, metrics: Metrics
) -> None:
    asked = request_for(parts, an_issued_serial(parts))
    run_job("ocsp-responses", parts, metrics)
    answer = ask(app, "/ocsp/issuing", "POST", asked)
    read = said(answer)
    assert read.next_update_utc is not None
    kept = re.match(r"max-age=(\d+), public", answer.headers["Cache-Control"])
    assert kept is not None
    whole = (read.next_update_utc - read.this_update_utc).total_seconds()
    # One that is sent just before the next is made, and kept by a cache meanwhile, has not ended.
    assert 0 < int(kept[1]) < whole / 2
    form = "%a, %d %b %Y %H:%M:%S GMT"
    assert answer.headers["Expires"] == read.next_update_utc.strftime(form)
    assert answer.headers["Last-Modified"] == read.this_update_utc.strftime(form)


def test_a_held_answer_goes_to_those_who_may_ask_and_to_no_other_method(
    app: PublicApp, parts: Assembly, metrics: Metrics
) -> None:
    asked = request_for(parts, an_issued_serial(parts))
    run_job("ocsp-responses", parts, metrics)
    app.held.look(parts.ocsp_responses)
    path = f"/ocsp/issuing/{b64encode(asked).decode()}"
    first = ask(app, path)
    assert app.held.get(path, utc_now()) is not None
    assert ask(app, path) == first
    assert ask(app, path, "HEAD") == dataclasses.replace(first, body=b"")
    assert ask(app, path, "PUT").status == 405
    assert ask(app, path, "POST").status == 405
    # Another spelling of the question finds the same response without a look at the database.
    app.ocsp.parts = dataclasses.replace(parts, ocsp_responses=None)  # type: ignore[arg-type]
    assert ask(app, "/ocsp/issuing", "POST", asked).body == first.body


@pytest.mark.parametrize(("told", "read"), [(str(FAR), 0), ("", 4097)])
def test_of_ten_megabytes_no_more_is_read_than_a_request_may_have(
    app: PublicApp, told: str, read: int
) -> None:
    body = io.BytesIO(bytes(FAR))
    answer = said(ask(app, "/ocsp/issuing", "POST", body, CONTENT_LENGTH=told))
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    assert body.tell() == read


@SETTINGS
@given(st.one_of(st.binary(max_size=200), st.binary(min_size=4090, max_size=4100)))
def test_any_octets_get_an_ocsp_answer(app: PublicApp, octets: bytes) -> None:
    assert said(ask(app, "/ocsp/issuing", "POST", octets)).response_status
    encoded = quote(b64encode(octets).decode(), safe="")
    answer = ask(app, f"/ocsp/issuing/{encoded}")
    assert answer.status == 405 if not octets else said(answer)


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
    name_hash, key_hash = issuer_hashes(certificate)
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


def test_an_officers_certificate_is_asked_about_like_any_other(
    app: PublicApp, office: Office
) -> None:
    # Another installation's serial is unknown here, whatever it is there.
    serial = office.approving.certificate.serial_number
    answer = said(ask(app, "/ocsp/issuing", "POST", request_for(app.parts, serial)))
    assert answer.certificate_status is ocsp.OCSPCertStatus.UNKNOWN

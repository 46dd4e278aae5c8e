"""A standby for OCSP has keys of its own, certified ahead, and answers while a token is away."""

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca.identifiers import IssuerName, SerialNumber
from hsm.errors import QuotaExhausted, TokenNotFound
from hsm.labels import ocsp_key
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.own_certificates import ocsp_signer
from server.public import PublicApp
from server.settings import Settings
from server.tokens import Tokens
from tests.support.installation import an_installation
from tests.support.ocsp_client import an_issued_serial, request_for, said
from tests.support.settings_files import faults
from tests.support.softhsm import SoftHsm
from tests.support.wsgi import ask

ISSUING, STANDBY = IssuerName("issuing"), "ocsp-standby"
NONCE = bytes(range(32))


@pytest.fixture(scope="module")
def parts(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    state = tmp_path_factory.mktemp("standby") / "state"
    with an_installation(softhsm, state, TILLID_HSM__OCSP_STANDBY=STANDBY) as found:
        metrics = Metrics.of_process()
        for job in ("own-certificates", "renew-crls", "publish-crls"):
            run_job(job, found, metrics)
        yield found


def with_tokens(parts: Assembly, **changes: object) -> Assembly:
    """The same installation, where the settings say something else of its tokens."""
    hsm = parts.settings.hsm.model_copy(update=changes)
    settings: Settings = parts.settings.model_copy(update={"hsm": hsm})
    return dataclasses.replace(parts, settings=settings, tokens=Tokens(hsm))


def asked(parts: Assembly, serial: int) -> ocsp.OCSPResponse:
    """What is answered to a question that cannot have been answered ahead."""
    app = PublicApp(parts, Metrics.of_process())
    request = request_for(parts, serial, nonce=NONCE)
    answer = said(ask(app, "/ocsp/issuing", "POST", request))
    assert answer.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
    return answer


def test_each_token_has_a_key_of_its_own_that_is_certified_ahead(parts: Assembly) -> None:
    record = parts.issuers.get(ISSUING)
    first, second = (open_key().public_key() for open_key in parts.tokens.ocsp_keys(ISSUING))
    assert first != second
    assert parts.tokens.held_by(STANDBY, ocsp_key(ISSUING)).public_key() == second  # type: ignore[union-attr]
    found = parts.certificates.find(profile="ocsp-signer", issuer=ISSUING, status="issued")
    bodies = [parts.certificates.body(each.issuer, each.serial_number) for each in found]
    assert {body.public_key() == second for body in bodies} == {True, False}
    assert len(bodies) == 2
    assert ocsp_signer(parts, record, utc_now()).public_key() == first  # type: ignore[union-attr]
    assert run_job("own-certificates", parts, Metrics.of_process()) == 0


def test_the_standby_answers_while_the_service_token_is_away(
    parts: Assembly, tmp_path: Path
) -> None:
    serial = an_issued_serial(parts)
    away = with_tokens(parts, service_token="in-the-safe")
    with pytest.raises(TokenNotFound):
        away.tokens.service_key("audit")
    good = asked(away, serial)
    assert good.certificate_status is ocsp.OCSPCertStatus.GOOD
    where = (ISSUING, SerialNumber(serial))
    parts.statuses.revoke(*where, Reason.KEY_COMPROMISE, "system:x", utc_now())
    revoked = asked(away, serial)
    assert revoked.certificate_status is ocsp.OCSPCertStatus.REVOKED
    usual = asked(parts, serial)
    assert usual.certificates != revoked.certificates
    for answer in (good, revoked, usual):
        assert openssl_says(tmp_path, parts, serial, answer) == "Response verify OK"
    # What is made ahead goes on as well, and nobody wants to certify anything.
    assert run_job("ocsp-responses", away, Metrics.of_process()) > 0
    assert run_job("own-certificates", away, Metrics.of_process()) == 0
    away.tokens.close()


def test_the_first_that_is_there_again_answers_again(parts: Assembly) -> None:
    serial = an_issued_serial(parts)
    app = PublicApp(parts, Metrics.of_process())
    request = request_for(parts, serial, nonce=NONCE)
    first = said(ask(app, "/ocsp/issuing", "POST", request)).certificates
    responders = app.ocsp._responders["issuing"][1]
    assert [each._issuer.responder_certificate for each in responders.responders][:1] == first
    assert len(responders.responders) == 2


def test_a_quota_is_no_reason_to_use_another_key(parts: Assembly) -> None:
    serial = an_issued_serial(parts)
    spent = with_tokens(parts, sign_quota_per_hour=1)
    asked(spent, serial)
    responders = PublicApp(spent, Metrics.of_process()).ocsp.responder(
        spent.issuers.get("issuing"), utc_now()
    )
    assert responders is not None
    with pytest.raises(QuotaExhausted):
        responders.answer(request_for(spent, serial, nonce=NONCE), utc_now())
    spent.tokens.close()


@pytest.mark.parametrize("other", ["root_token", "service_token", "service_standby"])
def test_a_standby_for_ocsp_is_another_token(tmp_path: Path, other: str) -> None:
    text = f'[hsm]\n{other} = "one"\nocsp_standby = "one"\n'
    assert set(faults(tmp_path, text)) == {"hsm.ocsp_standby"}


def openssl_says(folder: Path, parts: Assembly, serial: int, answer: ocsp.OCSPResponse) -> str:
    """The first line of what `openssl ocsp` says of an answer."""
    names = {"issuer.pem": "issuing", "root.pem": "root"}
    files = {"answer.der": answer.public_bytes(Encoding.DER)}
    for file, name in names.items():
        certificate = parts.issuers.get(name).certificate
        assert certificate is not None
        files[file] = certificate.public_bytes(Encoding.PEM)
    for name, octets in files.items():
        (folder / name).write_bytes(octets)
    done = subprocess.run(
        ["openssl", "ocsp", "-respin", "answer.der", "-issuer", "issuer.pem", "-serial",
         str(serial), "-no_nonce", "-CAfile", "root.pem", "-verify_other", "issuer.pem"],
        cwd=folder, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    return (done.stderr + done.stdout).splitlines()[0]

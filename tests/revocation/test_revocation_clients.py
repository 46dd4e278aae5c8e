"""What relying parties' own tools and an independent linter say of our CRLs and OCSP answers."""

import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_crl

from ca.identifiers import SerialNumber
from revocation.crl_issue import issue_crl
from revocation.publication import CrlPolicy
from revocation.published_files import write_published
from revocation.reasons import Reason
from revocation.responder import OcspResponder
from revocation.status import Good, Revoked, Status
from tests.support.loopback import answering
from tests.support.revocation_lint import findings_in_crl, findings_in_ocsp_response
from tests.support.revocation_pki import Pki, write_pem
from tests.support.revocation_stores import MemoryCrlStore, MemoryStatusSource

PKI = Pki.new()
POLICY = CrlPolicy(validity=timedelta(days=7), renew_margin=timedelta(days=1))
GOOD, REVOKED, UNISSUED = (SerialNumber.random() for _ in range(3))


@pytest.fixture(scope="module")
def now() -> datetime:
    """The clock on the wall, which is the one that the tools read."""
    return datetime.fromtimestamp(time.time(), UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Path:
    """Certificates and a CRL as files, as a relying party has them."""
    folder = tmp_path_factory.mktemp("relying-party")
    write_pem(folder / "ca.pem", PKI.issuing.certificate)
    for serial, name in ((GOOD, "good"), (REVOKED, "revoked"), (UNISSUED, "unknown")):
        write_pem(folder / f"{name}.pem", PKI.subscriber(serial))
    store = MemoryCrlStore()
    store.revoke(REVOKED, Revoked(Reason.KEY_COMPROMISE, now - timedelta(hours=1)))
    for reason in Reason:
        if reason is not Reason.REMOVE_FROM_CRL:
            store.revoke(SerialNumber.random(), Revoked(reason, now - timedelta(hours=1)))
    empty = MemoryCrlStore()
    for name, of in (("full.crl", store), ("empty.crl", empty)):
        issue_crl(of, PKI.issuing, now, POLICY)
        crl = of.der()
        write_published(folder / name, crl)
        pem = load_der_x509_crl(crl).public_bytes(Encoding.PEM)
        (folder / f"{name}.pem").write_bytes(pem)
    return folder


@pytest.fixture(scope="module")
def responder(now: datetime) -> OcspResponder:
    statuses: dict[SerialNumber, Status] = {
        GOOD: Good(),
        REVOKED: Revoked(Reason.KEY_COMPROMISE, now - timedelta(hours=1)),
    }
    return OcspResponder(PKI.ocsp, MemoryStatusSource(statuses))


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("crl", ["full.crl", "empty.crl"])
def test_openssl_verifies_the_crl(folder: Path, crl: str) -> None:
    told = run(folder, "openssl", "crl", "-inform", "DER", "-in", crl, "-CAfile", "ca.pem", "-text")
    assert told.returncode == 0
    assert "verify OK" in told.stderr
    assert "X509v3 CRL Number" in told.stdout


@pytest.mark.parametrize("crl", ["full.crl", "empty.crl"])
def test_gnutls_verifies_the_crl(folder: Path, crl: str) -> None:
    verify = ("certtool", "--verify-crl", "--load-ca-certificate", "ca.pem")
    told = run(folder, *verify, "--infile", f"{crl}.pem")
    assert told.returncode == 0
    assert "Verified. The certificate is trusted." in told.stdout


@pytest.mark.parametrize(
    ("certificate", "status", "said"),
    [("good.pem", 0, "good.pem: OK"), ("revoked.pem", 2, "certificate revoked")],
)
def test_openssl_judges_a_certificate_by_the_crl(
    folder: Path, certificate: str, status: int, said: str
) -> None:
    against = ("-crl_check_all", "-x509_strict", "-CAfile", "ca.pem", "-CRLfile", "full.crl.pem")
    told = run(folder, "openssl", "verify", *against, certificate)
    assert (told.returncode, said in told.stdout + told.stderr) == (status, True)


@pytest.mark.parametrize(
    ("certificate", "status", "said"),
    [("good.pem", 0, "Verified"), ("revoked.pem", 1, "revoked")],
)
def test_gnutls_judges_a_certificate_by_the_crl(
    folder: Path, certificate: str, status: int, said: str
) -> None:
    against = ("--load-ca-certificate", "ca.pem", "--load-crl", "full.crl.pem")
    told = run(folder, "certtool", "--verify", *against, "--infile", certificate)
    assert (told.returncode, said in told.stdout) == (status, True)


@pytest.mark.parametrize("hash_option", [(), ("-sha256",)], ids=["SHA-1", "SHA-256"])
@pytest.mark.parametrize("certificate", ["good", "revoked", "unknown"])
def test_openssl_takes_the_ocsp_answer_from_a_file(
    folder: Path,
    responder: OcspResponder,
    now: datetime,
    hash_option: tuple[str, ...],
    certificate: str,
) -> None:
    about = (*hash_option, "-issuer", "ca.pem", "-cert", f"{certificate}.pem", "-no_nonce")
    assert run(folder, "openssl", "ocsp", *about, "-reqout", "request.der").returncode == 0
    answer = responder.answer((folder / "request.der").read_bytes(), now)
    (folder / "answer.der").write_bytes(answer.body)
    told = run(folder, "openssl", "ocsp", *about, "-respin", "answer.der", "-CAfile", "ca.pem")
    assert told.returncode == 0
    assert "Response verify OK" in told.stderr
    assert f"{certificate}.pem: {certificate}" in told.stdout
    assert ("Reason: keyCompromise" in told.stdout) == (certificate == "revoked")


@pytest.mark.parametrize("nonce_option", ["-nonce", "-no_nonce"])
def test_openssl_takes_the_ocsp_answer_over_http(
    folder: Path, responder: OcspResponder, now: datetime, nonce_option: str
) -> None:
    def answer(octets: bytes) -> bytes:
        return responder.answer(octets, now).body

    with answering(answer, "application/ocsp-response") as url:
        about = ("-issuer", "ca.pem", "-cert", "good.pem", "-cert", "revoked.pem", nonce_option)
        told = run(folder, "openssl", "ocsp", *about, "-url", url, "-CAfile", "ca.pem")
    assert told.returncode == 0
    assert "Response verify OK" in told.stderr
    assert "WARNING" not in told.stderr
    assert "good.pem: good" in told.stdout
    assert "revoked.pem: revoked" in told.stdout


def test_openssl_says_that_another_issuers_certificate_is_not_ours_to_answer(
    folder: Path, responder: OcspResponder, now: datetime
) -> None:
    write_pem(folder / "stranger.pem", Pki.new().issuing.certificate)
    about = ("-issuer", "stranger.pem", "-cert", "good.pem")
    run(folder, "openssl", "ocsp", *about, "-reqout", "foreign.der")
    body = responder.answer((folder / "foreign.der").read_bytes(), now).body
    (folder / "foreign-answer.der").write_bytes(body)
    told = run(folder, "openssl", "ocsp", *about, "-respin", "foreign-answer.der")
    assert "unauthorized" in told.stdout + told.stderr


def test_gnutls_verifies_the_ocsp_answer(
    folder: Path, responder: OcspResponder, now: datetime
) -> None:
    about = ("--load-issuer", "ca.pem", "--load-cert", "good.pem")
    told = run(folder, "ocsptool", "--generate-request", *about, "--outfile", "gnutls.der")
    assert told.returncode == 0
    answer = responder.answer((folder / "gnutls.der").read_bytes(), now)
    (folder / "gnutls-answer.der").write_bytes(answer.body)
    verify = ("--verify-response", "--load-trust", "ca.pem", "--load-issuer", "ca.pem")
    told = run(folder, "ocsptool", *verify, "--load-response", "gnutls-answer.der")
    assert (told.returncode, "Success" in told.stdout) == (0, True)


@pytest.mark.parametrize("crl", ["full.crl", "empty.crl"])
def test_the_linter_finds_nothing_in_the_crl(folder: Path, crl: str) -> None:
    assert findings_in_crl((folder / crl).read_bytes()) == []


@pytest.mark.parametrize("certificate", ["good", "revoked", "unknown"])
def test_the_linter_finds_nothing_in_the_ocsp_answer(
    folder: Path, responder: OcspResponder, now: datetime, certificate: str
) -> None:
    about = ("-issuer", "ca.pem", "-cert", f"{certificate}.pem", "-nonce")
    run(folder, "openssl", "ocsp", *about, "-reqout", "lint.der")
    body = responder.answer((folder / "lint.der").read_bytes(), now).body
    assert findings_in_ocsp_response(body) == []


def test_the_linter_does_find_faults(folder: Path) -> None:
    crl = (folder / "empty.crl").read_bytes()
    without_number = crl.replace(b"\x06\x03\x55\x1d\x14", b"\x06\x03\x55\x1d\x7f")
    assert findings_in_crl(without_number) != []

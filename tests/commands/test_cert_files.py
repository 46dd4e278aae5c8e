"""`tillid cert export`, `lint`, `verify` and `generate`: others read what is written."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7, pkcs12

from ca.identifiers import SerialNumber
from records.officers import Role
from server.assembly import Assembly
from server.jobs import run_job
from server.metrics import Metrics
from tests.support.ca_builders import a_key, self_signed
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.request_builders import a_request
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Office:
    parts: Assembly
    environment: dict[str, str]


@pytest.fixture(scope="module")
def office(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    state = tmp_path_factory.mktemp("office") / "state"
    with an_installation(softhsm, state) as parts:
        for job in ("own-certificates", "renew-crls"):
            run_job(job, parts, Metrics.of_process())
        yield Office(parts, environment_of(softhsm, state))


@pytest.fixture
def tillid(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    return Operator(office.environment, capsys, monkeypatch)


@pytest.fixture
def web(tillid: Operator, tmp_path: Path) -> Path:
    """The file of a certificate of a server."""
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "web.csr").write_bytes(a_request(key, [x509.DNSName("web.example")]))
    out = tmp_path / "web.pem"
    asked = ["--profile", "tls-server", "--csr", tmp_path / "web.csr", "--out", out]
    assert tillid("cert", "issue", *asked).code == 0
    return out


def place_of(office: Office, file: Path) -> str:
    number = x509.load_pem_x509_certificate(file.read_bytes()).serial_number
    return f"{office.parts.issuing().name}/{SerialNumber(number).hex}"


@pytest.mark.parametrize("chain", [False, True])
@pytest.mark.parametrize("form", ["pem", "der", "pkcs7"])
def test_what_is_exported_is_what_was_issued(
    office: Office, tillid: Operator, web: Path, form: str, *, chain: bool
) -> None:
    out = web.with_name(f"out.{form}")
    asked = [place_of(office, web), "--format", form, "--out", out, *(["--chain"] * chain)]
    done = tillid("cert", "export", *asked)
    if form == "der" and chain:
        assert done.code == 2
        return
    read = {
        "pem": x509.load_pem_x509_certificates,
        "der": lambda octets: [x509.load_der_x509_certificate(octets)],
        "pkcs7": pkcs7.load_der_pkcs7_certificates,
    }[form](out.read_bytes())
    wanted = [x509.load_pem_x509_certificate(web.read_bytes())]
    if chain:
        records = (office.parts.issuing_record(), office.parts.issuers.get("root"))
        wanted += [record.certificate for record in records if record.certificate is not None]

    assert set(read) == set(wanted)
    assert done.result["certificates"] == len(wanted)


def test_a_file_with_the_chain_names_its_first_and_with_two_of_ours_none(
    office: Office, tillid: Operator, web: Path
) -> None:
    whole = web.with_name("whole.pem")
    tillid("cert", "export", web, "--chain", "--out", whole)
    assert tillid("cert", "show", whole).result["serial_number"] in place_of(office, web)

    blocks = whole.read_bytes().split(b"-----END CERTIFICATE-----\n")[:-1]
    swapped = web.with_name("swapped.pem")
    swapped.write_bytes(b"".join(each + b"-----END CERTIFICATE-----\n" for each in blocks[::-1]))
    twice = web.with_name("twice.pem")
    twice.write_bytes(web.read_bytes() * 2)
    for file in (swapped, twice):
        assert tillid("cert", "revoke", file, "--reason", "superseded").code == 2
    assert tillid("cert", "show", web).result["status"] == "issued"


def test_openssl_reads_the_chain_in_pkcs7(tillid: Operator, web: Path) -> None:
    out = web.with_name("web.p7b")
    tillid("cert", "export", web, "--format", "pkcs7", "--chain", "--out", out)
    command = ["openssl", "pkcs7", "-inform", "DER", "-in", out, "-print_certs", "-noout"]
    read = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout
    assert read.count("subject=") == 3


def test_a_certificate_for_standard_output_is_all_that_is_there(
    tillid: Operator, web: Path
) -> None:
    code, out, _ = tillid.told("cert", "export", web, "--out", "-")
    assert (code, out) == (0, web.read_text())


def test_a_persons_certificate_is_not_handed_out_here(office: Office, tillid: Operator) -> None:
    officer = an_officer(office.parts, Role.AUDITOR)
    serial = SerialNumber(officer.certificate.serial_number).hex
    done = tillid("cert", "export", f"issuing/{serial}", "--out", "-")
    assert (done.code, done.problem["title"]) == (5, "The certificate names a person")


def test_a_certificate_of_ours_breaks_no_rule(tillid: Operator, web: Path) -> None:
    plain = tillid("cert", "lint", web)
    as_server = tillid("cert", "lint", web, "--profile", "tls-server")
    assert [(done.code, done.result["findings"]) for done in (plain, as_server)] == [(0, [])] * 2


def test_each_finding_of_a_foreign_certificate_names_its_clause(
    tillid: Operator, tmp_path: Path
) -> None:
    file = tmp_path / "bad.pem"
    made = self_signed(ec.generate_private_key(ec.SECP256K1()), serial=7)
    file.write_bytes(made.public_bytes(Encoding.PEM))
    done = tillid("cert", "lint", file)
    found = {finding["rule"]: finding["clause"] for finding in done.result["findings"]}
    assert done.code == 9
    assert found == {
        "certificate.serial": "CA/B BR 7.1, RFC 5280 4.1.2.2",
        "certificate.key": "CA/B BR 6.1.1.3, ETSI TS 119 312",
    }


def test_a_certificate_is_held_to_another_profile(tillid: Operator, web: Path) -> None:
    done = tillid("cert", "lint", web, "--profile", "device")
    found = {finding["rule"] for finding in done.result["findings"]}
    assert (done.code, found) == (9, {"profile.subject", "profile.purposes", "profile.policies"})


def test_what_is_no_certificate_is_malformed(tillid: Operator, tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"junk")
    for verb in ("lint", "verify"):
        assert tillid("cert", verb, tmp_path / "junk").code == 2
        assert tillid("cert", verb, tmp_path / "nothing").code == 3


def outcomes(done: object) -> dict[str, str]:
    checks = done.result["checks"]  # type: ignore[attr-defined]
    return {check["name"]: check["outcome"] for check in checks}


def test_a_good_certificate_holds_in_every_way(tillid: Operator, web: Path) -> None:
    done = tillid("cert", "verify", web)
    assert done.code == 0
    assert done.result["holds"] is True
    assert outcomes(done) == dict.fromkeys(("path", "validity", "records", "crl", "ocsp"), "holds")


def test_a_revoked_one_fails_in_every_way_and_was_nothing_before_it_began(
    office: Office, tillid: Operator, web: Path
) -> None:
    tillid("cert", "revoke", web, "--reason", "superseded", "--yes")
    run_job("renew-crls", office.parts, Metrics.of_process())
    now = tillid("cert", "verify", web)
    words = [check["said"] for check in now.result["checks"]]
    begun = x509.load_pem_x509_certificate(web.read_bytes()).not_valid_before_utc
    long_ago = tillid("cert", "verify", web, "--at", (begun - timedelta(days=1)).isoformat())

    assert now.code == 9
    assert [check["outcome"] for check in now.result["checks"]] == [
        *("holds", "holds", "fails", "fails"), "holds", "fails",
    ]  # fmt: skip
    assert any("(superseded)" in said for said in words)
    assert "OCSP says revoked, signed and in force." in words
    assert outcomes(long_ago)["validity"] == "fails"
    assert outcomes(long_ago)["ocsp"] == "open"


def test_a_strangers_certificate_has_no_path(tillid: Operator, tmp_path: Path) -> None:
    file = tmp_path / "stranger.pem"
    file.write_bytes(self_signed(a_key()).public_bytes(Encoding.PEM))
    done = tillid("cert", "verify", file)
    assert (done.code, outcomes(done)) == (9, {"path": "fails"})


@pytest.mark.parametrize("text", ["yesterday", "2026-03-01T12:00:00"])
def test_a_time_without_meaning_is_usage(tillid: Operator, web: Path, text: str) -> None:
    assert tillid("cert", "verify", web, "--at", text).code == 2


@pytest.mark.parametrize(
    "asked",
    [
        ["--profile", "tls-server", "--host", "web.example", "--key-type", "EC-P256"],
        ["--profile", "tls-server", "--host", "web.example", "--key-type", "RSA-2048"],
        ["--profile", "device", "--subject", "C=DK", "--subject", "O=Havn A/S",
         "--subject", "CN=Printer", "--subject", "serialNumber=7", "--key-type", "EC-P384"],
    ],
)  # fmt: skip
def test_a_generated_key_comes_in_a_pkcs12_file_that_others_open(
    office: Office, tillid: Operator, tmp_path: Path, asked: list[str]
) -> None:
    out, password = tmp_path / "made.p12", tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    rest = ["--password-file", password, "--out", out]
    done = tillid("cert", "generate", *asked, *rest)
    key, certificate, above = pkcs12.load_key_and_certificates(out.read_bytes(), PASSWORD.encode())
    command = ["openssl", "pkcs12", "-in", out, "-passin", f"file:{password}", "-info", "-noout"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stderr

    assert (done.code, done.result["key_type"]) == (0, asked[-1])
    assert key is not None
    assert certificate is not None
    assert key.public_key() == certificate.public_key()
    assert len(above) == 2
    assert out.stat().st_mode & 0o077 == 0
    assert "PBES2, PBKDF2, AES-256-CBC, Iteration 600000, PRF hmacWithSHA256" in told
    assert "MAC: sha256" in told
    issued = office.parts.certificates.find(serial=SerialNumber(certificate.serial_number).hex)
    assert [record.status for record in issued] == ["issued"]


def test_the_password_comes_from_a_descriptor_too(tillid: Operator, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    descriptor = os.open(tmp_path / "password", os.O_RDONLY)
    try:
        asked = ["--profile", "tls-server", "--host", "a.example", "--out", tmp_path / "a.p12"]
        done = tillid("cert", "generate", *asked, "--password-file", f"fd:{descriptor}")
    finally:
        os.close(descriptor)
    assert done.code == 0


@pytest.mark.parametrize("password", ["", "short", "a" * 40, "correct horse 🐴 battery staple"])
def test_a_weak_password_is_refused_before_anything_is_issued(
    office: Office, tillid: Operator, tmp_path: Path, password: str
) -> None:
    (tmp_path / "password").write_text(password)
    before = len(office.parts.certificates.find(profile="tls-server"))
    asked = ["--profile", "tls-server", "--host", "a.example", "--out", tmp_path / "a.p12"]
    done = tillid("cert", "generate", *asked, "--password-file", tmp_path / "password")
    assert (done.code, done.problem["rule"].split(",")[0]) == (4, "pkcs12.password")
    assert len(office.parts.certificates.find(profile="tls-server")) == before


def test_no_file_is_written_over(tillid: Operator, tmp_path: Path) -> None:
    out = tmp_path / "kept.p12"
    out.write_bytes(b"kept")
    done = tillid(
        "cert", "generate", "--profile", "tls-server", "--host", "a.example", "--out", out
    )
    assert (done.code, out.read_bytes()) == (2, b"kept")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (["--profile", "staff", "--host", "a.example"], 4),
        (["--profile", "natural-person-high"], 4),
        (["--profile", "issuing"], 4),
        (["--profile", "nothing"], 3),
        (["--profile", "tls-server"], 4),
        (["--profile", "tls-server", "--host", "a.example", "--key-type", "RSA-1024"], 2),
        (["--profile", "tls-server", "--host", "a.example", "--subject", "CN=a"], 2),
        (["--profile", "device", "--subject", "CN"], 2),
        (["--profile", "device", "--subject", "CN=a"], 4),
    ],
)
def test_only_services_and_devices_have_keys_generated(
    tillid: Operator, tmp_path: Path, asked: list[str], code: int
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    rest = ["--password-file", tmp_path / "password", "--out", tmp_path / "a.p12"]
    assert tillid("cert", "generate", *asked, *rest).code == code
    assert not (tmp_path / "a.p12").exists()

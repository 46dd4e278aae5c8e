"""`tillid cert issue-folder`: many requests, one outcome each, and on after a stop."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

import server.bulk_issuance as bulk
from ca.profiles import profile_names
from hsm.errors import TokenUnavailable
from server.assembly import Assembly
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.recording_key import RecordingKey
from tests.support.revocation_pki import new_key
from tests.support.softhsm import SoftHsm


@dataclass(frozen=True)
class Folders:
    """A folder of requests and one for the certificates, in an installation of their own."""

    requests: Path
    out: Path

    def a_request(self, name: str, host: str | None = None) -> Path:
        names = x509.SubjectAlternativeName([x509.DNSName(host or f"{name}.example")])
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        made = builder.add_extension(names, critical=False).sign(new_key(), hashes.SHA256())
        path = self.requests / f"{name}.csr"
        path.write_bytes(made.public_bytes(Encoding.PEM))
        return path

    def a_device(self, name: str, subject: str) -> Path:
        """A request of a device as `openssl req -subj` makes it."""
        path = self.requests / f"{name}.csr"
        new = (
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "/dev/null",
        )
        subprocess.run(
            ["openssl", "req", *new, "-subj", subject, "-utf8", "-out", path],
            check=True, capture_output=True, timeout=20,
        )  # fmt: skip
        return path

    def arguments(self, profile: str = "tls-server") -> tuple[object, ...]:
        folders = (self.requests, "--out", self.out)
        return ("cert", "issue-folder", *folders, "--profile", profile)


@pytest.fixture(scope="module")
def parts(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    with an_installation(softhsm, tmp_path_factory.mktemp("folders") / "state") as made:
        yield made


@pytest.fixture
def tillid(
    parts: Assembly,
    softhsm: SoftHsm,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    return Operator(environment_of(softhsm, parts.settings.state), capsys, monkeypatch)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    (tmp_path / "requests").mkdir()
    return Folders(tmp_path / "requests", tmp_path / "certificates")


def certificates_in(folders: Folders) -> dict[str, x509.Certificate]:
    found = sorted(folders.out.iterdir())
    return {path.stem: x509.load_pem_x509_certificate(path.read_bytes()) for path in found}


def test_every_request_of_a_folder_gets_its_certificate_once(
    tillid: Operator, folders: Folders, parts: Assembly
) -> None:
    for number in range(30):
        folders.a_request(f"h{number}")
    done = tillid(*folders.arguments())
    assert (done.code, done.result["counts"]) == (0, {"issued": 30})
    made = certificates_in(folders)
    assert sorted(made) == sorted(f"h{number}" for number in range(30))
    issuer = parts.issuing().certificate
    assert issuer is not None
    for name, certificate in made.items():
        certificate.verify_directly_issued_by(issuer)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        assert names.value.get_values_for_type(x509.DNSName) == [f"{name}.example"]
    again = tillid(*folders.arguments())
    assert (again.code, again.result["counts"]) == (0, {"there": 30})
    assert certificates_in(folders) == made


def test_what_is_refused_keeps_nobody_else_from_a_certificate(
    tillid: Operator, folders: Folders
) -> None:
    folders.a_request("good")
    folders.a_request("wild", host="*.example")
    (folders.requests / "broken.pem").write_text("no request")
    (folders.requests / "notes.txt").write_text("not looked at")
    done = tillid(*folders.arguments())
    assert (done.code, done.result["counts"]) == (10, {"issued": 1, "refused": 2})
    problems = {Path(i["request"]).name: i["problem"] for i in done.result["items"]}
    assert problems["wild.csr"]["rule"].startswith("name.host")
    assert problems["broken.pem"]["status"] == 400
    assert problems["good.csr"] is None
    assert list(certificates_in(folders)) == ["good"]
    code, out, _ = tillid.told(*folders.arguments())
    assert code == 10
    assert "2 refused, 1 there" in out
    assert "wild.csr" in out


def test_whoever_looks_on_sees_how_far_it_is(
    tillid: Operator, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders.a_request("a")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _, _, err = tillid.told(*folders.arguments())
    assert "1 of 1 requests: 1 issued" in err


def test_a_certificate_that_did_not_reach_its_file_is_written_and_not_issued_again(
    tillid: Operator, folders: Folders
) -> None:
    folders.a_request("a")
    folders.a_request("b")
    tillid(*folders.arguments())
    made = certificates_in(folders)
    (folders.out / "a.pem").unlink()
    (folders.out / "b.pem").rename(folders.out / "b.new")
    done = tillid(*folders.arguments())
    assert (done.code, done.result["counts"]) == (0, {"written": 2})
    assert certificates_in(folders) == made


def test_a_certificate_that_cannot_be_written_is_kept_for_the_next_run(
    tillid: Operator, folders: Folders
) -> None:
    long = "n" * 246  # room for the file, and none for the one that is written beside it first
    folders.a_request("a").rename(folders.requests / f"{long}.csr")
    code, _, err = tillid.told(*folders.arguments())
    assert code == 8
    assert "does not take a certificate that was issued: File name too long." in err
    (folders.requests / f"{long}.csr").rename(folders.requests / "a.csr")
    done = tillid(*folders.arguments())
    assert (done.code, done.result["counts"]) == (0, {"written": 1})


def test_a_file_that_is_something_else_is_never_written_over(
    tillid: Operator, folders: Folders
) -> None:
    folders.a_request("a")
    folders.out.mkdir()
    (folders.out / "a.pem").write_text("mine")
    done = tillid(*folders.arguments())
    assert (done.code, done.result["counts"]) == (10, {"refused": 1})
    assert (folders.out / "a.pem").read_text() == "mine"


def test_a_certificate_that_was_revoked_is_not_taken_for_done(
    tillid: Operator, folders: Folders
) -> None:
    folders.a_request("a")
    tillid(*folders.arguments())
    out = folders.out / "a.pem"
    assert tillid("cert", "revoke", out, "--reason", "superseded", "--yes").code == 0
    assert tillid(*folders.arguments()).result["counts"] == {"refused": 1}
    out.unlink()
    assert tillid(*folders.arguments()).result["counts"] == {"issued": 1}


def test_two_requests_of_one_name_stop_before_anything_is_done(
    tillid: Operator, folders: Folders
) -> None:
    path = folders.a_request("a")
    path.with_suffix(".req").write_bytes(path.read_bytes())
    assert tillid(*folders.arguments()).code == 7
    assert list(folders.out.glob("*")) == []


def test_two_runs_for_one_folder_do_not_issue_at_the_same_time(
    tillid: Operator, folders: Folders
) -> None:
    folders.a_request("a")
    folders.out.mkdir()
    with bulk.alone_in(folders.out):
        assert tillid(*folders.arguments()).code == 7
    assert tillid(*folders.arguments()).result["counts"] == {"issued": 1}


def test_an_empty_folder_and_the_folder_of_the_requests_are_wrong_usage(
    tillid: Operator, folders: Folders
) -> None:
    assert tillid(*folders.arguments()).code == 2
    folders.a_request("a")
    same = Folders(folders.requests, folders.requests)
    assert tillid(*same.arguments()).code == 2


def test_a_token_that_signs_nothing_ends_the_run_and_the_next_one_goes_on(
    tillid: Operator, folders: Folders, parts: Assembly
) -> None:
    def gone(_: bytes) -> bytes:
        raise TokenUnavailable("issuing", "CKR_DEVICE_REMOVED")

    file, issuer = folders.a_request("a"), parts.issuing()
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    without_token = replace(issuer, key=RecordingKey(issuer.key, [], gone))
    with pytest.raises(TokenUnavailable):
        list(bulk.issue_requests(parts, without_token, "tls-server", [file], folders.out))
    assert tillid(*folders.arguments()).result["counts"] == {"issued": 1}


def test_what_the_quota_leaves_out_costs_no_serial_and_waits_for_another_run(
    tillid: Operator, folders: Folders, parts: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        folders.a_request(f"quota{number}")
    before = len(parts.certificates.find())
    monkeypatch.setenv("TILLID_HSM__SIGN_QUOTA_PER_HOUR", "4")
    ended = tillid(*folders.arguments())
    assert ended.code == 8
    assert "hsm.sign_quota_per_hour" in ended.problem["way_out"]
    assert len(certificates_in(folders)) == 4
    assert len(parts.certificates.find()) == before + 4
    monkeypatch.delenv("TILLID_HSM__SIGN_QUOTA_PER_HOUR")
    assert tillid(*folders.arguments()).result["counts"] == {"issued": 8, "there": 4}


@pytest.mark.parametrize(
    ("seconds", "size"), [(0.1, 80), (1.24, 80), (2.0, 40), (2.6, 20), (60.0, 20)]
)
def test_a_batch_grows_while_it_is_over_long_before_its_intents_are_orphans(
    seconds: float, size: int
) -> None:
    assert bulk.next_size(40, seconds) == size
    assert bulk.next_size(bulk.MAX_BATCH, 0.0) == bulk.MAX_BATCH
    assert bulk.next_size(1, 60.0) == 1


def test_devices_are_named_by_the_subjects_of_their_requests(
    tillid: Operator, folders: Folders
) -> None:
    folders.a_device("meter", "/C=DK/O=Vandværket/CN=Meter 7/serialNumber=M-7")
    folders.a_device("turned", "/serialNumber=M-8/CN=Meter 8/O=Vandværket/C=DK")
    folders.a_device("bare", "/CN=Meter 9")
    folders.a_device("foreign", "/C=DK/O=Vand/CN=Meter 10/serialNumber=M-10/UID=7")
    folders.a_device("bidi", "/C=DK/O=Vand/CN=Meter \u202e11/serialNumber=M-11")
    folders.a_device("twice", "/C=DK/O=Vand/CN=Meter/CN=Motor/serialNumber=M-12")
    folders.a_request("hosts")
    done = tillid(*folders.arguments("device"))
    assert (done.code, done.result["counts"]) == (10, {"issued": 2, "refused": 5})
    problems = {Path(i["request"]).stem: i["problem"] for i in done.result["items"]}
    rules = {name: problem and problem["rule"].split(",")[0] for name, problem in problems.items()}
    assert rules == {
        "meter": None, "turned": None, "bare": "profile.subject", "foreign": "name.form",
        "bidi": "name.form", "twice": "profile.subject", "hosts": "name.form",
    }  # fmt: skip
    made = certificates_in(folders)
    assert made["meter"].subject.rfc4514_string() == "2.5.4.5=M-7,CN=Meter 7,O=Vandværket,C=DK"
    assert made["turned"].subject.rfc4514_string() == "2.5.4.5=M-8,CN=Meter 8,O=Vandværket,C=DK"
    (folders.out / "meter.pem").unlink()
    again = tillid(*folders.arguments("device"))
    assert again.result["counts"] == {"written": 1, "there": 1, "refused": 5}
    assert certificates_in(folders) == made


def test_a_device_is_named_by_its_request_alone(tillid: Operator, folders: Folders) -> None:
    request = folders.a_device("one", "/C=DK/O=Vand/CN=Meter 7/serialNumber=M-7")
    asked = ("cert", "issue", "--profile", "device", "--csr", request)
    refused = tillid(*asked, "--out", folders.requests / "one.pem", "--host", "meter.example")
    assert refused.problem["rule"].startswith("name.host")
    code, out, _ = tillid.told(*asked, "--out", folders.requests / "one.pem")
    assert (code, "for Meter 7 is in" in out) == (0, True)


@pytest.mark.parametrize("profile", profile_names())
def test_a_profile_that_no_request_file_is_enough_for_is_refused_with_the_way_out(
    tillid: Operator, folders: Folders, profile: str
) -> None:
    folders.a_request("one")
    done = tillid(*folders.arguments(profile))
    if profile in {"tls-server", "tls-client"}:
        assert done.result["counts"] == {"issued": 1}
    elif profile == "device":
        assert done.result["counts"] == {"refused": 1}
    else:
        assert (done.code, done.problem["rule"].split(",")[0]) == (4, "profile.local")
        assert not folders.out.exists()
        way_out = {
            "root": "tillid ca", "issuing": "tillid ca", "cross": "tillid ca",
            "ca-link": "tillid ca", "ocsp-signer": "to the service",
            "staff": "tillid officer",
        }  # fmt: skip
        assert way_out.get(profile, "through the API") in done.problem["way_out"]

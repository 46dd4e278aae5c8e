"""Files for a web server: what is served from them, by a real nginx to real clients."""

import os
import subprocess
import urllib.parse
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from ca.errors import MalformedRequest
from ca.identifiers import IssuerName, SerialNumber
from ca.issuance import CertificateOrder, PreparedCertificate, issue, prepare
from ca.names import SubjectName
from ca.profiles import load_profile
from records.database import Database
from revocation.cert_ids import CertIdHash, IssuerCertIds
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.nginx import nginx_configuration
from server.public import PublicApp
from server.static_files import UNAUTHORIZED, StaticFiles, request_paths
from tests.support.installation import an_installation
from tests.support.ocsp_client import request_for
from tests.support.revocation_pki import new_key, write_pem
from tests.support.service import quiet_port
from tests.support.softhsm import SoftHsm
from tests.support.static_server import an_nginx
from tests.support.wsgi import ask

ISSUING = IssuerName("issuing")
OPERATOR = "system:operator"
_JAVA = Path(__file__).parent.parent / "support" / "java" / "AskOcsp.java"


@dataclass(frozen=True)
class Shop:
    """An installation, and the folder that a web server serves from."""

    parts: Assembly
    files: StaticFiles

    @property
    def folder(self) -> Path:
        return self.files.folder

    def issue(self, serial: SerialNumber | None = None) -> x509.Certificate:
        now = utc_now()
        subject = SubjectName.of([("CN", "web.example")])
        key = new_key().public_key()
        order = CertificateOrder(load_profile("tls-server"), subject, key, ("web.example",))
        prepared = prepare(order, self.parts.issuing(), now)
        if serial is not None:
            content = replace(prepared.content, serial_number=serial)
            prepared = PreparedCertificate(order, content, content.throw_away_copy())
        return issue(prepared, self.parts.certificates, OPERATOR, now)

    def revoke(self, certificate: x509.Certificate) -> None:
        place = (ISSUING, SerialNumber(certificate.serial_number))
        self.parts.statuses.revoke(*place, Reason.SUPERSEDED, OPERATOR, utc_now())

    def work(self) -> int:
        for job in ("renew-crls", "ocsp-responses"):
            run_job(job, self.parts, Metrics.of_process())
        return self.files.publish(utc_now())

    def path(self, certificate: x509.Certificate, of: CertIdHash = CertIdHash.SHA1) -> Path:
        issuer = self.parts.issuers.get(ISSUING).certificate
        assert issuer is not None
        serial = SerialNumber(certificate.serial_number)
        name = next(request_paths(IssuerCertIds.of(issuer), of, serial))
        return self.folder / "ocsp" / ISSUING / name


@pytest.fixture
def shop(softhsm: SoftHsm, tmp_path: Path, database: Database) -> Iterator[Shop]:
    settings = {
        "TILLID_DATABASE__URL": database.engine.url.render_as_string(hide_password=False),
        "TILLID_PUBLIC__PORT": str(quiet_port()),
    }
    with an_installation(softhsm, tmp_path / "state", **settings) as parts:
        run_job("own-certificates", parts, Metrics.of_process())
        yield Shop(parts, StaticFiles(parts, tmp_path / "files"))


def status(octets: bytes) -> ocsp.OCSPCertStatus:
    return ocsp.load_der_ocsp_response(octets).certificate_status


def test_the_files_are_what_the_records_say_and_a_second_look_writes_nothing(shop: Shop) -> None:
    good, revoked = shop.issue(), shop.issue()
    shop.revoke(revoked)
    assert shop.work() > 6
    for of in CertIdHash:
        assert status(shop.path(good, of).read_bytes()) is ocsp.OCSPCertStatus.GOOD
        assert status(shop.path(revoked, of).read_bytes()) is ocsp.OCSPCertStatus.REVOKED
    crl = x509.load_der_x509_crl((shop.folder / "crl" / "issuing.crl").read_bytes())
    assert crl.get_revoked_certificate_by_serial_number(revoked.serial_number) is not None
    for name in ("root", "issuing"):
        served = x509.load_der_x509_certificate((shop.folder / f"ca/{name}.cer").read_bytes())
        assert served == shop.parts.issuers.get(name).certificate
    assert shop.files.publish(utc_now()) == 0
    assert StaticFiles(shop.parts, shop.folder).publish(utc_now()) == 0


def test_a_change_of_status_takes_the_old_answer_away_before_there_is_a_new_one(
    shop: Shop,
) -> None:
    certificate = shop.issue()
    shop.work()
    shop.revoke(certificate)
    assert shop.files.publish(utc_now()) == 3
    assert not shop.path(certificate).exists()
    shop.work()
    assert status(shop.path(certificate).read_bytes()) is ocsp.OCSPCertStatus.REVOKED


def test_a_clock_that_was_ahead_leaves_no_old_answer_behind(shop: Shop) -> None:
    certificate = shop.issue()
    shop.work()
    shop.files.publish(utc_now() + timedelta(minutes=30))
    shop.revoke(certificate)
    shop.work()
    assert status(shop.path(certificate).read_bytes()) is ocsp.OCSPCertStatus.REVOKED


def test_what_an_interruption_or_a_power_cut_left_is_mended(shop: Shop) -> None:
    certificate = shop.issue()
    shop.work()
    path = shop.path(certificate)
    whole, time = path.read_bytes(), path.stat().st_mtime_ns
    path.write_bytes(b"")
    os.utime(path, ns=(time, time))
    (path.parent / ".1234").write_bytes(b"half")
    (shop.folder / "crl" / "issuing.crl").write_bytes(b"half")
    (shop.folder / UNAUTHORIZED).unlink()
    assert StaticFiles(shop.parts, shop.folder).publish(utc_now()) == 4
    assert path.read_bytes() == whole
    assert not (path.parent / ".1234").exists()


def test_nothing_that_has_ended_lies_there(shop: Shop) -> None:
    certificate = shop.issue()
    shop.work()
    later = utc_now() + timedelta(hours=27)
    StaticFiles(shop.parts, shop.folder).publish(later)
    assert not shop.path(certificate).exists()
    assert not (shop.folder / "crl" / "issuing.crl").exists()
    assert [p for p in (shop.folder / "ocsp").rglob("*") if p.is_file()] == []


def spellings(request: bytes) -> dict[str, str]:
    """How clients write a request in the path."""
    plain = b64encode(request).decode()
    return {
        "as it is": plain,
        "Java, NSS": urllib.parse.quote_plus(plain),
        "slashes alone": plain.replace("/", "%2F"),
        "lower case": plain.replace("+", "%2b").replace("/", "%2f").replace("=", "%3d"),
    }


def curl(url: str, *arguments: str) -> tuple[str, bytes]:
    """Status and headers as text, and the body."""
    done = subprocess.run(
        ["curl", "--silent", "--include", "--path-as-is", *arguments, url],
        capture_output=True,
        check=True,
        timeout=20,
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    return head.decode(), body


def with_slashes(shop: Shop) -> SerialNumber:
    """A serial whose request has two slashes side by side, as one in a hundred has."""
    serial = SerialNumber.random()
    while b"//" not in b64encode(request_for(shop.parts, serial)):
        serial = SerialNumber.random()
    return serial


def test_nginx_serves_every_spelling_of_a_request_and_says_how_long_it_holds(
    shop: Shop, tmp_path: Path
) -> None:
    port = quiet_port()
    certificates = [*(shop.issue() for _ in range(9)), shop.issue(with_slashes(shop))]
    shop.revoke(certificates[0])
    run_job("seal-audit-log", shop.parts, Metrics.of_process())
    shop.work()
    server = nginx_configuration(shop.folder, f"127.0.0.1:{port}", 60)
    with an_nginx(tmp_path / "nginx", port, server):
        head, body = curl(f"http://127.0.0.1:{port}/audit/checkpoint")
        assert head.startswith("HTTP/1.1 200")
        assert body == (shop.folder / "audit" / "checkpoint").read_bytes()
        assert body.startswith(b"tillid/audit\n")
        for number, certificate in enumerate(certificates):
            wanted = ocsp.OCSPCertStatus.GOOD if number else ocsp.OCSPCertStatus.REVOKED
            request = request_for(shop.parts, certificate.serial_number)
            for name, spelt in spellings(request).items():
                head, body = curl(f"http://127.0.0.1:{port}/ocsp/issuing/{spelt}")
                assert head.startswith("HTTP/1.1 200"), (name, head)
                assert "Content-Type: application/ocsp-response" in head
                assert "Cache-Control: max-age=900, public, no-transform, must-revalid" in head
                assert status(body) is wanted
        unknown = b64encode(request_for(shop.parts, 7)).decode()
        head, body = curl(f"http://127.0.0.1:{port}/ocsp/issuing/{unknown}")
        assert (head[:12], body) == ("HTTP/1.1 200", b"\x30\x03\x0a\x01\x06")
        for path, kind in (
            ("crl/issuing.crl", "application/pkix-crl"),
            ("ca/issuing.cer", "application/pkix-cert"),
            ("ca/issuing.p7c", "application/pkcs7-mime"),
        ):
            head, body = curl(f"http://127.0.0.1:{port}/{path}")
            assert f"Content-Type: {kind}" in head
            assert body == (shop.folder / path).read_bytes()
        url = f"http://127.0.0.1:{port}/ocsp/issuing"
        assert curl(url, "--data", "x")[0].startswith("HTTP/1.1 40")
        for elsewhere in ("/", "/ocsp/../../state/tillid.sqlite", f"/{UNAUTHORIZED}", "/ocsp"):
            assert curl(f"http://127.0.0.1:{port}{elsewhere}")[0].startswith("HTTP/1.1 40")


@contextmanager
def an_origin(parts: Assembly, port: int) -> Iterator[list[str]]:
    """A public node for what is posted; yields the paths."""
    app, asked = PublicApp(parts, Metrics.of_process()), list[str]()

    class _Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            found = ask(app, self.path, "POST", sent)
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), _Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


def nss_database(shop: Shop, folder: Path) -> str:
    """A database of NSS that trusts the root and knows what it signed."""
    folder.mkdir()
    where = f"sql:{folder}"
    commands = [["certutil", "-N", "-d", where, "--empty-password"]]
    for name, trust in (("root", "CT,C,C"), ("issuing", ",,")):
        file = str(shop.folder / "ca" / f"{name}.cer")
        commands.append(["certutil", "-A", "-d", where, "-n", name, "-t", trust, "-i", file])
    for command in commands:
        subprocess.run(command, capture_output=True, check=True, timeout=20)
    return where


def by_nss(where: str, certificate: Path) -> str:
    """What NSS says after it asked by GET."""
    asked = ["-u", "1", "-g", "leaf", "-m", "ocsp", "-s", "failIfNoInfo", "-a", str(certificate)]
    done = subprocess.run(
        ["vfychain", "-d", where, "-pp", *asked],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return done.stdout + done.stderr


def test_java_nss_and_openssl_are_told_the_status_with_a_node_behind_the_files(
    shop: Shop, tmp_path: Path
) -> None:
    """At the address that stands in the certificates: files for GET, the node for POST."""
    good, revoked = shop.issue(), shop.issue()
    shop.revoke(revoked)
    shop.work()
    issuer = shop.parts.issuers.get(ISSUING).certificate
    assert issuer is not None
    files = [write_pem(tmp_path / "issuing.pem", issuer)]
    files += [write_pem(tmp_path / f"{n}.pem", c) for n, c in (("g", good), ("r", revoked))]
    nss = nss_database(shop, tmp_path / "nss")
    port, behind = shop.parts.settings.public.port, quiet_port()
    server = nginx_configuration(shop.folder, f"127.0.0.1:{port}", 60, f"http://127.0.0.1:{behind}")
    with (
        an_origin(shop.parts, behind) as passed_on,
        an_nginx(tmp_path / "nginx", port, server),
    ):
        heard = subprocess.run(
            ["java", "-XX:TieredStopAtLevel=1", str(_JAVA), *map(str, files)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert heard.stdout.split() == ["good", "revoked"]
        assert "Chain is good!" in by_nss(nss, files[1])
        assert "has been revoked" in by_nss(nss, files[2])
        assert passed_on == []
        for certificate, word in zip(files[1:], ("good", "revoked"), strict=True):
            said = subprocess.run(
                [
                    *("openssl", "ocsp", "-issuer", str(files[0]), "-cert", str(certificate)),
                    *("-url", f"http://127.0.0.1:{port}/ocsp/issuing", "-CAfile", str(files[0])),
                    "-partial_chain",
                ],
                capture_output=True,
                text=True,
                check=False,
                timeout=20,
            )
            assert f"{certificate}: {word}" in said.stdout, said
            assert "Response verify OK" in said.stderr
        assert len(passed_on) == 2


@pytest.mark.parametrize(
    ("folder", "listen", "origin"),
    [("/a b", "80", ""), ("/a;b", "80", ""), ("/a", "80;", ""), ("/a", "80", "http://x{}")],
)
def test_words_that_nginx_would_read_otherwise_are_refused(
    folder: str, listen: str, origin: str
) -> None:
    with pytest.raises(MalformedRequest):
        nginx_configuration(Path(folder), listen, 60, origin)

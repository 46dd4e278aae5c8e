"""`./dev bench ocsp [--no-peer] [--no-write]`: what OCSP answers cost, into docs/performance.md.

20,000 certificates on SQLite; 4,000 different questions in turn over 32 connections that are kept
alive, to two worker processes, beside nginx with two workers and the same octets in files. All take
turns in one run.
"""

import base64
import hashlib
import http.client
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import granian
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import ocsp as x509_ocsp
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import select

from ca.identifiers import SerialNumber
from demo.processes import is_free
from hsm.softhsm import SoftHsmStore
from records.tables import ocsp_response
from revocation import der
from revocation.cert_ids import CertIdHash, IssuerCertIds
from revocation.ocsp import ResponseSigner, SingleAnswer, build_response
from revocation.preproduction import DueResponse, preproduce
from revocation.responder import OcspIssuer, OcspResponder
from revocation.status import Good
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from server.own_certificates import ocsp_policy, ocsp_responder
from server.public_ocsp import SIGN_AT_ONCE
from server.tally import HAND_OVER_SECONDS
from tests.bench.growth import load_certificates
from tests.bench.nginx_static import nginx
from tests.bench.ocsp_report import Made, Run, Way, render
from tests.bench.report import write_section
from tests.bench.workers import peer_python
from tests.bench.wrk import (
    CONNECTIONS,
    Load,
    cpu_seconds,
    family,
    get_request,
    post_request,
    run_wrk,
    write_script,
)
from tests.support.command_line import ROOT
from tests.support.installation import an_installation
from tests.support.revocation_pki import Pki
from tests.support.service import quiet_port, until
from tests.support.softhsm import SoftHsm

CERTIFICATES, QUESTIONS = 20_000, 4_000
BATCH = 500
ROUNDS, SECONDS = 3, 4
FEW = SIGN_AT_ONCE
_NONCE = der.oid("1.3.6.1.5.5.7.48.1.2")
_LIFE = timedelta(days=90)


@dataclass(frozen=True)
class Site:
    """An installation whose responses are all made ahead."""

    parts: Assembly
    environment: dict[str, str]
    serials: list[SerialNumber]

    def question(self, serial: SerialNumber, nonce: bytes = b"") -> bytes:
        """As nearly every client asks: by SHA-1."""
        record = self.parts.issuing_record()
        assert record.certificate is not None
        cert_id = IssuerCertIds.of(record.certificate).encode(CertIdHash.SHA1, serial)
        extension = b""
        if nonce:
            of = der.extension(_NONCE, der.octet_string(nonce))
            extension = der.element(der.context(2), der.sequence(of))
        return der.sequence(der.sequence(der.sequence(der.sequence(cert_id)), extension))


def path_of(question: bytes) -> str:
    return "/ocsp/issuing/" + quote(base64.b64encode(question).decode(), safe="")


@contextmanager
def a_site(folder: Path) -> Iterator[tuple[Site, Made]]:
    """20,000 certificates with their responses, and what it took to make these."""
    store = SoftHsmStore(folder / "softhsm")
    store.activate()
    state = folder / "state"
    with an_installation(SoftHsm(store), state) as parts:
        for job in ("own-certificates", "renew-crls", "publish-crls"):
            run_job(job, parts, Metrics.of_process())
        load_certificates(parts.database, CERTIFICATES, _LIFE)
        made = produce(parts)
        serials = serials_of(parts)
        environment = {
            "TILLID_STATE": str(state),
            "TILLID_HSM__SOFTHSM_DIRECTORY": str(store.directory),
            "TILLID_REGISTERS__ADAPTER": "fake",
        }
        yield Site(parts, environment, serials), made


def serials_of(parts: Assembly) -> list[SerialNumber]:
    """What can be asked about at /ocsp/issuing."""
    query = select(ocsp_response.c.serial).where(ocsp_response.c.issuer == "issuing")
    with parts.database.read() as tx:
        return [SerialNumber.from_hex(serial) for serial in tx.execute(query).scalars()]


def produce(parts: Assembly) -> Made:
    """Make every response ahead by the token, and some with a key in memory by two codecs."""
    record, now = parts.issuing_record(), utc_now()
    responder = ocsp_responder(parts, record, now)
    assert responder is not None
    cpu, wall, count = time.process_time(), time.perf_counter(), 0
    while done := preproduce(responder, parts.ocsp_responses, now, BATCH):
        count += done
    taken = time.process_time() - cpu
    return Made(2 * count, taken, time.perf_counter() - wall, *beside_the_library())


def beside_the_library() -> tuple[float, float]:
    """CPU seconds of one response with a key in memory: by our codec, and by the library's."""
    pki, now = Pki.new(), utc_now().replace(microsecond=0)
    serial, ends = SerialNumber.random(), now + timedelta(hours=1)
    ours_by = ResponseSigner.of(pki.ocsp.responder_certificate, pki.ocsp.key)
    cert_ids = IssuerCertIds.of(pki.issuing.certificate)
    subject, key = der.subject_and_key(pki.issuing.certificate)
    hashed = hashlib.sha256(subject).digest(), hashlib.sha256(key).digest()

    def by_our_own() -> None:
        cert_id = cert_ids.encode(CertIdHash.SHA256, serial)
        build_response(ours_by, now, [SingleAnswer(cert_id, Good(), now, ends)], None)

    def by_the_library() -> None:
        builder = x509_ocsp.OCSPResponseBuilder().add_response_by_hash(
            *hashed,
            serial,
            hashes.SHA256(),
            x509_ocsp.OCSPCertStatus.GOOD,
            now,
            ends,
            None,
            None,
        )
        signer = pki.ocsp.responder_certificate
        builder = builder.responder_id(x509_ocsp.OCSPResponderEncoding.HASH, signer)
        builder = builder.certificates([signer])
        builder.sign(pki.ocsp.key, hashes.SHA256()).public_bytes(Encoding.DER)

    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_cpu(by_our_own, 500))
        theirs.append(_cpu(by_the_library, 500))
    return statistics.median(ours), statistics.median(theirs)


def alone(site: Site, signer: Path) -> float:
    """CPU seconds of one answer with a nonce, key in memory, by a thread that does nothing else."""
    key = load_pem_private_key((signer / "key.pem").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    certificate = x509.load_pem_x509_certificate((signer / "certificate.pem").read_bytes())
    record = site.parts.issuing_record()
    assert record.certificate is not None
    issuer = OcspIssuer(record.name, record.certificate, certificate, key)
    responder = OcspResponder(issuer, site.parts.statuses, ocsp_policy(site.parts.settings, record))
    cert_ids, now = IssuerCertIds.of(record.certificate), utc_now()
    ready = responder.produce(DueResponse(site.serials[0], 0, Good()), now)
    statement = responder.statement(ready.bodies[CertIdHash.SHA1], ready.life)
    assert statement is not None
    asked = [site.question(each, secrets.token_bytes(16)) for each in site.serials[:500]]
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for each in asked:
            found = cert_ids.recognise_nonced(each)
            assert found is not None
            responder.with_nonce(statement, found[1], utc_now())
        taken.append((time.process_time() - began) / len(asked))
    return statistics.median(taken)


def _cpu(act: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - began) / times


@contextmanager
def listening(command: Sequence[str], environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """A public listener with two workers; yields its port and its process id."""
    port = quiet_port()
    settings = {
        "TILLID_PUBLIC__PORT": str(port),
        "TILLID_PUBLIC__WORKERS": "2",
        "TILLID_OCSP__SIGNATURES_PER_SECOND": "1000000",
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen(command, env={**os.environ, **environment, **settings})
    try:
        until("the listener", lambda: not is_free(port))
        time.sleep(1)  # noqa: TID251 - the second worker
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def as_served() -> list[str]:
    return [sys.executable, "-m", "server.public_process", str(os.getpid())]


def a_software_signer(site: Site, folder: Path) -> Path:
    """A key in memory that the issuer delegated to, in two files."""
    issuing, key, now = site.parts.issuing(), ec.generate_private_key(ec.SECP256R1()), utc_now()
    assert issuing.certificate is not None
    assert isinstance(issuing.key, ec.EllipticCurvePrivateKey)
    usage = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.OCSP_SIGNING])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "OCSP")]))
        .issuer_name(issuing.certificate.subject)
        .public_key(key.public_key())
        .serial_number(SerialNumber.random())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(usage, critical=False)
        .sign(issuing.key, hashes.SHA256())
    )
    folder.mkdir()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return folder


@contextmanager
def a_peer(folder: Path) -> Iterator[Way]:
    """django-ca with two workers, asked about one certificate."""
    folder.mkdir()
    port, packages = quiet_port(), Path(granian.__file__).parents[1]
    program = str(ROOT / "tests" / "bench" / "django_ca_ocsp.py")
    command = [str(peer_python()), program, str(folder), str(port), str(packages)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        until("django-ca", lambda: not is_free(port))
        issuer = x509.load_pem_x509_certificate(told["issuer"].encode())
        serial = SerialNumber.from_hex(told["serial"])
        cert_id = IssuerCertIds.of(issuer).encode(CertIdHash.SHA256, serial)
        question = der.sequence(der.sequence(der.sequence(der.sequence(cert_id))))
        read = x509_ocsp.load_der_ocsp_response(answered(port, question, told["path"]))
        assert read.certificate_status is x509_ocsp.OCSPCertStatus.GOOD
        script = write_script(folder, "peer", [post_request(told["path"], question)])
        name = "django-ca as it is set up, signing with a key in a file"
        yield Way(name, loaded((port, process.pid), script))
    finally:
        process.terminate()
        process.wait()


Measure = Callable[[], tuple[Load, float]]


def loaded(at: tuple[int, int], script: Path, connections: int = CONNECTIONS) -> Measure:
    """One run of wrk against a server, and the CPU seconds of a request there."""
    port, process = at

    def measure() -> tuple[Load, float]:
        pids = family(process)
        before = cpu_seconds(pids)
        load = run_wrk(port, script, SECONDS, connections)
        return load, (cpu_seconds(pids) - before) / load.requests

    return measure


def signing(at: tuple[int, int], script: Path, state: Path) -> Measure:
    """As `loaded`, over so few connections that a worker signs nearly every answer."""
    measure_load = loaded(at, script, FEW)

    def measure() -> tuple[Load, float]:
        before = signed(state)
        load, cpu = measure_load()
        time.sleep(2 * HAND_OVER_SECONDS)  # noqa: TID251 - the workers tell their counts
        assert signed(state) - before > 0.98 * load.requests
        return load, cpu

    return measure


def signed(state: Path) -> float:
    """How many answers all workers of an installation have signed."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(state / "metrics"))  # type: ignore[no-untyped-call]
    found = registry.get_sample_value("tillid_ocsp_answers_total", {"answer": "signed"})
    return found or 0.0


def scripts_for(folder: Path, site: Site) -> dict[str, Path]:
    """What wrk sends, by name."""
    asked = [site.question(serial) for serial in site.serials]
    some = asked[:QUESTIONS]
    with_nonce = [site.question(each, secrets.token_bytes(16)) for each in site.serials[:QUESTIONS]]
    requests = {
        "get": [get_request(path_of(each)) for each in some],
        "post": [post_request("/ocsp/issuing", each) for each in some],
        "all": [post_request("/ocsp/issuing", each) for each in asked],
        "nonce": [post_request("/ocsp/issuing", each) for each in with_nonce],
        "files": [get_request(f"/{number}") for number in range(QUESTIONS)],
    }
    return {name: write_script(folder, name, each) for name, each in requests.items()}


def measure(folder: Path, *, with_peer: bool = True) -> Run:
    """All in turns."""
    with ExitStack() as stack:
        site, made = stack.enter_context(a_site(folder))
        state = Path(site.environment["TILLID_STATE"])
        scripts = scripts_for(folder, site)
        small = {"TILLID_OCSP__MEMORY_MEBIBYTES": "1"}
        warm = stack.enter_context(listening(as_served(), site.environment))
        cold = stack.enter_context(listening(as_served(), site.environment | small))
        program = str(ROOT / "tests" / "bench" / "ocsp_worker.py")
        signer = str(a_software_signer(site, folder / "signer"))
        command = [sys.executable, program, signer]
        soft = stack.enter_context(listening(command, site.environment))
        for port in (warm[0], soft[0]):
            check(site, port)
        bodies = [answered(warm[0], site.question(each)) for each in site.serials[:QUESTIONS]]
        static = stack.enter_context(nginx(folder / "nginx", bodies))
        floor = Way("nginx, the same octets from files", loaded(static, scripts["files"]))
        nonce = scripts["nonce"]
        paths = [
            Way("made ahead, in memory, GET", loaded(warm, scripts["get"]), 0.6, 10),
            Way("made ahead, in memory, POST", loaded(warm, scripts["post"]), 0.5, 10),
            Way("made ahead, not in memory, POST", loaded(cold, scripts["all"])),
            Way("signed with a nonce, key in memory", signing(soft, nonce, state), 0.2),
            Way("signed with a nonce, in the token", signing(warm, nonce, state), 0.11),
        ]
        peer = stack.enter_context(a_peer(folder / "django-ca")) if with_peer else None
        take_turns([floor, *paths, *([peer] if peer else [])])
        return Run(floor, paths, peer, made, alone(site, Path(signer)), CERTIFICATES, QUESTIONS)


def answered(port: int, question: bytes, path: str = "/ocsp/issuing") -> bytes:
    """The answer of a listener by POST."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", path, question, {"Content-Type": "application/ocsp-request"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200
    return body


def check(site: Site, port: int) -> None:
    """What is measured is a good answer with the nonce in it, not an error."""
    question = site.question(site.serials[0], secrets.token_bytes(16))
    read = x509_ocsp.load_der_ocsp_response(answered(port, question))
    assert read.certificate_status is x509_ocsp.OCSPCertStatus.GOOD
    assert read.extensions.get_extension_for_class(x509.OCSPNonce)
    assert read.serial_number == site.serials[0]


def take_turns(ways: list[Way]) -> None:
    for number in range(ROUNDS + 1):
        for way in ways:
            load, cpu = way.measure()
            assert (load.refused, load.broken) == (0, 0), (way.name, load)
            if number:  # the first round warms up
                way.taken.append((load, cpu))
        print(f"round {number} of {ROUNDS}", file=sys.stderr)


def main(arguments: list[str]) -> int:
    """Measure, print the tables and write them into docs/performance.md."""
    unknown = set(arguments) - {"--no-peer", "--no-write"}
    if unknown:
        print(f"bench ocsp: there is no {unknown.pop()}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), with_peer="--no-peer" not in arguments)
    text = render(found)
    print(text)
    if "--no-write" not in arguments:
        write_section("ocsp", text)
    return 0

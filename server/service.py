"""`tillid serve`: one process for officers and jobs, and worker processes for the public.

The staff listener is cheroot, which hands the client certificate to the application. The public
listener is granian in a child process; it dies with its parent, whatever ends the parent.
"""

import fcntl
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from threading import Event, Thread

from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server
from cryptography.hazmat.primitives.serialization import Encoding

from audit.errors import ClockBehind
from ca.errors import CaError
from hsm.errors import HsmError
from records.errors import RecordsError
from revocation.errors import RevocationError
from server.assembly import Assembly, assembled
from server.clock import utc_now
from server.erasure_nights import forget_tonight
from server.errors import AlreadyServing, IssuerOffline, ServiceFailed
from server.held_pins import forbid_core_dumps
from server.job_loop import JobLoop
from server.jobs import JOBS, run_job, try_job
from server.logs import get_logger, log_to, record_unforeseen
from server.metrics import Metrics, share_under
from server.own_certificates import ensure_staff_listener
from server.settings import Settings
from server.settings_types import local_url
from server.staff import staff_app
from server.token_places import pin_descriptors
from server.vault import check_roots

_READY_SECONDS = 30
_STOP_SECONDS = 10
_STAFF_THREADS = 16
_TRUST_SECONDS = 3
_RENEW_SECONDS = 60
_FIRST_JOBS = ("close-intents", "own-certificates", "renew-crls", "publish-crls")

# What may be gone at another time; ssl.SSLError is an OSError, and a damaged key is a ValueError.
_IN_THE_WAY = (
    RecordsError,
    CaError,
    RevocationError,
    HsmError,
    IssuerOffline,
    ClockBehind,
    OSError,
    ValueError,
)

ToldToStop = Callable[[], bool]
Ready = Callable[[], None]


def serve(settings: Settings, is_told_to_stop: ToldToStop, ready: Ready) -> None:
    """Run both listeners and the jobs until told to stop; on a public node, that listener alone.

    What a signal handler sets is only looked at, never waited on: an Event whose lock the
    interrupted thread holds would wait for itself for ever.

    Raises:
        AlreadyServing: another process serves from this state directory.
        ServiceFailed: a listener did not come up, or the public one ended by itself.
        DatabaseUnavailable, HsmError, IssuerOffline: a part is not there.
    """
    forbid_core_dumps()
    with ExitStack() as stack:
        stack.enter_context(log_to(settings.state, "serve", settings.logs.level))
        stack.enter_context(_pid_file(settings.state / "serve.pid"))
        share_under(settings.state / "metrics", fresh=True)
        _check_free(settings)
        parts = stack.enter_context(assembled(settings))
        metrics = Metrics.of_process()
        run = _serve_public if settings.public.only else _serve_all
        run(parts, metrics, is_told_to_stop, ready)


def _serve_all(
    parts: Assembly, metrics: Metrics, is_told_to_stop: ToldToStop, ready: Ready
) -> None:
    settings = parts.settings
    with ExitStack() as stack:
        online = [record for record in parts.issuers.all() if not record.is_root]
        parts.tokens.check_keys((record.token, record.key_label) for record in online)
        check_roots(parts.vault.keys)
        for name in _FIRST_JOBS:
            try_job(name, parts, metrics)
        staff = _staff_server(parts, metrics)
        stack.callback(staff.stop)
        threading.excepthook = lambda args: _record_thread(settings.state, args)
        Thread(target=staff.serve, name="staff", daemon=True).start()
        public = _start_public(settings)
        stack.callback(_stop_process, public)
        _wait_until_ready(settings, public, is_told_to_stop)
        jobs_stop = Event()
        jobs = Thread(target=JobLoop(parts, metrics).run, args=[jobs_stop], name="jobs")
        jobs.start()
        stack.callback(jobs.join)
        stack.callback(jobs_stop.set)
        get_logger("serve").info("serve.ready", pid=os.getpid())
        ready()
        pause, looked_at, renewed_at = Event(), time.monotonic(), time.monotonic()
        while not is_told_to_stop():
            pause.wait(0.2)
            if time.monotonic() - looked_at > _TRUST_SECONDS:
                looked_at = time.monotonic()
                _try_to_trust(parts, staff)
            if time.monotonic() - renewed_at > _RENEW_SECONDS:
                renewed_at = time.monotonic()
                _try_to_renew(parts, staff)
            if public.poll() is not None:
                raise ServiceFailed("the public listener ended", settings.state / "logs")
            if not jobs.is_alive():
                raise ServiceFailed("the jobs ended", settings.state / "logs")
        get_logger("serve").info("serve.stopping", pid=os.getpid())


def _serve_public(
    parts: Assembly, metrics: Metrics, is_told_to_stop: ToldToStop, ready: Ready
) -> None:
    """The public listener alone, with the CRLs written from the records; nothing is recorded."""
    settings = parts.settings
    _try_to_publish(parts, metrics)
    with ExitStack() as stack:
        public = _start_public(settings)
        stack.callback(_stop_process, public)
        _wait_until_ready(settings, public, is_told_to_stop)
        get_logger("serve").info("serve.ready", pid=os.getpid())
        ready()
        pause, published_at = Event(), time.monotonic()
        while not is_told_to_stop():
            pause.wait(0.2)
            if time.monotonic() - published_at > settings.jobs.tick_seconds:
                published_at = time.monotonic()
                _try_to_publish(parts, metrics)
            if public.poll() is not None:
                raise ServiceFailed("the public listener ended", settings.state / "logs")
        get_logger("serve").info("serve.stopping", pid=os.getpid())


def _try_to_publish(parts: Assembly, metrics: Metrics) -> None:
    """Write the CRLs that this node lacks; what is in the way is told, and may be gone later."""
    try:
        try_job("publish-crls", parts, metrics)
    except _IN_THE_WAY as error:
        get_logger("serve").error("serve.crls_unwritten", exc_info=error)


@contextmanager
def _pid_file(path: Path) -> Iterator[None]:
    """Keep the process id in a file, locked for as long as the process lives.

    A file that a killed process left behind is in nobody's way, whoever has its number now.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyServing(file.read(20).strip(), path) from None
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate()


class _StaffServer(Server):
    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - cheroot's signature
        """What cheroot would print: that it happened, without its text."""
        get_logger("staff").warning("staff.connection")


def _staff_server(parts: Assembly, metrics: Metrics) -> Server:
    chain, key = ensure_staff_listener(parts, utc_now())
    adapter = BuiltinSSLAdapter(str(chain), str(key))
    # A client may come without a certificate (applicants, pages by link); one that is presented
    # must be ours, and is looked up in the records at every request.
    adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
    adapter.context.verify_mode = ssl.CERT_OPTIONAL
    _trust_issuers(parts, adapter.context)
    staff = parts.settings.staff
    address = (staff.host, staff.port)
    server = _StaffServer(address, staff_app(parts, metrics), numthreads=_STAFF_THREADS)
    server.ssl_adapter = adapter
    try:
        server.prepare()
    except OSError as error:
        raise _port_taken(parts.settings, staff.host, staff.port, error) from None
    return server


def _try_to_trust(parts: Assembly, staff: Server) -> None:
    """Look for issuers that were made since; what is in the way may be gone another time."""
    try:
        _trust_issuers(parts, staff.ssl_adapter.context)
    except _IN_THE_WAY as error:
        get_logger("serve").warning("serve.issuers_unread", exc_info=error)


def _try_to_renew(parts: Assembly, staff: Server) -> None:
    """Renew the listener's certificate in good time; who connects from then on is shown it."""
    try:
        chain, key = ensure_staff_listener(parts, utc_now())
        staff.ssl_adapter.context.load_cert_chain(chain, key)
    except _IN_THE_WAY as error:
        get_logger("serve").warning("serve.certificate_kept", exc_info=error)


def _trust_issuers(parts: Assembly, context: ssl.SSLContext) -> None:
    """Let clients present certificates of every issuer there is now; those known stay trusted."""
    pem = "".join(
        each.certificate.public_bytes(Encoding.PEM).decode()
        for record in parts.issuers.all()
        for each in record.certificates
    )
    context.load_verify_locations(cadata=pem)


def _check_free(settings: Settings) -> None:
    """Refuse a public port that another program has: granian would share it with one of its kind.

    Raises: ServiceFailed.
    """
    host, port = settings.public.host, settings.public.port
    try:
        socket.create_server((host, port), family=_family(host)).close()
    except OSError as error:
        raise _port_taken(settings, host, port, error) from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _port_taken(settings: Settings, host: str, port: int, error: OSError) -> ServiceFailed:
    return ServiceFailed(
        f"nothing can listen on {host}:{port} ({error.strerror or error})",
        settings.state / "logs",
    )


def _start_public(settings: Settings) -> "subprocess.Popen[bytes]":
    log = settings.state / "logs" / "public-process.log"
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "server.public_process", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=pin_descriptors(settings.hsm),
            env=os.environ | {"TILLID_STATE": str(settings.state), "PYTHONPATH": _our_path()},
        )


def _our_path() -> str:
    """Where the packages of this process are: it may have been started from anywhere."""
    root = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))


def _stop_process(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_ready(
    settings: Settings, public: "subprocess.Popen[bytes]", is_told_to_stop: Callable[[], bool]
) -> None:
    url = local_url("http", settings.public.host, settings.public.port) + "/readyz"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _READY_SECONDS
    while not is_told_to_stop():
        if public.poll() is not None or time.monotonic() > deadline:
            raise ServiceFailed(
                f"the public listener did not come up on port {settings.public.port}",
                settings.state / "logs" / "public-process.log",
            )
        try:
            with direct.open(url, timeout=2) as answer:
                if answer.status == HTTPStatus.OK:
                    return
        except OSError:
            Event().wait(0.1)


def _record_thread(state: Path, args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        record_unforeseen(state, args.exc_value)


def jobs_by_hand(parts: Assembly, names: tuple[str, ...], *, again: bool = False) -> dict[str, int]:
    """Run the named jobs now in this process; how much each did.

    `again`: also what is done once a night, and was done tonight.
    """
    names = names or tuple(JOBS)
    for name in names if again else ():
        forget_tonight(parts, name, utc_now())
    # What this process counts it keeps to itself: a file for each call would stay for ever.
    metrics = Metrics.of_process()
    return {name: run_job(name, parts, metrics) for name in names}

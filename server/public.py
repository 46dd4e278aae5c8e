"""The public listener: OCSP, CRLs, CA certificates and health, as one bare WSGI callable.

No framework stands in its way: relying parties ask here millions of times (RFC 6960 appendix A,
RFC 5019 section 5, RFC 5280 section 4.2.1.13).
"""

import os
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from ca.identifiers import IssuerName
from ca.issuers import IssuerRecord
from hsm.errors import HsmError
from records.errors import NotFound, RecordsError
from revocation.ocsp import MAX_REQUEST_OCTETS
from revocation.publication import COMPLETE, DELTA
from server.assembly import Assembly, assembled
from server.clock import utc_now
from server.logs import get_logger, log_to, record_unforeseen
from server.metrics import Metrics, share_under
from server.public_answer import NOT_FOUND, Answer, Sent, not_allowed
from server.public_audit import PublicCheckpoint
from server.public_bodies import Bodies, TooManyWaiting
from server.public_crl import KIND as CRL_KIND
from server.public_crl import CrlFiles, read_address
from server.public_ocsp import (
    INTERNAL_ERROR,
    SIGN_AT_ONCE,
    TRY_LATER,
    PublicOcsp,
    Said,
)
from server.public_process import die_with_parent
from server.public_responses import HeldResponses, Question
from server.public_store import SEARCH, PublicStore
from server.readiness import what_is_lacking
from server.settings_sources import load_settings
from server.signing_budget import SigningBudget
from server.tally import HAND_OVER_SECONDS, Tally

# What is known of an issuer is asked for anew now and then; an unknown one at every request.
_ISSUER_KNOWN_FOR = timedelta(seconds=5)
_READY_SECONDS = 1.0
_TELL_EVERY = timedelta(seconds=10)
_NEVER = datetime.min.replace(tzinfo=UTC)

if TYPE_CHECKING:
    from server.check_page import CheckPage
    from server.privacy_page import PrivacyPage
    from server.revoke_page import RevokePage

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


_LATER = Answer(
    "503 Service Unavailable",
    b"something this needs is not there now\n",
    headers=(("Retry-After", "5"), ("Cache-Control", "no-store")),
)
_OCSP_OK = ("public", "/ocsp", "200")
_HELD = "held"


class PublicApp:
    """The WSGI callable of one worker process."""

    def __init__(self, parts: Assembly, metrics: Metrics) -> None:
        """Nothing is known yet."""
        of = parts.settings.ocsp
        self.parts = parts
        self.metrics = metrics
        self.requests = Tally(metrics.requests)
        self.answers = Tally(metrics.ocsp_answers)
        self.bodies = Bodies()
        self.held = HeldResponses(of.memory_mebibytes << 20)
        budget = SigningBudget(of.signatures_per_second, SIGN_AT_ONCE)
        self.ocsp = PublicOcsp(parts, self._issuer, self._tell, self.held, budget)
        self._issuers: dict[str, tuple[datetime, IssuerRecord]] = {}
        self._crls = CrlFiles()
        self._store = PublicStore(parts)
        self._checkpoint = PublicCheckpoint(parts)
        self._told = _NEVER
        self._ready_lock, self._ready_at = Lock(), float("-inf")
        self._ready_answer = _LATER
        self._pages: dict[str, CheckPage | PrivacyPage | RevokePage] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; a fault of ours shows nothing of the inside."""
        path = str(environ["PATH_INFO"])
        if path == "/ocsp" or path.startswith("/ocsp/"):
            return self._ocsp(environ, path, start_response)
        try:
            route, answer = self._route(environ)
        except (RecordsError, HsmError) as error:
            self._tell(error)
            route, answer = "/fault", _LATER
        except Exception as error:  # noqa: BLE001 - the outermost edge of a worker
            reference = record_unforeseen(self.parts.settings.state, error)
            body = f"a fault of ours; tell the operator {reference}\n".encode()
            route, answer = "/fault", Answer("500 Internal Server Error", body)
        return self._say(environ, route, answer, start_response)

    def _say(
        self, environ: Environ, route: str, answer: Answer, start_response: StartResponse
    ) -> Iterable[bytes]:
        self.requests.add(("public", route, answer.status[:3]))
        headers = list(answer.headers)
        if not answer.status.startswith("304"):  # RFC 9110 section 8.6
            headers += [("Content-Type", answer.kind), ("Content-Length", str(len(answer.body)))]
        start_response(answer.status, headers)
        body = answer.body
        if environ["REQUEST_METHOD"] != "HEAD":
            return [body] if isinstance(body, bytes) else body
        if isinstance(body, Sent):
            body.close()
        return []

    def _ocsp(self, environ: Environ, path: str, start_response: StartResponse) -> Iterable[bytes]:
        """The way that relying parties take all day comes first."""
        method, body = environ["REQUEST_METHOD"], b""
        question: Question | None = path if method == "GET" else None
        try:
            if method == "POST":
                body = self.bodies.read(environ, MAX_REQUEST_OCTETS)
                question = path, body
            held: Said | None = None if question is None else self.held.get(question, utc_now())
            kind, answer = _HELD, held
            if answer is None:
                kind, answer = self._asked_anew(method, path, body)
        except TooManyWaiting:
            kind, answer = TRY_LATER
        self.answers.add((kind,))
        if isinstance(answer, Answer):
            return self._say(environ, "/ocsp", answer, start_response)
        self.requests.add(_OCSP_OK)
        start_response("200 OK", answer.headers.copy())
        return [] if method == "HEAD" else [answer.body]

    def _asked_anew(self, method: str, path: str, body: bytes) -> tuple[str, Said]:
        try:
            return self.ocsp.answer(method, path, body)
        except Exception as error:  # noqa: BLE001 - the outermost edge of a worker
            record_unforeseen(self.parts.settings.state, error)
            return INTERNAL_ERROR

    def hand_over(self, stop: Event) -> None:
        """Hand over what was counted, again and again until told to stop."""
        while not stop.wait(HAND_OVER_SECONDS):
            self.requests.hand_over()
            self.answers.hand_over()

    def _route(self, environ: Environ) -> tuple[str, Answer]:
        place, _, rest = str(environ["PATH_INFO"])[1:].partition("/")
        method = environ["REQUEST_METHOD"]
        if place in {"check", "privacy", "revoke"}:
            return f"/{place}", self._for_people(environ, place, rest)
        routes: dict[str, Callable[[Environ, str], Answer]] = {
            "healthz": _alive,
            "readyz": self._ready,
            "crl": self._crl,
            "ca": self._ca,
            "certificates": self._search,
            "crls": self._search_crl,
            "audit": self._checkpoint,
        }
        if place not in routes or (rest and place in {"healthz", "readyz"}):
            return "/other", NOT_FOUND
        if method not in {"GET", "HEAD"}:
            return f"/{place}", not_allowed("GET, HEAD")
        return f"/{place}", routes[place](environ, rest)

    def _tell(self, error: Exception) -> None:
        """Log an outage, at most once in a while: each request meets it."""
        now = utc_now()
        if abs(now - self._told) > _TELL_EVERY:
            self._told = now
            get_logger("public").error("public.unavailable", exc_info=error)

    def _for_people(self, environ: Environ, place: str, rest: str) -> Answer:
        """The pages for people; what they need is loaded when somebody opens one."""
        from server import check_page, privacy_page, revoke_page  # noqa: PLC0415 - most workers need neither

        if not self._pages:
            self._pages["check"] = check_page.CheckPage(self.parts)
            self._pages["privacy"] = privacy_page.PrivacyPage(self.parts)
            self._pages["revoke"] = revoke_page.RevokePage(self.parts)
        method = environ["REQUEST_METHOD"]
        if method not in {"GET", "HEAD", "POST"}:
            return not_allowed("GET, HEAD, POST")
        if method == "POST":
            most = max(check_page.MAX_OCTETS, privacy_page.MAX_OCTETS)
            try:
                body = self.bodies.read(environ, most)
            except TooManyWaiting:
                return _LATER
            # One that is sent in chunks does not say how long it is.
            length = environ.get("CONTENT_LENGTH") or str(len(body))
            environ = environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": length}
        found = self._pages[place].answer(environ, rest)
        if found is None:
            return NOT_FOUND
        status, answer, kind = found
        return Answer(status, answer, kind, check_page.HEADERS)

    def _ready(self, _: Environ, __: str) -> Answer:
        """Every issuer with a key has its CRLs in force, and its responder can sign.

        Anybody may ask, so one look serves for a second.
        """
        with self._ready_lock:
            if time.monotonic() - self._ready_at > _READY_SECONDS:
                self._ready_answer = self._look_whether_ready()
                self._ready_at = time.monotonic()
            return self._ready_answer

    def _look_whether_ready(self) -> Answer:
        now = utc_now()
        try:
            lacking = what_is_lacking(
                self.parts,
                lambda record: self._has_crls(record, now),
                lambda record: self.ocsp.responder(record, now) is not None,
            )
        except Exception as error:  # noqa: BLE001 - readiness is a question with a yes or no
            self._tell(error)
            lacking = ["the database or the token does not answer"]
        if lacking:
            return Answer("503 Service Unavailable", "\n".join(lacking).encode() + b"\n")
        return Answer("200 OK", b"ready\n")

    def _has_crls(self, record: IssuerRecord, now: datetime) -> bool:
        """Whether its complete CRL is in force, and every shard that certificates name."""
        shards = (COMPLETE, *self.parts.crls.shards(record.name))
        files = (self.parts.crl_file(record.name, shard) for shard in shards)
        return all(self._crls.in_force(file, now) is not None for file in files)

    def _ca(self, _: Environ, rest: str) -> Answer:
        """The newest certificate of an issuer's key, or all of them (RFC 5280 section 4.2.2.1)."""
        name, dot, form = rest.rpartition(".")
        record = self._issuer(name) if dot and form in {"cer", "p7c"} else None
        if record is None or record.certificate is None:
            return NOT_FOUND
        if form == "p7c":
            every = [each.certificate for each in reversed(record.certificates)]
            body = pkcs7.serialize_certificates(every, Encoding.DER)
            return Answer("200 OK", body, "application/pkcs7-mime")
        body = record.certificate.public_bytes(Encoding.DER)
        return Answer("200 OK", body, "application/pkix-cert")

    def _crl(self, environ: Environ, rest: str) -> Answer:
        """A CRL of an issuer: the complete one, its delta, or one shard."""
        name, shard = read_address(rest)
        if shard is None or self._issuer(name) is None:
            return NOT_FOUND
        path = self.parts.crl_file(IssuerName(name), shard)
        found = self._crls.answer(path, environ, utc_now())
        if found is None and not self._is_made(name, shard):
            return NOT_FOUND
        if found is None:
            return Answer(
                "503 Service Unavailable",
                b"no CRL is in force; a new one is being made\n",
                headers=(("Retry-After", "30"),),
            )
        return Answer(found.status, found.body or b"", CRL_KIND, found.headers)

    def _search(self, environ: Environ, rest: str) -> Answer:
        """Certificates by a hash (RFC 4387)."""
        if rest != SEARCH:
            return NOT_FOUND
        return self._store.certificates(str(environ.get("QUERY_STRING", "")), utc_now())

    def _search_crl(self, environ: Environ, rest: str) -> Answer:
        """The CRL of an issuer by a hash (RFC 4387)."""
        if rest != SEARCH:
            return NOT_FOUND
        found = self._store.issuer_of_crl(str(environ.get("QUERY_STRING", "")))
        if isinstance(found, Answer):
            return found
        return NOT_FOUND if found is None else self._crl(environ, f"{found}.crl")

    def _is_made(self, name: str, shard: int) -> bool:
        """Whether an issuer has, or is to have, this list."""
        record = self._issuer(name)
        if record is None or shard == DELTA:
            return record is not None and record.policy.crl_deltas
        return shard in {COMPLETE, *self.parts.crls.shards(record.name)}

    def _issuer(self, name: str) -> IssuerRecord | None:
        """The issuer of that name, if it has a certificate."""
        now = utc_now()
        kept = self._issuers.get(name)
        if kept is not None and abs(now - kept[0]) < _ISSUER_KNOWN_FOR:
            return kept[1]
        try:
            record = self.parts.issuers.get(IssuerName(name))
        except (NotFound, ValueError):
            return None
        if record.certificate is None:
            return None
        self._issuers[name] = (now, record)
        return record


def make_app() -> PublicApp:
    """The app of one worker process, made from the environment after the process was forked."""
    die_with_parent(os.getppid())
    settings = load_settings(os.environ, Path.cwd())
    share_under(settings.state / "metrics")
    # Both stay open for the life of the worker, which ends without unwinding.
    log_to(settings.state, "public", settings.logs.level).__enter__()
    parts = assembled(settings).__enter__()
    metrics = Metrics.of_process()
    # The job that shows the standbys runs in another process, with tokens of its own.
    parts.tokens.standby_changed = lambda label, used: metrics.standby_in_use.labels(label).set(
        used
    )
    app = PublicApp(parts, metrics)
    threading.excepthook = lambda args: end_worker(settings.state, args.exc_value)
    never = Event()
    for name, work in (
        ("follow", lambda: app.held.follow(parts.ocsp_responses, never)),
        ("counts", lambda: app.hand_over(never)),
        ("bodies", lambda: app.bodies.watch(settings.public.port, never)),
    ):
        Thread(target=work, name=name, daemon=True).start()
    return app


def end_worker(state: Path, error: BaseException | None) -> None:
    """End this process when a thread of it ended: without them it would answer and count wrongly.

    The listener starts another worker, and ends if that one fails at once as well.
    """
    try:
        if error is not None:
            record_unforeseen(state, error)
    finally:
        os._exit(1)


def _alive(_: Environ, __: str) -> Answer:
    return Answer("200 OK", b"alive\n")

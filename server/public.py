"""The public listener: OCSP, CRLs, CA certificates and health, as one bare WSGI callable.

No framework stands in its way: relying parties ask here millions of times (RFC 6960 appendix A,
RFC 5019 section 5, RFC 5280 section 4.2.1.13).
"""

import os
import urllib.parse
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from ca.identifiers import IssuerName
from ca.issuers import IssuerRecord, IssuerState
from hsm.errors import HsmError
from records.errors import NotFound, RecordsError
from revocation.cert_ids import IssuerCertIds
from revocation.errors import StatusUnavailable
from revocation.ocsp import ResponseStatus, error_response
from revocation.preproduction import Life, PreproducedResponse, find_response
from revocation.publication import COMPLETE, DELTA
from revocation.responders import OcspResponders
from server.assembly import Assembly, assembled
from server.clock import utc_now
from server.logs import get_logger, log_to, record_unforeseen
from server.metrics import Metrics, share_under
from server.own_certificates import ocsp_responder
from server.public_bodies import Bodies, TooManyWaiting
from server.public_crl import KIND as CRL_KIND
from server.public_crl import CrlFiles, Sent, http_date, read_address
from server.public_process import die_with_parent
from server.public_responses import Held, HeldResponses
from server.settings_sources import load_settings

_MAX_REQUEST = 4096
# What is known of an issuer is asked for anew now and then; an unknown one at every request.
_KNOWN_FOR = timedelta(minutes=5)
_ISSUER_KNOWN_FOR = timedelta(seconds=5)
_TELL_EVERY = timedelta(seconds=10)
_NEVER = datetime.min.replace(tzinfo=UTC)

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


@dataclass(frozen=True, slots=True)
class Answer:
    """Status line, headers and body of one answer."""

    status: str
    body: bytes | Sent = b""
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


NOT_FOUND = Answer("404 Not Found", b"there is nothing at this address\n")
_LATER = Answer(
    "503 Service Unavailable",
    b"something this needs is not there now\n",
    headers=(("Retry-After", "5"), ("Cache-Control", "no-store")),
)
_OCSP = "application/ocsp-response"
# Of a retired issuer, whose last CRL says it all (RFC 6960 section 2.3).
_UNAUTHORIZED = error_response(ResponseStatus.UNAUTHORIZED)
_TRY_LATER = error_response(ResponseStatus.TRY_LATER)


@dataclass(slots=True)
class PublicApp:
    """The WSGI callable of one worker process."""

    parts: Assembly
    metrics: Metrics
    _issuers: dict[str, tuple[datetime, IssuerRecord]] = field(default_factory=dict)
    _responders: dict[str, tuple[datetime, OcspResponders]] = field(default_factory=dict)
    _crls: CrlFiles = field(default_factory=CrlFiles)
    held: HeldResponses = field(default_factory=HeldResponses)
    bodies: Bodies = field(default_factory=Bodies)
    _told: datetime = _NEVER

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; a fault of ours is a plain 500 with nothing of the inside."""
        try:
            route, answer = self._route(environ)
        except (RecordsError, HsmError) as error:
            self._tell(error)
            route, answer = "/fault", _LATER
        except Exception as error:  # noqa: BLE001 - the outermost edge of a worker
            reference = record_unforeseen(self.parts.settings.state, error)
            said = f"a fault of ours; tell the operator {reference}\n".encode()
            route, answer = "/fault", Answer("500 Internal Server Error", said)
        self.metrics.requests.labels("public", route, answer.status[:3]).inc()
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

    def _route(self, environ: Environ) -> tuple[str, Answer]:
        # PATH_INFO is decoded once by the server: what follows the issuer's name is taken raw.
        place, _, rest = str(environ["PATH_INFO"])[1:].partition("/")
        method = environ["REQUEST_METHOD"]
        if place == "ocsp":
            return "/ocsp", self._ocsp(environ, method, rest)
        routes = {"healthz": _alive, "readyz": self._ready, "crl": self._crl, "ca": self._ca}
        if place not in routes or (rest and place in {"healthz", "readyz"}):
            return "/other", NOT_FOUND
        if method not in {"GET", "HEAD"}:
            return f"/{place}", _not_allowed("GET, HEAD")
        return f"/{place}", routes[place](environ, rest)

    def _tell(self, error: Exception) -> None:
        """Log an outage, at most once in a while: each request meets it."""
        now = utc_now()
        if abs(now - self._told) > _TELL_EVERY:
            self._told = now
            get_logger("public").error("public.unavailable", exc_info=error)

    def _ready(self, _: Environ, __: str) -> Answer:
        """Every issuer with a key has a CRL that is in force, and its responder can sign."""
        now = utc_now()
        try:
            lacking = [
                f"{record.name}: no CRL in force"
                for record in self.parts.issuers.all()
                if record.certificate is not None
                and record.key_label
                and self._crls.in_force(self.parts.crl_file(record.name), now) is None
            ]
            lacking += [
                f"{record.name}: no OCSP responder"
                for record in self.parts.issuers.all()
                if record.answers_ocsp and self._responder(record.name, now) is None
            ]
        except Exception as error:  # noqa: BLE001 - readiness is a question with a yes or no
            self._tell(error)
            lacking = ["the database or the token does not answer"]
        if lacking:
            return Answer("503 Service Unavailable", "\n".join(lacking).encode() + b"\n")
        return Answer("200 OK", b"ready\n")

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

    def _is_made(self, name: str, shard: int) -> bool:
        """Whether an issuer has, or is to have, this list."""
        record = self._issuer(name)
        if record is None or shard == DELTA:
            return record is not None and record.policy.crl_deltas
        return shard in {COMPLETE, *self.parts.crls.shards(record.name)}

    def _ocsp(self, environ: Environ, method: str, rest: str) -> Answer:
        name, _, encoded = rest.partition("/")
        asked: str | bytes
        if method == "POST" and not encoded:
            try:
                asked = self.bodies.read(environ, _MAX_REQUEST)
            except TooManyWaiting:
                return Answer("200 OK", _TRY_LATER, _OCSP, (("Cache-Control", "no-store"),))
        elif method in {"GET", "HEAD"} and encoded:
            asked = encoded
        else:
            return NOT_FOUND if self._issuer(name) is None else _not_allowed("GET, POST")
        now = utc_now()
        held = self.held.get((name, asked), now)
        return self._fresh(name, asked, now) if held is None else _held_answer(held, now)

    def _fresh(self, name: str, asked: str | bytes, now: datetime) -> Answer:
        """The answer to a question whose response is not held."""
        record = self._issuer(name)
        if record is None or record.certificate is None:
            return NOT_FOUND
        if record.state is IssuerState.RETIRED:
            return Answer("200 OK", _UNAUTHORIZED, _OCSP)
        octets = asked if isinstance(asked, bytes) else _from_path(asked)
        issuer = IssuerName(name)
        seen = self.held.version(issuer)
        # What was made ahead needs no token.
        cert_ids = IssuerCertIds.of(record.certificate)
        try:
            found = find_response(octets, self.parts.ocsp_responses, (issuer, cert_ids), now)
        except StatusUnavailable:
            found = None  # the responder, which cannot read the status either, says tryLater
        if found is not None:
            serial, response = found
            held = Held.of(response)
            self.held.hold((name, asked), (issuer, serial), held, seen)
            return _held_answer(held, now)
        responder = self._responder(name, now)
        if responder is None:
            return Answer("503 Service Unavailable", headers=(("Retry-After", "5"),))
        answer = responder.answer(octets, now)
        if answer.next_update is None:
            return Answer("200 OK", answer.body, _OCSP, (("Cache-Control", "no-store"),))
        life = Life(now, answer.next_update)
        return _held_answer(Held.of(PreproducedResponse(life, answer.body)), now)

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

    def _responder(self, name: str, now: datetime) -> OcspResponders | None:
        """The responder of an issuer; its certificate is renewed now and then."""
        record = self._issuer(name)
        if record is None or record.certificate is None or not record.answers_ocsp:
            return None
        kept = self._responders.get(name)
        if kept is not None and abs(now - kept[0]) < _KNOWN_FOR:
            return kept[1]
        responder = ocsp_responder(self.parts, record, now)
        if responder is not None:
            self._responders[name] = (now, responder)
        return responder


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
    follow = Thread(
        target=app.held.follow, args=[parts.ocsp_responses, Event()], name="follow", daemon=True
    )
    follow.start()
    port = settings.public.port
    Thread(target=app.bodies.watch, args=[port, Event()], name="bodies", daemon=True).start()
    return app


def _alive(_: Environ, __: str) -> Answer:
    return Answer("200 OK", b"alive\n")


def _not_allowed(methods: str) -> Answer:
    return Answer("405 Method Not Allowed", headers=(("Allow", methods),))


def _from_path(encoded: str) -> bytes:
    """The request of a GET: base64, whose / + and = a client may have written as such or not."""
    text = urllib.parse.unquote(encoded).replace(" ", "+")
    try:
        return b64decode(text, validate=True)[: _MAX_REQUEST + 1]
    except (Base64Error, ValueError):
        return b""


def _held_answer(held: Held, now: datetime) -> Answer:
    # Until half of what is left: a client that asks again later gets one that was made later.
    seconds = max(int((held.life.next_update - now).total_seconds() / 2), 0)
    headers = (
        ("Cache-Control", f"max-age={seconds}, public, no-transform, must-revalidate"),
        ("Last-Modified", http_date(held.life.this_update)),
        ("Expires", http_date(held.life.next_update)),
        ("ETag", f'"{held.tag}"'),
    )
    return Answer("200 OK", held.body, _OCSP, headers)

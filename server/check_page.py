"""The page "Check a certificate" on the public listener: a form, and the answer to it.

It needs no script and keeps nothing. A program asks at the same address: it sends the certificate
as the body, and gets JSON when it accepts that.
"""

import json
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

from server.assembly import Assembly
from server.check import Checked, Verdict, check, document
from server.clock import utc_now

MAX_OCTETS = 64 * 1024
PER_SECOND = 20
"""Checks that one worker makes in a second, at most."""
_HERE = Path(__file__).parent
_HTML, _JSON = "text/html; charset=utf-8", "application/json"
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)
_ASSETS = {"tillid.css": "text/css; charset=utf-8", "tillid.svg": "image/svg+xml"}

Page = tuple[str, bytes, str]
"""Status line, body, and its media type."""


@dataclass(slots=True)
class CheckPage:
    """The page of one worker; a flood of checks leaves it time for OCSP and CRLs."""

    parts: Assembly
    _asked: deque[float] = field(default_factory=lambda: deque(maxlen=PER_SECOND))

    def answer(self, environ: dict[str, Any], rest: str) -> Page | None:
        """The answer to a request below /check; None when nothing is there."""
        method = environ["REQUEST_METHOD"]
        if rest in _ASSETS and method in {"GET", "HEAD"}:
            return "200 OK", _asset(rest), _ASSETS[rest]
        if rest:
            return None
        if method != "POST":
            return "200 OK", self._rendered(None), _HTML
        with Request(environ) as request:
            request.max_content_length = MAX_OCTETS
            best = request.accept_mimetypes.best_match(["text/html", _JSON])
            try:
                octets = None if self._is_busy() else _given(request)
            except RequestEntityTooLarge:
                said = f"It is longer than {MAX_OCTETS // 1024} KiB, which no certificate is."
                return self._page("413 Content Too Large", _unread(said), best)
        if octets is None:
            said = "Too many certificates are being checked; try again in a second."
            return self._page("429 Too Many Requests", _unread(said), best)
        checked = check(self.parts, octets, utc_now())
        unread = checked.verdict is Verdict.NO_CERTIFICATE
        return self._page("400 Bad Request" if unread else "200 OK", checked, best)

    def _is_busy(self) -> bool:
        """Whether so many were asked for within a second; if not, this one counts."""
        now = monotonic()
        if len(self._asked) == PER_SECOND and now - self._asked[0] < 1:
            return True
        self._asked.append(now)
        return False

    def _page(self, line: str, checked: Checked, best: str | None) -> Page:
        if best == _JSON:
            return line, json.dumps(document(checked)).encode(), _JSON
        return line, self._rendered(checked), _HTML

    def _rendered(self, checked: Checked | None) -> bytes:
        url = self.parts.settings.public.url
        page: str = _template().render(checked=checked, url=url, limit=MAX_OCTETS // 1024)
        return page.encode()


def _unread(said: str) -> Checked:
    return Checked(Verdict.NO_CERTIFICATE, said, utc_now())


def _given(request: Request) -> bytes:
    """The certificate in a body: as such, in the field of the form, or in its file."""
    body = request.get_data(cache=True)
    if request.mimetype not in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        return body
    file = request.files.get("file")
    chosen = file.stream.read() if file else b""
    pasted = request.form.get("certificate", "").strip().encode()
    # curl calls a body a form unless it is told otherwise.
    return chosen or pasted or (body if b"-----BEGIN" in body[:100] or body[:1] == b"0" else b"")


@cache
def _template() -> Template:
    loader = FileSystemLoader(_HERE / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(
        "check.html"
    )


@cache
def _asset(name: str) -> bytes:
    return (_HERE / "static" / name).read_bytes()

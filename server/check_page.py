"""The page "Check a certificate" on the public listener: a form, and the answer to it.

It needs no script and keeps nothing. A program asks at the same address: it sends the certificate
as the body, and gets JSON when it accepts that.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

from server.assembly import Assembly
from server.check import Checked, Verdict, check, document
from server.clock import utc_now

MAX_OCTETS = 64 * 1024
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


def answer(parts: Assembly, environ: dict[str, Any], rest: str) -> Page | None:
    """The answer to a request below /check; None when nothing is there."""
    method = environ["REQUEST_METHOD"]
    if rest in _ASSETS and method in {"GET", "HEAD"}:
        return "200 OK", _asset(rest), _ASSETS[rest]
    if rest:
        return None
    if method != "POST":
        return "200 OK", _rendered(None, parts.settings.public.url), _HTML
    with Request(environ) as request:
        request.max_content_length = MAX_OCTETS
        as_json = request.accept_mimetypes.best_match(["text/html", _JSON]) == _JSON
        try:
            octets = _given(request)
        except RequestEntityTooLarge:
            said = f"What was sent is longer than {MAX_OCTETS // 1024} KiB; a certificate is not."
            return _page(Checked(Verdict.NO_CERTIFICATE, said, utc_now()), parts, as_json, 413)
    checked = check(parts, octets, utc_now())
    status = 400 if checked.verdict is Verdict.NO_CERTIFICATE else 200
    return _page(checked, parts, as_json, status)


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


def _page(checked: Checked, parts: Assembly, as_json: bool, status: int) -> Page:  # noqa: FBT001 - one of two forms
    line = {200: "200 OK", 400: "400 Bad Request", 413: "413 Content Too Large"}[status]
    if as_json:
        return line, json.dumps(document(checked)).encode(), _JSON
    return line, _rendered(checked, parts.settings.public.url), _HTML


def _rendered(checked: Checked | None, url: str) -> bytes:
    page: str = _template().render(checked=checked, url=url, limit=MAX_OCTETS // 1024)
    return page.encode()


@cache
def _template() -> Template:
    loader = FileSystemLoader(_HERE / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(
        "check.html"
    )


@cache
def _asset(name: str) -> bytes:
    return (_HERE / "static" / name).read_bytes()

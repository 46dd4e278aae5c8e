"""The public page on which a holder blocks a credential without its key (ISS-REV-L1a, L2c).

It needs no script and no login. A program asks at the same address, with a form, and gets JSON when
it accepts that. Number and secret go in bodies, never in addresses. Wrong attempts are limited for
a whole worker and not for one number, so that nobody can be kept from the own credential: a right
secret is never refused.
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

from revocation.causes import Cause
from server.assembly import Assembly
from server.check_page import Page
from server.clock import utc_now
from server.holder_blocks import CAUSES, Asked, Block, block_credential
from server.privacy_page import language_of
from server.revoke_texts import TEXTS

MAX_OCTETS = 8 * 1024
WRONG_PER_MINUTE = 30
"""Wrong attempts that one worker answers in a minute; then it says that it is busy."""
_HTML, _JSON = "text/html; charset=utf-8", "application/json"
_FIELDS = frozenset({"application", "secret", "block", "cause"})
_LINES = {
    "done": "200 OK",
    "wrong": "403 Forbidden",
    "malformed": "400 Bad Request",
    "busy": "429 Too Many Requests",
}


@dataclass(slots=True)
class RevokePage:
    """The page of one worker."""

    parts: Assembly
    _wrong: deque[float] = field(default_factory=lambda: deque(maxlen=WRONG_PER_MINUTE))

    def answer(self, environ: dict[str, Any], rest: str) -> Page | None:
        """The answer to a request for /revoke; None when nothing is there."""
        if rest:
            return None
        language = language_of(environ)
        if environ["REQUEST_METHOD"] != "POST":
            return "200 OK", _rendered(language, None), _HTML
        with Request(environ) as request:
            request.max_content_length = MAX_OCTETS
            best = request.accept_mimetypes.best_match([_HTML.partition(";")[0], _JSON])
            try:
                asked = _asked({name: value.strip() for name, value in request.form.items()})
            except RequestEntityTooLarge:
                asked = None
        said = "malformed" if asked is None else self._block(asked)
        if best == _JSON:
            document = {"outcome": said, "text": TEXTS[language][said]}
            return _LINES[said], json.dumps(document).encode(), _JSON
        return _LINES[said], _rendered(language, said), _HTML

    def _block(self, asked: Asked) -> str:
        if block_credential(self.parts, asked, utc_now()):
            return "done"
        now = monotonic()
        busy = len(self._wrong) == WRONG_PER_MINUTE and now - self._wrong[0] < 60  # noqa: PLR2004 - seconds
        if not busy:
            self._wrong.append(now)
        return "busy" if busy else "wrong"


def _asked(form: dict[str, str]) -> Asked | None:
    """What a form asks for; None when it is not filled in as the page has it."""
    if form.keys() != _FIELDS or form["block"] not in set(Block):
        return None
    if form["cause"] not in CAUSES or not form["application"] or not form["secret"]:
        return None
    return Asked(form["application"], form["secret"], Block(form["block"]), Cause(form["cause"]))


def _rendered(language: str, said: str | None) -> bytes:
    page: str = _template().render(
        t=TEXTS[language], language=language, said=said, blocks=list(Block), causes=list(CAUSES)
    )
    return page.encode()


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template("revoke_own.html")

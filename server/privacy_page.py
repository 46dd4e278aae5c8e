"""The public page on which anybody begins a data-subject request, and follows it by its secret.

It needs no script and no login, and looks nobody up: whether we know a person makes no difference
to any answer. Number and secret go in bodies, never in addresses.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

from gdpr_erasure.case_errors import CaseConflict
from gdpr_erasure.cases import OPEN, CaseKind, CaseText
from gdpr_erasure.envelopes import MEDIA_TYPE
from records.cases import REQUESTER
from records.errors import Erased, NotFound
from server.assembly import Assembly
from server.cases import NewCase, answer_question, for_requester, open_case, withdraw_case
from server.check_page import HEADERS, Page
from server.clock import utc_now
from server.privacy_texts import LANGUAGES, STATES, TEXTS

__all__ = ["HEADERS", "MAX_OCTETS", "PrivacyPage"]

MAX_OCTETS = 32 * 1024
PER_MINUTE = 10
"""Requests that one worker takes in within a minute, at most."""
PER_HOUR = 100
"""Requests from this page that are kept in an hour, by all workers and nodes together."""
_HTML = "text/html; charset=utf-8"
_OK, _BAD, _NOBODY = "200 OK", "400 Bad Request", "403 Forbidden"
_GONE, _BUSY = "409 Conflict", "429 Too Many Requests"
_NUMBER = re.compile(r"K[0-9A-Z]{4,10}")
_WORDS, _LINE = 4000, 200


@dataclass(slots=True)
class PrivacyPage:
    """The pages of one worker."""

    parts: Assembly
    _asked: deque[float] = field(default_factory=lambda: deque(maxlen=PER_MINUTE))

    def answer(self, environ: dict[str, Any], rest: str) -> Page | None:
        """The answer to a request below /privacy; None when nothing is there."""
        language = language_of(environ)
        if environ["REQUEST_METHOD"] != "POST":
            place = {"": "start", "request": "request"}.get(rest)
            return None if place is None else self._page(_OK, language, place=place)
        acts = {
            "request": self._begin,
            "follow": self._follow,
            "download": self._download,
            "receipt": self._confirm,
            "answer": self._answer,
            "withdraw": self._withdraw,
        }
        if rest not in acts:
            return None
        with Request(environ) as request:
            request.max_content_length = MAX_OCTETS
            try:
                form = {name: value.strip() for name, value in request.form.items()}
            except RequestEntityTooLarge:
                return self._page("413 Content Too Large", language, said="malformed")
        return acts[rest](form, language)

    def _begin(self, form: dict[str, str], language: str) -> Page:
        if not _is_request(form):
            return self._page(_BAD, language, place="request", said="malformed")
        if self._is_busy():
            return self._page(_BUSY, language, place="request", said="busy")
        text = CaseText(request=form.get("request", ""), contact=form.get("contact", ""))
        new = NewCase(CaseKind(form["kind"]), language, frozenset(), text)
        case, secret = open_case(self.parts, new, None, utc_now())
        return self._page(_OK, language, place="request", number=case.id, secret=secret)

    def _follow(self, form: dict[str, str], language: str) -> Page:
        if not self._is_requester(form):
            return self._page(_NOBODY, language, said="wrong")
        case, today = self.parts.cases.get(form["number"]), utc_now().date()
        is_open = case.state in OPEN
        return self._page(
            _OK,
            language,
            place="case",
            case=case,
            due=case.clock.due_on(today).isoformat() if is_open else None,
            is_open=is_open,
            written=for_requester(self.parts, case),
            given=form["secret"],
        )

    def _answer(self, form: dict[str, str], language: str) -> Page:
        if not self._is_requester(form):
            return self._page(_NOBODY, language, said="wrong")
        if not 0 < len(form.get("answer", "")) <= _WORDS:
            return self._page(_BAD, language, said="malformed")
        try:
            answer_question(self.parts, form["number"], form["answer"], utc_now())
        except CaseConflict:
            return self._page(_GONE, language, said="conflict")
        return self._follow(form, language)

    def _withdraw(self, form: dict[str, str], language: str) -> Page:
        if not self._is_requester(form):
            return self._page(_NOBODY, language, said="wrong")
        try:
            withdraw_case(self.parts, form["number"], REQUESTER, utc_now())
        except CaseConflict:
            return self._page(_GONE, language, said="conflict")
        return self._follow(form, language)

    def _download(self, form: dict[str, str], language: str) -> Page:
        if not self._is_requester(form):
            return self._page(_NOBODY, language, said="wrong")
        try:
            envelope, _ = self.parts.deliveries.download(form["number"], REQUESTER, utc_now())
        except (NotFound, Erased):
            return self._page(_GONE, language, said="conflict")
        return _OK, envelope, MEDIA_TYPE

    def _confirm(self, form: dict[str, str], language: str) -> Page:
        if not self._is_requester(form):
            return self._page(_NOBODY, language, said="wrong")
        try:
            self.parts.deliveries.confirm(form["number"], REQUESTER, utc_now())
        except (NotFound, CaseConflict):
            return self._page(_GONE, language, said="conflict")
        return self._page(_OK, language, said="gone")

    def _is_requester(self, form: dict[str, str]) -> bool:
        number, secret = form.get("number", ""), form.get("secret", "")
        return bool(_NUMBER.fullmatch(number)) and self.parts.cases.is_requester(number, secret)

    def _is_busy(self) -> bool:
        """Whether this worker, or all of them, took in as much as they may; if not, it counts."""
        now = monotonic()
        if len(self._asked) == PER_MINUTE and now - self._asked[0] < 60:  # noqa: PLR2004 - seconds
            return True
        self._asked.append(now)
        return self.parts.cases.count_unasked(utc_now() - timedelta(hours=1)) >= PER_HOUR

    def _page(self, line: str, language: str, **values: object) -> Page:
        shown = {
            "place": "start",
            "said": None,
            "case": None,
            "due": None,
            "is_open": False,
            "written": None,
            "given": None,
            "number": None,
            "secret": None,
            **values,
        }
        page: str = _template().render(
            t=TEXTS[language],
            states=STATES[language],
            language=language,
            kinds=list(CaseKind),
            staff=self.parts.settings.staff.url,
            **shown,
        )
        return line, page.encode(), _HTML


def _is_request(form: dict[str, str]) -> bool:
    """Whether a form is filled in as the page has it, and has no field beyond."""
    known = form.keys() <= {"kind", "request", "contact"}
    short = len(form.get("request", "")) <= _WORDS and len(form.get("contact", "")) <= _LINE
    return known and short and form.get("kind") in set(CaseKind)


def language_of(environ: dict[str, Any]) -> str:
    """As the address says, else as the browser wishes, else Danish."""
    asked = parse_qs(str(environ.get("QUERY_STRING", ""))).get("lang", [""])[0]
    if asked in LANGUAGES:
        return asked
    with Request(environ, populate_request=False) as request:
        return request.accept_languages.best_match(LANGUAGES) or "da"


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(
        "privacy.html"
    )

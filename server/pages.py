"""The plain staff pages: server-rendered, without a script, behind one door.

Each group of pages is a value that registers its routes: signing in, registration cases,
certificates, erasure and audit. They call the same use cases as the API and the command line.
"""

from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response

from server.assembly import Assembly
from server.errors import FormRefused
from server.pages_cases import CasePages
from server.pages_certificates import CertificatePages
from server.pages_frame import admit, form_problem, render, with_headers
from server.pages_oversight import AuditPages, ErasurePages
from server.pages_revocations import RevocationPages
from server.pages_sign_in import SignInPages
from server.problems import Problem

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


def pages(parts: Assembly) -> Blueprint:
    """Every staff page, to be registered on the app of the staff listener."""
    blueprint = Blueprint(
        "pages",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/assets",
    )
    for group in (
        SignInPages,
        CasePages,
        CertificatePages,
        RevocationPages,
        ErasurePages,
        AuditPages,
    ):
        group(parts).register(blueprint)
    blueprint.before_request(lambda: admit(parts))
    blueprint.after_request(with_headers)
    blueprint.register_error_handler(FormRefused, lambda error: problem_page(form_problem(error)))
    blueprint.add_app_template_filter(_words, "words")
    blueprint.add_app_template_filter(_moment, "moment")
    blueprint.add_app_template_filter(_age, "age")
    return blueprint


def problem_page(problem: Problem) -> Response:
    """A problem as a page: what went wrong, the rule, and the way out."""
    return render("problem", problem.status, problem=problem)


def _words(identifier: str) -> str:
    """An identifier as words: `issued_at` is issued at, `keyCompromise` is key compromise."""
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in identifier)
    return spaced.replace("_", " ").strip()


def _moment(time: datetime | str) -> str:
    """A time to the second in UTC, as 2026-01-15 09:00:00."""
    at = datetime.fromisoformat(time) if isinstance(time, str) else time
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _age(span: timedelta) -> str:
    """How long something has waited, in its largest unit: 3 d, 5 h or 12 min."""
    if span >= _DAY:
        return f"{span // _DAY} d"
    if span >= _HOUR:
        return f"{span // _HOUR} h"
    return f"{span // timedelta(minutes=1)} min"

"""What all staff pages share: the frame around them, their headers, and who is looking.

A form is accepted when it comes from our own site (Fetch Metadata) and carries the token that our
page gave it: a keyed digest of the cookie that came with the page, so no second process has to
know anything, and nobody who cannot read the cookie can make one.
"""

import hmac
import secrets
from hashlib import sha256

from flask import Response, g, make_response, render_template, request

from records.officers import Officer
from server.access import COOKIE, RIGHTS, Act, acting_officer, officer_of, same_site
from server.assembly import Assembly
from server.clock import utc_now
from server.errors import FormFault, FormRefused
from server.problems import FieldProblem, Problem

TOKEN_FIELD = "token"  # noqa: S105 - the name of the field
FORM_COOKIE = "__Host-tillid-form"
_LABEL = b"tillid form token 1"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_FIRST_PAGES = {
    Act.SEE_APPLICATIONS: "pages.queue",
    Act.AUDIT: "pages.audit",
    Act.FIND: "pages.certificates",
    Act.REVOKE: "pages.revocations",
    Act.ERASE: "pages.erasures",
}


def render(template: str, status: int = 200, **values: object) -> Response:
    """A page of ours inside the frame, with the navigation that the role may use."""
    officer = looking()
    page = render_template(
        f"{template}.html",
        officer=officer,
        navigation=() if officer is None else pages_of(officer),
        rights=frozenset() if officer is None else RIGHTS[officer.role],
        form_token=form_token,
        has_session=COOKIE in request.cookies,
        now=utc_now(),
        **values,
    )
    return with_headers(make_response(page, status))


def see(address: str) -> Response:
    """Send the browser on to a page that it then fetches with GET (RFC 9110 section 15.4.4)."""
    return make_response("", 303, {"Location": address})


def with_headers(response: Response) -> Response:
    """The security headers on an answer; pages about people are kept nowhere."""
    response.headers.update(_HEADERS)
    if request.endpoint != "pages.static":
        response.headers["Cache-Control"] = "no-store"
    if "form_cookie" in g:
        response.set_cookie(
            FORM_COOKIE, g.form_cookie, path="/", secure=True, httponly=True, samesite="Strict"
        )
    return response


def looking() -> Officer | None:
    """The officer whom this request is from, as far as that is known yet."""
    officer = g.get("officer")
    return officer if isinstance(officer, Officer) else None


def acting(parts: Assembly, act: Act) -> Officer:
    """The officer whom this request is from; NotSignedIn or NotAllowed unless the role may."""
    return acting_officer(parts, request, act)


def pages_of(officer: Officer) -> tuple[str, ...]:
    """The main pages that the officer's role may open, the first one first."""
    return tuple(page for act, page in _FIRST_PAGES.items() if act in RIGHTS[officer.role])


def admit(parts: Assembly) -> None:
    """Before every page: learn who looks, and refuse a form that no page of ours gave out."""
    if request.endpoint == "pages.static":
        return
    if not (request.cookies.get(COOKIE) or request.cookies.get(FORM_COOKIE)):
        g.form_cookie = secrets.token_urlsafe(32)
    g.officer = officer_of(parts, request)
    if request.method == "POST":
        same_site(request)
        given = request.form.get(TOKEN_FIELD, "")
        if not hmac.compare_digest(given.encode(), form_token().encode()):
            raise FormRefused(
                FormFault(
                    TOKEN_FIELD,
                    "This form does not belong to your present sign-in.",
                    "Open the page again and send the form from there.",
                )
            )


def form_token() -> str:
    """What a form must carry to be accepted from this browser."""
    bound_to = request.cookies.get(COOKIE) or request.cookies.get(FORM_COOKIE) or g.form_cookie
    return hmac.new(str(bound_to).encode(), _LABEL, sha256).hexdigest()


def form_problem(error: FormRefused) -> Problem:
    """The problem that a form was not filled in as it must be."""
    count = len(error.faults)
    return Problem(
        type="form-refused",
        title="The form is not complete or not right",
        status=400,
        detail=f"The form has {count} {'fault' if count == 1 else 'faults'}; nothing was changed.",
        way_out="Correct what is listed and send it again.",
        errors=tuple(FieldProblem(f.field, f.problem, f.way_out) for f in error.faults),
    )

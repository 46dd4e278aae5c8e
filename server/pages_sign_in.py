"""Signing in by a one-time link, signing out, and the way to the first page.

Only an officer's own certificate makes such a link, so a session is by two factors, too, and ends
with that certificate (USE-AUT-L10).
"""

from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, Response, request, url_for

from records.officers import LinkUsed
from server.access import COOKIE
from server.assembly import Assembly
from server.clock import utc_now
from server.pages_forms import EmptyForm, read_form
from server.pages_frame import looking, pages_of, render, see


@dataclass(frozen=True, slots=True)
class SignInPages:
    """The pages before and after all others."""

    parts: Assembly

    def register(self, blueprint: Blueprint) -> None:
        """Add the pages to the blueprint."""
        add = blueprint.add_url_rule
        add("/", "first", self.first)
        add("/sign-in/<token>", "sign_in", self.offer)
        add("/sign-in/<token>", "redeem", self.redeem, methods=["POST"])
        add("/enrol/<token>", "enrol", self.enrol)
        add("/sign-out", "sign_out", self.sign_out, methods=["POST"])

    def first(self) -> Response:
        """The first page of the role; help with signing in for somebody unknown."""
        officer = looking()
        if officer is None:
            return render("welcome")
        return see(url_for(pages_of(officer)[0]))

    def offer(self, token: str) -> Response:
        """One button: programs that only look at a link do not use it up."""
        return render("sign_in", link=token)

    def enrol(self, token: str) -> Response:
        """What to do with an invitation: it is used up by the officer's own command."""
        return render("enrol", link=f"{self.parts.settings.staff.url}/enrol/{token}")

    def redeem(self, token: str) -> Response:
        """Use the link up and begin a browser session."""
        read_form(EmptyForm)
        now = utc_now()
        life = timedelta(minutes=self.parts.settings.session.minutes)
        try:
            officer = self.parts.officers.redeem(token, "sign-in", now)
        except LinkUsed:
            return render("link_used", 410)
        if earlier := request.cookies.get(COOKIE):
            self.parts.officers.end_session(earlier, now)
        session = self.parts.officers.start_session(officer, now, life)
        answer = see(url_for("pages.first"))
        answer.set_cookie(
            COOKIE,
            session,
            max_age=life,
            path="/",
            secure=True,
            httponly=True,
            samesite="Strict",
        )
        return answer

    def sign_out(self) -> Response:
        """End the browser session, at the server and in the browser."""
        read_form(EmptyForm)
        session = request.cookies.get(COOKIE)
        if session:
            self.parts.officers.end_session(session, utc_now())
        answer = see(url_for("pages.first"))
        answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        return answer

"""Officers with certificates, applications by the use cases, and a browser for the staff pages."""

import html
import re
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from ca.signed_data import sign_detached
from ra.applications import Application
from ra.terms import FOR_APPLICANTS, TermsKind
from records.officers import Officer, Role
from server.assembly import Assembly
from server.clock import utc_now
from server.decisions import Decisions
from server.pages import pages, problem_page
from server.problem_rows import ROWS
from server.problems import Problem, problem_of
from server.registration import (
    NewApplication,
    application_package,
    approve_application,
    conclude_proofing,
    open_application,
    record_document,
)
from server.staffing import enrol_officer
from tests.support.ra_builders import NANCY, a_new_request_der, claimed, passport_of

PROFILE = "natural-person-substantial"


@dataclass(frozen=True)
class EnrolledOfficer:
    """An officer who can sign: pseudonym, certificate and key."""

    officer: Officer
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def sign(self, content: bytes) -> bytes:
        return sign_detached(content, self.certificate, self.key)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def an_officer(parts: Assembly, role: Role) -> EnrolledOfficer:
    """Invited by the operator, and enrolled by a one-time link."""
    invited = parts.officers.invite("Officer Test", role, utc_now())
    link = parts.officers.make_link(invited.id, "enrolment", utc_now(), timedelta(minutes=5))
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    der = request.sign(key, SHA256()).public_bytes(Encoding.DER)
    officer, certificate = enrol_officer(parts, link, der, utc_now())
    if role is Role.REGISTRATION_OFFICER:
        trained(parts, officer)
    return EnrolledOfficer(officer, certificate, key)


def listing(*staff: EnrolledOfficer) -> Decisions:
    """Decisions by which these officers decide at High."""
    listed = {str(each.officer.certificate): each.officer.person_id for each in staff}
    return Decisions(MappingProxyType(listed))


def trained(parts: Assembly, officer: Officer) -> None:
    """Trained for proofing, from today for a year."""
    now = utc_now()
    days = (now.date(), now.date() + timedelta(days=365))
    parts.persons.trainings.record(officer.id, days, None, now)


def shown(
    parts: Assembly, language: str = "en", kinds: tuple[TermsKind, ...] = FOR_APPLICANTS
) -> tuple[str, dict[str, str]]:
    """A session that was shown the texts to the end, and the digest of each."""
    texts = [
        each
        for kind in kinds
        for each in parts.policy.terms.in_force(kind, utc_now())
        if each.language == language
    ]
    session = parts.persons.presentations.begin(texts, utc_now())
    for each in texts:
        parts.persons.presentations.complete(session, each.sha256, utc_now())
    return session, {each.kind.value: each.sha256 for each in texts}


def applied(
    parts: Assembly,
    number: str = NANCY,
    *,
    profile: str = PROFILE,
    published: bool = False,
    request: bytes | None = None,
    **changes: str,
) -> Application:
    """An application as the applicant submits it."""
    session, digests = shown(parts)
    answers: dict[str, dict[str, object]] = {
        kind: {"read": True, "accepted": True, "sha256": each} for kind, each in digests.items()
    }
    new = NewApplication(
        profile=profile,
        attributes=claimed(number, **changes),
        request=request or a_new_request_der(),
        acceptances=answers,
        publication_consent=published,
        session=session,
    )
    application, _ = open_application(parts, new, utc_now())
    return application


def vetted(
    parts: Assembly,
    officer: Officer,
    number: str = NANCY,
    *,
    published: bool = False,
    request: bytes | None = None,
) -> Application:
    """An application whose proofing an officer has concluded."""
    application = applied(parts, number, published=published, request=request)
    record_document(parts, application.id, passport_of(number), officer, utc_now())
    return conclude_proofing(parts, application.id, officer, utc_now())


def certified(  # noqa: PLR0913 - whatever an application can differ in
    parts: Assembly,
    officer: Officer,
    approver: EnrolledOfficer,
    number: str = NANCY,
    *,
    published: bool = False,
    request: bytes | None = None,
) -> Application:
    """An application whose certificate is issued."""
    application = vetted(parts, officer, number, published=published, request=request)
    signature = approver.sign(application_package(application))
    return approve_application(parts, application.id, signature, approver.officer, utc_now())


def an_app(parts: Assembly) -> Flask:
    """A bare application with the pages, and every problem as a page."""
    app = Flask(__name__)
    app.register_blueprint(pages(parts))

    def problem(error: Exception) -> Response:
        if isinstance(error, HTTPException):
            status, detail = error.code or 500, error.description or error.name
            return problem_page(Problem("http", error.name, status, detail))
        known = problem_of(error, ROWS)
        if known is None:
            raise error
        return problem_page(known)

    app.register_error_handler(Exception, problem)
    return app


class Browser:
    """A browser at the staff listener: keeps cookies, and sends forms with what a page gave it."""

    def __init__(self, app: Flask) -> None:
        """A fresh one, without cookies."""
        self.client: FlaskClient = app.test_client()

    def get(self, path: str, status: int = 200) -> str:
        """The page at the path."""
        answer = self.client.get(path, base_url="https://localhost")
        assert answer.status_code == status, answer.text
        return answer.text

    def present(self, certificate: x509.Certificate) -> None:
        """Answer from now on when the listener asks for a client certificate."""
        self.client.environ_base |= {
            "SSL_CLIENT_CERT": certificate.public_bytes(Encoding.PEM).decode(),
            "SSL_CLIENT_VERIFY": "SUCCESS",
        }

    def send(self, page: str, path: str, **fields: object) -> TestResponse:
        """Send a form to the path with the token that stands in the page."""
        token = token_of(self.client.get(page, base_url="https://localhost").text)
        return self.post(path, token=token, **fields)

    def post(self, path: str, **fields: object) -> TestResponse:
        """Send just these fields."""
        return self.client.post(path, base_url="https://localhost", data=fields)


def signed_in(app: Flask, parts: Assembly, officer: Officer) -> Browser:
    """A browser that has used a one-time link."""
    browser = Browser(app)
    link = a_link(parts, officer)
    assert browser.send(link, link).status_code == 303
    return browser


def a_link(parts: Assembly, officer: Officer, life: timedelta = timedelta(minutes=5)) -> str:
    """The path of a sign-in link."""
    own = officer.certificate
    return f"/sign-in/{parts.officers.make_link(officer.id, 'sign-in', utc_now(), life, own)}"


def token_of(page: str) -> str:
    """The form token in a page; empty when there is no form."""
    found = re.search(r'name="token" value="([0-9a-f]{64})"', page)
    return found[1] if found else ""


def text_of(page: str) -> str:
    """What a reader sees: no tags, single blanks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@dataclass(frozen=True)
class Office:
    """An installation, its app, and one officer of each role."""

    parts: Assembly
    app: Flask
    staff: dict[Role, EnrolledOfficer]

    @property
    def registration(self) -> EnrolledOfficer:
        return self.staff[Role.REGISTRATION_OFFICER]

    @property
    def approving(self) -> EnrolledOfficer:
        return self.staff[Role.APPROVING_OFFICER]

    def browser(self, role: Role) -> Browser:
        """A browser in which the officer of this role is signed in."""
        return signed_in(self.app, self.parts, self.staff[role].officer)

"""Who acts: an officer by client certificate or browser session, an applicant by secret.

The certificate is looked up in our own records at every request, so a revoked one ends at once.
What each role may do is the table `RIGHTS`.
"""

from enum import StrEnum
from urllib.parse import urlsplit

from cryptography import x509
from flask import Request
from werkzeug.exceptions import BadRequest

from records.officers import Officer, Role
from server.assembly import Assembly
from server.clock import utc_now
from server.errors import NotAllowed, NotSignedIn

COOKIE = "__Host-tillid"


class Act(StrEnum):
    """What an officer can do through the staff listener."""

    SEE_APPLICATIONS = "see applications"
    PROVE = "prove identities"
    APPROVE = "approve applications"
    PERSONALISE = "prepare credentials"
    DISPATCH_CODES = "send activation codes and have letters printed"
    FIND = "find certificates"
    REVOKE = "hold and revoke certificates"
    RELEASE = "lift holds"
    ERASE = "let erasures begin"
    AUDIT = "read the audit log"
    SEE_PERSONS = "see everything about a person"
    OPEN_PAYLOADS = "open personal payloads of the audit log"
    MANAGE_TRAINING = "record trainings"
    REVIEW_DERIVATIONS = "review what was derived from a credential"
    SEE_CASES = "see data-subject cases"
    MANAGE_CASES = "handle data-subject cases"
    APPROVE_CASES = "approve data-subject cases"


RIGHTS: dict[Role, frozenset[Act]] = {
    Role.REGISTRATION_OFFICER: frozenset({Act.SEE_APPLICATIONS, Act.PROVE, Act.FIND}),
    Role.APPROVING_OFFICER: frozenset({Act.SEE_APPLICATIONS, Act.APPROVE, Act.FIND}),
    Role.PERSONALISATION_OPERATOR: frozenset({Act.SEE_APPLICATIONS, Act.PERSONALISE, Act.FIND}),
    Role.CODE_DISPATCHER: frozenset({Act.SEE_APPLICATIONS, Act.DISPATCH_CODES, Act.FIND}),
    Role.SECURITY_ADMINISTRATOR: frozenset(
        {
            Act.FIND,
            Act.REVOKE,
            Act.RELEASE,
            Act.ERASE,
            Act.OPEN_PAYLOADS,
            Act.SEE_PERSONS,
            Act.MANAGE_TRAINING,
            Act.REVIEW_DERIVATIONS,
        }
    ),
    Role.AUDITOR: frozenset({Act.AUDIT, Act.FIND, Act.OPEN_PAYLOADS}),
    Role.CASE_MANAGER: frozenset({Act.SEE_CASES, Act.MANAGE_CASES, Act.FIND}),
    Role.CASE_APPROVER: frozenset({Act.SEE_CASES, Act.APPROVE_CASES, Act.FIND}),
    Role.DATA_PROTECTION_OFFICER: frozenset({Act.SEE_CASES, Act.FIND, Act.SEE_PERSONS}),
}


def acting_officer(parts: Assembly, request: Request, act: Act) -> Officer:
    """The officer behind a request, if the role includes the act.

    Raises:
        NotSignedIn: no certificate of ours and no open session.
        NotAllowed: the role does not include it.
    """
    officer = officer_of(parts, request)
    if officer is None:
        raise NotSignedIn
    if act not in RIGHTS[officer.role]:
        raise NotAllowed(
            " or ".join(role.label for role, rights in RIGHTS.items() if act in rights)
        )
    return officer


def officer_of(parts: Assembly, request: Request) -> Officer | None:
    """The officer behind a request, by certificate first, or None."""
    pem = request.environ.get("SSL_CLIENT_CERT")
    if pem and request.environ.get("SSL_CLIENT_VERIFY") == "SUCCESS":
        return parts.officers.by_certificate(_client_certificate(pem))
    token = request.cookies.get(COOKIE)
    return parts.officers.by_session(token, utc_now()) if token else None


def presented_certificate(request: Request) -> x509.Certificate:
    """The client certificate of a request, whosever it is; its key was proved in the handshake.

    Raises:
        NotSignedIn: there is none that leads to a root of ours.
    """
    pem = request.environ.get("SSL_CLIENT_CERT")
    if not pem or request.environ.get("SSL_CLIENT_VERIFY") != "SUCCESS":
        raise NotSignedIn
    return _client_certificate(pem)


def requester_only(parts: Assembly, request: Request, case_id: str) -> None:
    """Let only the bearer of the case's secret through.

    Raises:
        NotSignedIn: there is no such case, or this is not its secret; which, is not said.
    """
    if not parts.cases.is_requester(case_id, _bearer(request)):
        raise NotSignedIn


def _client_certificate(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:  # OpenSSL reads more than we do
        raise NotSignedIn from None


def applicant_only(parts: Assembly, request: Request, application_id: str) -> None:
    """Let only the bearer of the application's secret through.

    Raises:
        NotSignedIn: there is no such application, or this is not its secret; which, is not said.
    """
    if not parts.applications.is_applicant(application_id, _bearer(request)):
        raise NotSignedIn


def session_secret(request: Request) -> str:
    """The secret of a session that is shown texts; NotSignedIn without one."""
    return _bearer(request)


def _bearer(request: Request) -> str:
    header = request.headers.get("Authorization", "")
    secret = header.removeprefix("Bearer ").strip()
    if not header.startswith("Bearer ") or len(secret) > 100:  # noqa: PLR2004 - secrets have 43
        raise NotSignedIn
    return secret


def same_site(request: Request) -> None:
    """Refuse what another site sent (Fetch Metadata: Sec-Fetch-Site; from older ones Origin)."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is None and origin is not None and urlsplit(origin).netloc != request.host:
        site = "cross-site"
    if site not in {None, "same-origin", "none"}:
        raise BadRequest("this form came from another site")

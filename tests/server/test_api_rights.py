"""Who may do what through the API: every operation, asked by everyone."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ca.identifiers import IssuerName, SerialNumber
from records.officers import Role
from revocation.reasons import Reason
from server.access import RIGHTS, Act
from server.clock import utc_now
from server.metrics import Metrics
from server.staff import staff_app
from tests.support.staff import Office, an_officer, applied, certified

APPLICATION = "/api/v1/applications/A-ABCDEFGHIJ"
CERTIFICATE = "/api/v1/certificates/issuing/01abcdef0123456789abcdef"
LETTER = "/api/v1/letters/letter-0123456789abcdef"
BULK = "/api/v1/revocations/bulk-0123456789abcdef"
DUTY = "/api/v1/duties/D-0123456789abcdef"
NEW_DUTY = {"issuer": "issuing", "serial": "01abcdef0123456789abcdef", "cause": "death"}
ERASURE = "/api/v1/erasures/E-0123456789abcdef"
ORDER = "/api/v1/retention/orders/K-0123456789abcdef"
SUBJECT = "/api/v1/subjects/subject-0123456789abcdef"
SEARCH = {"by": "name", "value": "nobody", "purpose": "audit"}
CASE = "/api/v1/cases/K7F2M9QX"
PROVED = {
    "method": "desk",
    "level": "High",
    "evidence": "passport",
    "concerns": {"application": "A-ABCDEFGHIJ"},
}
DOCUMENT = {"mrz_lines": [], "features_seen": [], "presence": "in_person"}
TRAINED = {"officer": "officer-00", "trained_on": "2026-01-01", "valid_until": "2026-06-01"}
MANDATE = "/api/v1/mandates/M-ABCDEFGHIJ"
ORGANISATION = "/api/v1/organisations/99000007"
ASSOCIATION = "/api/v1/associations/B-0123456789abcdef"
DIGEST = "0" * 64
ANSWER = {"sha256": DIGEST, "read": True, "accepted": True}
APPLY = {
    "profile": "natural-person-substantial",
    "attributes": {},
    "certificate_request": "",
    "terms": ANSWER,
    "security_notice": ANSWER,
}
CHARTER = {
    "charter": "a",
    "charter_sha256": DIGEST,
    "minutes": "b",
    "minutes_sha256": DIGEST,
    "role": "chair",
    "held_on": "2026-01-01",
    "quorum": True,
    "accepted": True,
}
POWER = {
    "cvr": "99000007",
    "reference": "P 1",
    "sha256": DIGEST,
    "grantors": [],
    "holder": "2512489996",
    "scope": [],
    "valid_from": "2026-01-01",
    "form": "digital",
    "signature_verified": True,
}
# Every operation for officers, with a sound body and the act it is.
BY_OFFICERS = {
    ("get", "/api/v1/applications"): (Act.SEE_APPLICATIONS, None),
    ("post", f"{APPLICATION}/documents"): (Act.PROVE, DOCUMENT),
    ("post", f"{APPLICATION}/conclusion"): (Act.PROVE, None),
    ("get", f"{APPLICATION}/package"): (Act.SEE_APPLICATIONS, None),
    ("post", f"{APPLICATION}/approval"): (Act.SEE_APPLICATIONS, {"signature": ""}),
    **{
        ("post", f"{APPLICATION}/{step}"): (Act.PROVE, body)
        for step, body in (
            ("proofing", None),
            ("letter", None),
            (
                "comparisons",
                {"kind": "photo", "matches": True, "live": True, "feature_list": "F-1"},
            ),
            ("prior-proofings", {"provider": "a", "scope": "b", "reference": "c"}),
            ("questions", {"presence": "online", "source": "a", "asked": 1, "correct": 1}),
            ("referral", None),
            ("answers", None),
            ("resolution", {"deviation": "changed_name", "reason": "as the register says"}),
        )
    },
    ("get", "/api/v1/trainings"): (Act.MANAGE_TRAINING, None),
    ("post", "/api/v1/trainings"): (Act.MANAGE_TRAINING, TRAINED),
    ("get", "/api/v1/derivation-reviews"): (Act.REVIEW_DERIVATIONS, None),
    ("post", "/api/v1/derivation-reviews"): (
        Act.REVIEW_DERIVATIONS,
        {"provider": "a", "credential": "b"},
    ),
    ("post", "/api/v1/derivation-reviews/A-ABCDEFGHIJ/decision"): (
        Act.REVIEW_DERIVATIONS,
        {"decision": "stands"},
    ),
    ("get", f"{APPLICATION}/duties/proofing"): (Act.SEE_APPLICATIONS, None),
    ("post", f"{APPLICATION}/duties/proofing"): (Act.PROVE, {}),
    ("post", f"{APPLICATION}/preparation"): (Act.PERSONALISE, {"channel": "online"}),
    ("post", f"{APPLICATION}/codes"): (Act.DISPATCH_CODES, {"channel": "sms"}),
    ("get", "/api/v1/letters"): (Act.DISPATCH_CODES, None),
    ("get", LETTER): (Act.DISPATCH_CODES, None),
    ("post", f"{LETTER}/confirmation"): (Act.DISPATCH_CODES, None),
    ("get", "/api/v1/certificates"): (Act.FIND, None),
    ("get", CERTIFICATE): (Act.FIND, None),
    ("post", f"{CERTIFICATE}/revocation"): (Act.REVOKE, {"reason": "superseded"}),
    ("post", f"{CERTIFICATE}/hold"): (Act.REVOKE, {"cause": "key-lost"}),
    ("post", f"{CERTIFICATE}/release"): (Act.RELEASE, None),
    ("post", "/api/v1/revocations"): (Act.REVOKE, {"cause": "replaced", "profile": "none"}),
    ("get", "/api/v1/revocations"): (Act.REVOKE, None),
    ("get", BULK): (Act.REVOKE, None),
    ("post", f"{BULK}/beginning"): (Act.REVOKE, {"sha256": DIGEST}),
    ("get", "/api/v1/duties"): (Act.REVOKE, None),
    ("post", "/api/v1/duties"): (Act.REVOKE, NEW_DUTY),
    ("post", f"{DUTY}/revocation"): (Act.REVOKE, None),
    ("post", f"{DUTY}/dismissal"): (Act.REVOKE, {"no_reason": "other_person"}),
    ("get", "/api/v1/erasures"): (Act.ERASE, None),
    ("get", ERASURE): (Act.ERASE, None),
    ("get", f"{APPLICATION}/erasure-plan"): (Act.ERASE, None),
    ("post", "/api/v1/erasures"): (Act.ERASE, {"application_id": "A-ABCDEFGHIJ"}),
    ("post", f"{ERASURE}/approval"): (Act.ERASE, {"rulings_sha256": DIGEST}),
    ("post", f"{ERASURE}/cancellation"): (Act.ERASE, None),
    ("get", "/api/v1/retention/plan"): (Act.ERASE, None),
    ("get", "/api/v1/retention/orders"): (Act.ERASE, None),
    ("post", "/api/v1/retention/orders"): (
        Act.ERASE,
        {"kind": "release", "basis": "B 1", "hold_id": "K-1"},
    ),
    ("post", f"{ORDER}/approval"): (Act.ERASE, None),
    ("post", f"{APPLICATION}/consents"): (Act.PROVE, {"state": "withdrawn"}),
    ("post", "/api/v1/subjects/search"): (Act.SEE_PERSONS, SEARCH),
    ("post", f"{SUBJECT}/opening"): (Act.SEE_PERSONS, {"purpose": "audit"}),
    ("post", f"{SUBJECT}/package"): (Act.SEE_PERSONS, {"purpose": "audit"}),
    ("post", "/api/v1/cases"): (Act.MANAGE_CASES, {"kind": "access"}),
    ("get", "/api/v1/cases"): (Act.SEE_CASES, None),
    ("get", CASE): (Act.SEE_CASES, None),
    ("post", f"{CASE}/openings"): (Act.SEE_CASES, {"what": "text", "purpose": "handling"}),
    ("post", f"{CASE}/resumption"): (Act.SEE_CASES, None),
    ("post", f"{CASE}/identity"): (Act.PROVE, PROVED),
    ("post", f"{CASE}/approval"): (Act.APPROVE_CASES, {"sha256": DIGEST}),
    ("post", f"{CASE}/erasure"): (Act.ERASE, None),
    **{
        ("post", f"{CASE}/{step}"): (Act.MANAGE_CASES, body)
        for step, body in (
            ("assignment", {}),
            ("identity-request", None),
            ("files", {"name": "a", "content": ""}),
            ("clarification", {"question": "?"}),
            ("preparation", None),
            ("refusal", {"reasons": "", "complaint": "", "court": ""}),
            ("extension", {"reason": ""}),
            ("withdrawal", None),
            ("delivery", None),
            ("execution", None),
            ("rectification", {"application": "A-ABCDEFGHIJ"}),
            ("lifting-notice", None),
            ("lifting", None),
        )
    },
    ("get", "/api/v1/mandates"): (Act.SEE_APPLICATIONS, None),
    ("get", "/api/v1/incidents"): (Act.SEE_APPLICATIONS, None),
    ("get", ORGANISATION): (Act.SEE_APPLICATIONS, None),
    ("get", f"{MANDATE}/package"): (Act.SEE_APPLICATIONS, None),
    ("post", f"{MANDATE}/approval"): (Act.SEE_APPLICATIONS, {"signature": ""}),
    ("post", f"{MANDATE}/extract"): (Act.PROVE, {"reference": "X 1"}),
    ("post", f"{MANDATE}/documents"): (Act.PROVE, CHARTER),
    ("post", f"{MANDATE}/power-of-attorney"): (Act.PROVE, POWER),
    ("get", f"{MANDATE}/call-back"): (Act.PROVE, None),
    ("post", f"{MANDATE}/call-back"): (Act.PROVE, {"outcome": "denied"}),
    ("post", f"{MANDATE}/conclusion"): (Act.PROVE, None),
    ("post", f"{MANDATE}/refusal"): (Act.PROVE, None),
    ("get", "/api/v1/associations?cvr=99000007"): (Act.SEE_APPLICATIONS, None),
    ("get", "/api/v1/audit/events"): (Act.AUDIT, None),
    ("get", "/api/v1/audit/head"): (Act.AUDIT, None),
    ("post", "/api/v1/audit/samples"): (Act.AUDIT, {"count": 1}),
    ("post", "/api/v1/audit/events/9999999/openings"): (Act.OPEN_PAYLOADS, {"purpose": "dispute"}),
}
BY_OFFICER_OR_APPLICANT = {
    ("get", APPLICATION),
    ("get", f"{APPLICATION}/certificate"),
    ("get", f"{APPLICATION}/credential"),
    ("get", f"{APPLICATION}/consents"),
}
BY_APPLICANT = {
    ("post", f"{APPLICATION}/erasure"): None,
    ("post", f"{APPLICATION}/activation"): {"code": ""},
    ("post", f"{APPLICATION}/contact"): {},
    ("post", f"{APPLICATION}/revocation-secret"): None,
    ("post", f"{APPLICATION}/withdrawal"): None,
    ("post", f"{APPLICATION}/agreement-end"): None,
    ("post", f"{APPLICATION}/replacement"): {"certificate_request": "", "loss": "lost"},
    ("post", f"{APPLICATION}/nonces"): {"purpose": "login"},
    ("post", f"{APPLICATION}/biometrics"): {"capture": "face", "nonce": "n", "method": "m"},
    ("post", f"{APPLICATION}/logins"): {"provider": "a", "answer": "b", "nonce": "n"},
    ("post", f"{APPLICATION}/letter-code"): {"code": "c"},
}
BY_REQUESTER = {
    ("get", f"{CASE}/own"),
    *(
        ("post", f"{CASE}/{step}")
        for step in (
            "own-identity",
            "own-withdrawal",
            "own-answer",
            "download",
            "receipt",
            "application",
        )
    ),
}
NAMED = {name: APPLY[name] for name in ("certificate_request", "terms", "security_notice")}
BY_HOLDER = {
    ("get", MANDATE): None,
    ("post", "/api/v1/renewals"): {"certificate_request": ""},
    ("post", f"{MANDATE}/signatures"): {"asked_sha256": DIGEST},
    ("post", f"{MANDATE}/withdrawal"): None,
    ("post", f"{ORGANISATION}/applications"): NAMED,
    ("post", f"{ORGANISATION}/agreement"): {"session": "x", "subscriber": ANSWER},
    ("post", f"{ORGANISATION}/feed"): {"certificate_sha256": None},
    ("post", "/api/v1/associations"): {
        "cvr": "99000007",
        "application_id": "A-ABCDEFGHIJ",
        "level": "Low",
        "basis": "declaration",
    },
    ("post", f"{ASSOCIATION}/applications"): NAMED,
    **{
        ("post", f"{ASSOCIATION}/{word}"): None
        for word in ("consent", "endorsement", "activation", "suspension", "resumption", "end")
    },
}
BY_ANYONE = {
    ("get", "/api/v1/declarations"): None,
    ("post", "/api/v1/mandates"): {"cvr": "99000007", "level": "Low"},
    ("post", f"{ORGANISATION}/feed/records"): {"records": "{}", "signature": ""},
    ("get", "/api/v1/terms"): None,
    ("get", "/api/v1/consents/texts"): None,
    ("post", "/api/v1/applications"): APPLY,
    ("post", "/api/v1/enrolments"): {"token": "x", "certificate_request": ""},
    ("post", "/api/v1/presentations"): {"language": "da"},
}
WHOAMI = ("get", "/api/v1/whoami")
SIGN_IN = ("post", "/api/v1/sign-ins")
BY_SESSION = {("post", "/api/v1/presentations/completion")}
CLOSED = [*BY_OFFICERS, *BY_OFFICER_OR_APPLICANT, *BY_APPLICANT, *BY_REQUESTER, WHOAMI, SIGN_IN]
CLOSED += BY_HOLDER


@pytest.fixture(scope="module")
def app(office: Office) -> Flask:
    found = staff_app(office.parts, Metrics.of_process())
    found.testing = False
    return found


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def presenting(certificate: x509.Certificate, verified: str = "SUCCESS") -> dict[str, str]:
    """What cheroot puts in the environment for a client certificate."""
    pem = certificate.public_bytes(Encoding.PEM).decode()
    return {"SSL_CLIENT_CERT": pem, "SSL_CLIENT_VERIFY": verified}


def ask(
    client: FlaskClient, operation: tuple[str, str], environ: dict[str, str] | None = None
) -> TestResponse:
    method, path = operation
    others = BY_ANYONE.get(operation) or BY_APPLICANT.get(operation) or BY_HOLDER.get(operation)
    _, body = BY_OFFICERS.get(operation, (None, others))
    if operation == ("post", f"{CASE}/application"):
        body = APPLY
    if operation == ("post", f"{CASE}/own-answer"):
        body = {"answer": "yes"}
    body = BY_APPLICANT.get(operation, body)
    return client.open(path, method=method.upper(), json=body, environ_base=environ or {})


def self_signed() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "approving officer")])
    now = datetime.now(UTC)  # noqa: TID251 - a certificate of its own clock
    return (
        x509.CertificateBuilder(name, name, key.public_key(), 5)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


def test_the_matrix_knows_every_operation(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").json
    assert document is not None
    written = {(method, path) for path, item in document["paths"].items() for method in item}
    known = {
        (
            method,
            path.replace("A-ABCDEFGHIJ", "{application_id}")
            .replace("M-ABCDEFGHIJ", "{mandate_id}")
            .replace("B-0123456789abcdef", "{association_id}")
            .replace("organisations/99000007", "organisations/{cvr}")
            .replace("?cvr=99000007", "")
            .replace("K7F2M9QX", "{case_id}")
            .replace("E-0123456789abcdef", "{case_id}")
            .replace("subject-0123456789abcdef", "{subject_id}")
            .replace("bulk-0123456789abcdef", "{bulk_id}")
            .replace("letter-0123456789abcdef", "{letter_id}")
            .replace("duties/proofing", "duties/{task}")
            .replace("K-0123456789abcdef", "{order_id}")
            .replace("D-0123456789abcdef", "{duty_id}")
            .replace("9999999", "{sequence}")
            .replace("issuing/01abcdef0123456789abcdef", "{issuer}/{serial}"),
        )
        for method, path in [*CLOSED, *BY_ANYONE, *BY_SESSION]
    }
    assert written == known


def test_every_act_is_somebodys_and_no_role_has_all() -> None:
    assert set().union(*RIGHTS.values()) == set(Act)
    assert set(RIGHTS) == set(Role)
    assert all(rights < set(Act) for rights in RIGHTS.values())
    assert not RIGHTS[Role.REGISTRATION_OFFICER] & {Act.APPROVE, Act.ERASE, Act.REVOKE}
    assert not RIGHTS[Role.APPROVING_OFFICER] & {Act.PROVE, Act.ERASE}
    assert RIGHTS[Role.AUDITOR] == {Act.AUDIT, Act.FIND, Act.OPEN_PAYLOADS}
    assert RIGHTS[Role.DATA_PROTECTION_OFFICER] == {
        Act.SEE_CASES,
        Act.FIND,
        Act.SEE_PERSONS,
    }


@pytest.mark.parametrize("role", Role)
def test_no_role_asks_approves_erases_and_verifies_but_one_of_them(role: Role) -> None:
    duties = (
        {Act.MANAGE_CASES},
        {Act.APPROVE_CASES, Act.APPROVE},
        {Act.ERASE},
        {Act.PROVE},
    )
    assert sum(bool(duty & RIGHTS[role]) for duty in duties) <= 1


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("operation", BY_OFFICERS, ids=" ".join)
def test_a_role_does_what_its_rights_include_and_nothing_else(
    client: FlaskClient, office: Office, role: Role, operation: tuple[str, str]
) -> None:
    act, _ = BY_OFFICERS[operation]
    answer = ask(client, operation, presenting(office.staff[role].certificate))
    if act in RIGHTS[role]:
        assert answer.status_code in {200, 201, 400, 404, 409, 422}
    else:
        assert answer.status_code == 403
        assert answer.json is not None
        assert answer.json["type"] == "/problems/not-allowed"
        holders = [r.label for r, rights in RIGHTS.items() if act in rights]
        assert all(label in answer.json["detail"] for label in holders)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("operation", sorted(BY_OFFICER_OR_APPLICANT))
def test_an_application_is_shown_to_those_who_see_applications(
    client: FlaskClient, office: Office, role: Role, operation: tuple[str, str]
) -> None:
    answer = ask(client, operation, presenting(office.staff[role].certificate))
    assert answer.status_code == (404 if Act.SEE_APPLICATIONS in RIGHTS[role] else 403)


@pytest.mark.parametrize("role", Role)
def test_no_officer_asks_for_the_erasure_of_another(
    client: FlaskClient, office: Office, role: Role
) -> None:
    of = applied(office.parts).id
    operation = ("post", f"/api/v1/applications/{of}/erasure")
    assert ask(client, operation, presenting(office.staff[role].certificate)).status_code == 401


@pytest.mark.parametrize("role", Role)
def test_everyone_on_the_staff_may_ask_who_they_are(
    client: FlaskClient, office: Office, role: Role
) -> None:
    someone = office.staff[role]
    answer = ask(client, WHOAMI, presenting(someone.certificate))
    assert answer.json == {"officer": someone.officer.id, "role": role}


@pytest.mark.parametrize("operation", BY_ANYONE, ids=" ".join)
def test_what_anyone_may_ask_needs_no_certificate(
    client: FlaskClient, operation: tuple[str, str]
) -> None:
    assert ask(client, operation).status_code not in {401, 403, 500}


@pytest.fixture(scope="module")
def strangers(office: Office) -> dict[str, dict[str, str] | None]:
    """Everyone who is nobody here."""
    parts, genuine = office.parts, office.approving.certificate
    revoked = an_officer(parts, Role.SECURITY_ADMINISTRATOR).certificate
    parts.statuses.revoke(
        IssuerName("issuing"),
        SerialNumber(revoked.serial_number),
        Reason.KEY_COMPROMISE,
        "system:operator",
        utc_now(),
    )
    holder = certified(parts, office.registration.officer, office.approving)
    (issued,) = parts.certificates.find(application_id=holder.id)
    person = parts.certificates.body(issued.issuer, issued.serial_number)
    issuer = parts.issuers.get("issuing").certificate
    assert issuer is not None
    return {
        "nobody": None,
        "an empty certificate": {"SSL_CLIENT_CERT": "", "SSL_CLIENT_VERIFY": "SUCCESS"},
        "no certificate at all": {"SSL_CLIENT_CERT": "junk", "SSL_CLIENT_VERIFY": "SUCCESS"},
        "one that was not verified": presenting(genuine, "NONE"),
        "one that failed": presenting(genuine, "FAILED:expired"),
        "a foreign one": presenting(self_signed()),
        "a revoked officer": presenting(revoked),
        "a certificate holder": presenting(person),
        "the issuer itself": presenting(issuer),
        "a made-up session": {"HTTP_COOKIE": "__Host-tillid=" + "x" * 43},
        "a made-up secret": {"HTTP_AUTHORIZATION": "Bearer " + "x" * 43},
        "an endless secret": {"HTTP_AUTHORIZATION": "Bearer " + "x" * 10_000},
        "another scheme": {"HTTP_AUTHORIZATION": "Basic eDp4"},
    }


@pytest.mark.parametrize("operation", CLOSED, ids=" ".join)
def test_strangers_get_nowhere(
    client: FlaskClient,
    strangers: dict[str, dict[str, str] | None],
    operation: tuple[str, str],
) -> None:
    for who, environ in strangers.items():
        if operation in BY_HOLDER and who == "a certificate holder":
            continue
        answer = ask(client, operation, environ)
        assert answer.status_code == 401, who
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json is not None
        assert answer.json["type"] == "/problems/not-signed-in"


def test_a_revocation_ends_an_officers_rights_at_once(client: FlaskClient, office: Office) -> None:
    someone = an_officer(office.parts, Role.AUDITOR)
    environ = presenting(someone.certificate)
    assert ask(client, WHOAMI, environ).status_code == 200
    serial = f"{someone.certificate.serial_number:x}"
    done = client.post(
        f"/api/v1/certificates/issuing/{serial}/revocation",
        json={"reason": "affiliationChanged"},
        environ_base=presenting(office.staff[Role.SECURITY_ADMINISTRATOR].certificate),
    )
    assert done.status_code == 200
    assert ask(client, WHOAMI, environ).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "operation", [o for o in [*CLOSED, *BY_ANYONE] if o[0] == "post"], ids=" ".join
)
def test_no_other_site_acts_through_an_officers_browser(
    client: FlaskClient, office: Office, headers: dict[str, str], operation: tuple[str, str]
) -> None:
    environ = presenting(office.staff[Role.SECURITY_ADMINISTRATOR].certificate)
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": v for name, v in headers.items()}
    answer = ask(client, operation, environ)
    assert answer.status_code == 400
    assert answer.json is not None
    assert "another site" in answer.json["detail"]


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"}],
    ids=str,
)
def test_our_own_pages_may_act(
    client: FlaskClient, office: Office, headers: dict[str, str]
) -> None:
    environ = presenting(office.staff[Role.SECURITY_ADMINISTRATOR].certificate)
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": v for name, v in headers.items()}
    assert ask(client, ("post", f"{ERASURE}/approval"), environ).status_code == 404

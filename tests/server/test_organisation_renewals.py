"""Seals and employees' certificates are renewed and replaced while what carries them stands."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ra.case import CompanyStatus
from ra.companies import CompanyAnswer, NoCompany
from ra.errors import MalformedField, Refused
from ra.fake_companies import TEST_CVR, FakeCvr
from ra.identity import CprNumber
from ra.legal_persons import Company, CvrNumber, Jointly, Signatory
from ra.legal_persons import Role as MandatedRole
from ra.mandates import MandateState, step
from ra.registers import NoAnswer
from ra.renewals import Basis, Loss
from records.officers import Role
from revocation.causes import Cause
from server.assembly import Assembly
from server.clock import utc_now
from server.metrics import Metrics
from server.organisation_applications import conclude_application, require_standing, take_up_named
from server.organisation_renewals import Renewed, earlier_of, open_renewal
from server.renewals import Asked, renew, replace_lost
from server.staff import staff_app
from tests.support.api import an_application
from tests.support.organisations import (
    ASSOCIATIONS,
    ASTA,
    KIRSTEN,
    LOW,
    NANCY,
    SOEREN,
    SUBSTANTIAL,
    Citizen,
    Registry,
    codes,
)
from tests.support.ra_builders import a_new_request_der
from tests.support.staff import Office

BANKRUPT, TRADER = "99000023", "99000074"
SEALS = f"/api/v1/organisations/{BANKRUPT}/applications"
LATER = timedelta(days=21)


@pytest.fixture(scope="module")
def registry(office: Office) -> Registry:
    return a_registry(office)


def a_registry(office: Office) -> Registry:
    app = staff_app(office.parts, Metrics.of_process())
    app.testing = False
    return Registry(office, app)


@pytest.fixture
def director(registry: Registry) -> Citizen:
    """Of a company that goes bankrupt on day 20; each with a mandate of their own."""
    person = registry.new_citizen(NANCY)
    registry.granted(person, BANKRUPT, SUBSTANTIAL)
    return person


@pytest.fixture
def employee(registry: Registry, director: Citizen) -> tuple[Citizen, str]:
    """Somebody with a role there, and the id of the association."""
    administrator, person = registry.new_citizen(KIRSTEN), registry.new_citizen(ASTA)
    appointed = {"act": "administer", "administrator": administrator.application.id}
    registry.granted(director, BANKRUPT, SUBSTANTIAL, **appointed)
    body = {
        "cvr": BANKRUPT,
        "application_id": person.application.id,
        "level": "Substantial",
        "basis": "administrator",
    }
    of = registry.call(administrator, ASSOCIATIONS, body, 201)
    registry.call(person, f"{ASSOCIATIONS}/{of['id']}/consent", {})
    registry.call(administrator, f"{ASSOCIATIONS}/{of['id']}/activation", {})
    return person, str(of["id"])


def asking(registry: Registry, certificate: x509.Certificate, **more: object) -> dict[str, object]:
    """What is handed in for the next certificate; the texts are those that were accepted."""
    request = an_application(registry.parts)["certificate_request"]
    return {"certificate_request": request, "renews": fingerprint(certificate), **more}


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex()


def sealed(registry: Registry, director: Citizen) -> tuple[str, x509.Certificate]:
    asked = registry.named(director, SEALS)
    return asked["id"], registry.issued(asked["id"])


def certified(registry: Registry, employee: tuple[Citizen, str]) -> tuple[str, x509.Certificate]:
    person, of = employee
    asked = registry.named(person, f"{ASSOCIATIONS}/{of}/applications")
    return asked["id"], registry.issued(asked["id"])


def record(registry: Registry, application_id: str) -> tuple[str, Cause | None]:
    (found,) = registry.parts.certificates.find(application_id=application_id)
    return found.status, found.cause


def refused(registry: Registry, application_id: str) -> set[str]:
    path = f"/api/v1/applications/{application_id}/conclusion"
    return codes(registry.clerk(path, {}, 422))


def test_a_seal_is_renewed_by_who_is_mandated_and_ends_the_old_one(
    registry: Registry, director: Citizen
) -> None:
    first, certificate = sealed(registry, director)

    made = registry.call(director, SEALS, asking(registry, certificate), 201)

    assert (made["renews"]["basis"], made["renews"]["application"]) == ("renewal", first)
    assert record(registry, first) == ("issued", None)
    following = registry.issued(made["id"])
    assert following.subject == certificate.subject
    assert following.public_key() != certificate.public_key()
    assert record(registry, first) == ("revoked", Cause.REPLACED)
    application = registry.parts.applications.get(made["id"])
    assert application.level is SUBSTANTIAL
    assert application.renewal is not None
    assert application.renewal.register.status == "active"


def test_an_employee_renews_with_the_certificate_of_the_role_or_with_the_own(
    registry: Registry, employee: tuple[Citizen, str]
) -> None:
    first, certificate = certified(registry, employee)
    body = {"certificate_request": an_application(registry.parts)["certificate_request"]}
    role = replace(employee[0], certificate=certificate)

    made = registry.call(role, "/api/v1/renewals", body, 201)

    assert registry.call(role, "/api/v1/renewals", body, 409)["status"] == 409
    following = registry.issued(made["id"])
    assert following.subject == certificate.subject
    assert record(registry, first) == ("revoked", Cause.REPLACED)
    path = f"{ASSOCIATIONS}/{employee[1]}/applications"
    again = registry.call(employee[0], path, asking(registry, following), 201)
    assert registry.issued(again["id"]).subject == certificate.subject
    application = registry.parts.applications.get(again["id"])
    assert application.renewal is not None
    assert application.renewal.register.status == "01"


def test_what_is_lost_is_revoked_at_once_and_replaced(
    registry: Registry, director: Citizen, employee: tuple[Citizen, str]
) -> None:
    seal, certificate = sealed(registry, director)
    made = registry.call(director, SEALS, asking(registry, certificate, loss="compromised"), 201)
    assert made["renews"]["basis"] == Basis.REPLACEMENT
    assert record(registry, seal) == ("revoked", Cause.KEY_COMPROMISED)
    registry.issued(made["id"])
    role, certificate = certified(registry, employee)
    path = f"{ASSOCIATIONS}/{employee[1]}/applications"
    body = asking(registry, certificate, loss="unusable")
    made = registry.call(employee[0], path, body, 201)
    assert record(registry, role) == ("issued", None)
    registry.issued(made["id"])
    assert record(registry, role) == ("revoked", Cause.REPLACED)


def test_a_certificate_of_somebody_else_is_not_found(
    registry: Registry, director: Citizen, employee: tuple[Citizen, str]
) -> None:
    seal, role = sealed(registry, director)[1], certified(registry, employee)[1]
    path = f"{ASSOCIATIONS}/{employee[1]}/applications"
    registry.call(employee[0], path, asking(registry, seal), 404)
    registry.call(director, SEALS, asking(registry, role), 404)
    registry.call(director, SEALS, asking(registry, director.certificate), 404)
    trader = registry.new_citizen(SOEREN)
    registry.granted(trader, TRADER, SUBSTANTIAL)
    other = f"/api/v1/organisations/{TRADER}/applications"
    registry.call(trader, other, asking(registry, seal), 404)
    found = registry.call(trader, SEALS, asking(registry, seal), 422)
    assert codes(found) == {"AUTHORISATION_NOT_VERIFIED"}


def test_a_seal_logs_nobody_in_and_no_secret_replaces_it(
    registry: Registry, director: Citizen
) -> None:
    of, certificate = sealed(registry, director)
    with pytest.raises(MalformedField, match="profile"):
        replace_lost(registry.parts, of, Loss.LOST, Asked(a_new_request_der()), utc_now())
    with pytest.raises(Refused, match="AUTHORISATION_NOT_VERIFIED"):
        renew(registry.parts, certificate, Asked(a_new_request_der()), utc_now())


def test_bad_fields_change_nothing(
    registry: Registry, director: Citizen, employee: tuple[Citizen, str]
) -> None:
    seal, certificate = sealed(registry, director)
    body = asking(registry, certificate)
    unnamed = {**body, "loss": "lost"}
    del unnamed["renews"]
    for wrong in ({**body, "loss": "stolen"}, {**body, "renews": "01ab"}, unnamed):
        registry.call(director, SEALS, wrong, 400)
    unread = {"certificate_request": body["certificate_request"]}
    assert "TERMS_ACCEPTANCE_NOT_EXPLICIT" in codes(registry.call(director, SEALS, unread, 422))
    assert record(registry, seal) == ("issued", None)
    role = replace(employee[0], certificate=certified(registry, employee)[1])
    changed = {**unread, "changes": {"surname": "Madsen"}}
    registry.call(role, "/api/v1/renewals", changed, 400)


def test_what_is_on_hold_is_not_renewed(registry: Registry, director: Citizen) -> None:
    seal, certificate = sealed(registry, director)
    (found,) = registry.parts.certificates.find(application_id=seal)
    place = found.issuer, found.serial_number
    registry.parts.statuses.hold(*place, "system:operator", utc_now(), Cause.NOT_NEEDED)
    answer = registry.call(director, SEALS, asking(registry, certificate), 422)
    assert codes(answer) == {"RENEWAL_CREDENTIAL_NOT_VALID"}
    administrator = registry.office.staff[Role.SECURITY_ADMINISTRATOR].officer
    registry.parts.statuses.release(*place, administrator.id, utc_now())
    made = registry.call(director, SEALS, asking(registry, certificate), 201)
    registry.parts.statuses.hold(*place, "system:operator", utc_now(), Cause.NOT_NEEDED)
    assert refused(registry, made["id"]) == {"RENEWAL_CREDENTIAL_NOT_VALID"}


def test_without_a_mandate_that_stands_nothing_is_renewed(
    registry: Registry, employee: tuple[Citizen, str]
) -> None:
    parts, now = registry.parts, utc_now()
    role = certified(registry, employee)[1]
    path = f"{ASSOCIATIONS}/{employee[1]}/applications"
    made = registry.call(employee[0], path, asking(registry, role), 201)
    for each in parts.mandates.granted(CvrNumber(BANKRUPT)):
        parts.mandates.update(each, step(each, MandateState.ENDED, now), "system:test", now)
    found = refused(registry, made["id"])
    assert {"AUTHORISATION_NOT_VERIFIED", "ASSOCIATION_ADMIN_NOT_AUTHORISED"} <= found


def test_a_bankruptcy_refuses_at_the_conclusion_and_before_the_signature(
    registry: Registry, director: Citizen
) -> None:
    certificate = sealed(registry, director)[1]
    made = registry.call(director, SEALS, asking(registry, certificate), 201)
    clerk = registry.office.staff[Role.REGISTRATION_OFFICER].officer
    submitted = registry.parts.applications.get(made["id"])
    taken = take_up_named(registry.parts, submitted, clerk, utc_now())
    with pytest.raises(Refused, match="LEGAL_PERSON_IN_BANKRUPTCY"):
        conclude_application(registry.parts, taken, utc_now() + LATER)
    require_standing(registry.parts, taken, utc_now())
    with pytest.raises(Refused, match="LEGAL_PERSON_IN_BANKRUPTCY"):
        require_standing(registry.parts, taken, utc_now() + LATER)


def test_a_login_below_the_level_renews_nothing(registry: Registry, director: Citizen) -> None:
    of, certificate = sealed(registry, director)
    applicant = registry.parts.applications.get(of).applicant
    found = earlier_of(registry.parts, Renewed(fingerprint(certificate)), applicant)
    with pytest.raises(Refused, match="RENEWAL_BASIS_INVALID"):
        open_renewal(registry.parts, found, applicant, (LOW, None), utc_now())


@dataclass(frozen=True)
class Changed:
    """The register of legal persons after something else changed in it."""

    answer: Callable[[Company], CompanyAnswer]
    source_id: str = TEST_CVR

    def find(self, number: CvrNumber, now: datetime) -> CompanyAnswer:
        found = FakeCvr(now).find(number, now)
        assert isinstance(found, Company)
        return self.answer(found)


OTHERS = (Signatory(KIRSTEN, MandatedRole.DIRECTOR), Signatory(SOEREN, MandatedRole.DIRECTOR))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda of: replace(of, signatories=OTHERS), "ROLE_NOT_FOUND_IN_CVR"),
        (lambda of: replace(of, rule=Jointly(2)), "SIGNING_RULE_NOT_SATISFIED"),
        (lambda of: replace(of, status=CompanyStatus.CEASED), "LEGAL_PERSON_CEASED"),
        (lambda _: NoAnswer(), "LEGAL_PERSON_EVIDENCE_INSUFFICIENT"),
        (lambda _: NoCompany(), "LEGAL_PERSON_NOT_FOUND"),
    ],
    ids=["another-director", "two-sign", "ceased", "silent", "unknown"],
)
def test_what_changed_in_the_register_refuses_a_renewal_at_each_step(
    office_at_another_time: Office,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[Company], CompanyAnswer],
    code: str,
) -> None:
    registry = a_registry(office_at_another_time)
    director = registry.new_citizen(NANCY)
    registry.granted(director, BANKRUPT, SUBSTANTIAL)
    certificate = sealed(registry, director)[1]
    made = registry.call(director, SEALS, asking(registry, certificate), 201)
    _, catalogue = registry.parts.companies()
    monkeypatch.setattr(Assembly, "companies", lambda _: (Changed(answer), catalogue))
    assert code in refused(registry, made["id"])
    assert code in codes(registry.call(director, SEALS, asking(registry, certificate), 422))


def test_a_dead_employee_is_certified_no_more(
    registry: Registry, employee: tuple[Citizen, str]
) -> None:
    parts, of = registry.parts, certified(registry, employee)
    path = f"{ASSOCIATIONS}/{employee[1]}/applications"
    made = registry.call(employee[0], path, asking(registry, of[1]), 201)
    clerk = registry.office.staff[Role.REGISTRATION_OFFICER].officer
    taken = take_up_named(parts, parts.applications.get(made["id"]), clerk, utc_now())
    dead = replace(taken.applicant.claim, cpr_number=CprNumber("2103009996"))
    named = replace(taken, applicant=replace(taken.applicant, claim=dead))
    later = parts.settings.registers.model_copy(update={"fake_days": 30})
    settings = parts.settings.model_copy(update={"registers": later})
    with pytest.raises(Refused, match="PERSON_DECEASED"):
        conclude_application(replace(parts, settings=settings), named, utc_now())


def test_a_suspended_association_carries_no_renewal(
    registry: Registry, employee: tuple[Citizen, str]
) -> None:
    certificate, path = certified(registry, employee)[1], f"{ASSOCIATIONS}/{employee[1]}"
    made = registry.call(employee[0], f"{path}/applications", asking(registry, certificate), 201)
    registry.call(employee[0], f"{path}/suspension", {})
    expected = "ASSOCIATION_NOT_UNDER_ORGANISATION_CONTROL"
    assert expected in refused(registry, made["id"])
    body = asking(registry, certificate, loss="unusable")
    again = registry.call(employee[0], f"{path}/applications", body, 422)
    assert codes(again) == {expected}

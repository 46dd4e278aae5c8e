"""Holders renew and replace their credentials, from the request to the end of the old one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from flask.testing import FlaskClient

from ra.applications import Application, ApplicationState
from ra.errors import Conflict, Refused
from ra.fake_services import FakeNotifier
from ra.renewals import Loss
from ra.requirements import finding
from ra.revocation_duties import DutyCause
from records.certificate_rows import CertificateRecord
from records.errors import NotFound
from records.officers import Role
from records.renewals import holder_of
from records.statuses import Place
from revocation.causes import Cause, Grounds
from server.agreements import end_agreement
from server.assembly import Assembly
from server.clock import utc_now
from server.errors import NotSignedIn
from server.metrics import Metrics
from server.persons import post_letter, return_letter_code, take_up
from server.registration import (
    application_package,
    approve_application,
    conclude_proofing,
    record_document,
    reject_application,
)
from server.renewals import Asked, renew, replace_lost
from server.revocation_duties import due_by_itself
from server.staff import staff_app
from tests.support.api import bearer, presenting, problem
from tests.support.ra_builders import NANCY, a_new_request_der, passport_of
from tests.support.staff import Office, an_officer, applied, certified, shown

SOEREN = "0108589995"
OPERATOR = "system:operator"
ADMINISTRATOR = Role.SECURITY_ADMINISTRATOR
REASON = (finding("ISS-REN-L1b", "RENEWAL_CREDENTIAL_NOT_VALID"),)


@dataclass(frozen=True)
class Desk:
    """An office, and what its officers do with a renewal."""

    office: Office

    @property
    def parts(self) -> Assembly:
        return self.office.parts

    def holder(self, number: str = NANCY, *, published: bool = False) -> Application:
        office = self.office
        clerk = office.registration.officer
        return certified(self.parts, clerk, office.approving, number, published=published)

    def record(self, of: Application) -> CertificateRecord:
        found = self.parts.certificates.find(application_id=of.id)
        return next(each for each in found if each.issued_at is not None)

    def certificate(self, of: Application) -> x509.Certificate:
        record = self.record(of)
        return self.parts.certificates.body(record.issuer, record.serial_number)

    def renew(self, of: Application, **changes: object) -> Application:
        return renew(self.parts, self.certificate(of), asked(**changes), utc_now())[0]

    def lose(self, of: Application, loss: Loss = Loss.LOST) -> Application:
        return replace_lost(self.parts, of.id, loss, asked(), utc_now())[0]

    def concluded(self, of: Application) -> Application:
        clerk = self.office.registration.officer
        if self.parts.applications.get(of.id).state is ApplicationState.SUBMITTED:
            take_up(self.parts, of.id, clerk, utc_now())
        return conclude_proofing(self.parts, of.id, clerk, utc_now())

    def approved(self, of: Application) -> Application:
        """Taken up, concluded, signed by the second officer, and certified."""
        concluded = self.concluded(of)
        approver = self.office.approving
        signature = approver.sign(application_package(concluded))
        return approve_application(self.parts, of.id, signature, approver.officer, utc_now())

    def place(self, of: Application) -> Place:
        record = self.record(of)
        return record.issuer, record.serial_number

    def hold(self, of: Application, cause: Cause = Cause.COMPROMISE_SUSPECTED) -> None:
        self.parts.statuses.hold(*self.place(of), OPERATOR, utc_now(), cause)


def asked(**changes: object) -> Asked:
    return replace(Asked(a_new_request_der()), **changes)  # type: ignore[arg-type]


def codes(act: Callable[[], object]) -> list[str]:
    with pytest.raises(Refused) as refusal:
        act()
    return [each.code for each in refusal.value.findings]


def a_request_pem() -> str:
    request = x509.load_der_x509_csr(a_new_request_der())
    return request.public_bytes(Encoding.PEM).decode()


@pytest.fixture(scope="module")
def app(office: Office) -> Flask:
    return staff_app(office.parts, Metrics.of_process())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def desk(office: Office) -> Desk:
    return Desk(office)


def test_a_renewal_is_certified_without_a_document_and_ends_the_old_certificate(
    desk: Desk,
) -> None:
    old = desk.holder(published=True)

    new = desk.approved(desk.renew(old))

    assert new.state is ApplicationState.FULFILLED
    assert new.evidence == ()
    assert new.level is old.level
    assert desk.record(new).status == "issued"
    assert desk.record(new).subject_id == old.subject_id
    assert desk.certificate(new).subject == desk.certificate(old).subject
    ended = desk.record(old)
    assert (ended.status, ended.cause, ended.decided_by) == (
        "revoked",
        Cause.REPLACED,
        "system:issuance",
    )
    assert new.requested.publication_consent


def test_the_old_certificate_is_good_until_the_new_one_is_there(desk: Desk) -> None:
    old = desk.holder()
    desk.concluded(desk.renew(old))
    assert desk.record(old).status == "issued"


def test_a_suspended_or_revoked_certificate_asks_for_no_renewal(desk: Desk) -> None:
    old = desk.holder()
    desk.hold(old, Cause.NOT_NEEDED)
    assert codes(lambda: desk.renew(old)) == ["RENEWAL_CREDENTIAL_NOT_VALID"]
    desk.parts.statuses.release(
        *desk.place(old), desk.office.staff[ADMINISTRATOR].officer.id, utc_now()
    )
    renewed = desk.approved(desk.renew(old))
    assert codes(lambda: desk.renew(old)) == ["RENEWAL_CREDENTIAL_NOT_VALID"]
    assert desk.record(renewed).status == "issued"


def test_what_is_suspended_meanwhile_carries_no_conclusion_and_a_passport_does(
    desk: Desk,
) -> None:
    old = desk.holder()
    new = desk.renew(old)
    desk.hold(old)
    assert codes(lambda: desk.concluded(new)) == ["RENEWAL_CREDENTIAL_NOT_VALID"]
    clerk = desk.office.registration.officer
    record_document(desk.parts, new.id, passport_of(), clerk, utc_now())
    done = desk.approved(new)
    assert done.state is ApplicationState.FULFILLED
    # It was held for a suspicion that nobody dispelled.
    assert desk.record(old).cause is Cause.COMPROMISE_SUSPECTED
    assert desk.record(old).status == "revoked"


def test_what_is_suspended_after_the_conclusion_leads_to_no_certificate(desk: Desk) -> None:
    old = desk.holder()
    new = desk.renew(old)
    desk.concluded(new)
    desk.hold(old)
    stands = desk.parts.applications.get(new.id)
    approver = desk.office.approving
    signature = approver.sign(application_package(stands))
    found = codes(
        lambda: approve_application(desk.parts, new.id, signature, approver.officer, utc_now())
    )
    assert found == ["RENEWAL_CREDENTIAL_NOT_VALID"]
    assert desk.parts.certificates.find(application_id=new.id) == []


def test_a_certificate_gives_way_to_one_other_at_a_time(desk: Desk) -> None:
    old = desk.holder()
    first = desk.renew(old)
    with pytest.raises(Conflict):
        desk.renew(old)
    stands = desk.parts.applications.get(first.id)
    reject_application(desk.parts, first.id, REASON, desk.office.registration.officer, utc_now())
    assert stands.state is ApplicationState.SUBMITTED
    assert desk.renew(old).renewal is not None


def test_a_changed_name_is_the_registers_or_is_not_certified(desk: Desk) -> None:
    old = desk.holder()
    new = desk.renew(old, changes={"surname": "Madsen"})
    assert "ATTRIBUTE_CHANGE_NOT_VERIFIED" in codes(lambda: desk.concluded(new))
    mail = desk.renew(desk.holder(SOEREN), changes={"email": "new@example.test"})
    assert desk.concluded(mail).state is ApplicationState.VERIFIED


def test_a_lost_key_is_revoked_at_once_and_replaced_by_a_letter(desk: Desk) -> None:
    old = desk.holder()
    new = desk.lose(old)
    ended = desk.record(old)
    assert (ended.status, ended.cause) == ("revoked", Cause.KEY_LOST)
    assert ended.decided_by == holder_of(old.id)
    clerk = desk.office.registration.officer
    take_up(desk.parts, new.id, clerk, utc_now())
    assert codes(lambda: desk.concluded(new)) == ["REPLACEMENT_CONTROLS_MISSING"]
    post = desk.parts.persons.ports.post
    assert isinstance(post, FakeNotifier)
    post_letter(desk.parts, new.id, clerk, utc_now())
    code = post.sent[f"{new.id}-1"].text.value
    return_letter_code(desk.parts, new.id, code, utc_now())
    assert desk.approved(new).state is ApplicationState.FULFILLED


def test_an_unusable_key_is_good_until_it_is_replaced(desk: Desk) -> None:
    old = desk.holder()
    new = desk.lose(old, Loss.UNUSABLE)
    assert desk.record(old).status == "issued"
    clerk = desk.office.registration.officer
    record_document(desk.parts, new.id, passport_of(), clerk, utc_now())
    desk.approved(new)
    assert (desk.record(old).status, desk.record(old).cause) == ("revoked", Cause.REPLACED)


def test_what_was_revoked_for_a_breach_is_not_replaced(desk: Desk) -> None:
    old = desk.holder()
    grounds = Grounds(Cause.TERMS_BREACHED)
    desk.parts.statuses.revoke(*desk.place(old), grounds, OPERATOR, utc_now())
    assert codes(lambda: desk.lose(old)) == ["RENEWAL_BASIS_INVALID"]


def test_only_a_persons_own_certificate_asks(desk: Desk) -> None:
    officer = an_officer(desk.parts, Role.AUDITOR)
    with pytest.raises(NotSignedIn):
        renew(desk.parts, officer.certificate, asked(), utc_now())
    with pytest.raises(NotFound):
        desk.lose(applied(desk.parts))


def test_a_holder_renews_and_replaces_over_the_api(desk: Desk, client: FlaskClient) -> None:
    old = desk.holder()
    body = {"certificate_request": a_request_pem(), "changes": {"email": "new@example.test"}}
    environ = presenting(desk.certificate(old))
    made = client.post("/api/v1/renewals", json=body, environ_base=environ)
    assert made.status_code == 201
    assert made.json is not None
    record = desk.record(old)
    assert made.json["renews"] == {
        "basis": "renewal",
        "application": old.id,
        "certificate": f"issuing/{record.serial_number.hex}",
    }
    again = client.post("/api/v1/renewals", json=body, environ_base=environ)
    assert problem(again)["status"] == 409
    done = desk.approved(desk.parts.applications.get(made.json["id"]))
    lost = client.post(
        f"/api/v1/applications/{done.id}/replacement",
        json={"certificate_request": a_request_pem(), "loss": "compromised"},
        headers=bearer(made.json["secret"]),
    )
    assert lost.status_code == 201
    assert desk.record(done).cause is Cause.KEY_COMPROMISED


def test_a_renewal_answers_texts_that_are_new_and_only_as_they_are(
    desk: Desk, client: FlaskClient
) -> None:
    environ = presenting(desk.certificate(desk.holder()))
    session, digests = shown(desk.parts)
    answers = {
        kind: {"sha256": digest, "read": True, "accepted": True} for kind, digest in digests.items()
    }
    body = {"certificate_request": a_request_pem(), "session": session}
    half = {**body, "terms": answers["terms"]}
    refused = client.post("/api/v1/renewals", json=half, environ_base=environ)
    assert "REG-APP-S4b" in str(problem(refused))
    made = client.post("/api/v1/renewals", json={**body, **answers}, environ_base=environ)
    assert made.status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"extra": 1}, "extra"),
        ({"changes": {"surname": 1}}, "changes.surname"),
        ({"terms": {"sha256": "0" * 64}}, "terms.read"),
        ({"certificate_request": None}, "certificate_request"),
    ],
    ids=str,
)
def test_each_wrong_field_of_a_renewal_is_named(
    client: FlaskClient, change: dict[str, object], field: str
) -> None:
    body = {"certificate_request": "", **change}
    answer = client.post("/api/v1/renewals", json=body)
    assert field in {one["field"] for one in problem(answer)["errors"]}


def renewed(desk: Desk, client: FlaskClient, old: Application) -> dict[str, str]:
    """The application that the holder of a certificate asks for by the API, with its secret."""
    made = client.post(
        "/api/v1/renewals",
        json={"certificate_request": a_request_pem()},
        environ_base=presenting(desk.certificate(old)),
    )
    assert made.json is not None
    return dict(made.json)


def test_no_officer_replaces_a_credential_in_the_holders_name(
    desk: Desk, client: FlaskClient
) -> None:
    old = desk.holder()
    made = renewed(desk, client, old)
    answer = client.post(
        f"/api/v1/applications/{made['id']}/replacement",
        json={"certificate_request": a_request_pem(), "loss": "lost"},
        headers=bearer(made["secret"]),
        environ_base=presenting(desk.office.registration.certificate),
    )
    assert "REG-APP-S4e" in str(problem(answer))
    assert desk.record(old).status == "issued"


def test_an_agreement_that_its_holder_ends_is_a_duty_to_revoke(
    desk: Desk, client: FlaskClient
) -> None:
    old = desk.holder()
    made = renewed(desk, client, old)
    path, secret = f"/api/v1/applications/{made['id']}/agreement-end", made["secret"]
    done = desk.approved(desk.parts.applications.get(made["id"]))

    ended = client.post(path, headers=bearer(secret))

    assert ended.status_code == 202
    assert ended.json is not None
    (duty,) = ended.json["duties"]
    found = desk.parts.duties.get(duty)
    assert (found.cause, found.opened_by) == (DutyCause.AGREEMENT_ENDED, holder_of(done.id))
    again = client.post(path, headers=bearer(secret))
    assert again.json is not None
    assert again.json["duties"] == []
    due = due_by_itself(desk.parts, utc_now() + timedelta(hours=25))
    assert duty in {each.id for each in due}


def test_an_agreement_that_ends_before_there_is_a_certificate_ends_the_application(
    desk: Desk,
) -> None:
    of = applied(desk.parts)
    assert end_agreement(desk.parts, of.id, utc_now()) == ()
    assert desk.parts.applications.get(of.id).state is ApplicationState.WITHDRAWN

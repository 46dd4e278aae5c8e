"""The registration use cases: what two at once, a crash, and a silent register lead to."""

import dataclasses
from collections.abc import Iterator
from datetime import date, timedelta
from threading import Barrier, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.errors import Refused
from ca.identifiers import IssuerName, SerialNumber
from ca.issuance import issue, prepare
from ra.applications import Application, ApplicationState
from ra.errors import Conflict as ApplicationMoved
from ra.errors import Refused as NotProven
from ra.fake_registers import persona_name, specimen_passport
from ra.identity import CprNumber
from records.errors import RuleBroken
from records.officers import Role
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.fulfilment import certificate_order, fulfil_application
from server.registration import (
    application_package,
    approve_application,
    conclude_proofing,
    record_document,
    reject_application,
)
from tests.support.installation import an_installation
from tests.support.ra_builders import NANCY, passport_of
from tests.support.softhsm import SoftHsm
from tests.support.staff import EnrolledOfficer, an_officer, applied, certified, vetted

SILENT = "1502779995"
ISSUING = IssuerName("issuing")


@dataclasses.dataclass(frozen=True)
class Bureau:
    """An installation with the two officers whom a certificate needs."""

    parts: Assembly
    clerk: EnrolledOfficer
    approver: EnrolledOfficer

    def approved(self) -> Application:
        """An application whose certificate was not issued when the process died."""
        application = vetted(self.parts, self.clerk.officer)
        signature = self.approver.sign(application_package(application))
        issuers = _Keyless(self.parts)
        away = dataclasses.replace(self.parts, tokens=issuers)  # type: ignore[arg-type]
        now = utc_now()
        return approve_application(away, application.id, signature, self.approver.officer, now)

    def serials(self, of: Application) -> list[SerialNumber]:
        found = self.parts.certificates.find(application_id=of.id, status="issued")
        return [record.serial_number for record in found]


@dataclasses.dataclass(frozen=True)
class _Keyless:
    parts: Assembly

    def find(self, _token: str, _label: str) -> None:
        return None


@pytest.fixture(scope="module")
def bureau(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bureau]:
    with an_installation(softhsm, tmp_path_factory.mktemp("bureau") / "state") as parts:
        clerk = an_officer(parts, Role.REGISTRATION_OFFICER)
        yield Bureau(parts, clerk, an_officer(parts, Role.APPROVING_OFFICER))


def test_an_approval_stands_while_the_issuing_key_is_away(bureau: Bureau) -> None:
    left = bureau.approved()
    assert left.state is ApplicationState.APPROVED
    assert bureau.serials(left) == []
    done = fulfil_application(bureau.parts, left, utc_now())
    assert done.state is ApplicationState.FULFILLED
    assert len(bureau.serials(left)) == 1


def test_a_crash_between_certificate_and_fulfilment_issues_no_second_one(bureau: Bureau) -> None:
    left = bureau.approved()
    _, signed = bureau.parts.applications.approval(left)
    order = certificate_order(left, signed)
    parts, now = bureau.parts, utc_now()
    prepared = prepare(order, parts.issuing(), now)
    issue(prepared, parts.certificates, "system:test", now)
    before = bureau.serials(left)
    done = fulfil_application(parts, left, utc_now())
    assert done.state is ApplicationState.FULFILLED
    assert fulfil_application(parts, left, utc_now()) == done
    assert bureau.serials(left) == before == [prepared.content.serial_number]


def test_an_orphaned_serial_is_no_certificate(bureau: Bureau) -> None:
    left = bureau.approved()
    _, signed = bureau.parts.applications.approval(left)
    parts, now = bureau.parts, utc_now()
    prepared = prepare(certificate_order(left, signed), parts.issuing(), now)
    parts.certificates.record_intents([prepared], "system:test", now)
    # Whoever recorded the intent may still be at it: this one waits.
    assert fulfil_application(parts, left, now).state is ApplicationState.APPROVED
    parts.certificates.revoke_orphan(ISSUING, prepared.content.serial_number, now)
    assert fulfil_application(parts, left, utc_now()).state is ApplicationState.FULFILLED
    assert prepared.content.serial_number not in bureau.serials(left)


def test_two_at_once_issue_one_certificate(bureau: Bureau) -> None:
    left = bureau.approved()
    ended: list[object] = []
    start = Barrier(4)

    def fulfil() -> None:
        start.wait(10)
        try:
            ended.append(fulfil_application(bureau.parts, left, utc_now()).state)
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            ended.append(error)

    threads = [Thread(target=fulfil) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(ended) <= {ApplicationState.APPROVED, ApplicationState.FULFILLED}
    assert ApplicationState.FULFILLED in ended
    assert len(bureau.serials(left)) == 1


def test_a_second_intent_for_an_application_is_refused(bureau: Bureau) -> None:
    done = certified(bureau.parts, bureau.clerk.officer, bureau.approver)
    _, signed = bureau.parts.applications.approval(done)
    order = certificate_order(done, signed)
    prepared = prepare(order, bureau.parts.issuing(), utc_now())
    with pytest.raises(RuleBroken, match="RA12"):
        bureau.parts.certificates.record_intents([prepared], "system:test", utc_now())


def test_an_approval_by_an_officer_revoked_since_issues_nothing(bureau: Bureau) -> None:
    parts = bureau.parts
    gone = Bureau(parts, bureau.clerk, an_officer(parts, Role.APPROVING_OFFICER))
    left = gone.approved()
    serial = SerialNumber(gone.approver.certificate.serial_number)
    parts.statuses.revoke(ISSUING, serial, Reason.KEY_COMPROMISE, "system:operator", utc_now())
    with pytest.raises((Refused, NotProven)):
        fulfil_application(parts, left, utc_now())
    assert bureau.serials(left) == []


def test_a_silent_register_refers_the_application(bureau: Bureau) -> None:
    parts, clerk = bureau.parts, bureau.clerk.officer
    application = applied(parts, NANCY, cpr_number=SILENT)
    lines = specimen_passport(
        persona_name(CprNumber(NANCY)), CprNumber(SILENT).birth_date, "UT1234567", date(2034, 4, 15)
    )
    passport = dataclasses.replace(passport_of(), mrz_lines=lines)
    record_document(parts, application.id, passport, clerk, utc_now())
    referred = conclude_proofing(parts, application.id, clerk, utc_now())
    assert referred.state is ApplicationState.REFERRED
    assert all(finding.waits for finding in referred.findings)
    # It is taken up again once the register may answer.
    record_document(parts, application.id, passport, clerk, utc_now())
    assert parts.applications.get(application.id).state is ApplicationState.PROOFING


@pytest.mark.parametrize(
    "number",
    ["0107729995", "1509819996", "0201609996", "0201919990", "0504909989"],
)
def test_a_person_whom_the_register_does_not_vouch_for_is_refused(
    bureau: Bureau, number: str
) -> None:
    parts, clerk = bureau.parts, bureau.clerk.officer
    application = applied(parts, number)
    record_document(parts, application.id, passport_of(number), clerk, utc_now())
    with pytest.raises(NotProven) as refused:
        conclude_proofing(parts, application.id, clerk, utc_now())
    closed = reject_application(parts, application.id, refused.value.findings, clerk, utc_now())
    assert closed.state is ApplicationState.REJECTED
    with pytest.raises(ApplicationMoved):
        conclude_proofing(parts, application.id, clerk, utc_now())


def test_the_applicants_secret_is_kept_as_a_digest_only(bureau: Bureau) -> None:
    application = applied(bureau.parts)
    assert not bureau.parts.applications.is_applicant(application.id, "")
    with bureau.parts.database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT secret_sha256 FROM application").all()
    assert all(len(row.secret_sha256) == 64 for row in rows)


def test_no_certificate_holds_more_than_the_package_says(bureau: Bureau) -> None:
    done = certified(bureau.parts, bureau.clerk.officer, bureau.approver)
    (serial,) = bureau.serials(done)
    body = bureau.parts.certificates.body(ISSUING, serial)
    assert done.applicant.serial_number in body.subject.rfc4514_string()
    assert "2512489996" not in body.public_bytes(Encoding.PEM).decode()
    assert b"2512489996" not in body.public_bytes(Encoding.DER)
    with pytest.raises(x509.ExtensionNotFound):
        body.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_a_proofing_that_is_too_old_is_not_approved(bureau: Bureau) -> None:
    application = vetted(bureau.parts, bureau.clerk.officer)
    signature = bureau.approver.sign(application_package(application))
    late = utc_now() + timedelta(days=31)
    with pytest.raises(NotProven):
        approve_application(bureau.parts, application.id, signature, bureau.approver.officer, late)

"""A data-subject case through the API, from its intake to its answer."""

import hashlib
import io
import json
import subprocess
import zipfile
from base64 import b64encode
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from flask.testing import FlaskClient

from gdpr_erasure.consents import (
    ConsentKind,
    ConsentState,
    IdentityLevel,
    Statement,
    text_for,
)
from gdpr_erasure.person_file import Asking, Collection, Record
from ra.applications import Application
from ra.case import CodeChannel
from ra.fake_services import FakeNotifier
from ra.levels import AssuranceLevel
from records.errors import DatabaseUnavailable
from records.officers import Officer, Role
from records.person_files import PersonFiles
from server.assembly import Assembly
from server.case_jobs import REMINDER, case_work
from server.ceremony import audit_key
from server.clock import utc_now
from server.decisions import Decisions, require_operator_level
from server.delivery_ports import fake_ports
from server.jobs import run_job
from server.metrics import Metrics
from server.packages import verify_package
from server.registration import (
    application_package,
    approve_application,
    conclude_proofing,
    record_document,
)
from server.staff import staff_app
from tests.support.api import an_application, problem
from tests.support.organisations import codes
from tests.support.ra_builders import NANCY, passport_of
from tests.support.staff import EnrolledOfficer, Office, an_officer, certified

CASES = "/api/v1/cases"
REFUSAL = {"reasons": "Not you", "complaint": "Datatilsynet", "court": "City court"}


@dataclass
class Desk:
    """Everybody who has a hand in a case."""

    office: Office
    app: Flask
    second: EnrolledOfficer
    person: Application
    notices: FakeNotifier = field(default_factory=FakeNotifier)

    @property
    def parts(self) -> Assembly:
        return self.office.parts

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def call(
        self, who: Role | EnrolledOfficer | str, path: str, body: object = None, status: int = 200
    ) -> Any:
        """POST as an officer, or with a requester's secret; GET when there is no body at all."""
        headers, environ = {}, {}
        if isinstance(who, str) and not isinstance(who, Role):
            headers = {"Authorization": f"Bearer {who}"}
        else:
            officer = self.office.staff[who] if isinstance(who, Role) else who
            pem = officer.certificate.public_bytes(Encoding.PEM).decode()
            environ = {"SSL_CLIENT_CERT": pem, "SSL_CLIENT_VERIFY": "SUCCESS"}
        method = "GET" if body is None else "POST"
        answer = self.client.open(
            path, method=method, json=body, headers=headers, environ_base=environ
        )
        assert answer.status_code == status, answer.text
        if status >= 400:
            return problem(answer)
        return answer.json if answer.is_json else answer.data

    def opened(self, kind: str = "access", **more: object) -> tuple[str, str]:
        """Path and secret of a new case about the person."""
        body = {"kind": kind, "request": "Alt om mig", "contact": "n@example.test", **more}
        found = self.call(Role.CASE_MANAGER, CASES, body, 201)
        return f"{CASES}/{found['id']}", found["secret"]

    def proved(self, kind: str = "access", **more: object) -> tuple[str, str]:
        path, secret = self.opened(kind, **more)
        proof = {
            "method": "desk",
            "level": "Substantial",
            "evidence": "passport, desk 4",
            "concerns": {"application": self.person.id},
        }
        self.call(Role.REGISTRATION_OFFICER, f"{path}/identity", proof)
        return path, secret

    def approved(self, kind: str = "access", **more: object) -> tuple[str, str]:
        path, secret = self.proved(kind, **more)
        digest = self.call(Role.CASE_MANAGER, f"{path}/preparation", {})["package_sha256"]
        self.approve(path, digest)
        return path, secret

    def approve(self, path: str, digest: str) -> None:
        first = self.call(Role.CASE_APPROVER, f"{path}/approval", {"sha256": digest})
        assert first["state"] == "awaiting_approval"
        second = self.call(self.second, f"{path}/approval", {"sha256": digest})
        assert second["state"] == "approved"


@pytest.fixture(scope="module")
def desk(office: Office) -> Desk:
    return a_desk(office)


@pytest.fixture
def desk_at_another_time(office_at_another_time: Office) -> Desk:
    return a_desk(office_at_another_time)


def a_desk(office: Office) -> Desk:
    notices = FakeNotifier()
    ports = office.parts.delivery_ports or fake_ports(utc_now())
    parts = replace(office.parts, delivery_ports=replace(ports, notifier=notices))
    person = certified(parts, office.registration.officer, office.approving)
    return Desk(
        Office(parts, office.app, office.staff),
        staff_app(parts, Metrics.of_process()),
        an_officer(parts, Role.CASE_APPROVER),
        person,
        notices,
    )


def fresh_person(desk: Desk) -> Application:
    desk.person = certified(desk.parts, desk.office.registration.officer, desk.office.approving)
    return desk.person


def unlisted_at_high(decisions: Decisions, officer: Officer, _: AssuranceLevel) -> None:
    """What is asked of an officer who is not on the list, of a certificate at High."""
    require_operator_level(replace(decisions, officers={}), officer, AssuranceLevel.HIGH)


def statuses(desk: Desk) -> list[str]:
    found = desk.parts.certificates.find(subject_id=desk.person.subject_id)
    return [record.status for record in found]


def test_an_answer_is_read_approved_delivered_fetched_and_gone(desk: Desk, tmp_path: Path) -> None:
    fresh_person(desk)
    path, secret = desk.proved()
    letter = {"name": "brev.txt", "content": b64encode(b"Hej").decode(), "for_requester": True}
    desk.call(Role.CASE_MANAGER, f"{path}/files", letter, 201)
    prepared = desk.call(Role.CASE_MANAGER, f"{path}/preparation", {})
    counted = {each["name"]: each["records"] for each in prepared["parts"]}
    assert counted["records"] > 5
    assert counted["audit"] >= 1
    opening = {"what": "package", "purpose": "approval"}
    package = desk.call(Role.CASE_APPROVER, f"{path}/openings", opening)
    files = unpacked(package)
    names = verify_package(files, audit_key(desk.parts).public_key())
    assert {"collected/records.json", "report.html", "report.pdf", "files/1-brev.txt"} <= set(names)
    assert b'lang="da"' in files["report.html"]
    for each in json.loads(files["report.json"])["collected"]:
        content = files[f"collected/{each['collector']}.json"]
        assert hashlib.sha256(content).hexdigest() == each["sha256"]
    desk.approve(path, prepared["package_sha256"])
    handed = desk.call(Role.CASE_MANAGER, f"{path}/delivery", {})
    assert handed["delivery"]["method"] == "passphrase"
    assert handed["delivery"]["level"] == "Substantial"
    again = {"what": "passphrase", "purpose": "handling"}
    told = desk.call(Role.CASE_MANAGER, f"{path}/openings", again)
    assert told.decode().strip() == handed["passphrase"]
    desk.call(Role.CASE_APPROVER, f"{path}/openings", again, 403)
    envelope = desk.call(secret, f"{path}/download", {})
    assert opened_envelope(envelope, handed["passphrase"], tmp_path) == package
    receipt = desk.call(secret, f"{path}/receipt", {})
    desk.call(Role.CASE_MANAGER, f"{path}/openings", again, 404)
    assert receipt["ended_at"]
    assert desk.call(secret, f"{path}/own")["state"] == "closed"
    assert problem_type(desk.call(secret, f"{path}/download", {}, 404)) == "not-found"


def unpacked(package: bytes) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(package))
    return {name: archive.read(name) for name in archive.namelist()}


def opened_envelope(envelope: bytes, passphrase: str, folder: Path) -> bytes:
    """As the requester opens it."""
    sealed, out = folder / "answer.p7m", folder / "answer.zip"
    sealed.write_bytes(envelope)
    how = ["-inform", "DER", "-binary", "-pwri_password", passphrase]
    subprocess.run(
        ["openssl", "cms", "-decrypt", "-in", str(sealed), "-out", str(out), *how], check=True
    )
    return out.read_bytes()


def test_what_may_be_taken_along_is_approved_and_delivered_octet_for_octet(
    desk: Desk, tmp_path: Path
) -> None:
    person = fresh_person(desk)
    path, secret = desk.proved("portability")
    prepared = desk.call(Role.CASE_MANAGER, f"{path}/preparation", {})
    opening = {"what": "package", "purpose": "approval"}
    package = desk.call(Role.CASE_APPROVER, f"{path}/openings", opening)
    assert hashlib.sha256(package).hexdigest() == prepared["package_sha256"]
    desk.approve(path, prepared["package_sha256"])
    handed = desk.call(Role.CASE_MANAGER, f"{path}/delivery", {})
    envelope = desk.call(secret, f"{path}/download", {})
    assert opened_envelope(envelope, handed["passphrase"], tmp_path) == package
    files = unpacked(package)
    names = verify_package(files, audit_key(desk.parts).public_key())
    assert {"case.json", "data.json", "data.schema.json", "person.vcf"} < set(names)
    (pem,) = [files[name] for name in names if name.startswith("certificates/")]
    (record,) = desk.parts.certificates.find(subject_id=person.subject_id)
    body = desk.parts.certificates.body(record.issuer, record.serial_number)
    assert pem.strip() == body.public_bytes(Encoding.PEM).strip()
    # What we or others found out about the person is not taken along.
    assert not [name for name in names if name.startswith(("collected/", "report"))]


def number_of(path: str) -> str:
    return path.rsplit("/", 1)[1]


def problem_type(found: dict[str, Any]) -> str:
    return str(found["type"]).removeprefix("/problems/")


def test_a_collector_that_cannot_be_reached_blocks_the_answer_until_it_can(desk: Desk) -> None:
    @dataclass
    class Archive:
        name: str = "archive"
        reached: bool = False

        def collect(self, asked: Asking) -> Collection:
            if not self.reached:
                raise ConnectionError(f"no way to {asked.subject_id}")
            return Collection(self.name, (Record("paper", "1", ()),))

    archive = Archive()
    files = PersonFiles(desk.parts.database, desk.parts.personal, [archive])
    parts = replace(desk.parts, person_files=files)
    asking = replace(desk, app=staff_app(parts, Metrics.of_process()))
    path, _ = asking.proved()
    partly = asking.call(Role.CASE_MANAGER, f"{path}/preparation", {})
    assert partly["state"] == "assessing"
    missing = [each for each in partly["parts"] if not each["done"]]
    assert [(each["name"], each["failure"]) for each in missing] == [("archive", "ConnectionError")]
    archive.reached = True
    whole = asking.call(Role.CASE_MANAGER, f"{path}/preparation", {})
    assert whole["state"] == "awaiting_approval"


def test_only_the_scopes_that_were_asked_for_are_collected(desk: Desk) -> None:
    path, _ = desk.proved(scopes=["certificate_body", "contact"])
    desk.call(Role.CASE_MANAGER, f"{path}/preparation", {})
    opening = {"what": "package", "purpose": "approval"}
    files = unpacked(desk.call(Role.CASE_APPROVER, f"{path}/openings", opening))
    report = json.loads(files["report.json"])
    classes = {one["record_class"] for each in report["records"] for one in each["fields"]}
    assert classes == {"certificate_body", "contact"}
    assert json.loads(files["collected/audit.json"]) == [[], []]


def test_an_identity_below_the_level_of_the_certificate_is_refused(desk: Desk) -> None:
    path, _ = desk.opened()
    proof = {
        "method": "credential",
        "level": "Low",
        "evidence": "eid answer 7",
        "concerns": {"application": desk.person.id},
    }
    found = desk.call(Role.REGISTRATION_OFFICER, f"{path}/identity", proof, 422)
    assert found["rule"] == "GDPR 12(6)"
    proof |= {"level": "High", "evidence": " "}
    assert (
        "evidence" in desk.call(Role.REGISTRATION_OFFICER, f"{path}/identity", proof, 422)["detail"]
    )


def test_the_holder_proves_an_identity_by_the_own_certificate_while_it_is_good(desk: Desk) -> None:
    fresh_person(desk)
    (record,) = desk.parts.certificates.find(application_id=desk.person.id)
    body = desk.parts.certificates.body(record.issuer, record.serial_number)
    environ = {
        "SSL_CLIENT_CERT": body.public_bytes(Encoding.PEM).decode(),
        "SSL_CLIENT_VERIFY": "SUCCESS",
    }

    def present(path: str, secret: str) -> int:
        headers = {"Authorization": f"Bearer {secret}"}
        url = f"{path}/own-identity"
        return desk.client.post(url, headers=headers, environ_base=environ).status_code

    path, secret = desk.opened()
    assert present(path, "another") == 401
    assert present(path, secret) == 200
    shown = desk.call(Role.CASE_MANAGER, path)
    assert shown["identity"]["method"] == "certificate"
    assert shown["identity"]["level"] == "Substantial"
    path, secret = desk.opened()
    desk.parts.statuses.hold(record.issuer, record.serial_number, "system:operator", utc_now())
    assert present(path, secret) == 401


def test_a_restriction_holds_and_is_lifted_only_after_the_person_was_told(
    desk_at_another_time: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_at_another_time
    path, _ = desk.approved("restriction")
    assert desk.call(Role.CASE_MANAGER, f"{path}/execution", {})["state"] == "carried_out"
    assert statuses(desk) == ["held"]
    told = desk.call(Role.CASE_MANAGER, f"{path}/lifting", {}, 422)
    assert told["rule"] == "GDPR 18(3)"
    before = len(desk.notices.sent)
    desk.call(Role.CASE_MANAGER, f"{path}/lifting-notice", {})
    assert len(desk.notices.sent) == before + 1
    desk.call(Role.CASE_MANAGER, f"{path}/lifting", {}, 422)
    later = utc_now() + timedelta(days=3, minutes=1)
    monkeypatch.setattr("server.api_cases.utc_now", lambda: later)
    with monkeypatch.context() as of_high:
        of_high.setattr("server.revocations.require_operator_level", unlisted_at_high)
        refused = desk.call(Role.CASE_MANAGER, f"{path}/lifting", {}, 422)
        assert codes(refused) == {"OPERATOR_LEVEL_TOO_LOW"}
        assert statuses(desk) == ["held"]
    assert desk.call(Role.CASE_MANAGER, f"{path}/lifting", {})["state"] == "closed"
    assert statuses(desk) == ["issued"]


def test_a_rectification_has_a_new_certificate_before_the_old_one_goes(desk: Desk) -> None:
    fresh_person(desk)
    path, secret = desk.approved("rectification")
    apply = an_application(desk.parts)
    corrected = desk.call(secret, f"{path}/application", apply, 201)["id"]
    body = {"application": corrected}
    waiting = desk.call(Role.CASE_MANAGER, f"{path}/rectification", body)
    assert (waiting["done"], statuses(desk)) == (False, ["issued"])
    officer, now = desk.office.registration.officer, utc_now()
    record_document(desk.parts, corrected, passport_of(NANCY), officer, now)
    package = application_package(conclude_proofing(desk.parts, corrected, officer, now))
    approver = desk.office.approving
    approve_application(desk.parts, corrected, approver.sign(package), approver.officer, now)
    assert statuses(desk) == ["issued", "issued"]
    done = desk.call(Role.CASE_MANAGER, f"{path}/rectification", body)
    assert (done["done"], done["state"]) == (True, "carried_out")
    found = desk.parts.certificates.find(subject_id=desk.person.subject_id)
    assert {(r.status, r.reason and r.reason.label) for r in found} == {
        ("issued", None),
        ("revoked", "affiliationChanged"),
    }
    assert run_job("close-cases", desk.parts, Metrics.of_process()) >= 1
    assert desk.call(Role.CASE_MANAGER, path)["state"] == "closed"


@pytest.mark.parametrize("kind", ["restriction", "objection"])
def test_an_act_that_was_broken_off_is_finished_by_the_same_command(
    desk: Desk, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh_person(desk)
    path, _ = desk.approved(kind)

    def die(place: str) -> None:
        raise DatabaseUnavailable(f"gone at {place}")

    with monkeypatch.context() as broken:
        broken.setattr("server.case_execution.reach", die)
        desk.call(Role.CASE_MANAGER, f"{path}/execution", {}, 503)
    assert desk.call(Role.CASE_MANAGER, path)["state"] == "approved"
    assert desk.call(Role.CASE_MANAGER, f"{path}/execution", {})["state"] == "carried_out"
    assert statuses(desk) == ["held" if kind == "restriction" else "issued"]
    fresh_person(desk)


def test_nobody_rectifies_with_an_application_of_somebody_else(desk: Desk) -> None:
    path, _ = desk.approved("rectification")
    other = certified(desk.parts, desk.office.registration.officer, desk.office.approving)
    body = {"application": other.id}
    found = desk.call(Role.CASE_MANAGER, f"{path}/rectification", body, 422)
    assert found["rule"] == "GDPR 16"


def test_an_erasure_revokes_first_and_begins_by_a_security_administrator(desk: Desk) -> None:
    fresh_person(desk)
    path, _ = desk.approved("erasure")
    desk.call(Role.CASE_MANAGER, f"{path}/execution", {}, 422)
    desk.call(Role.CASE_MANAGER, f"{path}/erasure", {}, 403)
    begun = desk.call(Role.SECURITY_ADMINISTRATOR, f"{path}/erasure", {})
    assert begun["state"] == "carried_out"
    assert statuses(desk) == ["revoked"]
    assert desk.parts.erasures.erasure(begun["erasure"]).approvals == 1
    again = desk.call(Role.SECURITY_ADMINISTRATOR, f"{path}/erasure", {})
    assert again["erasure"] == begun["erasure"]
    fresh_person(desk)


@pytest.mark.parametrize("kind", ["objection", "consent_withdrawal"])
def test_an_objection_ends_consent_and_publication_in_one(desk: Desk, kind: str) -> None:
    subject, consents = fresh_person(desk).subject_id, desk.parts.consents
    text = text_for(ConsentKind.PUBLICATION, "da", utc_now())
    given = Statement(text, ConsentState.GIVEN, "system:applicant")
    if consents.history(subject)[-1:] == () or consents.history(subject)[-1].state != "given":
        consents.say(subject, given, utc_now())
    path, _ = desk.approved(kind)
    assert desk.call(Role.CASE_MANAGER, f"{path}/execution", {})["state"] == "carried_out"
    last = consents.history(subject)[-1]
    assert (last.state, last.level) == (ConsentState.WITHDRAWN, IdentityLevel.SUBSTANTIAL)
    events = desk.call(Role.AUDITOR, "/api/v1/audit/events")
    (told,) = [e for e in events if (e["e"], e["o"]) == ("case.unpublished", number_of(path))]
    assert told["d"]["consent_withdrawn"] is True
    assert run_job("close-cases", desk.parts, Metrics.of_process()) >= 1
    assert desk.call(Role.CASE_MANAGER, path)["state"] == "closed"


def test_a_manager_sees_no_case_of_another_manager(desk: Desk) -> None:
    path, _ = desk.opened()
    other = an_officer(desk.parts, Role.CASE_MANAGER)
    desk.call(Role.CASE_MANAGER, f"{path}/assignment", {})
    assert desk.call(other, path, status=403)
    assert path.rsplit("/", 1)[1] not in [each["id"] for each in desk.call(other, CASES)]
    assert desk.call(Role.DATA_PROTECTION_OFFICER, path)["id"] == path.rsplit("/", 1)[1]
    desk.call(other, f"{path}/withdrawal", {}, 403)
    desk.call(other, f"{path}/assignment", {})
    assert desk.call(other, f"{path}/withdrawal", {})["state"] == "cancelled"


def test_a_refusal_says_all_that_the_law_asks_for_and_the_notice_says_nothing(desk: Desk) -> None:
    path, secret = desk.proved()
    for lacking in REFUSAL:
        body = REFUSAL | {lacking: " "}
        assert desk.call(Role.CASE_MANAGER, f"{path}/refusal", body, 422)["rule"] == "GDPR 12(4)"
    assert desk.call(Role.CASE_MANAGER, f"{path}/refusal", REFUSAL)["state"] == "refused"
    notice = list(desk.notices.sent.values())[-1]
    assert (notice.address.value, notice.channel) == ("n@example.test", CodeChannel.EMAIL)
    assert notice.text.value.startswith(f"Der er en besked til dig i sag {number_of(path)}.")
    own = desk.call(secret, f"{path}/own")
    assert (own["state"], own["refusal"], own["question"]) == ("refused", REFUSAL, None)


def test_a_question_is_read_and_answered_by_the_requester(desk: Desk) -> None:
    path, secret = desk.proved()
    desk.call(Role.CASE_MANAGER, f"{path}/clarification", {"question": "Hvilken periode?"})
    assert desk.call(secret, f"{path}/own")["question"] == "Hvilken periode?"
    assert desk.call(secret, f"{path}/own-answer", {"answer": " "}, 422)["rule"] == "GDPR 12(2)"
    answered = desk.call(secret, f"{path}/own-answer", {"answer": "Hele året"})
    assert (answered["state"], answered["question"]) == ("assessing", None)
    desk.call(secret, f"{path}/own-answer", {"answer": "Og mere"}, 409)
    opening = {"what": "text", "purpose": "handling"}
    read = desk.call(Role.CASE_MANAGER, f"{path}/openings", opening)
    assert (read["answer"], read["request"]) == ("Hele året", "Alt om mig")


def test_whoever_has_not_fetched_an_answer_is_reminded_once_before_it_ends(
    desk_at_another_time: Desk,
) -> None:
    desk = desk_at_another_time
    path, secret = desk.approved()
    ends = desk.call(Role.CASE_MANAGER, f"{path}/delivery", {})["delivery"]["expires_at"]
    day = datetime.fromisoformat(ends) - REMINDER

    def done(now: datetime) -> int:
        return [work() for work in case_work(desk.parts, now)].count(True)

    own = f"case/{number_of(path)}/reminder"
    assert done(day - timedelta(milliseconds=1)) == 0
    assert own not in desk.notices.sent
    assert done(day) == 1
    assert own in desk.notices.sent
    assert done(day) == 0
    desk.call(secret, f"{path}/download", {})
    desk.call(secret, f"{path}/receipt", {})


def test_an_extension_is_told_with_its_reason(desk: Desk) -> None:
    path, secret = desk.proved()
    desk.call(Role.CASE_MANAGER, f"{path}/extension", {"reason": " "}, 422)
    desk.call(Role.CASE_MANAGER, f"{path}/extension", {"reason": "Tolv arkiver"})
    own = desk.call(secret, f"{path}/own")
    assert (own["extended"], own["extension"]) == (True, "Tolv arkiver")
    desk.call(Role.CASE_MANAGER, f"{path}/extension", {"reason": "Tolv arkiver"}, 422)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"kind": "gossip"}),
        ("", {"kind": "access", "scopes": ["secrets"]}),
        ("", {"kind": "access", "unknown": 1}),
        ("", {"kind": "access", "concerns": {}}),
        ("/K7F2M9QX/files", {"name": "../a", "content": ""}),
        ("/K7F2M9QX/openings", {"what": "text", "purpose": "curiosity"}),
    ],
    ids=str,
)
def test_what_is_malformed_is_said_and_changes_nothing(
    desk: Desk, path: str, body: dict[str, object]
) -> None:
    before = len(desk.parts.cases.all())
    found = desk.call(Role.CASE_MANAGER, f"{CASES}{path}", body, 400)
    assert problem_type(found) == "malformed"
    assert len(desk.parts.cases.all()) == before


def test_the_text_is_read_for_a_purpose_that_is_logged(desk: Desk) -> None:
    path, _ = desk.opened()
    opening = {"what": "text", "purpose": "supervision"}
    found = desk.call(Role.DATA_PROTECTION_OFFICER, f"{path}/openings", opening)
    assert found["request"] == "Alt om mig"
    events = desk.call(Role.AUDITOR, "/api/v1/audit/events")
    assert events[0]["e"] == "case.read"
    assert events[0]["d"] == {"what": "text", "purpose": "supervision"}
    assert "Alt om mig" not in json.dumps(events)

"""Delivery and activation: High is reached when all is there, and each thing missing refuses."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ra.applications import ApplicationState
from ra.case import Channel, CodeChannel, Factor
from ra.contacts import Contact, PhoneNumber
from ra.delivery import Step
from ra.duties import Task
from ra.errors import Conflict, MalformedField, Refused
from ra.identity import CprNumber
from ra.levels import AssuranceLevel
from records.errors import Conflict as RecordsConflict
from records.errors import NotFound
from revocation.causes import Cause
from server.clock import utc_now
from server.decisions import Decisions
from server.delivery import (
    Claim,
    Hand,
    activate,
    dispatch_code,
    move_contact,
    prepare_credential,
    record_duty,
)
from server.delivery_jobs import end_activations
from server.dispatches import way_to
from server.errors import NoPrinter, RegisterSilent
from server.fulfilment import fulfil_application
from server.persons import take_up
from server.registration import conclude_proofing
from server.renewals import renew
from tests.support.high_office import HighOffice, asked_with_card
from tests.support.installation import an_installation
from tests.support.ra_builders import NANCY
from tests.support.softhsm import SoftHsm

SOEREN, EMIGRATED = "0108589995", "3103979995"


@pytest.fixture(scope="module")
def high(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HighOffice]:
    with an_installation(softhsm, tmp_path_factory.mktemp("high") / "state") as parts:
        yield HighOffice(parts)


def codes(refusal: "pytest.ExceptionInfo[Refused]") -> set[str]:
    return {each.code for each in refusal.value.findings}


def test_from_nothing_to_an_active_certificate_at_high(high: HighOffice) -> None:
    application = high.approved()
    assert application.state is ApplicationState.APPROVED
    assert high.parts.certificates.find(application_id=application.id) == []

    fulfilled = high.activated(SOEREN)

    assert fulfilled.state is ApplicationState.FULFILLED
    (certificate,) = high.parts.certificates.find(application_id=fulfilled.id)
    assert certificate.status == "issued"
    assert fulfilled.level is AssuranceLevel.HIGH


def test_a_credential_at_high_is_renewed_by_five_people_and_is_good_until_then(
    high: HighOffice,
) -> None:
    parts, old = high.parts, high.activated()
    (record,) = parts.certificates.find(application_id=old.id)
    place = (record.issuer, record.serial_number)
    new, _ = renew(parts, parts.certificates.body(*place), asked_with_card(), utc_now())
    take_up(parts, new.id, high.proofer.officer, utc_now())
    concluded = conclude_proofing(parts, new.id, high.proofer.officer, utc_now())
    assert concluded.evidence == ()
    sent, code = high.sent(high.personalised(high.signed(concluded)))
    assert parts.certificates.record(*place).status == "issued"
    claim = Claim(code, high.login(sent), receipt=True)
    assert activate(parts, sent.id, claim, utc_now()).state is ApplicationState.FULFILLED
    ended = parts.certificates.record(*place)
    assert (ended.status, ended.cause) == ("revoked", Cause.REPLACED)


def test_a_personal_check_in_person_stands_for_the_login(high: HighOffice) -> None:
    application, code = high.delivered()
    hand = high.hand(high.checker, Task.PERSONAL_CHECK, application)
    record_duty(high.parts, application.id, Task.PERSONAL_CHECK, hand, utc_now())
    done = activate(high.parts, application.id, Claim(code, receipt=True), utc_now())
    assert done.state is ApplicationState.FULFILLED


@pytest.mark.parametrize(
    ("device", "missing"),
    [
        (None, {"AUTHENTICATOR_COPYABLE", "KEY_ATTESTATION_MISSING"}),
        ("soft-token", {"TEST_TOKEN_NOT_ALLOWED", "DEVICE_CERTIFICATION_INVALID"}),
    ],
)
def test_a_key_in_software_or_in_test_equipment_gets_no_further_than_the_form(
    high: HighOffice, device: str | None, missing: set[str]
) -> None:
    with pytest.raises(Refused) as refusal:
        high.applied(device=device)
    assert missing <= codes(refusal)


def test_a_device_without_an_assessment_of_its_profile_is_refused(high: HighOffice) -> None:
    without = replace(high.parts.decisions, assessments=())
    high.parts, before = replace(high.parts, decisions=without), high.parts
    try:
        with pytest.raises(Refused) as refusal:
            high.applied()
    finally:
        high.parts = before
    assert codes(refusal) == {"PROFILE_RISK_ASSESSMENT_MISSING"}
    with pytest.raises(MalformedField, match="device"):
        high.applied(device="abacus")


@pytest.mark.parametrize(
    ("changes", "receipt", "code"),
    [
        (None, True, "ACTIVATION_NOT_PERSONAL"),
        ({}, False, "RECEIPT_MISSING"),
        ({"level": AssuranceLevel.SUBSTANTIAL}, True, "ACTIVATION_NOT_PERSONAL"),
        ({"factors": (Factor.KNOWLEDGE,)}, True, "ACTIVATION_NOT_PERSONAL"),
        ({"is_dynamic": False}, True, "ACTIVATION_NOT_PERSONAL"),
        ({"authenticated_at": utc_now() - timedelta(days=1)}, True, "ACTIVATION_NOT_PERSONAL"),
        ({"cpr_number": None}, True, "ACTIVATION_NOT_PERSONAL"),
    ],
)
def test_what_the_activation_lacks_leaves_the_code_as_it_was(
    high: HighOffice,
    changes: dict[str, object] | None,
    receipt: bool,  # noqa: FBT001
    code: str,
) -> None:
    application, typed = high.delivered()
    answer = None if changes is None else high.login(application, **changes)
    with pytest.raises(Refused) as refusal:
        activate(high.parts, application.id, Claim(typed, answer, receipt), utc_now())
    assert codes(refusal) == {code}
    good = Claim(typed, high.login(application), receipt=True)
    assert activate(high.parts, application.id, good, utc_now()).is_final


def test_another_persons_login_activates_nothing(high: HighOffice) -> None:
    application, typed = high.delivered()
    claim = Claim(typed, high.login(application, SOEREN), receipt=True)
    with pytest.raises(Refused) as refusal:
        activate(high.parts, application.id, claim, utc_now())
    assert codes(refusal) == {"ACTIVATION_NOT_PERSONAL"}


def test_a_credential_goes_only_by_a_way_that_was_assessed_for_its_profile(
    high: HighOffice,
) -> None:
    application = high.approved()
    hand = high.hand(high.operator, Task.PERSONALISATION, application)
    with pytest.raises(Refused) as refusal:
        prepare_credential(high.parts, application.id, Channel.IN_PERSON, hand, utc_now())
    assert codes(refusal) == {"DELIVERY_METHOD_NOT_APPROVED"}
    assert high.parts.credentials.get(application.id) is None
    prepared = prepare_credential(high.parts, application.id, Channel.POST, hand, utc_now())
    assert prepared.channel is Channel.POST


def test_code_and_credential_never_go_one_way(high: HighOffice) -> None:
    application = high.approved()
    hand = high.hand(high.operator, Task.PERSONALISATION, application)
    prepare_credential(high.parts, application.id, Channel.POST, hand, utc_now())
    sends = high.hand(high.dispatcher, Task.CODE_DISPATCH, application)
    with pytest.raises(Refused) as refusal:
        dispatch_code(high.parts, application.id, CodeChannel.POST, sends, utc_now())
    assert codes(refusal) == {"CHANNELS_NOT_INDEPENDENT"}
    with pytest.raises(MalformedField, match="channel"):
        dispatch_code(high.parts, application.id, CodeChannel.EMAIL, sends, utc_now())


def test_no_code_goes_before_the_credential_is_prepared(high: HighOffice) -> None:
    application = high.approved()
    hand = high.hand(high.dispatcher, Task.CODE_DISPATCH, application)
    with pytest.raises(NotFound):
        dispatch_code(high.parts, application.id, CodeChannel.SMS, hand, utc_now())
    with pytest.raises(Refused) as refusal:
        fulfil_application(high.parts, application, utc_now())
    assert codes(refusal) == {"CREDENTIAL_NOT_ACTIVATED"}


def test_a_person_without_a_registered_address_gets_no_letter_but_a_message(
    high: HighOffice,
) -> None:
    application = high.prepared(EMIGRATED)
    hand = high.hand(high.dispatcher, Task.CODE_DISPATCH, application)
    with pytest.raises(Refused) as refusal:
        dispatch_code(high.parts, application.id, CodeChannel.POST, hand, utc_now())
    assert codes(refusal) == {"NO_REGISTERED_ADDRESS"}
    assert dispatch_code(high.parts, application.id, CodeChannel.SMS, hand, utc_now()).code_id


def test_a_letter_is_readable_for_the_printer_alone(high: HighOffice, tmp_path: Path) -> None:
    application = high.prepared()
    hand = high.hand(high.dispatcher, Task.CODE_DISPATCH, application)
    with pytest.raises(NoPrinter):
        dispatch_code(high.parts, application.id, CodeChannel.POST, hand, utc_now())
    before = high.parts
    key = high.with_printer(tmp_path)
    sent = dispatch_code(high.parts, application.id, CodeChannel.POST, hand, utc_now())
    high.parts = before
    assert sent.expires_at - utc_now() > timedelta(days=20)
    (job,) = high.parts.letters.waiting()
    envelope = high.parts.letters.fetch(job.id, high.dispatcher.officer.id, utc_now())
    (tmp_path / "letter").write_bytes(envelope)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    opened = subprocess.run(
        ["openssl", "cms", "-decrypt", "-inform", "DER", "-in", str(tmp_path / "letter"),
         "-inkey", str(tmp_path / "key.pem")],
        capture_output=True, check=True,
    )  # fmt: skip
    assert opened.stdout.startswith(b"%PDF-")
    assert b"pdfuaid" in opened.stdout

    high.parts.letters.confirm(job.id, high.dispatcher.officer.id, utc_now())

    assert high.parts.letters.waiting() == []
    with pytest.raises(RecordsConflict):
        high.parts.letters.fetch(job.id, high.dispatcher.officer.id, utc_now())
    with pytest.raises(RecordsConflict):
        high.parts.letters.confirm(job.id, high.dispatcher.officer.id, utc_now())


def test_a_changed_telephone_sends_the_application_back_and_kills_the_code(
    high: HighOffice,
) -> None:
    application, code = high.delivered()
    moved = Contact(phone=PhoneNumber("+4520999999"))

    after = move_contact(high.parts, application.id, moved, utc_now())

    assert after.state is ApplicationState.PROOFING
    assert [each.code for each in after.findings] == ["CONTACT_CHANGED_AFTER_APPROVAL"]
    with pytest.raises((Conflict, Refused)):
        activate(high.parts, application.id, Claim(code, receipt=True), utc_now())


def test_when_the_window_closes_all_of_it_ends(high: HighOffice) -> None:
    application, code = high.delivered()
    late = utc_now() + timedelta(minutes=11)

    for act in end_activations(high.parts, late):
        act()

    assert high.parts.applications.get(application.id).state is ApplicationState.LAPSED
    credential = high.parts.credentials.get(application.id)
    assert credential is not None
    assert credential.step is Step.ENDED
    with pytest.raises((Conflict, Refused)):
        activate(high.parts, application.id, Claim(code, receipt=True), utc_now())
    assert list(end_activations(high.parts, late)) == []


def test_with_nobody_listed_no_task_at_high_can_be_done(high: HighOffice) -> None:
    application = high.approved()
    hand = high.hand(high.operator, Task.PERSONALISATION, application)
    nobody = replace(high.parts, decisions=Decisions())
    with pytest.raises(Refused) as refusal:
        prepare_credential(nobody, application.id, Channel.ONLINE, hand, utc_now())
    assert codes(refusal) == {"SEPARATION_OF_DUTIES"}
    unsigned = Hand(high.operator.officer)
    with pytest.raises(Refused):
        prepare_credential(high.parts, application.id, Channel.ONLINE, unsigned, utc_now())


def test_a_register_that_is_silent_is_no_address(high: HighOffice) -> None:
    application = high.prepared(NANCY)
    claim = replace(application.applicant.claim, cpr_number=CprNumber("1502779995"))
    asked = replace(application, applicant=replace(application.applicant, claim=claim))
    assert high.parts.delivery_ports is not None
    with pytest.raises(RegisterSilent):
        way_to(asked, CodeChannel.POST, high.parts.delivery_ports, utc_now())

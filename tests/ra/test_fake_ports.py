"""The fakes keep the contract of every adapter; what their answers are worth as facts."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from ra.addresses import FakeAddresses
from ra.attestations import KeyOrigin, device_part
from ra.biometrics import Asked, ComparatorReport, compared_part, report_findings
from ra.case import (
    AuthenticatorPart,
    Case,
    CompanyStatus,
    Factor,
    NaturalPersonPart,
    SourceStatus,
    StatusOfDocument,
)
from ra.case_assessment import CaseAssessment, Outcome, assess_case
from ra.evidence import EvidenceKind
from ra.fake_companies import FakeCvr
from ra.fake_registers import FakeCpr
from ra.fake_services import SILENT, FakeAttestation, FakeComparator, FakeLogins, FakeNotifier
from ra.identity import CprNumber, Personal
from ra.legal_persons import Company, CvrNumber
from ra.levels import AssuranceLevel
from ra.logins import Login, derived_part
from ra.policies import STANDARD, shipped_policy
from ra.registers import NoAnswer
from tests.support.port_contracts import (
    NOW,
    AddressRegisterContract,
    AttestationVerifierContract,
    BiometricComparatorContract,
    CompanyRegisterContract,
    LoginProviderContract,
    NotifierContract,
)

_LOW, _SUBSTANTIAL, _HIGH = AssuranceLevel
LOGIN = Login(
    provider="test:login",
    credential="credential-1",
    level=_HIGH,
    authenticated_at=NOW - timedelta(minutes=1),
    is_dynamic=True,
    assertion_sha256="ab" * 32,
    factors=(Factor.POSSESSION, Factor.KNOWLEDGE),
)


class TestFakeAddresses(AddressRegisterContract):
    known = CprNumber("2512489996")
    without = CprNumber("3103979995")
    silent = CprNumber("1502779995")

    def register(self) -> FakeAddresses:
        return FakeAddresses(FakeCpr(NOW))


class TestFakeCvr(CompanyRegisterContract):
    known = CvrNumber("99000007")
    unknown = CvrNumber("99000104")
    silent = CvrNumber("99000082")

    def register(self) -> FakeCvr:
        return FakeCvr(opened=NOW)


class TestFakeLogins(LoginProviderContract):
    answer = "answer-1"
    nonce = "nonce-1"
    silent_answer = SILENT
    credentials = {  # noqa: RUF012 - the contract reads it only
        SourceStatus.VALID: "credential-1",
        SourceStatus.SUSPENDED: "credential-2",
        SourceStatus.REVOKED: "credential-3",
    }
    silent_credential = SILENT

    def provider(self) -> FakeLogins:
        statuses = {each: status for status, each in self.credentials.items()}
        return FakeLogins({(self.answer, self.nonce): LOGIN}, statuses)


class TestFakeComparator(BiometricComparatorContract):
    same = "same"
    other = "other"
    attack = "same mask"
    injected = "same injected"
    silent = SILENT

    def comparator(self) -> FakeComparator:
        return FakeComparator(captured_at=NOW - timedelta(seconds=10))


class TestFakeAttestation(AttestationVerifierContract):
    spki_sha256 = "cd" * 32
    attestation = FakeAttestation.attest("cd" * 32)

    def verifier(self) -> FakeAttestation:
        return FakeAttestation(certified_until=date(2030, 1, 1))


class TestFakeNotifier(NotifierContract):
    good = Personal("+4500000001")
    undeliverable = Personal("+4500000002")
    silent = Personal(SILENT)

    def notifier(self) -> FakeNotifier:
        return FakeNotifier(undeliverable=frozenset({self.undeliverable.value}))

    def test_it_keeps_the_first_of_an_occasion(self) -> None:
        notifier = self.notifier()
        notice = self.notice(notifier, self.good)
        notifier.send(notice, NOW)
        notifier.send(replace(notice, text=Personal("Your code is EFGH.")), NOW)
        assert notifier.sent == {"occasion-1": notice}


def test_a_company_goes_bankrupt_on_its_twentieth_day() -> None:
    register, number = FakeCvr(opened=NOW), CvrNumber("99000023")
    answers = [register.find(number, NOW + timedelta(days=days)) for days in (0, 19, 20)]
    statuses = [each.status for each in answers if isinstance(each, Company)]
    active, bankrupt = CompanyStatus.ACTIVE, CompanyStatus.BANKRUPT
    assert statuses == [active, active, bankrupt]


def assessed(part: NaturalPersonPart | AuthenticatorPart) -> CaseAssessment:
    if isinstance(part, AuthenticatorPart):
        return assess_case(Case(authenticator=part), shipped_policy(STANDARD))
    return assess_case(Case(natural_person=part), shipped_policy(STANDARD))


def _derived(login: Login, status: SourceStatus | NoAnswer = SourceStatus.VALID) -> CaseAssessment:
    age = shipped_policy(STANDARD).limits.login_age
    return assessed(derived_part(login, status, NOW, maximum_age=age, assessed=True))


def test_a_fresh_login_at_high_reaches_high() -> None:
    assert _derived(LOGIN).reached is _HIGH
    assert _derived(replace(LOGIN, level=_LOW)).reached is _LOW
    assert _derived(LOGIN, SourceStatus.SUSPENDED).reached is None


@pytest.mark.parametrize(
    "login",
    [
        replace(LOGIN, authenticated_at=NOW - timedelta(minutes=15, seconds=1)),
        replace(LOGIN, authenticated_at=NOW + timedelta(seconds=1)),
        replace(LOGIN, is_dynamic=False),
    ],
)
def test_a_login_that_is_old_or_of_the_future_or_static_is_stale(login: Login) -> None:
    (reason,) = _derived(login).levels[_LOW].reasons
    assert reason.finding.code == "SOURCE_AUTHENTICATION_STALE"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"is_dynamic": False}, "AUTHENTICATION_NOT_DYNAMIC"),
        ({"factors": ()}, "FACTOR_COUNT_INSUFFICIENT"),
        ({"factors": (Factor.POSSESSION, Factor.POSSESSION)}, "FACTORS_SAME_CATEGORY"),
    ],
)
def test_from_substantial_a_login_is_dynamic_and_has_two_factors(
    changes: dict[str, object], code: str
) -> None:
    levels = _derived(replace(LOGIN, **changes)).levels  # type: ignore[arg-type]
    assert code not in {each.finding.code for each in levels[_LOW].reasons}
    assert code in {each.finding.code for each in levels[_SUBSTANTIAL].reasons}


def test_a_login_whose_status_nobody_tells_waits_at_every_level() -> None:
    outcomes = {each.outcome for each in _derived(LOGIN, NoAnswer()).levels.values()}
    assert outcomes == {Outcome.WAIT}


_ASKED = Asked("nonce-1", is_used=False, maximum_age=timedelta(seconds=120))
_SHOWN = NaturalPersonPart(
    document=EvidenceKind.PASSPORT,
    document_status=StatusOfDocument.VALID,
    equivalence_assessment=True,
)


def _report(capture: str, age: int = 10) -> ComparatorReport:
    answer = FakeComparator(NOW - timedelta(seconds=age)).compare(capture, "nonce-1", NOW)
    assert isinstance(answer, ComparatorReport)
    return answer


@pytest.mark.parametrize(
    ("capture", "age", "codes"),
    [
        ("same", 0, set()),
        ("same", 120, set()),
        ("same", 121, {"BIOMETRIC_STALE"}),
        ("same", -1, {"BIOMETRIC_STALE"}),
        ("same replayed", 10, {"BIOMETRIC_STALE"}),
        ("same mask", 10, {"LIVENESS_FAILED"}),
        ("same injected", 10, {"INJECTION_SUSPECTED"}),
    ],
)
def test_a_report_is_fresh_and_of_a_living_person(capture: str, age: int, codes: set[str]) -> None:
    report = _report(capture, age)
    assert {each.code for each in report_findings(report, _ASKED, NOW)} == codes
    reached = assessed(compared_part(_SHOWN, report, _ASKED, NOW)).reached
    assert reached is (None if codes else _HIGH)


def test_a_nonce_counts_once() -> None:
    (found,) = report_findings(_report("same"), replace(_ASKED, is_used=True), NOW)
    assert found.code == "BIOMETRIC_REPLAY"


def test_another_face_and_an_open_channel_are_facts_of_the_case() -> None:
    other = compared_part(_SHOWN, _report("other"), _ASKED, NOW)
    assert assessed(other).reached is None
    unprotected = compared_part(_SHOWN, _report("same open"), _ASKED, NOW)
    assert assessed(unprotected).reached is _SUBSTANTIAL


def _origin(*, is_test_equipment: bool = False) -> KeyOrigin:
    verifier = FakeAttestation(date(2026, 1, 15), is_test_equipment=is_test_equipment)
    origin = verifier.verify(verifier.attest("cd" * 32), "cd" * 32, NOW)
    assert isinstance(origin, KeyOrigin)
    return origin


def test_an_attested_card_reaches_high_through_the_last_day_of_its_certificate() -> None:
    assert assessed(device_part(_origin(), NOW)).reached is _HIGH
    assert assessed(device_part(_origin(), NOW + timedelta(days=1))).reached is _SUBSTANTIAL


def test_test_equipment_never_reaches_high() -> None:
    found = assessed(device_part(_origin(is_test_equipment=True), NOW))
    codes = {each.finding.code for each in found.levels[_HIGH].reasons}
    assert codes == {"TEST_TOKEN_NOT_ALLOWED", "DEVICE_CERTIFICATION_INVALID"}
    assert found.reached is _SUBSTANTIAL


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"can_leave_device": True}, "AUTHENTICATOR_COPYABLE"),
        ({"made_in_device": False}, "KEY_ATTESTATION_MISSING"),
        ({"asks_holder": False}, "FACTOR_COUNT_INSUFFICIENT"),
        ({"certified_until": None}, "DEVICE_CERTIFICATION_INVALID"),
    ],
)
def test_what_a_device_does_not_do_is_a_reason(changes: dict[str, bool | None], code: str) -> None:
    part = device_part(replace(_origin(), **changes), NOW)  # type: ignore[arg-type]
    assert code in {each.finding.code for each in assessed(part).levels[_HIGH].reasons}

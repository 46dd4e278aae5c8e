"""Natural persons from application to proof by every route, through the use cases."""

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest

from ra.applications import Application, ApplicationState
from ra.case import ComparisonKind, Factor, SourceStatus
from ra.errors import Conflict, MalformedField, Refused
from ra.evidence import EvidenceKind, Presence, VisualZone
from ra.fake_registers import persona_name
from ra.fake_services import TEST_LOGIN, FakeLogins, FakeNotifier
from ra.further_evidence import ControlQuestions, Deviation
from ra.identity import CprNumber
from ra.levels import AssuranceLevel
from ra.logins import Login
from ra.proofing import PresentedDocument
from records.errors import RuleBroken
from records.officers import Officer, Role
from server.assembly import Assembly
from server.clock import utc_now
from server.lapses import lapse_applications
from server.person_parts import PersonPorts
from server.persons import (
    Capture,
    LoginReturn,
    Seen,
    ask_nonce,
    compare_by_machine,
    compare_in_person,
    hear_answers,
    log_in,
    post_letter,
    record_control_questions,
    record_prior,
    refer_application,
    resolve_referral,
    return_letter_code,
    take_up,
    withdraw_application,
)
from server.registration import conclude_proofing, record_document
from tests.support.installation import an_installation
from tests.support.ra_builders import FEATURES, NANCY, passport_of
from tests.support.softhsm import SoftHsm
from tests.support.staff import an_officer, applied, trained

LOW, SUBSTANTIAL = "natural-person-low", "natural-person-substantial"
NOTE = "the register shows the earlier name"


@dataclasses.dataclass(frozen=True)
class Bureau:
    """An installation with two trained registration officers."""

    parts: Assembly
    clerk: Officer
    second: Officer

    @property
    def post(self) -> FakeNotifier:
        post = self.parts.persons.ports.post
        assert isinstance(post, FakeNotifier)
        return post

    def with_login(self, nonce: str, number: str, status: SourceStatus) -> "Bureau":
        """A provider that knows one login."""
        login = Login(
            TEST_LOGIN,
            credential_of(nonce),
            AssuranceLevel.HIGH,
            utc_now() - timedelta(seconds=5),
            is_dynamic=True,
            assertion_sha256="ab" * 32,
            cpr_number=CprNumber(number),
            factors=(Factor.POSSESSION, Factor.KNOWLEDGE),
        )
        provider = FakeLogins({("answer", nonce): login}, {credential_of(nonce): status})
        ports = PersonPorts(MappingProxyType({TEST_LOGIN: provider}))
        persons = dataclasses.replace(self.parts.persons, ports=ports)
        return dataclasses.replace(self, parts=dataclasses.replace(self.parts, persons=persons))

    def shown(self, application: Application, presented: PresentedDocument) -> Application:
        return record_document(self.parts, application.id, presented, self.clerk, utc_now())

    def concluded(self, application: Application) -> Application:
        return conclude_proofing(self.parts, application.id, self.clerk, utc_now())

    def refused(self, application: Application) -> set[str]:
        with pytest.raises(Refused) as refusal:
            self.concluded(application)
        return {each.code for each in refusal.value.findings}


@pytest.fixture(scope="module")
def bureau(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bureau]:
    with an_installation(softhsm, tmp_path_factory.mktemp("persons") / "state") as parts:
        clerk, second = (an_officer(parts, Role.REGISTRATION_OFFICER).officer for _ in range(2))
        yield Bureau(parts, clerk, second)


def credential_of(nonce: str) -> str:
    """A credential of its own for each login."""
    return f"credential-{nonce[:8]}"


def events(parts: Assembly) -> int:
    with parts.database.engine.connect() as connection:
        query = "SELECT COUNT(*) FROM audit_event"
        return int(connection.exec_driver_sql(query).scalar_one())


def test_a_letter_to_the_registered_address_proves_an_identity_at_low(bureau: Bureau) -> None:
    parts = bureau.parts
    of = applied(parts, profile=LOW)
    take_up(parts, of.id, bureau.clerk, utc_now())
    assert bureau.refused(of) == {"EVIDENCE_MISSING"}
    post_letter(parts, of.id, bureau.clerk, utc_now())
    notice = bureau.post.sent[f"{of.id}-1"]
    with pytest.raises(Refused):
        return_letter_code(parts, of.id, "0" * 20, utc_now())
    return_letter_code(parts, of.id, notice.text.value, utc_now())
    with pytest.raises(Refused):
        return_letter_code(parts, of.id, notice.text.value, utc_now())
    assert bureau.concluded(of).state is ApplicationState.VERIFIED


def test_a_letter_is_not_enough_at_substantial(bureau: Bureau) -> None:
    parts = bureau.parts
    of = applied(parts)
    take_up(parts, of.id, bureau.clerk, utc_now())
    post_letter(parts, of.id, bureau.clerk, utc_now())
    return_letter_code(parts, of.id, bureau.post.sent[f"{of.id}-1"].text.value, utc_now())
    assert bureau.refused(of) == {"EVIDENCE_MISSING"}


def test_nobody_without_an_address_gets_a_letter(bureau: Bureau) -> None:
    of = applied(bureau.parts, "0201609995", profile=LOW)
    take_up(bureau.parts, of.id, bureau.clerk, utc_now())
    with pytest.raises(Refused):
        post_letter(bureau.parts, of.id, bureau.clerk, utc_now())
    assert f"{of.id}-1" not in bureau.post.sent


def test_a_driving_licence_is_read_by_an_officer(bureau: Bureau) -> None:
    given_name, surname = persona_name(CprNumber(NANCY))
    visual = VisualZone(
        "DNK", "12345678", given_name, surname, CprNumber(NANCY).birth_date,
        utc_now().date() + timedelta(days=400),
    )  # fmt: skip
    shown = PresentedDocument(
        EvidenceKind.DRIVING_LICENCE, (), FEATURES, Presence.IN_PERSON, face_matches=True,
        visual=visual,
    )  # fmt: skip
    of = bureau.shown(applied(bureau.parts), shown)
    assert {each.answer for each in of.checks} >= {"sound", "valid", "agrees", "01"}
    # The catalogue of the test equipment approves passports of Utopia alone.
    assert bureau.refused(of) == {"SOURCE_NOT_APPROVED"}
    passport = dataclasses.replace(shown, kind=EvidenceKind.PASSPORT)
    assert "EVIDENCE_FORMAT_INVALID" in bureau.refused(bureau.shown(of, passport))


def test_an_identity_is_derived_from_a_credential_and_the_edge_is_kept(bureau: Bureau) -> None:
    of = applied(bureau.parts)
    take_up(bureau.parts, of.id, bureau.clerk, utc_now())
    nonce = ask_nonce(bureau.parts, of.id, "login", utc_now())
    desk = bureau.with_login(nonce, NANCY, SourceStatus.VALID)
    back = LoginReturn(TEST_LOGIN, "answer", nonce)
    log_in(desk.parts, of.id, back, utc_now())
    with pytest.raises(Refused):  # the nonce is used up
        log_in(desk.parts, of.id, back, utc_now())
    assert desk.concluded(of).state is ApplicationState.VERIFIED
    derivations, credential = bureau.parts.persons.derivations, credential_of(nonce)
    managers = [an_officer(bureau.parts, Role.SECURITY_ADMINISTRATOR).officer for _ in range(2)]
    assert derivations.open_reviews(TEST_LOGIN, credential, managers[0], utc_now()) == 1
    assert derivations.open_reviews(TEST_LOGIN, credential, managers[0], utc_now()) == 0
    with pytest.raises(RuleBroken, match="PER08"):
        derivations.decide(of.id, "revoked", managers[0], utc_now())
    derivations.decide(of.id, "revoked", managers[1], utc_now())
    (review,) = derivations.reviews()
    assert (review.application_id, review.decision) == (of.id, "revoked")


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        (NANCY, SourceStatus.REVOKED, "SOURCE_CREDENTIAL_NOT_VALID"),
        ("0707614285", SourceStatus.VALID, "IDENTITY_MISMATCH"),
    ],
)
def test_a_login_that_shows_nothing_of_the_applicant_is_refused(
    bureau: Bureau, number: str, status: SourceStatus, code: str
) -> None:
    of = applied(bureau.parts)
    take_up(bureau.parts, of.id, bureau.clerk, utc_now())
    nonce = ask_nonce(bureau.parts, of.id, "login", utc_now())
    desk = bureau.with_login(nonce, number, status)
    log_in(desk.parts, of.id, LoginReturn(TEST_LOGIN, "answer", nonce), utc_now())
    assert desk.refused(of) == {code}


def test_a_face_is_compared_by_machine_once_for_our_nonce(bureau: Bureau) -> None:
    parts = bureau.parts
    without_face = dataclasses.replace(passport_of(), face_matches=None)
    of = bureau.shown(applied(parts), without_face)
    assert bureau.refused(of) == {"IMPERSONATION_MEASURE_MISSING"}
    for capture, code in (
        ("mask", "LIVENESS_FAILED"),
        ("injected", "INJECTION_SUSPECTED"),
        ("replayed", "BIOMETRIC_STALE"),
    ):
        nonce = ask_nonce(parts, of.id, "biometric", utc_now())
        with pytest.raises(Refused) as refusal:
            compare_by_machine(parts, of.id, Capture(capture, nonce, "video-1"), utc_now())
        assert [each.code for each in refusal.value.findings] == [code]
    face = Capture("face", ask_nonce(parts, of.id, "biometric", utc_now()), "video-1")
    after = compare_by_machine(parts, of.id, face, utc_now())
    assert after.further.comparisons[-1].kind is ComparisonKind.BIOMETRIC
    with pytest.raises(Refused) as replay:
        compare_by_machine(parts, of.id, face, utc_now())
    assert [each.code for each in replay.value.findings] == ["BIOMETRIC_REPLAY"]
    # No assessment says that this method is equal to a meeting, so it is no measure either.
    assert bureau.refused(of) == {"IMPERSONATION_MEASURE_MISSING"}


def test_control_questions_count_in_person_and_no_answer_is_kept(bureau: Bureau) -> None:
    parts, clerk = bureau.parts, bureau.clerk
    of = bureau.shown(applied(parts), dataclasses.replace(passport_of(), face_matches=None))

    def asked(presence: Presence, correct: int) -> None:
        questions = ControlQuestions(presence, "test:cpr", 3, correct, clerk.id, utc_now())
        record_control_questions(parts, of.id, questions, clerk, utc_now())

    asked(Presence.ONLINE, 3)
    assert bureau.refused(of) == {"CONTROL_QUESTIONS_INSUFFICIENT"}
    asked(Presence.IN_PERSON, 2)
    assert bureau.refused(of) == {"CONTROL_QUESTIONS_INSUFFICIENT"}
    with pytest.raises(MalformedField):
        asked(Presence.IN_PERSON, 4)
    asked(Presence.IN_PERSON, 3)
    assert bureau.concluded(of).state is ApplicationState.VERIFIED


def test_an_earlier_proofing_needs_an_assessment_of_its_equality(bureau: Bureau) -> None:
    of = applied(bureau.parts)
    take_up(bureau.parts, of.id, bureau.clerk, utc_now())
    record_prior(bureau.parts, of.id, ("bank", "aml", "ref-1"), bureau.clerk, utc_now())
    assert bureau.refused(of) == {"PRIOR_PROOFING_NOT_EQUIVALENT"}


def test_a_comparison_that_is_not_live_is_no_evidence(bureau: Bureau) -> None:
    of = bureau.shown(applied(bureau.parts), passport_of())
    seen = Seen(ComparisonKind.SIGNATURE, matches=True, live=False, feature_list="F-1")
    with pytest.raises(Refused, match="COMPARISON_NOT_LIVE"):
        compare_in_person(bureau.parts, of.id, seen, bureau.clerk, utc_now())
    differs = dataclasses.replace(seen, matches=False, live=True)
    compare_in_person(bureau.parts, of.id, differs, bureau.clerk, utc_now())
    assert bureau.refused(of) == {"IDENTITY_MISMATCH"}


def test_a_second_officer_resolves_a_deviation_of_names(bureau: Bureau) -> None:
    parts = bureau.parts
    of = bureau.shown(applied(parts, surname="Nyborg"), passport_of())
    assert bureau.refused(of) == {"IDENTITY_MISMATCH"}
    referred = refer_application(parts, of.id, bureau.clerk, utc_now())
    assert referred.state is ApplicationState.REFERRED
    assert {each.code for each in referred.findings} == {"IDENTITY_MISMATCH"}
    word = (Deviation.CHANGED_NAME, NOTE)
    with pytest.raises(Refused, match="SEPARATION_OF_DUTIES"):
        resolve_referral(parts, of.id, word, bureau.clerk, utc_now())
    with pytest.raises(MalformedField):
        resolve_referral(parts, of.id, (word[0], "ok"), bureau.second, utc_now())
    resolve_referral(parts, of.id, word, bureau.second, utc_now())
    assert bureau.concluded(of).state is ApplicationState.VERIFIED


def test_no_second_officer_answers_for_a_face(bureau: Bureau) -> None:
    parts = bureau.parts
    differs = dataclasses.replace(passport_of(), face_matches=False)
    of = bureau.shown(applied(parts), differs)
    refer_application(parts, of.id, bureau.clerk, utc_now())
    word = (Deviation.CHANGED_NAME, NOTE)
    resolve_referral(parts, of.id, word, bureau.second, utc_now())
    assert bureau.refused(of) == {"IDENTITY_MISMATCH"}


def test_what_waits_goes_on_when_the_registers_are_asked_again(bureau: Bureau) -> None:
    parts = bureau.parts
    of = bureau.shown(applied(parts, surname="Nyborg"), passport_of())
    referred = refer_application(parts, of.id, bureau.clerk, utc_now())
    after = hear_answers(parts, of.id, bureau.clerk, utc_now())
    assert after.state is ApplicationState.PROOFING
    assert len(after.checks) == len(referred.checks) + 3
    with pytest.raises(Conflict):
        hear_answers(parts, of.id, bureau.clerk, utc_now())


def test_failed_attempts_close_an_application(bureau: Bureau) -> None:
    parts = bureau.parts
    limit = parts.policy.policy.limits.attempts
    of = bureau.shown(applied(parts, "0707614285", surname="Nyborg"), passport_of("0707614285"))
    for _ in range(limit):
        assert bureau.refused(of) == {"IDENTITY_MISMATCH"}
    closed = parts.applications.get(of.id)
    assert closed.state is ApplicationState.REJECTED
    assert [each.code for each in closed.findings] == ["ATTEMPTS_EXHAUSTED"]
    assert bureau.refused(of) == {"ATTEMPTS_EXHAUSTED"}
    # Another application of the same claimed identity has the rest of the day's attempts.
    other = bureau.shown(applied(parts, "0707614285"), passport_of("0707614285"))
    assert bureau.concluded(other).state is ApplicationState.VERIFIED


def test_the_attempts_of_one_identity_count_over_its_applications(bureau: Bureau) -> None:
    parts, number = bureau.parts, "0108589995"
    limits = parts.policy.policy.limits
    for _ in range(limits.identity_attempts // limits.attempts):
        of = bureau.shown(applied(parts, number, surname="Nyborg"), passport_of(number))
        for _ in range(limits.attempts):
            bureau.refused(of)
    innocent = bureau.shown(applied(parts, number), passport_of(number))
    assert bureau.refused(innocent) == {"ATTEMPTS_EXHAUSTED"}
    with parts.database.engine.connect() as connection:
        kept = repr(connection.exec_driver_sql("SELECT * FROM failed_attempt").all())
    assert number not in kept


def test_what_is_missing_is_no_failed_attempt(bureau: Bureau) -> None:
    of = applied(bureau.parts)
    take_up(bureau.parts, of.id, bureau.clerk, utc_now())
    for _ in range(bureau.parts.policy.policy.limits.attempts + 1):
        assert bureau.refused(of) == {"EVIDENCE_MISSING"}


def test_an_applicant_takes_an_application_back(bureau: Bureau) -> None:
    parts = bureau.parts
    of = applied(parts)
    before = events(parts)
    assert withdraw_application(parts, of.id, utc_now()).state is ApplicationState.WITHDRAWN
    assert events(parts) == before + 1
    with pytest.raises(Conflict):
        withdraw_application(parts, of.id, utc_now())
    with pytest.raises(Conflict):
        take_up(parts, of.id, bureau.clerk, utc_now())
    with pytest.raises(Conflict):
        ask_nonce(parts, of.id, "login", utc_now())


def test_an_application_lapses_at_the_policys_age_and_not_in_its_first_week(
    bureau: Bureau,
) -> None:
    parts = bureau.parts
    of = applied(parts)
    assert lapse_applications(parts, utc_now()) == 0
    with pytest.raises(RuleBroken, match="PER09"):
        lapse_applications(parts, utc_now() + timedelta(days=91))
    assert parts.applications.get(of.id).state is ApplicationState.SUBMITTED


def test_a_trained_officer_takes_an_application_up(bureau: Bureau) -> None:
    of = applied(bureau.parts)
    after = take_up(bureau.parts, of.id, bureau.clerk, utc_now())
    assert after.officer is not None
    assert after.officer.is_trained(utc_now())
    assert not after.officer.is_trained(utc_now() + timedelta(days=366))


def test_an_untrained_officer_takes_none_up(bureau: Bureau) -> None:
    parts, now = bureau.parts, utc_now()
    made = parts.officers.invite("Ny", Role.REGISTRATION_OFFICER, now)
    invited = replace(made, certificate="0" * 64)
    of = applied(parts)
    with pytest.raises(Refused, match="OFFICER_NOT_TRAINED"):
        take_up(parts, of.id, invited, now)
    # With a document the refusal comes when the proofing is concluded.
    record_document(parts, of.id, passport_of(), invited, now)
    with pytest.raises(Refused, match="OFFICER_NOT_TRAINED"):
        conclude_proofing(parts, of.id, invited, now)
    trained(parts, invited)
    assert parts.persons.trainings.trained_until(invited.person_id, now) is not None


def test_nobody_records_the_own_training_nor_one_for_longer_than_a_year(bureau: Bureau) -> None:
    trainings, now = bureau.parts.persons.trainings, utc_now()
    manager = an_officer(bureau.parts, Role.SECURITY_ADMINISTRATOR).officer
    today = now.date()
    for of, by, days in (
        (manager, manager, 300),
        (bureau.clerk, bureau.second, 300),
        (bureau.clerk, manager, 400),
        (bureau.clerk, manager, 0),
    ):
        with pytest.raises(RuleBroken, match="PER01"):
            trainings.record(of.id, (today, today + timedelta(days=days)), by, now)
    made = trainings.record(bureau.clerk.id, (today, today + timedelta(days=30)), manager, now)
    assert made.recorded_by == manager.id

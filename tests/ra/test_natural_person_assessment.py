"""Natural persons: personas and the rows of decision table 5.1 that this version can meet."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ra.applications import Application, ApplicationState, start_proofing
from ra.assessment import (
    Accepted,
    Assessment,
    Referred,
    Rejected,
    assess_natural_person,
    conclude,
    natural_person_part,
)
from ra.case import StatusOfDocument
from ra.case_reader import read_case
from ra.errors import Refused
from ra.evidence import Answer, Check, EvidenceKind, Presence
from ra.fake_registers import persona_name, specimen_passport
from ra.identity import CprNumber, PersonName
from ra.levels import AssuranceLevel
from ra.mrz import parse_mrz
from ra.proofing import names_agree
from ra.registers import DocumentStatus, PersonStatus
from ra.sources import SourceCatalogue
from tests.support.ra_builders import (
    CATALOGUE,
    NANCY,
    NOW,
    PROOFER,
    at_level,
    claimed,
    drafted,
    examined,
    in_proofing,
    passport_of,
    policy,
    registers,
    verified,
)

_LOW, _SUBSTANTIAL, _HIGH = AssuranceLevel
# What High demands of a key that its holder made in software.
_SERVICE = (
    "AUTHENTICATOR_COPYABLE",
    "HOLDER_PROTECTION_MISSING",
    "FACTORS_NOT_INDEPENDENT",
    "KEY_ATTESTATION_MISSING",
    "DEVICE_CERTIFICATION_INVALID",
)


def assess(application: Application, catalogue: SourceCatalogue = CATALOGUE) -> Assessment:
    return assess_natural_person(application, catalogue, policy(), NOW)


def codes(outcome: Assessment) -> set[str]:
    assert not isinstance(outcome, Accepted)
    return {each.code for each in outcome.findings}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("2512489996", None),
        ("2911829996", None),
        ("0108589995", None),
        ("0707614285", None),
        ("3103979995", None),
        ("0201609995", None),
        ("1310169995", None),
        ("2103009996", None),
        ("0107729995", "PERSON_DECEASED"),
        ("1509819996", "PERSON_MISSING"),
        ("0201609996", "PERSON_NUMBER_SUPERSEDED"),
        ("0201919990", "PERSON_NUMBER_SUPERSEDED"),
        ("0504909989", "PERSON_NUMBER_ANNULLED"),
        ("0504909995", "PERSON_NUMBER_NOT_ASSIGNED"),
    ],
)
@pytest.mark.parametrize("level", [_LOW, _SUBSTANTIAL])
def test_a_persona_gets_the_outcome_of_its_status(
    number: str, code: str | None, level: AssuranceLevel
) -> None:
    application = examined(in_proofing(claimed(number), level), passport_of(number))
    outcome = assess(application)
    if code is None:
        assert outcome == Accepted(level)
    else:
        assert isinstance(outcome, Rejected)
        assert codes(outcome) == {code}


def test_a_silent_register_makes_the_application_wait() -> None:
    attributes = claimed() | {"cpr_number": "1502779995"}
    presented = replace(passport_of(), mrz_lines=_passport_born("1502779995"))
    application = examined(in_proofing(attributes), presented)
    outcome = assess(application)
    assert isinstance(outcome, Referred)
    assert [each.requirement for each in outcome.findings] == ["REG-IDN-S6b"]
    assert assess(at_level(application, _LOW)) == Accepted(_LOW)
    waiting = conclude(application, CATALOGUE, policy(), NOW)
    assert waiting.state is ApplicationState.REFERRED
    taken_up = start_proofing(waiting, PROOFER, NOW)
    assert taken_up.state is ApplicationState.PROOFING
    assert not taken_up.findings


def _passport_born(number: str) -> tuple[str, ...]:
    born = CprNumber(number).birth_date
    return specimen_passport(persona_name(CprNumber(NANCY)), born, "UT1", date(2034, 1, 1))


@pytest.mark.parametrize(
    ("status", "low", "substantial"),
    [
        (DocumentStatus.VALID, None, None),
        (DocumentStatus.NO_SERVICE, None, None),
        (DocumentStatus.NO_ANSWER, None, "EVIDENCE_STATUS_UNKNOWN"),
        (DocumentStatus.LOST, "EVIDENCE_REPORTED_LOST_OR_STOLEN", "same"),
        (DocumentStatus.STOLEN, "EVIDENCE_REPORTED_LOST_OR_STOLEN", "same"),
        (DocumentStatus.REVOKED, "EVIDENCE_REVOKED", "same"),
        (DocumentStatus.NOT_KNOWN, "EVIDENCE_REVOKED", "same"),
        (DocumentStatus.SUSPENDED, "EVIDENCE_SUSPENDED", "same"),
        (DocumentStatus.EXPIRED, "EVIDENCE_EXPIRED", "same"),
    ],
)
def test_the_status_of_the_document_decides(
    status: DocumentStatus, low: str | None, substantial: str | None
) -> None:
    application = examined(asked=registers({"UT1234567": status}))
    for level, expected in ((_LOW, low), (_SUBSTANTIAL, substantial)):
        code = low if expected == "same" else expected
        outcome = assess(at_level(application, level))
        assert outcome == Accepted(level) if code is None else codes(outcome) == {code}
        assert isinstance(outcome, Referred) is (code == "EVIDENCE_STATUS_UNKNOWN")


def test_nothing_presented_is_refused_and_a_number_is_no_evidence() -> None:
    unnumbered = in_proofing(claimed(None), _LOW)
    assert codes(assess(unnumbered)) == {"EVIDENCE_MISSING"}
    assert {"PERSON_NOT_IN_REGISTER", "EVIDENCE_MISSING"} <= codes(
        assess(at_level(unnumbered, _SUBSTANTIAL))
    )
    assert codes(assess(in_proofing())) == {"EVIDENCE_MISSING"}


def test_a_document_nobody_looked_up_is_worth_low() -> None:
    full = examined()
    looked_up = {Check.DOCUMENT_STATUS, Check.PHYSICAL_COMPARISON}
    image = replace(full, checks=tuple(c for c in full.checks if c.check not in looked_up))
    assert assess(at_level(image, _LOW)) == Accepted(_LOW)
    assert codes(assess(image)) == {"CHECK_NOT_EVIDENCED", "IMPERSONATION_MEASURE_MISSING"}
    assert codes(assess(at_level(image, _HIGH))) == {
        "CHECK_NOT_EVIDENCED",
        "IMPERSONATION_MEASURE_MISSING",
        "PHYSICAL_COMPARISON_MISSING",
        *_SERVICE,
    }


def test_without_a_measure_against_impersonation_only_low_is_reached() -> None:
    for presented in (
        replace(passport_of(), face_matches=None),
        replace(passport_of(), presence=Presence.ONLINE),
    ):
        application = examined(presented=presented)
        assert assess(at_level(application, _LOW)) == Accepted(_LOW)
        assert codes(assess(application)) == {"IMPERSONATION_MEASURE_MISSING"}


def test_a_face_that_differs_is_refused_at_every_level() -> None:
    application = examined(presented=replace(passport_of(), face_matches=False))
    assert codes(assess(at_level(application, _LOW))) == {"IDENTITY_MISMATCH"}
    assert "IDENTITY_MISMATCH" in codes(assess(application))


@pytest.mark.parametrize(
    ("expiry", "code"),
    [(date(2026, 1, 15), None), (date(2026, 1, 14), "EVIDENCE_EXPIRED")],
)
def test_a_passport_holds_through_its_last_day(expiry: date, code: str | None) -> None:
    outcome = assess(examined(presented=passport_of(expiry=expiry)))
    assert outcome == Accepted(_SUBSTANTIAL) if code is None else codes(outcome) == {code}


def test_a_passport_that_expires_between_proofing_and_conclusion_is_refused() -> None:
    application = examined(presented=passport_of(expiry=date(2026, 1, 15)))
    later = NOW + timedelta(days=1)
    outcome = assess_natural_person(application, CATALOGUE, policy(), later)
    assert codes(outcome) == {"EVIDENCE_EXPIRED"}


@pytest.mark.parametrize("position", [3, 14, 23, 30, 43])
def test_a_broken_check_digit_is_an_invalid_format(position: int) -> None:
    upper, lower = passport_of().mrz_lines
    digit = "7" if lower[position] != "7" else "8"
    broken = (upper, lower[:position] + digit + lower[position + 1 :])
    outcome = assess(examined(presented=replace(passport_of(), mrz_lines=broken)))
    assert codes(outcome) == {"EVIDENCE_FORMAT_INVALID"}


def test_a_passport_shown_as_another_kind_is_not_accepted() -> None:
    presented = replace(passport_of(), kind=EvidenceKind.ID_CARD)
    assert codes(assess(examined(presented=presented))) == {
        "EVIDENCE_FORMAT_INVALID",
        "EVIDENCE_KIND_NOT_ACCEPTED",
    }


@pytest.mark.parametrize(
    "changes",
    [{"surname": "Bergren"}, {"given_name": "Nancy Anne Test"}, {"given_name": "Ann Test"}],
)
def test_another_name_than_the_evidence_is_a_mismatch(changes: dict[str, str]) -> None:
    application = examined(in_proofing(claimed() | changes))
    assert codes(assess(application)) == {"IDENTITY_MISMATCH"}
    assert codes(assess(at_level(application, _LOW))) == {"IDENTITY_MISMATCH"}


def test_middle_names_may_be_left_out() -> None:
    assert assess(examined(in_proofing(claimed(given_name="Nancy")))) == Accepted(_SUBSTANTIAL)
    assert assess(examined(in_proofing(claimed(given_name="Nancy Test")))) == Accepted(_SUBSTANTIAL)


def test_another_birth_date_than_the_number_is_a_mismatch() -> None:
    presented = replace(passport_of(), mrz_lines=_passport_born("0707614285"))
    application = examined(presented=presented)
    assert codes(assess(application)) == {"IDENTITY_MISMATCH"}
    result = next(each for each in application.checks if each.check is Check.DATA_MATCH)
    assert result.concerns == ("birth_date",)


def test_a_number_of_somebody_else_with_the_same_birth_date_is_a_mismatch() -> None:
    # Both numbers hold 2 January 1960, so only the register tells the two persons apart.
    attributes = claimed("0201609996") | {"cpr_number": "0201609995"}
    application = examined(in_proofing(attributes), passport_of("0201609996"))
    outcome = assess(application)
    assert isinstance(outcome, Rejected)
    assert [each.requirement for each in outcome.findings] == ["REG-IDN-S6e"]


def test_a_replacement_number_reaches_low_alone() -> None:
    attributes = claimed() | {"cpr_number": "8512489996"}
    application = examined(in_proofing(attributes))
    assert assess(at_level(application, _LOW)) == Accepted(_LOW)
    assert codes(assess(application)) == {"PERSON_NOT_IN_REGISTER"}


def test_an_empty_catalogue_reaches_nothing() -> None:
    for level in AssuranceLevel:
        assert "SOURCE_NOT_APPROVED" in codes(
            assess(at_level(examined(), level), SourceCatalogue())
        )


def test_test_equipment_counts_only_where_it_is_allowed() -> None:
    real = replace(CATALOGUE, allows_test_equipment=False)
    assert codes(assess(examined(), real)) == {"SOURCE_NOT_APPROVED"}


def test_a_source_is_approved_only_between_its_dates() -> None:
    ended = tuple(replace(each, valid_until=date(2026, 1, 14)) for each in CATALOGUE.sources)
    assert codes(assess(examined(), replace(CATALOGUE, sources=ended))) == {"SOURCE_NOT_APPROVED"}


def test_fewer_than_three_features_are_not_enough_for_substantial() -> None:
    # The same feature named three times is one feature.
    presented = replace(passport_of(), features_seen=("uv_print", "uv_print ", "uv_print"))
    application = examined(presented=presented)
    assert codes(assess(application)) == {"EVIDENCE_NOT_GENUINE"}
    assert assess(at_level(application, _LOW)) == Accepted(_LOW)


def test_an_officer_who_is_the_subject_is_refused_whatever_the_evidence() -> None:
    application = replace(examined(), officer=replace(PROOFER, person_key="key-1"))
    assert codes(assess(application)) == {"OFFICER_IS_SUBJECT"}


def test_high_is_refused_with_its_requirements_even_with_the_best_evidence() -> None:
    outcome = assess(at_level(examined(), _HIGH))
    assert isinstance(outcome, Rejected)
    assert codes(outcome) == set(_SERVICE)


def test_high_cannot_even_be_submitted() -> None:
    with pytest.raises(Refused) as refusal:
        in_proofing(level=_HIGH)
    assert {each.code for each in refusal.value.findings} == set(_SERVICE)


def test_an_answer_outside_the_table_is_no_evidence() -> None:
    application = examined()
    strange = tuple(replace(each, answer="probably") for each in application.checks)
    assert codes(assess(replace(application, checks=strange))) == {
        "CHECK_NOT_EVIDENCED",
        "IMPERSONATION_MEASURE_MISSING",
    }


def test_a_later_document_replaces_the_earlier_with_all_its_checks() -> None:
    expired = examined(presented=passport_of(expiry=date(2020, 1, 1)))
    assert assess(examined(expired)) == Accepted(_SUBSTANTIAL)
    unchecked = replace(examined(expired), checks=expired.checks)
    assert {"EVIDENCE_RECORD_INCOMPLETE", "CHECK_NOT_EVIDENCED"} <= codes(assess(unchecked))


def test_a_person_who_dies_after_issuance_is_dead_in_the_register_from_then_on() -> None:
    register = registers().persons
    number = CprNumber("2103009996")
    answers = [register.find(number, NOW + timedelta(days=days)) for days in (0, 29, 30)]
    statuses = [getattr(each, "status", None) for each in answers]
    active = PersonStatus.ACTIVE_IN_DENMARK
    assert statuses == [active, active, PersonStatus.DEAD]


def test_concluding_writes_the_result_with_its_age_limit() -> None:
    result = verified().proofing
    assert result is not None
    assert (result.level, result.policy_version) == (_SUBSTANTIAL, "test-1")
    assert result.valid_until - result.completed_at == timedelta(days=30)


def test_concluding_with_a_requirement_unmet_leaves_the_application_as_it_is() -> None:
    application = examined(presented=replace(passport_of(), face_matches=None))
    with pytest.raises(Refused) as refusal:
        conclude(application, CATALOGUE, policy(), NOW)
    assert refusal.value.findings[0].code == "IMPERSONATION_MEASURE_MISSING"
    assert application.state is ApplicationState.PROOFING


_ANSWERS: tuple[str, ...] = (*Answer, *DocumentStatus, *PersonStatus)


@given(
    answers=st.dictionaries(st.sampled_from(Check), st.sampled_from(_ANSWERS)),
    kept=st.sets(st.sampled_from(Check)),
    read=st.booleans(),
    numbered=st.booleans(),
    sources=st.sets(st.sampled_from(CATALOGUE.sources)),
)
def test_what_is_allowed_at_a_level_is_allowed_at_every_lower_one(
    *,
    answers: dict[Check, str],
    kept: set[Check],
    read: bool,
    numbered: bool,
    sources: set[object],
) -> None:
    submitted = drafted(claimed(NANCY if numbered else None), read=read)
    in_hand = replace(submitted, state=ApplicationState.PROOFING, officer=PROOFER)
    full = examined(in_hand)
    checks = tuple(
        replace(each, answer=answers.get(each.check, each.answer))
        for each in full.checks
        if each.check in answers or each.check not in kept
    )
    application = replace(full, checks=checks)
    catalogue = replace(
        CATALOGUE, sources=tuple(each for each in CATALOGUE.sources if each in sources)
    )
    allowed = [
        isinstance(assess(at_level(application, level), catalogue), Accepted)
        for level in AssuranceLevel
    ]
    assert allowed == sorted(allowed, reverse=True)


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [("Maximiliana Alexandrina Wilhelmina", True), ("Maximiliana Charlotta Wilhelmina", False)],
)
def test_a_name_that_the_zone_cuts_off_is_compared_as_far_as_it_goes(
    given_name: str, *, expected: bool
) -> None:
    surname, cut = "Vinterberg-Lærkegård", "Maximiliana Alexandrina Wilhelmina"
    born = CprNumber(NANCY).birth_date
    lines = specimen_passport((cut, surname), born, "UT1234567", date(2034, 1, 1))
    assert not lines[0].endswith("<")
    zone = parse_mrz(lines, NOW.date())
    names = (PersonName(given_name), PersonName(surname))
    assert names_agree(*names, zone) is expected


def test_a_live_application_is_the_case_that_an_officer_would_write() -> None:
    written = read_case(
        {
            "natural_person": {
                "document": "passport",
                "document_status": "valid",
                "presence": "in_person",
                "comparison": "photo",
            }
        }
    )
    assert natural_person_part(examined(), CATALOGUE, NOW) == written.natural_person
    stolen = examined(asked=registers({"UT1234567": DocumentStatus.STOLEN}))
    status = natural_person_part(stolen, CATALOGUE, NOW).document_status
    assert status is StatusOfDocument.LOST_OR_STOLEN

"""Legal persons: numbers, signing rules, powers of attorney, and the personas of the register."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ra.case import CallBack, Case, Form, LegalPersonPart, Specimen
from ra.case_assessment import Outcome, assess_case
from ra.errors import MalformedField
from ra.fake_companies import FakeCvr
from ra.legal_persons import (
    Act,
    Alone,
    ChairAndOne,
    Company,
    CvrNumber,
    Jointly,
    PowerOfAttorney,
    Role,
    Signatory,
    SigningRule,
    Use,
    Witness,
    draw_callback,
    power_of_attorney_part,
    registered_by,
    role_part,
    signing_rule_met,
)
from ra.levels import AssuranceLevel
from ra.policies import STANDARD, shipped_policy
from tests.support.ra_builders import NOW

_LOW, _SUBSTANTIAL, _HIGH = AssuranceLevel
_NANCY, _KIRSTEN, _SOEREN, _ASTA = "2512489996", "2911829996", "0108589995", "0707614285"
_POLICY = shipped_policy(STANDARD)
_TODAY = NOW.date()


@pytest.mark.parametrize(
    "digits",
    ["99000007", "99000015", "99000023", "99000031", "99000058", "99000066", "99000074",
     "99000082", "99000090", "99000104", "99000112", "99000120", "13748136"],
)  # fmt: skip
def test_a_number_whose_check_digit_holds_is_one(digits: str) -> None:
    assert CvrNumber.parse(digits) == CvrNumber(digits)
    pairs = " ".join(digits[i : i + 2] for i in range(0, 8, 2))
    assert CvrNumber.parse(f"DK {pairs}").value == digits


@pytest.mark.parametrize(
    "text",
    ["12345678", "11111111", "99000008", "10000000", "00000000", "9900000", "990000070",
     "9900000A", "٩٩٠٠٠٠٠٧", "99000007\n", "9 9000007", "DK", "",
     *(f"9900004{digit}" for digit in range(10))],
)  # fmt: skip
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(MalformedField) as refusal:
        CvrNumber.parse(text)
    assert refusal.value.field == "cvr_number"


@given(st.integers(1_000_000, 9_999_999))
def test_a_stem_has_one_check_digit_or_none(stem: int) -> None:
    fitting = []
    for digit in range(10):
        try:
            fitting.append(CvrNumber(f"{stem}{digit}"))
        except MalformedField:
            continue
    assert len(fitting) <= 1


_BOARD = (
    Signatory("chair", Role.CHAIR),
    Signatory("one", Role.BOARD_MEMBER),
    Signatory("two", Role.BOARD_MEMBER),
)


@pytest.mark.parametrize(
    ("rule", "approvals", "expected"),
    [
        (Alone(), {"one"}, True),
        (Alone(), {"stranger"}, False),
        (Alone(), set(), False),
        (Jointly(2), {"one"}, False),
        (Jointly(2), {"one", "stranger"}, False),
        (Jointly(2), {"one", "two"}, True),
        (Jointly(3), {"one", "two"}, False),
        (Jointly(3), {"one", "two", "chair"}, True),
        (ChairAndOne(), {"chair"}, False),
        (ChairAndOne(), {"one", "two"}, False),
        (ChairAndOne(), {"chair", "stranger"}, False),
        (ChairAndOne(), {"chair", "two"}, True),
    ],
)
def test_a_signing_rule_counts_signatories(
    rule: SigningRule, approvals: set[str], *, expected: bool
) -> None:
    assert signing_rule_met(rule, _BOARD, frozenset(approvals)) is expected


def test_a_person_with_two_roles_counts_once() -> None:
    twice = (Signatory("chair", Role.CHAIR), Signatory("chair", Role.DIRECTOR))
    assert not signing_rule_met(Jointly(2), twice, frozenset({"chair"}))
    assert not signing_rule_met(ChairAndOne(), twice, frozenset({"chair"}))


def test_who_signs_alone_does_not_sign_jointly() -> None:
    with pytest.raises(MalformedField):
        Jointly(1)


@given(
    st.frozensets(st.sampled_from(["chair", "one", "two", "stranger"])),
    st.sampled_from([Alone(), Jointly(2), Jointly(3), ChairAndOne()]),
)
def test_another_approval_never_takes_a_signature_away(
    approvals: frozenset[str], rule: SigningRule
) -> None:
    if signing_rule_met(rule, _BOARD, approvals):
        assert signing_rule_met(rule, _BOARD, approvals | {"one", "two", "chair"})


def company(number: str, days: int = 0) -> Company:
    found = FakeCvr(opened=NOW).find(CvrNumber(number), NOW + timedelta(days=days))
    assert isinstance(found, Company)
    return found


def codes(part: LegalPersonPart, level: AssuranceLevel) -> set[str]:
    found = assess_case(Case(legal_person=part), _POLICY).levels[level]
    return {each.finding.code for each in found.reasons}


@pytest.mark.parametrize(
    ("number", "days", "who", "approvals", "expected"),
    [
        ("99000007", 0, _NANCY, set(), set()),
        ("99000007", 0, _SOEREN, set(), {"ROLE_NOT_FOUND_IN_CVR", "SIGNING_RULE_NOT_SATISFIED"}),
        ("99000015", 0, _NANCY, set(), {"SIGNING_RULE_NOT_SATISFIED"}),
        ("99000015", 0, _NANCY, {_KIRSTEN}, set()),
        ("99000023", 19, _NANCY, set(), set()),
        ("99000023", 20, _NANCY, set(), {"LEGAL_PERSON_IN_BANKRUPTCY"}),
        ("99000031", 0, _NANCY, set(), {"LEGAL_PERSON_CEASED"}),
        ("99000058", 0, _NANCY, set(), {"ROLE_NOT_FOUND_IN_CVR", "SIGNING_RULE_NOT_SATISFIED"}),
        ("99000066", 0, _NANCY, set(), {"ROLE_NOT_FOUND_IN_CVR", "SIGNING_RULE_NOT_SATISFIED"}),
        ("99000074", 0, _SOEREN, set(), set()),
        ("99000090", 0, _NANCY, {_KIRSTEN}, {"SIGNING_RULE_NOT_SATISFIED"}),
        ("99000090", 0, _NANCY, {_ASTA}, set()),
    ],
)
def test_a_persona_of_the_register_gets_the_outcome_of_its_role(
    number: str, days: int, who: str, approvals: set[str], expected: set[str]
) -> None:
    part = role_part(company(number, days), who, frozenset(approvals), by_number=True)
    for level in AssuranceLevel:
        found = codes(registered_by(part, level, declaration=False), level)
        mismatch = {"CPR_CVR_ROLE_MISMATCH"} if "ROLE_NOT_FOUND_IN_CVR" in expected else set()
        assert found == expected | (mismatch if level is _HIGH else set())


def test_a_role_by_name_does_not_reach_high() -> None:
    part = role_part(company("99000007"), _NANCY, frozenset(), by_number=False)
    at_high = registered_by(part, _HIGH, declaration=False)
    assert codes(at_high, _SUBSTANTIAL) == set()
    assert codes(at_high, _HIGH) == {"CPR_CVR_ROLE_MISMATCH"}


_WITNESSES = (
    Witness("Asta Vinterberg", "Prøvevej 1", _TODAY),
    Witness("Søren Lærkegård", "Prøvevej 2", _TODAY),
)
_COMPANY = CvrNumber("99000007")
GIVEN = PowerOfAttorney(
    company=_COMPANY,
    grantor=_NANCY,
    holder=_ASTA,
    scope=frozenset({Act.REGISTER}),
    valid_from=date(2026, 1, 1),
    valid_until=_TODAY,
    form=Form.PAPER,
    signature_verified=True,
    witnesses=_WITNESSES,
    specimen=Specimen.MATCH,
)
USE = Use(_COMPANY, _ASTA, Act.REGISTER, _TODAY)


def shown(given: PowerOfAttorney, use: Use = USE, *, entitled: bool = True) -> set[str]:
    part = power_of_attorney_part(
        given, use, grantor_entitled=entitled, witnesses=_POLICY.limits.witnesses
    )
    return codes(registered_by(part, _HIGH, declaration=False), _HIGH)


def test_a_power_of_attorney_that_passes_its_checks_reaches_high() -> None:
    assert shown(GIVEN) == set()
    assert shown(replace(GIVEN, form=Form.DIGITAL, witnesses=())) == set()


@pytest.mark.parametrize(
    ("given", "use", "code"),
    [
        (GIVEN, replace(USE, person=_SOEREN), "POA_HOLDER_MISMATCH"),
        (GIVEN, replace(USE, act=Act.ADMINISTER), "POA_OUT_OF_SCOPE"),
        (GIVEN, replace(USE, company=CvrNumber("99000015")), "POA_OUT_OF_SCOPE"),
        (GIVEN, replace(USE, on=_TODAY + timedelta(days=1)), "POA_EXPIRED"),
        (GIVEN, replace(USE, on=date(2025, 12, 31)), "POA_EXPIRED"),
        (replace(GIVEN, signature_verified=False), USE, "POA_SIGNATURE_INVALID"),
        (replace(GIVEN, witnesses=_WITNESSES[:1]), USE, "POA_WITNESS_MISSING"),
        (replace(GIVEN, witnesses=_WITNESSES[:1] * 2), USE, "POA_WITNESS_MISSING"),
        (replace(GIVEN, callback=CallBack.PENDING), USE, "CALLBACK_PENDING"),
        (replace(GIVEN, callback=CallBack.DENIED), USE, "CALLBACK_DENIED"),
        (replace(GIVEN, specimen=Specimen.MISMATCH), USE, "SIGNATURE_SPECIMEN_MISMATCH"),
    ],
)
def test_each_check_of_a_power_of_attorney_refuses(
    given: PowerOfAttorney, use: Use, code: str
) -> None:
    assert shown(given, use) == {code}


def test_a_grantor_who_cannot_bind_the_company_grants_nothing() -> None:
    assert shown(GIVEN, entitled=False) == {"POA_GRANTOR_NOT_ENTITLED"}


def test_the_call_back_is_drawn_by_the_stated_rate() -> None:
    drawn = [draw_callback(10, lambda _, n=n: n) for n in range(100)]
    assert sum(each.selected for each in drawn) == 10
    assert {each.callback for each in drawn} == {CallBack.PENDING, CallBack.NOT_SELECTED}
    assert {each.percent for each in drawn} == {10}
    assert not draw_callback(0, lambda _: 0).selected
    assert draw_callback(100, lambda below: below - 1).selected


def test_a_selected_case_waits_for_its_call_back() -> None:
    given = replace(GIVEN, callback=draw_callback(100, lambda _: 0).callback)
    part = power_of_attorney_part(given, USE, grantor_entitled=True, witnesses=2)
    found = assess_case(Case(legal_person=replace(part, registrant=_HIGH)), _POLICY)
    assert found.levels[_HIGH].outcome is Outcome.WAIT


def test_a_witness_is_not_printed() -> None:
    assert "Asta" not in repr(GIVEN)

"""Policies: read strictly, immutable, stricter at will and milder only with a reason."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from ra.case_assessment import assess_case
from ra.case_reader import read_case
from ra.errors import PolicyFaulty
from ra.levels import AssuranceLevel
from ra.policies import (
    STANDARD,
    Policy,
    parse_policy,
    policy_names,
    policy_words,
    require_unchanged,
    shipped_policy,
)
from ra.requirement_page import requirement_page

TEXT = files("ra").joinpath("policies", f"{STANDARD}.toml").read_text(encoding="utf-8")
PAGE = Path(__file__).parents[2] / "docs" / "nsis.md"


def relaxed(requirement: str, reason: str = "The office has no other way yet.") -> str:
    return (
        f'\n[[relaxed]]\nrequirement = "{requirement}"\nreason = "{reason}"\n'
        'decided_by = "security officer"\ndecided_on = 2026-01-15\n'
    )


def parsed(*changes: tuple[str, str], more: str = "") -> Policy:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_policy("office-1", (text + more).encode())


def faults(*changes: tuple[str, str], more: str = "") -> list[str]:
    with pytest.raises(PolicyFaulty) as refusal:
        parsed(*changes, more=more)
    return [each.key for each in refusal.value.faults]


def test_the_shipped_policies_are_what_their_digests_say() -> None:
    assert policy_names() == ("standard-1", "substantial-1")
    for name in policy_names():
        assert shipped_policy(name).name == name
    with pytest.raises(KeyError):
        shipped_policy("standard-2")


def test_a_policy_that_was_changed_under_its_name_is_refused() -> None:
    sums = files("ra").joinpath("policies", "sha256sums").read_text(encoding="ascii")
    policy = shipped_policy(STANDARD)
    require_unchanged(policy, sums)
    for other in (replace(policy, sha256="0" * 64), replace(policy, name="standard-2")):
        with pytest.raises(PolicyFaulty):
            require_unchanged(other, sums)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("witnesses = 2", "", "legal_person.witnesses"),
        ("witnesses = 2", 'witnesses = "two"', "legal_person.witnesses"),
        ("witnesses = 2", "witnesses = true", "legal_person.witnesses"),
        ("witnesses = 2", "witnesses = -1", "legal_person.witnesses"),
        ("callback_percent = 10", "callback_percent = 101", "legal_person.callback_percent"),
        ("witnesses = 2", "witnesses = 2\nluck = 1", "legal_person.luck"),
        ("[ages]", "[luck]\n[ages]", "luck"),
        ("[ages]", "[luck]\nof = 1\n[ages]", "luck.of"),
        (
            "letter_proves_at_low = true",
            "letter_proves_at_low = 1",
            "natural_person.letter_proves_at_low",
        ),
        ('"military_id"', '"library_card"', "natural_person.accepted_kinds"),
        ('"chip_read"', '"luck"', "natural_person.measures"),
    ],
)
def test_what_is_no_policy_names_its_key(old: str, new: str, key: str) -> None:
    assert key in faults((old, new))


@pytest.mark.parametrize("octets", [b"\xff", b"= 1", b"a = 1\na = 2", b"#" * 70_000])
def test_what_is_no_toml_is_refused(octets: bytes) -> None:
    with pytest.raises(PolicyFaulty) as refusal:
        parse_policy("office-1", octets)
    assert refusal.value.faults[0].key == "the file"


@pytest.mark.parametrize("name", ["office", "Office-1", "office-0", "../office-1", ""])
def test_a_name_ends_in_a_version(name: str) -> None:
    with pytest.raises(PolicyFaulty) as refusal:
        parse_policy(name, TEXT.encode())
    assert [each.key for each in refusal.value.faults] == ["name"]


def test_stricter_needs_no_reason() -> None:
    policy = parsed(
        ("callback_percent = 10", "callback_percent = 100"),
        ("post_days = 21", "post_days = 7"),
        ('"chip_read", ', ""),
    )
    assert (policy.limits.callback_percent, policy.limits.post_window.days) == (100, 7)


@pytest.mark.parametrize(
    ("old", "new", "key", "requirement"),
    [
        ("percent = 10", "percent = 9", "legal_person.callback_percent", "REG-IDL-H8d"),
        ("witnesses = 2", "witnesses = 1", "legal_person.witnesses", "REG-IDL-H8c"),
        ("post_days = 21", "post_days = 22", "windows.post_days", "ISS-DEL-S2g"),
        ("sms_minutes = 10", "sms_minutes = 11", "windows.sms_minutes", "ISS-DEL-S2g"),
        ("seconds = 120", "seconds = 121", "ages.biometric_seconds", "REG-IDN-H9d"),
        ('"chip_read"', '"control_questions"', "natural_person.measures", "REG-IDN-S6d"),
    ],
)
def test_milder_needs_a_recorded_reason(old: str, new: str, key: str, requirement: str) -> None:
    assert faults((old, new)) == [key]
    (entry,) = parsed((old, new), more=relaxed(requirement)).relaxed
    assert entry.reason == "The office has no other way yet."


@pytest.mark.parametrize(
    ("old", "new", "requirement"),
    [
        ("minimum_features = 3", "minimum_features = 2", "REG-IDN-S7"),
        ("login_minutes = 15", "login_minutes = 16", "REG-IDN-L10"),
    ],
)
def test_normative_text_cannot_be_relaxed_at_all(old: str, new: str, requirement: str) -> None:
    assert faults((old, new), more=relaxed(requirement)) == ["relaxed[0].requirement"]


@pytest.mark.parametrize(
    ("more", "key"),
    [
        (relaxed("REG-IDN-S6c", ""), "relaxed[0].reason"),
        (relaxed("REG-IDN-S6c", "   because    "), "relaxed[0].reason"),
        (relaxed("REG-IDN-X1"), "relaxed[0].requirement"),
        (relaxed("REG-IDN-S6c").replace("2026-01-15", '"today"'), "relaxed[0].decided_on"),
        (relaxed("REG-IDN-S6c").replace("security officer", " "), "relaxed[0].decided_by"),
        (relaxed("REG-IDN-S6c") + "luck = 1\n", "relaxed[0]"),
        ('\n[[relaxed]]\nrequirement = "REG-IDN-S6c"\n', "relaxed[0]"),
    ],
)
def test_a_relaxation_without_a_reason_is_refused(more: str, key: str) -> None:
    assert faults(more=more) == [key]


def test_a_relaxed_requirement_no_longer_counts_and_a_denial_always_does() -> None:
    policy = parsed(more=relaxed("REG-IDN-S6c") + relaxed("REG-IDL-H8d"))
    person = {"natural_person": {"document": "passport", "document_status": "valid"}}
    assert assess_case(read_case(person), policy).reached is AssuranceLevel.SUBSTANTIAL
    assert assess_case(read_case(person), shipped_policy(STANDARD)).reached is AssuranceLevel.LOW
    company = {
        "registrant": "high",
        "route": "power_of_attorney",
        "grantor_entitled": True,
        "callback": "pending",
    }
    assert assess_case(read_case({"legal_person": company}), policy).reached is AssuranceLevel.HIGH
    company["callback"] = "denied"
    assert assess_case(read_case({"legal_person": company}), policy).reached is None


def test_a_kind_that_is_not_accepted_reaches_nothing() -> None:
    case = read_case({"natural_person": {"document": "id_card", "document_status": "valid"}})
    found = assess_case(case, shipped_policy("substantial-1")).levels[AssuranceLevel.LOW]
    assert [each.finding.code for each in found.reasons] == ["EVIDENCE_KIND_NOT_ACCEPTED"]


def test_a_letter_proves_nothing_where_the_policy_says_so() -> None:
    case = read_case({"natural_person": {"measures": ["registered_address_delivery"]}})
    assert assess_case(case, shipped_policy(STANDARD)).reached is AssuranceLevel.LOW
    assert assess_case(case, shipped_policy("substantial-1")).reached is None


def test_every_key_of_a_policy_is_told_in_words() -> None:
    words = policy_words(parsed(more=relaxed("REG-IDN-S6c")))
    assert words["callback_percent"] == "10"
    assert words["relaxed REG-IDN-S6c"].startswith("The office has no other way yet. (security ")


def test_the_page_on_nsis_is_the_one_that_the_rules_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == requirement_page()

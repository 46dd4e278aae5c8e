"""The table of requirements: whole, in its own words, and honest about what meets each."""

from collections import Counter
from pathlib import Path

import pytest

from ra.case_assessment import assess_case
from ra.case_reader import read_case
from ra.policies import STANDARD, shipped_policy
from ra.requirements import Force, How, Requirement, requirements
from tests.support.case_rows import TABLES

ROOT = Path(__file__).parents[2]
TABLE = requirements()


def test_the_table_is_whole() -> None:
    assert len(TABLE) == 156
    forces = Counter(each.force for each in TABLE.values())
    assert forces == {Force.NORMATIVE: 97, Force.GUIDANCE: 47, Force.DECISION: 12}
    codes = {error.code for each in TABLE.values() for error in each.errors}
    assert len(codes) == 150


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.id)
def test_every_requirement_says_how_it_is_met(row: Requirement) -> None:
    met = row.met
    assert set(row.applies) <= {"NP", "LP", "AS", "OP", "BR"}
    if met.how is How.ORGANISATIONAL:
        path, _, anchor = met.by.partition("#")
        text = (ROOT / path).read_text(encoding="utf-8")
        headings = [line.lstrip("# ").lower().replace(" ", "-") for line in text.splitlines()]
        assert not anchor or anchor in headings
    elif met.how is How.RECORDED:
        assert met.by
    else:
        assert (ROOT / met.by).is_file()


@pytest.mark.parametrize(
    "test",
    sorted({t for each in TABLE.values() for t in (each.met.passing, each.met.refusing)} - {""}),
)
def test_a_test_that_the_table_names_is_there(test: str) -> None:
    path, _, name = test.partition("::")
    assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_a_requirement_names_both_tests_or_none() -> None:
    for each in TABLE.values():
        assert bool(each.met.passing) is bool(each.met.refusing)


def test_every_rule_that_a_row_of_cases_breaks_another_row_keeps() -> None:
    for part, rows in TABLES.items():
        broken_here = [_broken(part, document) for _, document, *_ in rows]
        for requirement in set().union(*broken_here):
            assert any(requirement not in each for each in broken_here)


def _broken(part: str, document: dict[str, object]) -> set[str]:
    assessed = assess_case(read_case({part: document}), shipped_policy(STANDARD))
    return {
        each.finding.requirement for found in assessed.levels.values() for each in found.reasons
    }


def test_advice_is_one_sentence() -> None:
    for each in TABLE.values():
        for error in each.errors:
            assert error.way_out[:2].istitle(), error
            assert error.sentence.count(". ") == 0
            assert error.way_out.count(". ") == 0

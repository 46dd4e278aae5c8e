"""The catalogue of sources as a file: every entry argued for, and nothing without one."""

from datetime import UTC, datetime

import pytest

from ra.errors import CatalogueFaulty
from ra.source_catalogue import parse_catalogue

_ENTRY = """
[[{kind}]]
id = "{id}"
{owner} = "an owner"
{rationale} = "the population register, kept by law"
{reference} = "RA-1"
approved_by = "head of trust services"
valid_from = 2026-01-01
"""
_SOURCE = _ENTRY.format(
    kind="source", id="cpr", owner="owner", rationale="rationale", reference="risk_assessment_ref"
)
_EQUAL = (
    _ENTRY.format(
        kind="equivalence", id="EQ-1", owner="subject", rationale="body", reference="report_ref"
    )
    + "valid_until = 2026-12-31\n"
)
_TELEPHONE = """
[[telephone]]
id = "TEL-1"
subject = "id-app/3"
unlocked_by_holder_for_this_app = "R-80"
made_in_container = "R-81"
approved_by = "head of trust services"
valid_from = 2026-01-01
valid_until = 2026-12-31
"""
_DAY = datetime(2026, 6, 1, tzinfo=UTC)


def test_what_the_file_argues_for_is_approved_while_it_holds() -> None:
    catalogue = parse_catalogue((_SOURCE + _EQUAL).encode())
    assert catalogue.approves("cpr", _DAY)
    assert not catalogue.approves("cpr", datetime(2025, 12, 31, tzinfo=UTC))
    assert catalogue.assessed_equal("an owner", _DAY)
    assert not catalogue.assessed_equal("an owner", datetime(2027, 1, 1, tzinfo=UTC))
    assert not catalogue.assessed_equal("another", _DAY)


def test_a_telephone_counts_the_criteria_that_name_their_evidence() -> None:
    catalogue = parse_catalogue(_TELEPHONE.encode())
    assert catalogue.telephone_criteria("id-app/3", _DAY) == 2
    assert catalogue.telephone_criteria("id-app/3", datetime(2027, 1, 1, tzinfo=UTC)) == 0
    assert catalogue.telephone_criteria("id-app/4", _DAY) is None


def test_an_empty_file_approves_nothing() -> None:
    catalogue = parse_catalogue(b"")
    assert not catalogue.approves("cpr", _DAY)
    assert not catalogue.assessed_equal("", _DAY)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[[source]]\n", "source[0].owner"),
        (_SOURCE + "test_equipment = true\n", "source[0].test_equipment"),
        (_SOURCE.replace('"RA-1"', '" "'), "source[0].risk_assessment_ref"),
        (_SOURCE.replace("2026-01-01", '"2026-01-01"'), "source[0].valid_from"),
        (_SOURCE.replace("an owner", "x" * 10_000), "source[0].owner"),
        (_SOURCE + _SOURCE, "source cpr"),
        (_EQUAL.replace("2026-12-31", "2025-12-31"), "equivalence[0].valid_until"),
        (_TELEPHONE + 'safe_from_malware = ""\n', "telephone[0].safe_from_malware"),
        (_TELEPHONE + "seventh = 'R-82'\n", "telephone[0].seventh"),
        (_TELEPHONE + _TELEPHONE, "telephone TEL-1"),
        ("sources = 1\n", "sources"),
        ("source = 1\n", "source"),
        ("source = [1]\n", "source[0]"),
        ("= no toml", "the file"),
        ("x = '" + "x" * 300_000 + "'", "the file"),
    ],
    ids=range(15),
)
def test_each_fault_is_named(text: str, key: str) -> None:
    with pytest.raises(CatalogueFaulty) as faulty:
        parse_catalogue(text.encode())
    assert key in {each.key for each in faulty.value.faults}

"""The page on what is built: every row is there, and every proof that it names is too."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "capabilities.md"
ROWS = {0: 24, 1: 16, 2: 11, 3: 6, 4: 37}
"""How many rows each part has."""
SHOWN = {"works", "partly"}
STATES = SHOWN | {"not built", "organisational"}


def rows() -> list[list[str]]:
    """Row, what, state, proofs, remarks."""
    lines = [line for line in PAGE.read_text().splitlines() if re.match(r"\| \d+\.\d+ \|", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_row_is_there_once_and_in_order() -> None:
    assert [row[0] for row in rows()] == [
        f"{part}.{number}" for part, most in ROWS.items() for number in range(1, most + 1)
    ]


def test_what_works_is_shown_and_what_does_not_says_so() -> None:
    for number, what, state, proofs, remarks in rows():
        assert what, number
        assert state in STATES, number
        assert bool(proofs) == (state in SHOWN), number
        assert remarks or state != "partly", number


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_every_proof_leads_somewhere(row: list[str]) -> None:
    for proof in re.findall(r"`([^`]+)`", row[3]):
        path, _, name = proof.partition("::")
        text = (ROOT / path).read_text()
        assert path.startswith(("tests/", "docs/"))
        assert not name or f"def {name}(" in text, proof

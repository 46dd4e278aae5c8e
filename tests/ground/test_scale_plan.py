"""docs/scale.md is what its measured figures make of it, and its formula is what happens."""

import random
from pathlib import Path

import pytest

from tests.bench.scale_plan import CACHES, CHECKS_A_DAY, hit_rate, read, render

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


def test_the_page_follows_from_the_figures_in_its_table() -> None:
    page = PAGE.read_text()
    assert render(read(page)) == page


@pytest.mark.parametrize("validity_hours", [1, 15, 160])
def test_the_share_that_caches_answer_is_what_a_simulation_sees(validity_hours: float) -> None:
    """One certificate at one place of the network, for as long as it takes to count."""
    seed = random.Random(7)  # noqa: S311 - a simulation
    a_day = CHECKS_A_DAY / CACHES
    hits = questions = 0
    now = kept_until = 0.0
    while questions < 50_000:
        now += seed.expovariate(a_day)
        questions += 1
        if now < kept_until:
            hits += 1
        else:
            kept_until = now + validity_hours / 4 / 24
    assert hits / questions == pytest.approx(hit_rate(validity_hours), abs=0.01)

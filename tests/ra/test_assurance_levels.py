"""Assurance levels: their order and their words."""

import pytest

from ra.levels import AssuranceLevel


def test_the_levels_are_ordered() -> None:
    assert AssuranceLevel.LOW < AssuranceLevel.SUBSTANTIAL < AssuranceLevel.HIGH


@pytest.mark.parametrize("level", AssuranceLevel)
def test_a_level_is_read_from_its_word(level: AssuranceLevel) -> None:
    assert AssuranceLevel.from_label(level.label.lower()) is level


def test_another_word_is_no_level() -> None:
    with pytest.raises(ValueError, match="Low, Substantial or High"):
        AssuranceLevel.from_label("Betydelig")

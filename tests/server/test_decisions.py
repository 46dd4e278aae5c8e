"""The file of what is decided outside the database."""

from datetime import date
from pathlib import Path

import pytest

from ca.errors import MalformedRequest
from ra.case import Channel
from server.decisions import read_decisions

_ASSESSED = """
[[risk_assessment]]
profile = "natural-person-high"
reference = "RA-1"
approved_by = "security board"
valid_until = 2027-01-01
"""


def read(tmp_path: Path, text: str) -> tuple[Channel, ...]:
    file = tmp_path / "decisions.toml"
    file.write_text(text)
    (assessment,) = read_decisions(file).assessments
    assert (assessment.profile, assessment.valid_until) == (
        "natural-person-high",
        date(2027, 1, 1),
    )
    return assessment.delivery


def test_an_assessment_covers_the_ways_of_delivery_that_it_names_and_no_other(
    tmp_path: Path,
) -> None:
    assert read(tmp_path, _ASSESSED) == ()
    named = _ASSESSED + 'delivery = ["online", "in_person"]\n'
    assert read(tmp_path, named) == (Channel.ONLINE, Channel.IN_PERSON)


@pytest.mark.parametrize("delivery", ['["pigeon"]', '"post"', "[[]]", "1"])
def test_another_way_of_delivery_is_refused(tmp_path: Path, delivery: str) -> None:
    with pytest.raises(MalformedRequest, match="online, post, in_person"):
        read(tmp_path, _ASSESSED + f"delivery = {delivery}\n")

import re
from pathlib import Path

import pytest

from server.errors import SettingsFault, SettingsRefused, StateRefused
from server.problem_rows import ROWS
from server.problems import Problem, new_reference, problem_of, row, unforeseen


class _Root(Exception):
    pass


class _Leaf(_Root):
    pass


def _problem(slug: str) -> Problem:
    return Problem(type=slug, title="T", status=409, detail="D")


def test_the_row_of_the_nearest_class_builds_the_problem() -> None:
    rows = [row(_Root, lambda _: _problem("root")), row(_Leaf, lambda _: _problem("leaf"))]
    for ordered in (rows, rows[::-1]):
        assert problem_of(_Leaf(), ordered) == _problem("leaf")
        assert problem_of(_Root(), ordered) == _problem("root")


def test_an_exception_without_a_row_has_no_problem() -> None:
    assert problem_of(ValueError(), ROWS) is None


def test_a_row_builds_nothing_from_another_exception() -> None:
    with pytest.raises(TypeError):
        row(_Leaf, lambda _: _problem("leaf")).build(_Root())


def test_empty_members_are_left_out_of_the_document() -> None:
    assert _problem("x").document() == {
        "type": "/problems/x",
        "title": "T",
        "status": 409,
        "detail": "D",
    }


def test_every_fault_of_the_settings_is_in_the_problem() -> None:
    faults = tuple(SettingsFault(f"a.{n}", "environment", "is wrong", "Do so.") for n in range(3))
    problem = problem_of(SettingsRefused(faults), ROWS)
    assert problem is not None
    assert problem.document()["errors"] == [
        {"field": f"a.{n}", "detail": "is wrong (environment)", "way_out": "Do so."}
        for n in range(3)
    ]


def test_a_refused_state_directory_says_the_way_out() -> None:
    problem = problem_of(StateRefused(Path("/s"), "is open", "Run: chmod"), ROWS)
    assert problem is not None
    assert (problem.detail, problem.way_out) == ("The state directory /s is open.", "Run: chmod")


def test_what_nobody_foresaw_has_a_reference() -> None:
    reference = new_reference()
    assert re.fullmatch(r"[2-9a-z]{4}-[2-9a-z]{4}", reference)
    assert unforeseen(reference).document()["reference"] == reference
    assert reference != new_reference()

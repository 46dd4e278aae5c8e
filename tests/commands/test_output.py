import json

import click
import pytest

from commands.exit_codes import ExitCode, exit_code_of
from commands.failures import run
from commands.output import Result, Table, printable, show_problem, show_result, verb
from server.problems import FieldProblem, Problem


def _problem(status: int) -> Problem:
    return Problem("slug", "Title", status, "What happened.", rule="R1", way_out="Do so.")


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (401, 5), (403, 5), (404, 3), (409, 7), (422, 4), (500, 1), (503, 8), (418, 1)],
)
def test_a_status_decides_the_exit_code(status: int, code: int) -> None:
    assert exit_code_of(_problem(status)) == code


def test_the_exit_codes_are_those_of_the_contract() -> None:
    assert [code.value for code in ExitCode] == list(range(11))


def test_json_has_one_schema(capsys: pytest.CaptureFixture[str]) -> None:
    show_result(Result({"a": 1}, sentences=("unseen",)), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"ok": True, "result": {"a": 1}}
    show_problem(_problem(409), as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["problem"]["rule"]) == (False, "R1")


def test_a_problem_is_told_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    errors = (FieldProblem("a.b", "is wrong", "Make it right."),)
    problem = Problem(
        "slug", "Title", 500, "No.", "R1", way_out="Do so.", reference="k7f2-9xqd", errors=errors
    )
    show_problem(problem, as_json=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "No.",
        "  a.b is wrong. Make it right.",
        "Rule: R1",
        "Do so.",
        "Reference: k7f2-9xqd",
    ]


def test_a_table_that_is_piped_is_tabs_and_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show_result(Result({}, ("Two rows.",), Table(("a", "b"), (("1", "2"),))), as_json=False)
    assert capsys.readouterr().out == "Two rows.\na\tb\n1\t2\n"


def test_nothing_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "\x1b]0;x\x07\u202eø\n\t\udc80"
    assert printable(nasty) == "\\x1b]0;x\\x07\\u202eø\\n\\t\\udc80"
    show_result(Result({"x": nasty}, (nasty,), Table(("a",), ((nasty,),))), as_json=False)
    show_result(Result({"x": nasty}), as_json=True)
    assert "\x1b" not in capsys.readouterr().out


def _group_with_a_verb(result: Result) -> click.Group:
    group = click.Group("noun")

    @verb(group, example="tillid noun read-it x")
    @click.argument("word")
    def read_it(word: str) -> Result:
        """Read a word."""
        return Result({"word": word, **result.value}, exit_code=result.exit_code)

    return group


def test_a_result_decides_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    group = _group_with_a_verb(Result({}, exit_code=ExitCode.CHECK_SAYS_NO))
    assert run(group, ["read-it", "x", "--json"]) == 9
    assert json.loads(capsys.readouterr().out)["result"] == {"word": "x"}


def test_a_verb_has_json_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(_group_with_a_verb(Result({})), ["read-it", "--help"]) == 0
    text = capsys.readouterr().out
    assert "--json" in text
    assert "Example: tillid noun read-it x" in text

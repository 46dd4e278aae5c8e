"""Policies on the command line: shown, checked, compared; and the requirements of NSIS."""

from importlib.resources import files
from pathlib import Path

import pytest

from ra.requirement_page import requirement_page
from tests.support.operator import CLI, Operator, run

TEXT = files("ra").joinpath("policies", "standard-1.toml").read_text(encoding="utf-8")


@pytest.fixture
def tillid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    return Operator({"TILLID_STATE": str(tmp_path)}, capsys, monkeypatch)


def test_policies_are_listed_and_shown_by_name_and_by_file(
    tillid: Operator, tmp_path: Path
) -> None:
    listed = tillid("policy", "list").result["policies"]
    shown = tillid("policy", "show", "standard-1").result
    assert {"name": "standard-1", "sha256": shown["sha256"]} in listed
    file = tmp_path / "office-1.toml"
    file.write_text(TEXT)
    assert tillid("policy", "show", file).result["policy"] == shown["policy"]
    assert tillid("policy", "show", "standard-9").code == 3


def test_a_file_is_checked_and_its_faults_are_told(tillid: Operator, tmp_path: Path) -> None:
    file = tmp_path / "office-1.toml"
    file.write_text(TEXT)
    checked = tillid("policy", "check", file)
    assert (checked.code, checked.result["relaxed"]) == (0, [])
    file.write_text(TEXT.replace("witnesses = 2", "witnesses = 1"))
    checked = tillid("policy", "check", file)
    assert (checked.code, checked.problem["type"]) == (2, "/problems/policy-faulty")
    assert [each["field"] for each in checked.problem["errors"]] == ["legal_person.witnesses"]
    assert tillid("policy", "check", tmp_path / "nowhere-1.toml").code == 3


def test_a_difference_is_told_by_key(tillid: Operator, tmp_path: Path) -> None:
    file = tmp_path / "office-1.toml"
    file.write_text(TEXT.replace("witnesses = 2", "witnesses = 3"))
    told = tillid("policy", "diff", "standard-1", file)
    assert told.code == 9
    assert told.result["differences"] == [{"key": "witnesses", "before": "2", "after": "3"}]
    file.write_text(TEXT + "# reviewed\n")
    assert tillid("policy", "diff", "standard-1", file).code == 0


def test_the_requirements_are_listed_and_made_into_the_page(
    tillid: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tillid("policy", "requirements").result["requirements"]
    assert len(listed) == 156
    assert listed[0]["id"] == "REG-APP-L1"
    assert listed[0]["levels"] == ["Low", "Substantial", "High"]
    run(CLI.tillid, ["policy", "requirements", "--markdown"])
    assert capsys.readouterr().out == requirement_page()

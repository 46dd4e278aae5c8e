"""Profiles on the command line: shown in words, checked with lines, compared."""

from pathlib import Path

import pytest

from ca.profiles import SHIPPED
from tests.support.operator import Operator

STAFF = (SHIPPED / "staff.toml").read_text()


@pytest.fixture
def tillid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    return Operator({"TILLID_STATE": str(tmp_path)}, capsys, monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "staff.toml"
    path.write_text(STAFF)
    return path


def test_a_profile_is_shown_in_sentences(tillid: Operator) -> None:
    shown = tillid("profile", "show", "staff").result
    assert shown["words"]["validity"] == "It is valid for 365 days."
    assert shown["example"]["subject"].startswith("C=DK, ")
    assert shown["validity_days"] == 365


def test_a_sound_file_passes(tillid: Operator, file: Path) -> None:
    checked = tillid("profile", "check", file)
    assert (checked.code, checked.result["name"]) == (0, "staff")


def test_a_faulty_file_is_malformed_and_each_fault_has_its_line(
    tillid: Operator, file: Path
) -> None:
    file.write_text(STAFF.replace("365", "0") + "surprise = 1\n")
    checked = tillid("profile", "check", file)
    assert (checked.code, checked.problem["type"].rpartition("/")[2]) == (2, "profile-faulty")
    told = [error["detail"] for error in checked.problem["errors"]]
    assert told[0].startswith("line 3: validity_days: ")
    assert told[1].startswith(f"line {len(STAFF.splitlines()) + 1}: surprise: ")


@pytest.mark.parametrize("path", ["/nowhere.toml", "/"])
def test_a_file_that_cannot_be_read_is_malformed(tillid: Operator, path: str) -> None:
    assert tillid("profile", "check", path).code == 2


def test_a_difference_is_told_in_sentences(tillid: Operator, file: Path) -> None:
    file.write_text(STAFF.replace("365", "30"))
    (told,) = tillid("profile", "diff", "staff", file).result["differences"]
    assert told == "It is valid for 365 days. -> It is valid for 30 days."


def test_comments_change_nothing_for_holders(tillid: Operator, file: Path) -> None:
    file.write_text(STAFF + "# reviewed\n")
    assert tillid("profile", "diff", "staff", file).result["differences"] == []
    assert tillid("profile", "diff", "staff", "none").code == 3

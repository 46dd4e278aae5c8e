import json
import sys
from pathlib import Path

import click
import pytest

from commands.failures import report_unforeseen, run
from server.errors import StateRefused


def _raising(error: BaseException) -> click.Command:
    @click.command
    @click.option("--json", "as_json", is_flag=True)
    def raises(as_json: bool) -> None:  # noqa: ARG001, FBT001 - as click calls it
        raise error

    return raises


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_the_keyboard_stops_with_one_sentence(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(_raising(error), []) == 130
    assert "Stopped from the keyboard" in capsys.readouterr().err
    assert run(_raising(error), ["--json"]) == 130
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_a_foreseen_error_is_its_problem(capsys: pytest.CaptureFixture[str]) -> None:
    error = StateRefused(Path("/s"), "is open", "Run: chmod")
    assert run(_raising(error), []) == 8
    assert capsys.readouterr().err == "The state directory /s is open.\nRun: chmod\n"


@pytest.mark.parametrize("arguments", [["--nope"], ["too", "many"]])
def test_wrong_usage_says_the_way_out(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(_raising(ValueError()), arguments) == 2
    assert "See `tillid --help`." in capsys.readouterr().err
    assert run(_raising(ValueError()), [*arguments, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["problem"]["type"] == "/problems/usage"


def test_what_nobody_foresaw_is_logged_and_told_by_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TILLID_STATE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["tillid", "--json"])
    with pytest.raises(ValueError, match="canary") as raised:
        run(_raising(ValueError("canary")), [])
    report_unforeseen(raised.type, raised.value, raised.tb)
    out, err = capsys.readouterr()
    reference = json.loads(out)["problem"]["reference"]
    log = (tmp_path / "logs" / "unforeseen.log").read_text()
    assert reference in log
    assert "ValueError" in log
    assert "canary" not in out + err + log


def test_a_log_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TILLID_STATE", str(tmp_path / "file"))
    monkeypatch.setattr(sys, "argv", ["tillid"])
    report_unforeseen(ValueError, ValueError(), None)
    assert "the log cannot be written" in capsys.readouterr().err

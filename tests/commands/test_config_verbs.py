import json
from pathlib import Path

import pytest

from commands.config import group
from commands.failures import run


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLID_STATE", str(tmp_path))


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    code = run(group, [*arguments, "--json"])
    out, err = capsys.readouterr()
    assert err == ""
    answer: dict[str, object] = json.loads(out)
    return code, answer


def test_show_says_where_each_value_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tillid.toml").write_text("[public]\nworkers = 2\n")
    monkeypatch.setenv("TILLID_DATABASE__URL", "postgresql+psycopg://u:canary@h/d")
    code, answer = _json(capsys, "show")
    result = answer["result"]
    assert code == 0
    assert isinstance(result, dict)
    assert result["file"] == str(tmp_path / "tillid.toml")
    lines = {line["key"]: (line["value"], line["origin"]) for line in result["settings"]}
    assert lines["public.workers"] == (2, "file")
    assert lines["public.allow_remote"] == (False, "default")
    assert lines["database.url"] == ("postgresql+psycopg://u:***@h/d", "environment")


def test_show_writes_a_line_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(group, ["show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "File: none" in lines
    assert "public.allow_remote\tfalse\tdefault" in lines


def test_explain_tells_one_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(group, ["explain", "public.port"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "public.port: TCP port of the public listener.",
        "Kind: whole number, 1 to 65535. Default: 8080",
        "Environment: TILLID_PUBLIC__PORT",
    ]
    code, answer = _json(capsys, "explain", "directories.NAME.url")
    assert (code, answer["ok"]) == (0, True)


def test_explain_suggests_the_key_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(group, ["explain", "public.prot"]) == 2
    assert "Did you mean public.port?" in capsys.readouterr().err


def test_explain_works_while_the_settings_are_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TILLID_PUBLIC__PORT", "wrong")
    assert run(group, ["explain"]) == 0
    assert "public.port\twhole number, 1 to 65535\t8080\t" in capsys.readouterr().out


def test_check_lists_every_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(group, ["check"]) == 0
    assert "are right" in capsys.readouterr().out
    (tmp_path / "tillid.toml").write_text('[public]\nport = "x"\nprot = 1\n[nowhere]\n')
    code, answer = _json(capsys, "check")
    problem = answer["problem"]
    assert isinstance(problem, dict)
    assert (code, problem["type"]) == (2, "/problems/settings-refused")
    assert {error["field"] for error in problem["errors"]} == {
        "public.port",
        "public.prot",
        "nowhere",
    }
    assert run(group, ["check"]) == 2
    assert "The settings have 3 faults." in capsys.readouterr().err

"""`tillid ropa` and `tillid privacy-notice` on the command line."""

import json
from pathlib import Path

import pytest

from tests.support.operator import Operator


@pytest.fixture
def tillid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    return Operator({"TILLID_STATE": str(tmp_path)}, capsys, monkeypatch)


def test_the_record_is_exported_and_compared_with_the_last(
    tillid: Operator, tmp_path: Path
) -> None:
    export = tmp_path / "ropa.json"
    tillid("ropa", "--out", export)
    same = tillid("ropa", "--against", export)
    changed = json.loads(export.read_text())
    changed["processing"].pop()
    export.write_text(json.dumps(changed))
    differs = tillid("ropa", "--against", export)

    assert (same.code, same.result["differences"]) == (0, [])
    assert differs.code == 9
    assert differs.result["differences"] == ["new: processing.officer_identity"]


def test_what_is_no_export_is_malformed(tillid: Operator, tmp_path: Path) -> None:
    for text in ("{", "[]", '{"form": "other"}'):
        (tmp_path / "last.json").write_text(text)
        assert tillid("ropa", "--against", tmp_path / "last.json").code == 2


def test_a_notice_is_written_in_the_language_asked_for(tillid: Operator, tmp_path: Path) -> None:
    out = tmp_path / "notice.html"
    tillid("privacy-notice", "--language", "sv", "--out", out)

    assert "Så behandlar vi personuppgifter" in out.read_text()

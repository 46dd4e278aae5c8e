"""`tillid ropa`, `privacy-notice` and `subject` on the command line."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from server.packages import signed_with
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


def a_package(folder: Path) -> Path:
    """A package of one file, signed by a key of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    folder.mkdir()
    (folder / "certificates").mkdir()
    files = {"certificates/a.pem": b"PEM"}
    for name, octets in signed_with(key, files, datetime(2026, 1, 1, tzinfo=UTC)).items():
        (folder / name).write_bytes(octets)
    return folder


def test_a_package_is_checked_file_by_file(tillid: Operator, tmp_path: Path) -> None:
    folder = a_package(tmp_path / "report")
    whole = tillid("subject", "check", folder)
    (folder / "certificates" / "a.pem").write_bytes(b"PEN")
    altered = tillid("subject", "check", folder)

    assert whole.result["files"] == ["certificates/a.pem"]
    assert altered.code == 2
    assert altered.problem["detail"].startswith("certificates/a.pem is missing")


def test_a_report_does_not_write_over_a_folder(tillid: Operator, tmp_path: Path) -> None:
    said = tillid(
        *("subject", "report", "subject-1", "--purpose", "audit", "--out", tmp_path),
        *("--identity", tmp_path / "me.pem"),
    )

    assert said.code == 2
    assert "there already" in said.problem["detail"]


def test_nothing_to_look_for_is_refused(
    tillid: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    said = tillid("subject", "find", "cpr", "--purpose", "audit", "--identity", tmp_path / "me.pem")

    assert said.code == 2

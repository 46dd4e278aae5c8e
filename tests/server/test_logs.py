import json
import logging
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import LogRefused
from server.log_fields import FIELDS, allowed
from server.logs import get_logger, log_to, record_unforeseen

CANARIES = [
    "010170-1234",
    "0101701234",
    "010170 1234",
    101701234,
    "Hansen",
    "Anne-Marie",
    "Anne Hansen",
    "anne@example.dk",
    "Nørrebro",
    "a b",
    "line\nbreak",
    "\x1b[31m",
    "",
    None,
    ["list"],
    {"a": 1},
    b"octets",
    float("inf"),
    "x" * 500,
]


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_is_one_json_object(tmp_path: Path) -> None:
    with log_to(tmp_path, "service", strict=True) as path:
        get_logger("server.jobs").info("crl.published", issuer="issuing-1", number=7, seconds=0.5)
    (line,) = _lines(path)
    assert path == tmp_path / "logs" / "service.log"
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "event": "crl.published",
        "level": "info",
        "component": "server.jobs",
        "issuer": "issuing-1",
        "number": 7,
        "seconds": 0.5,
    }


def test_the_log_is_for_its_owner_only(tmp_path: Path) -> None:
    with log_to(tmp_path, "service") as path:
        pass
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("canary", CANARIES, ids=repr)
@pytest.mark.parametrize("field", [*FIELDS, "name"])
def test_a_canary_is_refused_in_every_field(field: str, canary: object) -> None:
    assert not allowed(field, canary)


@pytest.mark.parametrize("canary", CANARIES, ids=repr)
def test_a_canary_never_reaches_the_file(tmp_path: Path, canary: object) -> None:
    with log_to(tmp_path, "service") as path:
        log = get_logger("tests")
        log.warning("case.opened", officer=canary, name=canary, count=1)
        sentence = f"case of {canary}"
        log.warning(sentence)
        log.warning("case of %s", canary)
    first, second, third = _lines(path)
    assert (first["count"], first["dropped"]) == (1, 2)
    assert "officer" not in first
    assert second["event"] == third["event"] == "event.refused"
    assert len(str(canary)) < 4 or str(canary) not in path.read_text()


def test_strict_mode_raises_without_quoting(tmp_path: Path) -> None:
    with log_to(tmp_path, "service", strict=True) as path:
        log = get_logger("tests")
        with pytest.raises(LogRefused, match=r"^officer$"):
            log.info("case.opened", officer="Anne Hansen")
        with pytest.raises(LogRefused, match=r"^event$"):
            log.info("a case was opened for 010170-1234")
    assert path.read_text() == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("application", str(uuid.UUID(int=1234567890 << 20))),
        ("application", "k7f2-9xqd"),
        ("serial", "01" + "1234567890" * 3),
        ("route", "/ocsp/<issuer>/<path:request>"),
        ("route", "/crl/<issuer>.crl"),
        ("route", "/api/v1/applications/<application>"),
        ("route", "/"),
        ("code", "CKR_DEVICE_ERROR"),
        ("reason", "keyCompromise"),
        ("method", "GET"),
        ("status", 200),
        ("status", "revoked"),
        ("signal", "SIGTERM"),
        ("component", "publish_ldap.publisher"),
        ("done", True),
    ],
)
def test_what_logs_are_for_is_allowed(field: str, value: object) -> None:
    assert allowed(field, value)


@given(st.uuids())
def test_a_uuid_is_always_an_identifier(value: uuid.UUID) -> None:
    assert allowed("application", str(value))


@given(day=st.integers(101, 311299), rest=st.integers(0, 9999), mark=st.sampled_from(["", "-"]))
def test_a_cpr_number_is_in_no_field(day: int, rest: int, mark: str) -> None:
    text = f"{day:06}{mark}{rest:04}"
    assert not any(allowed(field, f"x{text}") or allowed(field, text) for field in FIELDS)


def test_an_exception_is_written_without_its_message(tmp_path: Path) -> None:
    with log_to(tmp_path, "service", strict=True) as path:
        try:
            _fail_with_a_canary()
        except LookupError:
            get_logger("tests").exception("job.failed")
    (line,) = _lines(path)
    causes = line["exception"]
    assert isinstance(causes, list)
    outer, inner = causes
    assert (outer["class"], inner["class"]) == (
        "builtins.LookupError",
        "builtins.FileNotFoundError",
    )
    assert inner["errno"] == 2
    assert outer["frames"][-1].endswith(" _fail_with_a_canary")
    assert "canary" not in path.read_text().replace("_fail_with_a_canary", "")


def _fail_with_a_canary() -> None:
    try:
        Path("/canary").read_text()
    except OSError as error:
        raise LookupError("canary") from error


def test_the_messages_of_libraries_are_not_kept(tmp_path: Path) -> None:
    with log_to(tmp_path, "service", strict=True) as path:
        logging.getLogger("ldap3.core").error("canary %s", "Anne Hansen")
        logging.getLogger("Anne Hansen").warning("canary")
    first, second = _lines(path)
    assert (first["event"], first["component"]) == ("library.message", "ldap3.core")
    assert (first["level"], second["component"]) == ("error", "library")
    assert "canary" not in path.read_text()


def test_outside_the_block_nothing_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = get_logger("tests")
    log.error("before.block")
    with log_to(tmp_path, "service", "warning") as path:
        log.info("below.level")
        log.error("inside.block")
    log.error("after.block")
    assert [line["event"] for line in _lines(path)] == ["inside.block"]
    assert capfd.readouterr() == ("", "")


def test_what_nobody_foresaw_is_found_by_its_reference(tmp_path: Path) -> None:
    reference = record_unforeseen(tmp_path, ValueError("canary"))
    (line,) = _lines(tmp_path / "logs" / "unforeseen.log")
    assert (line["reference"], line["level"]) == (reference, "critical")
    assert "canary" not in str(line)

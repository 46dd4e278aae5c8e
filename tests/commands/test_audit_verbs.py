"""`tillid audit` on logs that were tampered with past the program, and on witnesses."""

import dataclasses
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from audit.heads import Checkpoint, parse_head, sign_head
from records.audit_log import audit_log
from server.assembly import Assembly
from server.jobs import run_job
from server.metrics import Metrics
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.revocation_pki import new_key
from tests.support.softhsm import SoftHsm


@dataclasses.dataclass
class Logged:
    """An installation whose log is to be tampered with, past the program."""

    parts: Assembly
    tillid: Operator

    def execute(self, *statements: str) -> None:
        path = self.parts.settings.state / "tillid.sqlite"
        with closing(sqlite3.connect(path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def without_guards(self, *statements: str) -> None:
        """Drop the guards of the log, do it, and put them back as they were."""
        path = self.parts.settings.state / "tillid.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            guards = connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name"
                " IN ('audit_event', 'audit_head')"
            ).fetchall()
        self.execute(*(f"DROP TRIGGER {name}" for name, _ in guards), *statements)
        self.execute(*(text for _, text in guards))

    def seal(self) -> Path:
        run_job("seal-audit-log", self.parts, Metrics.of_process())
        return self.parts.settings.state / "public" / "audit" / "checkpoint"


@pytest.fixture
def logged(
    softhsm: SoftHsm,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Logged]:
    state = tmp_path / "state"
    with an_installation(softhsm, state) as parts:
        yield Logged(parts, Operator(environment_of(softhsm, state), capsys, monkeypatch))


def test_a_whole_log_is_whole(logged: Logged) -> None:
    logged.seal()
    ended = logged.tillid("audit", "verify")
    assert (ended.code, ended.result["guards_unchanged"], ended.result["heads"]) == (0, True, 1)
    assert ended.result["covered"] == ended.result["events"] > 0


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE audit_event SET header = replace(header, 'root', 'toor') WHERE sequence = 1", 1),
        ("UPDATE audit_event SET leaf_sha256 = zeroblob(32) WHERE sequence = 2", 2),
        ("DELETE FROM audit_event WHERE sequence = 2", 2),
        ("DELETE FROM audit_event WHERE sequence = (SELECT max(sequence) FROM audit_event)", None),
    ],
)
def test_a_log_that_was_tampered_with_is_broken_at_the_event(
    logged: Logged, statement: str, position: int | None
) -> None:
    logged.seal()
    size = logged.tillid("audit", "verify").result["events"]
    logged.without_guards(statement)
    ended = logged.tillid("audit", "verify")
    assert ended.code == 9
    assert ended.result["broken_at"] == (size - 1 if position is None else position)
    assert ended.result["reason"]
    code, out, _ = logged.tillid.told("audit", "verify")
    assert (code, f"at event {ended.result['broken_at']}:" in out) == (9, True)


def test_a_dropped_guard_is_told_though_the_log_is_whole(logged: Logged) -> None:
    logged.seal()
    with closing(sqlite3.connect(logged.parts.settings.state / "tillid.sqlite")) as connection:
        (name,) = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_event'"
        ).fetchone()
    logged.execute(f"DROP TRIGGER {name}")
    ended = logged.tillid("audit", "verify")
    assert (ended.code, ended.result["guards_unchanged"]) == (9, False)
    assert logged.tillid("ca", "list").code == 8


def test_a_witness_shows_a_log_that_was_cut_with_its_heads(logged: Logged, tmp_path: Path) -> None:
    kept = tmp_path / "witness.txt"
    kept.write_text(logged.seal().read_text())
    assert logged.tillid("audit", "verify", "--witness", kept).code == 0
    logged.without_guards("DELETE FROM audit_head", "DELETE FROM audit_event WHERE sequence > 2")
    assert logged.tillid("audit", "verify").code == 0  # from the inside it cannot be seen
    ended = logged.tillid("audit", "verify", "--witness", kept)
    assert (ended.code, ended.result["broken_at"]) == (9, 3)


def test_a_witness_that_is_forged_or_none_is_refused(logged: Logged, tmp_path: Path) -> None:
    genuine = parse_head(logged.seal().read_text())
    path = tmp_path / "witness.txt"
    told = (genuine.size, genuine.root, genuine.time, genuine.schema_digest)
    forged = sign_head(new_key(), Checkpoint(genuine.origin, *told))
    for content in (forged.text.encode(), b"", b"no head", b"\xff\xfe", bytes(10_000)):
        path.write_bytes(content)
        ended = logged.tillid("audit", "verify", "--witness", path)
        assert (ended.code, ended.problem["status"]) == (2, 400)


def test_jobs_by_hand_leave_no_file_behind(logged: Logged) -> None:
    folder = logged.parts.settings.state
    for _ in range(3):
        assert logged.tillid("job", "run").code == 0
    assert not (folder / "metrics").exists() or not list((folder / "metrics").iterdir())


def test_every_row_of_the_log_is_shown_with_its_number(logged: Logged) -> None:
    with audit_log(logged.parts.database) as log:
        size = log.size()
    events = logged.tillid("audit", "tail", "--lines", 2).result["events"]
    assert [event["n"] for event in events] == [size - 2, size - 1]

"""`tillid audit` on logs that were tampered with past the program, and on witnesses."""

import dataclasses
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex

import pytest
from sqlalchemy import insert

from audit.events import Event
from audit.heads import Checkpoint, parse_head, sign_head
from audit.payloads import Payload
from audit.tree import leaf_hash, tree_root
from records.audit_log import audit_log
from records.audit_payloads import Told, append_told
from records.tables import subject
from server.assembly import Assembly
from server.clock import utc_now
from server.jobs import run_job
from server.metrics import Metrics
from tests.support.installation import an_installation
from tests.support.operator import Operator, environment_of
from tests.support.revocation_pki import new_key
from tests.support.softhsm import SoftHsm

ANNE = {"name": "Anne Ægte"}


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

    def tell(self, at: datetime | None = None) -> int:
        """An event about a person of its own."""
        name = f"subject-{token_hex(4)}"
        told = Told(Event("case.closed", "system:job", "case/1", {}), (Payload(name, ANNE),))
        with self.parts.database.write() as tx:
            row = {"id": name, "kind": "x", "state": "active", "created_at": utc_now()}
            tx.execute(insert(subject).values(row))
            return append_told(tx, [told], self.parts.personal, at or utc_now())

    def seal(self) -> Path:
        run_job("seal-audit-log", self.parts, Metrics.of_process())
        return self.parts.settings.state / "public" / "audit" / "checkpoint"


@pytest.fixture(scope="module")
def installed(
    softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Assembly, bytes]]:
    """One installation, and its database as it was made."""
    with an_installation(softhsm, tmp_path_factory.mktemp("audit") / "state") as parts:
        path = parts.settings.state / "tillid.sqlite"
        parts.database.engine.dispose()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield parts, path.read_bytes()


@pytest.fixture
def logged(
    installed: tuple[Assembly, bytes],
    softhsm: SoftHsm,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Logged:
    """The installation with its database as it was made."""
    parts, pristine = installed
    parts.database.engine.dispose()
    state = parts.settings.state
    for ending in ("-wal", "-shm"):
        (state / f"tillid.sqlite{ending}").unlink(missing_ok=True)
    (state / "tillid.sqlite").write_bytes(pristine)
    return Logged(parts, Operator(environment_of(softhsm, state), capsys, monkeypatch))


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


def test_verification_goes_on_from_a_head_that_was_verified_before(
    logged: Logged, tmp_path: Path
) -> None:
    kept = tmp_path / "checkpoint"
    kept.write_text(logged.seal().read_text())
    size = parse_head(kept.read_text()).size
    logged.tell()
    logged.seal()
    for since in (size, kept):
        ended = logged.tillid("audit", "verify", "--since", since)
        assert (ended.code, ended.result["read_from"]) == (0, size)
    logged.without_guards("UPDATE audit_event SET leaf_sha256 = zeroblob(32) WHERE sequence = 1")
    assert logged.tillid("audit", "verify", "--since", size).code == 0
    assert logged.tillid("audit", "verify").result["broken_at"] == 1
    logged.without_guards(
        f"UPDATE audit_event SET leaf_sha256 = zeroblob(32) WHERE sequence = {size}"  # noqa: S608
    )
    assert logged.tillid("audit", "verify", "--since", size).result["broken_at"] == size
    assert logged.tillid("audit", "verify", "--since", 2).code == 3
    assert logged.tillid("audit", "verify", "--since", "9" * 40).code == 3
    assert logged.tillid("audit", "verify", "--since", "nowhere").code == 2


def test_several_witnesses_with_signatures_of_others_are_read_from_one_file(
    logged: Logged, tmp_path: Path
) -> None:
    first = logged.seal().read_text()
    logged.tell()
    second = logged.seal().read_text()
    kept = tmp_path / "witnesses"
    kept.write_text(f"{first}— witness.example AAAABBBB\n\n{second}")
    assert logged.tillid("audit", "verify", "--witness", kept).code == 0
    size = parse_head(second).size - 1
    logged.without_guards(
        f"DELETE FROM audit_head WHERE size > {size}",  # noqa: S608
        f"DELETE FROM audit_event WHERE sequence >= {size}",  # noqa: S608
    )
    ended = logged.tillid("audit", "verify", "--witness", kept)
    assert (ended.code, ended.result["broken_at"]) == (9, size)


def test_whoever_has_the_public_key_verifies_without_any_key_or_token(
    logged: Logged, tmp_path: Path
) -> None:
    logged.tell()
    logged.seal()
    key = tmp_path / "key.pem"
    key.write_text(logged.tillid("audit", "checkpoint").result["public_key"])
    ended = logged.tillid("audit", "verify", "--no-keys", "--key", key)
    assert (ended.code, ended.result["payloads"]) == (0, 1)
    assert logged.tillid("audit", "verify").result["payloads"] == 1
    key.write_text("no key")
    assert logged.tillid("audit", "verify", "--no-keys", "--key", key).code == 2


def test_an_event_is_proved_and_the_proof_checked_without_an_installation(
    logged: Logged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged.seal()
    proof, key = tmp_path / "proof.json", tmp_path / "key.pem"
    made = logged.tillid("audit", "prove", 2)
    proof.write_text(json.dumps(made.answer))
    key.write_text(made.result["public_key"])
    monkeypatch.setenv("TILLID_STATE", str(tmp_path / "nothing"))

    ended = logged.tillid("audit", "prove", "--check", proof, "--key", key)
    assert (ended.code, ended.result["holds"], ended.result["key_given"]) == (0, True, True)
    code, out, _ = logged.tillid.told("audit", "prove", "--check", proof)
    assert (code, made.result["key_sha256"] in out) == (0, True)
    for part, other in (("event", made.result["event"].replace('"n":2', '"n":3')), ("sequence", 1)):
        proof.write_text(json.dumps({**made.result, part: other}))
        ended = logged.tillid("audit", "prove", "--check", proof, "--key", key)
        assert (ended.code, ended.result["holds"]) == (9, False)
    for junk in ("", "[]", "{}", json.dumps({**made.result, "path": "x"}), "[" * 100_000):
        proof.write_text(junk)
        assert logged.tillid("audit", "prove", "--check", proof, "--key", key).code == 2


def test_a_log_is_proved_to_begin_with_an_older_one(logged: Logged, tmp_path: Path) -> None:
    old = parse_head(logged.seal().read_text())
    logged.tell()
    logged.seal()
    made = logged.tillid("audit", "prove", "--from", old.size)
    proof = tmp_path / "proof.json"
    proof.write_text(json.dumps(made.result))
    assert logged.tillid("audit", "prove", "--check", proof).result["holds"] is True
    other = sign_head(new_key(), Checkpoint(old.origin, 2, old.root, old.time, old.schema_digest))
    proof.write_text(json.dumps({**made.result, "old_head": other.text}))
    assert logged.tillid("audit", "prove", "--check", proof).code == 9


def test_what_cannot_be_proved_is_not_found_or_bad_usage(logged: Logged, tmp_path: Path) -> None:
    assert logged.tillid("audit", "prove", 0).code == 3  # no head yet
    logged.seal()
    for arguments, code in (
        ([99999], 3),
        (["--from", 1], 3),
        ([], 2),
        ([1, "--from", 1], 2),
        ([1, "--key", tmp_path], 2),
        ([1, "--key", logged.seal()], 2),
    ):
        assert logged.tillid("audit", "prove", *arguments).code == code


def test_everything_but_payloads_is_exported(logged: Logged, tmp_path: Path) -> None:
    logged.tell()
    logged.seal()
    out = tmp_path / "log.jsonl"
    ended = logged.tillid("audit", "export", "--out", out)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    events = [line for line in lines if "sequence" in line]
    assert (
        len(events) == ended.result["events"] == logged.tillid("audit", "verify").result["events"]
    )
    assert tree_root([leaf_hash(each["header"].encode()) for each in events]) == (
        parse_head(lines[-1]["head"]).root
    )
    assert "Anne" not in out.read_text()


def test_a_sample_is_drawn_again_from_its_seed(logged: Logged) -> None:
    first = logged.tillid("audit", "sample", "--count", 3).result
    again = logged.tillid(
        *("audit", "sample", "--count", 3, "--seed", first["seed"], "--size", first["size"])
    ).result
    assert first == again
    assert len(first["events"]) == 3
    assert len(logged.tillid("audit", "sample", "--count", 9999).result["events"]) == first["size"]


def test_what_was_kept_long_enough_is_shown_then_dropped(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged.tell()
    logged.seal()
    before = logged.tillid("audit", "verify").result
    assert before["payloads"] == 1
    assert logged.tillid("audit", "retain").result["headers"] == 0
    later = utc_now() + timedelta(days=3000)
    monkeypatch.setattr("server.clock.utc_now", lambda: later)
    planned = logged.tillid("audit", "retain", "--dry-run").result
    assert logged.tillid("audit", "verify").result == before
    done = logged.tillid("audit", "retain").result
    assert {**planned, "dry_run": False} == done
    assert (done["payloads"], done["headers"]) == (1, before["events"])
    after = logged.tillid("audit", "verify").result
    assert (after["payloads"], after["payloads_ended"]) == (0, 1)
    assert after["events"] == before["events"] + 1
    assert logged.tillid("audit", "retain").result["headers"] == 0
    events = logged.tillid("audit", "tail", "--lines", 2).result["events"]
    assert events[0] == {"n": before["events"] - 1, "e": "dropped"}
    assert logged.tillid("audit", "prove", 1).result["event"] == ""


def test_followed_events_come_a_line_each(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    def next_look(_: object, __: float) -> bool:
        told.append(logged.tell())
        return len(told) > 2

    told: list[int] = []
    monkeypatch.setattr("threading.Event.wait", next_look)
    code, out, _ = logged.tillid.told("audit", "tail", "--lines", 1, "--follow")
    assert code == 0
    shown = [json.loads(line)["n"] for line in out.splitlines() if line.startswith("{")]
    assert shown[1:] == told[:2]

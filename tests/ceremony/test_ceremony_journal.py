"""The journal: on disk before it is told, whole after a power cut, and never behind its clock."""

import resource
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from ceremony.errors import ClockBehind, JournalDamaged, Unwritable
from ceremony.journal import Journal
from server.clock import utc_now


def test_what_was_appended_is_there_for_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal.open(path, utc_now)
    journal.append("begun")
    journal.append("started", step=1)
    journal.append("done", step=1, facts={"do": "closing"}, witnesses=["Åse"])
    again = Journal.open(path, utc_now)
    assert again.entries == journal.entries
    assert again.begun(1)
    assert again.done(2) is None
    assert path.stat().st_mode & 0o077 == 0


def test_half_a_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal.open(path, utc_now).append("begun")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind": "done", "at": "2026')
    journal = Journal.open(path, utc_now)
    assert len(journal.entries) == 1
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"no JSON",
        b'{"at": 1}',
        b"7",
        b'{"at": "2026-01-01T00:00:00Z", "kind": "begun"}',
    ],
)
def test_a_line_that_is_not_ours_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    Journal.open(path, utc_now).append("begun")
    with path.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(JournalDamaged) as damaged:
        Journal.open(path, utc_now)
    assert damaged.value.line == 2


def test_a_clock_behind_the_last_entry_stops_the_ceremony(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal.open(path, utc_now).append("begun")
    late = Journal.open(path, lambda: utc_now() - timedelta(hours=3))
    with pytest.raises(ClockBehind):
        late.append("done", step=1)
    assert len(Journal.open(path, utc_now).entries) == 1


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal.open(path, utc_now)
    journal.append("begun")
    whole = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, limits[1]))
    try:
        with pytest.raises(Unwritable):
            journal.append("done", step=1, facts={"long": "x" * 100}, witnesses=[])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, kept)
    assert path.read_bytes() == whole
    assert len(journal.entries) == 1

"""How the jobs fare and which alarms are on is read by whoever looks, from whatever process."""

from datetime import UTC, datetime, timedelta

from records.database import Database
from records.job_runs import AlarmBook, JobRun, JobRuns

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OVERDUE = ("PUBLICATION_OVERDUE", "crl.issuing")
DISK = ("DISK_FULL", "state")


def test_the_latest_word_on_each_job_replaces_the_one_before(database: Database) -> None:
    runs = JobRuns(database)
    assert runs.all() == []
    runs.tell([JobRun("a", NOW), JobRun("b", None, NOW, "HsmError")])
    later = [JobRun("b", NOW), JobRun("c", NOW, NOW + timedelta(hours=1), "Conflict")]
    runs.tell(later)
    assert runs.all() == later
    runs.tell([])
    assert runs.all() == []


def test_an_alarm_begins_once_and_ends_once(database: Database) -> None:
    book = AlarmBook(database)
    assert book.turn({}) == (set(), set())
    assert book.turn({OVERDUE: NOW}) == ({OVERDUE}, set())
    assert AlarmBook(database).turn({OVERDUE: NOW}) == (set(), set())
    assert book.turn({DISK: NOW}) == ({DISK}, {OVERDUE})
    assert AlarmBook(database).turn({}) == (set(), {DISK})

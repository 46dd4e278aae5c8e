"""How the jobs fare is told now and then, and says since when something is in the way."""

from datetime import UTC, datetime, timedelta

import pytest

from records.database import Database
from records.job_runs import JobRun, JobRuns
from server.job_health import JobHealth

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def runs(database: Database) -> JobRuns:
    return JobRuns(database)


def told(runs: JobRuns, health: JobHealth) -> list[JobRun]:
    health._told_at = float("-inf")
    health.tell(runs)
    return runs.all()


def test_a_job_that_was_never_heard_of_counts_from_the_beginning(runs: JobRuns) -> None:
    health = JobHealth()
    health.begin(["a", "b"], NOW)
    health.ran("a", None, NOW + SECOND)
    assert told(runs, health) == [JobRun("a", NOW + SECOND), JobRun("b", NOW)]


def test_trouble_keeps_its_beginning_until_the_job_succeeds(runs: JobRuns) -> None:
    health = JobHealth()
    health.begin(["a"], NOW)
    for seconds in (1, 2, 3):
        health.ran("a", "HsmError", NOW + seconds * SECOND)
    assert told(runs, health) == [JobRun("a", NOW, NOW + SECOND, "HsmError")]
    health.ran("a", None, NOW + 4 * SECOND)
    assert told(runs, health) == [JobRun("a", NOW + 4 * SECOND)]


def test_it_is_not_told_at_every_tick(runs: JobRuns) -> None:
    health = JobHealth()
    health.begin(["a"], NOW)
    health.tell(runs)
    health.ran("a", None, NOW + SECOND)
    health.tell(runs)
    assert runs.all() == [JobRun("a", NOW)]

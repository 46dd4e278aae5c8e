"""The loop of the jobs goes on whatever the clock, a job or the database does."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread

import pytest

from ca.identifiers import SerialNumber
from records.crls import Crls
from records.database import Database
from records.leases import Leases
from revocation.crl_entries import encode_entry
from revocation.crl_issue import Workplace, issue_list
from revocation.errors import EntriesVanished
from revocation.publication import CrlPolicy, CrlScope, CrlSource
from revocation.reasons import Reason
from server.assembly import Assembly
from server.clock import utc_now
from server.crl_work import CrlWork
from server.heartbeat import LEASE, LEASE_LIFE
from server.job_loop import UNHURRIED, JobLoop
from server.jobs import EVERYWHERE, JOBS, renew_crls, run_job
from server.logs import log_to
from server.metrics import Metrics
from tests.support.installation import an_installation
from tests.support.revocation_pki import ISSUER, Pki
from tests.support.revocation_stores import MemoryCrlStore
from tests.support.softhsm import SoftHsm


@pytest.fixture
def parts(softhsm: SoftHsm, tmp_path: Path) -> Iterator[Assembly]:
    with an_installation(softhsm, tmp_path / "state", TILLID_JOBS__TICK_SECONDS="0.1") as found:
        yield found


@pytest.fixture
def metrics() -> Metrics:
    return Metrics.of_process()


@contextmanager
def looping(
    parts: Assembly, metrics: Metrics, jobs: dict[str, Callable[..., int]]
) -> Iterator[JobLoop]:
    """A loop that runs for the length of the block, with these jobs instead of ours."""
    kept = dict(JOBS)
    JOBS.clear()
    JOBS.update(jobs)
    stop = Event()
    thread = Thread(target=JobLoop(parts, metrics).run, args=[stop])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        JOBS.clear()
        JOBS.update(kept)
        assert not thread.is_alive()


class Counted:
    """A job that counts its runs, and can be waited for."""

    def __init__(self, fails: int = 0) -> None:
        self.runs, self.fails = 0, fails
        self._more = Event()

    def __call__(self, *_: object) -> int:
        self.runs += 1
        self._more.set()
        if self.runs <= self.fails:
            raise RuntimeError("canary")
        return 1

    def wait_for_more(self, seconds: float = 5) -> bool:
        self._more.clear()
        return self._more.wait(seconds)


def test_a_job_that_nobody_waits_for_is_not_run_at_each_tick(
    parts: Assembly, metrics: Metrics
) -> None:
    assert JOBS.keys() - EVERYWHERE >= UNHURRIED
    prompt, unhurried = Counted(), Counted()
    with looping(parts, metrics, {"counted": prompt, "tell-holders": unhurried}):
        assert all(prompt.wait_for_more() for _ in range(9))
        assert 0 < unhurried.runs < prompt.runs
        assert unhurried.wait_for_more()


@pytest.mark.parametrize("hours", [-3, 27, 24 * 365 * 12, -24 * 365 * 12])
def test_the_loop_goes_on_when_the_clock_jumps(
    parts: Assembly, metrics: Metrics, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    job = Counted()
    with looping(parts, metrics, {"counted": job}):
        assert job.wait_for_more()
        for shift in (timedelta(hours=hours), timedelta(0)):
            for module in ("server.jobs", "server.job_loop"):
                monkeypatch.setattr(f"{module}.utc_now", lambda shift=shift: utc_now() + shift)
            monkeypatch.setattr("apscheduler.schedulers.base.datetime", _shifted(shift))
            assert all(job.wait_for_more() for _ in range(3))
        monkeypatch.undo()


def _shifted(shift: timedelta) -> type[datetime]:
    class _Shifted(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            del tz
            return utc_now() + shift

    return _Shifted


def test_a_job_that_raises_is_told_and_tried_again(parts: Assembly, metrics: Metrics) -> None:
    job, other = Counted(fails=2), Counted()
    with log_to(parts.settings.state, "jobs-test") as path:
        with looping(parts, metrics, {"failing": job, "other": other}):
            while job.runs < 4:
                assert job.wait_for_more()
        text = path.read_text()
    assert text.count('"event": "job.failed"') == 2
    assert "canary" not in text
    assert other.runs > 1
    failed = metrics.jobs.labels("failing", "failed")
    assert failed._value.get() == 2


def test_no_job_overlaps_with_itself(parts: Assembly, metrics: Metrics) -> None:
    lock, overlaps, runs = Lock(), [], []
    go = Event()

    def slow(*_: object) -> int:
        free = lock.acquire(blocking=False)
        if not free:
            overlaps.append(1)
            return 0
        runs.append(1)
        go.wait(0.35)
        lock.release()
        return 0

    other = Counted()
    with looping(parts, metrics, {"slow": slow, "other": other}):
        while other.runs < 12:
            assert other.wait_for_more()
    assert overlaps == []
    assert 1 <= len(runs) < other.runs


def test_a_stop_waits_for_the_job_that_runs_and_gives_the_lease_back(
    parts: Assembly, metrics: Metrics
) -> None:
    begun, may_end, ended = Event(), Event(), Event()

    def slow(*_: object) -> int:
        begun.set()
        may_end.wait(5)
        ended.set()
        return 0

    leases = Leases(parts.database)
    with looping(parts, metrics, {"slow": slow}):
        assert begun.wait(30)
        assert not leases.take(LEASE, "another", utc_now(), LEASE_LIFE)
        may_end.set()
    assert ended.is_set()
    assert leases.take(LEASE, "another", utc_now(), LEASE_LIFE)


def test_a_stop_ends_the_making_of_a_long_crl_and_leaves_nothing_behind(
    parts: Assembly, metrics: Metrics, tmp_path: Path
) -> None:
    begun, pki = Event(), Pki.new()

    class Endless(MemoryCrlStore):
        def entries(self, left_until: datetime) -> Iterator[bytes]:
            del left_until
            begun.set()
            return (encode_entry(SerialNumber(n), pki_now, Reason.SUPERSEDED) for n in count(1))

    pki_now, path = utc_now(), tmp_path / "issuing.crl"

    def make(*_: object) -> int:
        place = Workplace(path, parts.crl_work.stopping.is_set)
        policy = CrlPolicy(timedelta(days=1), timedelta(hours=1))
        issue_list(Endless(), (pki.issuing, CrlScope(ISSUER)), utc_now(), policy, place)
        return 1

    with log_to(parts.settings.state, "jobs-test") as log:
        with looping(parts, metrics, {"make": make}):
            assert begun.wait(30)
            stopped = time.monotonic()
        assert time.monotonic() - stopped < 30
        assert '"event": "job.abandoned"' in log.read_text()
    assert [each for each in tmp_path.iterdir() if each.suffix != ""] == []


class HeldBack(Crls):
    """Each CRL takes a while, and then lacks a serial."""

    tries = 0

    @contextmanager
    def next_crl(self, scope: CrlScope) -> Iterator[CrlSource]:
        type(self).tries += 1
        Event().wait(0.6)
        raise EntriesVanished(scope.issuer, frozenset({SerialNumber(1)}))
        yield


def test_a_crl_that_is_held_back_is_tried_again_after_a_while_and_told_until_then(
    parts: Assembly, metrics: Metrics
) -> None:
    run_job("renew-crls", parts, metrics)
    held = dataclasses.replace(parts, crls=HeldBack(parts.database), crl_work=CrlWork())
    later = utc_now() + timedelta(days=300)  # nextUpdate is long past: nothing else is waited for
    for _ in range(3):
        with pytest.raises(EntriesVanished):
            renew_crls(held, metrics, later)
    assert HeldBack.tries == 1


def test_only_one_of_two_does_the_common_work(parts: Assembly, metrics: Metrics) -> None:
    name = next(iter(EVERYWHERE))
    common, everywhere = Counted(), Counted()
    now = utc_now()
    assert Leases(parts.database).take(LEASE, "another", now, timedelta(seconds=1.5))
    with looping(parts, metrics, {"common": common, name: everywhere}):
        assert everywhere.wait_for_more()
        assert common.runs == 0
        assert common.wait_for_more()  # the other one's lease ran out
    assert everywhere.runs > common.runs


def test_without_a_database_the_loop_tells_and_stops_when_told(
    parts: Assembly, metrics: Metrics
) -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    away = dataclasses.replace(parts, database=database)
    job = Counted()
    with log_to(parts.settings.state, "jobs-test") as path:
        with looping(away, metrics, {"counted": job}):
            told = Event()
            while "jobs.no_lease" not in path.read_text():
                told.wait(0.05)
        assert "jobs.lease_kept" in path.read_text()
    database.close()
    assert job.runs == 0


def test_the_process_with_the_lease_tells_how_its_jobs_fare(
    parts: Assembly, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.job_health.TELL_SECONDS", 0.1)
    well, failing = Counted(), Counted(fails=10**9)
    with looping(parts, metrics, {"well": well, "failing": failing}):
        while failing.runs < 4:
            assert failing.wait_for_more()
    told = {run.name: run for run in parts.job_runs.all()}
    assert (told["well"].trouble, told["failing"].trouble) == (None, "RuntimeError")
    assert told["failing"].failing_since is not None

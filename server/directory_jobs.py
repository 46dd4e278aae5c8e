"""The jobs of directories: publish what is due, and compare every night."""

from datetime import datetime

from records.visibility import Channel
from server.assembly import Assembly
from server.directories import is_time_to_check, serve_directory
from server.directory_checks import check_directory, mend, note_check
from server.job_items import each, tell_failures
from server.metrics import Metrics
from server.watch import observe

_BATCH = 500


def publish_entries(parts: Assembly, metrics: Metrics, now: datetime) -> int:
    """Publish to the directories, and withdraw from them, what is due.

    Each directory is served by a thread of its own, and none is waited for longer than a moment.
    """
    if not parts.settings.directories:
        return 0
    parts.directory_desk.withdraw_expired(now, _BATCH)
    work = parts.directory_work
    outcomes = work.run(parts.settings.directories, lambda name: serve_directory(parts, name))
    done = sum(outcome for outcome in outcomes if isinstance(outcome, int))
    if done:
        observe(metrics, Channel.DIRECTORY, parts.visible.seen_since(Channel.DIRECTORY, now))
    for state, number in parts.publications.counts().items():
        metrics.publications.labels(state).set(number)
    return tell_failures(done, [one for one in outcomes if isinstance(one, Exception)])


def check_directories(parts: Assembly, metrics: Metrics, now: datetime) -> int:
    """Compare every directory with the records once a day, and mend what differs."""
    last = {one.directory: one.checked_at for one in parts.directory_desk.checks()}
    due = [name for name in parts.settings.directories if is_time_to_check(last.get(name), now)]
    return each(due, lambda name: _check(parts, metrics, name, now))


def _check(parts: Assembly, metrics: Metrics, name: str, now: datetime) -> bool:
    with parts.directory(name) as directory:
        found = check_directory(parts, directory)
        mend(parts, directory, found.drift, "system:job", now)
    for kind, number in found.counts().items():
        metrics.directory_drift.labels(name, kind).set(number)
    note_check(parts, found, now)
    return True

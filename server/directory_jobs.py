"""The jobs of directories: publish what is due, and compare every night."""

import time
from datetime import datetime

from publish_ldap.errors import DirectoryError
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
    names, work = parts.settings.directories, parts.directory_work
    ended = work.run(names, lambda name: serve_directory(parts, name), now)
    done = sum(one.outcome for one in ended if isinstance(one.outcome, int))
    if done:
        since = min(one.began for one in ended)
        observe(metrics, Channel.DIRECTORY, parts.visible.seen_since(Channel.DIRECTORY, since))
    for state, number in parts.publications.counts().items():
        metrics.publications.labels(state).set(number)
    failures = [one.outcome for one in ended if isinstance(one.outcome, Exception)]
    return tell_failures(done, failures)


def check_directories(parts: Assembly, metrics: Metrics, now: datetime) -> int:
    """Compare every directory with the records once a day, and mend what differs."""
    last = {one.directory: one.checked_at for one in parts.directory_desk.checks()}
    due = [
        name
        for name in parts.settings.directories
        if is_time_to_check(last.get(name), now)
        and parts.directory_work.may_check(name, time.monotonic())
    ]
    return each(due, lambda name: _check(parts, metrics, name, now))


def _check(parts: Assembly, metrics: Metrics, name: str, now: datetime) -> bool:
    try:
        with parts.directory(name) as directory:
            found = check_directory(parts, directory)
            mend(parts, directory, found.drift, "system:job", now)
    except DirectoryError:
        # One that is down is told of by what waits for it; it is looked at again in a while.
        parts.directory_work.could_not_check(name, time.monotonic())
        raise
    for kind, number in found.counts().items():
        metrics.directory_drift.labels(name, kind).set(number)
    note_check(parts, found, now)
    return True

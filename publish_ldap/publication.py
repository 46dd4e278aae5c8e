"""Publication in directories: what the outbox asks for is made true, and then looked at.

A task is done when a search says so, not when a request was answered with success. Every step may
be repeated, so a crash between directory and outbox costs one repetition and nothing else.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from cryptography import x509

from ca.identifiers import SerialNumber
from publish_ldap.entry import PersonEntry
from publish_ldap.errors import DirectoryError, DirectoryRefused, DirectoryUnavailable

if TYPE_CHECKING:  # ldap3 is slow to load, and only who hands in a directory needs it
    from publish_ldap.directory import Directory

_FIRST_DELAY: Final = timedelta(seconds=5)
_LONGEST_DELAY: Final = timedelta(hours=1)
# A directory that is down costs one attempt for all its tasks, so it may be tried often, and what
# waits for it is published within a minute of its return.
_LONGEST_DELAY_WHEN_DOWN: Final = timedelta(seconds=30)


class Action(StrEnum):
    """What a task makes true."""

    PUBLISH = "publish"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class PublicationTask:
    """One certificate to publish in, or withdraw from, one directory."""

    id: int
    directory: str
    action: Action
    issuer: x509.Name
    serial: SerialNumber
    certificate_der: bytes | None = None
    """Needed to publish."""
    entry: PersonEntry | None = None
    """Needed to publish; a withdrawal needs nobody's name."""
    entry_uuid: str | None = None
    """Where it was published, as far as that is known."""
    attempts: int = 0
    """How often it has failed."""

    def __post_init__(self) -> None:
        """ValueError for a publication without a certificate or an entry."""
        if self.action is Action.PUBLISH and (self.certificate_der is None or self.entry is None):
            raise ValueError("a publication needs the certificate and the entry")


class PublicationOutbox(Protocol):
    """The tasks not done yet, kept where the certificates are kept."""

    def pending(self, directory: str, limit: int, now: datetime) -> Sequence[PublicationTask]:
        """The oldest tasks of a directory that are due now, at most `limit`."""
        ...

    def done(self, task_id: int, entry_uuid: str | None, verified_at: datetime) -> None:
        """The task was carried out and seen to be so; where it is published, if it is."""
        ...

    def failed(self, task_id: int, code: str, retry_at: datetime) -> None:
        """The task failed, with an error class or result code, and is due again at `retry_at`."""
        ...


@dataclass(frozen=True, slots=True)
class DrainResult:
    """How many tasks were done, and how many failed."""

    done: int
    failed: int


def drain(
    outbox: PublicationOutbox, directory: "Directory", now: datetime, limit: int
) -> DrainResult:
    """Carry out the due tasks of one directory, over a connection of its own.

    A task that fails is put off and the next one goes on. A directory that cannot be entered
    puts off all that is left, after one attempt.
    """
    done = failed = 0
    shut: DirectoryError | None = None
    with directory:
        for task in outbox.pending(directory.name, limit, now):
            shut = shut or _entering(directory)
            outcome = shut or _carrying_out(directory, task)
            if isinstance(outcome, DirectoryError):
                outbox.failed(task.id, outcome.code, now + _delay(task.attempts, outcome))
                failed += 1
            else:
                outbox.done(task.id, outcome, now)
                done += 1
    return DrainResult(done, failed)


def retry_delay(attempts: int, longest: timedelta, jitter: float) -> timedelta:
    """The wait after a failure: doubled each time up to `longest`, then shortened by up to a half.

    `jitter` is from 0 to 1, and keeps many tasks from coming back at the same moment.
    """
    delay = min(_FIRST_DELAY * (1 << min(attempts, 20)), longest)
    return delay * (1 - jitter / 2)


def _delay(attempts: int, failure: DirectoryError) -> timedelta:
    down = isinstance(failure, DirectoryUnavailable)
    longest = _LONGEST_DELAY_WHEN_DOWN if down else _LONGEST_DELAY
    return retry_delay(attempts, longest, secrets.SystemRandom().random())


def _entering(directory: "Directory") -> DirectoryError | None:
    """Why the directory cannot be entered; None if it can."""
    try:
        directory.open()
    except DirectoryError as error:
        return error
    return None


def _carrying_out(directory: "Directory", task: PublicationTask) -> str | DirectoryError | None:
    """The entryUUID of a publication, None for a withdrawal, or why it failed."""
    try:
        if task.entry is not None and task.certificate_der is not None:
            return _publish(directory, task, task.entry, task.certificate_der)
        _withdraw(directory, task)
    except DirectoryError as error:
        return error
    return None


def _publish(
    directory: "Directory", task: PublicationTask, entry: PersonEntry, certificate_der: bytes
) -> str:
    """Publish; then the entry holds these very octets, under the task's issuer and serial."""
    entry_uuid = directory.add_certificate(entry, certificate_der)
    if not directory.holds(entry_uuid, task.issuer, task.serial, certificate_der):
        raise DirectoryRefused(directory.name, "notPublished")
    return entry_uuid


def _withdraw(directory: "Directory", task: PublicationTask) -> None:
    """Withdraw; then a search by issuer and serial finds nothing."""
    directory.remove_certificate(task.entry_uuid, task.issuer, task.serial)
    if directory.find_certificate(task.issuer, task.serial):
        raise DirectoryRefused(directory.name, "notWithdrawn")

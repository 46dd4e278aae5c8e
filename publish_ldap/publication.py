"""Publication in directories: what the outbox asks for is made true, and then looked at.

A task is done when a search says so, not when a request was answered with success. Every step may
be repeated, so a crash between directory and outbox costs one repetition and nothing else.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from cryptography import x509

from ca.failpoints import reach
from ca.identifiers import SerialNumber
from publish_ldap.entry import Entry, Holder
from publish_ldap.errors import (
    DirectoryError,
    DirectoryRefused,
    DirectoryUnavailable,
    EntryRefused,
    PublicationError,
)
from publish_ldap.names import is_named

if TYPE_CHECKING:  # ldap3 is slow to load, and only who hands in a directory needs it
    from publish_ldap.directory import Directory

_FIRST_DELAY: Final = timedelta(seconds=5)
_LONGEST_DELAY: Final = timedelta(hours=1)
# A directory that is down, full or closed to us costs little to ask, so it may be asked often, and
# what waits for it is published within a minute of its return.
_LONGEST_DELAY_WHEN_DOWN: Final = timedelta(seconds=30)
TRIES: Final = 5
"""After so many a publication that is refused for itself is set aside."""
# What the server holds against this one entry, and will hold against it tomorrow.
_OF_THE_ENTRY: Final = frozenset(
    {
        "anotherHolder",
        "constraintViolation",
        "entry",
        "invalidAttributeSyntax",
        "invalidDNSyntax",
        "namingViolation",
        "noSuchObject",
        "notAllowedOnRDN",
        "notPublished",
        "objectClassViolation",
        "parentOfUnknownClass",
        "severalEntries",
        "undefinedAttributeType",
        "unreadable",
    }
)


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
    holder: Holder | None = None
    """Needed to publish; a withdrawal needs nobody's name."""
    entry_uuid: str | None = None
    """Where it was published, as far as that is known."""
    attempts: int = 0
    """How often it has failed."""

    def __post_init__(self) -> None:
        """ValueError for a publication without a certificate or a holder."""
        if self.action is Action.PUBLISH and (self.certificate_der is None or self.holder is None):
            raise ValueError("a publication needs the certificate and its holder")


@dataclass(frozen=True, slots=True)
class Done:
    """A task that was carried out and seen to be so; where it is published, if it is."""

    task_id: int
    entry_uuid: str | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A task that failed, with an error class or result code, and when it is due again.

    One that is `set_aside` waits for a person instead.
    """

    task_id: int
    code: str
    retry_at: datetime
    set_aside: bool = False


class PublicationOutbox(Protocol):
    """The tasks not done yet, kept where the certificates are kept."""

    def pending(self, directory: str, limit: int, now: datetime) -> Sequence[PublicationTask]:
        """The tasks of a directory that are due now: withdrawals first, then the oldest."""
        ...

    def done_all(self, done: Sequence[Done], verified_at: datetime) -> frozenset[int]:
        """Keep what was done, in one transaction; the ids of tasks that were erased meanwhile."""
        ...

    def failed_all(self, failed: Sequence[Failed], now: datetime) -> None:
        """Keep what failed, in one transaction."""
        ...


@dataclass(frozen=True, slots=True)
class DrainResult:
    """How many tasks were done, and how many failed."""

    done: int
    failed: int


_Outcome = str | PublicationError | None


def drain(
    outbox: PublicationOutbox, directory: "Directory", now: datetime, limit: int
) -> DrainResult:
    """Carry out the due tasks of one directory, over connections of its own.

    A task that fails is put off and the next one goes on. A directory that cannot be entered
    puts off all that is left, after one attempt.
    """
    done, failed = list[Done](), list[Failed]()
    with directory:
        tasks = outbox.pending(directory.name, limit, now)
        for task, outcome in _outcomes(directory, tasks):
            if isinstance(outcome, PublicationError):
                failed.append(failure(task, outcome, now))
            else:
                done.append(Done(task.id, outcome))
        reach("publish.seen")
        if failed:
            outbox.failed_all(failed, now)
        gone = outbox.done_all(done, now) if done else frozenset()
        for task in tasks:
            # What was erased while it was being published is taken back at once.
            if task.id in gone and task.action is Action.PUBLISH:
                directory.remove_certificate(None, task.issuer, task.serial)
    return DrainResult(len(done), len(failed))


def failure(task: PublicationTask, error: PublicationError, now: datetime) -> Failed:
    """What becomes of a task that failed: when it is tried again, or that it is set aside.

    A withdrawal is never set aside: it is tried until it is seen to be done.
    """
    code = code_of(error)
    of_entry = code.partition(":")[0] in _OF_THE_ENTRY
    longest = _LONGEST_DELAY if of_entry else _LONGEST_DELAY_WHEN_DOWN
    delay = retry_delay(task.attempts, longest, secrets.SystemRandom().random())
    gives_up = task.action is Action.PUBLISH and of_entry and task.attempts + 1 >= TRIES
    return Failed(task.id, code, now + delay, gives_up)


def code_of(error: PublicationError) -> str:
    """A word for what went wrong, with no value in it."""
    if isinstance(error, DirectoryError):
        return error.code
    return f"entry:{error.attribute}" if isinstance(error, EntryRefused) else "unreadable"


def retry_delay(attempts: int, longest: timedelta, jitter: float) -> timedelta:
    """The wait after a failure: doubled each time up to `longest`, then shortened by up to a half.

    `jitter` is from 0 to 1, and keeps many tasks from coming back at the same moment.
    """
    delay = min(_FIRST_DELAY * (1 << min(attempts, 20)), longest)
    return delay * (1 - jitter / 2)


def _outcomes(
    directory: "Directory", tasks: Sequence[PublicationTask]
) -> Iterator[tuple[PublicationTask, _Outcome]]:
    """What became of each task: withdrawals one by one, publications together."""
    publications = [task for task in tasks if task.action is Action.PUBLISH]
    shut = _entering(directory) if tasks else None
    for task in tasks:
        if task.action is Action.WITHDRAW:
            outcome = shut or _withdrawing(directory, task)
            if shut is None and isinstance(outcome, DirectoryUnavailable):
                shut = _entering(directory)
            yield task, outcome
    if shut is not None:
        yield from ((task, shut) for task in publications)
    else:
        yield from _publishing(directory, publications)


def _publishing(
    directory: "Directory", tasks: Sequence[PublicationTask]
) -> Iterator[tuple[PublicationTask, _Outcome]]:
    ready: list[tuple[PublicationTask, tuple[Entry, bytes]]] = []
    for task in tasks:
        if task.holder is None or task.certificate_der is None:  # which __post_init__ rules out
            continue
        if not is_named(task.certificate_der, task.issuer, task.serial):
            yield task, DirectoryRefused(directory.name, "unreadable")
            continue
        try:
            ready.append((task, (directory.settings.entry(task.holder), task.certificate_der)))
        except EntryRefused as error:
            yield task, error
    if ready:
        found = directory.add_certificates([wanted for _, wanted in ready])
        yield from ((task, outcome) for (task, _), outcome in zip(ready, found, strict=True))


def _entering(directory: "Directory") -> DirectoryError | None:
    """Why the directory cannot be entered; None if it can."""
    try:
        directory.open()
    except DirectoryError as error:
        return error
    return None


def _withdrawing(directory: "Directory", task: PublicationTask) -> DirectoryError | None:
    """Withdraw; then a search by issuer and serial finds nothing, on any server."""
    try:
        directory.remove_certificate(task.entry_uuid, task.issuer, task.serial)
        if directory.find_certificate(task.issuer, task.serial):
            return DirectoryRefused(directory.name, "notWithdrawn")
        if directory.find_anywhere(task.issuer, task.serial):
            return DirectoryUnavailable(directory.name, "replicaBehind")
    except DirectoryError as error:
        return error
    return None

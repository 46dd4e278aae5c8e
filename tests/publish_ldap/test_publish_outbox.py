import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from demo.slapd import PrivateSlapd
from publish_ldap.directory import Directory
from publish_ldap.errors import DirectoryRefused, DirectoryUnavailable, EntryRefused
from publish_ldap.publication import (
    Action,
    Done,
    DrainResult,
    Failed,
    PublicationTask,
    drain,
    failure,
    retry_delay,
)
from tests.support.directory_certificates import NOW, Published, a_holder, an_issuer
from tests.support.slapd import silence


@dataclass
class ListOutbox:
    """The outbox as a list, with what was reported to it."""

    tasks: list[PublicationTask]
    finished: dict[int, str | None] = field(default_factory=dict)
    failures: dict[int, tuple[str, datetime]] = field(default_factory=dict)
    set_aside: set[int] = field(default_factory=set)
    erased: frozenset[int] = frozenset()

    def pending(self, directory: str, limit: int, now: datetime) -> Sequence[PublicationTask]:
        assert now == NOW
        return [task for task in self.tasks if task.directory == directory][:limit]

    def done_all(self, done: Sequence[Done], verified_at: datetime) -> frozenset[int]:
        assert verified_at == NOW
        self.finished |= {each.task_id: each.entry_uuid for each in done}
        return self.erased & {each.task_id for each in done}

    def failed_all(self, failed: Sequence[Failed], now: datetime) -> None:
        assert now == NOW
        self.failures |= {each.task_id: (each.code, each.retry_at) for each in failed}
        self.set_aside |= {each.task_id for each in failed if each.set_aside}


def to_publish(task_id: int, certificate: Published) -> PublicationTask:
    return PublicationTask(
        id=task_id,
        directory="north",
        action=Action.PUBLISH,
        issuer=certificate.issuer,
        serial=certificate.serial,
        certificate_der=certificate.der,
        holder=a_holder(),
    )


def to_withdraw(task_id: int, certificate: Published) -> PublicationTask:
    return PublicationTask(
        task_id, "north", Action.WITHDRAW, certificate.issuer, certificate.serial
    )


def test_tasks_are_carried_out_and_seen_to_be_so(directory: Directory) -> None:
    one, two = Published(), Published()
    outbox = ListOutbox([to_publish(1, one), to_publish(2, two)])
    assert drain(outbox, directory, NOW, limit=10) == DrainResult(done=2, failed=0)
    outbox.tasks = [to_withdraw(3, one)]
    assert drain(outbox, directory, NOW, limit=10) == DrainResult(done=1, failed=0)
    assert outbox.finished[3] is None
    assert directory.find_certificate(one.issuer, one.serial) == ()
    assert directory.find_certificate(two.issuer, two.serial) == (outbox.finished[2],)


def test_draining_again_is_harmless(directory: Directory) -> None:
    outbox = ListOutbox([to_publish(1, Published()), to_withdraw(2, Published())])
    drain(outbox, directory, NOW, limit=10)
    first = dict(outbox.finished)
    assert drain(outbox, directory, NOW, limit=10) == DrainResult(done=2, failed=0)
    assert outbox.finished == first


def test_no_more_than_the_limit_is_taken(directory: Directory) -> None:
    outbox = ListOutbox([to_publish(number, Published()) for number in range(3)])
    assert drain(outbox, directory, NOW, limit=2) == DrainResult(done=2, failed=0)


def test_a_failing_task_is_put_off_and_the_others_go_on(directory: Directory) -> None:
    broken = replace(to_publish(1, Published()), certificate_der=b"no certificate", attempts=3)
    outbox = ListOutbox([broken, to_publish(2, Published())])
    assert drain(outbox, directory, NOW, limit=10) == DrainResult(done=1, failed=1)
    code, retry_at = outbox.failures[1]
    assert code == "unreadable"
    assert timedelta(seconds=20) <= retry_at - NOW <= timedelta(seconds=40)


def test_a_certificate_that_is_not_the_one_named_is_not_published(directory: Directory) -> None:
    task = replace(to_publish(1, Published()), issuer=an_issuer("Another CA"))
    outbox = ListOutbox([task])
    assert drain(outbox, directory, NOW, limit=10) == DrainResult(done=0, failed=1)
    assert outbox.failures[1][0] == "unreadable"


def test_a_directory_that_is_down_fails_all_its_tasks_fast_and_finishes_on_its_return(
    own_slapd: PrivateSlapd,
) -> None:
    outbox = ListOutbox([to_publish(number, Published()) for number in range(50)])
    directory = Directory(own_slapd.settings("north", timeout_seconds=1))
    own_slapd.stop()
    assert drain(outbox, directory, NOW, limit=50) == DrainResult(done=0, failed=50)
    assert {code for code, _ in outbox.failures.values()} == {"LDAPSocketOpenError"}
    assert all(retry_at - NOW <= timedelta(minutes=1) for _, retry_at in outbox.failures.values())
    own_slapd.start()
    assert drain(outbox, directory, NOW, limit=50) == DrainResult(done=50, failed=0)


def test_a_directory_that_falls_silent_costs_two_time_outs_for_all_its_tasks(
    own_slapd: PrivateSlapd,
) -> None:
    outbox = ListOutbox([to_publish(number, Published()) for number in range(20)])
    directory = Directory(own_slapd.settings("north", timeout_seconds=1))
    directory.open()
    with silence(own_slapd):
        started = time.monotonic()
        assert drain(outbox, directory, NOW, limit=20) == DrainResult(done=0, failed=20)
        assert time.monotonic() - started < 15  # and not twenty


def test_the_wait_doubles_up_to_the_longest_and_jitter_shortens_it_by_at_most_half() -> None:
    hour = timedelta(hours=1)
    waits = [retry_delay(attempts, hour, jitter=0).total_seconds() for attempts in range(4)]
    assert waits == [5, 10, 20, 40]
    assert retry_delay(1_000, hour, jitter=0) == hour
    assert retry_delay(1_000, hour, jitter=1) == hour / 2


@pytest.mark.parametrize("missing", ["certificate_der", "holder"])
def test_a_publication_without_certificate_or_holder_is_no_task(missing: str) -> None:
    task = to_publish(1, Published())
    with pytest.raises(ValueError):
        replace(task, **{missing: None})  # type: ignore[arg-type]


def a_failure(code: str, attempts: int, *, withdraw: bool = False, down: bool = False) -> Failed:
    task = (to_withdraw if withdraw else to_publish)(1, Published())
    kind = DirectoryUnavailable if down else DirectoryRefused
    return failure(replace(task, attempts=attempts), kind("north", code), NOW)


@pytest.mark.parametrize("code", ["objectClassViolation", "anotherHolder", "noSuchObject"])
def test_what_is_refused_for_itself_is_set_aside_after_five_tries(code: str) -> None:
    assert [a_failure(code, attempts).set_aside for attempts in (0, 3, 4)] == [False, False, True]
    assert not a_failure(code, 4, withdraw=True).set_aside


@pytest.mark.parametrize("code", ["invalidCredentials", "other", "insufficientAccessRights"])
def test_a_directory_that_is_full_or_closed_to_us_is_asked_within_half_a_minute(code: str) -> None:
    for down in (True, False):
        found = a_failure(code, 1_000, down=down)
        assert not found.set_aside
        assert found.retry_at - NOW <= timedelta(seconds=30)


def test_an_entry_that_deceives_is_told_by_its_attribute_alone() -> None:
    found = failure(to_publish(1, Published()), EntryRefused("cn", "category Cf"), NOW)
    assert found.code == "entry:cn"


def test_what_was_erased_while_it_was_published_is_taken_back(directory: Directory) -> None:
    certificate = Published()
    outbox = ListOutbox([to_publish(1, certificate)], erased=frozenset({1}))
    drain(outbox, directory, NOW, limit=10)
    assert directory.find_certificate(certificate.issuer, certificate.serial) == ()

"""A process dies at every step of a CRL, two make one at once, and the disk is full.

The file that is served is always one whole CRL, numbers rise, and nothing that was revoked is lost.
"""

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from cryptography import x509

from ca.identifiers import SerialNumber
from records.database import Database
from revocation.crl import check_crl
from revocation.errors import PublicationFailed
from revocation.published_files import is_published, write_streamed
from server.clock import utc_now
from tests.support.crl_processes import issue_in, issue_one
from tests.support.stores import ISSUING, Stores, server_order

STEPS = ("numbered", "read", "signed", "written", "verified", "recorded", "renamed")


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "crl"
    folder.mkdir()
    return folder / "issuing.crl"


def number_of(stores: Stores, octets: bytes) -> int:
    """The number of a whole CRL that verifies."""
    certificate = stores.issuer().certificate
    assert certificate is not None
    return check_crl(octets, certificate, utc_now()).number


def listed(octets: bytes) -> set[int]:
    return {entry.serial_number for entry in x509.load_der_x509_crl(octets)}


def revoke_one(stores: Stores) -> SerialNumber:
    serial = stores.intend(server_order(), utc_now()).content.serial_number
    stores.certificates.revoke_orphan(ISSUING, serial, utc_now())
    return serial


def publish(stores: Stores, path: Path) -> None:
    """What every host does of itself: the latest CRL, as it is recorded, is served."""
    with stores.crls.octets(ISSUING) as (latest, chunks):
        assert latest is not None
        if not is_published(path, latest.sha256):
            write_streamed(path, chunks, latest.sha256)


@pytest.mark.parametrize("step", STEPS)
def test_a_process_that_is_killed_leaves_one_whole_crl_and_loses_nothing(
    stores: Stores, path: Path, step: str
) -> None:
    before = revoke_one(stores)
    issue_one(stores, path)
    served = path.read_bytes()
    (ended,) = issue_in(stores, path, 1, failpoint=f"crl.{step}:kill")
    assert ended.returncode == -signal.SIGKILL

    after = path.read_bytes()
    assert number_of(stores, after) == (2 if step == "renamed" else 1)
    assert after == served or step == "renamed"
    latest = stores.crls.latest(ISSUING)
    assert latest is not None
    assert latest.number == (2 if step in {"recorded", "renamed"} else 1)

    publish(stores, path)
    assert number_of(stores, path.read_bytes()) == latest.number
    for left in path.parent.glob(f".{path.name}.*"):
        os.utime(left, (0, 0))  # a minute later
    issue_one(stores, path)
    found = path.read_bytes()
    assert number_of(stores, found) == latest.number + 1
    assert listed(found) == {before, *ended.revoked}
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208 - names are what matters
    delta = stores.crls.whole(ISSUING, -1)
    assert number_of(stores, delta) == latest.number + 1


@pytest.mark.slow
def test_two_processes_at_once_give_each_number_once_and_serve_the_latest(
    stores: Stores, path: Path
) -> None:
    issue_one(stores, path)
    seen, done = [1], Event()

    def watch() -> None:
        while not done.wait(0.002):
            seen.append(number_of(stores, path.read_bytes()))

    watcher = Thread(target=watch)
    watcher.start()
    try:
        ended = issue_in(stores, path, 12, processes=2)
    finally:
        done.set()
        watcher.join()
    assert [each.returncode for each in ended] == [0, 0]
    assert seen == sorted(seen)
    assert stores.count("crl") - 1 == 2 * 24  # each but the first has a delta
    publish(stores, path)
    assert number_of(stores, path.read_bytes()) == 25
    assert listed(path.read_bytes()) == {serial for each in ended for serial in each.revoked}
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208 - names are what matters


@contextmanager
def no_room_for_more_than(octets: int) -> Iterator[None]:
    """No file gets longer: writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_on_a_full_disk_the_old_crl_is_served_and_the_next_one_comes_when_there_is_room(
    stores: Stores, path: Path
) -> None:
    issue_one(stores, path)
    served = path.read_bytes()
    serial = revoke_one(stores)
    with no_room_for_more_than(64), pytest.raises(PublicationFailed):
        issue_one(stores, path)
    assert path.read_bytes() == served
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208 - names are what matters
    latest = stores.crls.latest(ISSUING)
    assert latest is not None
    assert latest.number == 1
    issue_one(stores, path)
    assert listed(path.read_bytes()) == {serial}

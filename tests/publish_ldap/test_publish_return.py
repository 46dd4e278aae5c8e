"""A directory that is away for an hour: what waited is there within a minute of its return."""

from datetime import datetime, timedelta

import pytest

from demo.slapd import PrivateSlapd
from publish_ldap.directory import Directory
from publish_ldap.publication import DrainResult, drain
from records.database import Database
from server.clock import utc_now
from tests.support.slapd import ldapsearch, own_slapd
from tests.support.stores import DIRECTORY, Stores, a_person

__all__ = ["own_slapd"]

TICK = timedelta(seconds=5)


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


def turn(stores: Stores, directory: Directory, now: datetime) -> DrainResult:
    return drain(stores.publications, directory, now, limit=100)


def test_after_an_hour_everything_is_there_once_within_a_minute(
    stores: Stores, own_slapd: PrivateSlapd
) -> None:
    now = utc_now() - timedelta(hours=2)  # so that nothing on record is from the future
    withdrawn = a_person(stores, now)
    with Directory(own_slapd.settings(DIRECTORY)) as directory:
        assert turn(stores, directory, now).done == 1
        own_slapd.stop()
        people = [a_person(stores, now) for _ in range(5)]
        stores.revoked(withdrawn.certificate, now)
        gone, tries = now, 0
        while now < gone + timedelta(hours=1):
            now += 4 * TICK
            result = turn(stores, directory, now)
            assert result.done == 0
            tries += result.failed
        # Each of the six was tried, and none of them at every tick.
        assert 6 * 60 < tries < 6 * 180
        assert stores.publications.counts() == {"pending": 5, "withdrawing": 1}
        own_slapd.start()
        back = now
        while stores.publications.counts() != {"published": 5, "withdrawn": 1}:
            now += TICK
            turn(stores, directory, now)
            assert now - back <= timedelta(seconds=60)
        assert turn(stores, directory, now + TICK) == DrainResult(0, 0)
    entries = ldapsearch(own_slapd, "(userCertificate=*)", scope="sub")
    shown = [octets for entry in entries for octets in entry["userCertificate;binary"]]
    assert len(shown) == len({*shown}) == len(people)
    assert len(entries) == len(people)

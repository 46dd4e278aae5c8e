"""A public node on a replica answers only while it hears of the primary; on a real replica."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import NamedTuple

import pytest

from ca.identifiers import IssuerName, SerialNumber
from records.database import Database
from records.errors import DatabaseUnavailable
from records.leases import Leases
from records.schema import check_schema, migrate
from revocation.cert_ids import CertIdHash
from revocation.errors import StatusUnavailable
from server.clock import utc_now
from server.heartbeat import LEASE, LEASE_LIFE, age_of_records
from server.replica import ReplicaResponses
from tests.support.postgres import PrivatePostgres, server_folder
from tests.support.service import until

LIMIT = timedelta(seconds=2)
SEEN = IssuerName("issuing"), SerialNumber(0x0102030405060708090A), CertIdHash.SHA1


class Pair(NamedTuple):
    primary: Database
    replica: Database

    def renew(self) -> None:
        assert Leases(self.primary).take(LEASE, "a node", utc_now(), LEASE_LIFE)

    def age(self) -> timedelta:
        return age_of_records(self.replica, utc_now())

    def replay(self, word: str) -> None:
        with self.replica.engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_wal_replay_{word}()")


@contextmanager
def a_server(**settings: str) -> Iterator[PrivatePostgres]:
    with server_folder() as folder:
        server = PrivatePostgres(folder, further=settings)
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        replicating = {"wal_level": "replica", "max_wal_senders": "4"}
        first = stack.enter_context(a_server(**replicating))
        second = stack.enter_context(a_server(**replicating))
        first.start()
        database = Database(first.create("records"))
        stack.callback(database.close)
        migrate(database)
        second.follow(first)
        replica = Database(second.url("records"))
        stack.callback(replica.close)
        until("the replica", replica.is_replica)
        yield Pair(database, replica)


def test_a_replica_has_the_schema_and_is_told_from_the_primary(pair: Pair) -> None:
    check_schema(pair.replica)
    assert (pair.primary.is_replica(), pair.replica.is_replica()) == (False, True)
    assert age_of_records(pair.primary, utc_now()) == timedelta(0)


def test_it_is_as_old_as_the_last_renewal_that_it_received(pair: Pair) -> None:
    pair.renew()
    until("the renewal", lambda: pair.age() < LIMIT)
    responses = ReplicaResponses(pair.replica, LIMIT)
    assert responses.find(*SEEN) is None
    assert responses.changed({}) == {}
    pair.replay("pause")
    try:
        pair.renew()
        until("its age", lambda: pair.age() > LIMIT)
        with pytest.raises(DatabaseUnavailable, match="lags"):
            responses.changed({})
        with pytest.raises(StatusUnavailable):
            responses.find(*SEEN)
    finally:
        pair.replay("resume")
    pair.renew()
    until("that it has caught up", lambda: pair.age() < LIMIT)
    assert responses.find(*SEEN) is None


def test_what_never_heard_of_a_lease_is_not_taken_for_fresh(pair: Pair) -> None:
    with pair.primary.write() as tx:
        tx.exec_driver_sql("DELETE FROM lease")
    until("that it is gone", lambda: pair.age() == timedelta.max)
    with pytest.raises(DatabaseUnavailable):
        ReplicaResponses(pair.replica, LIMIT).require_fresh()

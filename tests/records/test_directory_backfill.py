"""What a directory that was added later is to show: who consented, and hosts; in force, once."""

from datetime import timedelta

import pytest

from gdpr_erasure.consents import ConsentState
from records.database import Database
from records.directory_backfill import DirectoryBackfill
from server.clock import utc_now
from tests.support.consents import said
from tests.support.stores import DIRECTORY, Stores, a_person, place_of, server_order

NOW = utc_now()
ACTOR = "system:operator"


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


def test_certificates_in_force_are_put_a_few_at_a_time_and_each_once(stores: Stores) -> None:
    backfill = DirectoryBackfill(stores.database, {"hosts": ("tls-server",)})
    people = [a_person(stores, NOW) for _ in range(3)]
    revoked = a_person(stores, NOW)
    stores.revoked(revoked.certificate, NOW)
    silent = a_person(stores, NOW)
    stores.consents.say(silent.subject_id, said(ConsentState.WITHDRAWN), NOW)
    host = place_of(stores.issue(server_order(), NOW))
    assert backfill.count("later", NOW) == 3
    assert [backfill.put("later", 2, ACTOR, NOW) for _ in range(3)] == [2, 1, 0]
    due = stores.publications.pending("later", 10, NOW)
    assert {task.serial for task in due} == {person.place[1] for person in people}
    assert backfill.count(DIRECTORY, NOW) == 0
    assert backfill.count("another", NOW + timedelta(days=4000)) == 0
    assert backfill.count("hosts", NOW) == 4
    assert [backfill.put("hosts", 3, ACTOR, NOW) for _ in range(3)] == [3, 1, 0]
    of_hosts = stores.publications.pending("hosts", 10, NOW)
    assert {task.serial for task in of_hosts} == {task.serial for task in due} | {host[1]}

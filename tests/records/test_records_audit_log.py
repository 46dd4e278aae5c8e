"""The log where it is kept: appended in the effect's transaction, and safe from its keeper."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import insert, select, text

from audit.errors import ChainBroken, HeadConflict
from audit.events import Event
from audit.heads import Head
from audit.log import Verification, make_head, verify_log
from records.audit_log import append, audit_log
from records.database import Database
from records.tables import audit_event, lease
from server.clock import utc_now
from tests.support.databases import take_away

ORIGIN = "tillid/audit"
KEY = ec.generate_private_key(ec.SECP256R1())
EVENT = Event("certificate.issued", "system:job", "issuing/01", {})


def add(database: Database, count: int = 1) -> None:
    for _ in range(count):
        with database.write() as tx:
            append(tx, EVENT, utc_now())


def head(database: Database) -> Head | None:
    with audit_log(database) as log:
        return make_head(log, KEY, utc_now() + timedelta(seconds=1), bytes(32), ORIGIN)


def verify(database: Database) -> Verification:
    with audit_log(database) as log:
        return verify_log(log, KEY.public_key(), ORIGIN)


def test_events_are_numbered_from_nought(database: Database) -> None:
    with database.write() as tx:
        assert [append(tx, EVENT, utc_now()) for _ in range(3)] == [0, 1, 2]


def test_four_writers_at_once_leave_no_gap(database: Database) -> None:
    with ThreadPoolExecutor(4) as writers:
        for done in [writers.submit(add, database, 25) for _ in range(4)]:
            done.result()

    with database.read() as tx:
        numbers = tx.execute(select(audit_event.c.sequence)).scalars().all()
    assert sorted(numbers) == list(range(100))
    assert head(database) is not None
    assert verify(database).size == 100


def test_an_event_goes_with_the_transaction_of_what_it_tells(database: Database) -> None:
    add(database)

    def act_and_fail() -> None:
        with database.write() as tx:
            tx.execute(insert(lease).values(name="x", holder="y", until_at=utc_now()))
            append(tx, EVENT, utc_now())
            raise LookupError

    with pytest.raises(LookupError):
        act_and_fail()
    add(database)

    with audit_log(database) as log:
        assert log.size() == 2
    with database.read() as tx:
        assert tx.execute(select(lease)).first() is None
    assert verify(database).size == 2


def test_a_log_with_heads_verifies(database: Database) -> None:
    for count in (3, 4):
        add(database, count)
        assert head(database) is not None
    add(database, 2)

    found = verify(database)

    assert (found.size, found.heads) == (9, 2)
    assert found.latest is not None
    assert found.latest.size == 7


def test_nothing_new_needs_no_head(database: Database) -> None:
    add(database)
    head(database)

    assert head(database) is None


def test_a_second_head_of_one_size_is_a_conflict(database: Database) -> None:
    add(database)
    first = head(database)
    assert first is not None

    with audit_log(database) as log, pytest.raises(HeadConflict):
        log.record_head(first, b"")


@pytest.mark.parametrize("size", [9, 10, 11, 35])
def test_entries_come_in_order_over_many_pages(
    database: Database, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("records.audit_log._PAGE", 5)
    with database.write() as tx:
        for _ in range(size):
            append(tx, EVENT, utc_now())

    with audit_log(database) as log:
        numbers = [entry.sequence for entry in log.entries(0)]
        rest = [entry.sequence for entry in log.entries(7)]
        page = [entry.sequence for entry in log.page(3, 6)]

    assert numbers == list(range(size))
    assert rest == numbers[7:]
    assert page == [3, 4, 5]


@pytest.mark.parametrize(
    ("tampering", "position"),
    [
        ("UPDATE audit_event SET header = leaf_sha256 WHERE sequence = 3", 3),
        ("DELETE FROM audit_event WHERE sequence = 4", 4),
        ("DELETE FROM audit_event WHERE sequence >= 5", 5),
    ],
)
def test_tampering_that_no_guard_stopped_is_found_at_its_position(
    database: Database, tampering: str, position: int
) -> None:
    add(database, 8)
    head(database)
    with database.write() as tx:
        take_away(tx, "aud02")
        tx.execute(text(tampering))

    with pytest.raises(ChainBroken) as broken:
        verify(database)
    assert broken.value.position == position

"""Reads by key on kept connections: what is committed is seen, and an outage is survived."""

from pathlib import Path

import pytest
from sqlalchemy import bindparam, select, text

from records.database import Database
from records.errors import DatabaseUnavailable
from records.lookups import Lookup
from records.tables import lease

BY_NAME = select(lease.c.holder, lease.c.until_at).where(lease.c.name == bindparam("of_name"))


def put(database: Database, name: str, holder: str) -> None:
    with database.write() as tx:
        tx.execute(
            text("INSERT INTO lease (name, holder, until_at) VALUES (:name, :holder, 7)"),
            {"name": name, "holder": holder},
        )


def test_every_commit_is_seen_by_the_next_read(database: Database) -> None:
    lookup = Lookup(database, BY_NAME)
    assert lookup.first({"of_name": "a"}) is None
    for name in "abc":
        put(database, name, f"holder of {name}")
        assert lookup.first({"of_name": name}) == (f"holder of {name}", 7)
    with database.write() as tx:
        tx.execute(text("UPDATE lease SET holder = 'another' WHERE name = 'a'"))
    assert lookup.first({"of_name": "a"}) == ("another", 7)


def test_a_value_is_never_a_part_of_the_statement(database: Database) -> None:
    put(database, "a", "b")
    assert Lookup(database, BY_NAME).first({"of_name": "a' OR '1'='1"}) is None


def test_a_connection_that_the_server_ended_is_made_anew(database: Database) -> None:
    put(database, "a", "b")
    lookup = Lookup(database, BY_NAME)
    assert lookup.first({"of_name": "a"}) == ("b", 7)
    (kept,) = lookup._idle
    if database.dialect == "postgresql":
        with database.read() as tx:
            tx.execute(text(f"SELECT pg_terminate_backend({kept.info.backend_pid})"))
        assert lookup.first({"of_name": "a"}) == ("b", 7)
        assert kept.closed


def test_what_is_kept_is_given_back_with_the_database(database: Database) -> None:
    put(database, "a", "b")
    lookup = Lookup(database, BY_NAME)
    lookup.first({"of_name": "a"})
    database.close()
    assert not lookup._idle
    assert lookup.first({"of_name": "a"}) == ("b", 7)


@pytest.mark.parametrize("scheme", ["postgresql", "sqlite"])
def test_without_a_database_it_is_said_so_and_nothing_of_the_question(
    scheme: str, tmp_path: Path
) -> None:
    nowhere = {
        "postgresql": "postgresql+psycopg://nobody@127.0.0.1:1/none",
        "sqlite": f"sqlite:///{tmp_path}/none.sqlite",
    }
    database = Database(nowhere[scheme])
    with pytest.raises(DatabaseUnavailable) as raised:
        Lookup(database, BY_NAME).first({"of_name": "canary"})
    assert "canary" not in str(raised.value)
    database.close()

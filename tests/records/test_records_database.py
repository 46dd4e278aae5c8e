"""The two kinds of transaction, what they promise, and the names of what goes wrong."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text
from sqlalchemy.dialects import sqlite

from audit.events import Event
from records.audit_log import append
from records.database import Database, UtcTime
from records.errors import Conflict, DatabaseUnavailable, RuleBroken
from records.prepared import driver
from records.schema import migrate
from records.tables import lease, subject
from server.clock import utc_now
from tests.support.databases import Databases
from tests.support.postgres import PrivatePostgres, a_postgres, server_folder

TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


@given(TIMES)
def test_a_time_comes_back_to_the_microsecond(time: datetime) -> None:
    column, dialect = UtcTime(), sqlite.dialect()

    assert column.process_result_value(column.process_bind_param(time, dialect), dialect) == time


@given(TIMES, TIMES)
def test_stored_times_are_in_the_order_of_the_times(one: datetime, other: datetime) -> None:
    column, dialect = UtcTime(), sqlite.dialect()
    stored = [column.process_bind_param(time, dialect) for time in (one, other)]

    assert (one < other) == (stored[0] < stored[1])  # type: ignore[operator]


def test_a_time_of_another_zone_is_the_same_moment_in_utc(database: Database) -> None:
    copenhagen = NOW.astimezone(timezone(timedelta(hours=1)))
    with database.write() as tx:
        tx.execute(insert(lease).values(name="x", holder="y", until_at=copenhagen))

    with database.read() as tx:
        stored = tx.execute(select(lease.c.until_at)).scalar_one()

    assert stored == NOW
    assert stored.utcoffset() == timedelta(0)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_sqlite_keeps_what_it_acknowledged_and_overwrites_what_it_deletes(
    database: Database,
) -> None:
    with database.write() as tx:
        found = {
            name: tx.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in (
                "journal_mode",
                "synchronous",
                "secure_delete",
                "foreign_keys",
                "recursive_triggers",
            )
        }

    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
        "recursive_triggers": 1,
    }


def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    def write_and_fail() -> None:
        with database.write() as tx:
            tx.execute(insert(lease).values(name="x", holder="y", until_at=NOW))
            raise LookupError

    with pytest.raises(LookupError):
        write_and_fail()

    with database.read() as tx:
        assert tx.execute(select(lease)).first() is None


def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    with database.read() as view:
        before = view.execute(select(lease)).all()
        with database.write() as tx:
            tx.execute(insert(lease).values(name="x", holder="y", until_at=NOW))
        after = view.execute(select(lease)).all()

    assert before == after == []


def test_one_user_after_another_gets_the_connection_that_was_used_last(database: Database) -> None:
    with database.read() as one, database.read() as other:
        assert driver(one) is not driver(other)
    used = []

    for _ in range(4):
        with database.write() as tx:
            used.append(driver(tx))

    assert all(each is used[0] for each in used)


def test_a_guard_that_refuses_is_named_with_its_sentence(database: Database) -> None:
    add_subject(database, "subject-1")

    with pytest.raises(RuleBroken) as refusal, database.write() as tx:
        tx.execute(text("UPDATE subject SET id = 'subject-2'"))

    assert refusal.value.code == "PKI12"
    assert refusal.value.sentence == (
        "a subject keeps its name and kind, and its erasure is not taken back"
    )


def test_a_check_that_refuses_is_named(database: Database) -> None:
    with pytest.raises(RuleBroken) as refusal, database.write() as tx:
        tx.execute(insert(subject).values(id="s", kind="x", state="dead", created_at=NOW))

    assert refusal.value.code == "ck_subject_state"


def test_a_missing_value_is_named_by_its_column(database: Database) -> None:
    with pytest.raises(RuleBroken) as refusal, database.write() as tx:
        tx.execute(text("INSERT INTO lease (name, until_at) VALUES ('x', 0)"))

    assert refusal.value.code.endswith("holder")


def test_a_key_that_is_taken_is_a_conflict(database: Database) -> None:
    def write() -> None:
        with database.write() as tx:
            tx.execute(insert(lease).values(name="x", holder="y", until_at=NOW))

    write()

    with pytest.raises(Conflict):
        write()


def test_no_error_shows_a_value(database: Database) -> None:
    with pytest.raises(Exception, match="no_such_column") as failure, database.write() as tx:
        tx.execute(text("SELECT no_such_column FROM lease WHERE name = :n"), {"n": "CANARY"})

    assert "CANARY" not in str(failure.value)


def test_durable_settings_are_accepted(database: Database) -> None:
    database.check_durable()


@pytest.mark.parametrize("engine", ["postgresql"])
@pytest.mark.parametrize("where", ["DATABASE {name}", "ROLE tillid IN DATABASE {name}"])
def test_postgresql_that_acknowledges_before_the_disk_is_refused(
    database: Database, postgres: PrivatePostgres, where: str
) -> None:
    name = database.engine.url.database
    postgres.administer(f"ALTER {where.format(name=name)} SET synchronous_commit = off")

    with pytest.raises(DatabaseUnavailable, match="synchronous_commit=off"):
        database.check_durable()


def test_a_postgresql_that_stops_is_unavailable_and_can_come_back() -> None:
    with a_postgres() as server:
        database = Database(server.create("stopping"))
        migrate(database)
        add_subject(database, "subject-1")
        server.stop()

        with pytest.raises(DatabaseUnavailable):
            add_subject(database, "subject-2")
        server.restart()

        add_subject(database, "subject-3")
        with database.read() as tx:
            kept = tx.execute(select(subject.c.id).order_by(subject.c.id)).scalars().all()
        database.close()
    assert kept == ["subject-1", "subject-3"]


def test_a_postgresql_that_dies_in_a_transaction_makes_it_unavailable() -> None:
    with a_postgres() as server:
        database = Database(server.create("dying"))
        migrate(database)

        def stop_in_the_middle() -> None:
            with database.write() as tx:
                tx.execute(insert(subject).values(id="s", kind="x", state="active", created_at=NOW))
                server.stop()

        with pytest.raises(DatabaseUnavailable):
            stop_in_the_middle()
        database.close()


def test_the_private_server_ends_with_the_process_that_started_it() -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from tests.support.postgres import PrivatePostgres\n"
        "folder = Path(sys.argv[1])\n"
        "server = PrivatePostgres(folder)\n"
        "server.start()\n"
        "print(server._child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with server_folder() as folder:
        killed = subprocess.run(
            [sys.executable, "-c", program, str(folder)],
            cwd=Path(__file__).parent.parent.parent,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        pid = int(killed.stdout)
        deadline = utc_now() + timedelta(seconds=10)
        while Path(f"/proc/{pid}/cmdline").exists() and utc_now() < deadline:
            os.sched_yield()
        gone = not Path(f"/proc/{pid}/cmdline").exists() or not command_of(pid)

    assert gone


def test_a_connection_that_died_in_the_pool_is_replaced(databases: Databases) -> None:
    with databases.migrated("postgresql") as database:
        with database.read() as other:
            with database.read() as tx:
                pid = tx.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")

        add_subject(database, "subject-1")

        with database.read() as tx:
            assert tx.execute(select(subject.c.id)).scalars().all() == ["subject-1"]


def test_a_connection_that_dies_under_a_statement_is_unavailable(databases: Databases) -> None:
    def write() -> None:
        with database.write() as tx:
            pid = tx.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with database.read() as other:
                other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
            append(tx, Event("test.event", "system:operator", "x", {}), NOW)

    with databases.migrated("postgresql") as database:
        with pytest.raises(DatabaseUnavailable):
            write()

        add_subject(database, "subject-1")


def test_a_full_disk_is_unavailable_and_keeps_what_was_there(databases: Databases) -> None:
    with databases.migrated("sqlite") as database:
        add_subject(database, "subject-1")
        with database.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        # The limit belongs to the connection, and the pool gives the same one again.
        with database.engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")

        def fill() -> None:
            with database.write() as tx:
                tx.execute(
                    insert(lease).values(name="full", holder="x" * 100_000, until_at=utc_now())
                )

        with pytest.raises(DatabaseUnavailable, match="SQLITE_FULL"):
            fill()
        with database.read() as tx:
            assert tx.execute(select(subject.c.id)).scalars().all() == ["subject-1"]
            assert tx.execute(select(lease)).first() is None


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "tillid.db").write_bytes(b"no database at all " * 1000)
    database = Database(f"sqlite:///{tmp_path}/tillid.db")

    with pytest.raises(DatabaseUnavailable), database.read() as tx:
        tx.execute(text("SELECT 1 FROM sqlite_master"))
    database.close()


def test_a_database_whose_connections_are_all_taken_is_unavailable(databases: Databases) -> None:
    with databases.migrated("sqlite") as database:
        pool = database.engine.pool
        pool._timeout = 0.01  # type: ignore[attr-defined]
        taken = [database.engine.connect() for _ in range(15)]

        with pytest.raises(DatabaseUnavailable), database.read():
            pass

        for connection in taken:
            connection.close()


def add_subject(database: Database, name: str) -> None:
    with database.write() as tx:
        tx.execute(insert(subject).values(id=name, kind="x", state="active", created_at=NOW))


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""

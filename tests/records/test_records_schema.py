"""Migrations, and the look at start-up whether the database is the one that was migrated."""

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.migration import MigrationContext
from sqlalchemy import text

from records.database import Database
from records.errors import DatabaseUnavailable
from records.guards import GUARDS, triggers
from records.schema import CURRENT, _config, check_schema, digest_in_force, migrate
from records.tables import metadata
from records.triggers import NOW, render
from server.clock import utc_now
from tests.support.databases import ENGINES, Databases
from tests.support.stores import contents


@pytest.fixture
def empty(databases: Databases, engine: str) -> Iterator[Database]:
    with databases.empty(engine) as made:
        yield made


def test_an_empty_database_is_refused_and_says_what_to_do(empty: Database) -> None:
    with pytest.raises(DatabaseUnavailable, match="tillid db migrate"):
        check_schema(empty)


def test_a_migration_from_nothing_gives_the_current_schema(empty: Database) -> None:
    migrate(empty)

    check_schema(empty)


def test_publications_of_before_stay_and_a_withdrawal_is_set_aside_no_more(
    empty: Database,
) -> None:
    with empty.write() as tx:
        upgrade(_config(tx), "0016")
        for number, state in enumerate(("pending", "withdrawing")):
            tx.exec_driver_sql(
                "INSERT INTO publication (id, directory, issuer, serial, subject_id, state,"  # noqa: S608
                " retry_at, attempts, error_code, set_aside_at)"
                f" VALUES ({number}, 'main', 'issuing', '{number}', 'p', '{state}', 1, 5, 'x', 2)"
            )
    migrate(empty)
    check_schema(empty)
    kept = "SELECT id, subject_id, state, returns, attempts, set_aside_at FROM publication"
    with empty.read() as tx:
        rows = tx.execute(text(f"{kept} ORDER BY id")).all()
    assert rows == [(0, "p", "pending", 0, 5, 2), (1, "p", "withdrawing", 0, 5, None)]


def test_a_second_migration_changes_nothing(database: Database) -> None:
    before = (contents(database), objects(database))

    migrate(database)

    assert (contents(database), objects(database)) == before


def test_the_migrations_make_exactly_the_tables_of_the_program(database: Database) -> None:
    with database.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_server_default": True})

        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("version", ["0000", "9999"])
def test_an_older_or_newer_schema_is_refused(database: Database, version: str) -> None:
    run(database, f"UPDATE alembic_version SET version_num = '{version}'")  # noqa: S608

    with pytest.raises(
        DatabaseUnavailable, match=f"schema {version}, this version needs {CURRENT}"
    ):
        check_schema(database)


def test_a_guard_that_was_taken_away_is_named_and_put_back(database: Database) -> None:
    run(database, drop("guard_000_pki01", database))

    with pytest.raises(DatabaseUnavailable, match="guard_000_pki01"):
        check_schema(database)
    migrate(database)
    check_schema(database)


def test_a_guard_that_was_weakened_is_named_and_put_right(database: Database) -> None:
    (genuine,) = (t for t in triggers(database.dialect) if t.name == "guard_000_pki01")
    run(database, drop(genuine.name, database))
    for statement in genuine.create:
        run(database, statement.replace("OLD.status <> 'revoked'", "1 = 0"))

    with pytest.raises(DatabaseUnavailable, match="guard_000_pki01"):
        check_schema(database)
    migrate(database)
    check_schema(database)


@pytest.mark.parametrize("engine", ["postgresql"])
@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE certificate DISABLE TRIGGER guard_000_pki01",
        "ALTER TABLE certificate ENABLE TRIGGER guard_000_pki01",
        (
            "DROP TRIGGER guard_000_pki01 ON certificate; CREATE TRIGGER guard_000_pki01"
            " BEFORE DELETE ON certificate FOR EACH ROW WHEN (1 = 0)"
            " EXECUTE FUNCTION guard_000_pki01();"
            " ALTER TABLE certificate ENABLE ALWAYS TRIGGER guard_000_pki01"
        ),
        (
            "DROP TRIGGER guard_000_pki01 ON certificate; CREATE TRIGGER guard_000_pki01"
            " BEFORE DELETE ON lease FOR EACH ROW EXECUTE FUNCTION guard_000_pki01();"
            " ALTER TABLE lease ENABLE ALWAYS TRIGGER guard_000_pki01"
        ),
        "ALTER FUNCTION guard_000_pki01() SET search_path = pg_temp, public",
        "ALTER FUNCTION guard_000_pki01() RESET search_path",
    ],
)
def test_a_guard_that_rests_or_was_bent_is_named(database: Database, change: str) -> None:
    run(database, change)

    with pytest.raises(DatabaseUnavailable, match="guard_000_pki01"):
        check_schema(database)
    migrate(database)
    check_schema(database)


def test_a_trigger_that_is_not_ours_is_named_and_taken_away(database: Database) -> None:
    if database.dialect == "sqlite":
        run(
            database,
            "CREATE TRIGGER helpful AFTER INSERT ON lease BEGIN DELETE FROM lease; END",
        )
    else:
        run(
            database,
            "CREATE FUNCTION helpful() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NULL; END';"
            " CREATE TRIGGER helpful BEFORE DELETE ON audit_event"
            " FOR EACH ROW EXECUTE FUNCTION helpful()",
        )

    with pytest.raises(DatabaseUnavailable, match="helpful"):
        check_schema(database)
    migrate(database)
    check_schema(database)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_digest_of_the_schema_depends_on_every_guard(engine: str) -> None:
    everything = {trigger.body for trigger in triggers(engine)}

    for left_out in GUARDS:
        rest = [guard for guard in GUARDS if guard is not left_out]
        assert {trigger.body for trigger in render(engine, rest, ())} != everything


def test_the_digest_is_of_what_the_database_has(database: Database) -> None:
    whole = digest_in_force(database)
    assert digest_in_force(database) == whole

    run(database, drop("guard_000_pki01", database))
    assert digest_in_force(database) != whole


ALTERED = {
    "a column more": "ALTER TABLE lease ADD COLUMN helpful INTEGER",
    "an index less": "DROP INDEX ix_application_subject_id",
    "an index over something else": (
        "DROP INDEX ix_application_subject_id;"
        "CREATE INDEX ix_application_subject_id ON application (profile)"
    ),
    "a unique index more": "CREATE UNIQUE INDEX helpful ON lease (holder)",
    "a table less": "DROP TABLE audit_retention",
}
ALTERED_POSTGRESQL = {
    "a constraint less": "ALTER TABLE subject DROP CONSTRAINT ck_subject_state",
    "a null more": "ALTER TABLE audit_event ALTER COLUMN header DROP NOT NULL",
    "another type": "ALTER TABLE lease ALTER COLUMN holder TYPE text",
    "another default": "ALTER TABLE audit_event ALTER COLUMN payloads SET DEFAULT 1",
    "a rule": "CREATE RULE helpful AS ON DELETE TO lease DO INSTEAD NOTHING",
    "a policy": "ALTER TABLE lease ENABLE ROW LEVEL SECURITY",
}


@pytest.mark.parametrize("change", ALTERED)
def test_tables_that_were_altered_are_named_and_change_the_digest(
    database: Database, change: str
) -> None:
    whole = digest_in_force(database)
    for statement in ALTERED[change].split(";"):
        run(database, statement)

    with pytest.raises(DatabaseUnavailable, match="facts of the tables"):
        check_schema(database)
    assert digest_in_force(database) != whole


@pytest.mark.parametrize("engine", ["postgresql"])
@pytest.mark.parametrize("change", ALTERED_POSTGRESQL)
def test_constraints_rules_and_policies_are_told_apart(database: Database, change: str) -> None:
    whole = digest_in_force(database)
    run(database, ALTERED_POSTGRESQL[change])

    with pytest.raises(DatabaseUnavailable, match="facts of the tables"):
        check_schema(database)
    assert digest_in_force(database) != whole


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_constraint_of_the_same_name_that_forbids_nothing_changes_the_digest(
    database: Database,
) -> None:
    whole = digest_in_force(database)
    run(
        database,
        "ALTER TABLE subject DROP CONSTRAINT ck_subject_state;"
        "ALTER TABLE subject ADD CONSTRAINT ck_subject_state CHECK (true)",
    )
    assert digest_in_force(database) != whole


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_check_that_was_rewritten_in_the_file_is_named(database: Database) -> None:
    whole = digest_in_force(database)
    with database.write() as tx:
        tx.exec_driver_sql("PRAGMA writable_schema=ON")
        tx.exec_driver_sql(
            "UPDATE sqlite_master SET sql = replace(sql, 'state IN (', 'state NOT IN (')"
            " WHERE name = 'subject'"
        )
    with pytest.raises(DatabaseUnavailable, match="subject: check"):
        check_schema(database)
    assert digest_in_force(database) != whole


def test_the_clock_of_the_guards_tells_the_time(database: Database) -> None:
    with database.read() as tx:
        told = tx.execute(text(f"SELECT {NOW[database.dialect]}")).scalar_one()

    assert told is not None
    assert abs(told / 1_000_000 - utc_now().timestamp()) < 5


def run(database: Database, statements: str) -> None:
    with database.write() as tx:
        tx.exec_driver_sql(statements)


def drop(trigger: str, database: Database) -> str:
    return f"DROP TRIGGER {trigger}" + ("" if database.dialect == "sqlite" else " ON certificate")


def objects(database: Database) -> list[tuple[object, ...]]:
    """Every table, index and trigger, as the engine tells it."""
    queries = {
        "sqlite": "SELECT name, sql FROM sqlite_master ORDER BY name",
        "postgresql": "SELECT oid, tgname FROM pg_trigger ORDER BY oid",
    }
    with database.read() as tx:
        return [tuple(row) for row in tx.execute(text(queries[database.dialect]))]

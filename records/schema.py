"""Bringing a database to the current schema, and telling whether it is there.

Migrations make tables; the guards are put in anew after each of them, whole, from `records.guards`.
"""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from records.database import Database
from records.errors import DatabaseUnavailable
from records.guards import digest, expected, triggers
from records.roles import grant
from records.schema_shape import definitions, expected_shape, shape_in_force

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"
CURRENT = "0018"
_NAMED = 5
# What each engine says of the triggers that are there: table, name and body.
_PRESENT = {
    "sqlite": "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": (
        "SELECT c.relname, t.tgname, CASE t.tgenabled WHEN 'A' THEN '' ELSE 'not always: ' END"
        " || pg_get_triggerdef(t.oid, true) || ' '"
        " || CASE WHEN p.prosecdef THEN 'SECURITY DEFINER ' ELSE '' END"
        " || COALESCE(array_to_string(p.proconfig, ' '), '') || p.prosrc"
        " FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
        " JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal"
    ),
}


def migrate(database: Database) -> None:
    """Apply every migration that the database lacks, its guards and rights, in one transaction.

    On PostgreSQL whoever is connected owns what it makes (`records.roles`).
    """
    from alembic import command  # noqa: PLC0415 - slow to load, needed by this verb only

    with database.write() as connection:
        if database.dialect == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7418456)")
        command.upgrade(_config(connection), "head")
        _install_guards(connection)
        grant(connection)


def check_schema(database: Database) -> None:
    """Refuse a database whose tables or guards are not those of this version.

    Raises:
        DatabaseUnavailable: the schema is older or newer, or a guard is missing or altered.
    """
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            raise DatabaseUnavailable("the database is empty; run: tillid db migrate")
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if version != CURRENT:
            raise DatabaseUnavailable(
                f"the database has schema {version}, this version needs {CURRENT};"
                " run: tillid db migrate"
            )
        present = _present(connection)
        shape = shape_in_force(connection) ^ expected_shape(connection.dialect)
    if shape:
        raise DatabaseUnavailable(
            f"{len(shape)} facts of the tables are not those of this version ({_named(shape)});"
            " find out who changed them, and put them back or restore a backup"
        )
    # A trigger too many can undo what a guard says, so it counts like one that was altered.
    altered = {name for (_, name), _ in present.items() ^ expected(database.dialect).items()}
    if altered:
        raise DatabaseUnavailable(
            f"{len(altered)} guards of the database are missing, altered or not ours"
            f" ({_named(altered)}); find out who did it, then run: tillid db migrate"
        )


def digest_in_force(database: Database) -> bytes:
    """SHA-256 over the schema that the database has now, for the heads of the audit log.

    It covers triggers, tables, columns, constraints and indexes, and what lies over the tables.
    """
    with database.read() as connection:
        lines = {*shape_in_force(connection), *definitions(connection)}
        guards = digest(_present(connection))
    return hashlib.sha256(b"\n".join([guards, *(line.encode() for line in sorted(lines))])).digest()


def _named(what: Collection[str]) -> str:
    """A few of them, in order."""
    return ", ".join(sorted(what)[:_NAMED]) + (", …" if len(what) > _NAMED else "")


def _install_guards(connection: Connection) -> None:
    wanted = list(triggers(connection.dialect.name))
    present = _present(connection)
    if present == expected(connection.dialect.name):
        return
    # Guards of an earlier version go, too, and what others put in.
    for place in present:
        _drop(connection, *place)
    # Of several guards that refuse one statement, both engines let the first of the table speak:
    # PostgreSQL goes by name, SQLite runs the newest trigger first.
    for trigger in reversed(wanted) if connection.dialect.name == "sqlite" else wanted:
        for statement in trigger.create:
            # Percent signs would be read as parameters; there are none, and none are passed.
            connection.exec_driver_sql(statement)


def _drop(connection: Connection, table: str, name: str) -> None:
    quote = connection.dialect.identifier_preparer.quote
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"DROP TRIGGER {quote(name)}")
    else:
        connection.exec_driver_sql(f"DROP TRIGGER {quote(name)} ON {quote(table)}")


def _present(connection: Connection) -> dict[tuple[str, str], str]:
    rows = connection.execute(text(_PRESENT[connection.dialect.name]))
    return {(str(table), str(name)): str(body) for table, name, body in rows}


def _config(connection: Connection) -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config

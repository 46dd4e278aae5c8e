"""The shape of the tables: what this version makes, and what a database has.

Both are told as sets of lines, so that what differs can be named. The words of checks and partial
indexes are compared on SQLite; PostgreSQL tells them in other words than it was given, so there it
is their names, and the words go into the digest that the heads of the audit log carry.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Dialect,
    Index,
    Inspector,
    Table,
    UniqueConstraint,
    inspect,
)
from sqlalchemy.engine.interfaces import ReflectedColumn, ReflectedIndex
from sqlalchemy.schema import DefaultClause

from records.tables import metadata

_Facts = TypeVar("_Facts")
_WORDS_KEPT = "sqlite"
# Rules rewrite statements and policies hide rows, both past every trigger; checks in full.
_DEFINITIONS = {
    "postgresql": (
        "SELECT 'rule ' || tablename || ' ' || definition FROM pg_rules"
        " WHERE schemaname = 'public'"
        " UNION ALL SELECT 'row security ' || relname FROM pg_class WHERE (relrowsecurity"
        " OR relforcerowsecurity) AND relnamespace = 'public'::regnamespace"
        " UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' '"
        " || pg_get_constraintdef(oid) || ' ' || convalidated FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace"
        " UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'"
    ),
    "sqlite": "",
}
_MEANT = ("constraint ", "index ")


def expected_shape(dialect: Dialect) -> frozenset[str]:
    """What this version makes on that engine, a line a fact."""
    lines: set[str] = set()
    for table in metadata.sorted_tables:
        lines.update(f"{table.name}: {fact}" for fact in _made(table, dialect))
    return frozenset(lines)


def shape_in_force(connection: Connection) -> frozenset[str]:
    """What the database has of our tables, and what lies over them, a line a fact."""
    lines = {line for line in definitions(connection) if not line.startswith(_MEANT)}
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    found = _Found(inspector, connection.dialect)
    for name in metadata.tables.keys() & there:
        lines.update(f"{name}: {fact}" for fact in found.facts(name))
    return frozenset(lines)


def definitions(connection: Connection) -> Iterator[str]:
    """Constraints, indexes, rules and policies in the engine's own words, where it has them."""
    query = _DEFINITIONS[connection.dialect.name]
    if query:
        yield from map(str, connection.exec_driver_sql(query).scalars())


def _made(table: Table, dialect: Dialect) -> Iterator[str]:
    yield from (_column(column, dialect) for column in table.columns)
    yield _listed("primary key", table.primary_key.columns.keys())
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield _listed(f"unique {constraint.name}", constraint.columns.keys())
        elif isinstance(constraint, CheckConstraint):
            yield _check(str(constraint.name), str(constraint.sqltext), dialect)
    yield from (_index(index, dialect) for index in table.indexes)
    if dialect.name == "sqlite" and not table.dialect_options["sqlite"]["with_rowid"]:
        yield "without rowid"


def _column(column: Column[object], dialect: Dialect) -> str:
    default = column.server_default
    said = str(default.arg) if isinstance(default, DefaultClause) else None
    kind = column.type.compile(dialect)
    return _column_line(column.name, kind, said, nullable=bool(column.nullable))


def _index(index: Index, dialect: Dialect) -> str:
    where = index.dialect_options[dialect.name].get("where")
    columns = [column.name for column in index.columns]
    only = _only(where, dialect)
    return _index_line(str(index.name), columns, only, unique=bool(index.unique))


class _Found:
    """The facts of the tables that are there."""

    def __init__(self, inspector: Inspector, dialect: Dialect) -> None:
        self._dialect = dialect
        self._columns = _by_table(inspector.get_multi_columns())
        self._keys = _by_table(inspector.get_multi_pk_constraint())
        self._uniques = _by_table(inspector.get_multi_unique_constraints())
        self._checks = _by_table(inspector.get_multi_check_constraints())
        self._indexes = _by_table(inspector.get_multi_indexes())
        self._foreign = _by_table(inspector.get_multi_foreign_keys())
        self._options = _by_table(inspector.get_multi_table_options())

    def facts(self, name: str) -> Iterator[str]:
        """Everything about one table."""
        yield from (self._column(column) for column in self._columns[name])
        yield _listed("primary key", self._keys[name]["constrained_columns"])
        for unique in self._uniques.get(name, ()):
            yield _listed(f"unique {unique['name']}", unique["column_names"])
        for check in self._checks.get(name, ()):
            yield _check(str(check["name"]), check["sqltext"], self._dialect)
        for index in self._indexes.get(name, ()):
            if "duplicates_constraint" not in index:
                yield self._index(index)
        yield from (f"foreign key {each['name']}" for each in self._foreign.get(name, ()))
        if self._options.get(name, {}).get("sqlite_with_rowid") is False:
            yield "without rowid"

    def _column(self, column: ReflectedColumn) -> str:
        kind = column["type"].compile(self._dialect)
        default = column["default"]
        if default is not None and default.startswith("nextval("):
            default = None  # how PostgreSQL numbers rows by itself
        return _column_line(column["name"], kind, default, nullable=column["nullable"])

    def _index(self, index: ReflectedIndex) -> str:
        where = index.get("dialect_options", {}).get(f"{self._dialect.name}_where")
        columns = [str(column) for column in index["column_names"]]
        only = _only(where, self._dialect)
        return _index_line(str(index["name"]), columns, only, unique=bool(index["unique"]))


def _by_table(found: Mapping[tuple[str | None, str], _Facts]) -> dict[str, _Facts]:
    return {name: facts for (_, name), facts in found.items()}


def _column_line(name: str, kind: str, default: str | None, *, nullable: bool) -> str:
    said = "" if default is None else f" default {_plain(default.partition('::')[0])}"
    return f"column {name} {kind}{'' if nullable else ' not null'}{said}"


def _only(where: object, dialect: Dialect) -> str:
    """Of which rows an index is."""
    if where is None:
        return ""
    return f" where {_plain(str(where))}" if dialect.name == _WORDS_KEPT else " where"


def _index_line(name: str, columns: list[str], only: str, *, unique: bool) -> str:
    return _listed(f"{'unique ' if unique else ''}index {name}", columns) + only


def _check(name: str, words: str, dialect: Dialect) -> str:
    return f"check {name}" + (f" {_plain(words)}" if dialect.name == _WORDS_KEPT else "")


def _listed(what: str, names: list[str]) -> str:
    return f"{what} ({', '.join(names)})"


def _plain(words: str) -> str:
    """An expression without what engines add or leave out: quotes, outer parentheses, spaces."""
    plain = " ".join(words.split())
    while plain.startswith("(") and plain.endswith(")"):
        plain = plain[1:-1]
    return plain.strip("'")

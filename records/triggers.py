"""Rules of the database as values, and how each engine is told of them.

A guard is one condition on OLD and NEW in the SQL that SQLite and PostgreSQL share, with places
to fill: `{now}`, microseconds since 1970 by the database's own clock; `{lock}`, which makes
PostgreSQL wait for whoever is changing the row that is looked at; and `{share}`, which makes it
wait only for whoever took that row for himself (FOR UPDATE), as a foreign key does.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

NOW = {
    # Whole seconds: SQLite before 3.42 knows nothing finer, and answers NULL when asked for it.
    "sqlite": "CAST(strftime('%s', 'now') AS INTEGER) * 1000000",
    "postgresql": "CAST(extract(epoch from clock_timestamp()) * 1000000 AS BIGINT)",
}
_LOCK = {"sqlite": "", "postgresql": " FOR NO KEY UPDATE"}
_SHARE = {"sqlite": "", "postgresql": " FOR KEY SHARE"}
# Temporary tables come last, so that nobody can put one in the place of a table that a guard reads.
_SEARCH_PATH = "public, pg_temp"


@dataclass(frozen=True, slots=True)
class Guard:
    """One rule: refuse the event on the table when the condition holds."""

    code: str
    table: str
    event: str
    when: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What follows from an event on a table when the condition holds; `{now}` as in a guard."""

    name: str
    table: str
    event: str
    when: str
    statement: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger as an engine stores it: `body` is what the engine gives back when asked."""

    name: str
    table: str
    body: str
    create: tuple[str, ...]


def changed(*columns: str) -> str:
    """The condition that an update changes one of the columns."""
    return " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in columns)


def same_row(table: str, *columns: str) -> str:
    """The condition that a row with these values is there already.

    It is asked before an insert because REPLACE in SQLite removes that row, by default without
    a trigger.
    """
    same = " AND ".join(f"x.{column} = NEW.{column}" for column in columns)
    return f"EXISTS (SELECT 1 FROM {table} x WHERE {same})"  # noqa: S608 - names from the rules


def render(dialect: str, guards: Iterable[Guard], effects: Iterable[Effect]) -> Iterator[Trigger]:
    """All of them in the SQL of one engine; no guarded table of PostgreSQL can be truncated."""
    trigger = _sqlite if dialect == "sqlite" else _postgresql
    tables: dict[str, None] = {}
    for number, guard in enumerate(guards):
        name = f"guard_{number:03}_{guard.code.lower()}"
        when = guard.when.format(now=NOW[dialect], lock=_LOCK[dialect], share=_SHARE[dialect])
        refusal = _refuse(dialect, f"{guard.code}: {guard.sentence}")
        yield trigger(name, f"BEFORE {guard.event}", guard.table, when, refusal)
        tables[guard.table] = None
    for effect in effects:
        event = f"AFTER {effect.event}"
        statement = effect.statement.format(now=NOW[dialect])
        yield trigger(f"effect_{effect.name}", event, effect.table, effect.when, statement)
    if dialect == "postgresql":
        body = _refuse(dialect, "PKI19: a table of records is never emptied at once")
        for table in tables:
            name = f"guard_truncate_{table}"
            yield _with_function(name, "BEFORE TRUNCATE", table, ("STATEMENT", f"{body};"))


def _refuse(dialect: str, text: str) -> str:
    if dialect == "sqlite":
        return f"SELECT RAISE(ABORT, '{text}')"
    return f"RAISE EXCEPTION '{text}' USING ERRCODE = '23001'"


def _sqlite(name: str, event: str, table: str, when: str, body: str) -> Trigger:
    when = when.replace("IS DISTINCT FROM", "IS NOT")
    statement = (
        f"CREATE TRIGGER {name} {event} ON {table} FOR EACH ROW WHEN {when} BEGIN {body}; END"
    )
    return Trigger(name, table, statement, (statement,))


def _postgresql(name: str, event: str, table: str, when: str, body: str) -> Trigger:
    result = "OLD" if event.endswith("DELETE") else "NEW"
    source = f"IF {when} THEN {body}; END IF; RETURN {result};"
    # An effect writes what nobody may write by himself, so it does so as the owner of the tables;
    # a guard only looks.
    rights = "SECURITY DEFINER " if event.startswith("AFTER") else ""
    return _with_function(name, event, table, ("ROW", source), rights)


def _with_function(
    name: str, event: str, table: str, each: tuple[str, str], rights: str = ""
) -> Trigger:
    level, source = each
    source = f" BEGIN {source} END "
    function = (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
        f" {rights}SET search_path = {_SEARCH_PATH} AS $${source}$$"
    )
    trigger = f"CREATE TRIGGER {name} {event} ON {table} FOR EACH {level} EXECUTE FUNCTION {name}()"
    return Trigger(
        name,
        table,
        f"{trigger} {rights}search_path={_SEARCH_PATH}{source}",
        (
            function,
            trigger,
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}",
        ),
    )

"""Statements with which a row is written once more."""

from records.tables import metadata


def copied(table: str, where: str, *, verb: str = "INSERT INTO", **changes: str) -> str:
    """An INSERT of a row that is there already, with some columns changed."""
    columns = metadata.tables[table].columns.keys()
    values = (changes.get(column, column) for column in columns)
    return (
        f"{verb} {table} ({', '.join(columns)})"  # noqa: S608
        f" SELECT {', '.join(values)} FROM {table} WHERE {where}"
    )


def over(table: str, where: str, key: str, assignment: str, **changes: str) -> list[str]:
    """The same row once more: REPLACE, which SQLite knows, and ON CONFLICT, which both know."""
    return [
        copied(table, where, verb="REPLACE INTO", **changes),
        f"{copied(table, where, **changes)} ON CONFLICT ({key}) DO UPDATE SET {assignment}",
    ]

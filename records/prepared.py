"""Statements of the paths that must be cheap, run by the driver itself.

To compile, bind and wrap a statement anew costs several times what the database does for it. Here
it is compiled once for each engine, and its values still go through the types of their columns.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.sql.compiler import SQLCompiler

_Bind = Callable[[Mapping[str, object]], Any]


class Prepared:
    """One statement, all of whose parameters are given a value at each use.

    What goes wrong is raised as the driver has it; `Database` names it where the transaction ends.
    """

    def __init__(self, statement: Executable, columns: Sequence[str] | None = None) -> None:
        """Take a statement, and the columns that an INSERT is given."""
        self._statement, self._columns = statement, columns
        self._compiled: dict[str, tuple[str, _Bind]] = {}

    def rows(self, tx: Connection, values: Mapping[str, object]) -> list[Any]:
        """What the statement finds: tuples, as the driver reads them."""
        text, bind = self._for(tx.dialect)
        return list(driver(tx).execute(text, bind(values)))

    def run(self, tx: Connection, rows: Sequence[Mapping[str, object]]) -> int:
        """Run the statement for each of the rows; gives how many it changed."""
        text, bind = self._for(tx.dialect)
        if len(rows) == 1:
            return int(driver(tx).execute(text, bind(rows[0])).rowcount)
        cursor = driver(tx).cursor()
        cursor.executemany(text, [bind(row) for row in rows])
        return int(cursor.rowcount)

    def _for(self, dialect: Dialect) -> tuple[str, _Bind]:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compile(self._statement, dialect, self._columns)
        return found


def driver(tx: Connection) -> Any:
    """The driver's own connection, inside the transaction; both drivers' have `execute`."""
    return tx.connection.dbapi_connection


def _compile(statement: Any, dialect: Dialect, columns: Sequence[str] | None) -> tuple[str, _Bind]:
    compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=columns)
    names = compiled.positiontup or list(compiled.params)
    steps = [(name, _processor(compiled, name, dialect)) for name in names]

    def bind(values: Mapping[str, object]) -> list[object]:
        return [values[name] if to is None else to(values[name]) for name, to in steps]

    if compiled.positiontup:
        return str(compiled), bind
    return str(compiled), lambda values: dict(zip(names, bind(values), strict=True))


def _processor(
    compiled: SQLCompiler, name: str, dialect: Dialect
) -> Callable[[Any], object] | None:
    return compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)

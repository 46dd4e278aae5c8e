"""Single reads by key on kept connections, past the pool: for what relying parties ask all day.

A statement is prepared once for a connection and is a read transaction of its own. In SQLite the
connections can only read, and see the file through memory.
"""

import sqlite3
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from records.database import BUSY_SECONDS, Database
from records.errors import DatabaseUnavailable

_MAPPED_OCTETS = 1 << 30
_MOST_KEPT: Final = 8  # of each statement: a slow moment leaves no crowd behind


class Lookup:
    """One statement that finds one row, for one database.

    Its values come as the database keeps them: times are microseconds since 1970.
    """

    def __init__(self, database: Database, statement: ClauseElement) -> None:
        """Compile a Core statement whose values are `bindparam`s."""
        compiled = cast("SQLCompiler", statement.compile(dialect=database.engine.dialect))
        self._text = str(compiled)
        self._order = None if compiled.positiontup is None else tuple(compiled.positiontup)
        self._database = database
        self._idle: deque[Any] = deque()
        self._is_sqlite = database.dialect == "sqlite"
        database.at_close.append(self._forget)

    def first(self, values: Mapping[str, object]) -> tuple[Any, ...] | None:
        """The first row that is found.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        given = values if self._order is None else [values[name] for name in self._order]
        try:
            kept = self._idle.pop()
        except IndexError:
            return self._run(self._connect(), given)
        try:
            return self._run(kept, given)
        except DatabaseUnavailable:
            if self._is_sqlite:
                raise
            # One that was kept over a restart of the server is of no use; neither are the others.
            self._forget()
            return self._run(self._connect(), given)

    def _run(self, connection: Any, given: object) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = connection.execute(self._text, given).fetchone()
        except self._errors() as error:
            connection.close()
            raise _unavailable(error) from None
        if len(self._idle) < _MOST_KEPT:
            self._idle.append(connection)
        else:
            connection.close()
        return row

    def _forget(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _errors(self) -> type[Exception]:
        error: type[Exception] = self._database.engine.dialect.loaded_dbapi.Error
        return error

    def _connect(self) -> Any:
        try:
            return self._connect_sqlite() if self._is_sqlite else self._connect_postgresql()
        except (self._errors(), DBAPIError, NoConnectionFree) as error:
            raise _unavailable(error) from None

    def _connect_sqlite(self) -> sqlite3.Connection:
        path = Path(self._database.engine.url.database or "").absolute()
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute(f"PRAGMA mmap_size={_MAPPED_OCTETS}")
        return connection

    def _connect_postgresql(self) -> Any:
        taken = self._database.engine.raw_connection()
        connection: Any = taken.driver_connection
        taken.detach()
        connection.autocommit = True
        return connection


def _unavailable(error: Exception) -> DatabaseUnavailable:
    # The driver's text may hold values of the statement: only its name is passed on.
    return DatabaseUnavailable(f"the database does not answer ({type(error).__name__})")

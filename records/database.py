"""One database, SQLite or PostgreSQL, and its two kinds of transaction.

SQLite runs in WAL mode with synchronous=FULL: a lower setting loses acknowledged commits at a power
cut. Writers begin IMMEDIATE, so that they queue up instead of failing half-way.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Engine,
    TypeDecorator,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import DatabaseError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import QueuePool

from records.errors import Conflict, DatabaseUnavailable, RecordsError, RuleBroken

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RULE = re.compile(r"([A-Z]{2,4}\d\d): ([^\n]+)")
_CONSTRAINT = re.compile(r"constraint failed: (\S+)|constraint \"(\w+)\"|column \"(\w+)\"")
_TAKEN = frozenset({"23505", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"})
BUSY_SECONDS = 20


class UtcTime(TypeDecorator[datetime]):
    """A UTC time, stored as whole microseconds since 1970 so that both engines compare it alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Aware time to microseconds."""
        del dialect
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Microseconds to aware UTC time."""
        del dialect
        return None if value is None else from_microseconds(value)


def from_microseconds(value: int) -> datetime:
    """A time as a `UtcTime` column holds it, aware and in UTC."""
    return _EPOCH + value * _MICROSECOND


class Database:
    """A pool of connections and the two ways to use one."""

    def __init__(self, url: str) -> None:
        """Connect lazily; the first transaction shows whether the database is there."""
        self.engine = _sqlite(url) if url.startswith("sqlite") else _postgresql(url)
        self.dialect = self.engine.dialect.name
        self.at_close: list[Callable[[], None]] = []
        """What else is given back with the connections."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that is durable when the block ends, or nothing.

        Raises:
            RuleBroken: a rule of the database refused it.
            Conflict: a row of this key is there already.
            DatabaseUnavailable: the database is down, locked for too long, damaged, or full.
        """
        with _errors_named(), self.engine.connect() as connection:
            writer = connection.execution_options(tillid_write=True)
            with writer.begin():
                yield writer

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the database."""
        with _errors_named(), self.engine.connect() as connection:
            if self.dialect == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def check_durable(self) -> None:
        """Refuse a PostgreSQL that acknowledges commits before they are on disk."""
        if self.dialect != "postgresql":
            return
        with self.read() as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                if connection.exec_driver_sql(f"SHOW {setting}").scalar_one() == "off":
                    raise DatabaseUnavailable(
                        f"PostgreSQL runs with {setting}=off and could lose what was acknowledged;"
                        f" set it to on"
                    )

    def close(self) -> None:
        """Give all connections back."""
        for give_back in self.at_close:
            give_back()
        self.engine.dispose()


def _sqlite(url: str) -> Engine:
    path = make_url(url).database
    if path:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        hide_parameters=True,
        poolclass=QueuePool,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "recursive_triggers=ON",
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("tillid_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: str) -> Engine:
    return create_engine(
        url,
        pool_pre_ping=True,
        # The schema that the guards read, too.
        connect_args={"connect_timeout": 5, "options": "-c search_path=public"},
        hide_parameters=True,
        isolation_level="READ COMMITTED",
    )


@contextmanager
def _errors_named() -> Iterator[None]:
    # The driver's text may hold values of the statement: only names are passed on.
    try:
        yield
    except IntegrityError as error:
        raise _refusal(error) from None
    except (OperationalError, InterfaceError) as error:
        if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_ERROR":
            raise  # a statement that SQLite does not understand is our mistake
        raise _unavailable(error.orig) from None
    except NoConnectionFree as error:
        raise _unavailable(error) from None
    except DatabaseError as error:
        # What SQLite says of a damaged file is of no narrower class; the others are our mistakes.
        if type(error) is not DatabaseError:
            raise
        raise _unavailable(error.orig) from None


def _refusal(error: IntegrityError) -> RecordsError:
    text, driver = str(error.orig), error.orig
    if match := _RULE.search(text):
        return RuleBroken(match[1], match[2])
    code = getattr(driver, "sqlstate", None) or getattr(driver, "sqlite_errorname", "")
    if code in _TAKEN:
        return Conflict("a row of this key", "there already")
    found = _CONSTRAINT.search(text)
    name = next(filter(None, found.groups())) if found else "constraint"
    return RuleBroken(name, "a column does not hold what it must")


def _unavailable(error: BaseException | None) -> DatabaseUnavailable:
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return DatabaseUnavailable(f"the database does not answer ({name})")

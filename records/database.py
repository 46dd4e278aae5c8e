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
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import QueuePool

from records.errors import Conflict, DatabaseUnavailable, RecordsError, RuleBroken
from records.prepared import driver

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RULE = re.compile(r"([A-Z]{2,4}\d\d): ([^\n]+)")
_CONSTRAINT = re.compile(r"constraint failed: (\S+)|constraint \"(\w+)\"|column \"(\w+)\"")
_TAKEN = frozenset({"23505", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"})
_NO_RIGHT = "42501"
BUSY_SECONDS = 20
# At most, and all are kept: the jobs of one tick ask at once, and a connection costs more than what
# most of them ask. The one given back last is taken first: what it has in memory is the newest, and
# with SQLite it reads nothing again if it was the last that wrote.
_CONNECTIONS = 15
# For a transaction that reads and for one that writes.
_BEGIN = {
    "sqlite": ("BEGIN", "BEGIN IMMEDIATE"),
    "postgresql": ("BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL READ COMMITTED"),
}


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
        self._dbapi: Any = self.engine.dialect.loaded_dbapi
        # Said by us and not by the drivers, whose own BEGIN comes late and is not IMMEDIATE.
        self._begin_read, self._begin_write = _BEGIN[self.dialect]

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that is durable when the block ends, or nothing.

        Raises:
            RuleBroken: a rule of the database refused it.
            Conflict: a row of this key is there already.
            DatabaseUnavailable: the database is down, locked for too long, damaged, or full.
        """
        with self._transaction(self._begin_write) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the database."""
        with self._transaction(self._begin_read) as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with _errors_named(self._dbapi), self._begun(begin) as connection, connection.begin():
            yield connection

    def _begun(self, begin: str) -> Connection:
        """A connection whose transaction has begun.

        One that died in the pool is replaced: it was asked for nothing yet.
        """
        try:
            return _begin(self.engine.connect(), begin)
        except self._dbapi.OperationalError:
            if self.dialect == "sqlite":
                raise
            self.engine.dispose()
            return _begin(self.engine.connect(), begin)

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

    def is_replica(self) -> bool:
        """Whether this is a PostgreSQL that only follows another one."""
        if self.dialect != "postgresql":
            return False
        with self.read() as connection:
            return bool(connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one())

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
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_use_lifo=True,
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
            "cache_size=-65536",  # KiB: serials and digests are random, so any page may be next
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _postgresql(url: str) -> Engine:
    engine = create_engine(
        url,
        # The schema that the guards read, too.
        # A server that is gone without a word is given up within seconds, not a quarter of an hour.
        connect_args={
            "connect_timeout": 5,
            "options": "-c search_path=public",
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
        hide_parameters=True,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_use_lifo=True,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        connection.autocommit = True

    return engine


def _begin(connection: Connection, begin: str) -> Connection:
    try:
        driver(connection).execute(begin)
    except BaseException:
        connection.invalidate()
        connection.close()
        raise
    return connection


@contextmanager
def _errors_named(dbapi: Any) -> Iterator[None]:
    # The driver's text may hold values of the statement: only names are passed on.
    try:
        yield
    except NoConnectionFree as error:
        raise _unavailable(error) from None
    except (DBAPIError, dbapi.Error) as error:  # as statements of `records.prepared` raise it
        named = _named(dbapi, error.orig if isinstance(error, DBAPIError) else error)
        if named is None:
            raise
        raise named from None


def _named(dbapi: Any, error: BaseException | None) -> RecordsError | None:
    """What a driver's error means to a caller; None for a mistake of ours."""
    if getattr(error, "sqlstate", None) == _NO_RIGHT:
        sentence = "the role of this connection to the database has no right to do this"
        return RuleBroken("ROL01", sentence)
    if isinstance(error, dbapi.IntegrityError):
        return _refusal(error)
    if isinstance(error, dbapi.OperationalError | dbapi.InterfaceError):
        # A statement that SQLite does not understand is our mistake.
        understood = getattr(error, "sqlite_errorname", "") != "SQLITE_ERROR"
        return _unavailable(error) if understood else None
    # What SQLite says of a damaged file is of no narrower class; the others are our mistakes.
    return _unavailable(error) if type(error) is dbapi.DatabaseError else None


def _refusal(error: BaseException) -> RecordsError:
    text = str(error)
    if match := _RULE.search(text):
        return RuleBroken(match[1], match[2])
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", "")
    if code in _TAKEN:
        return Conflict("a row of this key", "there already")
    found = _CONSTRAINT.search(text)
    name = next(filter(None, found.groups())) if found else "constraint"
    return RuleBroken(name, "a column does not hold what it must")


def _unavailable(error: BaseException | None) -> DatabaseUnavailable:
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return DatabaseUnavailable(f"the database does not answer ({name})")

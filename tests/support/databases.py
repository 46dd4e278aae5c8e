"""Migrated databases for tests, on both engines: copies of a template made once a test process."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection

from records.database import Database
from records.guards import triggers
from records.schema import migrate
from tests.support.postgres import SERVICE, PrivatePostgres, a_postgres

ENGINES = ("sqlite", "postgresql")
_TEMPLATE = "migrated"


@dataclass
class Databases:
    """Makes databases: `migrated` with the current schema, `empty` with nothing in it."""

    folder: Path
    postgres: PrivatePostgres
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def prepare(self) -> None:
        """Migrate one template an engine."""
        address = self.postgres.create(_TEMPLATE)
        self.postgres.set_up_roles(_TEMPLATE)
        for url in (self._sqlite(_TEMPLATE), address):
            database = Database(url)
            migrate(database)
            database.close()

    @contextmanager
    def migrated(self, engine: str, *, served: bool = False) -> Iterator[Database]:
        """A database of the current schema with empty tables; `served`: as the service has it.

        Otherwise whoever uses it owns it.
        """
        with self._made(engine, _TEMPLATE) as database:
            if not served or engine == "sqlite":
                yield database
                return
            as_service = Database(self.postgres.url(str(database.engine.url.database), SERVICE))
            try:
                yield as_service
            finally:
                as_service.close()

    @contextmanager
    def empty(self, engine: str) -> Iterator[Database]:
        """A database without a table."""
        with self._made(engine, "template1") as database:
            yield database

    @contextmanager
    def _made(self, engine: str, template: str) -> Iterator[Database]:
        name = f"test_{next(self._numbers)}"
        if engine == "postgresql":
            url = self.postgres.create(name, template)
        else:
            url = self._sqlite(name)
            if template == _TEMPLATE:
                shutil.copy(self.folder / f"{template}.db", self.folder / f"{name}.db")
        database = Database(url)
        try:
            yield database
        finally:
            database.close()
            if engine == "postgresql":
                self.postgres.drop(name)

    def _sqlite(self, name: str) -> str:
        return f"sqlite:///{self.folder / name}.db"


def take_away(tx: Connection, code: str) -> None:
    """Drop the guards of a code, as the owner of a database can."""
    for trigger in triggers(tx.dialect.name):
        if trigger.name.endswith(f"_{code}"):
            on = "" if tx.dialect.name == "sqlite" else f" ON {trigger.table}"
            tx.exec_driver_sql(f"DROP TRIGGER {trigger.name}{on}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """One server for all tests that do not stop it."""
    with a_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory, postgres: PrivatePostgres) -> Databases:
    made = Databases(tmp_path_factory.mktemp("databases"), postgres)
    made.prepare()
    return made


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database(
    databases: Databases, engine: str, request: pytest.FixtureRequest
) -> Iterator[Database]:
    """A fresh database of the current schema; the test runs once an engine.

    On PostgreSQL as its owner, who can do by direct SQL what a test needs; with the mark `served`
    as the service, whose rights then have to be enough.
    """
    served = request.node.get_closest_marker("served") is not None
    with databases.migrated(engine, served=served) as made:
        yield made

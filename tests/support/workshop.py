"""Installations that were prepared once in a test process, and fresh copies of them for tests."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from demo.slapd import PrivateSlapd
from tests.support.people import Applied, Office
from tests.support.postgres import SERVICE, PrivatePostgres, a_postgres
from tests.support.service import Service, quiet_port, until
from tests.support.softhsm import run_python

ENGINES = ("sqlite", "postgresql")
_AUDIT_KEY = """
import os, pathlib, sys
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from server.settings_sources import load_settings
from hsm.labels import AUDIT_KEY
from server.tokens import Tokens
key = Tokens(load_settings(os.environ, pathlib.Path.cwd()).hsm).service_key(AUDIT_KEY)
print(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
"""


@dataclass(frozen=True)
class Verified:
    """An office with one application that waits for its approval."""

    office: Office
    applied: Applied

    @property
    def service(self) -> Service:
        return self.office.service


@dataclass(frozen=True)
class Requested:
    """An office where the erasure of one person with a good certificate is asked for."""

    office: Office
    certificate: Path
    case: str
    audit_key: bytes

    @property
    def service(self) -> Service:
        return self.office.service


@dataclass
class Workshop:
    """Makes what is missing, keeps it at rest, and hands out copies that end with the test."""

    folder: Path
    stack: ExitStack
    copies: int = 0
    _slapd: PrivateSlapd | None = None
    _postgres: PrivatePostgres | None = None
    _verified: dict[str, Verified] = field(default_factory=dict)
    _requested: dict[str, Requested] = field(default_factory=dict)

    @property
    def slapd(self) -> PrivateSlapd:
        """One directory server for all installations of this process."""
        if self._slapd is None:
            self._slapd = PrivateSlapd(self.folder / "slapd", quiet_port())
            self._slapd.start()
            self.stack.callback(self._slapd.stop)
        return self._slapd

    @property
    def postgres(self) -> PrivatePostgres:
        if self._postgres is None:
            self._postgres = self.stack.enter_context(a_postgres())
        return self._postgres

    @contextmanager
    def empty(self) -> Iterator[Service]:
        """Both issuers, and nobody yet; on SQLite."""
        with self._copy_of(self._prepared("sqlite").service, "sqlite") as service:
            yield service

    @contextmanager
    def verified(self, engine: str = "sqlite") -> Iterator[Verified]:
        prepared = self._prepared(engine)
        with self._copy_of(prepared.service, engine) as service:
            yield Verified(Office(service), prepared.applied)

    @contextmanager
    def requested(self, engine: str = "sqlite") -> Iterator[Requested]:
        prepared = self._prepared_erasure(engine)
        with self._copy_of(prepared.service, engine) as service:
            certificate = service.state / "people" / prepared.certificate.name
            yield Requested(Office(service), certificate, prepared.case, prepared.audit_key)

    def _prepared(self, engine: str) -> Verified:
        if engine not in self._verified:
            database = owner = ""
            if engine == "postgresql":
                database, owner = self.postgres.create_for_service("verified")
            place = self.folder / f"verified-{engine}"
            service = Service.prepare(place, self.slapd, database, owner)
            self.stack.callback(service.discard)
            office = Office(service.start())
            office.open()
            applied = office.apply()
            office.vet(applied)
            service.stop()
            self._verified[engine] = Verified(office, applied)
        return self._verified[engine]

    def _prepared_erasure(self, engine: str) -> Requested:
        if engine not in self._requested:
            verified = self._prepared(engine)
            service = self._copied(verified.service, f"requested-{engine}", engine)
            self.stack.callback(service.discard)
            office = Office(service.start())
            office.approve(verified.applied)
            until("the issue", lambda: office.state(verified.applied) == "fulfilled")
            certificate = office.fetch(verified.applied)
            case = office.ask_erasure(verified.applied)
            service.stop()
            key = run_python(_AUDIT_KEY, **service.environment).encode()
            self._requested[engine] = Requested(office, certificate, case, key)
        return self._requested[engine]

    @contextmanager
    def _copy_of(self, service: Service, engine: str) -> Iterator[Service]:
        self.copies += 1
        copy = self._copied(service, f"copy-{self.copies}", engine)
        try:
            yield copy
        finally:
            copy.discard()

    def _copied(self, service: Service, name: str, engine: str) -> Service:
        database = ""
        if engine == "postgresql":
            template = service.environment["TILLID_DATABASE__URL"].rpartition("/")[2]
            self.postgres.create(name.replace("-", "_"), template)
            database = self.postgres.url(name.replace("-", "_"), SERVICE)
        return service.copy(self.folder / name, database)


def rows(service: Service, query: str) -> list[tuple[Any, ...]]:
    """What the database itself holds."""
    url = service.environment.get("TILLID_DATABASE__URL", "")
    if url:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]
    with closing(sqlite3.connect(service.state / "tillid.sqlite", timeout=20)) as database:
        return database.execute(query).fetchall()


def events(service: Service) -> list[dict[str, Any]]:
    """The audit log in its order."""
    found = rows(service, "SELECT header FROM audit_event ORDER BY sequence")
    return [json.loads(bytes(header)) for (header,) in found]

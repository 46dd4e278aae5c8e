"""A private PostgreSQL for tests: one cluster, many small databases, gone with the test process."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from demo.processes import free_port, start_child
from records.roles import setting_up

_PROGRAMS = Path("/usr/lib/postgresql")
_USER = "tillid"
OWNER, SERVICE, AUDITOR = "tillid_owner", "tillid_service", "tillid_auditor"
"""Logins: one for who owns tables, one for the service, one that only reads."""
_START_SECONDS = 20
_PAUSE_SECONDS = 0.01
# A file system in memory makes a new database cheap; what a test asks of durability is that the
# server's processes may die, not the machine.
_MEMORY = Path("/dev/shm")
_ROOM_OCTETS = 2 * 1024**3
# Small, and as durable as in production: what differs is size, never fsync.
_SETTINGS = {
    "fsync": "on",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "autovacuum": "off",
    "dynamic_shared_memory_type": "mmap",
    "lc_messages": "C",
}


class PostgresMissing(Exception):
    """PostgreSQL, or what lets it run as another user than root, is not installed."""


@dataclass
class PrivatePostgres:
    """A cluster in a folder of its own, on a loopback port and a socket in that folder."""

    folder: Path
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    further: dict[str, str] = field(default_factory=dict)
    """Settings that differ from those of all tests."""
    _child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster and run its server until `stop`, or until this process ends."""
        self._make_cluster()
        self.restart()

    def restart(self) -> None:
        """Run the server of the cluster that is there."""
        log = self.folder / "log"
        settings = (
            _SETTINGS
            | self.further
            | {
                "listen_addresses": "127.0.0.1",
                "port": str(self.port),
                "unix_socket_directories": str(self.folder),
            }
        )
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [_program("postgres"), "-D", str(self.folder / "data"), *options]
        self._child = start_child([*_as_owner(), *command], log)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}")
            threading.Event().wait(_PAUSE_SECONDS)

    def stop(self) -> None:
        """End the server as an administrator would: open connections are cut (fast shutdown)."""
        if self._child is None:
            return
        self._child.send_signal(signal.SIGINT)
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def follow(self, primary: "PrivatePostgres") -> None:
        """Copy another server's cluster and run as its replica."""
        self.password = primary.password
        if os.geteuid() == 0:
            shutil.chown(self.folder, _unprivileged(), _unprivileged())
        arguments = ["-D", str(self.folder / "data"), "-R", "-X", "stream", "-c", "fast"]
        arguments += ["-d", primary._address("postgres")]
        subprocess.run(
            [*_as_owner(), _program("pg_basebackup"), *arguments],
            cwd="/",
            check=True,
            capture_output=True,
            timeout=60,
        )
        self.restart()

    def url(self, database: str, user: str = _USER) -> str:
        """The address of one database, as settings give it."""
        return f"postgresql+psycopg://{user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def set_up_roles(self, database: str) -> None:
        """The roles of the product, as an administrator makes them; all have one password."""
        statements = [
            *setting_up(database, OWNER, SERVICE),
            *setting_up(database, OWNER, AUDITOR),
            f"REVOKE tillid_application FROM {AUDITOR}",
            f"GRANT tillid_verifier TO {AUDITOR}",
            *(
                f"ALTER ROLE {each} PASSWORD '{self.password}'"
                for each in (OWNER, SERVICE, AUDITOR)
            ),
        ]
        with psycopg.connect(self._address(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    def create(self, database: str, template: str = "template1") -> str:
        """A new database, copied from a template that nobody is connected to; gives its URL."""
        self.administer(f"CREATE DATABASE {database} TEMPLATE {template}")
        return self.url(database)

    def create_for_service(self, database: str) -> tuple[str, str]:
        """A new database with the roles set up; gives the URLs of the service and the owner."""
        self.create(database)
        self.set_up_roles(database)
        return self.url(database, SERVICE), self.url(database, OWNER)

    def drop(self, database: str) -> None:
        """Remove a database and whoever is still connected to it."""
        self.administer(f"DROP DATABASE {database} WITH (FORCE)")

    def administer(self, statement: str) -> None:
        """Run one statement outside any transaction."""
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def _address(self, database: str) -> str:
        return self.url(database).replace("+psycopg", "")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        try:
            psycopg.connect(self._address("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_cluster(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if os.geteuid() == 0:
            shutil.chown(self.folder, _unprivileged(), _unprivileged())
            shutil.chown(password_file, _unprivileged())
        arguments = ["-D", str(self.folder / "data"), "-U", _USER, "--pwfile", str(password_file)]
        arguments += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(
            [*_as_owner(), _program("initdb"), *arguments],
            cwd="/",
            check=True,
            capture_output=True,
            timeout=60,
        )
        password_file.unlink()


@contextmanager
def a_postgres() -> Iterator[PrivatePostgres]:
    """A running server in a temporary folder."""
    with server_folder() as folder:
        server = PrivatePostgres(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def server_folder() -> Iterator[Path]:
    """A temporary folder that the server's own user can reach, as those of pytest cannot be."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_OCTETS
    place = _MEMORY if roomy else Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix="tillid-postgres-", dir=place))
    try:
        folder.chmod(0o711)
        yield folder
    finally:
        shutil.rmtree(folder)


def _program(name: str) -> str:
    found = sorted(_PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise PostgresMissing(f"no {name} under {_PROGRAMS}/*/bin; install postgresql")
    return str(found[-1])


def _as_owner() -> list[str]:
    """What runs a program as another user when we are root, which PostgreSQL refuses to be."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PostgresMissing("no setpriv; install util-linux")
    user = _unprivileged()
    # A change of user takes away the signal of the parent's death, so it is asked for again.
    return [setpriv, f"--reuid={user}", f"--regid={user}", "--clear-groups", "--pdeathsig=TERM"]


def _unprivileged() -> str:
    with Path("/etc/passwd").open() as passwd:
        names = {line.split(":")[0] for line in passwd}
    if "postgres" not in names:
        raise PostgresMissing("no user postgres; install postgresql")
    return "postgres"

"""A real OpenLDAP server for tests, and what it says when asked by another program."""

import base64
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import pytest

from demo.processes import free_port
from demo.slapd import PrivateSlapd
from publish_ldap.directory import Directory

_SECONDS = 120
"""Long enough for a machine that does much else: many entries at 2 % of a core."""


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSlapd]:
    """One server for all tests that do not stop it."""
    yield from _running(tmp_path_factory.mktemp("slapd"))


@pytest.fixture
def own_slapd(tmp_path: Path) -> Iterator[PrivateSlapd]:
    """A server that the test may stop, or make silent."""
    yield from _running(tmp_path / "slapd")


@pytest.fixture
def directory(slapd: PrivateSlapd) -> Iterator[Directory]:
    with Directory(slapd.settings("north")) as directory:
        yield directory


def _running(folder: Path) -> Iterator[PrivateSlapd]:
    yield from started(PrivateSlapd(folder, free_port()))


Server = TypeVar("Server", bound=PrivateSlapd)


def started(server: Server) -> Iterator[Server]:
    """The server while it runs."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


class ProviderSlapd(PrivateSlapd):
    """A server that others can follow (syncprov)."""

    def configuration(self) -> str:
        loaded = (
            super()
            .configuration()
            .replace("moduleload back_mdb", "moduleload back_mdb\nmoduleload syncprov")
        )
        return f"{loaded}\nindex entryCSN eq\noverlay syncprov\n"


class ConfiguredSlapd(PrivateSlapd):
    """A server with further lines in its configuration, and others replaced."""

    lines = ""
    schema = ""
    changes: Mapping[str, str] = MappingProxyType({})

    def configuration(self) -> str:
        text = super().configuration().replace("modulepath", f"{self.schema}\nmodulepath", 1)
        for was, now in self.changes.items():
            assert was in text
            text = text.replace(was, now)
        return f"{text}\n{self.lines}\n"


class TlsSlapd(ConfiguredSlapd):
    """A server that speaks LDAPS, and StartTLS; clients may log in by certificate."""

    PUBLISHER = "cn=publisher,o=Tillid Test"

    def __init__(self, directory: Path, port: int, tls_port: int) -> None:
        """Take both ports; the files of TLS are `ca`, `server` and `server.key` in its folder."""
        super().__init__(directory, port)
        self.folder = directory.resolve()
        self.tls_url = f"ldaps://localhost:{tls_port}"
        self.lines = (
            f"TLSCACertificateFile {self.folder}/ca\nTLSCertificateFile {self.folder}/server\n"
            f"TLSCertificateKeyFile {self.folder}/server.key\nTLSVerifyClient try"
        )
        self.changes = {
            "database mdb": f"{self.lines}\ndatabase mdb",
            "access to * by * read": f'access to * by dn.exact="{self.PUBLISHER}" write by * read',
        }
        self.lines = ""

    @property
    def listeners(self) -> str:
        return f"{self.url} {self.tls_url.replace('localhost', '127.0.0.1')}"


class ReplicaSlapd(PrivateSlapd):
    """A server that holds what its provider holds, and takes nothing from others (RFC 4533)."""

    def __init__(self, directory: Path, port: int, provider: PrivateSlapd) -> None:
        """Follow that server, with its password."""
        super().__init__(directory, port, provider.suffix)
        self.provider = provider
        directory.mkdir(parents=True)
        self.password_file.write_bytes(provider.password_file.read_bytes())

    def configuration(self) -> str:
        secret = self.password_file.read_text()
        return (
            f"{super().configuration()}\nindex entryCSN eq\nsyncrepl rid=001"
            f' provider={self.provider.url} type=refreshAndPersist retry="1 +"'
            f' searchbase="{self.suffix}" bindmethod=simple binddn="{self.admin_dn}"'
            f" credentials={secret}\nupdateref {self.provider.url}\n"
        )

    def ensure_base_entry(self, slapadd: str, configuration: Path) -> None:
        """It comes from the provider, like everything else."""


@contextmanager
def silence(slapd: PrivateSlapd) -> Iterator[None]:
    """The server keeps its connections, takes new ones, and answers nothing."""
    assert slapd.pid is not None
    os.kill(slapd.pid, signal.SIGSTOP)
    threads = Path(f"/proc/{slapd.pid}/task")
    while any(") T " not in (each / "stat").read_text() for each in threads.iterdir()):
        threading.Event().wait(0.005)
    try:
        yield
    finally:
        os.kill(slapd.pid, signal.SIGCONT)


def ldapsearch(
    slapd: PrivateSlapd, wanted: str, scope: str = "one"
) -> list[dict[str, list[bytes]]]:
    """The entries that OpenLDAP's own client finds, values as octets by attribute type."""
    arguments = ["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", slapd.url]
    output = subprocess.run(
        [*arguments, "-b", slapd.suffix, "-s", scope, wanted, "*", "entryUUID"],
        capture_output=True,
        check=True,
        timeout=_SECONDS,
    ).stdout.decode()
    return [_entry(block) for block in output.split("\n\n") if block.strip()]


def ldapadd(slapd: PrivateSlapd, ldif: str) -> None:
    """Add entries as the administrator; LDIF may set operational attributes like creatorsName."""
    arguments = ["ldapadd", "-x", "-e", "relax", "-H", slapd.url, "-D", slapd.admin_dn]
    subprocess.run(
        [*arguments, "-y", str(slapd.password_file)],
        input=ldif.encode(),
        capture_output=True,
        check=True,
        timeout=_SECONDS,
    )


def _entry(block: str) -> dict[str, list[bytes]]:
    entry: dict[str, list[bytes]] = {}
    for line in block.strip().splitlines():
        attribute, _, value = line.partition(":")
        octets = base64.b64decode(value[1:]) if value.startswith(":") else value.strip().encode()
        entry.setdefault(attribute, []).append(octets)
    return entry

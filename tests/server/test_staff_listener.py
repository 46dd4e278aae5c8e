"""What persons fetch, and what officers decide, goes over TLS 1.2 or newer and nothing else."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from server.metrics import Metrics
from server.service import _staff_server
from tests.support.installation import an_installation
from tests.support.service import quiet_port
from tests.support.softhsm import SoftHsm

_ASKED = b"GET /api/v1/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Listener:
    """The staff listener of an installation, on a port of its own."""

    port: int
    root: Path

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, line: socket.socket) -> bytes:
        line.sendall(_ASKED)
        with line.makefile("rb") as answer:
            return answer.read()

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.root))


@pytest.fixture(scope="module")
def listener(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    folder, port = tmp_path_factory.mktemp("listener"), quiet_port()
    with an_installation(softhsm, folder / "state", TILLID_STAFF__PORT=str(port)) as parts:
        root = parts.issuers.get("root").certificate
        assert root is not None
        (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
        server = _staff_server(parts, Metrics.of_process())
        serving = Thread(target=server.serve)
        serving.start()
        try:
            yield Listener(port, folder / "root.pem")
        finally:
            server.stop()
            serving.join(10)


def test_over_tls_a_call_is_answered(listener: Listener) -> None:
    context = listener.context()
    with context.wrap_socket(listener.connect(), server_hostname="127.0.0.1") as line:
        assert line.version() in {"TLSv1.2", "TLSv1.3"}
        assert listener.ask(line).startswith(b"HTTP/1.1 401 ")


def test_without_tls_nothing_is_said(listener: Listener) -> None:
    answer = b""
    with closing(listener.connect()) as line, suppress(ConnectionResetError):
        line.sendall(_ASKED)
        answer = line.recv(4096)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


def test_an_old_protocol_gets_no_connection(listener: Listener) -> None:
    context = listener.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.deprecated_call():
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with closing(listener.connect()) as line, pytest.raises(ssl.SSLError):
        context.wrap_socket(line, server_hostname="127.0.0.1")

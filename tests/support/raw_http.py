"""HTTP octet by octet: what no library would send, and whatever comes back."""

import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Reply:
    """What came back; status 0 when the connection was closed without a word."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


def request(method: str, target: str, *headers: str, body: bytes | None = None) -> bytes:
    """The octets of a request that closes its connection; a length is told of a body."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + HEAD_END + (body or b"")


def sent(
    port: int, octets: bytes | Iterable[bytes], *, ends: bool = False, peer: str = "127.0.0.1"
) -> Reply:
    """Send octets and read until the server closes; `ends` closes our side first.

    They come from the loopback address `peer`.
    """
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 15, (peer, 0)) as connection:
        # Who answers early does not read to the end.
        with suppress(BrokenPipeError, ConnectionResetError):
            for part in [octets] if isinstance(octets, bytes) else octets:
                connection.sendall(part)
            if ends:
                connection.shutdown(socket.SHUT_WR)
        said = _read(connection)
    return _reply(said, time.monotonic() - began)


def _read(connection: socket.socket) -> bytes:
    said = b""
    with suppress(ConnectionResetError):
        while octets := connection.recv(65536):
            said += octets
    return said


def _reply(said: bytes, seconds: float) -> Reply:
    head, _, body = said.partition(HEAD_END)
    if not said.startswith(b"HTTP/1."):
        return Reply(0, {}, said, seconds)
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    headers = {name.lower(): value for name, _, value in pairs}
    return Reply(int(first.split()[1]), headers, body, seconds)

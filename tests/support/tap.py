"""A tap on the way to an HTTP server: octets pass as they are, request lines are noted."""

import re
import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread

_LINE = re.compile(rb"([A-Z]+) (/[^ ]*) HTTP/1\.[01]\r\n")
_CHUNK = 65536


@dataclass
class Tap:
    """What has passed: method and path of each request."""

    requests: list[tuple[str, str]] = field(default_factory=list)

    def note(self, octets: bytes) -> None:
        """Find request lines; each comes in one piece, for clients write it in one."""
        self.requests += [(m.decode(), path.decode()) for m, path in _LINE.findall(octets)]

    @contextmanager
    def listening(self) -> Iterator[list[tuple[str, str]]]:
        """What passes from here on; whole when the block has ended."""
        heard: list[tuple[str, str]] = []
        before = len(self.requests)
        yield heard
        heard += self.requests[before:]


@contextmanager
def tapped(listen: int, to: int) -> Iterator[Tap]:
    """Pass on connections from one port of 127.0.0.1 to another."""
    tap = Tap()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", to)) as server:
                back = Thread(target=_pump, args=[server, self.request, None])
                back.start()
                _pump(self.request, server, tap)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", listen), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield tap
        finally:
            server.shutdown()
            thread.join()


def _pump(source: socket.socket, sink: socket.socket, tap: Tap | None) -> None:
    with suppress(OSError):
        while octets := source.recv(_CHUNK):
            if tap is not None:
                tap.note(octets)
            sink.sendall(octets)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)

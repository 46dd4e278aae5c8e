"""A TCP proxy on the loopback interface that takes its time, or strikes after some octets."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_PIECE = 65536


@dataclass
class SlowProxy:
    """Passes everything on; each answer waits for `delay` seconds.

    Once `after` octets went to the server, `strike` is called, before the rest goes on.
    """

    target: tuple[str, int]
    listener: socket.socket
    delay: float = 0.0
    after: int = 0
    strike: Callable[[], None] | None = None
    _open: list[socket.socket] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        host, port = self.listener.getsockname()
        return f"ldap://{host}:{port}"

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self._open.append(near)
                try:
                    far = socket.create_connection(self.target, 5)
                except OSError:
                    near.close()
                    continue
                self._open.append(far)
                for way in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._pass, args=way, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, to_server: bool) -> None:  # noqa: FBT001 - a thread's argument
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                if not to_server and self._stopping.wait(self.delay):
                    break
                if to_server and self.strike is not None and len(piece) >= self.after:
                    sink.sendall(piece[: self.after])
                    self.strike()
                    self.strike = None
                    piece = piece[self.after :]
                elif to_server and self.strike is not None:
                    self.after -= len(piece)
                sink.sendall(piece)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """End every connection, as a server does that stops."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for each in (self.listener, *self._open):
            each.close()


@contextlib.contextmanager
def slow_proxy(url: str) -> Iterator[SlowProxy]:
    """A proxy before the server at that URL, until the block ends."""
    of = urlsplit(url)
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = SlowProxy((of.hostname or "", of.port or 0), listener)
    thread = threading.Thread(target=proxy.serve)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()

"""Request bodies on the public listener, and the clients that send them slowly.

A thread that reads a body waits for its client. The HTTP server limits how long headers may take,
and not bodies, so a few clients that send an octet a second would hold every thread. Here as many
are waited for as leave threads for all others, and who takes too long is cut off.
"""

import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

THREADS = 24
"""Threads of a worker; more of them would only wait for each other."""
_MOST_WAITING = 16
PATIENCE_SECONDS = 10.0
# When half of the places are taken, somebody takes them on purpose.
_HURRIED_SECONDS = 1.0
_LOOK_SECONDS = 0.25
# Of struct tcp_info in linux/tcp.h: milliseconds since we sent something.
_LAST_DATA_SENT = struct.Struct("44xI")


class TooManyWaiting(Exception):
    """So many clients are waited for that this one has to come later."""


@dataclass(slots=True)
class Bodies:
    """Reads bodies in any thread; one thread watches over how long that takes."""

    _began: dict[int, float] = field(default_factory=dict)

    def read(self, environ: dict[str, Any], most: int) -> bytes:
        """The body, up to one octet more than it may have; nothing of one that says it is longer.

        Raises:
            TooManyWaiting: too many clients are slow already.
        """
        declared = str(environ.get("CONTENT_LENGTH", ""))
        if declared.isdigit() and int(declared) > most:
            return b""
        if len(self._began) >= _MOST_WAITING:
            raise TooManyWaiting
        thread = threading.get_ident()
        self._began[thread] = time.monotonic()
        try:
            body: bytes = environ["wsgi.input"].read(most + 1)
        finally:
            del self._began[thread]
        return body

    def watch(self, port: int, stop: Event) -> None:
        """Cut off who is late at the listener of that port, again and again until told to stop."""
        while not stop.wait(_LOOK_SECONDS):
            began = list(self._began.values())
            hurried = len(began) > _MOST_WAITING // 2
            patience = _HURRIED_SECONDS if hurried else PATIENCE_SECONDS
            if began and time.monotonic() - min(began) > patience:
                cut_silent(port, patience)


def cut_silent(port: int, seconds: float) -> None:
    """Shut every connection of this process at that port to which nothing was sent for so long.

    The HTTP server does not tell which connection a request came by; but whoever is still sending
    has got no answer, and others that are idle would be closed soon anyway.
    """
    for descriptor in Path("/proc/self/fd").iterdir():
        # A copy, for the server may close its own in this very moment.
        with (
            suppress(OSError),
            socket.fromfd(int(descriptor.name), socket.AF_INET, socket.SOCK_STREAM) as found,
        ):
            place = found.getsockname()
            if not isinstance(place, tuple) or place[1] != port or not found.getpeername():
                continue
            state = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_SENT.size)
            (silent,) = _LAST_DATA_SENT.unpack(state)
            if silent > seconds * 1000:
                found.shutdown(socket.SHUT_RDWR)

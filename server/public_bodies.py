"""Request bodies on the public listener, and the clients that send them slowly.

A thread that reads a body waits for its client. The HTTP server limits how long headers may take,
and not bodies, so a few clients that send an octet a second would hold every thread. Here as many
are waited for as leave threads for all others, few of them at one address, and who takes too long
is cut off.
"""

import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Event, Lock
from typing import Any

from server.logs import get_logger

THREADS = 24
"""Threads of a worker; more of them would only wait for each other."""
_MOST_WAITING = 16
_MOST_OF_ONE_PEER = 4
_MOMENT_SECONDS = 0.1
PATIENCE_SECONDS = 10.0
# When half of the places are taken, somebody takes them on purpose.
_HURRIED_SECONDS = 1.0
_LOOK_SECONDS = 0.25
# Of struct tcp_info in linux/tcp.h: milliseconds since we sent something, since something came, and
# how many segments with data we have sent.
_TCP_INFO = struct.Struct("44xI4xI100xI")


class TooManyWaiting(Exception):
    """So many clients are waited for that this one has to come later."""


@dataclass(slots=True)
class Bodies:
    """Reads bodies in any thread; one thread watches over how long that takes."""

    _began: dict[int, tuple[str, float]] = field(default_factory=dict)
    """Of each thread that reads: the address it reads from, and since when."""
    _lock: Lock = field(default_factory=Lock)
    _changed: Condition = field(init=False)
    """That one has been read, for those that wait for a place."""
    _waiting: int = 0
    _asked: float = 0.0
    """When a body was to be read last."""
    _standstill: float = 0.0
    """When the last stretch ended in which none was."""

    def __post_init__(self) -> None:
        self._changed = Condition(self._lock)

    def read(self, environ: dict[str, Any], most: int) -> bytes:
        """The body, up to one octet more than it may have; nothing of one that says it is longer.

        Raises:
            TooManyWaiting: too many clients are slow already, or too many at this address.
        """
        declared = str(environ.get("CONTENT_LENGTH", ""))
        if declared.isdigit() and int(declared) > most:
            return b""
        thread = threading.get_ident()
        self._take_place(thread, str(environ.get("REMOTE_ADDR", "")))
        try:
            body: bytes = environ["wsgi.input"].read(most + 1)
        finally:
            with self._lock:
                del self._began[thread]
                if self._waiting:
                    self._changed.notify_all()
        return body

    def _take_place(self, thread: int, peer: str) -> None:
        """Wait a moment behind bodies that have just begun, and never behind slow ones.

        After a standstill it may have been this process that was slow, for want of a processor: the
        moment of those that were waited for begins anew.
        """
        with self._lock:
            asked = now = time.monotonic()
            if asked - self._asked > _MOMENT_SECONDS / 2:
                self._standstill = asked
            self._asked = asked
            while before := self._before(peer):
                since = max(*before, self._standstill)
                rest = min(asked, since) + _MOMENT_SECONDS - now
                if rest <= 0:
                    raise TooManyWaiting
                self._waiting += 1
                self._changed.wait(rest)
                self._waiting -= 1
                now = time.monotonic()
            self._began[thread] = peer, now

    def _before(self, peer: str) -> list[float]:
        """When those began that leave no place for this peer."""
        if len(self._began) < _MOST_OF_ONE_PEER:  # as nearly always
            return []
        everybody = [since for _, since in self._began.values()]
        same = [since for each, since in self._began.values() if each == peer]
        if len(same) >= _MOST_OF_ONE_PEER:
            return same
        return everybody if len(everybody) >= _MOST_WAITING else []

    def watch(self, port: int, stop: Event) -> None:
        """Cut off who is late at the listener of that port, again and again until told to stop."""
        failing = False
        while not stop.wait(_LOOK_SECONDS):
            try:
                self._look(port)
            except OSError as error:  # no descriptor may be left to look with
                if not failing:
                    get_logger("public").error("public.slow_unseen", exc_info=error)
                failing = True
            else:
                failing = False

    def _look(self, port: int) -> None:
        began = list(self._began.values())
        hurried = len(began) > _MOST_WAITING // 2
        patience = _HURRIED_SECONDS if hurried else PATIENCE_SECONDS
        latest = time.monotonic() - patience
        late = {peer for peer, since in began if since < latest}
        if late:
            cut_silent(port, late, patience)


def cut_silent(port: int, peers: Collection[str], seconds: float) -> None:
    """Shut the connections of these peers at that port whose request is not answered for so long.

    The HTTP server tells of a request its address and not its port. So what is shut is a connection
    from there on which more came since we sent something. One may hide that by asking twice at
    once; so after the full patience it is enough that nothing was sent.

    Raises: OSError, if the descriptors of this process cannot be listed.
    """
    for entry in Path("/proc/self/fd").iterdir():
        # One that vanishes meanwhile was closed by the server, or by the listing.
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(int(entry.name)).st_mode):
                _cut_if_silent(int(entry.name), port, peers, seconds)


def _cut_if_silent(descriptor: int, port: int, peers: Collection[str], seconds: float) -> None:
    """Look at one socket by its own descriptor, never by a copy: closing one drops locks.

    Raises: OSError, if it is not connected.
    """
    # Addresses of IPv4 have room in those of IPv6.
    kind = socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP
    found = socket.socket(*kind, fileno=descriptor)
    try:
        place = found.getsockname()
        if not isinstance(place, tuple) or place[1] != port:
            return
        if found.getpeername()[0].partition("%")[0] not in peers:
            return
        state = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        sent, came, segments = _TCP_INFO.unpack(state)
        owes = came < sent or not segments
        if sent > seconds * 1000 and (owes or sent > PATIENCE_SECONDS * 1000):
            found.shutdown(socket.SHUT_RDWR)
    finally:
        found.detach()

"""The process of the public listener: granian, one level below `tillid serve`.

Started as `python -m server.public_process PARENT_PID`. Each level asks the kernel to be ended with
its parent, so that nothing goes on answering when the service was killed.
"""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server import Server

from server.public_bodies import THREADS
from server.settings_sources import load_settings

_PR_SET_PDEATHSIG = 1
# An idle connection takes one of these places and a file descriptor, and is closed after a while.
_CONNECTIONS = 8192
_OTHER_DESCRIPTORS = 512
_DESCRIPTORS = _CONNECTIONS + _OTHER_DESCRIPTORS
_HEADERS_SECONDS = 10


def die_with_parent(parent: int) -> None:
    """End by SIGKILL when the parent does (prctl(2)); at once if it is gone already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl PR_SET_PDEATHSIG")
    if os.getppid() != parent:
        sys.exit(1)


def connection_places(limits: tuple[int, int]) -> tuple[int, int]:
    """How many connections there are places for, and the file descriptors that takes.

    Of the soft and the hard limit of descriptors the soft one can be raised up to the hard one.
    """
    soft, hard = (_DESCRIPTORS if each == resource.RLIM_INFINITY else each for each in limits)
    allowed = max(soft, min(hard, _DESCRIPTORS))
    return max(1, min(_CONNECTIONS, allowed - _OTHER_DESCRIPTORS)), allowed


def main() -> None:
    """Serve until SIGTERM."""
    die_with_parent(int(sys.argv[1]))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    places, descriptors = connection_places(limits)
    if limits[0] not in {descriptors, resource.RLIM_INFINITY}:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, limits[1]))
    public = load_settings(os.environ, Path.cwd()).public
    Server(
        "server.public:make_app",
        address=public.host,
        port=public.port,
        interface=Interfaces.WSGI,
        workers=public.workers,
        blocking_threads=THREADS,
        backpressure=places,
        # Nobody asks for status by HTTP/2 without TLS, and only HTTP/1 has a limit for headers.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADERS_SECONDS * 1000),
        factory=True,
        log_access=False,
        websockets=False,
        respawn_failed_workers=True,
    ).serve()


if __name__ == "__main__":
    main()

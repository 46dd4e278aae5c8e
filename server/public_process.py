"""The process of the public listener: granian, one level below `tillid serve`.

Started as `python -m server.public_process PARENT_PID`. Each level asks the kernel to be ended with
its parent, so that nothing goes on answering when the service was killed.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from granian.constants import Interfaces
from granian.server import Server
from granian.server.common import AbstractServer

from server.settings import Public
from server.settings_sources import load_settings

_PR_SET_PDEATHSIG = 1
THREADS: Final = 8
"""That answer in each worker."""


def die_with_parent(parent: int) -> None:
    """End by SIGKILL when the parent does (prctl(2)); at once if it is gone already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl PR_SET_PDEATHSIG")
    if os.getppid() != parent:
        sys.exit(1)


def main() -> None:
    """Serve until SIGTERM."""
    die_with_parent(int(sys.argv[1]))
    listener(load_settings(os.environ, Path.cwd()).public, "server.public:make_app").serve()


def listener(public: Public, factory: str) -> AbstractServer[Any]:
    """The listener whose worker processes each make their app by this factory, MODULE:NAME."""
    return Server(
        factory,
        address=public.host,
        port=public.port,
        interface=Interfaces.WSGI,
        workers=public.workers,
        blocking_threads=THREADS,
        factory=True,
        log_access=False,
        websockets=False,
        respawn_failed_workers=True,
    )


if __name__ == "__main__":
    main()

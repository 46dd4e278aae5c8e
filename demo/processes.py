"""Child processes that end with their parent, whatever ends the parent.

Linux sends the signal of `PR_SET_PDEATHSIG` when the parent dies, also by SIGKILL (prctl(2)).
The setting is made by this very file, run as a small program between fork and exec: Python code
after fork is unsafe in a process with threads, which `preexec_fn` would be.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def start_child(
    arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that gets SIGTERM when the calling thread's life ends; output goes to `log`.

    The kernel watches the thread that calls, so call from one that lives as long as the child
    should. The child has a session of its own: Ctrl-C reaches the parent alone, which then stops
    its children in order.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", __file__, str(os.getpid()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )


def stop_child(child: subprocess.Popen[bytes], patience_seconds: float = 10) -> None:
    """End a child by its pid: SIGTERM, and SIGKILL when that did not help in time."""
    child.terminate()
    try:
        child.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nothing listens on this TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _become(arguments: list[str], parent: int) -> None:
    """Ask for SIGTERM at the parent's death, then become the program."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl PR_SET_PDEATHSIG")
    if os.getppid() != parent:  # it died before the signal was asked for
        sys.exit(1)
    os.execv(arguments[0], arguments)  # noqa: S606 - becoming the program is the point


if __name__ == "__main__":
    _become(sys.argv[2:], int(sys.argv[1]))

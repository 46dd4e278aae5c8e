"""nginx with static files on the loopback interface: the limit of what serving octets costs."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from demo.processes import is_free
from tests.support.service import quiet_port, until

_CONFIGURATION = """user {user};
worker_processes 2;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  default_type application/ocsp-response;
  keepalive_requests 100000000;
  client_body_temp_path {folder}/temporary;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


@contextmanager
def nginx(folder: Path, bodies: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Serves the n-th body at /n; yields its port and its process id."""
    files = folder / "files"
    files.mkdir(parents=True)
    for number, body in enumerate(bodies):
        (files / str(number)).write_bytes(body)
    port = quiet_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, port=port, user=Path("/proc/self").owner())
    )
    command = ["/usr/sbin/nginx", "-c", str(configuration), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until("nginx", lambda: not is_free(port))
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()

"""A private nginx on loopback with a generated server section."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.processes import is_free, start_child, stop_child
from tests.support.service import until

_AROUND = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log info;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{server}
}}
"""


@contextmanager
def an_nginx(folder: Path, port: int, server: str) -> Iterator[None]:
    """Serve from the server section until the block ends."""
    folder.mkdir()
    file = folder / "nginx.conf"
    file.write_text(_AROUND.format(folder=folder, server=server))
    log = folder / "nginx.out"
    command = ["/usr/sbin/nginx", "-p", str(folder), "-e", str(folder / "nginx.log")]
    child = start_child([*command, "-c", str(file)], log)
    try:
        until("nginx", lambda: child.poll() is not None or not is_free(port), rest=0.02)
        assert child.poll() is None, log.read_text() + (folder / "nginx.log").read_text()
        yield
    finally:
        stop_child(child)

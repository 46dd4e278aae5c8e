"""A server at the public address of an installation, for whoever looks from outside."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

from server.assembly import Assembly
from server.metrics import Metrics
from server.public import PublicApp
from tests.support.wsgi import ask

Answer = Callable[[str], tuple[int, bytes]]


@contextmanager
def listening(parts: Assembly, answer: Answer) -> Iterator[list[str]]:
    """A server where the public listener would be; yields the paths it was asked for."""
    asked: list[str] = []

    class _Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, body = answer(self.path)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    address = ("127.0.0.1", parts.settings.public.port)
    ThreadingHTTPServer.allow_reuse_address = True
    with ThreadingHTTPServer(address, _Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


def genuine(parts: Assembly) -> Answer:
    app = PublicApp(parts, Metrics.of_process())

    def answer(path: str) -> tuple[int, bytes]:
        found = ask(app, unquote(path))
        return found.status, found.body

    return answer

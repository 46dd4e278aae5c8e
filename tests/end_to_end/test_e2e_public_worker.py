"""A worker of the public listener that lost a thread: it ends, and another one takes its place."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from demo.processes import start_child
from tests.support.command_line import ROOT, clean_environment
from tests.support.service import Service, until
from tests.support.workshop import Workshop

_BREAKABLE = """
import os
from pathlib import Path
from threading import Thread

from server.public import make_app as whole
from server.public_process import listener
from server.settings_sources import load_settings


def make_app():
    app = whole()

    def answer(environ, start_response):
        if environ["PATH_INFO"] == "/break":
            Thread(target=lambda: 1 / 0).start()
        if environ["PATH_INFO"] == "/worker":
            start_response("200 OK", [])
            return [str(os.getpid()).encode()]
        return app(environ, start_response)

    return answer


if __name__ == "__main__":
    listener(load_settings(os.environ, Path.cwd()).public, "breakable:make_app").serve()
"""


@pytest.fixture
def service(workshop: Workshop) -> Iterator[Service]:
    with workshop.empty() as service:
        yield service


def worker(service: Service) -> int:
    """The process that answers; 0 when none does."""
    try:
        return int(service.public("/worker").body)
    except OSError:
        return 0


def test_a_worker_that_lost_a_thread_says_so_and_another_takes_its_place(
    service: Service, tmp_path: Path
) -> None:
    script = tmp_path / "breakable.py"
    script.write_text(_BREAKABLE)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = clean_environment(service.environment | {"PYTHONPATH": path})
    listener = start_child([sys.executable, str(script)], tmp_path / "log", environment)
    try:
        until("a worker answers", lambda: worker(service) != 0)
        first = worker(service)
        with suppress(OSError):  # it may end before it answers
            service.public("/break")
        until("another one answers", lambda: worker(service) not in {0, first})
        assert service.public("/healthz").status == 200
    finally:
        listener.terminate()
        listener.wait()
    unforeseen = (service.state / "logs" / "unforeseen.log").read_text()
    assert unforeseen.count("ZeroDivisionError") == 1

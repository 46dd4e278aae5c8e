"""Places for connections on the public listener, and how long bodies are waited for."""

import io
import resource
import socket
from threading import Event, Thread

import pytest

from server import public_bodies
from server.public_bodies import Bodies, TooManyWaiting, cut_silent
from server.public_process import connection_places
from tests.support.service import until


class _Waiting(io.BytesIO):
    """A body that does not come before it is told to."""

    def __init__(self) -> None:
        super().__init__(b"late")
        self.may_come = Event()

    def read(self, size: int | None = -1) -> bytes:
        self.may_come.wait()
        return super().read(size)


def _environ(body: io.BytesIO, length: str = "4") -> dict[str, object]:
    return {"wsgi.input": body, "CONTENT_LENGTH": length}


@pytest.mark.parametrize(
    ("limits", "places", "descriptors"),
    [
        ((1024, 524288), 8192, 8704),
        ((1024, 4096), 3584, 4096),
        ((1024, 1024), 512, 1024),
        ((100, 100), 1, 100),
        ((20000, 20000), 8192, 20000),
        ((1024, resource.RLIM_INFINITY), 8192, 8704),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 8192, 8704),
    ],
)
def test_every_connection_has_a_file_descriptor(
    limits: tuple[int, int], places: int, descriptors: int
) -> None:
    assert connection_places(limits) == (places, descriptors)


@pytest.mark.parametrize("length", ["", "4", "x"])
def test_a_body_is_read_to_one_octet_more_than_it_may_have(length: str) -> None:
    body = io.BytesIO(b"0123456789")
    assert Bodies().read(_environ(body, length), 4) == b"01234"


def test_a_body_that_says_it_is_too_long_is_not_read() -> None:
    body = io.BytesIO(b"0123456789")
    assert Bodies().read(_environ(body, "10"), 4) == b""
    assert body.tell() == 0


def test_of_many_slow_clients_the_last_come_later() -> None:
    bodies, waiting = Bodies(), _Waiting()
    threads = [
        Thread(target=bodies.read, args=[_environ(waiting), 4])
        for _ in range(public_bodies._MOST_WAITING)
    ]
    for thread in threads:
        thread.start()
    until("all wait", lambda: len(bodies._began) == len(threads), rest=0.01)
    with pytest.raises(TooManyWaiting):
        bodies.read(_environ(io.BytesIO(b"soon")), 4)
    waiting.may_come.set()
    for thread in threads:
        thread.join()
    assert bodies.read(_environ(io.BytesIO(b"soon")), 4) == b"soon"


def test_whoever_was_sent_nothing_for_long_is_cut_off_at_that_port_alone() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_server(("127.0.0.1", 0)) as another,
        socket.create_connection(listener.getsockname()) as client,
        socket.create_connection(another.getsockname()) as elsewhere,
        listener.accept()[0] as accepted,
        another.accept()[0],
    ):
        port = listener.getsockname()[1]
        cut_silent(port, 60)
        accepted.sendall(b"still there")
        assert client.recv(100) == b"still there"
        until("it is cut off", lambda: cut_silent(port, 0.1) or _has_ended(client), rest=0.05)
        assert not _has_ended(elsewhere)
        with socket.create_connection(listener.getsockname()), listener.accept()[0]:
            pass  # the listener itself goes on


def _has_ended(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False


def test_a_late_client_is_seen_by_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_bodies, "PATIENCE_SECONDS", 0.1)
    bodies, stop = Bodies(), Event()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as accepted,
    ):
        reader = Thread(target=bodies.read, args=[_environ(accepted.makefile("rb")), 4])  # type: ignore[arg-type]
        watch = Thread(target=bodies.watch, args=[listener.getsockname()[1], stop])
        reader.start()
        watch.start()
        until("it is cut off", lambda: _has_ended(client), rest=0.05)
        reader.join()
        stop.set()
        watch.join()

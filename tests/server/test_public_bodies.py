"""Places for connections on the public listener, and how long bodies are waited for."""

import io
import resource
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Event, Thread, Timer

import pytest

from server import public_bodies
from server.public_bodies import Bodies, TooManyWaiting, cut_silent
from server.public_process import connection_places
from tests.support.command_line import ROOT
from tests.support.service import until

HERE = "127.0.0.1"


class _Waiting(io.BytesIO):
    """A body that does not come before it is told to."""

    def __init__(self) -> None:
        super().__init__(b"late")
        self.may_come = Event()

    def read(self, size: int | None = -1) -> bytes:
        self.may_come.wait()
        return super().read(size)


def _environ(body: io.BytesIO, length: str = "4", peer: str = HERE) -> dict[str, object]:
    return {"wsgi.input": body, "CONTENT_LENGTH": length, "REMOTE_ADDR": peer}


def _reading(bodies: Bodies, waiting: _Waiting, peers: list[str]) -> list[Thread]:
    """A thread for each of these peers that waits for its body."""
    threads = [Thread(target=bodies.read, args=[_environ(waiting, peer=p), 4]) for p in peers]
    for thread in threads:
        thread.start()
    return threads


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


def test_bodies_that_come_at_once_wait_for_each_other() -> None:
    bodies, waiting = Bodies(), _Waiting()
    threads = _reading(bodies, waiting, [HERE] * public_bodies._MOST_OF_ONE_PEER)
    Timer(0.02, waiting.may_come.set).start()
    assert bodies.read(_environ(io.BytesIO(b"soon")), 4) == b"soon"
    for thread in threads:
        thread.join()


def test_after_a_standstill_bodies_that_began_before_it_are_waited_for_a_moment_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(public_bodies, "_MOMENT_SECONDS", 5.0)
    bodies, waiting = Bodies(), _Waiting()
    threads = _reading(bodies, waiting, [HERE] * public_bodies._MOST_OF_ONE_PEER)
    until("all wait", lambda: len(bodies._began) == len(threads), rest=0.01)
    began = bodies._began
    for each, (peer, since) in list(began.items()):
        began[each] = peer, since - 3600
    with pytest.raises(TooManyWaiting):
        bodies.read(_environ(io.BytesIO(b"soon")), 4)

    bodies._asked -= 3600
    Timer(0.02, waiting.may_come.set).start()
    assert bodies.read(_environ(io.BytesIO(b"soon")), 4) == b"soon"
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("peers", "others"),
    [
        ([f"127.0.0.{n % 4 + 1}" for n in range(public_bodies._MOST_WAITING)], "come later"),
        ([HERE] * public_bodies._MOST_OF_ONE_PEER, "are served"),
    ],
)
def test_of_many_slow_clients_the_last_come_later(peers: list[str], others: str) -> None:
    bodies, waiting = Bodies(), _Waiting()
    threads = _reading(bodies, waiting, peers)
    try:
        until("all wait", lambda: len(bodies._began) == len(threads), rest=0.01)
        with pytest.raises(TooManyWaiting):
            bodies.read(_environ(io.BytesIO(b"soon")), 4)
        another = _environ(io.BytesIO(b"soon"), peer="127.0.0.9")
        if others == "come later":
            with pytest.raises(TooManyWaiting):
                bodies.read(another, 4)
        else:
            assert bodies.read(another, 4) == b"soon"
    finally:
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
        cut_silent(port, {HERE}, 60)
        accepted.sendall(b"still there")
        assert client.recv(100) == b"still there"
        Event().wait(0.05)  # the kernel tells times apart that differ by a tick
        client.sendall(b"question, half of")
        until(
            "it is cut off", lambda: cut_silent(port, {HERE}, 0.1) or _has_ended(client), rest=0.05
        )
        assert not _has_ended(elsewhere)
        with socket.create_connection(listener.getsockname()), listener.accept()[0]:
            pass  # the listener itself goes on


def test_whoever_was_answered_or_comes_from_elsewhere_is_not_cut_off() -> None:
    with (
        socket.create_server((HERE, 0)) as listener,
        socket.create_connection(listener.getsockname()) as idle,
        listener.accept()[0] as answering,
        socket.create_connection(listener.getsockname(), None, ("127.0.0.2", 0)) as elsewhere,
        listener.accept()[0],
        socket.create_connection(listener.getsockname()) as late,
        listener.accept()[0],
    ):
        idle.sendall(b"question")
        elsewhere.sendall(b"question, half of")
        late.sendall(b"question, half of")
        assert answering.recv(100) == b"question"
        answering.sendall(b"answer")
        assert idle.recv(100) == b"answer"
        port = listener.getsockname()[1]
        until("it is cut off", lambda: cut_silent(port, {HERE}, 0.3) or _has_ended(late))
        Event().wait(0.3)
        cut_silent(port, {HERE}, 0.3)
        assert not _has_ended(idle)
        assert not _has_ended(elsewhere)


def test_a_look_at_the_connections_leaves_descriptors_and_locks_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as ours,
        (tmp_path / "file").open("wb"),
        socket.create_server((HERE, 0)) as listener,
    ):
        ours.execute("CREATE TABLE kept (value)")
        ours.execute("BEGIN IMMEDIATE")
        before = set(Path("/proc/self/fd").iterdir())
        cut_silent(listener.getsockname()[1], {HERE}, 0)
        assert set(Path("/proc/self/fd").iterdir()) == before
        write = "import sqlite3, sys; sqlite3.connect(sys.argv[1], 0).execute('BEGIN IMMEDIATE')"
        other = subprocess.run(
            [sys.executable, "-c", write, path], capture_output=True, text=True, check=False
        )
        assert "database is locked" in other.stderr


_WITHOUT_DESCRIPTORS = """
import resource, sys
from pathlib import Path
from threading import Event, Thread, Timer
from server import public_bodies
from server.logs import log_to

public_bodies.PATIENCE_SECONDS = 0.1
come, stop = Event(), Event()
class Late:
    def read(self, _: int) -> bytes:
        return b"late" if come.wait() else b""
bodies = public_bodies.Bodies()
reader = Thread(target=bodies.read, args=[{"wsgi.input": Late()}, 4])
watch = Thread(target=bodies.watch, args=[1, stop])
with log_to(Path(sys.argv[1]), "public"):
    reader.start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    watch.start()
    watch.join(1)
    print("goes on" if watch.is_alive() else "has ended")
    stop.set()
    come.set()
    watch.join()
    reader.join()
"""


def test_the_watch_goes_on_when_no_descriptor_is_left(tmp_path: Path) -> None:
    script = [sys.executable, "-c", _WITHOUT_DESCRIPTORS, tmp_path]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("goes on\n", "")
    assert (tmp_path / "logs" / "public.log").read_text().count("public.slow_unseen") == 1


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

"""Clients that keep the running public listener waiting, while others are served."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event

import pytest

from server.public_bodies import THREADS
from tests.support.raw_http import request, sent
from tests.support.service import until
from tests.support.status_town import Town

OCSP = "/ocsp/issuing-2"
OCSP_MALFORMED = bytes.fromhex("30030a0101")
OCSP_TRY_LATER = bytes.fromhex("30030a0103")
PEERS = 8  # enough to take all the places there are for slow bodies
IDLE = 1500
SOON = 5.0  # seconds, on a machine that others use as well


@pytest.fixture
def port(town: Town) -> int:
    return int(town.service.environment["TILLID_PUBLIC__PORT"])


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """As many open files as this process may have."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _connected(
    stack: ExitStack, port: int, octets: bytes = b"", peer: str = "127.0.0.1"
) -> socket.socket:
    made = stack.enter_context(socket.create_connection(("127.0.0.1", port), 15, (peer, 0)))
    made.sendall(octets)
    return made


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


def test_idle_connections_are_in_nobodys_way(port: int) -> None:
    with ExitStack() as stack:
        for _ in range(IDLE):
            _connected(stack, port)
        for _ in range(20):
            reply = sent(port, request("GET", "/crl/root.crl"))
            assert (reply.status, reply.seconds < SOON) == (200, True)


def test_who_sends_an_octet_now_and_then_is_cut_off_and_others_are_served(port: int) -> None:
    head = request("POST", OCSP, "Content-Length: 4000")
    with ExitStack() as stack:
        peers = [f"127.0.0.{n % PEERS + 1}" for n in range(4 * THREADS)]
        slow = [_connected(stack, port, head, peer) for peer in peers]

        def all_are_cut_off() -> bool:
            reply = sent(port, request("GET", "/crl/root.crl"))
            assert (reply.status, reply.seconds < SOON) == (200, True)
            for each in list(slow):
                if _is_closed(each):
                    slow.remove(each)
                else:
                    each.send(b"0")
            return not slow

        until("the slow are cut off", all_are_cut_off, rest=0.2)
    # An empty question is malformed, but it is taken.
    assert sent(port, request("POST", OCSP, body=b"")).status == 200


def test_one_slow_peer_takes_no_place_from_others_and_has_none_of_theirs_cut_off(port: int) -> None:
    head = request("POST", OCSP, "Content-Length: 4000")
    with ExitStack() as stack:
        other = _connected(stack, port, head, "127.0.0.2")
        slow = [_connected(stack, port, head) for _ in range(2 * THREADS)]
        until("those without a place are answered", lambda: sum(map(_is_closed, slow)) > THREADS)
        later = sent(port, request("POST", OCSP, body=b""))
        served = sent(port, request("POST", OCSP, body=b""), peer="127.0.0.2")
        assert (later.body, served.body) == (OCSP_TRY_LATER, OCSP_MALFORMED)
        Event().wait(2)  # longer than anybody is waited for when many places are taken
        assert not _is_closed(other)


def test_a_slow_header_holds_up_nobody(port: int) -> None:
    with ExitStack() as stack:
        slow = [_connected(stack, port, b"GET /healthz HTTP/1.1\r\nX: ") for _ in range(200)]
        for octet in b"abcdef":
            for each in slow:
                each.send(bytes([octet]))
            reply = sent(port, request("GET", "/healthz"))
            assert (reply.status, reply.seconds < SOON) == (200, True)

"""The clock beside a time server's: a server of our own on loopback says any time it is told to."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server import ntp
from server.clock import utc_now
from server.doctor import Finding, _time_server
from server.errors import SettingsRefused
from server.ntp import NoTime, clock_offset
from server.settings_sources import load_settings

PACKET = struct.Struct("!BBbbII4sQQQQ")
Change = Callable[[list[object]], object]


@contextmanager
def time_server(ahead: float = 0.0, change: Change = lambda _: None) -> Iterator[str]:
    """A server whose clock is so many seconds ahead; `change` spoils its answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(20)

        def serve() -> None:
            while True:
                question, whom = line.recvfrom(512)
                if question == b"end":
                    return
                token = PACKET.unpack(question)[-1]
                now = round((utc_now().timestamp() + ahead + ntp._FROM_1900_TO_1970) * 2**32)
                now %= 1 << 64
                fields: list[object] = [0x24, 2, 6, -20, 0, 0, b"TEST", now, token, now, now]
                change(fields)
                line.sendto(PACKET.pack(*fields) if fields else b"no time", whom)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{line.getsockname()[1]}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.sendto(b"end", line.getsockname())
            thread.join()


def found(server: str, **other: str) -> Finding:
    environment = {"TILLID_STATE": "/nowhere", "TILLID_CLOCK__TIME_SERVER": server, **other}
    return _time_server(load_settings(environment, Path("/nowhere")))


@pytest.mark.parametrize("ahead", [0.0, 7.5, -3600.0, 86400.0 * 365 * 30])
def test_the_offset_is_told_whatever_the_servers_time(ahead: float) -> None:
    """The last of them lies in the era of NTP that begins in 2036."""
    with time_server(ahead) as place:
        assert clock_offset(place) == pytest.approx(ahead, abs=0.5)


def test_doctor_says_how_far_the_clock_is_off() -> None:
    with time_server() as place:
        assert found(place, TILLID_CLOCK__TOLERANCE_SECONDS="5.0").ok
    with time_server(90) as place:
        wrong = found(place)
    assert not wrong.ok
    assert "behind it" in wrong.sentence
    assert "chrony" in wrong.way_out
    with time_server(-90) as place:
        assert "ahead of it" in found(place).sentence


def test_without_a_time_server_doctor_says_that_it_did_not_look() -> None:
    told = found("")
    assert told.ok
    assert "not compared" in told.sentence


def put(place: int, value: object) -> Change:
    def change(fields: list[object]) -> None:
        fields[place] = value

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (put(8, 7), "another question"),
        (put(0, 0x23), "another question"),
        (put(0, 0xE4), "own clock is not right"),
        (put(1, 0), "own clock is not right"),
        (put(1, 16), "own clock is not right"),
        (put(10, 0), "own clock is not right"),
        (list.clear, "no time"),
    ],
    ids=["token", "a client", "unsynchronised", "kiss of death", "stratum 16", "no time", "junk"],
)
def test_an_answer_that_is_no_time_is_not_believed(change: Change, why: str) -> None:
    with time_server(change=change) as place:
        told = found(place)
    assert not told.ok
    assert why in told.sentence


def test_a_server_that_is_silent_or_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ntp, "_SECONDS", 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        silent = f"127.0.0.1:{line.getsockname()[1]}"
        with pytest.raises(NoTime, match="does not answer"):
            clock_offset(silent)
    assert not found(silent).ok


@pytest.mark.parametrize("place", ["host:", "host:0", "host:65536", "ho st", "host:ntp"])
def test_what_is_no_time_server_is_refused_in_the_settings(place: str) -> None:
    with pytest.raises(SettingsRefused, match=r"clock\.time_server"):
        found(place)

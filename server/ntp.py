"""How far this machine's clock is from a time server's: one question of NTP (RFC 5905, RFC 4330).

Nothing is set. What keeps the clock right is the operating system's business.
"""

import secrets
import socket
import struct

from server.clock import utc_now
from server.errors import ServerError

_SECONDS = 2.0
"""How long the answer may take."""
_TRIES = 2
_PORT = 123
_PACKET = struct.Struct("!BBbbII4sQQQQ")
_CLIENT, _SERVER, _VERSION_4 = 3, 4, 4 << 3
_UNSYNCHRONISED = 3
_STRATA = range(1, 16)
_ERA = 1 << 32
_FROM_1900_TO_1970 = 2_208_988_800


class NoTime(ServerError):
    """A time server gave no time that can be relied on; `why` says it as the end of a sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def clock_offset(server: str) -> float:
    """Seconds by which the clock of HOST or HOST:PORT is ahead of ours.

    Raises:
        NoTime: it does not answer, or its own clock is not right.
    """
    host, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", "")
    for left in reversed(range(_TRIES)):
        try:
            return _ask((host, int(port or _PORT)))
        except TimeoutError:
            if not left:
                raise NoTime("does not answer") from None
        except OSError as error:
            raise NoTime(f"cannot be reached ({error.strerror})") from None
    raise NoTime("does not answer")


def _ask(address: tuple[str, int]) -> float:
    kind, _, _, _, place = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
    # A random number goes where our time would: it tells nobody our clock, and only who got the
    # question can give it back.
    token = secrets.randbits(64)
    question = _PACKET.pack(_VERSION_4 | _CLIENT, 0, 0, 0, 0, 0, b"", 0, 0, 0, token)
    with socket.socket(kind, socket.SOCK_DGRAM) as line:
        line.settimeout(_SECONDS)
        line.connect(place)
        sent = utc_now().timestamp()
        line.send(question)
        answer = line.recv(512)
        received = utc_now().timestamp()
    return _offset(answer, token, sent, received)


def _offset(answer: bytes, token: int, sent: float, received: float) -> float:
    """The offset by the four times of RFC 5905 section 8. Raises: NoTime."""
    if len(answer) < _PACKET.size:
        raise NoTime("answers with something that is no time")
    first, stratum, *_, originate, arrived, left = _PACKET.unpack_from(answer)
    if first & 7 != _SERVER or originate != token:
        raise NoTime("answers another question than ours")
    if first >> 6 == _UNSYNCHRONISED or stratum not in _STRATA or not left:
        raise NoTime("says that its own clock is not right")
    return ((_near(arrived, sent) - sent) + (_near(left, received) - received)) / 2


def _near(timestamp: int, ours: float) -> float:
    """Seconds since 1970 of an NTP timestamp, in the era that is nearest to our own clock."""
    seconds = timestamp / _ERA - _FROM_1900_TO_1970
    return seconds + round((ours - seconds) / _ERA) * _ERA

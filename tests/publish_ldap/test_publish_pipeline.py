"""Requests that are on their way together: how many, in which order, and what ends them."""

from collections import deque
from dataclasses import dataclass, field
from itertools import count

import pytest

from ca import der
from publish_ldap.pipeline import WINDOW, Answers, Request, send_together

ADD_RESPONSE = 0x69
NOTICE = der.sequence(der.integer(0), der.element(0x78, b"\x0a\x01\x34\x04\x00\x04\x00"))


def answer_to(number: int, code: int = 0) -> bytes:
    result = bytes((0x0A, 1, code)) + b"\x04\x00\x04\x00"
    return der.sequence(der.integer(number), der.element(ADD_RESPONSE, result))


@dataclass
class Server:
    """A connection, its server, socket and strategy in one; the newest is answered first."""

    numbers: "count[int]" = field(default_factory=lambda: count(1))
    sent: list[int] = field(default_factory=list)
    waiting: deque[int] = field(default_factory=deque)
    most: int = 0
    says: dict[int, bytes] = field(default_factory=dict)

    server = socket = strategy = property(lambda self: self)

    def next_message_id(self) -> int:
        return next(self.numbers)

    def sendall(self, message: bytes) -> None:
        self.waiting.append(int(message))
        self.sent.append(int(message))
        self.most = max(self.most, len(self.waiting))

    def receiving(self) -> list[bytes]:
        number = self.waiting.pop()
        return [self.says.get(number, answer_to(number))]


def a_request(after: frozenset[int] = frozenset()) -> Request:
    return Request(lambda number: str(number).encode(), after)


def test_a_request_waits_for_those_that_it_comes_after_and_for_no_others() -> None:
    server, answers = Server(), Answers()
    first, look = [a_request() for _ in range(5)], a_request(frozenset({0, 1, 2}))

    def answered_before_it(number: int) -> bytes:
        assert {0, 1, 2} <= answers.codes.keys()
        return str(number).encode()

    send_together(server, [*first, Request(answered_before_it, look.after), *first], answers)
    assert answers.codes == dict.fromkeys(range(11), 0)


def test_no_more_are_on_their_way_than_the_window_has() -> None:
    server, answers = Server(), Answers()
    send_together(server, [a_request() for _ in range(3 * WINDOW)], answers)
    assert server.most == WINDOW
    assert len(answers.codes) == 3 * WINDOW


def test_what_was_answered_before_a_server_disconnects_is_kept() -> None:
    server, answers = Server(), Answers()
    server.says[2] = NOTICE
    with pytest.raises(OSError, match="not an answer"):
        send_together(server, [a_request() for _ in range(4)], answers)
    assert answers.codes == {3: 0, 2: 0}

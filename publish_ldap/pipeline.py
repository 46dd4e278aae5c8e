"""Many requests on their way at once, over one connection (RFC 4511 section 5.1).

Written and read in octets: ldap3 spends more time on one than a server on an entry.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from publish_ldap.errors import DirectoryError
from publish_ldap.messages import (
    SEARCH_ENTRY,
    SEARCH_REFERENCE,
    Found,
    answer,
    result_code,
    search_entry,
)

WINDOW: Final = 64
"""How many requests are on their way at once, at most."""


@dataclass(frozen=True, slots=True)
class Request:
    """A message, made for its number; it is sent when those of the places `after` are answered."""

    message: Callable[[int], bytes]
    after: frozenset[int] = frozenset()


@dataclass(slots=True)
class Answers:
    """What came back: result codes by place of the request, entries, and why no more came."""

    codes: dict[int, int] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    failure: DirectoryError | None = None


def send_together(connection: Any, requests: Sequence[Request], answers: Answers) -> None:
    """Send requests and take the answers.

    Raises: OSError, ValueError, LDAPException; what was answered before stands in `answers`.
    """
    waiting: dict[int, int] = {}
    for at, request in enumerate(requests):
        while len(waiting) == WINDOW or not request.after.isdisjoint(waiting.values()):
            _collect(connection, waiting, answers)
        number = int(connection.server.next_message_id())
        waiting[number] = at
        connection.socket.sendall(request.message(number))
    while waiting:
        _collect(connection, waiting, answers)


def _collect(connection: Any, waiting: dict[int, int], answers: Answers) -> None:
    """Take what answers have come; they may come in another order than was asked in."""
    messages = connection.strategy.receiving()
    if not messages:  # ldap3 gives none when the server has closed the connection
        raise OSError("closed")
    for message in messages:
        number, kind, content = answer(message)
        if number not in waiting:  # a notice of disconnection (RFC 4511 section 4.4.1)
            raise OSError("not an answer to what was asked")
        if kind == SEARCH_ENTRY:
            answers.found.append(search_entry(content))
        elif kind != SEARCH_REFERENCE:
            answers.codes[waiting.pop(number)] = result_code(content)

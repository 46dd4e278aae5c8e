"""What the public listener says: status line, headers and body of one answer."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Answer:
    """Status line, headers and body of one answer."""

    status: str
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


NOT_FOUND = Answer("404 Not Found", b"there is nothing at this address\n")


def not_allowed(methods: str) -> Answer:
    """The answer to any method but these."""
    return Answer("405 Method Not Allowed", headers=(("Allow", methods),))


@lru_cache(maxsize=1024)
def http_date(time: datetime) -> str:
    """A UTC time as HTTP writes it (RFC 9110 section 5.6.7)."""
    return format_datetime(time, usegmt=True)

"""What the public listener says: status line, headers and body of one answer."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from io import BufferedReader

_CHUNK = 256 * 1024


@dataclass(slots=True)
class Sent:
    """Octets of an open file from one place up to another; closed when they were sent, or not."""

    file: BufferedReader
    start: int
    end: int

    def __len__(self) -> int:
        """How many octets there are."""
        return self.end - self.start

    def __iter__(self) -> Iterator[bytes]:
        """The octets in chunks; they are of the file that was opened, whatever replaces it."""
        at = self.start
        while at < self.end:
            chunk = os.pread(self.file.fileno(), min(_CHUNK, self.end - at), at)
            if not chunk:
                break
            at += len(chunk)
            yield chunk
        self.close()

    def close(self) -> None:
        """Give the file back; servers call it when a client goes away, too."""
        self.file.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """Status line, headers and body of one answer."""

    status: str
    body: bytes | Sent = b""
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

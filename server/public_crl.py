"""CRLs as the public listener serves them: files, sent in pieces, never held whole.

A CRL in force is sent with a strong validator, whole or in part (RFC 9110 sections 13 and 14); one
that has expired never is. What is known of a file is kept until another takes its place.
"""

import hashlib
import mmap
import os
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

from cryptography import x509

from revocation.crl import read_parts
from revocation.errors import NotDer
from revocation.publication import COMPLETE, DELTA
from server.public_answer import Sent, http_date
from server.public_gzip import Copies, Copy, accepts_gzip

KIND = "application/pkix-crl"
_SHARD = re.compile(r"[1-9]\d{0,4}", re.ASCII)
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)

_GZIP = ("Content-Encoding", "gzip")

Headers = tuple[tuple[str, str], ...]


def read_address(rest: str) -> tuple[str, int | None]:
    """Issuer and list of NAME.crl, NAME/delta.crl and NAME/7.crl; no list for other addresses."""
    name, slash, of = rest.removesuffix(".crl").partition("/")
    if not rest.endswith(".crl"):
        return name, None
    if not slash:
        return name, COMPLETE
    if of == "delta":
        return name, DELTA
    return name, int(of) if _SHARD.fullmatch(of) else None


@dataclass(frozen=True, slots=True)
class ServedCrl:
    """What is known of a CRL that lies on disk; `file` tells it from the one that replaces it."""

    file: tuple[int, int, int]
    modified: datetime
    next_update: datetime
    tag: str
    size: int


@dataclass(frozen=True, slots=True)
class CrlAnswer:
    """Status line, headers and, for 200 and 206, what is sent."""

    status: str
    headers: Headers = ()
    body: Sent | None = None


@dataclass(slots=True)
class CrlFiles:
    """The CRLs of one worker, by path."""

    _known: dict[Path, ServedCrl] = field(default_factory=dict)
    _copies: Copies = field(default_factory=Copies)

    def in_force(self, path: Path, now: datetime) -> ServedCrl | None:
        """What is served at a path; None while no CRL that is in force lies there."""
        try:
            with path.open("rb") as file:
                return self._look(path, file, now)
        except FileNotFoundError:
            return None

    def answer(self, path: Path, asked: dict[str, str], now: datetime) -> CrlAnswer | None:
        """The answer to GET or HEAD with these headers; None while no CRL is in force there.

        `asked` are headers by their WSGI names.
        """
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        found = self._look(path, file, now)
        if found is None:
            file.close()
            return None
        copy = self._copy(path, file, found, asked)
        if copy is not None:
            found = replace(found, tag=_compressed(found.tag), size=copy.size)
        status, headers, part = _decide(found, asked)
        if copy is not None and part is not None:
            file.close()
            return CrlAnswer(status, (*headers, _GZIP), Sent(copy.open(), *part))
        if part is None:
            file.close()
            return CrlAnswer(status, headers)
        return CrlAnswer(status, headers, Sent(file, *part))

    def _copy(
        self, path: Path, file: BufferedReader, found: ServedCrl, asked: dict[str, str]
    ) -> Copy | None:
        """The compressed copy, where the client takes one; a part is always one of the CRL."""
        if "HTTP_RANGE" in asked or not accepts_gzip(asked.get("HTTP_ACCEPT_ENCODING", "")):
            return None
        return self._copies.of(path, found.tag, file, found.size)

    def _look(self, path: Path, file: BufferedReader, now: datetime) -> ServedCrl | None:
        status = os.fstat(file.fileno())
        known = self._known.get(path)
        if known is None or known.file != (status.st_mtime_ns, status.st_ino, status.st_size):
            try:
                known = _read(file, status)
            except ValueError:  # no CRL: the job that publishes mends it
                return None
            self._known[path] = known
        return None if now > known.next_update else known


def _read(file: BufferedReader, status: os.stat_result) -> ServedCrl:
    if not status.st_size:
        raise ValueError("an empty file is no CRL")
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        try:
            next_update = read_parts(octets).next_update
        except NotDer:  # of other hands, or no CRL at all
            found = x509.load_der_x509_crl(octets[:]).next_update_utc
            if found is None:
                raise ValueError("a CRL without nextUpdate") from None
            next_update = found
    file.seek(0)
    return ServedCrl(
        file=(status.st_mtime_ns, status.st_ino, status.st_size),
        modified=datetime.fromtimestamp(int(status.st_mtime), UTC),
        next_update=next_update,
        tag=f'"{hashlib.file_digest(file, "sha256").hexdigest()}"',
        size=status.st_size,
    )


def _decide(found: ServedCrl, asked: dict[str, str]) -> tuple[str, Headers, tuple[int, int] | None]:
    """Status, headers, and which octets are sent, if any (RFC 9110 section 13.2.2)."""
    headers: Headers = (
        ("ETag", found.tag),
        ("Last-Modified", http_date(found.modified)),
        ("Expires", http_date(found.next_update)),
        ("Cache-Control", "public, max-age=60, no-transform"),
        ("Accept-Ranges", "bytes"),
        ("Vary", "Accept-Encoding"),
    )
    if _is_unmodified(found, asked):
        return "304 Not Modified", headers, None
    whole = (0, found.size)
    unless = asked.get("HTTP_IF_RANGE", "").strip()
    match = _RANGE.fullmatch(asked.get("HTTP_RANGE", "").strip())
    if match is None or unless not in {"", found.tag, http_date(found.modified)}:
        return "200 OK", headers, whole  # several ranges, too: a server may send all of it
    part = _part(match[1], match[2], found.size)
    if part is None:
        return "416 Range Not Satisfiable", (*headers, _content_range(f"*/{found.size}")), None
    of = f"{part[0]}-{part[1] - 1}/{found.size}"
    return "206 Partial Content", (*headers, _content_range(of)), part


def _compressed(tag: str) -> str:
    """The validator of the compressed copy: other octets, so another one (RFC 9110 8.8.3.3)."""
    return f'{tag[:-1]}-gzip"'


def _content_range(of: str) -> tuple[str, str]:
    return ("Content-Range", f"bytes {of}")


def _is_unmodified(found: ServedCrl, asked: dict[str, str]) -> bool:
    tags = asked.get("HTTP_IF_NONE_MATCH")
    if tags is not None:
        return tags.strip() == "*" or found.tag in tags
    return asked.get("HTTP_IF_MODIFIED_SINCE", "").strip() == http_date(found.modified)


def _part(first: str, last: str, size: int) -> tuple[int, int] | None:
    """First octet and the one after the last; None when there is none of them (14.1.2)."""
    if not first:
        return (max(size - int(last), 0), size) if last and int(last) else None
    start, end = int(first), int(last) + 1 if last else size
    return (start, min(end, size)) if start < min(end, size) else None

"""Compressed copies of large files that the public listener sends (RFC 9110 8.4 and 12.5.3).

An entry of a CRL is as random as its serial number and the rest repeats, so half is saved. A copy
is made once a file, when somebody first asks for it; meanwhile others get the file as it is.
"""

import os
import re
import tempfile
import weakref
import zlib
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from threading import Lock

_LEAST = 1400
"""Octets that one packet takes anyhow."""
_WORTH = 0.9
_CHUNK = 256 * 1024
_LEVEL = 1  # a higher one takes twice as long and saves 3 % more
_GZIP_WINDOW = 31
_ACCEPTED = re.compile(r"(?:x-)?gzip(?:\s*;\s*q=(\d(?:\.\d{1,3})?))?", re.IGNORECASE)


def accepts_gzip(header: str) -> bool:
    """Whether Accept-Encoding names gzip, and not with a weight of nothing."""
    found = (_ACCEPTED.fullmatch(each.strip()) for each in header.split(","))
    return any(match is not None and float(match[1] or 1) > 0 for match in found)


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Copy:
    """The compressed copy of one file, which no directory names; gone with its last reader."""

    descriptor: int
    size: int

    def __post_init__(self) -> None:
        weakref.finalize(self, os.close, self.descriptor)

    def open(self) -> BufferedReader:
        """A reader that is closed on its own; readers share no position, for they use pread."""
        return os.fdopen(os.dup(self.descriptor), "rb")


@dataclass(slots=True)
class Copies:
    """The compressed copies of one worker, one a path; `tag` says of which file's octets it is."""

    _kept: dict[Path, tuple[str, Copy | None]] = field(default_factory=dict)
    _at_work: Lock = field(default_factory=Lock)

    def of(self, path: Path, tag: str, file: BufferedReader, size: int) -> Copy | None:
        """The copy of the file; None if there is none now, and the file itself is to be sent."""
        if size < _LEAST:
            return None
        of, copy = self._kept.get(path, ("", None))
        if of == tag:
            return copy
        if not self._at_work.acquire(blocking=False):
            return None
        try:
            copy = _compressed(file, size)
            self._kept[path] = tag, copy
        except OSError:  # no room: it is only a convenience
            return None
        finally:
            self._at_work.release()
        return copy


def _compressed(file: BufferedReader, size: int) -> Copy | None:
    """The copy; None where it saves too little."""
    squeeze, at = zlib.compressobj(_LEVEL, wbits=_GZIP_WINDOW), 0
    with tempfile.TemporaryFile() as copy:
        while chunk := os.pread(file.fileno(), _CHUNK, at):
            at += len(chunk)
            copy.write(squeeze.compress(chunk))
        copy.write(squeeze.flush())
        copy.flush()
        length = copy.tell()
        if at != size or length > size * _WORTH:
            return None
        return Copy(os.dup(copy.fileno()), length)

"""Files that relying parties fetch: replaced as a whole, durably, and read back."""

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from revocation.errors import PublicationFailed

_WORLD_READABLE = 0o644
_YOUNG = 60  # seconds


def is_published(path: Path, sha256: bytes) -> bool:
    """Whether the file holds exactly the octets of this digest."""
    try:
        return _digest(path) == sha256
    except OSError:
        return False


def write_published(path: Path, content: bytes) -> None:
    """Put the content at the path so that a reader, or a power cut, sees old or new, never half.

    Written beside the path, synced, read back, renamed over it, and the directory synced.

    Raises:
        PublicationFailed: one of these steps failed; no temporary file is left behind.
    """
    write_streamed(path, [content], hashlib.sha256(content).digest())


def write_streamed(path: Path, chunks: Iterable[bytes], sha256: bytes) -> None:
    """As `write_published`, for content that comes in chunks and has this digest.

    Raises:
        PublicationFailed: one of the steps failed, or the content is not that of the digest.
    """
    with beside(path) as (file, temporary):
        try:
            file.writelines(chunks)
            sync(file)
            if _digest(temporary) != sha256:
                raise PublicationFailed(path)
            put(temporary, path)
        except OSError as error:
            raise PublicationFailed(path) from error


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@contextmanager
def beside(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file beside a path, gone at the end unless it was put there.

    What a process that was killed left behind is swept away by whoever writes next: a file that
    somebody is writing is locked, so that it is not taken for a leftover.

    Raises:
        PublicationFailed: no file can be made there.
    """
    try:
        _sweep(path)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        raise PublicationFailed(path) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file, temporary
    finally:
        temporary.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    for left in path.parent.glob(f".{path.name}.*"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between the making of a file and its lock another process has it: it is young then.
            if abs(time.time() - left.stat().st_mtime) > _YOUNG:
                left.unlink()


def sync(file: BinaryIO) -> None:
    """Let everything that was written be on the disk, and readable by everybody."""
    file.flush()
    os.fchmod(file.fileno(), _WORLD_READABLE)
    os.fsync(file.fileno())


def put(temporary: Path, path: Path) -> None:
    """Rename a synced file over the path, and sync the directory."""
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder against every other process of this host."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

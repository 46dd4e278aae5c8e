"""Files that a verb reads or writes, checked before anything is done that cannot be repeated."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from ca.errors import MalformedRequest, NotFound
from server.problems import Problem, ProblemRaised

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec


class _Out(click.Path):
    """A place to be written, of a name that a file can have."""

    def convert(
        self,
        value: "str | os.PathLike[str]",
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        """The path; click fails with usage for a name that is too long."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            path.exists()
        except OSError as error:
            self.fail(f"{path} cannot be written: {error.strerror}.", param, ctx)
        return path


class OutFile(_Out):
    """A file to be written: its folder is there and takes it, so the result will not be lost."""

    def __init__(self, *, stdout: bool = True) -> None:
        """Take a path that is no directory; `-` is standard output, if that may be."""
        super().__init__(dir_okay=False, writable=True, path_type=Path)
        self._stdout = stdout

    def convert(
        self,
        value: "str | os.PathLike[str]",
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        """The path; click fails with usage when nothing could be written there."""
        path = super().convert(value, param, ctx)
        if str(path) == "-" and not self._stdout:
            self.fail("The result goes to a file.", param, ctx)
        if str(path) != "-" and not os.access(path.parent, os.W_OK | os.X_OK):
            self.fail(f"Nothing can be written in {path.parent}.", param, ctx)
        return path


class OutFolder(_Out):
    """A folder to be written, which may be one to be made."""

    def __init__(self) -> None:
        """Take a path that is no file."""
        super().__init__(file_okay=False, path_type=Path)


MAX_OCTETS = 1024 * 1024
_MAX_TEXT = 64 * MAX_OCTETS
"""Room for the heads of an audit log over decades."""


def is_file(name: str) -> bool:
    """Whether there is a regular file of that name, which may be a name that no file can have."""
    try:
        return Path(name).is_file()
    except OSError:
        return False


def read_octets(name: str, longest: int = MAX_OCTETS) -> bytes:
    """The octets of a file, or of standard input for -; a mebibyte at most unless told.

    Raises: NotFound, MalformedRequest when it is longer or cannot be read.
    """
    try:
        if name == "-":
            return _within(sys.stdin.buffer, name, longest)
        with Path(name).open("rb") as file:
            return _within(file, name, longest)
    except FileNotFoundError:
        raise NotFound("file", name) from None
    except OSError as error:
        raise MalformedRequest(f"file {name}", error.strerror or "it cannot be read") from None


def _within(stream: BinaryIO, name: str, longest: int) -> bytes:
    octets = stream.read(longest + 1)
    if len(octets) > longest:
        raise MalformedRequest(f"file {name}", f"it is longer than {longest:,} octets")
    return octets


def read_text(path: Path) -> str:
    """The text of a file; MalformedRequest when it cannot be read or is no text."""
    try:
        with path.open("rb") as file:
            return _within(file, str(path), _MAX_TEXT).decode()
    except UnicodeDecodeError:
        raise MalformedRequest(f"file {path}", "it is no text") from None
    except OSError as error:
        raise MalformedRequest(f"file {path}", error.strerror or "it cannot be read") from None


def check_place(out: Path, *sources: str) -> None:
    """Refuse a result that could not be written, or would be written over what it is made from.

    To be called before anything is signed. Raises: UsageError, ProblemRaised.
    """
    if out.is_file() and any(Path(each).exists() and out.samefile(each) for each in sources):
        raise click.UsageError(f"{out} is read, and would be overwritten: name another --out.")
    made = not out.exists()
    try:
        out.open("ab").close()
        if made:
            out.unlink()
    except OSError as error:
        raise ProblemRaised(
            Problem(
                type="unwritable",
                title="The result has no place",
                status=400,
                detail=f"The file {out} cannot be written: {error.strerror}.",
                way_out="Name a file that you can write; nothing was done.",
            )
        ) from None


@contextmanager
def writing(
    out: Path,
    done: str = "Everything went well",
    way_out: str = "Make room, or name another place, and run it again.",
) -> Iterator[None]:
    """A block that writes a result; the problem says what was done all the same.

    Raises: ProblemRaised.
    """
    try:
        yield
    except OSError as error:
        raise ProblemRaised(
            Problem(
                type="unwritten",
                title="The result was not written",
                status=503,
                detail=f"{done}, but {out} does not take it: {error.strerror}.",
                way_out=way_out,
            )
        ) from None


def write_octets(out: Path, octets: bytes, *said: str) -> None:
    """Write a result; what is said besides as in `writing`. Raises: ProblemRaised."""
    with writing(out, *said):
        out.write_bytes(octets)


def read_public_key(path: Path) -> "ec.EllipticCurvePublicKey":
    """The elliptic-curve public key of a PEM file; MalformedRequest when there is none."""
    return parse_public_key(read_text(path), path)


def parse_public_key(pem: str, path: Path) -> "ec.EllipticCurvePublicKey":
    """The elliptic-curve public key of a PEM text that stands in a file; else MalformedRequest."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode())
    except (UnsupportedAlgorithm, ValueError):
        raise MalformedRequest(f"file {path}", "it holds no public key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise MalformedRequest(f"file {path}", "its key is not on an elliptic curve")
    return key

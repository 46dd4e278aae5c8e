"""Files that a verb reads or writes, checked before anything is done that cannot be repeated."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ca.errors import MalformedRequest, NotFound
from server.problems import Problem, ProblemRaised

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec


class OutFile(click.Path):
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
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if str(path) == "-" and not self._stdout:
            self.fail("The result goes to a file.", param, ctx)
        try:
            path.exists()
        except OSError as error:
            self.fail(f"{path} cannot be written: {error.strerror}.", param, ctx)
        if str(path) != "-" and not os.access(path.parent, os.W_OK | os.X_OK):
            self.fail(f"Nothing can be written in {path.parent}.", param, ctx)
        return path


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
            octets = sys.stdin.buffer.read(longest + 1)
        else:
            with Path(name).open("rb") as file:
                octets = file.read(longest + 1)
    except FileNotFoundError:
        raise NotFound("file", name) from None
    except OSError as error:
        raise MalformedRequest(f"file {name}", error.strerror or "it cannot be read") from None
    if len(octets) > longest:
        raise MalformedRequest(f"file {name}", f"it is longer than {longest:,} octets")
    return octets


def read_text(path: Path) -> str:
    """The text of a file; MalformedRequest when it cannot be read or is no text."""
    try:
        with path.open("rb") as file:
            octets = file.read(_MAX_TEXT + 1)
        if len(octets) > _MAX_TEXT:
            raise MalformedRequest(f"file {path}", "it is longer than 64 MiB")
        return octets.decode()
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


def write_octets(
    out: Path,
    octets: bytes,
    done: str = "Everything went well",
    way_out: str = "Make room, or name another file, and run it again.",
) -> None:
    """Write a result; the problem says what was done all the same. Raises: ProblemRaised."""
    try:
        out.write_bytes(octets)
    except OSError as error:
        raise ProblemRaised(unwritten(out, error, way_out, done)) from None


def unwritten(out: Path, error: OSError, way_out: str, done: str) -> Problem:
    """The problem of a result that found no room."""
    return Problem(
        type="unwritten",
        title="The result was not written",
        status=503,
        detail=f"{done}, but {out} does not take it: {error.strerror}.",
        way_out=way_out,
    )


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

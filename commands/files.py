"""Files that a verb reads or writes, checked before anything is done that cannot be repeated."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ca.errors import MalformedRequest, NotFound

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
        if str(path) != "-" and not os.access(path.parent, os.W_OK | os.X_OK):
            self.fail(f"Nothing can be written in {path.parent}.", param, ctx)
        return path


MAX_OCTETS = 1024 * 1024


def read_octets(name: str) -> bytes:
    """The octets of a file, at most a mebibyte, or of standard input for -.

    Raises: NotFound, MalformedRequest.
    """
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_OCTETS)
        with Path(name).open("rb") as file:
            return file.read(MAX_OCTETS)
    except FileNotFoundError:
        raise NotFound("file", name) from None
    except OSError as error:
        raise MalformedRequest(f"file {name}", error.strerror or "it cannot be read") from None


def read_text(path: Path) -> str:
    """The text of a file; MalformedRequest when it cannot be read or is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise MalformedRequest(f"file {path}", "it is no text") from None
    except OSError as error:
        raise MalformedRequest(f"file {path}", error.strerror or "it cannot be read") from None


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

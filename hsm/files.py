"""Files that must never be half written, nor readable by anybody but their owner."""

import os
import secrets
from pathlib import Path


def write_owner_only(path: Path, octets: bytes) -> None:
    """Replace a file in one step, readable by the owner alone and on disk when this returns."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(descriptor)
    move(draft, path)


def move(source: Path, target: Path) -> None:
    """Put a file in the place of another of the same folder, on disk when this returns."""
    source.replace(target)
    sync_folder(target.parent)


def remove(path: Path) -> None:
    """Remove a file if it is there; it is gone from the disk when this returns."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Write a folder's entries to the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

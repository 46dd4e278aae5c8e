"""Backups at rest: a file encrypted as it is written, which opens whole or not at all.

    magic, length of the header, header as JSON: the file's own key, wrapped by the key of backups
    chunks of at most 1 MiB, each: length, AES-256-GCM ciphertext

The nonce of a chunk is its number, its associated data the header's digest and whether it is the
last: none can be left out, moved, taken from another file, or cut off.
"""

import json
import os
import secrets
import struct
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hsm.files import sync_folder, write_owner_only
from records.errors import BackupRefused
from records.key_wrapping import KEY_OCTETS, DamagedData, KeyWrap, new_key

_MAGIC = b"tillid-backup-1\n"
_CHUNK = 1 << 20
_MOST_HEADER = 4096
_PLACE = b"key of a backup"
_DAMAGED = "Take another copy of it."


def make_backup_key(path: Path) -> None:
    """Write a new key of backups, hexadecimal, for the owner alone. Raises: BackupRefused."""
    if path.exists():
        raise BackupRefused("BACKUP_KEY_KEPT", f"{path} is there already", "Name another file.")
    write_owner_only(path, secrets.token_hex(KEY_OCTETS).encode() + b"\n")


def read_backup_key(path: Path) -> bytes:
    """The key of backups in a file. Raises: BackupRefused."""
    way_out = "Make one with: tillid backup new-key --out FILE"
    try:
        with path.open("rb") as file:
            key = bytes.fromhex(file.read(4 * KEY_OCTETS).decode("ascii"))
    except (OSError, ValueError):
        raise BackupRefused("BACKUP_KEY", f"{path} is no key of backups", way_out) from None
    if len(key) != KEY_OCTETS:
        raise BackupRefused("BACKUP_KEY", f"{path} does not hold 32 octets", way_out)
    return key


def encrypt_to(path: Path, octets: Iterable[bytes], key: bytes) -> None:
    """Write a backup; it has its name once it is whole and on disk. Raises: OSError."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    own = new_key()
    header = json.dumps({"key": KeyWrap(key).wrap(own, _PLACE).hex()}).encode()
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_MAGIC + struct.pack(">I", len(header)) + header)
            for sealed in _encrypted(octets, AESGCM(own), sha256(header).digest()):
                file.write(struct.pack(">I", len(sealed)) + sealed)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def decrypted(path: Path, key: bytes) -> Iterator[bytes]:
    """What a backup holds, piece by piece; raises at the first octet that is not as it was.

    Raises: BackupRefused.
    """
    try:
        with path.open("rb") as file:
            header = _header(file, path)
            try:
                own = KeyWrap(key).unwrap(bytes.fromhex(json.loads(header)["key"]), _PLACE)
            except (DamagedData, ValueError, KeyError, TypeError):
                raise BackupRefused(
                    "BACKUP_KEY", f"{path} does not open with this key", "Name the right --key."
                ) from None
            yield from _opened(file, AESGCM(own), sha256(header).digest(), path)
    except OSError as error:
        why = f"{path} cannot be read ({error.strerror})"
        raise BackupRefused("BACKUP_WHOLE", why, "Name a file that is there.") from None


def _encrypted(octets: Iterable[bytes], cipher: AESGCM, of: bytes) -> Iterator[bytes]:
    number, held = 0, bytearray()
    for some in octets:
        held += some
        while len(held) > _CHUNK:
            yield cipher.encrypt(_nonce(number), bytes(held[:_CHUNK]), of + b"more")
            del held[:_CHUNK]
            number += 1
    yield cipher.encrypt(_nonce(number), bytes(held), of + b"last")


def _header(file: IO[bytes], path: Path) -> bytes:
    length = file.read(len(_MAGIC) + 4)
    if not length.startswith(_MAGIC) or len(length) != len(_MAGIC) + 4:
        raise BackupRefused("BACKUP_WHOLE", f"{path} is no backup of ours", "Name another file.")
    (octets,) = struct.unpack(">I", length[len(_MAGIC) :])
    header = file.read(min(octets, _MOST_HEADER))
    if len(header) != octets:
        raise BackupRefused("BACKUP_WHOLE", f"{path} is cut off", _DAMAGED)
    return header


def _opened(file: IO[bytes], cipher: AESGCM, of: bytes, path: Path) -> Iterator[bytes]:
    sealed, number = _chunk(file), 0
    while sealed is not None:
        following = _chunk(file)
        place = of + (b"last" if following is None else b"more")
        try:
            yield cipher.decrypt(_nonce(number), sealed, place)
        except (InvalidTag, ValueError):
            raise BackupRefused("BACKUP_WHOLE", f"{path} is damaged or cut off", _DAMAGED) from None
        sealed, number = following, number + 1
    if number == 0:
        raise BackupRefused("BACKUP_WHOLE", f"{path} is cut off", _DAMAGED)


def _chunk(file: IO[bytes]) -> bytes | None:
    length = file.read(4)
    if not length:
        return None
    octets = struct.unpack(">I", length)[0] if len(length) == struct.calcsize(">I") else 0
    return file.read(min(octets, _CHUNK + 64))


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")

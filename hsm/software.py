"""ML-DSA keys in files, for as long as no token at hand makes them: test equipment.

The seed is sealed by an AES key of the token, so the file alone is worth nothing; but while it is
used the key is in this process's memory, and that is no place for the key of an authority. The
class of the key is the same as that of a key in a PKCS#11 v3.2 token.

    <folder>/<label>      the kind, a line feed, the sealed seed of 32 octets
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import mldsa
from pkcs11 import Mechanism

from hsm.errors import KeyExists, KeyKindUnsupported, KeyNotFound, TokenUnavailable
from hsm.files import remove, write_owner_only
from hsm.key_kinds import KeyKind
from hsm.keys import WrappingKey
from hsm.quota import SignQuota
from hsm.signing_keys import TokenPrivateKey, private_key_for

Result = TypeVar("Result")
Seeded = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey

_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SEED_OCTETS = 32
_FROM_SEED: dict[KeyKind, Callable[[bytes], Seeded]] = {
    KeyKind.ML_DSA_44: mldsa.MLDSA44PrivateKey.from_seed_bytes,
    KeyKind.ML_DSA_65: mldsa.MLDSA65PrivateKey.from_seed_bytes,
    KeyKind.ML_DSA_87: mldsa.MLDSA87PrivateKey.from_seed_bytes,
}


class SoftwareKeys:
    """The keys of one token that are in files; holds them for their key objects as a token does."""

    def __init__(
        self,
        folder: Path,
        sealing_key: Callable[[], WrappingKey],
        quota: SignQuota | None = None,
    ) -> None:
        """Read nothing yet; the sealing key is asked for when a key is first used."""
        self._folder = folder
        self._sealing_key = sealing_key
        self._quota = quota or SignQuota()
        self._opened: dict[str, Seeded] = {}

    def generate_key(self, label: str, kind: KeyKind) -> TokenPrivateKey:
        """Make a key. Raises: KeyExists, KeyKindUnsupported, TokenUnavailable."""
        if kind not in _FROM_SEED:
            raise KeyKindUnsupported("software keys", kind)
        path = self._path(label)
        if path.exists():
            raise KeyExists(label)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sealed = self._sealing_key().encrypt(os.urandom(_SEED_OCTETS), _context(label, kind))
        write_owner_only(path, kind.encode() + b"\n" + sealed)
        return self.private_key(label)

    def destroy_key(self, label: str) -> None:
        """Remove the file of a key, and forget the key. Raises: KeyNotFound."""
        if label not in self.labels():
            raise KeyNotFound(label)
        remove(self._path(label))
        self._opened.pop(label, None)

    def labels(self) -> list[str]:
        """The keys that are there, sorted."""
        found = self._folder.iterdir() if self._folder.is_dir() else ()
        return sorted(path.name for path in found if _LABEL.fullmatch(path.name))

    def private_key(self, label: str) -> TokenPrivateKey:
        """The key of this label. Raises: KeyNotFound, IntegrityFailed, TokenUnavailable."""
        return private_key_for(self, label, self._seeded(label).public_key())

    def sign_with(self, label: str, operation: Callable[[Any], Result]) -> Result:
        """Run one signing operation on the key of this label. Raises: QuotaExhausted."""
        self._quota.spend(label)
        return operation(_SoftwareHandle(self._seeded(label)))

    def check_quota(self, label: str, wanted: int) -> None:
        """See that the key may make so many signatures now. Raises: QuotaExhausted."""
        self._quota.check(label, wanted)

    def use_secret_key(self, label: str, _: Callable[[Any], Result]) -> NoReturn:
        """Raises: KeyNotFound, for there are no secret keys here."""
        raise KeyNotFound(label)

    def _seeded(self, label: str) -> Seeded:
        if label not in self._opened:
            self._opened[label] = self._open(label)
        return self._opened[label]

    def _open(self, label: str) -> Seeded:
        try:
            word, _, sealed = self._path(label).read_bytes().partition(b"\n")
            kind = KeyKind(word.decode())
        except FileNotFoundError:
            raise KeyNotFound(label) from None
        except (OSError, ValueError) as error:
            raise TokenUnavailable(label, "the file of a software key cannot be read") from error
        seed = self._sealing_key().decrypt(sealed, _context(label, kind))
        return _FROM_SEED[kind](seed)

    def _path(self, label: str) -> Path:
        if not _LABEL.fullmatch(label):
            raise KeyNotFound(label)
        return self._folder / label


class _SoftwareHandle:
    """What stands in for python-pkcs11's private key."""

    def __init__(self, key: Seeded) -> None:
        self._key = key

    def sign(self, message: bytes, mechanism: Mechanism) -> bytes:
        """A pure ML-DSA signature."""
        if mechanism is not Mechanism.ML_DSA:
            raise UnsupportedAlgorithm("a software key makes ML-DSA signatures alone")
        return self._key.sign(message)


def _context(label: str, kind: KeyKind) -> bytes:
    return f"software key {kind} {label}".encode()

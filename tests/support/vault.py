"""Key stores for tests: roots in software that behave as those in a token, and can be away."""

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hsm.errors import IntegrityFailed, KeyNotFound, TokenUnavailable
from records.database import Database
from records.key_store import KeyStore


@dataclass
class SoftwareWrappingKey:
    """Wraps as the token does: AES-256-GCM, nonce first, and IntegrityFailed for altered octets."""

    key: bytes = field(default_factory=lambda: os.urandom(32))

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + AESGCM(self.key).encrypt(nonce, plaintext, associated_data)

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        try:
            return AESGCM(self.key).decrypt(ciphertext[:12], ciphertext[12:], associated_data)
        except InvalidTag:
            raise IntegrityFailed("wrapping-key") from None


@dataclass
class SoftwareRoots:
    """A token with nothing in it but roots."""

    name: str = "vault-a"
    roots: dict[tuple[str, int], SoftwareWrappingKey] = field(default_factory=dict)
    is_away: bool = False

    def serial(self) -> str:
        self._ask()
        return f"serial-of-{self.name}"

    def epochs(self, store: str) -> set[int]:
        self._ask()
        return {epoch for name, epoch in self.roots if name == store}

    def key(self, store: str, epoch: int) -> SoftwareWrappingKey:
        self._ask()
        if (store, epoch) not in self.roots:
            raise KeyNotFound(f"{store}-{epoch}")
        return self.roots[store, epoch]

    def make(self, store: str, epoch: int) -> SoftwareWrappingKey:
        self._ask()
        return self.roots.setdefault((store, epoch), SoftwareWrappingKey())

    def destroy(self, store: str, epoch: int) -> None:
        self._ask()
        self.roots.pop((store, epoch), None)

    def _ask(self) -> None:
        if self.is_away:
            raise TokenUnavailable(self.name)


def key_store_of(database: Database, *roots: SoftwareRoots) -> KeyStore:
    """A key store for a database of records; it goes when that database is given back."""
    folder = Path(tempfile.mkdtemp(prefix="tillid-keys-"))
    keys = Database(f"sqlite:///{folder}/keystore.sqlite")
    database.at_close += [keys.close, lambda: shutil.rmtree(folder, ignore_errors=True)]
    return KeyStore(keys, roots or (SoftwareRoots(),))

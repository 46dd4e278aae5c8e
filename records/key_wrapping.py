"""How keys wrap keys: AES-256-GCM with random nonces (NIST SP 800-38D), 60 octets a key.

What a key stands for is its associated data, so no wrapped key opens in the place of another.
"""

import secrets
from collections.abc import Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from records.errors import RecordsError

KEY_OCTETS = 32
_NONCE_OCTETS = 12


class DamagedData(RecordsError):
    """A sealed value or a wrapped key does not open under its own key: it was altered."""


class WrappingKey(Protocol):
    """An AES-256 key in a token (or a test's stand-in): the root of a key store."""

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Nonce, ciphertext and tag."""

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """The plaintext; IntegrityFailed when ciphertext or associated data were changed."""


class RootToken(Protocol):
    """A token with the roots of key stores in it; `store` is the name of one."""

    @property
    def name(self) -> str:
        """What the token is called in the settings."""

    def serial(self) -> str:
        """The device's serial number. Raises: HsmError."""

    def epochs(self, store: str) -> set[int]:
        """Epochs of which a root is in the token now. Raises: HsmError."""

    def key(self, store: str, epoch: int) -> WrappingKey:
        """The root of an epoch. Raises: KeyNotFound, HsmError."""

    def make(self, store: str, epoch: int) -> WrappingKey:
        """The root of an epoch, made unless a crash left one behind; tried, and seen to stay.

        Raises: KeyUnfit for one that could leave or came from outside, HsmError.
        """

    def check(self, store: str) -> None:
        """Whether no root of the store can leave the token. Raises: KeyUnfit, HsmError."""

    def destroy(self, store: str, epoch: int) -> None:
        """Destroy the root of an epoch, for good. Raises: HsmError."""


RootTokens = Sequence[RootToken]


def new_key() -> bytes:
    """A random AES-256 key."""
    return secrets.token_bytes(KEY_OCTETS)


class KeyWrap:
    """A key in memory that wraps others."""

    def __init__(self, key: bytes) -> None:
        """Use the key."""
        self._cipher = AESGCM(key)

    def wrap(self, key: bytes, place: bytes) -> bytes:
        """Nonce, ciphertext, tag."""
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        return nonce + self._cipher.encrypt(nonce, key, place)

    def unwrap(self, wrapped: bytes, place: bytes) -> bytes:
        """The key. Raises: DamagedData."""
        nonce, ciphertext = wrapped[:_NONCE_OCTETS], wrapped[_NONCE_OCTETS:]
        try:
            return self._cipher.decrypt(nonce, ciphertext, place)
        except (InvalidTag, ValueError):  # ValueError: too few octets for a nonce
            raise DamagedData("a wrapped key does not open under the key above it") from None


def place_of_top(store: str, epoch: int) -> bytes:
    """What a wrapped top key stands for."""
    return f"top key|{store}|{epoch}".encode()


def place_of_bucket(number: int) -> bytes:
    """What a wrapped bucket key stands for."""
    return f"bucket|{number}".encode()


def place_of_key(ref: str) -> bytes:
    """What a wrapped data key stands for."""
    return f"data key|{ref}".encode()

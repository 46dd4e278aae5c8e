"""The one door through which personal data enters and leaves the database.

Each value is encrypted with AES-256-GCM under a data key of its subject and purpose; the data key
is wrapped by a key in the token. Deleting the data key's row ends every value under it.
"""

import secrets
from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection, delete, insert, select

from hsm.errors import IntegrityFailed
from records.errors import Erased, RecordsError
from records.tables import data_key, subject

_NONCE_OCTETS = 12
# What a data key may open: certificate bodies and names; applications and their evidence; how a
# person is reached; payloads of the audit log; data-subject cases and what is delivered in them;
# officers' names. What dies at different times has different purposes.
PURPOSES = frozenset({"core", "evidence", "contact", "audit", "case", "delivery", "officer"})


class WrappingKey(Protocol):
    """An AES-256 key in a token (or a test's stand-in) that wraps data keys."""

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Nonce, ciphertext and tag."""

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """The plaintext; IntegrityFailed when ciphertext or associated data were changed."""


class DamagedData(RecordsError):
    """A sealed value does not open under its own key: it was altered."""


class PersonalData:
    """Seals and opens values inside the caller's transaction."""

    def __init__(self, wrapping_key: Callable[[], WrappingKey]) -> None:
        """Remember how to get at the token's wrapping key; it is asked for when first needed."""
        self._wrapping_key = wrapping_key

    def seal(self, tx: Connection, subject_id: str, purpose: str, value: bytes) -> bytes:
        """Encrypt a value of one subject; makes the data key at the first value."""
        key = self._key_to_seal(tx, subject_id, purpose)
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        return nonce + AESGCM(key).encrypt(nonce, value, _place(subject_id, purpose))

    def derive(self, tx: Connection, subject_id: str, purpose: str, label: bytes) -> bytes:
        """32 octets that only the data key and the label give; makes the key if there is none.

        They end with the data key: whoever kept neither can neither open nor check what was
        sealed or committed to with them.
        """
        return self.derivation(tx, subject_id, purpose, make=True)(label)

    def derivation(
        self, tx: Connection, subject_id: str, purpose: str, *, make: bool = False
    ) -> Callable[[bytes], bytes]:
        """What `derive` gives for any label, with the key taken out once.

        Raises:
            Erased: there is no such key, and none is to be made.
        """
        find = self._key_to_seal if make else self._data_key
        key = find(tx, subject_id, purpose)
        if key is None:
            raise Erased("the data key of this subject was destroyed")
        place = _place(subject_id, purpose)
        return lambda label: HKDF(SHA256(), 32, salt=None, info=place + label).derive(key)

    def _key_to_seal(self, tx: Connection, subject_id: str, purpose: str) -> bytes:
        place = _place(subject_id, purpose)
        key = self._data_key(tx, subject_id, purpose)
        if key is None:
            # Of two first values at once the second waits here, and finds the key of the first.
            tx.execute(select(subject.c.id).where(subject.c.id == subject_id).with_for_update())
            key = self._data_key(tx, subject_id, purpose)
        if key is None:
            key = secrets.token_bytes(32)
            wrapped = self._wrapping_key().encrypt(key, place)
            tx.execute(
                insert(data_key).values(subject_id=subject_id, purpose=purpose, wrapped=wrapped)
            )
        return key

    def open(self, tx: Connection, subject_id: str, purpose: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` gave.

        Raises:
            Erased: the data key was destroyed.
            DamagedData: the value or its key was altered.
        """
        key = self._data_key(tx, subject_id, purpose)
        if key is None:
            raise Erased("the data key of this subject was destroyed")
        nonce, ciphertext = sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:]
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, _place(subject_id, purpose))
        except (InvalidTag, ValueError):  # ValueError: too few octets for a nonce
            raise DamagedData("a sealed value does not open under its own key") from None

    def destroy(self, tx: Connection, subject_id: str) -> int:
        """Delete every data key of the subject; gives their number."""
        return tx.execute(delete(data_key).where(data_key.c.subject_id == subject_id)).rowcount

    def _data_key(self, tx: Connection, subject_id: str, purpose: str) -> bytes | None:
        wrapped = tx.execute(
            select(data_key.c.wrapped).where(
                data_key.c.subject_id == subject_id, data_key.c.purpose == purpose
            )
        ).scalar()
        if wrapped is None:
            return None
        try:
            return self._wrapping_key().decrypt(wrapped, _place(subject_id, purpose))
        except IntegrityFailed:
            raise DamagedData("a data key does not open under the wrapping key") from None


def _place(subject_id: str, purpose: str) -> bytes:
    if purpose not in PURPOSES:
        raise ValueError(f"{purpose} is no purpose of personal data")
    return f"{subject_id}|{purpose}".encode()

"""The one door through which personal data enters and leaves the database.

Each value is encrypted with AES-256-GCM under a data key of its subject and purpose. The key is in
the key store (`records.key_store`), the records hold its reference; deleting that row ends every
value under it, for a trigger keeps the reference until the key has died with its seal.
"""

import hmac
import secrets
import time
from collections.abc import Callable, Collection, Iterator
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from sqlalchemy import Connection, bindparam, delete, insert, select

from records.errors import Erased
from records.key_store import KeyStore, NewKey
from records.key_wrapping import DamagedData
from records.prepared import Prepared
from records.roles import erasing
from records.tables import data_key, subject

__all__ = ["PURPOSES", "DamagedData", "PersonalData"]

_NONCE_OCTETS = 12
_DESTROYED = "the data key of this subject was destroyed"
_MOST_AHEAD = 256
_AHEAD_SECONDS = 60.0
_PAGE = 500
_FEW = 3
"""Fewer keys than this are cheaper one by one."""
_REFERENCE = Prepared(
    select(data_key.c.key_ref).where(
        data_key.c.subject_id == bindparam("subject"), data_key.c.purpose == bindparam("for_what")
    )
)
# What a data key may open: certificate bodies and names; applications and their evidence; how a
# person is reached; payloads of the audit log; data-subject cases and what is delivered in them;
# officers' names. What dies at different times has different purposes.
PURPOSES = frozenset({"core", "evidence", "contact", "audit", "case", "delivery", "officer"})


class _KeysAhead:
    """Data keys made before they are needed, so that many cost one commit of the key store.

    One is made for the first who asks, and twice as many each time they run out within a minute.
    What is left over is swept from the store.
    """

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._keys: list[NewKey] = []
        self._count = 1
        self._made_at = 0.0
        self._lock = Lock()

    def take(self) -> NewKey:
        with self._lock:
            is_fresh = time.monotonic() - self._made_at < _AHEAD_SECONDS
            if not (self._keys and is_fresh):
                self._count = min(self._count * 2, _MOST_AHEAD) if is_fresh else 1
                self._keys = self._store.make(self._count)
                self._made_at = time.monotonic()
            return self._keys.pop()


class PersonalData:
    """Seals and opens values inside the caller's transaction."""

    def __init__(self, store: KeyStore) -> None:
        """Keys are in this store; it is asked when the first is needed."""
        self._store = store
        self._ahead = _KeysAhead(store)

    def seal(self, tx: Connection, subject_id: str, purpose: str, value: bytes) -> bytes:
        """Encrypt a value of one subject; makes the data key at the first value."""
        key = self._key_to_seal(tx, subject_id, purpose)
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        return nonce + AESGCM(key).encrypt(nonce, value, _place(subject_id, purpose))

    def body(self, tx: Connection, subject_id: str | None, sealed: bytes) -> bytes:
        """Open the body of a certificate; one that is nobody's was never sealed.

        Raises: as `open`.
        """
        return sealed if subject_id is None else self.open(tx, subject_id, "core", sealed)

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
        find = self._key_to_seal if make else self._existing_key
        return _derivation(find(tx, subject_id, purpose), _place(subject_id, purpose))

    def derivations(
        self, tx: Connection, subject_ids: Collection[str], purpose: str
    ) -> dict[str, Callable[[bytes], bytes]]:
        """What `derivation` gives for each subject, with all keys there are taken out at once.

        Missing keys are made, in the order of the subjects, so that two who do so at once wait for
        each other and not each for the other.

        Raises:
            Erased: a key that is referred to is gone from the key store.
        """
        if len(subject_ids) < _FEW:
            found: dict[str, bytes] = {}
        else:
            refs = dict(_references(tx, subject_ids, purpose))
            opened = self._store.open_many(list(refs.values())) if refs else {}
            found = {each: opened[ref] for each, ref in refs.items() if ref in opened}
        return {
            each: _derivation(
                found.get(each) or self._key_to_seal(tx, each, purpose), _place(each, purpose)
            )
            for each in sorted(subject_ids)
        }

    def _key_to_seal(self, tx: Connection, subject_id: str, purpose: str) -> bytes:
        ref = _reference(tx, subject_id, purpose)
        if ref is None:
            # Of two first values at once the second waits here, and finds the key of the first.
            tx.execute(select(subject.c.id).where(subject.c.id == subject_id).with_for_update())
            ref = _reference(tx, subject_id, purpose)
        if ref is not None:
            return self._key(ref)
        if tx.execute(select(data_key.c.key_ref).limit(1)).first() is not None:
            self._store.require()
        made = self._ahead.take()
        tx.execute(
            insert(data_key).values(subject_id=subject_id, purpose=purpose, key_ref=made.ref)
        )
        return made.key

    def open(self, tx: Connection, subject_id: str, purpose: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` gave.

        Raises:
            Erased: the data key was destroyed.
            DamagedData: the value or its key was altered.
        """
        key = self._existing_key(tx, subject_id, purpose)
        nonce, ciphertext = sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:]
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, _place(subject_id, purpose))
        except (InvalidTag, ValueError):  # ValueError: too few octets for a nonce
            raise DamagedData("a sealed value does not open under its own key") from None

    def destroy(
        self, tx: Connection, subject_id: str, purposes: Collection[str] | None = None
    ) -> int:
        """Delete the data keys of the subject, or those of some purposes; gives their number."""
        of_subject = delete(data_key).where(data_key.c.subject_id == subject_id)
        if purposes is not None:
            for purpose in purposes:
                _place(subject_id, purpose)
            of_subject = of_subject.where(data_key.c.purpose.in_(purposes))
        with erasing(tx):
            return tx.execute(of_subject).rowcount

    def _existing_key(self, tx: Connection, subject_id: str, purpose: str) -> bytes:
        ref = _reference(tx, subject_id, purpose)
        if ref is None:
            raise Erased(_DESTROYED)
        return self._key(ref)

    def _key(self, ref: str) -> bytes:
        key = self._store.open(ref)
        if key is None:
            raise Erased(_DESTROYED)
        return key


def _reference(tx: Connection, subject_id: str, purpose: str) -> str | None:
    _place(subject_id, purpose)
    found = _REFERENCE.rows(tx, {"subject": subject_id, "for_what": purpose})
    return str(found[0][0]) if found else None


def _references(
    tx: Connection, subject_ids: Collection[str], purpose: str
) -> Iterator[tuple[str, str]]:
    """Each subject that has a key of the purpose, and the key's reference."""
    wanted, of = list(subject_ids), data_key.c
    for start in range(0, len(wanted), _PAGE):
        page = of.subject_id.in_(wanted[start : start + _PAGE])
        rows = tx.execute(select(of.subject_id, of.key_ref).where(page, of.purpose == purpose))
        yield from ((str(subject_id), str(key_ref)) for subject_id, key_ref in rows)


def _derivation(key: bytes, place: bytes) -> Callable[[bytes], bytes]:
    # HKDF (RFC 5869) whose first half, which is the same for every label, is done once.
    extracted = hmac.digest(bytes(SHA256.digest_size), key, "sha256")
    return lambda label: HKDFExpand(SHA256(), 32, place + label).derive(extracted)


def _place(subject_id: str, purpose: str) -> bytes:
    if purpose not in PURPOSES:
        raise ValueError(f"{purpose} is no purpose of personal data")
    return f"{subject_id}|{purpose}".encode()

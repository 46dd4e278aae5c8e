"""Personal payloads: sealed beside the log under keys of their subjects, committed to inside it.

Every subject of an event has a payload of its own. From 32 octets that only the subject's data key
and the event's number give come two keys: one seals the payload (AES-256-GCM), the other makes its
opening, HMAC-SHA-256 over the payload. The header holds SHA-256 over all openings of the event, so
that whoever has one payload and its key can show that the log always said so, and nobody can guess
at a payload without the key. All openings stand before each sealed payload: when one subject is
erased, the payloads of the others go on to verify. No salt is kept, so that the opening ends with
the key.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from audit.errors import EventRefused, PayloadAltered
from audit.events import Commitment, Detail, canonical
from audit.tree import HASH_OCTETS

MAX_PAYLOAD_OCTETS = 16 * 1024
DROPPED = "payloads_dropped"
"""The detail under which an event declares how many payloads ended in its transaction."""

_NONCE_OCTETS = 12
_KEY_OCTETS = 32
_OPENINGS = b"tillid audit payloads\n"


class Purpose(StrEnum):
    """What a payload may be opened for; the words stand in the log, so there is no free text."""

    INCIDENT = "incident"
    DISPUTE = "dispute"
    AUDIT = "audit"
    DATA_SUBJECT_REQUEST = "data-subject-request"
    AUTHORITY_REQUEST = "authority-request"


Derivation = Callable[[bytes], bytes]
"""32 octets for a label, from the data key of one subject."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What an event has to say of one subject.

    Raises:
        EventRefused: it is longer than 16 KiB.
    """

    subject_id: str = field(repr=False)
    content: Mapping[str, Detail] = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", MappingProxyType(dict(self.content)))
        if len(canonical(self.content)) > MAX_PAYLOAD_OCTETS:
            raise EventRefused("payloads", f"at most {MAX_PAYLOAD_OCTETS} octets each")


@dataclass(frozen=True, slots=True)
class SealedPayload:
    """One payload as the database holds it: unchecked until a verification has read it."""

    sequence: int
    number: int
    """Its place among the payloads of its event, from 0."""
    subject_id: str = field(repr=False)
    sealed: bytes = field(repr=False)
    has_key: bool
    """Whether the data key of its subject is still there."""


def seal_payloads(
    sequence: int, payloads: Sequence[Payload], derivations: Sequence[Derivation]
) -> tuple[Commitment, tuple[bytes, ...]]:
    """The commitment for the header of an event, and each of its payloads sealed.

    Raises:
        EventRefused: there are too many, or two of one subject.
    """
    if len({payload.subject_id for payload in payloads}) != len(payloads):
        raise EventRefused("payloads", "one payload a subject")
    keys = [_keys(derive, sequence) for derive in derivations]
    contents = [canonical(payload.content) for payload in payloads]
    openings = b"".join(
        hmac.digest(opening_key, content, "sha256")
        for (_, opening_key), content in zip(keys, contents, strict=True)
    )
    commitment = Commitment(len(payloads), _digest(openings))
    return commitment, tuple(
        openings + _encrypt(sealing_key, content, _place(sequence, number))
        for number, ((sealing_key, _), content) in enumerate(zip(keys, contents, strict=True))
    )


def check_openings(commitment: Commitment, payload: SealedPayload) -> None:
    """Check, without any key, that the payload belongs to this header.

    Raises:
        PayloadAltered: its openings are not those that the header commits to.
    """
    openings = payload.sealed[: commitment.count * HASH_OCTETS]
    if payload.number >= commitment.count or _digest(openings) != commitment.digest:
        raise PayloadAltered("these are not the openings that the header commits to")


def open_payload(commitment: Commitment, payload: SealedPayload, derive: Derivation) -> bytes:
    """The canonical JSON of a payload, checked against the header.

    Raises:
        PayloadAltered: it does not open, or is not what the header commits to.
    """
    check_openings(commitment, payload)
    sealing_key, opening_key = _keys(derive, payload.sequence)
    end = commitment.count * HASH_OCTETS
    nonce, ciphertext = payload.sealed[end : end + _NONCE_OCTETS], payload.sealed[end:]
    try:
        place = _place(payload.sequence, payload.number)
        content = AESGCM(sealing_key).decrypt(nonce, ciphertext[_NONCE_OCTETS:], place)
    except (InvalidTag, ValueError):  # ValueError: too few octets for a nonce
        raise PayloadAltered("a payload does not open under its own key") from None
    start = payload.number * HASH_OCTETS
    opening = payload.sealed[start : start + HASH_OCTETS]
    if not hmac.compare_digest(hmac.digest(opening_key, content, "sha256"), opening):
        raise PayloadAltered("a payload is not the one that was committed to")
    return content


def _keys(derive: Derivation, sequence: int) -> tuple[bytes, bytes]:
    """The sealing key and the opening key of one subject at one event."""
    both = HKDFExpand(SHA256(), 2 * _KEY_OCTETS, b"seal and open").derive(
        derive(f"event {sequence}".encode())
    )
    return both[:_KEY_OCTETS], both[_KEY_OCTETS:]


def _encrypt(key: bytes, content: bytes, place: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_OCTETS)
    return nonce + AESGCM(key).encrypt(nonce, content, place)


def _place(sequence: int, number: int) -> bytes:
    return f"{sequence}|{number}".encode()


def _digest(openings: bytes) -> bytes:
    return hashlib.sha256(_OPENINGS + openings).digest()

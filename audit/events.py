"""Events and the headers they are sealed to.

A header says what happened without personal data: actors are pseudonyms, objects are identifiers,
details are numbers and words under named keys. (Patterns keep names out of actors and objects; in
the words of the details it is the caller who keeps them out.) It is canonical JSON: sorted keys,
no spaces, UTF-8, no floating point, so that one event at one time has exactly one form.

The rules may be loosened, never tightened: headers sealed earlier must go on to verify.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from audit.errors import EventRefused, HeaderMalformed
from audit.tree import HASH_OCTETS, leaf_hash

Detail = str | int | bool | None

MAX_DETAILS_OCTETS = 2048
MAX_HEADER_OCTETS = 4096
MAX_PAYLOADS = 16
MAX_INTEGER = 2**53 - 1  # every JSON reader keeps these exact (RFC 7493 section 2.2)

_TYPE = re.compile(r"[a-z][a-z0-9_]{0,31}(?:\.[a-z][a-z0-9_]{0,31}){1,3}")
_ACTOR = re.compile(r"system:[a-z][a-z-]{0,31}|[a-z][a-z-]{0,31}-[0-9a-f]{8,64}")
_OBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_COMMITMENT = re.compile(r"([1-9][0-9]?):([0-9a-f]{64})")
_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, free of personal data.

    Raises:
        EventRefused: a field breaks its rule.
    """

    type: str
    """Dotted lower-case words, for example `certificate.intended`."""
    actor: str
    """A pseudonym: `system:job`, or a role and 8 to 64 hexadecimal digits, `officer-3f2a9c01`."""
    object_id: str
    """The identifier of what the event is about: 1 to 128 letters, digits or `._:/-`."""
    details: Mapping[str, Detail]
    """Integers within 2^53, printable words, truth values or None; 2048 octets at most."""

    def __post_init__(self) -> None:
        _require_match("type", _TYPE, self.type)
        _require_match("actor", _ACTOR, self.actor)
        _require_match("object_id", _OBJECT, self.object_id)
        details = dict(self.details)
        for key, value in details.items():
            _require_match("details", _KEY, key)
            _check_detail(value)
        if _may_be_long(details) and len(_CANONICAL.encode(details).encode()) > MAX_DETAILS_OCTETS:
            raise EventRefused("details", f"at most {MAX_DETAILS_OCTETS} octets")
        object.__setattr__(self, "details", MappingProxyType(details))


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a header says of the personal payloads of its event: how many, and one hiding digest.

    Raises:
        EventRefused: the count or the digest is out of bounds.
    """

    count: int
    """How many payloads there were when the event was sealed, one a subject; 1 to 16."""
    digest: bytes
    """32 octets over the openings of all payloads, see `audit.payloads`."""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_PAYLOADS or len(self.digest) != HASH_OCTETS:
            raise EventRefused("payloads", f"1 to {MAX_PAYLOADS}, under a digest of 32 octets")

    @property
    def text(self) -> str:
        """The form in a header: the count, a colon, and the digest in hexadecimal."""
        return f"{self.count}:{self.digest.hex()}"


@dataclass(frozen=True, slots=True)
class Header:
    """An event with its sequence number and time: the part of an entry that is kept for good.

    Raises:
        EventRefused: the sequence is negative or the time not aware UTC.
    """

    sequence: int
    time: datetime
    event: Event
    commitment: Commitment | None = None
    """To the personal payloads, of which the header says nothing else; None when there are none."""

    def __post_init__(self) -> None:
        if type(self.sequence) is not int or not 0 <= self.sequence <= MAX_INTEGER:
            raise EventRefused("sequence", "an integer from 0 to 2^53 - 1")
        if self.time.utcoffset() != timedelta(0):
            raise EventRefused("time", "aware UTC")

    def encode(self) -> bytes:
        """The canonical form; `p` is the place of the commitment to payloads."""
        fields = {
            "n": self.sequence,
            "t": utc_text(self.time),
            "e": self.event.type,
            "a": self.event.actor,
            "o": self.event.object_id,
            "d": dict(self.event.details),
            "p": None if self.commitment is None else self.commitment.text,
        }
        return _CANONICAL.encode(fields).encode()


@dataclass(frozen=True, slots=True)
class Entry:
    """One place in the log, as the database holds it: unchecked until `audit.log` has read it."""

    sequence: int
    header: bytes
    leaf_hash: bytes


def seal_event(
    event: Event, sequence: int, now: datetime, commitment: Commitment | None = None
) -> Entry:
    """The entry of an event, to be stored in the transaction of what it tells of.

    Raises:
        EventRefused: the sequence is negative or the time not aware UTC.
    """
    header = Header(sequence, now, event, commitment).encode()
    return Entry(sequence, header, leaf_hash(header))


def parse_header(octets: bytes) -> Header:
    """The header whose canonical form the octets are.

    Raises:
        HeaderMalformed: there is none.
    """
    if len(octets) > MAX_HEADER_OCTETS:
        raise HeaderMalformed(f"more than {MAX_HEADER_OCTETS} octets")
    try:
        fields = json.loads(octets.decode())
        event = Event(fields["e"], fields["a"], fields["o"], fields["d"])
        time, commitment = datetime.fromisoformat(fields["t"]), _parse_commitment(fields["p"])
        header = Header(fields["n"], time, event, commitment)
        canonical = header.encode()
    except (EventRefused, KeyError, RecursionError, TypeError, ValueError) as error:
        raise HeaderMalformed(f"no header: {type(error).__name__}") from error
    if canonical != octets:
        raise HeaderMalformed("not in canonical form")
    return header


def canonical(fields: Mapping[str, Detail]) -> bytes:
    """The one form of a mapping that is hashed or committed to."""
    return _CANONICAL.encode(dict(fields)).encode()


def utc_text(time: datetime) -> str:
    """An aware UTC time as ISO 8601 with microseconds and a Z."""
    return time.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _parse_commitment(text: object) -> Commitment | None:
    if text is None:
        return None
    found = _COMMITMENT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise EventRefused("payloads", f"matches {_COMMITMENT.pattern}")
    return Commitment(int(found[1]), bytes.fromhex(found[2]))


def _require_match(field: str, pattern: re.Pattern[str], value: str) -> None:
    if not pattern.fullmatch(value):
        raise EventRefused(field, f"matches {pattern.pattern}")


def _may_be_long(details: Mapping[str, Detail]) -> bool:
    """No for most details: a character of `repr` is at most four octets of their JSON."""
    return 4 * len(repr(details)) > MAX_DETAILS_OCTETS


def _check_detail(value: object) -> None:
    match value:
        case None | bool():
            return
        case int() if abs(value) <= MAX_INTEGER:
            return
        case str() if value.isprintable():
            return
    raise EventRefused("details", "integers within 2^53, printable words, truth values or None")

"""What can go wrong in the log.

AuditError
├── EventRefused      the caller's event breaks a rule of the header
├── PayloadAltered    a payload is not the one that was sealed
├── PayloadKeyGone    the key of a payload is destroyed
├── HeaderMalformed   octets that no event was ever sealed to
├── RangeMalformed    octets that are no compact range
├── ProofMalformed    a document that is no proof
├── ProofInvalid      an inclusion or consistency proof does not hold
├── HeadMalformed     text or fields that make no head
├── HeadForged        a head that the expected key did not sign for the expected log
├── HeadConflict      another head of this size or a larger one is stored already
├── KeyUnsuitable     a key on another curve than P-256
├── ClockBehind       the clock stands before the latest head; set it right and repeat
└── ChainBroken       the log is not what its heads say
"""

from datetime import datetime
from enum import StrEnum


class AuditError(Exception):
    """Root of the errors of `audit`."""


class EventRefused(AuditError):
    """An event may not enter the log: `field` breaks `rule`."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class HeaderMalformed(AuditError):
    """The octets are not the canonical form of any header."""


class PayloadAltered(AuditError):
    """The octets do not open under their own key, or are not what the header commits to."""


class RangeMalformed(AuditError):
    """The octets or hashes are no compact range."""


class PayloadKeyGone(AuditError):
    """The key that opens a payload is destroyed."""


class ProofMalformed(AuditError):
    """The document is not a proof."""


class ProofInvalid(AuditError):
    """The proof does not lead to the root."""


class HeadMalformed(AuditError):
    """The text or the fields make no head; `part` is the one at fault."""

    def __init__(self, part: str) -> None:
        super().__init__(f"not a head: {part}")
        self.part = part


class HeadForged(AuditError):
    """The head of `size` entries is not signed by the expected key for the expected log."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the head of {size} entries is not signed by the key of this log")
        self.size = size


class HeadConflict(AuditError):
    """A head may not be recorded: the log has one of `latest_size` entries already."""

    def __init__(self, latest_size: int) -> None:
        super().__init__(f"a head of {latest_size} entries is recorded already")
        self.latest_size = latest_size


class KeyUnsuitable(AuditError):
    """Heads are signed on P-256; the key is on `curve`."""

    def __init__(self, curve: str) -> None:
        super().__init__(f"heads are signed with a key on P-256, not {curve}")
        self.curve = curve


class ClockBehind(AuditError):
    """Nothing is done or sealed at `now`, before the time of the `latest` head."""

    def __init__(self, now: datetime, latest: datetime) -> None:
        super().__init__(f"the clock says {now}, the latest head {latest}")
        self.now = now
        self.latest = latest


class Break(StrEnum):
    """Why a chain is broken."""

    SEQUENCE = "an entry is missing, doubled or out of place"
    HEADER = "the header is not canonical or breaks a rule"
    NUMBER = "the header carries another number than its entry"
    LEAF = "the leaf hash is not that of the header"
    TIME = "the time does not lie between the heads around it"
    SHORTER = "the log is shorter than a head"
    ROOT = "the entries do not lead to the root of the head"
    HEAD_SIGNATURE = "a head is unreadable or not signed by the key of this log"
    HEAD_ORDER = "a head is not larger or is earlier than the one before"
    HEADER_GONE = "the header is gone, and no event declares that"
    PAYLOAD_ADDED = "a payload stands where the header speaks of none"
    PAYLOAD_ALTERED = "a payload is not the one that the header commits to"
    PAYLOAD_KEY_GONE = "a payload is still there though its key is destroyed"
    PAYLOAD_GONE = "a payload, of this entry or one after, is gone, and no event declares that"
    PAYLOAD_DECLARED = "the event declares more payloads gone than are missing before it"


class ChainBroken(AuditError):
    """The log is not what its heads say, for `reason`.

    `position` is the sequence number of the entry that shows the fault, or, in a log that is too
    short, of the first that is missing. A fault that only a head shows may lie anywhere since the
    head before; then it is the first entry which that one did not cover.
    """

    def __init__(self, position: int, reason: Break) -> None:
        super().__init__(f"audit log, entry {position}: {reason}")
        self.position = position
        self.reason = reason

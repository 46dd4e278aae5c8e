"""CRLs as records, when the next one is due, and the file that relying parties fetch.

Work is derived from what can be seen: a CRL is due because of what is recorded and served, not
because a timer fired once. `revocation.crl_issue` makes one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from cryptography import x509

from ca.identifiers import IssuerName, SerialNumber
from ca.signatures import SigningKey
from revocation.crl_entries import Piece

COMPLETE = 0
DELTA = -1
NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The nextUpdate of a last CRL, 99991231235959Z (RFC 5280 section 4.1.2.5, ETSI EN 319 411-1)."""
NOTHING_LEFT = datetime(1970, 1, 1, tzinfo=UTC)
OF_OTHER_HANDS = -1
"""The version of a CRL that was made from no state of ours, so that another one is due."""
_LONGEST_VALIDITY = timedelta(days=366)
_ONE_SECOND = timedelta(seconds=1)
_LONGEST_WAIT = 30.0
_PAUSE = 9
_MOMENT = 0.5


@dataclass(frozen=True, slots=True)
class CrlScope:
    """One list of an issuer: the complete one (shard 0), or one shard of it, from 1.

    `url` is the address of a shard, octet for octet as certificates name it; `delta_url` that of
    the delta CRL of the complete one.
    """

    issuer: IssuerName
    shard: int = COMPLETE
    url: str | None = None
    delta_url: str | None = None


@dataclass(frozen=True, slots=True)
class IssuingKey:
    """An issuer that can sign: its name, its certificate and the key of that certificate."""

    name: IssuerName
    certificate: x509.Certificate
    key: SigningKey


@dataclass(frozen=True, slots=True)
class CrlRecord:
    """A CRL that passed the gate: what is kept of it for good.

    `version` is the state of revocations it was made from; `sha256` is the digest (32 octets) of
    its octets, `tbs_digest` the one that was signed. What expired by `left_until` has left it. Its
    entries were last compared with the revocations one by one at `rebuilt_at`, and a delta CRL may
    go on from those since `oldest_base`. `base` is that of a delta CRL.
    """

    issuer: IssuerName
    shard: int
    number: int
    version: int
    this_update: datetime
    next_update: datetime
    sha256: bytes
    tbs_digest: bytes
    entries: int
    left_until: datetime
    rebuilt_at: datetime
    oldest_base: int
    base: int | None = None


@dataclass(frozen=True, slots=True)
class CrlHeading:
    """What tells whether a CRL is due: the latest, and the version of what it should show."""

    version: int
    latest: CrlRecord | None


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one serial: its entry as it is now, if it has one, and until when it counts.

    `may_leave` says that it is held no more.
    """

    entry: bytes | None
    not_after: datetime | None


class CrlSource(Protocol):
    """What one next CRL is made from, all seen at one moment."""

    @property
    def heading(self) -> CrlHeading:
        """The latest CRL, and the version of the revocations; it rises with every change."""

    def pieces(self) -> Iterator[Piece]:
        """The octets of the latest CRL in their order: head, entries and tail."""

    def firsts(self) -> Sequence[tuple[bytes, int]]:
        """Of the pieces that hold entries: where each begins, and how many octets it has."""

    def piece(self, first: bytes) -> bytes:
        """The octets of one piece."""

    def changes(self, since: int) -> Mapping[bytes, Change]:
        """The serials whose status changed after a version, by `order_of`."""

    def leaving(self, after: datetime, until: datetime) -> Sequence[bytes]:
        """The serials (`order_of`) on the list that expired after a time, and by another."""

    def entries(self, left_until: datetime) -> Iterator[bytes]:
        """Every entry that did not expire by a time, ascending by serial."""

    def may_leave(
        self, serials: frozenset[SerialNumber], left_until: datetime
    ) -> frozenset[SerialNumber]:
        """Those that expired by a time, and those whose hold was lifted."""

    def base(self, oldest: int, in_force_at: datetime) -> CrlRecord | None:
        """The oldest CRL from a number on that is still in force."""


@dataclass(frozen=True, slots=True)
class NewPieces:
    """What becomes of the pieces of the latest CRL: all replaced, or some removed and added."""

    added: Sequence[Piece] = field(repr=False)
    removed: frozenset[bytes] | None = None
    """None for all of them."""


class CrlStore(Protocol):
    """Where revocations and CRLs are recorded."""

    def crl_heading(self, scope: CrlScope) -> CrlHeading:
        """Enough to tell whether a CRL is due, however long it is."""

    def next_crl(self, scope: CrlScope) -> AbstractContextManager[CrlSource]:
        """What the next CRL is made from."""

    def whole(self, issuer: IssuerName, shard: int = COMPLETE) -> bytes:
        """All octets of the latest CRL of a list; none while there is no CRL."""

    def record_crl(self, *new: tuple[CrlRecord, NewPieces]) -> None:
        """Record a CRL, and the delta CRL that goes with it, durably and together.

        Raises:
            CrlNumberTaken: its number is not the one after the latest recorded.
        """


@dataclass(frozen=True, slots=True)
class CrlPolicy:
    """How long a CRL is valid, and how long before nextUpdate the next one is issued.

    What expired stays on it for `keep_expired`; zero is until one CRL showed it after its expiry.
    The nextUpdate of one that `is_last` never comes: it is for an issuer of whose certificates each
    was revoked or has expired.
    """

    validity: timedelta
    renew_margin: timedelta
    keep_expired: timedelta = timedelta(0)
    is_last: bool = False

    def __post_init__(self) -> None:
        """ValueError unless 0 < renew_margin < validity <= 366 days, in whole seconds."""
        if not timedelta(0) < self.renew_margin < self.validity <= _LONGEST_VALIDITY:
            raise ValueError("a CRL policy needs 0 < renew_margin < validity <= 366 days")
        if self.validity % _ONE_SECOND:
            raise ValueError("the validity of a CRL is whole seconds")


class CrlDue(StrEnum):
    """Why something is to be done about a CRL."""

    NO_CRL = "no CRL yet"
    REVOCATIONS_CHANGED = "revocations changed"
    NEXT_UPDATE_NEAR = "nextUpdate is near"
    NOT_PUBLISHED = "not published as recorded"


def crl_is_due(
    heading: CrlHeading, now: datetime, policy: CrlPolicy, *, published: bool
) -> CrlDue | None:
    """Why a CRL is due now; None when all is well.

    `published` says whether the latest record is what relying parties fetch (`is_published`).
    For NOT_PUBLISHED it is enough to write the latest record again; any other asks for a new CRL.
    """
    latest = heading.latest
    if latest is None:
        return CrlDue.NO_CRL
    if heading.version != latest.version:
        return CrlDue.REVOCATIONS_CHANGED
    if latest.next_update - now < policy.renew_margin:
        return CrlDue.NEXT_UPDATE_NEAR
    return None if published else CrlDue.NOT_PUBLISHED


def may_begin(ended_ago: float, took: float, waited: float) -> bool:
    """Whether a CRL that revocations ask for is made now: seconds by a clock that never jumps.

    Making one that takes longer than a moment takes at most a tenth of the time, unless the first
    change that none shows has waited for 30 seconds: with the making it is to be seen within 60.
    """
    return took < _MOMENT or ended_ago >= _PAUSE * took or waited >= _LONGEST_WAIT


@dataclass(slots=True)
class Pace:
    """How often one process makes the CRL of a scope; times are of a monotonic clock, seconds.

    What was held back took its time, too, and waits before it is tried anew, whatever asks for it.
    """

    _made: dict[tuple[IssuerName, int], tuple[float, float]] = field(default_factory=dict)
    _waiting: dict[tuple[IssuerName, int], float] = field(default_factory=dict)
    _held_back: dict[tuple[IssuerName, int], Exception] = field(default_factory=dict)

    def may_begin(self, scope: CrlScope, monotonic: float) -> bool:
        """Whether a CRL of this scope, which is due, is made now."""
        key = (scope.issuer, scope.shard)
        since = self._waiting.setdefault(key, monotonic)
        if key not in self._made:
            return True
        ended, took = self._made[key]
        return may_begin(monotonic - ended, took, monotonic - since)

    def why_held_back(self, scope: CrlScope) -> Exception | None:
        """Why the last that was tried was not made; None if it was."""
        return self._held_back.get((scope.issuer, scope.shard))

    def made(self, scope: CrlScope, began: float, ended: float) -> None:
        """Take note of one that was made."""
        key = (scope.issuer, scope.shard)
        self._made[key] = (ended, ended - began)
        self._waiting.pop(key, None)
        self._held_back.pop(key, None)

    def held_back(self, scope: CrlScope, began: float, ended: float, why: Exception) -> None:
        """Take note of one that was tried, and not made."""
        self.made(scope, began, ended)
        self._held_back[(scope.issuer, scope.shard)] = why

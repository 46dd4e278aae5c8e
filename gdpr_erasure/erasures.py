"""Erasure cases as values, and what the saga needs of the world: store, probe, vault, notifier."""

import calendar
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final, Protocol

from ca.identifiers import IssuerName, SerialNumber
from gdpr_erasure.retention import Assessment, Item, Trigger

Place = tuple[IssuerName, SerialNumber]
PERSONS: Final = 2
"""Security administrators who approve a case, different persons."""


class ErasureState(StrEnum):
    """How far a case has come."""

    REQUESTED = "requested"
    APPROVED = "approved"
    FROZEN = "frozen"
    REVOKED = "revoked"
    VISIBLE = "visible"
    WITHDRAWN = "withdrawn"
    NOTIFIED = "notified"
    DESTROYED = "destroyed"
    RECHECKED = "rechecked"
    SEALED = "sealed"
    SCHEDULED = "scheduled"
    DONE = "done"
    CANCELLED = "cancelled"


_S = ErasureState
STEPS: Final[Mapping[ErasureState, frozenset[ErasureState]]] = {
    _S.REQUESTED: frozenset({_S.APPROVED, _S.CANCELLED}),
    # Back, when something was added that nobody has approved.
    _S.APPROVED: frozenset({_S.FROZEN, _S.CANCELLED, _S.REQUESTED}),
    _S.FROZEN: frozenset({_S.REVOKED}),
    _S.REVOKED: frozenset({_S.VISIBLE}),
    _S.VISIBLE: frozenset({_S.WITHDRAWN}),
    _S.WITHDRAWN: frozenset({_S.NOTIFIED}),
    _S.NOTIFIED: frozenset({_S.DESTROYED}),
    _S.DESTROYED: frozenset({_S.RECHECKED}),
    _S.RECHECKED: frozenset({_S.SEALED}),
    _S.SEALED: frozenset({_S.SCHEDULED, _S.DONE}),
    _S.SCHEDULED: frozenset({_S.DESTROYED}),
    _S.DONE: frozenset(),
    _S.CANCELLED: frozenset(),
}
"""The steps that there are; the database holds the same table (ERA02)."""
RESTING: Final = frozenset({_S.REQUESTED, _S.DONE, _S.CANCELLED})
"""Where nothing happens by itself."""


class DirectoryPolicy(StrEnum):
    """What a directory that does not answer holds up."""

    BLOCK = "block"
    """The destruction waits for it."""
    DEBT = "debt"
    """The destruction goes on; the withdrawal stays owed, and the receipt says so."""


@dataclass(frozen=True, slots=True)
class NewErasure:
    """A case to open: for whom, why, and what ties the receipt to the requester.

    `holder` is HMAC-SHA256 in hexadecimal under a key that only the requester keeps.
    """

    subject_id: str
    trigger: Trigger = Trigger.REQUEST
    holder: str | None = None
    actor: str = "system:applicant"


@dataclass(frozen=True, slots=True)
class Erasure:
    """One case. `places` are the certificates concerned; empty once the case is rechecked.

    `subject_id` is None from the last destruction on. `evidence` holds what was seen at each
    step. `due_at` is when an answer is owed (GDPR 12(3)), `begins_at` when the cooling-off ends.
    """

    id: str
    state: ErasureState
    subject_id: str | None
    places: tuple[Place, ...]
    evidence: Mapping[str, object]
    assessment: Assessment
    requested_at: datetime
    updated_at: datetime
    due_at: datetime
    trigger: Trigger = Trigger.REQUEST
    begins_at: datetime | None = None
    epoch: int | None = None
    destroyed_event: int | None = None
    holder: str | None = None
    approvals: int = 0
    receipts: tuple[str, ...] = ()
    error: str | None = None

    @property
    def receipt(self) -> str | None:
        """The newest receipt, if there is one."""
        return self.receipts[-1] if self.receipts else None

    @property
    def final_on(self) -> date | None:
        """The last day of what is kept longest; None when nothing is, or nobody has ruled."""
        ends = [each.until for each in self.assessment.rulings.values() if each.keeps]
        return max((end for end in ends if end is not None), default=None)


@dataclass(frozen=True, slots=True)
class Observation:
    """What was fetched from outside about one certificate; `sha256` of the octets fetched.

    A CRL is `last` when its issuer was retired: none follows it, and OCSP does not answer.
    """

    channel: str
    sha256: bytes
    at: datetime
    number: int | None = None
    last: bool = False


@dataclass(frozen=True, slots=True)
class DirectorySeen:
    """How one directory stands: `clean` was seen at `at`; otherwise `owed`, `written_off` or open.

    `certificates` counts those that are not withdrawn yet.
    """

    name: str
    outcome: str
    at: datetime | None = None
    certificates: int = 0

    @property
    def holds_up(self) -> bool:
        """Whether the destruction has to wait for it."""
        return self.outcome == "open"


@dataclass(frozen=True, slots=True)
class SealEvidence:
    """That the keys of an epoch are gone: which epoch took its place, and on which tokens."""

    epoch: int
    token_serials: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class AuditProof:
    """That an event stands in the log: its header, its place, the path, and the signed head."""

    header: bytes
    index: int
    path: tuple[bytes, ...]
    head: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What one recipient of the data still has to be told (GDPR 19)."""

    case_id: str
    recipient: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """How a notice ended: `delivered`, or `impossible` with a reason that names nobody."""

    outcome: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """An officer's approval of exactly the rulings with this digest (hexadecimal)."""

    officer_id: str
    sha256: str


class ErasureStore(Protocol):
    """What the saga needs of the database; each call is one transaction."""

    def inventory(self, subject_id: str) -> tuple[Item, ...]:
        """Everything that is kept about the subject, each with its class and days."""

    def open_erasure(self, new: NewErasure, of: Assessment, now: datetime) -> Erasure:
        """A new case, or the one that is open already."""

    def erasure(self, case_id: str) -> Erasure:
        """The case as it stands."""

    def approve(self, case: Erasure, by: Approval, begins_at: datetime, now: datetime) -> Erasure:
        """Keep an approval; the second person's lets the case begin at that time."""

    def reassess(self, case: Erasure, of: Assessment, now: datetime) -> Erasure:
        """Put new rulings in the place of those that are true no more; approvals count no more."""

    def cancel(self, case: Erasure, actor: str, now: datetime) -> Erasure:
        """End a case that nothing was done for."""

    def freeze(self, case: Erasure, kept: Assessment, now: datetime) -> Erasure:
        """Stop every new certificate for the subject, and mark until when each record is kept."""

    def revoke(self, case: Erasure, now: datetime) -> Erasure | None:
        """Revoke what is not revoked; None while a certificate is still being made."""

    def advance(
        self, case: Erasure, state: ErasureState, evidence: Mapping[str, object], now: datetime
    ) -> Erasure:
        """Take the case one state on and add evidence; Conflict if it moved in the meantime.

        Recheck drops the places.
        """

    def observe(self, place: Place, seen: Observation) -> None:
        """Keep that the certificate was seen revoked from outside."""

    def directories(self, case: Erasure) -> tuple[DirectorySeen, ...]:
        """How every directory stands that was to hold the subject's certificates."""

    def notices(self, case: Erasure) -> tuple[Notice, ...]:
        """What is still to be told, after writing down whom there is to tell."""

    def told(self, notice: Notice, how: Told, now: datetime) -> None:
        """Keep how a notice ended."""

    def told_of(self, case: Erasure) -> Mapping[str, int]:
        """How many notices ended in which way."""

    def destroy(self, case: Erasure, now: datetime) -> Erasure | None:
        """Delete all that is not kept, with its keys, in one transaction; None under a hold."""

    def note_epoch(self, case: Erasure, epoch: int) -> Erasure:
        """Note which epoch was in force once the deletion of the keys was committed."""

    def proof(self, case: Erasure) -> AuditProof | None:
        """That the destruction stands in the log; None until a signed head covers it."""

    def finish(self, case: Erasure, receipt: str, now: datetime) -> Erasure:
        """Keep the receipt; the case is done, or scheduled while something is kept."""


class StatusProbe(Protocol):
    """Looks at status as a relying party does, over the network."""

    def revoked_in_crl(self, place: Place, since: datetime) -> Observation | None:
        """The CRL that is served now, if made since then and listing the certificate."""

    def revoked_in_ocsp(self, place: Place) -> Observation | None:
        """The OCSP answer given now, if it says revoked."""


class KeyVault(Protocol):
    """The keys above the data keys, in epochs: the end of one makes old backups unreadable."""

    def current_epoch(self) -> int:
        """The epoch whose keys wrap the data keys now."""

    def sealed_since(self, epoch: int) -> SealEvidence | None:
        """The first later epoch that is complete on every token; None until there is one."""


class Notifier(Protocol):
    """Tells recipients of the data that it was erased (GDPR 19).

    They are organisations that keep the data as well; what is sent to the person goes through
    `ra.notices.Notifier`.
    """

    def notify(self, notice: Notice) -> Told | None:
        """How it ended, or None to be asked again."""


@dataclass(frozen=True, slots=True)
class ErasureRules:
    """What an installation has decided: recipients to be told, cooling-off, caches before OCSP."""

    recipients: tuple[str, ...] = ()
    cooling_off_hours: int = 0
    cached_answer_minutes: int = 0
    """How long an OCSP answer may be kept by a cache between us and relying parties."""
    directories: Mapping[str, DirectoryPolicy] = field(default_factory=dict, hash=False)


def month_after(time: datetime) -> datetime:
    """One calendar month later, or the last day of that month (Regulation 1182/71, 3(2)(c))."""
    year, month = time.year + time.month // 12, time.month % 12 + 1
    day = min(time.day, calendar.monthrange(year, month)[1])
    return time.replace(year=year, month=month, day=day)


def evidence_text(evidence: Mapping[str, object]) -> str:
    """Evidence as canonical JSON."""
    return json.dumps(evidence, sort_keys=True, separators=(",", ":"))


def directories_told(seen: Sequence[DirectorySeen]) -> list[dict[str, object]]:
    """Directories as evidence tells of them."""
    return [
        {
            "directory": each.name,
            "outcome": each.outcome,
            "at": None if each.at is None else each.at.isoformat(),
            "certificates": each.certificates,
        }
        for each in seen
    ]

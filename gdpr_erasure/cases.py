"""A data-subject case: what a person asks for, how far it has come, and what each step needs.

    received -> identifying -> assessing <-> clarifying
    assessing <-> awaiting_approval -> approved -> delivered -> closed | expired
                                                -> carried_out -> closed
    a case is refused before its approval, and cancelled until it is answered

One engine for GDPR Art. 15 to 18, 20, 21 and 7(3). Every function maps a case to the case after a
step and raises on a step that is forbidden; `records` keeps them and holds the same rules.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gdpr_erasure.case_clock import CaseClock
from gdpr_erasure.case_errors import CaseConflict, CaseRefused
from gdpr_erasure.case_identity import IdentityProof, check_level
from gdpr_erasure.record_classes import RecordClass
from ra.levels import AssuranceLevel


class CaseKind(StrEnum):
    """What is asked for; a closed set."""

    ACCESS = "access"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    PORTABILITY = "portability"
    OBJECTION = "objection"
    CONSENT_WITHDRAWAL = "consent_withdrawal"

    @property
    def article(self) -> str:
        """The article of the GDPR that it rests on."""
        return _ARTICLES[self]

    @property
    def delivers(self) -> bool:
        """Whether the answer is a package for the requester, and not an act on the records."""
        return self in {CaseKind.ACCESS, CaseKind.PORTABILITY}


_ARTICLES = {
    CaseKind.ACCESS: "15",
    CaseKind.RECTIFICATION: "16",
    CaseKind.ERASURE: "17",
    CaseKind.RESTRICTION: "18",
    CaseKind.PORTABILITY: "20",
    CaseKind.OBJECTION: "21",
    CaseKind.CONSENT_WITHDRAWAL: "7(3)",
}


class CaseState(StrEnum):
    """How far a case has come."""

    RECEIVED = "received"
    IDENTIFYING = "identifying"
    ASSESSING = "assessing"
    CLARIFYING = "clarifying"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    DELIVERED = "delivered"
    CARRIED_OUT = "carried_out"
    CLOSED = "closed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


_S = CaseState
_OUT = frozenset({_S.REFUSED, _S.CANCELLED})
STEPS: dict[CaseState, frozenset[CaseState]] = {
    _S.RECEIVED: frozenset({_S.IDENTIFYING}) | _OUT,
    _S.IDENTIFYING: frozenset({_S.ASSESSING}) | _OUT,
    _S.ASSESSING: frozenset({_S.CLARIFYING, _S.AWAITING_APPROVAL}) | _OUT,
    _S.CLARIFYING: frozenset({_S.ASSESSING}) | _OUT,
    _S.AWAITING_APPROVAL: frozenset({_S.ASSESSING, _S.APPROVED}) | _OUT,
    _S.APPROVED: frozenset({_S.DELIVERED, _S.CARRIED_OUT, _S.ASSESSING, _S.CANCELLED}),
    _S.DELIVERED: frozenset({_S.CLOSED, _S.EXPIRED}),
    _S.CARRIED_OUT: frozenset({_S.CLOSED}),
    _S.CLOSED: frozenset(),
    _S.REFUSED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.EXPIRED: frozenset(),
}
"""The states that each leads to; a state that leads nowhere is final."""
ANSWERED = frozenset({_S.DELIVERED, _S.CARRIED_OUT})
"""Where the requester has had the answer, so that no day is due any more."""
OPEN = tuple(state for state in CaseState if STEPS[state] and state not in ANSWERED)
PROVED = frozenset({_S.ASSESSING, _S.CLARIFYING, _S.AWAITING_APPROVAL, _S.APPROVED, *ANSWERED})
"""The states in which the requester's identity has been proved."""
APPROVALS = 2
"""Different persons who approve what is sent or done (four eyes, beside the assignee)."""


@dataclass(frozen=True, slots=True)
class Actor:
    """An officer who acts in a case: the pseudonym, and the person behind it."""

    officer_id: str
    person_id: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a refusal tells the requester (Art. 12(4)); no field may be empty."""

    reasons: str
    complaint: str
    """The supervisory authority to which one may complain (Art. 77)."""
    court: str
    """The judicial remedy (Art. 79)."""

    def __post_init__(self) -> None:
        lacking = [name for name in ("reasons", "complaint", "court") if not self._has(name)]
        if lacking:
            raise CaseRefused(
                "GDPR 12(4)",
                f"a refusal says its {' and '.join(lacking)}",
                "Give the reasons, the authority to complain to and the judicial remedy.",
            )

    def _has(self, name: str) -> bool:
        return bool(str(getattr(self, name)).strip())


@dataclass(frozen=True, slots=True)
class CaseText:
    """What was written in a case; personal, and kept sealed."""

    request: str = field(default="", repr=False)
    contact: str = field(default="", repr=False)
    """How the requester wants to be reached."""
    evidence: str = field(default="", repr=False)
    """Reference to what proved the identity."""
    question: str = field(default="", repr=False)
    """What the requester was asked for clarification."""
    answer: str = field(default="", repr=False)
    """What the requester said to that."""


@dataclass(frozen=True, slots=True)
class Case:
    """The operational facts of a case, without a word of what was written in it.

    `scopes` are the classes of records that are asked for; none named means everything.
    `subject_id` is the data subject, or until the identity is proved a stand-in for whoever asks.
    `repetition` counts cases of the same person and kind in the year before (Art. 12(5)).
    """

    id: str
    kind: CaseKind
    state: CaseState
    subject_id: str | None
    language: str
    scopes: frozenset[RecordClass]
    received_at: datetime
    updated_at: datetime
    opened_by: Actor | None = None
    assignee: Actor | None = None
    asked_at: datetime | None = None
    proof: IdentityProof | None = None
    extended_at: datetime | None = None
    lifting_told_at: datetime | None = None
    """When the person was told that a restriction is about to end (Art. 18(3))."""
    package_sha256: str | None = None
    repetition: int = field(default=0, compare=False)

    @property
    def clock(self) -> CaseClock:
        """The days that its due day follows from."""
        return CaseClock(
            self.received_at.date(),
            None if self.asked_at is None else self.asked_at.date(),
            None if self.proof is None else self.proof.at.date(),
            None if self.extended_at is None else self.extended_at.date(),
        )

    def covers(self, record_class: RecordClass) -> bool:
        """Whether records of the class are asked for."""
        return not self.scopes or record_class in self.scopes


def step(case: Case, state: CaseState, now: datetime) -> Case:
    """The case in the next state; CaseConflict when no step leads there."""
    if state not in STEPS[case.state]:
        raise CaseConflict(case.id, case.state)
    return replace(case, state=state, updated_at=now)


def assign(case: Case, assignee: Actor, now: datetime) -> Case:
    """Give an open case to an officer; whoever had it hands it over.

    Raises:
        CaseConflict: it is answered or closed, or waits for an approval of what the other made.
    """
    if case.state not in OPEN or case.state in {_S.AWAITING_APPROVAL, _S.APPROVED}:
        raise CaseConflict(case.id, case.state)
    return replace(case, assignee=assignee, updated_at=now)


def ask_identity(case: Case, now: datetime) -> Case:
    """Ask the requester for proof of identity; asked without delay, the clock stands meanwhile."""
    return replace(step(case, _S.IDENTIFYING, now), asked_at=now)


def prove_identity(
    case: Case, subject_id: str, proof: IdentityProof, required: AssuranceLevel
) -> Case:
    """The requester is the data subject, proved at the level of the strongest certificate.

    A proof that lapsed, because its certificate ended, is given anew while the case is assessed.

    Raises:
        CaseRefused: the level is too low (Art. 12(6), NSIS), or it is another person than before.
        CaseConflict: the case is not at this step.
    """
    check_level(proof.level, required)
    if case.state is _S.ASSESSING and case.subject_id != subject_id:
        raise CaseRefused(
            "GDPR 12(6)",
            "the proof is of another person than the one whose case this is",
            "Open a case for that person.",
        )
    after = case if case.state is _S.ASSESSING else step(case, _S.ASSESSING, proof.at)
    return replace(after, subject_id=subject_id, proof=proof, updated_at=proof.at)


def submit(case: Case, package_sha256: str, missing: Collection[str], now: datetime) -> Case:
    """Hand what would be sent or done to the approvers, under its digest.

    Raises:
        CaseRefused: nobody answers for it, or a collector has not answered.
    """
    if case.assignee is None:
        raise CaseRefused(
            "CASE07", "somebody answers for what is approved", "Assign the case first."
        )
    if missing:
        raise CaseRefused(
            "CASE07",
            f"these parts were not collected yet: {', '.join(sorted(missing))}",
            "Prepare the case again when they can be reached; what was collected is kept.",
        )
    return replace(step(case, _S.AWAITING_APPROVAL, now), package_sha256=package_sha256)


def check_approver(case: Case, approver: Actor, own_subject: str) -> None:
    """Refuse whoever asked, took the case in, proved the identity or prepared the package.

    Raises:
        CaseRefused: four eyes, counted by person.
    """
    proved_by = None if case.proof is None else case.proof.by
    takers = {"took it in": case.opened_by, "prepared it": case.assignee}
    for did, who in takers.items():
        if who is not None and who.person_id == approver.person_id:
            raise _not_this_person(f"the person who {did}")
    if proved_by is not None and proved_by == approver.person_id:
        raise _not_this_person("the person who proved the identity")
    if case.subject_id == own_subject:
        raise _not_this_person("the person it is about")


def _not_this_person(who: str) -> CaseRefused:
    return CaseRefused("CASE05", f"{who} does not approve a case", "Ask another approver.")


def extend(case: Case, now: datetime) -> Case:
    """Two months more, told to the requester with its reason in the first month (Art. 12(3)).

    Raises:
        CaseRefused: it is too late, or was done before.
        CaseConflict: the case was answered.
    """
    if case.state not in OPEN:
        raise CaseConflict(case.id, case.state)
    case.clock.check_extension(now.date())
    return replace(case, extended_at=now, updated_at=now)


LIFTING_NOTICE = timedelta(days=3)
"""From telling the person until a restriction ends."""


def tell_lifting(case: Case, now: datetime) -> Case:
    """Tell the person first that the restriction will end (Art. 18(3)).

    Raises:
        CaseConflict: there is no restriction, or it was told before.
    """
    if case.kind is not CaseKind.RESTRICTION or case.lifting_told_at is not None:
        raise CaseConflict(case.id, "told already" if case.lifting_told_at else str(case.kind))
    if case.state is not _S.CARRIED_OUT:
        raise CaseConflict(case.id, case.state)
    return replace(case, lifting_told_at=now, updated_at=now)


def check_lifting(case: Case, now: datetime) -> None:
    """End a restriction only after the person was told, and had time to object.

    Raises:
        CaseRefused: Art. 18(3).
    """
    told = case.lifting_told_at
    if told is None or now < told + LIFTING_NOTICE:
        raise CaseRefused(
            "GDPR 18(3)",
            "the person is told before a restriction ends",
            f"Tell it first, and lift it {LIFTING_NOTICE.days} days later.",
        )

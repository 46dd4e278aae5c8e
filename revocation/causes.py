"""Causes: why a certificate is held or revoked, finer than what relying parties are told.

A cause stays inside: it stands in the records and is shown to officers. What is published is the
least revealing true reason (RFC 5280 section 5.3.1), which follows from the cause by one table;
another table says who may give which cause (NSIS 3.2.3, ISS-REV-L1b).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from revocation.errors import RevocationRefused, RevocationRule
from revocation.reasons import Reason


class Cause(StrEnum):
    """Why; a closed set."""

    KEY_LOST = "key-lost"
    COMPROMISE_SUSPECTED = "compromise-suspected"
    KEY_COMPROMISED = "key-compromised"
    AUTHORITY_COMPROMISED = "authority-compromised"
    ASSOCIATION_ENDED = "association-ended"
    CONTENT_CHANGED = "content-changed"
    CONTENT_WRONG = "content-wrong"
    REPLACED = "replaced"
    NOT_NEEDED = "not-needed"
    AGREEMENT_ENDED = "agreement-ended"
    COMPANY_CEASED = "company-ceased"
    DEATH = "death"
    ERASURE = "erasure"
    TERMS_BREACHED = "terms-breached"
    ORPHAN = "orphan"
    """A serial number that a crash left between intent and certificate."""
    ISSUER_ENDED = "issuer-ended"
    NOT_TOLD = "not-told"
    """A protocol asked for it and gave no reason."""

    @property
    def reason(self) -> Reason:
        """What is published."""
        return _REASONS[self]

    @property
    def is_compromise(self) -> bool:
        """Whether somebody else may have the key."""
        return self.reason in {Reason.KEY_COMPROMISE, Reason.CA_COMPROMISE}


class Party(StrEnum):
    """Who decides about a status."""

    OFFICER = "security administrator"
    OPERATOR = "system operator"
    SYSTEM = "the system itself"
    HOLDER = "holder"


_REASONS = {
    Cause.KEY_LOST: Reason.KEY_COMPROMISE,
    Cause.COMPROMISE_SUSPECTED: Reason.KEY_COMPROMISE,
    Cause.KEY_COMPROMISED: Reason.KEY_COMPROMISE,
    Cause.AUTHORITY_COMPROMISED: Reason.CA_COMPROMISE,
    Cause.ASSOCIATION_ENDED: Reason.AFFILIATION_CHANGED,
    Cause.CONTENT_CHANGED: Reason.AFFILIATION_CHANGED,
    Cause.CONTENT_WRONG: Reason.AFFILIATION_CHANGED,
    Cause.REPLACED: Reason.SUPERSEDED,
    Cause.NOT_NEEDED: Reason.CESSATION_OF_OPERATION,
    Cause.AGREEMENT_ENDED: Reason.CESSATION_OF_OPERATION,
    Cause.COMPANY_CEASED: Reason.CESSATION_OF_OPERATION,
    Cause.DEATH: Reason.CESSATION_OF_OPERATION,
    Cause.ERASURE: Reason.CESSATION_OF_OPERATION,
    Cause.TERMS_BREACHED: Reason.PRIVILEGE_WITHDRAWN,
    Cause.ORPHAN: Reason.SUPERSEDED,
    Cause.ISSUER_ENDED: Reason.CESSATION_OF_OPERATION,
    Cause.NOT_TOLD: Reason.UNSPECIFIED,
}
# Whoever knows only a reason (protocols, scripts) is taken to mean the plainest of its causes.
_PLAINEST = {
    Reason.UNSPECIFIED: Cause.NOT_TOLD,
    Reason.KEY_COMPROMISE: Cause.KEY_COMPROMISED,
    Reason.CA_COMPROMISE: Cause.AUTHORITY_COMPROMISED,
    Reason.AFFILIATION_CHANGED: Cause.CONTENT_CHANGED,
    Reason.SUPERSEDED: Cause.REPLACED,
    Reason.CESSATION_OF_OPERATION: Cause.NOT_NEEDED,
    Reason.PRIVILEGE_WITHDRAWN: Cause.TERMS_BREACHED,
}

_HUMAN = frozenset(Cause) - {
    Cause.ORPHAN,
    Cause.ISSUER_ENDED,
    Cause.AUTHORITY_COMPROMISED,
    Cause.NOT_TOLD,
}
MAY_GIVE: dict[Party, frozenset[Cause]] = {
    Party.OFFICER: _HUMAN,
    Party.OPERATOR: _HUMAN | {Cause.ISSUER_ENDED, Cause.AUTHORITY_COMPROMISED},
    Party.SYSTEM: frozenset(Cause),
    Party.HOLDER: frozenset(
        {
            Cause.KEY_LOST,
            Cause.COMPROMISE_SUSPECTED,
            Cause.KEY_COMPROMISED,
            Cause.CONTENT_CHANGED,
            Cause.CONTENT_WRONG,
            Cause.REPLACED,
            Cause.NOT_NEEDED,
            Cause.ERASURE,
            Cause.NOT_TOLD,
        }
    ),
}
"""Which causes each party may give, for hold and revocation alike."""

FOR_HOLD = frozenset({Cause.KEY_LOST, Cause.COMPROMISE_SUSPECTED, Cause.NOT_NEEDED})
"""What may turn out otherwise: found again, not compromised, needed again."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why a certificate is revoked, and for a compromise since when (invalidityDate, UTC)."""

    cause: Cause
    invalid_since: datetime | None = None

    @classmethod
    def told(cls, reason: Reason) -> "Grounds":
        """The grounds of somebody who knows only a reason; ValueError for one that is none.

        That are certificateHold, removeFromCRL and aACompromise.
        """
        if reason not in _PLAINEST:
            raise ValueError("not a reason for a revocation")
        return cls(_PLAINEST[reason])

    def check(self, party: Party, not_before: datetime, now: datetime) -> None:
        """Hold them to their rules; `not_before` is the certificate's.

        Raises:
            RevocationRefused: the party may not give this cause, or the date is none (5.3.2).
        """
        check_cause(self.cause, party)
        if self.invalid_since is None:
            return
        if not self.cause.is_compromise:
            raise RevocationRefused(RevocationRule.INVALIDITY_OF_COMPROMISE, self.cause)
        if self.invalid_since > now:
            raise RevocationRefused(RevocationRule.INVALIDITY_AHEAD)
        if self.invalid_since < not_before:
            raise RevocationRefused(RevocationRule.INVALIDITY_BEFORE, f"{not_before:%FT%TZ}")


def check_cause(cause: Cause, party: Party) -> None:
    """RevocationRefused unless the party may give the cause."""
    if cause not in MAY_GIVE[party]:
        raise RevocationRefused(RevocationRule.NOT_AUTHORISED, cause, party)


def party_of(actor: str) -> Party:
    """Who stands behind a pseudonym of the records."""
    if actor == "system:operator":
        return Party.OPERATOR
    if actor.startswith("system:"):
        return Party.SYSTEM
    return Party.OFFICER if actor.startswith("officer-") else Party.HOLDER

"""Holds: what is needed to lift one, which is more than to put one on (NSIS 3.2.3, ISS-REV-L3)."""

from dataclasses import dataclass
from datetime import datetime

from revocation.causes import FOR_HOLD, Cause, Party, check_cause
from revocation.errors import RevocationRefused, RevocationRule


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """What the records know of a certificate on hold; further checks are further fields."""

    cause: Cause | None
    not_after: datetime
    key_compromised: bool
    subject_active: bool
    """True when it names nobody, or nobody who is restricted or being erased."""
    issuer_retired: bool


def check_hold(cause: Cause, party: Party) -> None:
    """RevocationRefused unless the party may put a certificate on hold for the cause."""
    check_cause(cause, party)
    if cause not in FOR_HOLD:
        raise RevocationRefused(RevocationRule.NOT_FOR_HOLD, cause)


def check_release(held: HeldCertificate, party: Party, *, same_person: bool, now: datetime) -> None:
    """Lift a hold only by another person, and only while what was required before still holds.

    `same_person` says whether the releasing person put it on hold.

    Raises:
        RevocationRefused: ISS-REV-L3d, L3b or L3a forbids it, in this order.
    """
    if held.cause is Cause.COMPROMISE_SUSPECTED and (same_person or party is not Party.OFFICER):
        raise RevocationRefused(RevocationRule.UNDER_INVESTIGATION)
    if same_person or party is Party.HOLDER:
        raise RevocationRefused(RevocationRule.RELEASE_NOT_AUTHORISED)
    unmet = {
        "it has expired": held.not_after < now,
        "its key is known to be compromised": held.key_compromised,
        "its subject is restricted or being erased": not held.subject_active,
        "its issuer is retired": held.issuer_retired,
    }
    if failing := [what for what, fails in unmet.items() if fails]:
        raise RevocationRefused(RevocationRule.REQUIREMENTS_NOT_MET, " and ".join(failing))

"""Whether a renewal or a replacement is carried by what it rests on (NSIS 3.2.4; ISS-REN).

A level is never raised: the credential asked for is of the profile of the old one. Whatever is
proven anew, by a document or a login with another credential, makes an application like any other.
What names an organisation is asked for by a login with a personal credential, and whether mandate
and association still carry it is judged anew (`ra.organisation_applications`).
"""

from datetime import datetime

from ra.applications import Application
from ra.case import Measure
from ra.errors import Conflict, Refused
from ra.levels import AssuranceLevel
from ra.policies import Limits
from ra.registers import PersonStatus
from ra.renewals import Basis, Renewal
from ra.requirements import Finding, finding
from ra.terms import Acceptance, TermsLibrary
from revocation.causes import Cause

CONTROLS = frozenset({Measure.REGISTERED_ADDRESS_DELIVERY})
"""What ties a replacement to the same person: a code that went to the registered address."""
REPLACEABLE = frozenset(
    {Cause.KEY_LOST, Cause.COMPROMISE_SUSPECTED, Cause.KEY_COMPROMISED, Cause.NOT_NEEDED}
)
"""What a holder's own loss is revoked or held for; after anything else the identity is proven."""
_NEVER_BY_RENEWAL = "cpr_number"


def require_renewable(
    renewal: Renewal,
    level: AssuranceLevel,
    certificate: tuple[Cause | None, datetime],
    limits: Limits,
) -> None:
    """Refuse at once what no later step could cure; of the certificate, cause and last moment.

    Raises: Refused (ISS-REN-L1a, L1b).
    """
    cause, not_after = certificate
    found = (*_basis(renewal, level, limits, renewal.at), *_standing(renewal))
    if not_after < renewal.at:
        found = (*found, finding("ISS-REN-L1b", "RENEWAL_CREDENTIAL_NOT_VALID", ("not_after",)))
    if renewal.basis is Basis.REPLACEMENT and cause is not None and cause not in REPLACEABLE:
        found = (*found, finding("ISS-REN-L1a", "RENEWAL_BASIS_INVALID", ("cause",)))
    if found:
        raise Refused(found)


def proven_at(earlier: Application) -> datetime:
    """When the identity behind an application was proven; Conflict when it was not."""
    if earlier.renewal is not None and not is_proven_anew(earlier):
        return earlier.renewal.proven_at
    if earlier.proofing is None:
        raise Conflict(earlier.state)
    return earlier.proofing.completed_at


def terms_outdated(
    acceptances: tuple[Acceptance, ...], library: TermsLibrary, now: datetime
) -> tuple[Finding, ...]:
    """The texts that are not in force any more as they were accepted (REG-APP-L5)."""
    old = sorted(
        each.kind.value
        for each in acceptances
        if library.offered(each.kind, each.sha256, now) is None
    )
    return (finding("REG-APP-L5", "TERMS_OUTDATED", tuple(old)),) if old else ()


def renewal_findings(
    application: Application, limits: Limits, now: datetime
) -> tuple[Finding, ...]:
    """Every reason why what the application renews does not carry it; none for another one."""
    renewal = application.renewal
    if renewal is None or is_proven_anew(application):
        return ()
    return (
        *_basis(renewal, application.level, limits, now),
        *_standing(renewal),
        *_controls(application, renewal),
        *_register(renewal, application.level, limits, now),
        *_changes(application, renewal),
    )


def is_proven_anew(application: Application) -> bool:
    """Whether evidence of its own came in, so that nothing rests on the old credential."""
    if application.applicant.organisation is not None:
        return False
    further = application.further
    return bool(application.evidence or further.derivations or further.prior_proofings)


def _basis(
    renewal: Renewal, level: AssuranceLevel, limits: Limits, now: datetime
) -> tuple[Finding, ...]:
    too_low = renewal.level < level
    too_old = now > renewal.proven_at + limits.renewal_age
    named = (("level",) if too_low else ()) + (("proofing",) if too_old else ())
    return (finding("ISS-REN-L1a", "RENEWAL_BASIS_INVALID", named),) if named else ()


def _standing(renewal: Renewal) -> tuple[Finding, ...]:
    if renewal.basis is Basis.REPLACEMENT or renewal.stands:
        return ()
    return (finding("ISS-REN-L1b", "RENEWAL_CREDENTIAL_NOT_VALID"),)


def _controls(application: Application, renewal: Renewal) -> tuple[Finding, ...]:
    if renewal.basis is Basis.RENEWAL:
        return ()
    if application.level is AssuranceLevel.HIGH:
        return (finding("ISS-REN-S1c", "REIDENTIFICATION_REQUIRED"),)
    if application.applicant.organisation is not None:
        return ()
    if all(each.returned_at is None for each in application.further.letters):
        missing = tuple(sorted(each.value for each in CONTROLS))
        return (finding("ISS-REN-S1c", "REPLACEMENT_CONTROLS_MISSING", missing),)
    return ()


def _register(
    renewal: Renewal, level: AssuranceLevel, limits: Limits, now: datetime
) -> tuple[Finding, ...]:
    """At High the register is asked for the renewal, and its answer is fresh."""
    if level < AssuranceLevel.HIGH:
        return ()
    fresh = renewal.at <= renewal.register_at <= now <= renewal.register_at + limits.register_age
    return () if fresh else (finding("ISS-REN-H2", "REGISTER_CHECK_STALE"),)


def _changes(application: Application, renewal: Renewal) -> tuple[Finding, ...]:
    """A changed name is the register's; a number changes by a new proofing alone."""
    if application.applicant.is_legal_person:
        return ()
    known = renewal.register.status in {each.value for each in PersonStatus}
    agrees = known and not renewal.register.differs
    unverified = tuple(each for each in renewal.changed if each == _NEVER_BY_RENEWAL or not agrees)
    return (
        (finding("ISS-REN-L5", "ATTRIBUTE_CHANGE_NOT_VERIFIED", unverified),) if unverified else ()
    )

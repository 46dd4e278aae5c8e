"""Approved applications become certificates, many at once.

The approved application is the queue. A batch is confirmed one by one, issued in two transactions
(`ca.issuance.issue_all`) and recorded as fulfilled in a third; what befalls one application leaves
the others as they are.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import ca.errors
import ra.errors
from ca.issuance import Approval as SignedPackage
from ca.issuance import CertificateOrder, PreparedCertificate, issue_all, prepare
from ca.names import SubjectName
from ca.profiles import load_profile
from ca.requests import parse_request
from ra.applications import Application, ApplicationId, fulfil
from ra.approvals import confirm_approval, require_level_carried
from ra.levels import AssuranceLevel
from ra.package import subject_name
from records.errors import DatabaseUnavailable, RuleBroken
from records.renewals import end_replaced
from server.assembly import Assembly
from server.delivery import require_activated
from server.organisation_applications import require_standing
from server.renewal_standing import require_carried
from server.staff_signatures import StaffSignatures

ACTOR = "system:issuance"
# The guards that let an application lead to a certificate once, and only while it is approved.
_ONE_CERTIFICATE = frozenset({"RA12", "RA13"})

Outcome = Application | Exception
"""The application as it then stands, or why it has no certificate yet."""


def fulfil_application(parts: Assembly, application: Application, now: datetime) -> Application:
    """Issue the certificate of an approved application, unless that was done already.

    Raises: what `fulfil_all` would give as the outcome.
    """
    (outcome,) = fulfil_all(parts, [application], now)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def fulfil_all(parts: Assembly, batch: Sequence[Application], now: datetime) -> list[Outcome]:
    """Issue for approved applications that have no certificate; one outcome each, in their order.

    Called at the approval, and again at every tick for what a crash left approved. Where two do it
    at once, one issues; the other gives the application as it then stands. A batch is to be as
    small as `issue_all` wants it. Raises: DatabaseUnavailable.
    """
    outcomes: dict[ApplicationId, Outcome] = {}
    prepared: dict[ApplicationId, PreparedCertificate] = {}
    for each in batch:
        try:
            if not _has_certificate(parts, each):
                prepared[each.id] = _prepare(parts, each, now)
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one that is stuck holds up nobody else
            outcomes[each.id] = error
    issued = issue_all(list(prepared.values()), parts.certificates, ACTOR, now)
    failed = zip(prepared, issued, strict=True)
    outcomes |= {each: error for each, error in failed if isinstance(error, Exception)}
    outcomes |= _record(parts, [each for each in batch if each.id not in outcomes], now)
    return [_or_as_it_stands(parts, each.id, outcomes[each.id]) for each in batch]


def certificate_order(application: Application, signed: SignedPackage) -> CertificateOrder:
    """What `ca` is asked for: exactly what stands in the approved package."""
    request = parse_request(application.requested.request_der)
    return CertificateOrder(
        profile=load_profile(application.profile),
        subject=SubjectName.of(subject_name(application.applicant)),
        public_key=request.public_key,
        subject_id=application.subject_id,
        application_id=application.id,
        approval=signed,
        publish=application.requested.publication_consent,
    )


def _has_certificate(parts: Assembly, application: Application) -> bool:
    """Whether one was issued; an orphan's serial was revoked before any was."""
    found = parts.certificates.find(application_id=application.id)
    return any(record.issued_at is not None for record in found)


def _prepare(parts: Assembly, application: Application, now: datetime) -> PreparedCertificate:
    approval, signed = parts.applications.approval(application)
    approved = confirm_approval(
        application, signed.package, approval, StaffSignatures(parts.officers)
    )
    require_standing(parts, application, now)
    require_activated(parts, approved, now)
    require_carried(parts, application)
    order = certificate_order(approved.application, signed)
    stated = order.profile.assurance_level
    if stated is not None:
        require_level_carried(application, AssuranceLevel[stated.upper()])
    return prepare(order, parts.issuing(order.profile), now, parts.settings.serial.node)


def _record(
    parts: Assembly, certified: Sequence[Application], now: datetime
) -> dict[ApplicationId, Outcome]:
    """Record them as fulfilled, all at once; where one is at fault, each alone."""
    if not certified:
        return {}
    try:
        after = [fulfil(each, now) for each in certified]
        changes = list(zip(certified, after, strict=True))
        ending = partial(end_replaced, fulfilled=after, actor=ACTOR, now=now)
        parts.applications.update_all(changes, ACTOR, now, ending)
    except (ra.errors.Conflict, RuleBroken) as error:
        if len(certified) == 1:
            return {certified[0].id: error}
        alone = [_record(parts, [each], now) for each in certified]
        return {application_id: of for each in alone for application_id, of in each.items()}
    return {each.id: each for each in after}


def _or_as_it_stands(parts: Assembly, application_id: ApplicationId, outcome: Outcome) -> Outcome:
    """Where another was faster, what that one made of it."""
    elsewhere = isinstance(outcome, ra.errors.Conflict | ca.errors.Conflict) or (
        isinstance(outcome, RuleBroken) and outcome.code in _ONE_CERTIFICATE
    )
    return parts.applications.get(application_id) if elsewhere else outcome

"""Renewal and replacement of seals and of employees' certificates (NSIS 3.2.4 with 3.1.3 and 5).

They are asked for with the personal credential of whoever may apply for the first one: a holder of
the mandate for a seal, the person of the association for an employee. What carried the old
certificate has to carry the next one, judged anew by what the registers say at that moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ca.profiles import load_profile
from ra.applications import Applicant, Application
from ra.case import Basis as AssociationBasis
from ra.errors import Refused
from ra.legal_persons import Act, NamedOrganisation
from ra.levels import AssuranceLevel
from ra.mandate_assessment import mandate_findings
from ra.mandates import Mandate
from ra.renewal_rules import proven_at, require_renewable
from ra.renewals import Basis, Loss, Renewal
from ra.requirements import Finding, finding
from records.certificate_rows import CertificateRecord
from records.errors import NotFound
from server.assembly import Assembly
from server.associations import assess_association
from server.mandates import found_for
from server.renewal_standing import read_about


@dataclass(frozen=True, slots=True)
class Renewed:
    """The certificate that gives way, by its SHA-256 in hexadecimal, and why if it is lost."""

    certificate: str
    loss: Loss | None = None


def earlier_of(
    parts: Assembly, of: Renewed, applicant: Applicant
) -> tuple[Application, CertificateRecord]:
    """The certificate that gives way to one of this applicant, and what led to it.

    Raises: NotFound, also for a certificate of somebody else.
    """
    for record in parts.certificates.find(1, fingerprint=of.certificate):
        if record.application_id is not None:
            earlier = parts.applications.get(record.application_id)
            if _place(earlier.applicant) == _place(applicant):
                return earlier, record
    raise NotFound("certificate of this holder", of.certificate)


def open_renewal(
    parts: Assembly,
    earlier: tuple[Application, CertificateRecord],
    applicant: Applicant,
    how: tuple[AssuranceLevel, Loss | None],
    now: datetime,
) -> Renewal:
    """What is renewed, by somebody who logged in at a level.

    Raises:
        Refused: the old certificate does not carry it (ISS-REN-L1a, L1b), or what it rests on does
            not when it is judged anew.
    """
    before, record = earlier
    login, loss = how
    level = AssuranceLevel.from_label(str(load_profile(before.profile).assurance_level))
    renewal = Renewal(
        application=before.id,
        issuer=record.issuer,
        serial=record.serial_number.hex,
        basis=Basis.RENEWAL if loss is None else Basis.REPLACEMENT,
        level=min(before.level, login),
        at=now,
        proven_at=proven_at(before),
        stands=record.status == "issued",
        register=read_about(parts, applicant, now),
        register_at=now,
        changed=_changed(before.applicant, applicant),
        loss=loss,
    )
    require_renewable(renewal, level, (record.cause, record.not_after), parts.policy.policy.limits)
    if found := judged_anew(parts, applicant.organisation, level, now):
        raise Refused(found)
    return renewal


def judged_anew(
    parts: Assembly, named: NamedOrganisation | None, level: AssuranceLevel, now: datetime
) -> tuple[Finding, ...]:
    """Why mandate and association would not carry a certificate if they were asked for today."""
    if named is None:
        return ()
    granted = parts.mandates.granted(named.number)
    found = _mandated(parts, granted, Act.REGISTER, level, now)
    if named.association is None:
        return found
    of = parts.associations.get(named.association)
    _, against = assess_association(parts, of, now)
    if of.basis is AssociationBasis.ADMINISTRATOR:
        for administrator in of.administrators:
            held = (each for each in granted if each.holder == administrator)
            against = (*against, *_mandated(parts, held, Act.ADMINISTER, level, now))
    return tuple(dict.fromkeys((*found, *against)))


def _mandated(
    parts: Assembly, held: Iterable[Mandate], act: Act, level: AssuranceLevel, now: datetime
) -> tuple[Finding, ...]:
    """Nothing when one of the mandates is in force and would be granted today."""
    against: tuple[Finding, ...] = (finding("REG-IDL-S6a", "AUTHORISATION_NOT_VERIFIED"),)
    for each in held:
        if each.holds(act, now.date()) and each.level >= level:
            found = found_for(parts, each, now)
            against = mandate_findings(each, found, parts.policy.policy, now)
            if not against:
                return ()
    return against


def _place(of: Applicant) -> tuple[str, str | None, str | None]:
    named = of.organisation
    if named is None:
        return of.subject_id, None, None
    return of.subject_id, named.number.value, named.association


def _changed(before: Applicant, after: Applicant) -> tuple[str, ...]:
    """Of a person; the name of an organisation is the register's at every moment."""
    if after.is_legal_person:
        return ()
    names = ("given_name", "surname", "cpr_number")
    old, new = before.claim, after.claim
    return tuple(each for each in names if getattr(old, each) != getattr(new, each))

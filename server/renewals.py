"""Renewal and replacement of a person's credential (NSIS 3.2.4).

The holder asks: for a renewal with the certificate itself in the handshake, for a replacement with
the secret of the application that led to it. Both become an application, which officers take up,
conclude and approve like any other, and which names the certificate that gives way to it.
"""

from dataclasses import dataclass, field, fields
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

import ra.errors
from ca.profiles import load_profile
from ra.applications import Application
from ra.claims import ClaimedIdentity, natural_person_schema, read_claim
from ra.contacts import Contact
from ra.levels import AssuranceLevel
from ra.mandates import Authenticated
from ra.proofing import read_register
from ra.renewal_rules import proven_at, require_renewable
from ra.renewals import Basis, Loss, Renewal
from ra.requirements import finding
from records.certificate_rows import CertificateRecord
from records.errors import NotFound, RuleBroken
from server.assembly import Assembly
from server.errors import NotSignedIn
from server.organisation_applications import NewNamed, apply_as_employee
from server.organisation_renewals import Renewed
from server.registration import NewApplication, open_application
from server.renewal_standing import as_conflict, is_published


@dataclass(frozen=True, slots=True)
class Asked:
    """What a holder hands in; what is left out stays as it was."""

    request: bytes
    acceptances: dict[str, dict[str, object]] = field(default_factory=dict)
    session: str = ""
    changes: dict[str, str] = field(default_factory=dict)
    """Attributes with their new values."""
    device: str | None = None
    attestation: bytes = b""
    contact: Contact | None = None


def renew(
    parts: Assembly, presented: x509.Certificate, asked: Asked, now: datetime
) -> tuple[Application, str]:
    """The holder of a valid certificate asks for the next one; the application and its secret.

    Raises:
        NotSignedIn: the certificate is none of ours, or about nobody.
        Refused: it is on hold, revoked or expired (ISS-REN-L1b), or its proofing is too old (L1a);
            of an employee also as `apply_as_employee`, and of a seal, which logs nobody in.
        Conflict: it is being renewed already.
    """
    found = parts.certificates.find(1, fingerprint=presented.fingerprint(SHA256()).hex())
    if not found or found[0].application_id is None:
        raise NotSignedIn
    earlier = parts.applications.get(found[0].application_id)
    if earlier.applicant.organisation is not None:
        return _renew_employee(parts, earlier, found[0], asked, now)
    return _open(parts, earlier, (found[0], None), asked, now)


def replace_lost(
    parts: Assembly, application_id: str, loss: Loss, asked: Asked, now: datetime
) -> tuple[Application, str]:
    """The holder has the key no more, and asks for another; what is lost is revoked at once.

    Raises:
        NotFound: the application led to no certificate.
        Refused: the certificate has expired (ISS-REN-L1b), or was revoked for what its holder
            does not replace (L1a); the identity is proven by a new application.
        Conflict: it is being replaced already.
    """
    earlier = parts.applications.get(application_id)
    issued = [
        each
        for each in parts.certificates.find(application_id=application_id)
        if each.issued_at is not None
    ]
    if not issued:
        raise NotFound("certificate of application", application_id)
    return _open(parts, earlier, (issued[0], loss), asked, now)


def _renew_employee(
    parts: Assembly, earlier: Application, record: CertificateRecord, asked: Asked, now: datetime
) -> tuple[Application, str]:
    named, fingerprint = earlier.applicant.organisation, record.fingerprint
    if named is None or named.association is None or fingerprint is None:
        raise ra.errors.Refused((finding("REG-IDL-S6a", "AUTHORISATION_NOT_VERIFIED"),))
    if asked.changes or asked.device is not None or asked.contact is not None:
        expected = "empty, with no device and no phone, for the certificate of an employee"
        raise ra.errors.MalformedField("changes", expected)
    actor = Authenticated(earlier.subject_id, earlier.level, fingerprint, now)
    new = NewNamed(
        asked.request, asked.acceptances, session=asked.session, renews=Renewed(fingerprint)
    )
    return apply_as_employee(parts, named.association, new, actor, now)


def _open(
    parts: Assembly,
    earlier: Application,
    of: tuple[CertificateRecord, Loss | None],
    asked: Asked,
    now: datetime,
) -> tuple[Application, str]:
    record, loss = of
    level = _level(earlier)
    attributes = _attributes(earlier.applicant.claim) | asked.changes
    claim = read_claim(attributes, natural_person_schema(level), now.date())
    registers, _ = parts.registers()
    reading, _ = read_register(claim, registers, now)
    renewal = Renewal(
        application=earlier.id,
        issuer=record.issuer,
        serial=record.serial_number.hex,
        basis=Basis.RENEWAL if loss is None else Basis.REPLACEMENT,
        level=earlier.level,
        at=now,
        proven_at=proven_at(earlier),
        stands=record.status == "issued",
        register=reading,
        register_at=now,
        changed=_changed(earlier.applicant.claim, claim),
        loss=loss,
    )
    require_renewable(renewal, level, (record.cause, record.not_after), parts.policy.policy.limits)
    new = NewApplication(
        profile=earlier.profile,
        attributes=attributes,
        request=asked.request,
        acceptances=asked.acceptances,
        publication_consent=is_published(parts, earlier),
        session=asked.session,
        device=asked.device,
        attestation=asked.attestation,
        contact=asked.contact or earlier.contact,
        renews=(earlier, renewal),
    )
    try:
        return open_application(parts, new, now)
    except RuleBroken as broken:
        raise as_conflict(broken) from None


def _level(earlier: Application) -> AssuranceLevel:
    """What the profile reaches today: where it was raised, the old credential does not carry it."""
    level = load_profile(earlier.profile).assurance_level
    if earlier.applicant.organisation is not None or level is None:
        expected = "one for natural persons; others are replaced by who may apply for them"
        raise ra.errors.MalformedField("profile", expected)
    return AssuranceLevel[level.upper()]


def _attributes(claim: ClaimedIdentity) -> dict[str, str]:
    found = {each.name: getattr(claim, each.name) for each in fields(claim)}
    return {name: value.value for name, value in found.items() if value is not None}


def _changed(before: ClaimedIdentity, after: ClaimedIdentity) -> tuple[str, ...]:
    """The names of what differs; an address for mail is certified nowhere and proves nothing."""
    named = (each.name for each in fields(before) if each.name != "email")
    return tuple(each for each in named if getattr(before, each) != getattr(after, each))

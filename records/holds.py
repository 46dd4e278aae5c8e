"""What the records know of a certificate on hold, when somebody wants to lift the hold."""

from datetime import datetime

from sqlalchemy import Connection, Row, func, select

from ca.identifiers import IssuerName, SerialNumber
from records.tables import certificate, compromised_key, issuer, officer, subject
from revocation.causes import Cause
from revocation.holds import HeldCertificate


def held_certificate(tx: Connection, row: Row[tuple[object, ...]]) -> HeldCertificate:
    """The facts that `revocation.holds` decides on."""
    named = select(subject.c.state).where(subject.c.id == row.subject_id)
    key = select(compromised_key.c.spki_sha256).where(
        compromised_key.c.spki_sha256 == row.spki_sha256
    )
    signer = select(issuer.c.state).where(issuer.c.name == row.issuer)
    return HeldCertificate(
        cause=None if row.cause is None else Cause(row.cause),
        not_after=row.not_after,
        key_compromised=tx.execute(key).first() is not None,
        subject_active=row.subject_id is None or tx.execute(named).scalar() == "active",
        issuer_retired=tx.execute(signer).scalar() == "retired",
    )


def held_before(
    tx: Connection, before: datetime, now: datetime, limit: int
) -> list[tuple[IssuerName, SerialNumber]]:
    """Certificates in force that are on hold since before that time, the longest held first."""
    old = (
        select(certificate.c.issuer, certificate.c.serial)
        .where(certificate.c.status == "held", certificate.c.decided_at < before)
        .where(certificate.c.not_after >= now)
        .order_by(certificate.c.decided_at)
        .limit(limit)
    )
    return [(IssuerName(i), SerialNumber.from_hex(s)) for i, s in tx.execute(old)]


def is_same_person(tx: Connection, one: str, other: str) -> bool:
    """Whether two actors are one person, as far as the records can tell."""
    if one == other:
        return True
    found = select(func.count(func.distinct(officer.c.person_id)), func.count()).where(
        officer.c.id.in_((one, other))
    )
    return tuple(tx.execute(found).one()) == (1, 2)

"""The rows of the certificate table, as what is not personal in them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Row, and_, select

from ca.identifiers import IssuerName, SerialNumber
from records.errors import NotFound
from records.tables import certificate
from revocation.causes import Cause
from revocation.reasons import Reason


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """The operational columns of one certificate; nothing personal."""

    issuer: IssuerName
    serial_number: SerialNumber
    status: str
    profile: str
    subject_id: str | None
    application_id: str | None
    not_before: datetime
    not_after: datetime
    issued_at: datetime | None
    revoked_at: datetime | None
    """Since when relying parties are told that it is on hold or revoked (UTC)."""
    reason: Reason | None
    fingerprint: str | None
    cause: Cause | None = None
    """Why, finer than the reason; for officers only."""
    invalid_since: datetime | None = None
    """Since when a compromised key is not to be trusted (RFC 5280 section 5.3.2)."""
    decided_by: str | None = None
    """The actor, or the bulk revocation, that decided the present status."""


def is_row(issuer: IssuerName, serial: SerialNumber) -> ColumnElement[bool]:
    """The condition that a row is that of this certificate."""
    return and_(certificate.c.issuer == issuer, certificate.c.serial == serial.hex)


def row_of(tx: Connection, issuer: IssuerName, serial: SerialNumber) -> Row[tuple[object, ...]]:
    """The row of a certificate; NotFound if the serial was never intended."""
    row = tx.execute(select(certificate).where(is_row(issuer, serial))).first()
    if row is None:
        raise NotFound("certificate", f"{issuer}/{serial.hex}")
    return row


def record_of(row: Row[tuple[object, ...]]) -> CertificateRecord:
    """The operational columns of a row."""
    return CertificateRecord(
        issuer=IssuerName(row.issuer),
        serial_number=SerialNumber.from_hex(row.serial),
        status=row.status,
        profile=row.profile,
        subject_id=row.subject_id,
        application_id=row.application_id,
        not_before=row.not_before,
        not_after=row.not_after,
        issued_at=row.issued_at,
        revoked_at=row.revoked_at,
        reason=None if row.reason is None else Reason(row.reason),
        fingerprint=row.fingerprint,
        cause=None if row.cause is None else Cause(row.cause),
        invalid_since=row.invalid_since,
        decided_by=row.decided_by,
    )

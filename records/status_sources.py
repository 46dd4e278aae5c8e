"""How far each channel of status is with one certificate; read without the lists themselves."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from ca.identifiers import IssuerName, SerialNumber
from records.database import Database
from records.tables import crl, ocsp_response, status_change
from revocation.publication import COMPLETE


@dataclass(frozen=True, slots=True)
class CrlSource:
    """The latest CRL; `is_current` when it was made after the certificate's last change."""

    number: int
    this_update: datetime
    next_update: datetime
    is_current: bool


@dataclass(frozen=True, slots=True)
class OcspSource:
    """A response that lies ready, made since the last change (UTC)."""

    this_update: datetime
    next_update: datetime


def status_sources(
    database: Database, issuer: IssuerName, serial: SerialNumber
) -> tuple[CrlSource | None, OcspSource | None]:
    """The latest complete CRL of the issuer, and the OCSP response that lies ready, if any."""
    latest = (
        select(crl.c.number, crl.c.version, crl.c.this_update, crl.c.next_update)
        .where(crl.c.issuer == issuer, crl.c.shard == COMPLETE)
        .order_by(crl.c.number.desc())
        .limit(1)
    )
    changed = select(func.max(status_change.c.version)).where(
        status_change.c.issuer == issuer, status_change.c.serial == serial.hex
    )
    ready = select(ocsp_response.c.this_update, ocsp_response.c.next_update).where(
        ocsp_response.c.issuer == issuer,
        ocsp_response.c.serial == serial.hex,
        ocsp_response.c.this_update.is_not(None),
    )
    with database.read() as tx:
        found, version = tx.execute(latest).first(), tx.execute(changed).scalar()
        response = tx.execute(ready).first()
    listed = None
    if found is not None:
        current = version is None or found.version >= version
        listed = CrlSource(found.number, found.this_update, found.next_update, current)
    return listed, None if response is None else OcspSource(*response)

"""Who logs in with a certificate of their own, and at which level they are proven."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from sqlalchemy import Select, select

from ra.levels import AssuranceLevel
from records.database import Database
from records.tables import application, certificate, subject

_SEAL = "legal-person-seal"
_OF_ORGANISATIONS = ("employee", _SEAL)


@dataclass(frozen=True, slots=True)
class Holder:
    """A natural person behind a live certificate; `fingerprint` is SHA-256 in hexadecimal."""

    subject_id: str
    level: AssuranceLevel
    fingerprint: str
    application_id: str


class Holders:
    """Persons by their own certificates; those that name an organisation do not count."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def by_certificate(self, presented: x509.Certificate, now: datetime) -> Holder | None:
        """The person whose live certificate this is; None for any other."""
        fingerprint = presented.fingerprint(hashes.SHA256()).hex()
        query = _live(now).where(certificate.c.fingerprint == fingerprint)
        with self._database.read() as tx:
            row = tx.execute(query).first()
        if row is None:
            return None
        level = AssuranceLevel[row.level.upper()]
        return Holder(row.subject_id, level, row.fingerprint, row.id)

    def level_of_seal(
        self, fingerprint: str, subject_id: str, now: datetime
    ) -> AssuranceLevel | None:
        """The level of this certificate if it is a live seal of this legal person; else None."""
        query = (
            select(application.c.level)
            .join(certificate, certificate.c.application_id == application.c.id)
            .where(certificate.c.fingerprint == fingerprint, certificate.c.profile == _SEAL)
            .where(certificate.c.subject_id == subject_id, certificate.c.not_after >= now)
            .where(certificate.c.status == "issued")
        )
        with self._database.read() as tx:
            level = tx.execute(query).scalar()
        return None if level is None else AssuranceLevel.from_label(level)

    def level_of(self, subject_id: str, now: datetime) -> AssuranceLevel | None:
        """The highest level of a live certificate of the person; None without one."""
        query = _live(now).where(certificate.c.subject_id == subject_id)
        with self._database.read() as tx:
            levels = [AssuranceLevel[row.level.upper()] for row in tx.execute(query)]
        return max(levels, default=None)


def _live(now: datetime) -> Select[Any]:
    return (
        select(
            certificate.c.subject_id,
            application.c.level,
            certificate.c.fingerprint,
            application.c.id,
        )
        .join(application, application.c.id == certificate.c.application_id)
        .join(subject, subject.c.id == certificate.c.subject_id)
        .where(certificate.c.status == "issued", certificate.c.not_after >= now)
        .where(certificate.c.profile.not_in(_OF_ORGANISATIONS))
        .where(subject.c.kind == "natural_person", subject.c.state == "active")
    )

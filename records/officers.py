"""Officers: who may act, with which certificate, by which one-time link.

An officer is known by a pseudonym everywhere; the name stands sealed in one place.
"""

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from sqlalchemy import Connection, Row, Select, insert, select, update

from audit.events import Detail, Event
from audit.payloads import Payload
from ca.identifiers import IssuerName, SerialNumber
from records.audit_log import append
from records.audit_payloads import Told, append_told
from records.database import Database
from records.errors import Conflict, Erased, NotFound
from records.personal_data import PersonalData
from records.tables import (
    certificate,
    officer,
    officer_certificate,
    officer_session,
    one_time_link,
    subject,
)


class Role(StrEnum):
    """What an officer may do; one role an officer (EN 319 401 REQ-7.2)."""

    REGISTRATION_OFFICER = "registration_officer"
    APPROVING_OFFICER = "approving_officer"
    PERSONALISATION_OPERATOR = "personalisation_operator"
    CODE_DISPATCHER = "code_dispatcher"
    SECURITY_ADMINISTRATOR = "security_administrator"
    AUDITOR = "auditor"
    CASE_MANAGER = "case_manager"
    CASE_APPROVER = "case_approver"
    DATA_PROTECTION_OFFICER = "data_protection_officer"

    @property
    def label(self) -> str:
        """The role in words."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Officer:
    """One officer, by pseudonym. `person_id` counts the human being, however many roles."""

    id: str
    person_id: str
    role: Role
    subject_id: str
    state: str
    certificate: str | None = field(default=None, compare=False)
    """The certificate with which the officer acts: SHA-256, in hexadecimal; None: with none."""


class LinkUsed(Conflict):
    """A one-time link was used before, has expired, or never existed; it does not say which."""


class Officers:
    """Officers, their certificates, links and browser sessions."""

    def __init__(self, database: Database, personal: PersonalData) -> None:
        """Use the database, and the door for names."""
        self._database = database
        self._personal = personal

    def invite(self, name: str, role: Role, now: datetime) -> Officer:
        """Make an officer who has no certificate yet."""
        invited = Officer(
            id=f"officer-{secrets.token_hex(8)}",
            person_id=f"person-{secrets.token_hex(8)}",
            role=role,
            subject_id=f"subject-{secrets.token_hex(8)}",
            state="invited",
        )
        with self._database.write() as tx:
            tx.execute(
                insert(subject).values(
                    id=invited.subject_id, kind="officer", state="active", created_at=now
                )
            )
            sealed = self._personal.seal(tx, invited.subject_id, "officer", name.encode())
            tx.execute(
                insert(officer).values(
                    id=invited.id,
                    person_id=invited.person_id,
                    role=role.value,
                    subject_id=invited.subject_id,
                    sealed_name=sealed,
                    state="invited",
                    created_at=now,
                )
            )
            event = Event("officer.invited", "system:operator", invited.id, {"role": role})
            told = Told(event, (Payload(invited.subject_id, {"name": name}),))
            append_told(tx, [told], self._personal, now)
        return invited

    def all(self) -> list[tuple[Officer, str]]:
        """Every officer with the name, oldest first; without one whose erasure is going on."""
        with self._database.read() as tx:
            rows = tx.execute(select(officer).order_by(officer.c.created_at)).all()
            return [(_officer(row), self._name(tx, row)) for row in rows]

    def _name(self, tx: Connection, row: Row[Any]) -> str:
        try:
            return self._personal.open(tx, row.subject_id, "officer", row.sealed_name).decode()
        except Erased:
            return ""

    def get(self, officer_id: str) -> Officer:
        """One officer; NotFound if there is none of that pseudonym."""
        with self._database.read() as tx:
            return _one(tx, officer_id)

    def make_link(
        self,
        officer_id: str,
        purpose: str,
        now: datetime,
        life: timedelta,
        certificate: str | None = None,
    ) -> str:
        """A secret that works once, for `enrolment` or `sign-in`; only its hash is kept.

        To sign in takes the officer's own certificate, by its fingerprint.
        """
        token = secrets.token_urlsafe(32)
        with self._database.write() as tx:
            _one(tx, officer_id)
            tx.execute(
                insert(one_time_link).values(
                    token_sha256=_sha256(token),
                    officer_id=officer_id,
                    purpose=purpose,
                    expires_at=now + life,
                    fingerprint=certificate,
                )
            )
            actor = "system:operator" if certificate is None else officer_id
            append(tx, Event("officer.linked", actor, officer_id, {"purpose": purpose}), now)
        return token

    def redeem(self, token: str, purpose: str, now: datetime) -> Officer:
        """Use up a one-time link; LinkUsed if it cannot be used any more."""
        with self._database.write() as tx:
            row = tx.execute(
                update(one_time_link)
                .where(
                    one_time_link.c.token_sha256 == _sha256(token),
                    one_time_link.c.purpose == purpose,
                    one_time_link.c.used_at.is_(None),
                    (one_time_link.c.fingerprint.is_not(None) | (purpose == "enrolment")),
                    one_time_link.c.expires_at > now,
                )
                .values(used_at=now)
                .returning(one_time_link.c.officer_id, one_time_link.c.fingerprint)
            ).first()
            if row is None:
                raise LinkUsed("this link", "used, expired or unknown")
            found = _one(tx, row.officer_id)
            if found.state == "ended":
                raise LinkUsed("this link", "used, expired or unknown")
            append(tx, Event("officer.link_used", found.id, found.id, {"purpose": purpose}), now)
        return replace(found, certificate=row.fingerprint)

    def enrol(
        self, officer_id: str, issuer: IssuerName, issued: x509.Certificate, now: datetime
    ) -> None:
        """Bind a certificate to the officer, who becomes active.

        Raises:
            RuleBroken: RA15, it is not a good certificate of this officer, or the officer ended.
        """
        fingerprint = issued.fingerprint(hashes.SHA256()).hex()
        with self._database.write() as tx:
            tx.execute(
                insert(officer_certificate).values(
                    fingerprint=fingerprint,
                    officer_id=officer_id,
                    issuer=issuer,
                    serial=SerialNumber(issued.serial_number).hex,
                )
            )
            tx.execute(update(officer).where(officer.c.id == officer_id).values(state="active"))
            details = {"fingerprint": fingerprint}
            append(tx, Event("officer.enrolled", officer_id, officer_id, details), now)

    def by_certificate(self, presented: x509.Certificate) -> Officer | None:
        """The active officer whose good certificate this is; None for any other."""
        fingerprint = presented.fingerprint(hashes.SHA256()).hex()
        with self._database.read() as tx:
            row = tx.execute(_acting().where(certificate.c.fingerprint == fingerprint)).first()
        return None if row is None else _acting_officer(row)

    def start_session(self, of: Officer, now: datetime, life: timedelta) -> str:
        """A browser session, as long as the certificate is good; only its hash is kept."""
        token = secrets.token_urlsafe(32)
        with self._database.write() as tx:
            tx.execute(
                insert(officer_session).values(
                    token_sha256=_sha256(token),
                    officer_id=of.id,
                    expires_at=now + life,
                    fingerprint=of.certificate,
                )
            )
            details: dict[str, Detail] = {"fingerprint": of.certificate or "none"}
            append(tx, Event("officer.signed_in", of.id, of.id, details), now)
        return token

    def by_session(self, token: str, now: datetime) -> Officer | None:
        """Whose browser session this is; None once it or its certificate has ended."""
        began = officer_session.c.fingerprint == certificate.c.fingerprint
        with self._database.read() as tx:
            row = tx.execute(
                _acting()
                .join(officer_session, began & (officer_session.c.officer_id == officer.c.id))
                .where(officer_session.c.token_sha256 == _sha256(token))
                .where(officer_session.c.expires_at > now)
            ).first()
        return None if row is None else _acting_officer(row)

    def end_session(self, token: str, now: datetime) -> None:
        """End a browser session at once."""
        with self._database.write() as tx:
            tx.execute(
                update(officer_session)
                .where(officer_session.c.token_sha256 == _sha256(token))
                .values(expires_at=now)
            )


def _acting() -> Select[Any]:
    """Active officers by their good certificates."""
    return (
        select(officer, certificate.c.fingerprint)
        .join(officer_certificate, officer_certificate.c.officer_id == officer.c.id)
        .join(certificate, certificate.c.fingerprint == officer_certificate.c.fingerprint)
        .where(officer.c.state == "active", certificate.c.status == "issued")
    )


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _one(tx: Connection, officer_id: str) -> Officer:
    row = tx.execute(select(officer).where(officer.c.id == officer_id)).first()
    if row is None:
        raise NotFound("officer", officer_id)
    return _officer(row)


def _officer(row: Row[tuple[object, ...]]) -> Officer:
    return Officer(row.id, row.person_id, Role(row.role), row.subject_id, row.state)


def _acting_officer(row: Row[tuple[object, ...]]) -> Officer:
    return replace(_officer(row), certificate=row.fingerprint)

"""Certificates: intents, issue, status and revocation.

Implements `ca.issuance.IssuanceStore` and `revocation.status.StatusSource`.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, bindparam, insert, literal_column, select, update

from audit.events import Event
from ca.certificates import CertificateContent
from ca.errors import CaError, Conflict
from ca.identifiers import IssuerName, SerialNumber
from ca.issuance import CertificateOrder, PreparedCertificate, Signed
from ca.key_uses import KeyUse, KeyUses
from records.audit_log import append_all
from records.certificate_rows import CertificateRecord, record_of, row_of
from records.database import Database
from records.errors import Conflict as TakenAlready
from records.errors import Erased, NotFound, RuleBroken
from records.key_uses import uses_of_keys, wait_for_keys
from records.personal_data import PersonalData
from records.prepared import Prepared
from records.publication_consents import withdrawn_by
from records.statuses import close_orphan
from records.tables import (
    certificate,
    officer,
    officer_certificate,
    publication,
)

# The guards that refuse a serial number which a certificate has, or had.
_SERIAL_USED = frozenset({"PKI06", "PKI07"})
_INSERT = Prepared(
    insert(certificate).values(status=literal_column("'intent'")),
    (
        *("issuer", "serial", "profile", "profile_sha256", "subject_id", "application_id"),
        *("not_before", "not_after", "spki_sha256", "sealed_tbs", "intended_at", "shard"),
    ),
)
_ISSUE = Prepared(
    update(certificate)
    .where(
        certificate.c.issuer == bindparam("of_issuer"),
        certificate.c.serial == bindparam("of_serial"),
        certificate.c.status == literal_column("'intent'"),
    )
    .values(
        status=literal_column("'issued'"),
        sealed_der=bindparam("sealed_der"),
        fingerprint=bindparam("fingerprint"),
        issued_at=bindparam("issued_at"),
    )
)

_OPEN_INTENTS = select(certificate.c.issuer, certificate.c.serial).where(  # every tick asks
    certificate.c.status == "intent", certificate.c.intended_at < bindparam("before")
)


class Certificates:
    """The certificate table and what follows from its changes."""

    def __init__(
        self,
        database: Database,
        personal: PersonalData,
        directories: Mapping[str, Collection[str]] = MappingProxyType({}),
        compromised: frozenset[str] = frozenset(),
    ) -> None:
        """Use the database, the door for bodies about people, and the names of the directories.

        With each stand the profiles of devices and hosts that it shows, which nobody consents to.
        `compromised` holds digests of keys that others found compromised, beside our own table.
        """
        self._database = database
        self._compromised = compromised
        self._personal = personal
        self._directories = directories

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """What is raised when a row may not be; implements `ca.issuance.IssuanceStore`."""
        return (CaError, RuleBroken, TakenAlready, Erased)

    def check_key(self, order: CertificateOrder) -> None:
        """Refuse an order for a key that is in use now."""
        with self._database.read() as tx:
            uses = uses_of_keys(tx, [order.spki_sha256], self._compromised)
        order.check_key_uses(uses[order.spki_sha256])

    def record_intents(
        self, batch: Sequence[PreparedCertificate], actor: str, now: datetime
    ) -> None:
        """Commit what will be signed before it is signed; all of it or nothing."""
        # In one order for everybody, for the guards lock the subjects.
        batch = sorted(batch, key=lambda prepared: prepared.order.subject_id or "")
        try:
            with self._database.write() as tx:
                self._check_keys(tx, [prepared.order for prepared in batch])
                _INSERT.run(tx, [self._intent(tx, prepared, now) for prepared in batch])
                append_all(tx, [_intended(prepared, actor) for prepared in batch], now)
        except RuleBroken as error:
            if error.code not in _SERIAL_USED:
                raise
            raise Conflict(f"certificate {_name(batch[0].content)}", "used already") from None

    def record_certificates(self, batch: Sequence[Signed], now: datetime) -> None:
        """Commit signed certificates and what is to be done with them; all of it or nothing."""
        with self._database.write() as tx:
            rows = [self._issued(tx, *signed, now) for signed in batch]
            if _ISSUE.run(tx, rows) != len(rows):
                raise Conflict(f"certificate {_name(batch[0][0].content)}", "an intent no more")
            published = self._publications(tx, [prepared for prepared, _ in batch], now)
            if published:
                tx.execute(insert(publication), published)
            prints = [str(row["fingerprint"]) for row in rows]
            contents = [prepared.content for prepared, _ in batch]
            append_all(tx, [*map(_issued, contents, prints)], now)

    def uses_of_key(self, spki_sha256: str) -> KeyUses:
        """What the key was certified for."""
        with self._database.read() as tx:
            return uses_of_keys(tx, [spki_sha256], self._compromised)[spki_sha256]

    def approving_person(self, signer: x509.Certificate) -> str | None:
        """Whose this very certificate is, if it is good and an active approving officer's."""
        fingerprint = signer.fingerprint(hashes.SHA256()).hex()
        with self._database.read() as tx:
            found = tx.execute(
                select(officer.c.person_id)
                .join(officer_certificate, officer_certificate.c.officer_id == officer.c.id)
                .join(certificate, certificate.c.fingerprint == officer_certificate.c.fingerprint)
                .where(officer_certificate.c.fingerprint == fingerprint)
                .where(officer.c.role == "approving_officer", officer.c.state == "active")
                .where(certificate.c.status == "issued")
            ).first()
        return None if found is None else str(found.person_id)

    def open_intents(self, before: datetime) -> list[tuple[IssuerName, SerialNumber]]:
        """Intents recorded before that time and still without a certificate."""
        with self._database.read() as tx:
            rows = tx.execute(_OPEN_INTENTS, {"before": before})
            return [(IssuerName(i), SerialNumber.from_hex(s)) for i, s in rows]

    def revoke_orphan(self, issuer: IssuerName, serial: SerialNumber, now: datetime) -> bool:
        """Close an intent whose certificate may or may not have been signed: revoke its serial."""
        with self._database.write() as tx:
            return close_orphan(tx, issuer, serial, now)

    def record(self, issuer: IssuerName, serial: SerialNumber) -> CertificateRecord:
        """The operational columns; NotFound if the serial was never intended."""
        with self._database.read() as tx:
            return record_of(row_of(tx, issuer, serial))

    def body(self, issuer: IssuerName, serial: SerialNumber) -> x509.Certificate:
        """The certificate itself; NotFound unless it was issued, Erased if it was erased."""
        with self._database.read() as tx:
            row = row_of(tx, issuer, serial)
            if row.sealed_der is None:
                raise NotFound("certificate", f"{issuer}/{serial.hex}")
            der = self._personal.body(tx, row.subject_id, row.sealed_der)
        return x509.load_der_x509_certificate(der)

    def find(self, limit: int = 100, **wanted: str) -> list[CertificateRecord]:
        """Certificates whose columns hold the wanted values, newest first.

        The columns are issuer, serial, status, profile, subject_id, application_id, fingerprint
        and spki_sha256.
        """
        query = select(certificate).order_by(certificate.c.intended_at.desc()).limit(limit)
        for column, value in wanted.items():
            query = query.where(certificate.c[column] == value)
        with self._database.read() as tx:
            return [record_of(row) for row in tx.execute(query)]

    def _check_keys(self, tx: Connection, orders: Sequence[CertificateOrder]) -> None:
        """Refuse an order for a key that is in use, be it by one before it in the batch."""
        keys = {order.spki_sha256 for order in orders}
        wait_for_keys(tx, keys)
        uses = dict(uses_of_keys(tx, keys, self._compromised))
        for order in orders:
            before = uses[order.spki_sha256]
            order.check_key_uses(before)
            if len(keys) < len(orders):
                own = KeyUse(order.holder, order.application_id, may_exist=True)
                uses[order.spki_sha256] = replace(before, certified=(*before.certified, own))

    def _intent(
        self, tx: Connection, prepared: PreparedCertificate, now: datetime
    ) -> dict[str, object]:
        content, order = prepared.content, prepared.order
        return {
            "issuer": content.issuer.name,
            "serial": content.serial_number.hex,
            "profile": order.profile.name,
            "profile_sha256": order.profile.sha256,
            "subject_id": order.subject_id,
            "application_id": order.application_id,
            "not_before": content.not_before,
            "not_after": content.not_after,
            "spki_sha256": order.spki_sha256,
            "sealed_tbs": self._seal(tx, order.subject_id, prepared.tbs_certificate),
            "intended_at": now,
            "shard": content.shard,
        }

    def _issued(
        self,
        tx: Connection,
        prepared: PreparedCertificate,
        issued: x509.Certificate,
        now: datetime,
    ) -> dict[str, object]:
        der = issued.public_bytes(Encoding.DER)
        return {
            "of_issuer": prepared.content.issuer.name,
            "of_serial": prepared.content.serial_number.hex,
            "sealed_der": self._seal(tx, prepared.order.subject_id, der),
            "fingerprint": hashlib.sha256(der).hexdigest(),
            "issued_at": now,
        }

    def _publications(
        self, tx: Connection, batch: Sequence[PreparedCertificate], now: datetime
    ) -> list[dict[str, object]]:
        """What is to be published, but for persons who have withdrawn their consent since."""
        asked = [each.order.subject_id for each in batch if each.order.publish]
        said = {each for each in asked if each is not None} if self._directories else set()
        consenting = said - withdrawn_by(tx, said)

        def shows(profiles: Collection[str], order: CertificateOrder) -> bool:
            if order.subject_id is None:
                return order.profile.name in profiles
            return order.publish and order.subject_id in consenting

        return [
            {
                "directory": directory,
                "issuer": each.content.issuer.name,
                "serial": each.content.serial_number.hex,
                "subject_id": each.order.subject_id,
                "state": "pending",
                "retry_at": now,
            }
            for each in batch
            for directory, profiles in self._directories.items()
            if shows(profiles, each.order)
        ]

    def _seal(self, tx: Connection, subject_id: str | None, octets: bytes) -> bytes:
        if subject_id is None:
            return octets
        return self._personal.seal(tx, subject_id, "core", octets)


def _intended(prepared: PreparedCertificate, actor: str) -> Event:
    profile = prepared.order.profile
    details = {"profile": profile.name, "profile_sha256": profile.sha256}
    return Event("certificate.intended", actor, _name(prepared.content), details)


def _issued(content: CertificateContent, fingerprint: str) -> Event:
    details = {"fingerprint": fingerprint}
    return Event("certificate.issued", "system:issuance", _name(content), details)


def _name(content: CertificateContent) -> str:
    return f"{content.issuer.name}/{content.serial_number.hex}"

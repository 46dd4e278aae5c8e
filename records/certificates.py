"""Certificates: intents, issue, status and revocation.

Implements `ca.issuance.IssuanceStore` and `revocation.status.StatusSource`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    insert,
    literal_column,
    select,
    update,
)

from audit.events import Event
from ca.certificates import CertificateContent
from ca.errors import CaError, Conflict
from ca.identifiers import IssuerName, SerialNumber
from ca.issuance import CertificateOrder, PreparedCertificate, Signed
from ca.key_uses import KeyUse, KeyUses
from records.audit_log import append, append_all
from records.database import Database
from records.errors import Conflict as TakenAlready
from records.errors import DatabaseUnavailable, Erased, NotFound, RuleBroken
from records.key_uses import keep_compromised, uses_of_keys, wait_for_keys
from records.personal_data import PersonalData
from records.prepared import Prepared
from records.tables import (
    certificate,
    officer,
    officer_certificate,
    publication,
    revocation_residue,
)
from revocation.crl import encode_entry
from revocation.errors import StatusUnavailable
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Status, Unknown

# Whoever has a key for one of these reasons may use it.
_COMPROMISED = frozenset({Reason.KEY_COMPROMISE, Reason.CA_COMPROMISE})
# The guards that refuse a serial number which a certificate has, or had.
_SERIAL_USED = frozenset({"PKI06", "PKI07"})
_INSERT = Prepared(
    insert(certificate).values(status=literal_column("'intent'")),
    (
        *("issuer", "serial", "profile", "profile_sha256", "subject_id", "application_id"),
        *("not_before", "not_after", "spki_sha256", "sealed_tbs", "intended_at"),
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
    reason: Reason | None
    fingerprint: str | None


class Certificates:
    """The certificate table and what follows from its changes."""

    def __init__(
        self,
        database: Database,
        personal: PersonalData,
        directories: tuple[str, ...] = (),
        compromised: frozenset[str] = frozenset(),
    ) -> None:
        """Use the database, the door for bodies about people, and the names of the directories.

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
            published = [row for prepared, _ in batch for row in self._publications(prepared, now)]
            if published:
                tx.execute(insert(publication), published)
            prints = [str(row["fingerprint"]) for row in rows]
            contents = [prepared.content for prepared, _ in batch]
            append_all(tx, [*map(_issued, contents, prints)], now)

    def uses_of_key(self, spki_sha256: str) -> KeyUses:
        """What the key was certified for."""
        with self._database.read() as tx:
            return uses_of_keys(tx, [spki_sha256], self._compromised)[spki_sha256]

    def is_approving_officer(self, signer: x509.Certificate) -> bool:
        """Whether this very certificate is good and belongs to an active approving officer."""
        fingerprint = signer.fingerprint(hashes.SHA256()).hex()
        with self._database.read() as tx:
            found = tx.execute(
                select(officer.c.id)
                .join(officer_certificate, officer_certificate.c.officer_id == officer.c.id)
                .join(certificate, certificate.c.fingerprint == officer_certificate.c.fingerprint)
                .where(officer_certificate.c.fingerprint == fingerprint)
                .where(officer.c.role == "approving_officer", officer.c.state == "active")
                .where(certificate.c.status == "issued")
            ).first()
        return found is not None

    def open_intents(self, before: datetime) -> list[tuple[IssuerName, SerialNumber]]:
        """Intents recorded before that time and still without a certificate."""
        with self._database.read() as tx:
            rows = tx.execute(
                select(certificate.c.issuer, certificate.c.serial).where(
                    certificate.c.status == "intent", certificate.c.intended_at < before
                )
            )
            return [(IssuerName(i), SerialNumber.from_hex(s)) for i, s in rows]

    def revoke_orphan(self, issuer: IssuerName, serial: SerialNumber, now: datetime) -> bool:
        """Close an intent whose certificate may or may not have been signed: revoke its serial."""
        with self._database.write() as tx:
            done = _revoke(tx, issuer, serial, ("intent", Reason.SUPERSEDED), now)
            if done:
                name = f"{issuer}/{serial.hex}"
                append(tx, Event("certificate.orphaned", "system:recovery", name, {}), now)
        return done

    def revoke(
        self, issuer: IssuerName, serial: SerialNumber, reason: Reason, actor: str, now: datetime
    ) -> CertificateRecord:
        """Revoke an issued certificate and withdraw it from the directories; final.

        For keyCompromise the digest of the key is kept for good, and nothing else about it: whose
        it was goes with the certificate at an erasure. A digest of a random key says nothing about
        a person to whoever does not hold the certificate.

        Raises:
            NotFound: no such certificate was issued.
            Conflict: it is revoked already, or not issued yet.
        """
        with self._database.write() as tx:
            before = _row(tx, issuer, serial)
            if not _revoke(tx, issuer, serial, ("issued", reason), now):
                raise Conflict(f"certificate {issuer}/{serial.hex}", before.status)
            if reason in _COMPROMISED:
                keep_compromised(tx, before.spki_sha256)
            tx.execute(
                update(publication)
                .where(publication.c.issuer == issuer, publication.c.serial == serial.hex)
                .values(state="withdrawing", retry_at=now, verified_at=None)
            )
            details = {"reason": int(reason)}
            event = Event("certificate.revoked", actor, f"{issuer}/{serial.hex}", details)
            append(tx, event, now)
            return _record(_row(tx, issuer, serial))

    def status_of(self, issuer: IssuerName, serial: SerialNumber) -> Status:
        """The status of a serial: an open intent is on hold, and nothing is good by default."""
        try:
            with self._database.read() as tx:
                return _status(tx, issuer, serial)
        except DatabaseUnavailable:
            raise StatusUnavailable from None

    def record(self, issuer: IssuerName, serial: SerialNumber) -> CertificateRecord:
        """The operational columns; NotFound if the serial was never intended."""
        with self._database.read() as tx:
            return _record(_row(tx, issuer, serial))

    def body(self, issuer: IssuerName, serial: SerialNumber) -> x509.Certificate:
        """The certificate itself; NotFound unless it was issued, Erased if it was erased."""
        with self._database.read() as tx:
            row = _row(tx, issuer, serial)
            if row.sealed_der is None:
                raise NotFound("certificate", f"{issuer}/{serial.hex}")
            der = self._open(tx, row.subject_id, row.sealed_der)
        return x509.load_der_x509_certificate(der)

    def find(self, limit: int = 100, **wanted: str) -> list[CertificateRecord]:
        """Certificates whose columns hold the wanted values, newest first.

        The columns are issuer, serial, status, profile, subject_id, application_id and
        fingerprint.
        """
        query = select(certificate).order_by(certificate.c.intended_at.desc()).limit(limit)
        for column, value in wanted.items():
            query = query.where(certificate.c[column] == value)
        with self._database.read() as tx:
            return [_record(row) for row in tx.execute(query)]

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
        self, prepared: PreparedCertificate, now: datetime
    ) -> Iterator[dict[str, object]]:
        for directory in self._directories if prepared.order.publish else ():
            yield {
                "directory": directory,
                "issuer": prepared.content.issuer.name,
                "serial": prepared.content.serial_number.hex,
                "subject_id": prepared.order.subject_id,
                "state": "pending",
                "retry_at": now,
            }

    def _seal(self, tx: Connection, subject_id: str | None, octets: bytes) -> bytes:
        if subject_id is None:
            return octets
        return self._personal.seal(tx, subject_id, "core", octets)

    def _open(self, tx: Connection, subject_id: str | None, sealed: bytes) -> bytes:
        if subject_id is None:
            return sealed
        return self._personal.open(tx, subject_id, "core", sealed)


def _intended(prepared: PreparedCertificate, actor: str) -> Event:
    profile = prepared.order.profile
    details = {"profile": profile.name, "profile_sha256": profile.sha256}
    return Event("certificate.intended", actor, _name(prepared.content), details)


def _issued(content: CertificateContent, fingerprint: str) -> Event:
    details = {"fingerprint": fingerprint}
    return Event("certificate.issued", "system:issuance", _name(content), details)


def _revoke(
    tx: Connection,
    issuer: IssuerName,
    serial: SerialNumber,
    change: tuple[str, Reason],
    now: datetime,
) -> bool:
    status, reason = change
    # A CRL counts seconds: the time kept is the one that relying parties will read.
    at = now.replace(microsecond=0)
    statement = (
        update(certificate)
        .where(_is(issuer, serial), certificate.c.status == status)
        .values(
            status="revoked",
            revoked_at=at,
            reason=int(reason),
            crl_entry=encode_entry(serial, at, reason),
        )
    )
    return tx.execute(statement).rowcount == 1


def _status(tx: Connection, issuer: IssuerName, serial: SerialNumber) -> Status:
    row = tx.execute(select(certificate).where(_is(issuer, serial))).first()
    if row is None:
        row = tx.execute(
            select(revocation_residue).where(
                revocation_residue.c.issuer == issuer, revocation_residue.c.serial == serial.hex
            )
        ).first()
        return Unknown() if row is None else Revoked(Reason(row.reason), row.revoked_at)
    if row.status == "issued":
        return Good()
    if row.status == "intent":
        return Revoked(Reason.CERTIFICATE_HOLD, row.intended_at)
    return Revoked(Reason(row.reason), row.revoked_at)


def _name(content: CertificateContent) -> str:
    return f"{content.issuer.name}/{content.serial_number.hex}"


def _is(issuer: IssuerName, serial: SerialNumber) -> ColumnElement[bool]:
    return and_(certificate.c.issuer == issuer, certificate.c.serial == serial.hex)


def _row(tx: Connection, issuer: IssuerName, serial: SerialNumber) -> Row[tuple[object, ...]]:
    row = tx.execute(select(certificate).where(_is(issuer, serial))).first()
    if row is None:
        raise NotFound("certificate", f"{issuer}/{serial.hex}")
    return row


def _record(row: Row[tuple[object, ...]]) -> CertificateRecord:
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
    )

"""The status of certificates: held, returned, revoked; read and changed in one transaction each.

Every change is written down under the issuer's next status version by the database itself
(`records.guards`), with the audit event that tells of it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    literal_column,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.selectable import CompoundSelect

from audit.events import Detail, Event
from ca.errors import Conflict
from ca.identifiers import IssuerName, SerialNumber
from records.audit_log import append
from records.certificate_rows import CertificateRecord, is_row, record_of, row_of
from records.database import Database, from_microseconds
from records.errors import DatabaseUnavailable
from records.key_uses import keep_compromised
from records.lookups import Lookup
from records.tables import certificate, publication, revocation_residue
from revocation.crl import encode_entry
from revocation.errors import StatusUnavailable
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Status, Unknown

# Whoever has a key for one of these reasons may use it.
_COMPROMISED = frozenset({Reason.KEY_COMPROMISE, Reason.CA_COMPROMISE})


class Statuses:
    """What relying parties are told of each certificate; implements `StatusSource`."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database
        self._found = Lookup(database, _status_query())
        self._digest = Lookup(database, _digest_query())

    def status_of(self, issuer: IssuerName, serial: SerialNumber) -> Status:
        """The status of a serial: an open intent is on hold, and nothing is good by default."""
        row = self._first(self._found, issuer, serial)
        if row is None:
            return Unknown()
        status, revoked_at, reason, intended_at = row
        if status == "issued":
            return Good()
        if status == "intent":
            return Revoked(Reason.CERTIFICATE_HOLD, from_microseconds(intended_at))
        return Revoked(Reason(reason), from_microseconds(revoked_at))

    def sha256_of(self, issuer: IssuerName, serial: SerialNumber) -> bytes | None:
        """SHA-256 of the certificate's DER; None where none was issued, or it was erased."""
        row = self._first(self._digest, issuer, serial)
        return None if row is None or row[0] is None else bytes.fromhex(row[0])

    def _first(
        self, lookup: Lookup, issuer: IssuerName, serial: SerialNumber
    ) -> tuple[Any, ...] | None:
        try:
            return lookup.first({"of_issuer": issuer, "of_serial": serial.hex})
        except DatabaseUnavailable:
            raise StatusUnavailable from None

    def revoke(
        self, issuer: IssuerName, serial: SerialNumber, reason: Reason, actor: str, now: datetime
    ) -> CertificateRecord:
        """Revoke a certificate, issued or on hold, and withdraw it from the directories; final.

        One that was on hold keeps the date of its hold, for nothing it signed since then counts.

        For keyCompromise the digest of the key is kept for good, and nothing else about it: whose
        it was goes with the certificate at an erasure. A digest of a random key says nothing about
        a person to whoever does not hold the certificate.

        Raises:
            NotFound: no such certificate was issued.
            Conflict: it is revoked already, or not issued yet.
        """
        with self._database.write() as tx:
            before = row_of(tx, issuer, serial)
            _end(tx, (issuer, serial), ("revoked", reason), ("issued", "held"), now)
            if reason in _COMPROMISED:
                keep_compromised(tx, before.spki_sha256)
            _withdraw(tx, issuer, serial, now)
            return _told(tx, (issuer, serial), ("revoked", actor, {"reason": int(reason)}), now)

    def hold(
        self, issuer: IssuerName, serial: SerialNumber, actor: str, now: datetime
    ) -> CertificateRecord:
        """Put an issued certificate on hold (certificateHold, RFC 5280 section 5.3.1).

        Raises:
            NotFound: no such certificate was issued.
            Conflict: it is on hold or revoked already, or not issued yet.
        """
        with self._database.write() as tx:
            _end(tx, (issuer, serial), ("held", Reason.CERTIFICATE_HOLD), ("issued",), now)
            _withdraw(tx, issuer, serial, now)
            return _told(tx, (issuer, serial), ("held", actor, {}), now)

    def release(
        self, issuer: IssuerName, serial: SerialNumber, actor: str, now: datetime
    ) -> CertificateRecord:
        """Make a certificate that is on hold good again.

        Raises:
            NotFound: no such certificate was issued.
            Conflict: it is not on hold.
        """
        with self._database.write() as tx:
            lifted = {"revoked_at": None, "reason": None, "crl_entry": None}
            _change(tx, (issuer, serial), ("held",), {"status": "issued", **lifted}, now)
            return _told(tx, (issuer, serial), ("released", actor, {}), now)


def close_orphan(tx: Connection, issuer: IssuerName, serial: SerialNumber, now: datetime) -> bool:
    """Close an intent whose certificate may have been signed; False if it is an intent no more."""
    try:
        _end(tx, (issuer, serial), ("revoked", Reason.SUPERSEDED), ("intent",), now)
    except Conflict:
        return False
    append(tx, Event("certificate.orphaned", "system:recovery", f"{issuer}/{serial.hex}", {}), now)
    return True


Place = tuple[IssuerName, SerialNumber]


def _end(
    tx: Connection,
    place: Place,
    into: tuple[str, Reason],
    among: tuple[str, ...],
    now: datetime,
) -> None:
    """Into hold or revocation. A CRL counts seconds: the time kept is what relying parties read."""
    (issuer, serial), (status, reason) = place, into
    before = select(certificate.c.revoked_at).where(is_row(issuer, serial)).with_for_update()
    since = tx.execute(before).scalar() or now.replace(microsecond=0)
    values = {
        "status": status,
        "revoked_at": since,
        "reason": int(reason),
        "crl_entry": encode_entry(serial, since, reason),
    }
    _change(tx, place, among, values, now)


def _change(
    tx: Connection,
    place: Place,
    among: tuple[str, ...],
    values: dict[str, object],
    now: datetime,
) -> None:
    """Conflict unless the status is one of those named."""
    changed = tx.execute(
        update(certificate)
        .where(is_row(*place), certificate.c.status.in_(among))
        .values(decided_at=now, **values)
    ).rowcount
    if changed != 1:
        issuer, serial = place
        status = row_of(tx, issuer, serial).status
        raise Conflict(f"certificate {issuer}/{serial.hex}", status)


def _withdraw(tx: Connection, issuer: IssuerName, serial: SerialNumber, now: datetime) -> None:
    """Let the directories be without it."""
    tx.execute(
        update(publication)
        .where(publication.c.issuer == issuer, publication.c.serial == serial.hex)
        .values(state="withdrawing", retry_at=now, verified_at=None)
    )


def _told(
    tx: Connection, place: Place, what: tuple[str, str, dict[str, Detail]], now: datetime
) -> CertificateRecord:
    """The audit event of a change, and the record as it is now."""
    (issuer, serial), (kind, actor, details) = place, what
    append(tx, Event(f"certificate.{kind}", actor, f"{issuer}/{serial.hex}", details), now)
    return record_of(row_of(tx, issuer, serial))


def _status_query() -> CompoundSelect[*tuple[Any, ...]]:
    """A serial is in one of the two: an erasure moves it in one transaction."""
    of, residue = certificate.c, revocation_residue.c
    there = select(of.status, of.revoked_at, of.reason, of.intended_at).where(
        of.issuer == bindparam("of_issuer"), of.serial == bindparam("of_serial")
    )
    remains = select(literal_column("'revoked'"), residue.revoked_at, residue.reason, null()).where(
        residue.issuer == bindparam("of_issuer"), residue.serial == bindparam("of_serial")
    )
    return union_all(there, remains)


def _digest_query() -> Select[*tuple[Any, ...]]:
    return select(certificate.c.fingerprint).where(
        certificate.c.issuer == bindparam("of_issuer"),
        certificate.c.serial == bindparam("of_serial"),
    )

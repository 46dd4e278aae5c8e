"""The status of certificates: held, returned, revoked; read and changed in one transaction each.

Every change is written down under the issuer's next status version by the database itself
(`records.guards`), with the audit event that tells of it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    bindparam,
    case,
    literal_column,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.selectable import CompoundSelect

from audit.events import Detail, Event
from ca.errors import Conflict
from ca.failpoints import reach
from ca.identifiers import IssuerName, SerialNumber
from records.audit_log import append
from records.brake import check_alone, tell_braked
from records.certificate_rows import CertificateRecord, is_row, record_of, row_of
from records.database import Database, from_microseconds
from records.errors import DatabaseUnavailable, NotFound
from records.holds import held_before, held_certificate, is_same_person
from records.key_uses import keep_compromised
from records.lookups import Lookup
from records.tables import certificate, publication, revocation_residue
from revocation.causes import Cause, Grounds, party_of
from revocation.crl import encode_entry
from revocation.errors import RevocationRefused, StatusUnavailable
from revocation.holds import check_hold, check_release
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Status, Unknown

Place = tuple[IssuerName, SerialNumber]
_JOB = "system:job"


class Statuses:
    """What relying parties are told of each certificate; implements `StatusSource`."""

    def __init__(self, database: Database, alone_per_hour: int | None = None) -> None:
        """Use the database; one person decides alone about so many certificates in an hour."""
        self._database = database
        self._alone_per_hour = alone_per_hour
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
        self,
        issuer: IssuerName,
        serial: SerialNumber,
        why: Grounds | Reason,
        actor: str,
        now: datetime,
    ) -> CertificateRecord:
        """Revoke a certificate, issued or on hold, and withdraw it from the directories; final.

        A bare reason stands for the plainest of its causes. One that was on hold keeps the date of
        its hold, for nothing it signed since then counts.

        For a compromise the digest of the key is kept for good, and nothing else about it: whose
        it was goes with the certificate at an erasure. A digest of a random key says nothing about
        a person to whoever does not hold the certificate.

        Raises:
            NotFound: no such certificate was issued.
            Conflict: it is revoked already, or not issued yet.
            RevocationRefused: the actor may not do it for this cause, or no more in this hour.
        """
        grounds = why if isinstance(why, Grounds) else Grounds.told(why)
        with self._decision((issuer, serial), actor, now) as tx:
            before = _locked(tx, (issuer, serial), ("issued", "held"))
            grounds.check(party_of(actor), before.not_before, now)
            _end(tx, before, ("revoked", grounds, actor), now)
            withdraw(tx, issuer, [serial.hex], now)
            return _told(tx, (issuer, serial), ("revoked", actor, _details(grounds)), now)

    def hold(
        self,
        issuer: IssuerName,
        serial: SerialNumber,
        actor: str,
        now: datetime,
        cause: Cause = Cause.NOT_NEEDED,
    ) -> CertificateRecord:
        """Put an issued certificate on hold (certificateHold, RFC 5280 section 5.3.1).

        Raises:
            NotFound: no such certificate was issued.
            Conflict: it is on hold or revoked already, or not issued yet.
            RevocationRefused: the actor may not do it for this cause, or no more in this hour.
        """
        check_hold(cause, party_of(actor))
        with self._decision((issuer, serial), actor, now) as tx:
            before = _locked(tx, (issuer, serial), ("issued",))
            _end(tx, before, ("held", Grounds(cause), actor), now)
            withdraw(tx, issuer, [serial.hex], now, returns=True)
            return _told(tx, (issuer, serial), ("held", actor, {"cause": cause}), now)

    def release(
        self, issuer: IssuerName, serial: SerialNumber, actor: str, now: datetime
    ) -> CertificateRecord:
        """Make a certificate that is on hold good again; the directories get it back.

        Raises:
            NotFound: no such certificate was issued.
            Conflict: it is not on hold.
            RevocationRefused: the actor may not, or what was required before holds no more.
        """
        with self._database.write() as tx:
            before = _locked(tx, (issuer, serial), ("held",))
            same = is_same_person(tx, actor, before.decided_by or actor)
            check_release(held_certificate(tx, before), party_of(actor), same_person=same, now=now)
            lifted = dict.fromkeys(("revoked_at", "reason", "crl_entry", "cause"))
            _set(tx, before, {"status": "issued", "decided_by": actor, **lifted}, now)
            _publish_again(tx, issuer, serial, now)
            return _told(tx, (issuer, serial), ("released", actor, {}), now)

    def end_holds(self, before: datetime, limit: int, now: datetime) -> int:
        """Revoke what is on hold since before that time, for the cause of the hold; gives how many.

        A suspicion that nobody dispelled is published as a compromise (NSIS ISS-REV-L3d).
        """
        with self._database.read() as tx:
            old = held_before(tx, before, now, limit)
        return sum(self._end_hold(each, before, now) for each in old)

    def _end_hold(self, place: Place, before: datetime, now: datetime) -> bool:
        try:
            with self._database.write() as tx:
                held = _locked(tx, place, ("held",))
                if held.decided_at >= before:
                    return False  # released meanwhile, and put on hold again
                grounds = Grounds(Cause.NOT_NEEDED if held.cause is None else Cause(held.cause))
                _end(tx, held, ("revoked", grounds, _JOB), now)
                withdraw(tx, place[0], [place[1].hex], now)
                _told(tx, place, ("revoked", _JOB, _details(grounds)), now)
        except Conflict:
            return False
        return True

    @contextmanager
    def _decision(self, place: Place, actor: str, now: datetime) -> Iterator[Connection]:
        """One transaction that is braked; a refusal by the brake is written to the audit log."""
        try:
            with self._database.write() as tx:
                yield tx
                if self._alone_per_hour is not None:
                    check_alone(tx, actor, self._alone_per_hour, now)
                reach("status.written")
            reach("status.recorded")
        except RevocationRefused as refusal:
            tell_braked(self._database, refusal, actor, _name(place), now)
            raise


def close_orphan(tx: Connection, issuer: IssuerName, serial: SerialNumber, now: datetime) -> bool:
    """Close an intent whose certificate may have been signed; False if it is an intent no more."""
    place, actor = (issuer, serial), "system:recovery"
    try:
        before = _locked(tx, place, ("intent",))
    except Conflict:
        return False
    _end(tx, before, ("revoked", Grounds(Cause.ORPHAN), actor), now)
    append(tx, Event("certificate.orphaned", actor, _name(place), {}), now)
    return True


def revoke_all(tx: Connection, subject_id: str, actor: str, now: datetime) -> int:
    """Revoke every certificate of a subject that is issued or on hold, for its erasure.

    What was on hold for a suspicion that nobody dispelled is revoked for that (NSIS ISS-REV-L3d).
    Gives how many.
    """
    of = certificate.c
    live = select(certificate).where(of.subject_id == subject_id, of.status.in_(("issued", "held")))
    rows = tx.execute(live.order_by(of.issuer, of.serial).with_for_update()).all()
    for row in rows:
        held = None if row.cause is None else Cause(row.cause)
        cause = held if held is not None and held.is_compromise else Cause.ERASURE
        place = (IssuerName(row.issuer), SerialNumber.from_hex(row.serial))
        _end(tx, row, ("revoked", Grounds(cause), actor), now)
        withdraw(tx, place[0], [row.serial], now)
        _told(tx, place, ("revoked", actor, _details(Grounds(cause))), now)
    return len(rows)


def revoke_rows(
    tx: Connection,
    rows: Sequence[Row[tuple[object, ...]]],
    grounds: Grounds,
    actor: str,
    now: datetime,
) -> None:
    """Revoke live certificates whose rows this transaction has locked, for one cause."""
    for row in rows:
        place = (IssuerName(row.issuer), SerialNumber.from_hex(row.serial))
        _end(tx, row, ("revoked", grounds, actor), now)
        withdraw(tx, place[0], [row.serial], now)
        _told(tx, place, ("revoked", actor, _details(grounds)), now)


def _locked(tx: Connection, place: Place, among: tuple[str, ...]) -> Row[tuple[object, ...]]:
    """The row of a certificate, for this transaction alone; Conflict unless it is one of those."""
    row = tx.execute(select(certificate).where(is_row(*place)).with_for_update()).first()
    if row is None:
        raise NotFound("certificate", _name(place))
    if row.status not in among:
        raise Conflict(f"certificate {_name(place)}", row.status)
    return row


def _end(
    tx: Connection, row: Row[tuple[object, ...]], into: tuple[str, Grounds, str], now: datetime
) -> None:
    """Into hold or revocation. A CRL counts seconds: the time kept is what relying parties read."""
    status, grounds, actor = into
    since = row.revoked_at or now.replace(microsecond=0)
    _set(tx, row, ended(row.serial, status, grounds, since) | {"decided_by": actor}, now)
    if status == "revoked" and grounds.cause.is_compromise:
        keep_compromised(tx, (row.spki_sha256,))


def ended(serial: str, status: str, grounds: Grounds, since: datetime) -> dict[str, object]:
    """The columns of a certificate on hold or revoked."""
    reason = Reason.CERTIFICATE_HOLD if status == "held" else grounds.cause.reason
    number = SerialNumber.from_hex(serial)
    return {
        "status": status,
        "revoked_at": since,
        "reason": int(reason),
        "crl_entry": encode_entry(number, since, reason, grounds.invalid_since),
        "cause": grounds.cause,
        "invalid_since": grounds.invalid_since,
    }


def _set(
    tx: Connection, row: Row[tuple[object, ...]], values: dict[str, object], now: datetime
) -> None:
    tx.execute(
        update(certificate)
        .where(certificate.c.issuer == row.issuer, certificate.c.serial == row.serial)
        .values(decided_at=now, **values)
    )


def withdraw(
    tx: Connection, issuer: str, serials: Sequence[str], now: datetime, *, returns: bool = False
) -> None:
    """Let the directories be without them; with `returns` only until a hold is lifted."""
    shown = publication.c.state.in_(("pending", "published"))
    tx.execute(
        update(publication)
        .where(publication.c.issuer == issuer, publication.c.serial.in_(serials))
        .values(
            state="withdrawing",
            retry_at=now,
            attempts=0,
            verified_at=None,
            set_aside_at=None,
            returns=case((shown, 1), else_=0) if returns else 0,
        )
    )


def _publish_again(tx: Connection, issuer: IssuerName, serial: SerialNumber, now: datetime) -> None:
    """Give it back to the directories that a hold took it from."""
    tx.execute(
        update(publication)
        .where(publication.c.issuer == issuer, publication.c.serial == serial.hex)
        .where(publication.c.returns == 1)
        .values(
            state="pending",
            retry_at=now,
            verified_at=None,
            returns=0,
            attempts=0,
            set_aside_at=None,
        )
    )


def _details(grounds: Grounds) -> dict[str, Detail]:
    details: dict[str, Detail] = {"cause": grounds.cause, "reason": int(grounds.cause.reason)}
    if grounds.invalid_since is not None:
        details["invalid_since"] = grounds.invalid_since.isoformat()
    return details


def _told(
    tx: Connection, place: Place, what: tuple[str, str, dict[str, Detail]], now: datetime
) -> CertificateRecord:
    """The audit event of a change, and the record as it is now."""
    kind, actor, details = what
    append(tx, Event(f"certificate.{kind}", actor, _name(place), details), now)
    return record_of(row_of(tx, *place))


def _name(place: Place) -> str:
    return f"{place[0]}/{place[1].hex}"


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

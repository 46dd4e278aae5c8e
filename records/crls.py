"""CRLs and the observations that status is visible from outside.

Implements `revocation.publication.CrlStore`.
"""

from datetime import datetime

from sqlalchemy import Connection, false, func, insert, or_, select, union_all

from audit.events import Detail, Event
from ca.identifiers import IssuerName, SerialNumber
from records.audit_log import append
from records.database import Database
from records.errors import Conflict, RuleBroken
from records.tables import certificate, crl, issuer, revocation_residue, status_observation
from revocation.errors import CrlNumberTaken
from revocation.publication import CrlRecord, CrlSnapshot


class Crls:
    """The CRLs of every issuer, and what they are made from."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def crl_heading(self, name: IssuerName) -> CrlSnapshot:
        """The snapshot without its entries: enough to tell whether a CRL is due, however long."""
        with self._database.read() as tx:
            return CrlSnapshot(_version(tx, name), (), _latest(tx, name))

    def crl_snapshot(self, name: IssuerName) -> CrlSnapshot:
        """Entries of revoked certificates and of erased ones, ascending by serial.

        An entry leaves once a CRL that was issued after its certificate's expiry has shown it
        (RFC 5280 section 3.3).
        """
        with self._database.read() as tx:
            version = _version(tx, name)
            latest = _latest(tx, name)
            shown_until = latest.this_update if latest else None
            parts = []
            for table in (certificate, revocation_residue):
                part = select(table.c.serial, table.c.crl_entry).where(
                    table.c.issuer == name, table.c.crl_entry.is_not(None)
                )
                if shown_until is not None:
                    part = part.where(table.c.not_after > shown_until)
                parts.append(part)
            both = union_all(*parts).subquery()
            entries = [
                entry
                for (entry,) in tx.execute(
                    select(both.c.crl_entry).order_by(func.length(both.c.serial), both.c.serial)
                )
            ]
        return CrlSnapshot(version, entries, latest)

    def may_leave(
        self, name: IssuerName, serials: frozenset[SerialNumber]
    ) -> frozenset[SerialNumber]:
        """Those that the latest CRL showed after they had expired, and those held no more."""
        with self._database.read() as tx:
            latest = _latest(tx, name)
            if latest is None:
                return frozenset()
            wanted = [serial.hex for serial in serials]
            found: set[SerialNumber] = set()
            good = certificate.c.status == "issued"
            for table, further in ((certificate, good), (revocation_residue, false())):
                rows = tx.execute(
                    select(table.c.serial).where(
                        table.c.issuer == name,
                        table.c.serial.in_(wanted),
                        or_(table.c.not_after <= latest.this_update, further),
                    )
                )
                found.update(SerialNumber.from_hex(serial) for (serial,) in rows)
        return frozenset(found)

    def record_crl(self, record: CrlRecord) -> None:
        """Store a CRL; CrlNumberTaken unless its number is the next one."""
        taken = CrlNumberTaken(record.issuer, record.number)
        try:
            with self._database.write() as tx:
                tx.execute(
                    insert(crl).values(
                        issuer=record.issuer,
                        number=record.number,
                        version=record.version,
                        this_update=record.this_update,
                        next_update=record.next_update,
                        sha256=record.sha256,
                        der=record.der,
                    )
                )
                sha256 = record.sha256.hex()
                details: dict[str, Detail] = {"number": record.number, "sha256": sha256}
                event = Event("crl.issued", "system:crl", record.issuer, details)
                append(tx, event, record.this_update)
        except RuleBroken as error:
            if error.code != "PKI20":
                raise
            raise taken from None
        except Conflict:  # the other writer was not to be seen when the guard looked
            raise taken from None

    def latest(self, name: IssuerName) -> CrlRecord | None:
        """The CRL of the highest number."""
        with self._database.read() as tx:
            return _latest(tx, name)

    def observe(
        self, place: tuple[IssuerName, SerialNumber], channel: str, evidence: bytes, now: datetime
    ) -> None:
        """Record that a CRL or an OCSP answer, fetched from outside, said revoked.

        `evidence` is the SHA-256 of what was fetched.
        """
        name, serial = place
        with self._database.write() as tx:
            tx.execute(
                insert(status_observation).values(
                    issuer=name,
                    serial=serial.hex,
                    channel=channel,
                    observed_at=now,
                    evidence_sha256=evidence.hex(),
                )
            )
            details = {"channel": channel, "evidence_sha256": evidence.hex()}
            event = Event("status.observed", "system:verifier", f"{name}/{serial.hex}", details)
            append(tx, event, now)


def _version(tx: Connection, name: IssuerName) -> int:
    query = select(issuer.c.status_version).where(issuer.c.name == name)
    return int(tx.execute(query).scalar_one())


def _latest(tx: Connection, name: IssuerName) -> CrlRecord | None:
    row = tx.execute(
        select(crl).where(crl.c.issuer == name).order_by(crl.c.number.desc()).limit(1)
    ).first()
    if row is None:
        return None
    return CrlRecord(
        IssuerName(row.issuer),
        row.number,
        row.version,
        row.this_update,
        row.next_update,
        row.sha256,
        row.der,
    )

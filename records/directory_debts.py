"""Withdrawals that directories still owe after an erasure, and what has to be searched for later.

Nothing here names anybody: a directory, an entryUUID, an issuer and a serial number.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from audit.events import Event
from ca.identifiers import IssuerName, SerialNumber
from gdpr_erasure.erasures import Erasure
from records.audit_log import append
from records.database import Database
from records.erasure_rows import case_in
from records.roles import erasing
from records.tables import crl, directory_debt, erasure_receipt, issuer, revocation_residue
from revocation.publication import COMPLETE

_JOB = "system:erasure"


@dataclass(frozen=True, slots=True)
class Debt:
    """One certificate that a directory may still show; `subject` is the issuer's name."""

    directory: str
    issuer: IssuerName
    serial: SerialNumber
    subject: x509.Name
    case_id: str = ""
    entry_uuid: str | None = None
    attempts: int = 0


class DirectoryDebts:
    """The debt table, and the residue of the erased."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def due(self, directory: str, limit: int, now: datetime) -> tuple[Debt, ...]:
        """What a directory owes and is to be asked for now."""
        of = directory_debt.c
        owed = (
            select(directory_debt, issuer.c.subject)
            .join(issuer, issuer.c.name == of.issuer)
            .where(of.directory == directory, of.verified_at.is_(None), of.retry_at <= now)
            .order_by(of.retry_at)
            .limit(limit)
        )
        with self._database.read() as tx:
            return tuple(
                Debt(
                    directory,
                    IssuerName(row.issuer),
                    SerialNumber.from_hex(row.serial),
                    x509.Name.from_bytes(row.subject),
                    row.case_id,
                    row.entry_uuid,
                    row.attempts,
                )
                for row in tx.execute(owed)
            )

    def paid(self, debt: Debt, now: datetime) -> None:
        """The directory was searched and holds the certificate no longer."""
        with self._database.write() as tx:
            tx.execute(update(directory_debt).where(*_is(debt)).values(verified_at=now))
            details = {"directory": debt.directory}
            append(tx, Event("erasure.withdrawn", _JOB, debt.case_id, details), now)

    def failed(self, debt: Debt, code: str, retry_at: datetime) -> None:
        """It could not be withdrawn; it is due again at `retry_at`."""
        values = {"error_code": code[:40], "retry_at": retry_at, "attempts": debt.attempts + 1}
        with self._database.write() as tx:
            tx.execute(update(directory_debt).where(*_is(debt)).values(values))

    def settled(self) -> tuple[Erasure, ...]:
        """Cases with a receipt that owe nothing any more, which the next receipt will say."""
        of = directory_debt.c
        open_ones = select(of.case_id).where(of.verified_at.is_(None))
        cases = (
            select(of.case_id)
            .where(of.case_id.not_in(open_ones))
            .where(of.case_id.in_(select(erasure_receipt.c.case_id)))
            .distinct()
        )
        with self._database.read() as tx:
            return tuple(case_in(tx, str(case)) for case in tx.execute(cases).scalars())

    def settle(self, case: Erasure, receipt: str, now: datetime) -> None:
        """Keep the receipt that says so, and forget what was owed."""
        of = directory_debt.c
        with self._database.write() as tx:
            number = len(case.receipts) + 1
            tx.execute(
                insert(erasure_receipt).values(case_id=case.id, number=number, text=receipt, at=now)
            )
            done = (of.case_id == case.id, of.verified_at.is_not(None))
            with erasing(tx):
                tx.execute(delete(directory_debt).where(*done))
            append(tx, Event("erasure.settled", _JOB, case.id, {"number": number}), now)

    def open_count(self) -> int:
        """How many withdrawals are owed."""
        query = select(func.count()).where(directory_debt.c.verified_at.is_(None))
        with self._database.read() as tx:
            return int(tx.execute(query).scalar_one())

    def erased_since(self, directory: str, since: datetime) -> tuple[Debt, ...]:
        """Certificates erased since then, to be searched for in a directory."""
        of = revocation_residue.c
        found = (
            select(of.issuer, of.serial, issuer.c.subject)
            .join(issuer, issuer.c.name == of.issuer)
            .where(of.erased_at >= since)
            .order_by(of.issuer, of.serial)
        )
        with self._database.read() as tx:
            return tuple(
                Debt(
                    directory,
                    IssuerName(row.issuer),
                    SerialNumber.from_hex(row.serial),
                    x509.Name.from_bytes(row.subject),
                )
                for row in tx.execute(found)
            )

    def republished(self, debt: Debt, now: datetime) -> None:
        """Tell that an erased certificate stood in a directory again, and was taken out."""
        with self._database.write() as tx:
            place = f"{debt.issuer}/{debt.serial.hex}"
            event = Event("directory.republished", _JOB, place, {"directory": debt.directory})
            append(tx, event, now)

    def purge_residue(self, limit: int, now: datetime) -> int:
        """Delete what remains of certificates that expired and that the CRLs are without.

        An hour is left for clocks that differ; the database looks once more (PKI17).
        """
        of = revocation_residue
        past = now - timedelta(hours=1)
        with self._database.read() as tx:
            old = tx.execute(_left(past).limit(limit)).all()
        for row in old:
            with self._database.write() as tx:
                with erasing(tx):
                    own = (of.c.issuer == row.issuer, of.c.serial == row.serial)
                    tx.execute(delete(of).where(*own))
                told = Event("erasure.forgotten", _JOB, str(row.issuer), {"residues": 1})
                append(tx, told, now)
        return len(old)


def _left(past: datetime) -> Select[tuple[str, str]]:
    """Residue of what expired before then and left the latest CRL, complete and of its shard."""
    of = revocation_residue.c

    def left_until(shard: ColumnElement[int]) -> ScalarSelect[datetime]:
        latest = select(crl.c.left_until).where(crl.c.issuer == of.issuer, crl.c.shard == shard)
        return latest.order_by(crl.c.number.desc()).limit(1).scalar_subquery()

    return select(of.issuer, of.serial).where(
        of.not_after < past,
        left_until(literal(COMPLETE)) >= of.not_after,
        left_until(of.shard) >= of.not_after,
    )


def _is(debt: Debt) -> tuple[ColumnElement[bool], ...]:
    of = directory_debt.c
    return (
        of.directory == debt.directory,
        of.issuer == debt.issuer,
        of.serial == debt.serial.hex,
    )

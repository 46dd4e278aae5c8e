"""What a database that was put back has to learn before anything is served from it.

It is older than the world: persons were erased since, whose keys are gone, and certificates were
revoked since, which the newest published CRLs tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, delete, insert, select, update

from audit.events import Detail, Event
from ca.identifiers import IssuerName, SerialNumber
from records.audit_log import append
from records.database import Database
from records.key_epochs import absent
from records.key_store import KeyStore
from records.statuses import withdraw
from records.tables import certificate, crl, crl_piece, data_key, revocation_residue, subject
from records.takeovers import pieces_of
from revocation.crl import encode_entry
from revocation.foreign_crls import ForeignCrl
from revocation.publication import COMPLETE, OF_OTHER_HANDS
from revocation.reasons import Reason

_UNKNOWN = bytes(32)
_ACTOR = "system:operator"
_PAGE = 500
_CORE = "core"
"""The purpose of the key without which no certificate of somebody opens."""


@dataclass(frozen=True, slots=True)
class Relearned:
    """What was taken from a published CRL."""

    issuer: IssuerName
    number: int
    """Of the published CRL."""
    behind: int
    """CRLs that were published after the newest one of the backup."""
    revoked: int
    """Certificates that the backup held to be valid."""
    unknown: int
    """Serial numbers that the backup had never heard of."""


class Restoring:
    """Brings a database up to what was published and what the key store says."""

    def __init__(self, database: Database, keys: KeyStore) -> None:
        """Use the database that was put back, and the newest key store."""
        self._database = database
        self._keys = keys

    def relearn(
        self, name: IssuerName, published: ForeignCrl, ends: datetime, now: datetime
    ) -> Relearned:
        """Take revocations and number from the newest published CRL of an issuer.

        `ends` is when the issuer's certificate does: no certificate of it lasts longer.

        Whoever is listed there stays revoked, with that date and reason; CRL numbers go on after
        it, and the next CRL is due at once. Safe to run again.
        """
        number = published.number or 0
        with self._database.write() as tx:
            revoked = unknown = 0
            for serial, (reason, at) in published.entries.items():
                is_known, changed = _revoke(tx, (name, serial), (reason, at), now)
                revoked += changed
                if not is_known:
                    unknown += _add_residue(tx, (name, serial), (reason, at), ends)
            behind = _go_on_after(tx, name, published, now)
            details: dict[str, Detail] = {"number": number, "revoked": revoked, "unknown": unknown}
            append(tx, Event("records.relearned", _ACTOR, name, details), now)
        return Relearned(name, number, behind, revoked, unknown)

    def erased(self) -> list[str]:
        """Subjects of whom the key store has no key left, or not the one of their certificates.

        The second was erased but for what a duty keeps. Keys of other purposes end while somebody
        is served.
        """
        gone: dict[str, bool] = {}
        partly: set[str] = set()
        with self._database.read() as tx:
            query = select(data_key.c.subject_id, data_key.c.key_ref, data_key.c.purpose)
            rows = tx.execute(query).all()
        for start in range(0, len(rows), _PAGE):
            page = rows[start : start + _PAGE]
            missing = set(absent(self._keys, [row.key_ref for row in page]))
            for row in page:
                is_gone = row.key_ref in missing
                gone[row.subject_id] = gone.get(row.subject_id, True) and is_gone
                if is_gone and row.purpose == _CORE:
                    partly.add(row.subject_id)
        return sorted({name for name, all_gone in gone.items() if all_gone} | partly)

    def close_off(self, subjects: Sequence[str], now: datetime) -> int:
        """Let nothing more be issued to subjects that were erased; how many were open."""
        closed = 0
        with self._database.write() as tx:
            for start in range(0, len(subjects), _PAGE):
                page = subject.c.id.in_(subjects[start : start + _PAGE])
                still = page & (subject.c.state != "erasing")
                closed += tx.execute(update(subject).where(still).values(state="erasing")).rowcount
            if closed:
                event = Event("records.reerased", _ACTOR, "backup", {"subjects": closed})
                append(tx, event, now)
        return closed


def _revoke(
    tx: Connection,
    of: tuple[IssuerName, SerialNumber],
    revoked: tuple[Reason, datetime],
    now: datetime,
) -> tuple[bool, int]:
    """Whether the records know the serial number, and whether it was revoked by this."""
    (name, serial), (reason, at) = of, revoked
    place = (certificate.c.issuer == name, certificate.c.serial == serial.hex)
    found = tx.execute(select(certificate.c.status).where(*place)).scalar()
    if found is None:
        residue = revocation_residue
        listed = (residue.c.issuer == name, residue.c.serial == serial.hex)
        return tx.execute(select(residue.c.serial).where(*listed)).first() is not None, 0
    held = reason is Reason.CERTIFICATE_HOLD
    wanted = "held" if held else "revoked"
    if found in {"revoked", wanted}:
        return True, 0
    tx.execute(
        update(certificate)
        .where(*place)
        .values(
            status=wanted,
            revoked_at=at,
            reason=int(reason),
            decided_at=now,
            crl_entry=encode_entry(serial, at, reason),
        )
    )
    withdraw(tx, name, [serial.hex], now)
    return True, 1


def _add_residue(
    tx: Connection,
    of: tuple[IssuerName, SerialNumber],
    revoked: tuple[Reason, datetime],
    ends: datetime,
) -> int:
    """Of a certificate that was issued and revoked after the backup, that it is revoked."""
    (name, serial), (reason, at) = of, revoked
    tx.execute(
        insert(revocation_residue).values(
            issuer=name,
            serial=serial.hex,
            revoked_at=at,
            reason=int(reason),
            not_after=ends,
            crl_entry=encode_entry(serial, at, reason),
        )
    )
    return 1


def _go_on_after(tx: Connection, name: IssuerName, published: ForeignCrl, now: datetime) -> int:
    """Record the numbers up to the published CRL; how many the database had not seen."""
    latest = tx.execute(
        select(crl)
        .where(crl.c.issuer == name, crl.c.shard == COMPLETE)
        .order_by(crl.c.number.desc())
        .limit(1)
    ).first()
    number = published.number or 0
    first = number if latest is None else latest.number + 1
    for missed in range(first, number + 1):
        is_last = missed == number
        tx.execute(
            insert(crl).values(
                issuer=name,
                number=missed,
                version=OF_OTHER_HANDS,
                this_update=published.this_update,
                next_update=published.next_update,
                sha256=sha256(published.der).digest() if is_last else _UNKNOWN,
                tbs_digest=published.tbs_digest if is_last else _UNKNOWN,
                entries=len(published.entries),
                left_until=published.this_update,
                rebuilt_at=now,
                oldest_base=number,
            )
        )
    if first <= number:
        tx.execute(
            delete(crl_piece).where(crl_piece.c.issuer == name, crl_piece.c.shard == COMPLETE)
        )
        tx.execute(insert(crl_piece), list(pieces_of(name, published.der)))
    return max(0, number + 1 - first)

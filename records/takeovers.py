"""What another authority issued, taken over: the same rows, as if it had been issued here.

A certificate goes through intent and issue to its revocation inside one transaction, so every guard
looks at it; its octets stand in clear, for no subject of ours is known to them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from audit.events import Detail, Event
from ca.errors import Conflict
from ca.identifiers import IssuerName, SerialNumber
from records.audit_log import append
from records.database import Database
from records.key_uses import keep_compromised
from records.tables import certificate, crl, crl_piece, revocation_residue
from revocation.crl import encode_entry
from revocation.foreign_crls import ForeignCrl
from revocation.publication import COMPLETE, OF_OTHER_HANDS
from revocation.reasons import Reason
from revocation.takeover import Decision, Held, Revocation, Row

PROFILE = "imported"
"""Instead of a profile's name: the certificate follows none of ours."""
_NO_PROFILE = ""
_PIECE = 64 * 1024
_COMPROMISED = frozenset({Reason.KEY_COMPROMISE, Reason.CA_COMPROMISE})


class Takeovers:
    """The certificates of issuers that were not ours from the beginning."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def held(self, name: IssuerName) -> dict[SerialNumber, Held]:
        """Every serial that an issuer has used, as far as the records know."""
        certificates = select(
            certificate.c.serial,
            certificate.c.fingerprint,
            certificate.c.reason,
            certificate.c.revoked_at,
            certificate.c.profile,
        ).where(certificate.c.issuer == name)
        residues = select(
            revocation_residue.c.serial,
            revocation_residue.c.reason,
            revocation_residue.c.revoked_at,
            revocation_residue.c.erased_at,
        ).where(revocation_residue.c.issuer == name)
        with self._database.read() as tx:
            found = {
                SerialNumber.from_hex(row.serial): Held(
                    row.fingerprint, _revocation(row), row.profile == PROFILE
                )
                for row in tx.execute(certificates)
            }
            return found | {
                SerialNumber.from_hex(row.serial): Held(
                    None, _revocation(row), row.erased_at is None
                )
                for row in tx.execute(residues)
            }

    def add(self, name: IssuerName, rows: Sequence[Row], actor: str, now: datetime) -> None:
        """Take over rows that were decided on, all in one transaction.

        Raises:
            RuleBroken: the records changed since: a serial number is used, or a row is revoked.
        """
        with self._database.write() as tx:
            for row in rows:
                if row.serial_number is None:
                    continue
                _add(tx, name, row, now)
                found = f"{name}/{row.serial_number.hex}"
                append(tx, Event("certificate.imported", actor, found, _details(row)), now)

    def keep_crl(self, name: IssuerName, taken: ForeignCrl, actor: str, now: datetime) -> bool:
        """Keep the last CRL of another signer, so that our numbers go on after its own.

        Only before there is any; False if there is one, or this one has no number. With a key that
        signs CRLs the next one is due at once, for what it was made from is not known. Nor is which
        expired entries it kept, so ours says of none that expired before that it is listed.
        """
        digest = sha256(taken.der).digest()
        with self._database.write() as tx:
            there = tx.execute(select(crl.c.number).where(crl.c.issuer == name).limit(1)).first()
            if taken.number is None or there is not None:
                return False
            tx.execute(
                insert(crl).values(
                    issuer=name,
                    number=taken.number,
                    version=OF_OTHER_HANDS,
                    this_update=taken.this_update,
                    next_update=taken.next_update,
                    sha256=digest,
                    tbs_digest=taken.tbs_digest,
                    entries=len(taken.entries),
                    left_until=taken.this_update,
                    rebuilt_at=now,
                    oldest_base=taken.number,
                )
            )
            tx.execute(insert(crl_piece), list(pieces_of(name, taken.der)))
            details: dict[str, Detail] = {"number": taken.number, "sha256": digest.hex()}
            append(tx, Event("crl.imported", actor, name, details), now)
        return True


def pieces_of(name: IssuerName, octets: bytes) -> Iterator[dict[str, object]]:
    """The octets of a CRL as they are, cut anywhere."""
    for start in range(0, len(octets), _PIECE):
        place = start.to_bytes(4, "big")
        yield {"issuer": name, "shard": COMPLETE, "first": place,
               "octets": octets[start : start + _PIECE]}  # fmt: skip


def _add(tx: Connection, name: IssuerName, row: Row, now: datetime) -> None:
    if row.certificate is None:
        _add_residue(tx, name, row)
        return
    if row.decision is Decision.WILL_IMPORT:
        _add_certificate(tx, name, row.certificate, now)
    if row.revoked is not None:
        _revoke(tx, (name, row.certificate), row.revoked, now)


def _add_certificate(
    tx: Connection, name: IssuerName, taken: x509.Certificate, now: datetime
) -> None:
    tx.execute(
        insert(certificate).values(
            issuer=name,
            serial=SerialNumber(taken.serial_number).hex,
            status="intent",
            profile=PROFILE,
            profile_sha256=_NO_PROFILE,
            not_before=taken.not_valid_before_utc,
            not_after=taken.not_valid_after_utc,
            spki_sha256=key_digest(taken),
            sealed_tbs=taken.tbs_certificate_bytes,
            intended_at=now,
        )
    )
    tx.execute(
        update(certificate)
        .where(_is(name, SerialNumber(taken.serial_number)))
        .values(
            status="issued",
            sealed_der=taken.public_bytes(Encoding.DER),
            fingerprint=taken.fingerprint(hashes.SHA256()).hex(),
            issued_at=taken.not_valid_before_utc,
        )
    )


def _revoke(
    tx: Connection, of: tuple[IssuerName, x509.Certificate], revoked: Revocation, now: datetime
) -> None:
    (name, taken), (reason, at) = of, revoked
    serial = SerialNumber(taken.serial_number)
    changed = tx.execute(
        update(certificate)
        .where(_is(name, serial), certificate.c.status == "issued")
        .values(
            status="revoked",
            revoked_at=at,
            reason=int(reason),
            decided_at=now,
            crl_entry=encode_entry(serial, at, reason),
        )
    ).rowcount
    if changed != 1:
        raise Conflict(f"certificate {name}/{serial.hex}", "revoked meanwhile")
    if reason in _COMPROMISED:
        keep_compromised(tx, (key_digest(taken),))


def _add_residue(tx: Connection, name: IssuerName, row: Row) -> None:
    """Of a certificate that nobody has any more, that it is revoked."""
    serial, revoked = row.serial_number, row.revoked
    if serial is None or revoked is None:
        return
    reason, at = revoked
    tx.execute(
        insert(revocation_residue).values(
            issuer=name,
            serial=serial.hex,
            revoked_at=at,
            reason=int(reason),
            not_after=row.not_after,
            crl_entry=encode_entry(serial, at, reason),
        )
    )


def key_digest(taken: x509.Certificate) -> str:
    """SHA-256 of the key that a certificate is for, in hexadecimal."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(taken.public_key().public_bytes(*form)).hexdigest()


def _is(name: IssuerName, serial: SerialNumber) -> ColumnElement[bool]:
    return and_(certificate.c.issuer == name, certificate.c.serial == serial.hex)


def _revocation(row: object) -> Revocation | None:
    reason, at = getattr(row, "reason", None), getattr(row, "revoked_at", None)
    return None if reason is None or at is None else (Reason(reason), at)


def _details(row: Row) -> dict[str, Detail]:
    revoked = row.revoked
    return {
        "fingerprint": row.fingerprint,
        "reason": None if revoked is None else int(revoked[0]),
        "revoked_at": None if revoked is None else revoked[1].isoformat(),
    }

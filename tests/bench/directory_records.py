"""Records of certificates that a directory is to show, or shows, for its bench."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from sqlalchemy import insert

from ca.identifiers import SerialNumber
from publish_ldap.entry import PERSON, Entry, Holder
from records.database import Database
from records.schema import migrate
from records.tables import certificate, publication
from server.clock import utc_now
from tests.support.databases import take_away
from tests.support.stores import ISSUING, Stores

NAME = "bench"
PROFILE = "natural-person-low"
_GUARDS_IN_THE_WAY = ("pki03", "pki22")
_BATCH = 1_000

Wanted = tuple[Entry, bytes]


def say(what: str) -> None:
    """Tell how far the bench is."""
    print(what, file=sys.stderr, flush=True)


@contextmanager
def an_office() -> Iterator[Stores]:
    """Records on SQLite with an issuer, and without the guards of how certificates begin."""
    with tempfile.TemporaryDirectory(prefix="tillid-bench.") as folder:
        database = Database(f"sqlite:///{Path(folder) / 'records.sqlite'}")
        migrate(database)
        with database.write() as tx:
            for code in _GUARDS_IN_THE_WAY:
                take_away(tx, code)
        try:
            yield Stores(database)
        finally:
            database.close()


def people(office: Stores, count: int) -> list[Wanted]:
    """Entries with certificates, each of its own name and serial number; one key signs them all."""
    key, issuer, now = office.issuer_key, office.issuer().subject, utc_now()
    wanted: list[Wanted] = []
    for number in range(count):
        if number and number % 20_000 == 0:
            say(f"{number:,} of {count:,} certificates made")
        values = (("CN", "Kirsten Ødegaard"), ("SN", "Ødegaard"), ("serialNumber", f"p-{number}"))
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, values[0][1]),
                x509.NameAttribute(NameOID.SURNAME, values[1][1]),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, values[2][1]),
            ]
        )
        builder = x509.CertificateBuilder(issuer, subject, key.public_key(), SerialNumber.random())
        body = builder.not_valid_before(now).not_valid_after(now + timedelta(days=365))
        der = body.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
        wanted.append((PERSON.entry(Holder(PROFILE, values)), der))
    return wanted


def record(office: Stores, wanted: Sequence[Wanted], state: str) -> None:
    """Put certificates, which are nobody's here, and their publications into the records."""
    now = utc_now()
    for first in range(0, len(wanted), _BATCH):
        rows = [_certificate(der) for _, der in wanted[first : first + _BATCH]]
        seen = now if state == "published" else None
        tasks = [
            {
                "directory": NAME,
                "issuer": row["issuer"],
                "serial": row["serial"],
                "state": state,
                "retry_at": now,
                "verified_at": seen,
            }
            for row in rows
        ]
        with office.database.write() as tx:
            tx.execute(insert(certificate), rows)
            tx.execute(insert(publication), tasks)


def _certificate(der: bytes) -> dict[str, object]:
    body = x509.load_der_x509_certificate(der)
    digest, began = sha256(der).hexdigest(), body.not_valid_before_utc
    return {
        "issuer": ISSUING,
        "serial": SerialNumber(body.serial_number).hex,
        "status": "issued",
        "profile": PROFILE,
        "profile_sha256": "",
        "not_before": began,
        "not_after": body.not_valid_after_utc,
        "spki_sha256": digest,
        "sealed_tbs": body.tbs_certificate_bytes,
        "sealed_der": der,
        "fingerprint": digest,
        "intended_at": began,
        "issued_at": began,
    }

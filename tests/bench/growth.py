"""Many certificates in a database, put there as rows: only their number matters."""

import secrets
from datetime import timedelta

from sqlalchemy import func, insert, select, update

from ca.identifiers import SerialNumber
from records.database import Database
from records.tables import certificate
from server.clock import utc_now

_CHUNK = 10_000
_OCTETS = 600  # of a to-be-signed certificate


def load_certificates(database: Database, wanted: int, life: timedelta = timedelta()) -> None:
    """Fill up to `wanted` issued certificates; keys and serials are random, so indexes are too."""
    with database.read() as tx:
        there = tx.execute(select(func.count()).select_from(certificate)).scalar_one()
    for start in range(there, wanted, _CHUNK):
        _load(database, min(_CHUNK, wanted - start), life)


def _load(database: Database, count: int, life: timedelta) -> None:
    now = utc_now()
    rows = [
        {
            "issuer": "issuing",
            "serial": SerialNumber.random().hex,
            "status": "intent",
            "profile": "tls-server",
            "profile_sha256": "0" * 64,
            "not_before": now,
            "not_after": now + life,
            "spki_sha256": secrets.token_hex(32),
            "sealed_tbs": secrets.token_bytes(_OCTETS),
            "intended_at": now,
        }
        for _ in range(count)
    ]
    with database.write() as tx:
        tx.execute(insert(certificate), rows)
        tx.execute(
            update(certificate)
            .where(certificate.c.status == "intent")
            .values(
                status="issued",
                sealed_der=certificate.c.sealed_tbs,
                fingerprint=certificate.c.spki_sha256,
                issued_at=now,
            )
        )

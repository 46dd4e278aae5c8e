"""What the CA keys may have signed, by what the records hold."""

import hashlib

from sqlalchemy import select

from records.database import Database
from records.tables import certificate, crl


def recorded_digests(database: Database) -> set[bytes]:
    """Digests of every tbsCertificate of an intent, and of every tbsCertList of a CRL."""
    with database.read() as tx:
        signed = list(tx.execute(select(certificate.c.sealed_tbs)).scalars())
        lists = set(tx.execute(select(crl.c.tbs_digest)).scalars())
    return lists | {
        digest(tbs).digest() for tbs in signed for digest in (hashlib.sha256, hashlib.sha384)
    }

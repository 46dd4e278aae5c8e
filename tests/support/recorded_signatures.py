"""What the CA keys may have signed, by what the records hold."""

import hashlib

from cryptography import x509
from sqlalchemy import select

from records.database import Database
from records.tables import certificate, crl


def recorded_digests(database: Database) -> set[bytes]:
    """Digests of every tbsCertificate of an intent, and of every tbsCertList of a CRL."""
    with database.read() as tx:
        signed = list(tx.execute(select(certificate.c.sealed_tbs)).scalars())
        lists = tx.execute(select(crl.c.der)).scalars()
        signed += [x509.load_der_x509_crl(der).tbs_certlist_bytes for der in lists]
    return {digest(tbs).digest() for tbs in signed for digest in (hashlib.sha256, hashlib.sha384)}

"""Issuers, as the ceremony made them."""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import insert, select, update

from audit.events import Event
from ca.hierarchy import IssuerRecord
from ca.identifiers import IssuerName
from records.audit_log import append
from records.database import Database
from records.errors import NotFound
from records.tables import issuer


class Issuers:
    """The issuer table."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def add(self, record: IssuerRecord, now: datetime) -> None:
        """Store an issuer that has a key and no certificate yet."""
        with self._database.write() as tx:
            tx.execute(
                insert(issuer).values(
                    name=record.name,
                    parent=record.parent,
                    token=record.token,
                    key_label=record.key_label,
                    subject=record.subject.public_bytes(),
                    base_url=record.base_url,
                )
            )
            details = {"token": record.token, "key_label": record.key_label}
            append(tx, Event("issuer.prepared", "system:ceremony", record.name, details), now)

    def activate(self, name: IssuerName, certificate: x509.Certificate, now: datetime) -> None:
        """Give an issuer its certificate."""
        fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        with self._database.write() as tx:
            tx.execute(
                update(issuer)
                .where(issuer.c.name == name)
                .values(certificate=certificate.public_bytes(Encoding.DER))
            )
            details = {"fingerprint": fingerprint}
            append(tx, Event("issuer.activated", "system:ceremony", name, details), now)

    def get(self, name: str) -> IssuerRecord:
        """One issuer; NotFound if there is none of that name."""
        for record in self.all():
            if record.name == name:
                return record
        raise NotFound("issuer", name)

    def all(self) -> list[IssuerRecord]:
        """Every issuer, roots first."""
        with self._database.read() as tx:
            rows = tx.execute(select(issuer)).all()
        records = [
            IssuerRecord(
                IssuerName(row.name),
                IssuerName(row.parent),
                row.token,
                row.key_label,
                x509.Name.from_bytes(row.subject),
                row.base_url,
                None
                if row.certificate is None
                else x509.load_der_x509_certificate(row.certificate),
            )
            for row in rows
        ]
        return sorted(records, key=lambda r: (r.name != r.parent, r.name))

"""Nothing is signed from records that are older than what was published from them.

A database that was put back from a backup would give a number to a CRL for the second time, and
call valid who was revoked since.
"""

from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from ca.identifiers import IssuerName
from ca.issuers import IssuerRecord
from records.crls import Crls
from records.errors import BackupRefused


@dataclass(slots=True)
class PublishedWatch:
    """Remembers the issuers whose published CRL this process has compared with the records."""

    _compared: set[IssuerName] = field(default_factory=set)

    def check(self, record: IssuerRecord, path: Path, crls: Crls) -> None:
        """Compare the CRL in the file with the records, once. Raises: BackupRefused."""
        if record.name in self._compared:
            return
        published, latest = published_number(path), crls.latest(record.name)
        known = -1 if latest is None else latest.number
        if published is not None and published > known:
            raise BackupRefused(
                "RECORDS_BEHIND",
                f"the published CRL of {record.name} has number {published}, and the records"
                + (f" know {known}" if latest else " know none"),
                "Run: tillid backup relearn",
            )
        self._compared.add(record.name)


def published_number(path: Path) -> int | None:
    """The number of the CRL in a file; None without a file that can be read as one."""
    try:
        found = x509.load_der_x509_crl(path.read_bytes())
        return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (OSError, ValueError, x509.ExtensionNotFound):
        return None

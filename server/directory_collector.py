"""What a directory shows of one person: its entries with the person's certificates."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdpr_erasure.person_file import Asking, Collection, Datum, Record
from gdpr_erasure.processing import Source
from gdpr_erasure.record_classes import RecordClass
from records.certificates import Certificates
from records.issuers import Issuers

if TYPE_CHECKING:
    from publish_ldap.directory import Directory

KIND = "directory_entry"
_MOST = 10_000  # certificates of one person


@dataclass(frozen=True, slots=True)
class DirectoryCollector:
    """The collector of one directory; it asks the directory itself, and not our books about it."""

    directory: str
    connect: "Callable[[], Directory]"
    certificates: Certificates
    issuers: Issuers

    @property
    def name(self) -> str:
        """Its name among the collectors."""
        return f"ldap-{self.directory}"

    def collect(self, asked: Asking) -> Collection:
        """Each certificate that the directory holds, with the entries that hold it.

        Raises: DirectoryError when it cannot be asked.
        """
        with self.connect() as directory:
            found = tuple(
                _record(f"{each.issuer}/{each.serial_number.hex}", entries)
                for each in self.certificates.find(_MOST, subject_id=asked.subject_id)
                if (issuer := self.issuers.get(each.issuer).certificate) is not None
                and (entries := directory.find_certificate(issuer.subject, each.serial_number))
            )
        return Collection(self.name, found)


def _record(reference: str, entries: tuple[str, ...]) -> Record:
    told: dict[str, str | int] = {"entries": len(entries)}
    told |= {f"entry_uuid[{number}]": entry for number, entry in enumerate(entries, 1)}
    data = tuple(
        Datum(name, value, Source.SYSTEM, RecordClass.PUBLICATION) for name, value in told.items()
    )
    return Record(KIND, reference, data)

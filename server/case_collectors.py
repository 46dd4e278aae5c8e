"""What our own records hold about a person, part by part, for the answer to a case."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding

from gdpr_erasure.case_parts import Collected, Collector
from gdpr_erasure.record_classes import RecordClass
from ra.documents import personal_document
from records.certificate_rows import CertificateRecord
from server.assembly import Assembly

_MOST = 10_000  # certificates of one person


@dataclass(frozen=True, slots=True)
class CertificateCollector:
    """The person's certificates, whole, with their status."""

    parts: Assembly
    name: str = "certificates"
    record_class: RecordClass = RecordClass.CERTIFICATE_BODY

    def collect(self, subject_id: str) -> Collected:
        """Every certificate that was issued."""
        found = self.parts.certificates.find(_MOST, subject_id=subject_id)
        return Collected.of([self._told(each) for each in found if each.issued_at is not None])

    def _told(self, of: CertificateRecord) -> Mapping[str, object]:
        body = self.parts.certificates.body(of.issuer, of.serial_number)
        return {
            "issuer": of.issuer,
            "serial_number": of.serial_number.hex,
            "profile": of.profile,
            "status": of.status,
            "issued_at": _time(of.issued_at),
            "revoked_at": _time(of.revoked_at),
            "certificate": body.public_bytes(Encoding.PEM).decode(),
        }


@dataclass(frozen=True, slots=True)
class ApplicationCollector:
    """The person's applications with what proved the identity."""

    parts: Assembly
    name: str = "applications"
    record_class: RecordClass = RecordClass.PROOFING_EVIDENCE

    def collect(self, subject_id: str) -> Collected:
        """Every application in whatever state; officers stand there by pseudonym."""
        found = [
            {"id": of.id, "state": of.state, "body": personal_document(of)}
            for of in self.parts.applications.of_subject(subject_id)
        ]
        return Collected.of(found)


@dataclass(frozen=True, slots=True)
class PublicationCollector:
    """The directories that hold or held the person's certificates: actual recipients (15(1)(c))."""

    parts: Assembly
    name: str = "publications"
    record_class: RecordClass = RecordClass.PUBLICATION

    def collect(self, subject_id: str) -> Collected:
        """Every publication with its directory and state."""
        return Collected.of(
            [
                {
                    "directory": each.directory,
                    "state": each.state,
                    "verified_at": _time(each.verified_at),
                    "serial_number": of.serial_number.hex,
                }
                for of in self.parts.certificates.find(_MOST, subject_id=subject_id)
                for each in self.parts.publications.of_certificate(of.issuer, of.serial_number)
            ]
        )


@dataclass(frozen=True, slots=True)
class CaseCollector:
    """What the person asked for before, and what was written in it."""

    parts: Assembly
    name: str = "cases"
    record_class: RecordClass = RecordClass.CASE_FILE

    def collect(self, subject_id: str) -> Collected:
        """Every case of the person, this one too."""
        found = self.parts.cases.of_subject(subject_id)
        return Collected.of(
            [
                {
                    "id": each.id,
                    "kind": each.kind,
                    "state": each.state,
                    "received_at": _time(each.received_at),
                    "request": self.parts.cases.text(each.id).request,
                }
                for each in found
            ]
        )


def collectors(parts: Assembly) -> list[Collector]:
    """Everybody who is asked for a person's data."""
    return [
        CertificateCollector(parts),
        ApplicationCollector(parts),
        PublicationCollector(parts),
        CaseCollector(parts),
        *parts.further_collectors,
    ]


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()

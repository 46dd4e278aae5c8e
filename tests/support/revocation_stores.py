"""Stores in memory, with the same refusals as the recorded ones."""

from dataclasses import dataclass, field

from ca.identifiers import IssuerName, SerialNumber
from revocation.crl import encode_entry
from revocation.errors import CrlNumberTaken, StatusUnavailable
from revocation.publication import CrlRecord, CrlSnapshot
from revocation.status import Revoked, Status, Unknown


@dataclass
class MemoryCrlStore:
    """One issuer's revocations and CRLs."""

    revoked: dict[SerialNumber, Revoked] = field(default_factory=dict)
    leaving: set[SerialNumber] = field(default_factory=set)
    records: list[CrlRecord] = field(default_factory=list)
    version: int = 0

    def revoke(self, serial: SerialNumber, revoked: Revoked) -> None:
        self.revoked[serial] = revoked
        self.version += 1

    def crl_snapshot(self, issuer: IssuerName) -> CrlSnapshot:
        del issuer
        entries = [
            encode_entry(serial, revoked.at, revoked.reason)
            for serial, revoked in sorted(self.revoked.items())
        ]
        return CrlSnapshot(self.version, entries, self.records[-1] if self.records else None)

    def may_leave(
        self, issuer: IssuerName, serials: frozenset[SerialNumber]
    ) -> frozenset[SerialNumber]:
        del issuer
        return serials & self.leaving

    def record_crl(self, record: CrlRecord) -> None:
        if record.number != len(self.records) + 1:
            raise CrlNumberTaken(record.issuer, record.number)
        self.records.append(record)


@dataclass
class MemoryStatusSource:
    """Statuses by serial; what is not in it is unknown."""

    statuses: dict[SerialNumber, Status] = field(default_factory=dict)
    available: bool = True
    digests: dict[SerialNumber, bytes] = field(default_factory=dict)

    def status_of(self, issuer: IssuerName, serial: SerialNumber) -> Status:
        del issuer
        if not self.available:
            raise StatusUnavailable
        return self.statuses.get(serial, Unknown())

    def sha256_of(self, issuer: IssuerName, serial: SerialNumber) -> bytes | None:
        del issuer
        return self.digests.get(serial)

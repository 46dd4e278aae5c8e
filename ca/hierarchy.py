"""The hierarchy of issuers, and the ceremony that makes it.

Every step looks first at what is there, so a ceremony that was interrupted is run again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ca.certificates import Issuer, StatusUrls
from ca.errors import Conflict
from ca.identifiers import IssuerName
from ca.issuance import CertificateOrder, IssuanceStore, issue, prepare
from ca.names import SubjectName
from ca.profiles import Profile
from ca.signatures import SigningKey

ACTOR = "system:ceremony"


@dataclass(frozen=True, slots=True)
class IssuerRecord:
    """One issuer: where its key lies, what it is called, and its certificate once it has one.

    A root is its own parent.
    """

    name: IssuerName
    parent: IssuerName
    token: str
    key_label: str
    subject: x509.Name
    base_url: str
    certificate: x509.Certificate | None

    @property
    def urls(self) -> StatusUrls:
        """Where relying parties fetch what this issuer publishes."""
        return StatusUrls.under(self.base_url, self.name)

    def with_key(self, key: SigningKey) -> Issuer:
        """The issuer, able to sign."""
        return Issuer(self.name, self.subject, key, self.certificate, self.urls)


@dataclass(frozen=True, slots=True)
class PlannedIssuer:
    """One line of a ceremony's plan."""

    name: IssuerName
    parent: IssuerName
    profile: Profile
    subject: SubjectName
    token: str
    key_label: str
    curve: ec.EllipticCurve


class IssuerStore(Protocol):
    """Where issuers are kept."""

    def all(self) -> list[IssuerRecord]:
        """Every issuer, roots first."""

    def add(self, record: IssuerRecord, now: datetime) -> None:
        """Store an issuer that has a key and no certificate yet."""

    def activate(self, name: IssuerName, certificate: x509.Certificate, now: datetime) -> None:
        """Give an issuer its certificate."""


class Keys(Protocol):
    """Keys in tokens, by token and label."""

    def find(self, token: str, label: str) -> SigningKey | None:
        """The key of that label, or None."""

    def generate(self, token: str, label: str, curve: ec.EllipticCurve) -> SigningKey:
        """A new key pair that never leaves the token."""


@dataclass(frozen=True, slots=True)
class CeremonyStep:
    """One line of the transcript: the issuer, what was done, and a fingerprint if there is one."""

    issuer: IssuerName
    done: str
    fingerprint: str = ""


def run_ceremony(
    plan: tuple[PlannedIssuer, ...],
    base_url: str,
    stores: tuple[IssuerStore, IssuanceStore],
    keys: Keys,
    now: datetime,
) -> Iterator[CeremonyStep]:
    """Make every planned issuer that is not there yet, parents first, and tell each step.

    Raises:
        Conflict: an issuer of that name exists with another key or name.
        Refused: a profile forbids what the plan asks for.
    """
    issuers, certificates = stores
    for planned in plan:
        record = _find(issuers, planned.name)
        key = keys.find(planned.token, planned.key_label)
        _check_same(planned, record, key)
        if key is None:
            key = keys.generate(planned.token, planned.key_label, planned.curve)
            yield CeremonyStep(planned.name, f"key {planned.key_label} made in {planned.token}")
        if record is None:
            record = _planned_record(planned, base_url)
            issuers.add(record, now)
        if record.certificate is None:
            # A certificate that a crash left without its issuer stays in the records; the new
            # one is for the same key and name, so both are true.
            certificate = _certify(planned, record, key, (issuers, certificates, keys), now)
            issuers.activate(planned.name, certificate, now)
            yield CeremonyStep(planned.name, "certificate issued", fingerprint(certificate))
        else:
            yield CeremonyStep(
                planned.name, "certificate was there", fingerprint(record.certificate)
            )


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, as colon-separated capital hexadecimal, for people to compare."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _certify(
    planned: PlannedIssuer,
    record: IssuerRecord,
    key: SigningKey,
    parts: tuple[IssuerStore, IssuanceStore, Keys],
    now: datetime,
) -> x509.Certificate:
    issuers, certificates, keys = parts
    signer = record.with_key(key)
    if planned.parent != planned.name:
        parent = _find(issuers, planned.parent)
        parent_key = None if parent is None else keys.find(parent.token, parent.key_label)
        if parent is None or parent_key is None:
            raise Conflict(f"issuer {planned.parent}", "not there to sign")
        signer = parent.with_key(parent_key)
    order = CertificateOrder(planned.profile, planned.subject, key.public_key())
    return issue(prepare(order, signer, now), certificates, ACTOR, now)


def _find(issuers: IssuerStore, name: IssuerName) -> IssuerRecord | None:
    return next((record for record in issuers.all() if record.name == name), None)


def _planned_record(planned: PlannedIssuer, base_url: str) -> IssuerRecord:
    return IssuerRecord(
        planned.name,
        planned.parent,
        planned.token,
        planned.key_label,
        planned.subject.to_x509(),
        base_url,
        None,
    )


def _check_same(
    planned: PlannedIssuer, record: IssuerRecord | None, key: SigningKey | None
) -> None:
    """Refuse, before anything is made, a plan that differs from what is there."""
    if record is None:
        return
    same_place = (record.parent, record.token, record.key_label) == (
        planned.parent,
        planned.token,
        planned.key_label,
    )
    certified = record.certificate
    same_key = certified is None or (key is not None and certified.public_key() == key.public_key())
    if not (same_place and same_key and record.subject == planned.subject.to_x509()):
        raise Conflict(f"issuer {planned.name}", "there already, with another key or name")

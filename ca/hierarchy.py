"""The hierarchy of issuers, and the ceremony that makes it.

Every step looks first at what is there, so a ceremony that was interrupted is run again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ca.certificates import Issuer
from ca.errors import Conflict
from ca.identifiers import IssuerName
from ca.issuance import CertificateOrder, IssuanceStore, issue, prepare
from ca.issuers import (
    AS_SETTINGS,
    IssuerPolicy,
    IssuerRecord,
    IssuerStore,
    current_issuer,
    find_issuer,
)
from ca.key_quality import spki_sha256
from ca.names import SubjectName
from ca.profiles import Profile
from ca.signatures import SigningKey
from hsm.key_kinds import KeyKind

__all__ = [
    "CeremonyStep",
    "IssuerRecord",
    "IssuerStore",
    "Keys",
    "PlannedIssuer",
    "certify",
    "fingerprint",
    "run_ceremony",
    "signer_for",
]

ACTOR = "system:ceremony"


@dataclass(frozen=True, slots=True)
class PlannedIssuer:
    """One line of a ceremony's plan.

    `parent` is an authority, the planned one itself for a root; without one the certificate comes
    from a foreign authority, by request. Without a `key_kind` the key is there already. An issuer
    `within_parent` ends with its parent if the profile would let it last longer.
    """

    name: IssuerName
    parent: IssuerName | None
    profile: Profile
    subject: SubjectName
    token: str
    key_label: str
    key_kind: KeyKind | None
    generation: int = 1
    policy: IssuerPolicy = AS_SETTINGS
    base_url: str | None = None
    within_parent: bool = False


class Keys(Protocol):
    """Keys in tokens, by token and label."""

    def find(self, token: str, label: str) -> SigningKey | None:
        """The key of that label, or None."""

    def generate(self, token: str, label: str, kind: KeyKind) -> SigningKey:
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
        record = find_issuer(issuers.all(), planned.name)
        key = keys.find(planned.token, planned.key_label)
        _check_same(planned, record, key)
        if key is None:
            if planned.key_kind is None:
                raise Conflict(f"key {planned.key_label} in {planned.token}", "not there")
            key = keys.generate(planned.token, planned.key_label, planned.key_kind)
            yield CeremonyStep(planned.name, f"key {planned.key_label} made in {planned.token}")
        if record is None:
            record = _planned_record(planned, base_url, key)
            issuers.add(record, now)
        if record.certificate is not None:
            yield CeremonyStep(
                planned.name, "certificate was there", fingerprint(record.certificate)
            )
        elif planned.parent is None:
            yield CeremonyStep(planned.name, "waits for its certificate from a foreign authority")
        else:
            # A certificate that a crash left without its issuer stays in the records; the new
            # one is for the same key and name, so both are true.
            stores_and_keys = (issuers, certificates, keys)
            signer, certificate = _certify(planned, record, key, stores_and_keys, now)
            issuers.activate(planned.name, certificate, now, signer)
            yield CeremonyStep(planned.name, "certificate issued", fingerprint(certificate))


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, as colon-separated capital hexadecimal, for people to compare."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def certify(
    order: CertificateOrder, signer: Issuer, certificates: IssuanceStore, now: datetime
) -> x509.Certificate:
    """Sign for a certificate authority, as every certificate is signed: with its intent first."""
    return issue(prepare(order, signer, now), certificates, ACTOR, now)


def signer_for(parent: IssuerName, issuers: IssuerStore, keys: Keys) -> Issuer:
    """The current issuer of an authority, able to sign; Conflict while it is not."""
    above = current_issuer(issuers.all(), parent)
    key = None if above is None else keys.find(above.token, above.key_label)
    if above is None or key is None:
        raise Conflict(f"issuer {parent}", "not there to sign")
    return above.with_key(key)


def _certify(
    planned: PlannedIssuer,
    record: IssuerRecord,
    key: SigningKey,
    parts: tuple[IssuerStore, IssuanceStore, Keys],
    now: datetime,
) -> tuple[IssuerName, x509.Certificate]:
    issuers, certificates, keys = parts
    signer = record.with_key(key)
    ends = None
    if record.parent is not None and not record.is_root:
        signer = signer_for(record.parent, issuers, keys)
        if planned.within_parent and signer.certificate is not None:
            ends = signer.certificate.not_valid_after_utc
    order = CertificateOrder(planned.profile, planned.subject, key.public_key(), not_after=ends)
    return signer.name, certify(order, signer, certificates, now)


def _planned_record(planned: PlannedIssuer, base_url: str, key: SigningKey) -> IssuerRecord:
    return IssuerRecord(
        planned.name,
        planned.parent,
        planned.token,
        planned.key_label,
        planned.subject.to_x509(),
        planned.base_url or base_url,
        None,
        generation=planned.generation,
        profile=planned.profile.name,
        spki_sha256=spki_sha256(key.public_key()),
        policy=planned.policy,
    )


def _check_same(
    planned: PlannedIssuer, record: IssuerRecord | None, key: SigningKey | None
) -> None:
    """Refuse, before anything is made, a plan that differs from what is there."""
    if record is None:
        return
    same_place = (record.parent, record.token, record.key_label, record.generation) == (
        planned.parent,
        planned.token,
        planned.key_label,
        planned.generation,
    )
    same_key = key is not None and record.spki_sha256 == spki_sha256(key.public_key())
    if not (same_place and same_key and record.subject == planned.subject.to_x509()):
        raise Conflict(f"issuer {planned.name}", "there already, with another key or name")

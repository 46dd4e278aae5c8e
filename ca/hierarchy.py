"""The hierarchy of issuers, and the ceremony that makes it.

Every step looks first at what is there, so a ceremony that was interrupted is run again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ca.certificates import Issuer
from ca.errors import CaError, Conflict, Finding, Refused
from ca.identifiers import IssuerName
from ca.issuance import CertificateOrder, IssuanceStore, check, issue, prepare
from ca.issuers import (
    AS_SETTINGS,
    IssuerPolicy,
    IssuerRecord,
    IssuerState,
    IssuerStore,
    current_issuer,
    find_issuer,
)
from ca.key_quality import spki_sha256
from ca.names import SubjectName
from ca.profiles import Profile
from ca.signatures import SigningKey
from hsm.errors import HsmError
from hsm.key_kinds import KeyKind
from hsm.labels import why_not_for_authority

__all__ = [
    "CeremonyStep",
    "IssuerRecord",
    "IssuerStore",
    "Keys",
    "PlannedIssuer",
    "certify",
    "check_key_is_own",
    "check_label",
    "fingerprint",
    "is_same_name",
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

    def check_for_use(self, token: str, label: str) -> None:
        """See that a key was made in its token and never leaves it. Raises: KeyUnfit."""

    def destroy_key(self, name: str, label: str) -> None:
        """Destroy the key of that label in the token of that name, for good."""


_Parts = tuple[IssuerStore, IssuanceStore, Keys]


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

    What is refused is not begun: it leaves neither an issuer nor a key that was made for it.

    Raises:
        Conflict: an issuer of that name exists with another key or name.
        Refused: a profile, or what another authority or role has, forbids what the plan asks for.
        KeyUnfit: the key was not made in its token, or could leave it.
    """
    issuers, certificates = stores
    parts = (issuers, certificates, keys)
    for planned in plan:
        record = find_issuer(issuers.all(), planned.name)
        if record is None:
            check_label(planned.key_label)
        key = keys.find(planned.token, planned.key_label)
        _check_same(planned, record, key)
        if record is None or key is None:
            made = key is None
            record, key = _begin(planned, base_url, key, parts, now)
            if made:
                yield CeremonyStep(planned.name, f"key {planned.key_label} made in {planned.token}")
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
            keys.check_for_use(planned.token, planned.key_label)
            order, signer = _order(planned, record, key, parts)
            certificate = certify(order, signer, certificates, now)
            issuers.activate(planned.name, certificate, now, signer.name)
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
    """The current issuer of an authority, able to sign; Conflict while it is not.

    Raises: KeyUnfit.
    """
    above = current_issuer(issuers.all(), parent)
    if above is None:
        raise Conflict(f"issuer {parent}", "not there to sign")
    return able(above, keys)


def able(record: IssuerRecord, keys: Keys) -> Issuer:
    """The issuer with its key, to certify; Conflict when the key is not at hand.

    Raises: KeyUnfit.
    """
    key = keys.find(record.token, record.key_label)
    if key is None:
        raise Conflict(f"issuer {record.authority}", "not there to sign")
    keys.check_for_use(record.token, record.key_label)
    return record.with_key(key)


def check_label(label: str) -> None:
    """Refuse a key label that no authority's key may have. Raises: Refused."""
    why = why_not_for_authority(label)
    if why:
        raise Refused(_its_own_key(f"the key label {label} {why}"))


def check_key_is_own(record: IssuerRecord, records: Iterable[IssuerRecord]) -> None:
    """Refuse an issuer with the key of another one. Raises: Refused."""
    for other in records:
        if other.name != record.name and other.spki_sha256 == record.spki_sha256:
            raise Refused(_its_own_key(f"key {record.key_label} is that of issuer {other.name}"))


def _begin(
    planned: PlannedIssuer,
    base_url: str,
    found: SigningKey | None,
    parts: _Parts,
    now: datetime,
) -> tuple[IssuerRecord, SigningKey]:
    """The record of a new issuer and its key, which is made where none was found.

    Stores nothing, and destroys the key that it made for what is then refused, unless another
    ceremony has found it meanwhile and recorded an issuer with it.
    """
    issuers, _, keys = parts
    key = found
    if key is None:
        if planned.key_kind is None:
            raise Conflict(f"key {planned.key_label} in {planned.token}", "not there")
        key = keys.generate(planned.token, planned.key_label, planned.key_kind)
    record = _planned_record(planned, base_url, key)
    try:
        _check_new(planned, record, key, parts, now)
    except (CaError, HsmError):
        in_use = any(other.spki_sha256 == record.spki_sha256 for other in issuers.all())
        if found is None and not in_use:
            keys.destroy_key(planned.token, planned.key_label)
        raise
    return record, key


def _check_new(
    planned: PlannedIssuer,
    record: IssuerRecord,
    key: SigningKey,
    parts: _Parts,
    now: datetime,
) -> None:
    """Refuse an issuer that could not be certified, or has what is another's; stores nothing."""
    issuers, certificates, keys = parts
    keys.check_for_use(planned.token, planned.key_label)
    check_key_is_own(record, issuers.all())
    for other in issuers.all():
        ended = other.state is IssuerState.RETIRED and other.certificate is None
        if (
            other.authority != record.authority
            and not ended
            and is_same_name(other.subject, record.subject)
        ):
            raise Refused(
                Finding(
                    "authority.name",
                    "RFC 5280 4.1.2.6",
                    f"authority {other.authority} is called {other.subject.rfc4514_string()}",
                    "give this one another common name, for each needs one of its own",
                )
            )
    order, signer = _order(planned, record, key, parts)
    check(prepare(order, signer, now), certificates)


def is_same_name(one: x509.Name, other: x509.Name) -> bool:
    """Whether relying parties may take two names for one (RFC 5280 section 7.1)."""
    first, second = (" ".join(each.rfc4514_string().casefold().split()) for each in (one, other))
    return first == second


def _its_own_key(sentence: str) -> Finding:
    clause = "CA/B BR 6.1.1.3, ETSI EN 319 411-1 GEN-6.5.1"
    return Finding("authority.key", clause, sentence, "name another label: each role has its key")


def _order(
    planned: PlannedIssuer,
    record: IssuerRecord,
    key: SigningKey,
    parts: _Parts,
) -> tuple[CertificateOrder, Issuer]:
    """What certifies a planned issuer, and who; itself a root, and one that asks elsewhere."""
    issuers, _, keys = parts
    signer = record.with_key(key)
    ends = None
    if record.parent is not None and not record.is_root:
        signer = signer_for(record.parent, issuers, keys)
        if planned.within_parent and signer.certificate is not None:
            ends = signer.certificate.not_valid_after_utc
    order = CertificateOrder(planned.profile, planned.subject, key.public_key(), not_after=ends)
    return order, signer


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

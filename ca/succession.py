"""A certificate authority goes on: a new certificate for its key, or a new key.

With the same key nothing changes for relying parties but the dates. A new key is a further issuer
of the same authority (`ca.issuers`); the one before goes on with its CRL and OCSP signers. A root
that changes its key certifies the new one with the old and the old one with the new, so that those
who trust either reach both (RFC 9810 section 4.4). Each link begins when it is made: a certificate
that is dated back says that it was there when it was not.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509

from ca.certificates import validity_period
from ca.errors import Conflict, Finding, Refused
from ca.hierarchy import (
    CeremonyStep,
    Keys,
    PlannedIssuer,
    able,
    certify,
    fingerprint,
    signer_for,
)
from ca.identifiers import IssuerName
from ca.issuance import CertificateOrder, IssuanceStore
from ca.issuers import (
    LINK_PROFILE,
    CertificateKind,
    IssuerCertificate,
    IssuerRecord,
    IssuerState,
    IssuerStore,
    current_issuer,
)
from ca.key_quality import key_type
from ca.names import SubjectName
from ca.profiles import Profile, load_profile
from ca.signatures import SigningKey, VerifyingKey
from hsm.key_kinds import KeyKind

Parts = tuple[IssuerStore, IssuanceStore, Keys]
_WORTH_RENEWING = timedelta(days=1)


def renew(record: IssuerRecord, profile: Profile, parts: Parts, now: datetime) -> x509.Certificate:
    """Certify the key that an issuer has once more, and install the certificate.

    Raises:
        Refused: the new certificate would be by the same key and end when the present one does.
        Conflict: the issuer cannot be renewed here, or its key or its parent's is not at hand.
    """
    issuers, certificates, keys = parts
    present, own = _certified(record), able(record, keys)
    if record.state is not IssuerState.ACTIVE or record.parent is None:
        raise Conflict(f"issuer {record.name}", "not one that is renewed here")
    if record.is_root:
        signer, ends = replace(own, certificate=None), None
    else:
        signer = signer_for(record.parent, issuers, keys)
        ends = None if signer.certificate is None else signer.certificate.not_valid_after_utc
    _, last = validity_period(profile, now)
    last = last if ends is None else min(last, ends)
    gained = last - present.not_valid_after_utc
    if gained < _WORTH_RENEWING and record.own_signer == signer.name:
        raise Refused(
            Finding(
                "issuer.renewal",
                "RFC 5280 4.1.2.5",
                f"a new certificate would end on {last:%F}, and the present one ends"
                f" on {present.not_valid_after_utc:%F}",
                "renew what it stands under first, or wait until there is time to gain",
            )
        )
    subject = SubjectName.from_x509(record.subject)
    order = CertificateOrder(profile, subject, own.key.public_key(), not_after=ends)
    certificate = certify(order, signer, certificates, now)
    added = IssuerCertificate(CertificateKind.OWN, certificate, signer.name)
    issuers.install(record.name, added, now)
    return certificate


def successor(
    records: list[IssuerRecord], authority: IssuerName, profile: Profile, keys: Keys
) -> PlannedIssuer | None:
    """The next generation of an authority; None while the last one has yet to take over.

    Its key is of the kind of the present one, the scheme of an RSA key too.
    Conflict when the authority has no issuer that could give way.
    """
    of_it = [record for record in records if record.authority == authority]
    newest = max(of_it, key=lambda record: record.generation, default=None)
    current = current_issuer(records, authority)
    if newest is None or current is None:
        raise Conflict(f"authority {authority}", "without an issuer that could give way")
    waiting = newest.certificate is None and newest.state is IssuerState.ACTIVE
    if waiting or len(_able(of_it)) > 1:
        return None
    generation = newest.generation + 1
    try:
        name = IssuerName(f"{authority}-{generation}")
    except ValueError:
        raise Conflict(f"name {authority}", "too long for a further key") from None
    first = current.key_label.removesuffix(f"-{current.generation}")
    return PlannedIssuer(
        name,
        current.parent,
        profile,
        SubjectName.from_x509(current.subject),
        current.token,
        f"{first}-{generation}",
        _kind_of_key(_certified(current), keys.find(current.token, current.key_label)),
        generation=generation,
        policy=current.policy,
        base_url=current.base_url,
        within_parent=True,
    )


def complete_succession(
    authority: IssuerName, parts: Parts, now: datetime
) -> Iterator[CeremonyStep]:
    """Let every earlier issuer of an authority give way to the current one; tell each step.

    Can be repeated: what an interruption left is looked for, the links of a root first.
    """
    issuers, _, _ = parts
    of_it = [record for record in issuers.all() if record.authority == authority]
    newest = current_issuer(of_it, authority)
    for older in _able(of_it):
        if newest is None or older.generation >= newest.generation:
            continue
        if newest.is_root:
            yield from _link(older, newest, CertificateKind.NEW_WITH_OLD, parts, now)
            yield from _link(newest, older, CertificateKind.OLD_WITH_NEW, parts, now)
        issuers.supersede(older.name, now)
        yield CeremonyStep(older.name, f"gave way to {newest.name}")


def _link(
    signing: IssuerRecord,
    signed: IssuerRecord,
    kind: CertificateKind,
    parts: Parts,
    now: datetime,
) -> Iterator[CeremonyStep]:
    """One key of a root, certified by the other until the earlier of both ends."""
    issuers, certificates, keys = parts
    ends = min(_certified(each).not_valid_after_utc for each in (signing, signed))
    there = any(each.kind is kind and each.signer == signing.name for each in signed.certificates)
    if there or ends <= now:
        return
    key = able(signed, keys).key.public_key()
    order = CertificateOrder(
        load_profile(LINK_PROFILE), SubjectName.from_x509(signed.subject), key, not_after=ends
    )
    certificate = certify(order, able(signing, keys), certificates, now)
    issuers.install(signed.name, IssuerCertificate(kind, certificate, signing.name), now)
    yield CeremonyStep(signed.name, f"{kind} certificate issued", fingerprint(certificate))


def _able(records: list[IssuerRecord]) -> list[IssuerRecord]:
    return [r for r in records if r.state is IssuerState.ACTIVE and r.certificate is not None]


def _certified(record: IssuerRecord) -> x509.Certificate:
    if record.certificate is None:
        raise Conflict(f"issuer {record.name}", "without a certificate")
    return record.certificate


def _kind_of_key(certificate: x509.Certificate, private: SigningKey | None) -> KeyKind:
    """The kind of a key; that an RSA key signs with RSASSA-PSS, only its private half says."""
    key = certificate.public_key()
    if not isinstance(key, VerifyingKey):
        raise Conflict("key", "of a kind that is not made here")
    scheme = "-PSS" if getattr(private, "pss", False) else ""
    return KeyKind(key_type(key) + scheme)

"""What is done to certificate authorities by verbs and ceremonies, with their keys at hand.

Tokens are brought online by whoever calls; nothing here does that by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509

from ca.errors import Conflict, Finding, Refused
from ca.foreign import check_offered, cross_order, request_certificate
from ca.hierarchy import CeremonyStep, PlannedIssuer, certify, fingerprint, run_ceremony
from ca.identifiers import IssuerName
from ca.issuers import (
    CertificateKind,
    IssuerCertificate,
    IssuerPolicy,
    IssuerRecord,
    IssuerState,
    current_issuer,
)
from ca.names import SubjectName
from ca.profiles import Profile, load_profile, profile_names
from ca.signatures import SigningKey
from ca.succession import complete_succession, renew, successor
from hsm.key_kinds import KeyKind
from server.assembly import Assembly
from server.crls import renew_crl
from server.errors import IssuerOffline, TokenOffline
from server.own_certificates import ensure_ocsp_signer

_LONGEST_NAME = 28


@dataclass(frozen=True, slots=True)
class NewAuthority:
    """What the operator asks for: a root has no parent but itself, and a foreign one is None."""

    name: IssuerName
    parent: IssuerName | None
    profile: str
    subject: SubjectName
    token: str
    key_label: str
    key_kind: str
    base_url: str
    policy: IssuerPolicy


def create_authority(parts: Assembly, asked: NewAuthority, now: datetime) -> Iterator[CeremonyStep]:
    """Make an authority's first issuer, or finish making it, and let it be seen at once.

    Raises:
        Refused: a profile that is no authority's, one that is not there to be issued under, or a
            name without room for later generations.
        TokenOffline, IssuerOffline: its own token, or that of the root above, is offline.
        Conflict: an issuer of that name exists with another key or name, or none can sign it.
    """
    profile = load_profile(asked.profile)
    if not profile.certificate_authority:
        raise _refused(f"profile {profile.name} is not one for a certificate authority")
    check_policy(asked.policy)
    planned = PlannedIssuer(
        asked.name,
        asked.parent,
        profile,
        asked.subject,
        asked.token,
        asked.key_label,
        KeyKind(asked.key_kind),
        policy=asked.policy,
        base_url=asked.base_url,
        within_parent=True,
    )
    _check_kind(profile, asked.key_kind)
    if len(asked.name) > _LONGEST_NAME:
        raise _refused(f"a name of more than {_LONGEST_NAME} characters has no room for later keys")
    if asked.parent == asked.name and not parts.tokens.is_online(asked.token):
        raise TokenOffline(asked.token)
    if asked.parent is not None and asked.parent != asked.name:
        check_online(parts, asked.parent)
    stores = (parts.issuers, parts.certificates)
    yield from run_ceremony((planned,), asked.base_url, stores, parts.tokens, now)
    yield from make_seen(parts, asked.name, now)


def _check_kind(profile: Profile, kind: str) -> None:
    """Refuse a key that the profile does not take; how an RSA key signs is not the profile's."""
    if kind.removesuffix("-PSS") not in profile.key_types:
        raise _refused(f"profile {profile.name} takes keys of {', '.join(profile.key_types)}")


def check_policy(policy: IssuerPolicy) -> None:
    """Refuse a policy that names a profile which is not there."""
    for name in policy.profiles:
        if name not in profile_names():
            raise _refused(f"there is no profile {name} to issue under")


def request_authority(parts: Assembly, name: str, now: datetime) -> bytes:
    """A PKCS#10 request (PEM) for a foreign authority: for the own certificate, or a cross one.

    What is signed is recorded before: the issuer, its key, and that a request was made.
    """
    record = newest_generation(parts, name)
    if record.state is not IssuerState.ACTIVE:
        raise Conflict(f"issuer {record.name}", "not one that is certified any more")
    key = _key_of(parts, record)
    parts.issuers.note(record.name, "issuer.requested", {}, now)
    return request_certificate(record, key, load_profile(record.profile))


def install_certificate(
    parts: Assembly,
    name: str,
    offered: tuple[x509.Certificate, ...],
    kind: CertificateKind,
    now: datetime,
) -> Iterator[CeremonyStep]:
    """Install a foreign authority's certificate over an issuer's key, its chain after it.

    Raises:
        Refused: our issuer could not work with it; each finding names one reason.
        Conflict: the issuer is one that its own root certifies.
    """
    record = newest_generation(parts, name)
    added = IssuerCertificate(kind, offered[0], None, offered[1:])
    foreign = record.parent is None
    if (kind is CertificateKind.OWN) != foreign or record.state is not IssuerState.ACTIVE:
        raise Conflict(f"issuer {record.name}", "not one that takes such a certificate")
    if offered[0] not in [each.certificate for each in record.certificates]:
        check_offered(record, load_profile(record.profile), added, now)
        parts.issuers.install(record.name, added, now)
        yield CeremonyStep(record.name, f"{kind} certificate installed", fingerprint(offered[0]))
    if kind is CertificateKind.OWN:
        yield from make_seen(parts, record.name, now)
        yield from _give_way(parts, record.authority, now)


def renew_authority(parts: Assembly, name: str, now: datetime) -> CeremonyStep:
    """A new certificate for the key that an issuer has."""
    record = current(parts, name)
    _check_signer_online(parts, record)
    stores = (parts.issuers, parts.certificates, parts.tokens)
    certificate = renew(record, load_profile(record.profile), stores, now)
    return CeremonyStep(record.name, "certificate renewed", fingerprint(certificate))


def rekey_authority(
    parts: Assembly, name: str, key_kind: str | None, now: datetime
) -> Iterator[CeremonyStep]:
    """Give an authority a new key, or finish what an interruption left of that.

    The new key is of the kind of the present one, unless another is asked for. The issuer before
    goes on with its CRL and OCSP answers. With a foreign parent the new one
    waits for its certificate, and takes over when that is installed.
    """
    record = current(parts, name)
    _check_signer_online(parts, record)
    profile = load_profile(record.profile)
    planned = successor(parts.issuers.all(), record.authority, profile, parts.tokens)
    if planned is None:
        planned = _waiting(parts, record)
    elif key_kind is not None:
        _check_kind(profile, key_kind)
        planned = replace(planned, key_kind=KeyKind(key_kind))
    if planned is not None:
        stores = (parts.issuers, parts.certificates)
        yield from run_ceremony((planned,), record.base_url, stores, parts.tokens, now)
        yield from make_seen(parts, planned.name, now)
    yield from _give_way(parts, record.authority, now)


def cross_certify(
    parts: Assembly, name: str, octets: bytes, profile: Profile, now: datetime
) -> x509.Certificate:
    """A certificate of ours over a foreign authority's key."""
    signer = parts.issuer(current(parts, name).name)
    if signer.certificate is None:
        raise Conflict(f"issuer {signer.name}", "without a certificate")
    order = cross_order(octets, profile, signer.certificate)
    return certify(order, signer, parts.certificates, now)


def check_online(parts: Assembly, authority: str) -> None:
    """Refuse to go on while an authority is a root whose token was not brought online.

    Raises: IssuerOffline, Conflict.
    """
    found = current(parts, authority)
    if found.is_root and not parts.tokens.is_online(found.token):
        raise IssuerOffline(found.name, found.token)


def renew_root_crls(parts: Assembly, now: datetime) -> Iterator[CeremonyStep]:
    """Issue the CRLs of roots that are due and whose token was brought online; tell each."""
    for record in parts.issuers.all():
        if record.is_root and parts.tokens.is_online(record.token):
            due = renew_crl(parts, record, now)
            if due is not None:
                yield CeremonyStep(record.name, f"CRL issued: {due.value}")


def current(parts: Assembly, name: str) -> IssuerRecord:
    """The current issuer of an authority, or of the one that an issuer belongs to."""
    authority = parts.issuers.get(name).authority
    found = current_issuer(parts.issuers.all(), authority)
    if found is None:
        raise Conflict(f"authority {authority}", "without an issuer that signs")
    return found


def newest_generation(parts: Assembly, name: str) -> IssuerRecord:
    """The last issuer of an authority, whether it has a certificate or not."""
    authority = parts.issuers.get(name).authority
    of_it = [record for record in parts.issuers.all() if record.authority == authority]
    return max(of_it, key=lambda record: record.generation)


def _check_signer_online(parts: Assembly, record: IssuerRecord) -> None:
    if record.parent is not None:
        check_online(parts, record.parent)


def _waiting(parts: Assembly, record: IssuerRecord) -> PlannedIssuer | None:
    """The plan of a generation that is made and has no certificate yet."""
    newest = newest_generation(parts, record.name)
    if newest.certificate is not None:
        return None
    return PlannedIssuer(
        newest.name,
        newest.parent,
        load_profile(newest.profile),
        SubjectName.from_x509(newest.subject),
        newest.token,
        newest.key_label,
        None,
        generation=newest.generation,
        policy=newest.policy,
        base_url=newest.base_url,
        within_parent=True,
    )


def _give_way(parts: Assembly, authority: IssuerName, now: datetime) -> Iterator[CeremonyStep]:
    stores = (parts.issuers, parts.certificates, parts.tokens)
    yield from complete_succession(authority, stores, now)


def make_seen(parts: Assembly, name: IssuerName, now: datetime) -> Iterator[CeremonyStep]:
    """The first CRL and OCSP signer of an issuer, so that no certificate is before them."""
    record = parts.issuers.get(name)
    if record.certificate is None:
        return
    if renew_crl(parts, record, now) is not None:
        yield CeremonyStep(name, "CRL issued")
    if record.answers_ocsp and ensure_ocsp_signer(parts, record, now):
        yield CeremonyStep(name, "OCSP signer certified")


def _key_of(parts: Assembly, record: IssuerRecord) -> SigningKey:
    return parts.issuer(record.name).key


def _refused(sentence: str) -> Refused:
    way_out = "ask for it otherwise; the profiles are told by: tillid profile list"
    return Refused(Finding("authority.plan", "RFC 5280 4.2.1.9", sentence, way_out))

"""Issuance: no signature by a CA key without a committed row that holds what is signed.

The order is prepare, intent (committed and synced), lint, sign, verify, commit. A certificate
leaves this module only after its row says issued. An intent that a crash left open is closed by
revoking its serial: the token may have signed it.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from cryptography import x509

from ca.certificates import (
    CertificateContent,
    Issuer,
    assemble,
    sign_octets,
    validity_period,
)
from ca.errors import Finding, MalformedRequest, Refused
from ca.failpoints import reach
from ca.identifiers import IssuerName, SerialNumber
from ca.key_quality import SubjectPublicKey, spki_sha256
from ca.key_uses import KeyUses, check_key_uses
from ca.names import SubjectName
from ca.profiles import Profile
from ca.rules import lint
from ca.signed_data import verify_detached

# An intent older than this belongs to nobody any more; its own process can no longer commit it.
INTENT_LIFETIME = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Approval:
    """An application package and the approving officer's CMS signature over it."""

    package: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CertificateOrder:
    """What is asked of the CA.

    `subject_id` and `application_id` tie it to a person's records; `publish` says that the holder
    consented to an entry in the directories. `not_after` cuts the profile's validity short.
    """

    profile: Profile
    subject: SubjectName
    public_key: SubjectPublicKey
    host_names: tuple[str, ...] = ()
    subject_id: str | None = None
    application_id: str | None = None
    approval: Approval | None = None
    publish: bool = False
    email_addresses: tuple[str, ...] = ()
    not_after: datetime | None = None

    @property
    def holder(self) -> str:
        """Whose the key is: the subject's id, or the DER of its name in hexadecimal."""
        return self.subject_id or self.subject.to_x509().public_bytes().hex()

    def check_key_uses(self, uses: KeyUses) -> None:
        """Refuse the order if its key may not be certified for its holder."""
        reuse = self.profile.reuse_key
        check_key_uses(uses, self.holder, self.application_id, reuse=reuse)


@dataclass(frozen=True, slots=True)
class PreparedCertificate:
    """A certificate that is fully decided and not yet signed."""

    order: CertificateOrder
    content: CertificateContent
    copy: x509.Certificate = field(repr=False)

    @property
    def tbs_certificate(self) -> bytes:
        """The octets that the token will sign."""
        return self.copy.tbs_certificate_bytes


class IssuanceStore(Protocol):
    """What issuance needs of the database; each call is one committed transaction."""

    def record_intent(self, prepared: PreparedCertificate, actor: str, now: datetime) -> None:
        """Store serial, tbsCertificate and the audit event; Conflict if the serial was used.

        The uses of the key are checked once more inside the transaction, so that of two orders at
        once for one key the second is refused.
        """

    def record_certificate(
        self, prepared: PreparedCertificate, certificate: x509.Certificate, now: datetime
    ) -> None:
        """Turn the intent into an issued certificate; Conflict if it is an intent no more."""

    def uses_of_key(self, spki_sha256: str) -> KeyUses:
        """What the key of this digest (hexadecimal) was certified for, and whether it leaked."""

    def is_approving_officer(self, certificate: x509.Certificate) -> bool:
        """Whether this very certificate is the active one of an approving officer."""

    def open_intents(self, before: datetime) -> list[tuple[IssuerName, SerialNumber]]:
        """Intents recorded before that time and still without a certificate."""

    def revoke_orphan(self, issuer: IssuerName, serial: SerialNumber, now: datetime) -> bool:
        """Revoke an open intent; False if it was closed in the meantime."""


def prepare(
    order: CertificateOrder, issuer: Issuer, now: datetime, node: int = 1
) -> PreparedCertificate:
    """Decide serial number, validity and encoding. Stores nothing and signs nothing."""
    order.profile.check_subject(order.subject)
    _check_may_issue(issuer, order.profile)
    not_before, not_after = validity_period(order.profile, now)
    if order.not_after is not None:
        not_after = min(not_after, order.not_after)
    content = CertificateContent(
        issuer=issuer,
        serial_number=SerialNumber.random(node),
        subject=order.subject,
        host_names=order.host_names,
        public_key=order.public_key,
        profile=order.profile,
        not_before=not_before,
        not_after=not_after,
        email_addresses=order.email_addresses,
    )
    return PreparedCertificate(order, content, content.throw_away_copy())


def _check_may_issue(issuer: Issuer, profile: Profile) -> None:
    if issuer.profiles is not None and profile.name not in issuer.profiles:
        raise Refused(
            Finding(
                "issuer.profile",
                "RFC 3647 4.4.1, the issuer's own policy",
                f"issuer {issuer.name} does not issue under profile {profile.name}",
                "name another issuer; tillid ca show tells what each may issue",
            )
        )


def issue(
    prepared: PreparedCertificate, store: IssuanceStore, actor: str, now: datetime
) -> x509.Certificate:
    """Sign a prepared certificate, at most once.

    Raises:
        Refused: a rule, the key's other uses or a missing approval forbid it; a serial that was
            recorded stays revoked.
        Conflict: the serial was used before, or the intent was closed as orphaned.
        SigningFailed: what came back from the token does not verify.
    """
    content, profile = prepared.content, prepared.order.profile.name
    check_approval(prepared.order, store)
    prepared.order.check_key_uses(store.uses_of_key(spki_sha256(content.public_key)))
    store.record_intent(prepared, actor, now)
    reach("issue.intended", profile)
    try:
        lint(prepared.copy, content)
    except Refused:
        store.revoke_orphan(content.issuer.name, content.serial_number, now)
        raise
    reach("issue.linted", profile)
    signature = sign_octets(content.issuer.key, prepared.tbs_certificate)
    reach("issue.signed", profile)
    certificate = assemble(prepared.copy, signature, content.issuer)
    reach("issue.verified", profile)
    store.record_certificate(prepared, certificate, now)
    reach("issue.recorded", profile)
    return certificate


def resolve_open_intents(
    store: IssuanceStore, now: datetime
) -> list[tuple[IssuerName, SerialNumber]]:
    """Revoke the serials that a crash left between intent and certificate."""
    return [
        (issuer, serial)
        for issuer, serial in store.open_intents(now - INTENT_LIFETIME)
        if store.revoke_orphan(issuer, serial, now)
    ]


def check_approval(order: CertificateOrder, store: IssuanceStore) -> None:
    """Refuse a certificate that names a person unless an officer signed for exactly this one.

    Raises:
        Refused: there is no approval, its signer may not approve, or it is for something else.
        MalformedRequest: the signature is no CMS signature over the package, or that no object.
    """
    if not order.profile.names_person:
        return
    if order.approval is None:
        raise _unapproved("a certificate that names a person comes only from an application")
    signer = verify_detached(order.approval.signature, order.approval.package)
    if not store.is_approving_officer(signer):
        raise _unapproved("the approval is not signed by an active approving officer")
    package = _read_package(order.approval.package)
    promised = {
        "application": order.application_id,
        "email_addresses": list(order.email_addresses),
        "profile": {"name": order.profile.name, "sha256": order.profile.sha256},
        "publication_consent": order.publish,
        "spki_sha256": spki_sha256(order.public_key),
        "subject": [list(pair) for pair in order.subject.attributes],
        "validity_days": order.profile.validity_days,
    }
    # Compared as JSON, for to Python 1 and True are the same.
    # A package that says nothing about e-mail addresses says that there are none.
    said = {"email_addresses": []} | package
    wrong = [k for k, value in promised.items() if _json(said.get(k)) != _json(value)]
    if wrong:
        raise _unapproved(f"the approved package says otherwise about {', '.join(wrong)}")


def _read_package(octets: bytes) -> dict[str, object]:
    try:
        package = json.loads(octets, object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError):
        package = None
    if not isinstance(package, dict):
        raise MalformedRequest("application package", "it is no JSON object of single members")
    return package


def _unambiguous(members: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose members occur once: of two, an officer might have read the other."""
    if len({name for name, _ in members}) != len(members):
        raise ValueError("a member occurs twice")
    return dict(members)


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _unapproved(sentence: str) -> Refused:
    return Refused(
        Finding(
            "issuance.approval",
            "NSIS 3.2, ETSI EN 319 411-1 REG-6.2.2",
            sentence,
            "have the application approved again by another officer",
        )
    )

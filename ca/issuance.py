"""Issuance: no signature by a CA key without a committed row that holds what is signed.

The order is prepare, lint, quota, intent (committed and synced), lint again, sign, verify, commit.
A certificate leaves this module only after its row says issued. What a rule forbids is refused
before the intent and leaves nothing. An intent that comes to nothing is closed by revoking its
serial: the token may have signed it.

Many certificates share their two transactions, for a synced commit costs as much as many
signatures. What befalls one of them leaves the others as they are.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from cryptography import x509

from ca.approvals import check_approval
from ca.certificates import (
    CertificateContent,
    Issuer,
    assemble,
    sign_octets,
    validity_period,
)
from ca.errors import CaError, Finding, Refused
from ca.failpoints import reach
from ca.identifiers import IssuerName, SerialNumber
from ca.key_quality import SubjectPublicKey, spki_sha256
from ca.key_uses import KeyUses, check_key_uses
from ca.names import SubjectName
from ca.profiles import Profile
from ca.rules import lint
from hsm.errors import HsmError
from hsm.keys import InToken

# An intent older than this belongs to nobody any more; its own process can no longer commit it.
INTENT_LIFETIME = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Approval:
    """An application package and the approving officer's CMS signature over it.

    `further` are the signatures of other officers, where the profile demands several.
    """

    package: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    further: tuple[bytes, ...] = field(default=(), repr=False)


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
    spki_sha256: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spki_sha256", spki_sha256(self.public_key))

    @property
    def holder(self) -> str:
        """Whose the key is: the subject's id, or the DER of its name in hexadecimal."""
        return self.subject_id or self.subject.to_x509().public_bytes().hex()

    def check_key_uses(self, uses: KeyUses) -> None:
        """Refuse the order if its key may not be certified for its holder."""
        if uses == KeyUses():
            return  # as nearly always, and the holder's name need not be encoded
        reuse = self.profile.reuse_key
        check_key_uses(uses, self.holder, self.application_id, reuse=reuse)


@dataclass(frozen=True, slots=True)
class PreparedCertificate:
    """A certificate that is fully decided and not yet signed."""

    order: CertificateOrder
    content: CertificateContent
    copy: x509.Certificate = field(repr=False)
    tbs_certificate: bytes = field(init=False, repr=False)
    """The octets that the token will sign."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tbs_certificate", self.copy.tbs_certificate_bytes)


Signed = tuple[PreparedCertificate, x509.Certificate]
Outcome = x509.Certificate | Exception
"""A certificate that is recorded as issued, or why there is none."""


class IssuanceStore(Protocol):
    """What issuance needs of the database; each call is one transaction, committed whole or not."""

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """What a store raises when a row may not be; anything else speaks of the store itself."""

    def check_key(self, order: CertificateOrder) -> None:
        """Refuse an order for a key that is in use, as `record_intents` does; stores nothing."""

    def record_intents(
        self, batch: Sequence[PreparedCertificate], actor: str, now: datetime
    ) -> None:
        """Store serials, tbsCertificates and audit events; Conflict if a serial was used.

        The uses of each key are checked inside the transaction, so that of two orders at once for
        one key the second is refused.
        """

    def record_certificates(self, batch: Sequence[Signed], now: datetime) -> None:
        """Turn intents into issued certificates; Conflict if one is an intent no more."""

    def approving_person(self, certificate: x509.Certificate) -> str | None:
        """The person whose active certificate as an approving officer this very one is, or None."""

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
    serial_number = SerialNumber.random(node)
    content = CertificateContent(
        issuer=issuer,
        serial_number=serial_number,
        subject=order.subject,
        host_names=order.host_names,
        public_key=order.public_key,
        profile=order.profile,
        not_before=not_before,
        not_after=not_after,
        email_addresses=order.email_addresses,
        shard=issuer.shard_for(serial_number, order.profile),
    )
    return PreparedCertificate(order, content, content.throw_away_copy())


def check(prepared: PreparedCertificate, store: IssuanceStore) -> None:
    """Whether `issue` would sign a prepared certificate. Stores nothing and signs nothing.

    Raises:
        Refused: as `issue`.
    """
    check_approval(prepared.order, store)
    store.check_key(prepared.order)
    lint(prepared.copy, prepared.content)


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
        Refused: a rule, the key's other uses or a missing approval forbid it; nothing is recorded.
        Conflict: the serial was used before, or the intent was closed as orphaned.
        SigningFailed: what came back from the token does not verify.
        HsmError: the token did not sign.
    """
    (outcome,) = issue_all([prepared], store, actor, now)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def issue_all(
    batch: Sequence[PreparedCertificate], store: IssuanceStore, actor: str, now: datetime
) -> list[Outcome]:
    """Sign prepared certificates, each at most once; one outcome each, in their order.

    What forbids or fails one certificate is its outcome, as `issue` would raise it. An error of the
    database is raised: what was intended by then is closed by `resolve_open_intents`. A batch is to
    be so small that the token signs it well within INTENT_LIFETIME.
    """
    run = _Run(batch, store, actor, now)
    run.admit()
    run.ration()
    run.intend()
    run.sign()
    run.record()
    run.close_orphans()
    return [run.outcomes[index] for index in range(len(batch))]


class _Run:
    """One call of `issue_all`: which of the batch go on, and the outcomes of those that do not."""

    def __init__(
        self,
        batch: Sequence[PreparedCertificate],
        store: IssuanceStore,
        actor: str,
        now: datetime,
    ) -> None:
        self._batch, self._store, self._actor, self._now = batch, store, actor, now
        self._going_on = list(range(len(batch)))
        self._signed: dict[int, x509.Certificate] = {}
        self._orphans: list[int] = []
        self.outcomes: dict[int, Outcome] = {}

    def admit(self) -> None:
        """Keep those that are approved, if they need it, and that the gate lets through."""
        for index in self._going_on:
            prepared = self._batch[index]
            try:
                check_approval(prepared.order, self._store)
                lint(prepared.copy, prepared.content)
            except CaError as error:
                self.outcomes[index] = error
        self._drop_decided()

    def ration(self) -> None:
        """Keep as many as each key may still sign: the others would cost a serial each."""
        wanted: Counter[tuple[int, str]] = Counter()
        for index in self._going_on:
            key = self._batch[index].content.issuer.key
            if not isinstance(key, InToken):
                continue
            which = id(key.token), key.label
            try:
                key.check_quota(wanted[which] + 1)
            except HsmError as error:
                self.outcomes[index] = error
            else:
                wanted[which] += 1
        self._drop_decided()

    def intend(self) -> None:
        """Commit what will be signed before anything is."""
        self._together(
            self._going_on,
            lambda these: self._store.record_intents(
                [self._batch[index] for index in these], self._actor, self._now
            ),
        )
        self._drop_decided()
        for name in {self._batch[index].order.profile.name: None for index in self._going_on}:
            reach("issue.intended", name)

    def sign(self) -> None:
        """Let the gate look at each again, then the token sign it, then verify what came back."""
        for index in self._going_on:
            try:
                self._signed[index] = _sign(self._batch[index])
            except (CaError, HsmError) as error:
                self.outcomes[index] = error
                self._orphans.append(index)
        self._drop_decided()

    def record(self) -> None:
        """Commit the certificates; only then are they outcomes."""
        self._together(
            self._going_on,
            lambda these: self._store.record_certificates(
                [(self._batch[index], self._signed[index]) for index in these], self._now
            ),
        )
        self._orphans += [index for index in self._going_on if index in self.outcomes]
        self._drop_decided()
        for index in self._going_on:
            self.outcomes[index] = self._signed[index]
            reach("issue.recorded", self._batch[index].order.profile.name)

    def close_orphans(self) -> None:
        """Revoke the serials of intents that came to nothing."""
        for index in self._orphans:
            content = self._batch[index].content
            self._store.revoke_orphan(content.issuer.name, content.serial_number, self._now)

    def _together(self, these: Sequence[int], record: Callable[[Sequence[int]], None]) -> None:
        """Record all at once; if that is refused each half, down to the one that is at fault."""
        if not these:
            return
        try:
            record(these)
        except self._store.refusals as error:
            if len(these) == 1:
                self.outcomes[these[0]] = error
                return
            middle = len(these) // 2
            self._together(these[:middle], record)
            self._together(these[middle:], record)

    def _drop_decided(self) -> None:
        self._going_on = [index for index in self._going_on if index not in self.outcomes]


def _sign(prepared: PreparedCertificate) -> x509.Certificate:
    content, profile = prepared.content, prepared.order.profile.name
    lint(prepared.copy, content)
    reach("issue.linted", profile)
    signature = sign_octets(content.issuer.key, prepared.tbs_certificate)
    reach("issue.signed", profile)
    certificate = assemble(prepared.copy, signature, content.issuer)
    reach("issue.verified", profile)
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

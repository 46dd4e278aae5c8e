"""Issuers: each is one key of a certificate authority, with the certificates that it was given.

A certificate authority that changes its key keeps its name and gets a further generation: an
issuer of its own, with its own CRL, OCSP answers and addresses. So what a relying party reads in a
certificate (AKI, CRL and OCSP addresses) leads to the key that signed it (RFC 5280 sections 4.2.1.1
and 5, RFC 6960 section 4.1.1), however often the key was changed since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from cryptography import x509

from ca.certificates import Issuer, StatusUrls
from ca.errors import Conflict
from ca.identifiers import IssuerName
from ca.key_quality import spki_sha256
from ca.profiles import Profile
from ca.signatures import SigningKey

OCSP_PROFILE = "ocsp-signer"
LINK_PROFILE = "ca-link"
_SERVICE_PROFILES = frozenset({OCSP_PROFILE, LINK_PROFILE})
_LONGEST_CRL = timedelta(days=366)
_LONGEST_KEPT = timedelta(days=36525)
_ONE_MINUTE, _LONGEST_OCSP = timedelta(minutes=1), timedelta(days=10)
MAX_SHARDS = 10_000


class IssuerState(StrEnum):
    """How far the life of an issuer has come; it never goes back."""

    ACTIVE = "active"
    SUPERSEDED = "superseded"
    """A later generation issues; this one signs CRLs and OCSP signers until all it issued ended."""
    RETIRED = "retired"
    """It signs nothing any more but its last CRL."""


class CertificateKind(StrEnum):
    """What a certificate of an issuer's key is for (RFC 9810 section 4.4)."""

    OWN = "own"
    """The one that relying parties are given: the root's own, or its parent's over it."""
    NEW_WITH_OLD = "new-with-old"
    OLD_WITH_NEW = "old-with-new"
    CROSS = "cross"
    """From another certificate authority, beside the own one."""


@dataclass(frozen=True, slots=True)
class IssuerCertificate:
    """One certificate of an issuer's key; `chain` leads on from it when its signer is foreign."""

    kind: CertificateKind
    certificate: x509.Certificate
    signer: IssuerName | None
    chain: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class IssuerPolicy:
    """What is particular to one issuer; what is left out is as the settings say.

    `profiles` are those it may issue under, all when empty. The validity of its CRLs and how long
    before nextUpdate the next is made are given both or not at all. Certificates are spread over
    `crl_shards`, if any; `crl_deltas` says whether a delta CRL goes with each complete one, and
    `crl_keep_expired` how long a revoked certificate stays listed after it expired. Its OCSP
    responses are valid for `ocsp_validity` where that is longer than the settings say.
    """

    profiles: tuple[str, ...] = ()
    crl_validity: timedelta | None = None
    crl_renew_margin: timedelta | None = None
    crl_shards: int = 0
    crl_deltas: bool = False
    crl_keep_expired: timedelta = timedelta(0)
    ocsp_validity: timedelta | None = None

    def __post_init__(self) -> None:
        """ValueError for a CRL validity without margin, or one longer than the other."""
        if not 0 <= self.crl_shards <= MAX_SHARDS:
            raise ValueError(f"CRLs have no shards, or up to {MAX_SHARDS}")
        if not timedelta(0) <= self.crl_keep_expired <= _LONGEST_KEPT:
            raise ValueError("what expired is kept on CRLs for up to a hundred years")
        if len(set(self.profiles)) != len(self.profiles):
            raise ValueError("a profile is named twice")
        self._check_crl_times()
        self._check_ocsp_validity()

    def _check_crl_times(self) -> None:
        validity, margin = self.crl_validity, self.crl_renew_margin
        if (validity is None) != (margin is None):
            raise ValueError("the validity of CRLs and its margin are given together")
        if validity is not None and margin is not None:
            if not timedelta(0) < margin < validity <= _LONGEST_CRL:
                raise ValueError("the CRLs of an issuer need 0 < margin < validity <= 366 days")
            if validity % timedelta(seconds=1):
                raise ValueError("the validity of a CRL is whole seconds")

    def _check_ocsp_validity(self) -> None:
        validity = self.ocsp_validity
        if validity is None:
            return
        if not _ONE_MINUTE <= validity <= _LONGEST_OCSP or validity % _ONE_MINUTE:
            raise ValueError("OCSP responses are valid for whole minutes, up to ten days")


AS_SETTINGS = IssuerPolicy()


@dataclass(frozen=True, slots=True)
class IssuerRecord:
    """One issuer: where its key lies, what it is called, and its certificates.

    `parent` is the authority above, the issuer's own for a root and None for a foreign one.
    `certificate` is the newest own one. `profile` is the one that its certificates follow.
    """

    name: IssuerName
    parent: IssuerName | None
    token: str
    key_label: str
    subject: x509.Name
    base_url: str
    certificate: x509.Certificate | None
    generation: int = 1
    profile: str = ""
    spki_sha256: str = ""
    state: IssuerState = IssuerState.ACTIVE
    policy: IssuerPolicy = AS_SETTINGS
    certificates: tuple[IssuerCertificate, ...] = ()
    key_destroyed_at: datetime | None = None

    @property
    def authority(self) -> IssuerName:
        """The certificate authority whose key this is: the name of its first generation."""
        if self.generation == 1:
            return self.name
        return IssuerName(self.name.removesuffix(f"-{self.generation}"))

    @property
    def is_root(self) -> bool:
        """Whether it signs its own certificate."""
        return self.parent == self.authority

    @property
    def answers_ocsp(self) -> bool:
        """Whether OCSP answers are given for what it issued; a root's CRL is enough.

        One that was imported without its key can certify no OCSP signer.
        """
        able = self.certificate is not None and bool(self.key_label)
        return able and not self.is_root and self.state is not IssuerState.RETIRED

    @property
    def urls(self) -> StatusUrls:
        """Where relying parties fetch what this issuer publishes."""
        return StatusUrls.under(self.base_url, self.name)

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What leads on from the newest own certificate when a foreign authority signed it."""
        own = self._own()
        return own[-1].chain if own else ()

    @property
    def own_signer(self) -> IssuerName | None:
        """Which of our issuers signed the newest own certificate; None for a foreign one."""
        own = self._own()
        return own[-1].signer if own else None

    def _own(self) -> list[IssuerCertificate]:
        return [each for each in self.certificates if each.kind is CertificateKind.OWN]

    def with_key(self, key: SigningKey) -> Issuer:
        """The issuer, able to sign; Conflict for a key that is not the one of its records."""
        if self.spki_sha256 and spki_sha256(key.public_key()) != self.spki_sha256:
            raise Conflict(f"key {self.key_label} in {self.token}", f"not that of {self.name}")
        return Issuer(
            self.name,
            self.subject,
            key,
            self.certificate,
            self.urls,
            self._may_issue(),
            self.policy.crl_shards,
        )

    def may_issue(self, profile: Profile | None) -> bool:
        """Whether state and policy allow the profile, or at least one."""
        allowed = self._may_issue()
        return allowed is None or (bool(allowed) if profile is None else profile.name in allowed)

    def _may_issue(self) -> frozenset[str] | None:
        if self.state is IssuerState.RETIRED or not self.key_label:
            return frozenset()
        if self.state is IssuerState.SUPERSEDED:
            return frozenset({OCSP_PROFILE})
        if not self.policy.profiles:
            return None
        return frozenset(self.policy.profiles) | _SERVICE_PROFILES | {self.profile}


class IssuerStore(Protocol):
    """Where issuers are kept; each call is one committed transaction with its audit event."""

    def all(self) -> list[IssuerRecord]:
        """Every issuer, roots first, then in the order they were made."""

    def add(self, record: IssuerRecord, now: datetime) -> None:
        """Store an issuer that has a key and no certificate yet."""

    def activate(
        self,
        name: IssuerName,
        certificate: x509.Certificate,
        now: datetime,
        signer: IssuerName | None = None,
    ) -> None:
        """Give an issuer its own certificate, by one of our issuers, itself when none is named."""

    def install(self, name: IssuerName, added: IssuerCertificate, now: datetime) -> None:
        """Keep a further certificate of an issuer's key."""

    def supersede(self, name: IssuerName, now: datetime) -> None:
        """Let an issuer give way to a later generation; Conflict unless it is active."""


def find_issuer(records: Sequence[IssuerRecord], name: str) -> IssuerRecord | None:
    """The issuer of exactly this name."""
    return next((record for record in records if record.name == name), None)


def current_issuer(records: Sequence[IssuerRecord], authority: str) -> IssuerRecord | None:
    """The issuer that signs for an authority now: its latest generation that has a certificate."""
    able = [
        record
        for record in records
        if record.authority == authority
        and record.state is IssuerState.ACTIVE
        and record.certificate is not None
    ]
    return max(able, key=lambda record: record.generation, default=None)


def issuer_for(records: Sequence[IssuerRecord], profile: Profile | None) -> IssuerRecord | None:
    """The issuer that certifies under a profile when none is named.

    It is the current one of the authority that was made first, of those below a root whose policy
    allows the profile. So a further authority never takes over by itself.
    """
    for authority in dict.fromkeys(record.authority for record in records):
        found = current_issuer(records, authority)
        if found is not None and not found.is_root and found.may_issue(profile):
            return found
    return None

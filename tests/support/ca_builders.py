"""Builders for the certificate authority: keys, issuers, orders, and stores that keep in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ca.certificates import CertificateContent, Issuer, StatusUrls
from ca.errors import CaError, Conflict
from ca.identifiers import IssuerName, SerialNumber
from ca.issuance import CertificateOrder, PreparedCertificate, Signed, issue, prepare
from ca.issuers import CertificateKind, IssuerCertificate, IssuerRecord, IssuerState
from ca.key_quality import spki_sha256
from ca.key_uses import KeyUses
from ca.names import SubjectName
from ca.profiles import Profile, load_profile
from ca.signatures import SigningKey
from hsm.errors import KeyUnfit
from hsm.key_kinds import KeyKind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BASE_URL = "http://127.0.0.1:8080"
ACTOR = "system:test"
CA_PROFILES = ("ca-link", "cross", "issuing", "root")
LEAF_PROFILES = (
    "code-signing",
    "device",
    "employee",
    "legal-person-seal",
    "natural-person-high",
    "natural-person-low",
    "natural-person-substantial",
    "ocsp-signer",
    "smime",
    "staff",
    "tls-client",
    "tls-server",
)
_VALUES = {
    "C": "DK",
    "O": "Tillid A/S",
    "OU": "Authorities",
    "GN": "Kirsten",
    "SN": "Ødegaard",
    "CN": "Kirsten Ødegaard",
    "serialNumber": "UI:DK-E:G:7",
    "pseudonym": "officer-7",
    "organizationIdentifier": "NTRDK-12345674",
}
_CURVES = {"EC-P256": ec.SECP256R1(), "EC-P384": ec.SECP384R1(), "EC-P521": ec.SECP521R1()}


def a_key(kind: str = "EC-P256") -> SigningKey:
    """A new software key of the kind that profiles name; RSA keys are made once a process."""
    return an_rsa_key(int(kind[4:])) if kind.startswith("RSA") else _ec_key(kind)


def _ec_key(kind: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(_CURVES[kind])


@cache
def an_rsa_key(bits: int = 2048, exponent: int = 65537) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(exponent, bits)


@cache
def another_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def a_subject(profile: Profile, common_name: str | None = None) -> SubjectName:
    """A name with the attributes of the profile."""
    values = _VALUES if common_name is None else _VALUES | {"CN": common_name}
    return SubjectName.of((a.rstrip("?"), values[a.rstrip("?")]) for a in profile.subject)


def a_root(kind: str = "EC-P384", now: datetime = NOW) -> Issuer:
    """A root with a key of that kind; the same one each time in a process."""
    return _root(kind, now)


@cache
def _root(kind: str, now: datetime) -> Issuer:
    profile = replace(load_profile("root"), key_types=(kind,))
    key = a_key(kind) if kind != "RSA-2048" else another_rsa_key()
    issuer = _without_certificate("root", a_subject(profile, "Tillid Root CA"), key)
    return _certified(issuer, issuer, profile, now)


def an_issuer(kind: str = "EC-P256", root_kind: str = "EC-P384", now: datetime = NOW) -> Issuer:
    """An issuing certificate authority with a key of that kind under a root of the other."""
    return _issuer(kind, root_kind, now)


@cache
def _issuer(kind: str, root_kind: str, now: datetime) -> Issuer:
    profile = replace(load_profile("issuing"), key_types=(kind,))
    issuer = _without_certificate("issuing", a_subject(profile, "Tillid Issuing CA"), a_key(kind))
    return _certified(issuer, a_root(root_kind, now), profile, now)


def _without_certificate(name: str, subject: SubjectName, key: SigningKey) -> Issuer:
    urls = StatusUrls.under(BASE_URL, IssuerName(name))
    return Issuer(IssuerName(name), subject.to_x509(), key, None, urls)


def _certified(issuer: Issuer, signer: Issuer, profile: Profile, now: datetime) -> Issuer:
    subject = SubjectName.from_x509(issuer.subject)
    order = CertificateOrder(profile, subject, issuer.key.public_key())
    certificate = issue(prepare(order, signer, now), MemoryIssuance(), ACTOR, now)
    return replace(issuer, certificate=certificate)


def an_order(profile: str | Profile = "staff", kind: str = "EC-P256") -> CertificateOrder:
    """An order that nothing stands against, but for the approval of a person's certificate."""
    chosen = load_profile(profile) if isinstance(profile, str) else profile
    names = ("ca.tillid.example",) if chosen.host_names else ()
    subject = a_subject(chosen, "ca.tillid.example" if names else None)
    mailboxes = ("kirsten@tillid.example",) if chosen.email_addresses else ()
    key = a_key(kind).public_key()
    return CertificateOrder(chosen, subject, key, names, email_addresses=mailboxes)


def a_prepared(
    profile: str | Profile = "staff",
    issuer: Issuer | None = None,
    kind: str = "EC-P256",
    now: datetime = NOW,
) -> PreparedCertificate:
    """What stands before the gate and the signature, by the issuing authority if no other."""
    return prepare(an_order(profile, kind), issuer or an_issuer(), now)


def a_content(**changes: object) -> CertificateContent:
    """The content of a staff certificate, changed."""
    return replace(a_prepared().content, **changes)  # type: ignore[arg-type]


def self_signed(
    key: SigningKey, common_name: str = "officer-7", serial: int | None = None
) -> x509.Certificate:
    """A certificate that only carries a key, for signatures."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    number = serial or SerialNumber.random()
    builder = x509.CertificateBuilder(name, name, key.public_key(), number)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=30))
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256())


class StoreBroken(Exception):
    """What a store raises in these tests when it is told to fail."""


def place_of(prepared: PreparedCertificate) -> tuple[IssuerName, SerialNumber]:
    return prepared.content.issuer.name, prepared.content.serial_number


@dataclass
class MemoryIssuance:
    """An IssuanceStore in memory that tells its steps and can be told to fail at one of them."""

    steps: list[str] = field(default_factory=list)
    states: dict[tuple[IssuerName, SerialNumber], str] = field(default_factory=dict)
    intended: dict[tuple[IssuerName, SerialNumber], tuple[bytes, datetime]] = field(
        default_factory=dict
    )
    issued: list[x509.Certificate] = field(default_factory=list)
    approving: list[x509.Certificate] = field(default_factory=list)
    persons: dict[x509.Certificate, str] = field(default_factory=dict)
    uses: dict[str, KeyUses] = field(default_factory=dict)
    fails_at: str = ""
    fails_after: str = ""

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        return (CaError,)

    def check_key(self, order: CertificateOrder) -> None:
        order.check_key_uses(self.uses.get(spki_sha256(order.public_key), KeyUses()))

    def record_intents(
        self, batch: Sequence[PreparedCertificate], actor: str, now: datetime
    ) -> None:
        assert actor

        def commit() -> None:
            for prepared in batch:
                if place_of(prepared) in self.states:
                    raise Conflict("serial number", self.states[place_of(prepared)])
                self.check_key(prepared.order)
            for prepared in batch:
                self.states[place_of(prepared)] = "intent"
                self.intended[place_of(prepared)] = (prepared.tbs_certificate, now)

        self._commit("intent", commit)

    def record_certificates(self, batch: Sequence[Signed], now: datetime) -> None:
        assert now.tzinfo

        def commit() -> None:
            for prepared, _ in batch:
                if self.states.get(place_of(prepared)) != "intent":
                    state = self.states.get(place_of(prepared), "unknown")
                    raise Conflict("certificate", state)
            for prepared, certificate in batch:
                self.states[place_of(prepared)] = "issued"
                self.issued.append(certificate)

        self._commit("record", commit)

    def approving_person(self, certificate: x509.Certificate) -> str | None:
        if certificate not in self.approving:
            return None
        return self.persons.get(certificate, certificate.fingerprint(hashes.SHA256()).hex())

    def open_intents(self, before: datetime) -> list[tuple[IssuerName, SerialNumber]]:
        return [
            key
            for key, state in self.states.items()
            if state == "intent" and self.intended[key][1] < before
        ]

    def revoke_orphan(self, issuer: IssuerName, serial: SerialNumber, now: datetime) -> bool:
        assert now.tzinfo
        closed = self.states.get((issuer, serial)) == "intent"

        def commit() -> None:
            if closed:
                self.states[issuer, serial] = "revoked"

        self._commit("revoke", commit)
        return closed

    def _commit(self, step: str, commit: Callable[[], None]) -> None:
        if self.fails_at == step:
            raise StoreBroken(step)
        commit()
        self.steps.append(step)
        if self.fails_after == step:
            raise StoreBroken(step)


@dataclass
class MemoryIssuers:
    """An IssuerStore in memory, which can be told to fail before or after its n-th write."""

    records: dict[IssuerName, IssuerRecord] = field(default_factory=dict)

    def all(self) -> list[IssuerRecord]:
        return sorted(self.records.values(), key=lambda record: not record.is_root)

    def add(self, record: IssuerRecord, now: datetime) -> None:
        assert now.tzinfo
        assert record.name not in self.records
        self.records[record.name] = record

    def activate(
        self,
        name: IssuerName,
        certificate: x509.Certificate,
        now: datetime,
        signer: IssuerName | None = None,
    ) -> None:
        added = IssuerCertificate(CertificateKind.OWN, certificate, signer or name)
        self.install(name, added, now)

    def install(self, name: IssuerName, added: IssuerCertificate, now: datetime) -> None:
        assert now.tzinfo
        before = self.records[name]
        own = added.kind is CertificateKind.OWN
        self.records[name] = replace(
            before,
            certificate=added.certificate if own else before.certificate,
            certificates=(*before.certificates, added),
        )

    def supersede(self, name: IssuerName, now: datetime) -> None:
        assert now.tzinfo
        assert self.records[name].state is IssuerState.ACTIVE
        self.records[name] = replace(self.records[name], state=IssuerState.SUPERSEDED)


@dataclass
class SoftwareKeys:
    """Keys in memory, by token and label."""

    made: dict[tuple[str, str], SigningKey] = field(default_factory=dict)
    unfit: set[tuple[str, str]] = field(default_factory=set)

    def find(self, token: str, label: str) -> SigningKey | None:
        return self.made.get((token, label))

    def generate(self, token: str, label: str, kind: KeyKind) -> SigningKey:
        assert (token, label) not in self.made
        self.made[token, label] = (
            ec.generate_private_key(_CURVES[kind])
            if kind in _CURVES
            else an_rsa_key(int(kind.removeprefix("RSA-")))
        )
        return self.made[token, label]

    def check_for_use(self, token: str, label: str) -> None:
        if (token, label) in self.unfit:
            raise KeyUnfit(label, "CKA_LOCAL")

    def destroy_key(self, name: str, label: str) -> None:
        del self.made[name, label]

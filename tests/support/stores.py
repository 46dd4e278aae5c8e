"""Every store on one database, and builders of what stands in them: officers, people, CRLs."""

import os
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

from ca.certificates import Issuer, assemble, sign_octets
from ca.identifiers import IssuerName, SerialNumber
from ca.issuance import CertificateOrder, PreparedCertificate, prepare
from ca.issuers import IssuerRecord
from ca.key_quality import spki_sha256
from ca.names import SubjectName
from ca.profiles import load_profile
from ra.applications import Application, ApplicationId, RequestedCertificate, start_proofing
from ra.approvals import ApprovedApplication, approve
from ra.assessment import conclude, submit
from ra.evidence import Officer as RaOfficer
from ra.levels import AssuranceLevel
from ra.package import build_package, package_hash, subject_name
from records.applications import Applications
from records.bulk_revocations import BulkRevocations
from records.case_contents import CaseContents
from records.case_deliveries import Deliveries
from records.cases import Cases
from records.certificates import Certificates
from records.crls import Crls
from records.database import Database
from records.directory_debts import DirectoryDebts
from records.erasure_work import ErasureWork
from records.erasures import Erasures
from records.issuers import Issuers
from records.key_store import KeyStore
from records.officers import Officer, Officers, Role
from records.orders import Orders
from records.personal_data import PersonalData
from records.publication_consents import Consents
from records.publications import Publications
from records.renewals import keep_renewal
from records.revocation_duties import RevocationDuties
from records.statuses import Statuses
from records.tables import metadata
from records.visibility import Visibility
from revocation.crl_issue import issue_crl
from revocation.publication import CrlPolicy, CrlRecord, IssuingKey
from revocation.reasons import Reason
from server.clock import utc_now
from server.registration import profile_reference
from tests.support import ra_builders
from tests.support.vault import SoftwareRoots, key_store_of

DIRECTORY = "main"
ENTRY_UUID = "8f1c0ad0-7a4f-103f-8f5c-5bcd7a0a9e4e"
ISSUING = IssuerName("issuing")
PERSON_PROFILE = "natural-person-substantial"
CRL_POLICY = CrlPolicy(timedelta(hours=24), timedelta(hours=6))
SECRET = "the applicant's own secret"
ALONE = 3
Place = tuple[IssuerName, SerialNumber]


@dataclass
class Stores:
    """All stores on one database, with one issuer whose key is in software."""

    database: Database
    roots: SoftwareRoots = field(default_factory=SoftwareRoots)
    issuer_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    further_keys: dict[IssuerName, ec.EllipticCurvePrivateKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.use(key_store_of(self.database, self.roots))

    def use(self, key_store: KeyStore) -> None:
        """Make every store anew, with this key store."""
        self.key_store = key_store
        self.personal = PersonalData(key_store)
        self.issuers = Issuers(self.database)
        self.certificates = Certificates(self.database, self.personal, {DIRECTORY: ()})
        self.statuses = Statuses(self.database)
        self.bulk = BulkRevocations(self.database, ALONE)
        self.crls = Crls(self.database)
        self.visible = Visibility(self.database)
        self.officers = Officers(self.database, self.personal)
        self.applications = Applications(self.database, self.personal)
        self.publications = Publications(self.database, self.personal)
        self.erasures = Erasures(self.database, self.crls)
        self.work = ErasureWork(self.database)
        self.orders = Orders(self.database)
        self.debts = DirectoryDebts(self.database)
        self.consents = Consents(self.database, self.personal, (DIRECTORY,))
        self.duties = RevocationDuties(self.database)
        self.cases = Cases(self.database, self.personal)
        self.case_contents = CaseContents(self.database, self.personal)
        self.deliveries = Deliveries(self.database, self.personal)

    def issuer(self) -> Issuer:
        """The issuer, made at the first request."""
        if not self.issuers.all():
            self._make_issuer()
        return self.issuers.get(ISSUING).with_key(self.issuer_key)

    def _make_issuer(self) -> None:
        self.further_keys[ISSUING] = self.issuer_key
        self._add_issuer(ISSUING, 1, utc_now())

    def further_issuer(self, generation: int, now: datetime) -> IssuerName:
        """A later generation of the issuer, with a key of its own."""
        name = IssuerName(f"{ISSUING}-{generation}")
        self.further_keys[name] = ec.generate_private_key(ec.SECP256R1())
        self._add_issuer(name, generation, now)
        return name

    def _add_issuer(self, name: IssuerName, generation: int, now: datetime) -> None:
        key = self.further_keys[name]
        subject = SubjectName.of([("C", "DK"), ("O", "Tillid Test"), ("CN", "Issuing CA")])
        record = IssuerRecord(
            name,
            ISSUING,
            "token",
            f"{name}-ca",
            subject.to_x509(),
            "http://127.0.0.1:8080",
            None,
            generation=generation,
            profile="root",
            spki_sha256=spki_sha256(key.public_key()),
        )
        self.issuers.add(record, now)
        order = CertificateOrder(load_profile("root"), subject, key.public_key())
        self.issuers.activate(name, signed(prepare(order, record.with_key(key), now)), now)

    def last_crl(self, name: IssuerName, now: datetime) -> CrlRecord:
        """The CRL of a retired issuer that none follows."""
        certificate = self.issuers.get(name).certificate
        assert certificate is not None
        issuing = IssuingKey(name, certificate, self.further_keys[name])
        return issue_crl(self.crls, issuing, now, replace(CRL_POLICY, is_last=True))

    def intend(
        self, order: CertificateOrder, now: datetime, serial: SerialNumber | None = None
    ) -> PreparedCertificate:
        """Record an intent, under a random serial number unless one is given."""
        prepared = prepare(order, self.issuer(), now)
        if serial is not None:
            content = replace(prepared.content, serial_number=serial)
            prepared = PreparedCertificate(order, content, content.throw_away_copy())
        self.certificates.record_intents([prepared], "system:issuance", now)
        return prepared

    def issue(self, order: CertificateOrder, now: datetime) -> x509.Certificate:
        """Record an intent and its certificate."""
        prepared = self.intend(order, now)
        certificate = signed(prepared)
        self.certificates.record_certificates([(prepared, certificate)], now)
        return certificate

    def revoked(self, certificate: x509.Certificate, now: datetime) -> Place:
        """Revoke it; gives its place."""
        place = place_of(certificate)
        self.statuses.revoke(*place, Reason.CESSATION_OF_OPERATION, "system:operator", now)
        return place

    def crl(self, now: datetime) -> CrlRecord:
        """Issue and record the next CRL."""
        issuer = self.issuer()
        assert issuer.certificate is not None
        return issue_crl(
            self.crls, IssuingKey(ISSUING, issuer.certificate, self.issuer_key), now, CRL_POLICY
        )

    def crl_octets(self, now: datetime) -> bytes:
        """Issue and record the next CRL; its octets."""
        self.crl(now)
        return self.crls.whole(ISSUING)

    def officer(self, role: Role, now: datetime, name: str = "Ole Officer") -> Officer:
        """An active officer with a certificate."""
        invited = self.officers.invite(name, role, now)
        self.officers.enrol(invited.id, ISSUING, self.issue(staff_order(invited), now), now)
        return self.officers.get(invited.id)

    def observe_all(self, place: Place, now: datetime) -> None:
        """Say that CRL and OCSP were seen to say revoked."""
        for channel in ("crl", "ocsp"):
            self.crls.observe(place, channel, bytes(32), now)

    def publish_all(self, now: datetime) -> None:
        """Carry out every publication that is due."""
        for task in self.publications.pending(DIRECTORY, 100, now):
            assert task.holder is not None
            self.publications.done(task.id, ENTRY_UUID, now)

    def withdraw_all(self, now: datetime) -> None:
        """Carry out every withdrawal that is due."""
        for task in self.publications.pending(DIRECTORY, 100, now):
            assert task.holder is None
            self.publications.done(task.id, None, now)

    def count(self, table: str) -> int:
        """The number of rows of a table."""
        with self.database.read() as tx:
            return int(tx.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608


@dataclass(frozen=True)
class Person:
    """A person with an approved application and an issued certificate, waiting for publication."""

    application: Application
    certificate: x509.Certificate

    @property
    def subject_id(self) -> str:
        return self.application.subject_id

    @property
    def place(self) -> Place:
        return place_of(self.certificate)


def place_of(certificate: x509.Certificate) -> Place:
    return ISSUING, SerialNumber(certificate.serial_number)


def signed(prepared: PreparedCertificate) -> x509.Certificate:
    """The certificate of an intent, signed by the issuer's key."""
    issuer = prepared.content.issuer
    return assemble(prepared.copy, sign_octets(issuer.key, prepared.tbs_certificate), issuer)


def staff_order(officer: Officer) -> CertificateOrder:
    subject = [("C", "DK"), ("O", "Tillid Test"), ("CN", "officer"), ("pseudonym", officer.id)]
    return CertificateOrder(
        load_profile("staff"), SubjectName.of(subject), new_key(), subject_id=officer.subject_id
    )


def server_order() -> CertificateOrder:
    """A certificate about nobody."""
    profile = load_profile("tls-server")
    subject = SubjectName.of([("CN", "localhost")])
    return CertificateOrder(profile, subject, new_key(), host_names=("localhost",))


def new_key() -> ec.EllipticCurvePublicKey:
    return ec.generate_private_key(ec.SECP256R1()).public_key()


def submitted(**changes: str) -> Application:
    """A submitted application of a new subject."""
    application = ra_builders.drafted(ra_builders.claimed(**changes))
    requested = RequestedCertificate.read(
        PERSON_PROFILE,
        AssuranceLevel.SUBSTANTIAL,
        ra_builders.a_new_request_der(),
        publication_consent=True,
    )
    applicant = replace(application.applicant, subject_id=f"subject-{os.urandom(8).hex()}")
    application = replace(
        application, id=ApplicationId.random(), applicant=applicant, requested=requested
    )
    return submit(application, ra_builders.policy(), ra_builders.NOW)


def in_proofing(stores: Stores, officer: Officer, application: Application) -> Application:
    """Stored, and taken up by the officer."""
    kept = (
        None if application.renewal is None else keep_renewal(application, application.created_at)
    )
    stores.applications.add(application, SECRET, application.created_at, also=kept)
    who = RaOfficer(officer.id, officer.person_id, trained_until=date(2099, 1, 1))
    taken = start_proofing(application, who, ra_builders.NOW)
    stores.applications.update(application, taken, officer.id, ra_builders.NOW)
    return taken


def verified(stores: Stores, officer: Officer, application: Application) -> Application:
    """Stored, vetted by the officer, and verified."""
    taken = in_proofing(stores, officer, application)
    policy = ra_builders.policy()
    examined = ra_builders.examined(taken)
    stores.applications.update(taken, examined, officer.id, ra_builders.NOW)
    found = conclude(examined, ra_builders.CATALOGUE, policy, ra_builders.NOW)
    found = replace(found, package_hash=package_hash(package_of(found)))
    stores.applications.update(examined, found, officer.id, ra_builders.NOW)
    return found


def package_of(application: Application) -> bytes:
    return build_package(application, profile_reference(load_profile(PERSON_PROFILE)))


def approval_by(officer: Officer, application: Application) -> ApprovedApplication:
    """The officer's approval of a verified application, not stored yet."""
    package = package_of(application)
    signer = ra_builders.SigningOfficer(RaOfficer(officer.id, officer.person_id))
    approval = signer.approval_of(application, package)
    return approve(application, package, approval, signer, ra_builders.NOW)


def order_of(application: Application) -> CertificateOrder:
    request = x509.load_der_x509_csr(application.requested.request_der)
    key = request.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return CertificateOrder(
        load_profile(PERSON_PROFILE),
        SubjectName.of(subject_name(application.applicant)),
        key,
        subject_id=application.subject_id,
        application_id=application.id,
        publish=True,
    )


def approved(stores: Stores) -> Application:
    """An application that two officers have vetted and approved."""
    now = utc_now()
    first = stores.officer(Role.REGISTRATION_OFFICER, now)
    second = stores.officer(Role.APPROVING_OFFICER, now)
    found = approval_by(second, verified(stores, first, submitted()))
    before = replace(found.application)
    stores.applications.approve(stores.applications.get(before.id), found, now)
    return stores.applications.get(before.id)


def a_person(stores: Stores, now: datetime | None = None) -> Person:
    """A person whose certificate is issued and is to be published."""
    application = approved(stores)
    return Person(application, stores.issue(order_of(application), now or utc_now()))


def contents(database: Database) -> list[str]:
    """Every row of every table, as the engine tells it."""
    names = [table.name for table in metadata.sorted_tables]
    with database.read() as tx:
        if database.dialect == "postgresql":
            queries = [" UNION ALL ".join(f"SELECT '{n}' || t::text FROM {n} t" for n in names)]  # noqa: S608
        else:
            queries = [f"SELECT '{name}', * FROM {name}" for name in names]  # noqa: S608
        return sorted(repr(tuple(row)) for query in queries for row in tx.exec_driver_sql(query))

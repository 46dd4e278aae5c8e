"""The one place where parts are joined: settings in, everything that can act out."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ca.certificates import Issuer
from ca.errors import Conflict
from ca.identifiers import IssuerName
from ca.issuers import IssuerRecord, current_issuer, find_issuer, issuer_for
from ca.key_quality import read_compromised
from ca.profiles import Profile
from hsm.errors import KeyUnfit, TokenLocked, TokenNotFound
from hsm.labels import SEARCH_KEY
from ra.assessment import ProofingPolicy
from ra.companies import CompanyRegister
from ra.fake_companies import FakeCvr
from ra.fake_registers import FakeCpr, FakeDocumentStatus, fake_catalogue
from ra.notices import Notifier
from ra.policies import STANDARD, shipped_policy
from ra.proofing import Registers
from ra.sources import SourceCatalogue
from ra.terms import read_terms_library
from records.applications import Applications
from records.associations import Associations
from records.bulk_revocations import BulkRevocations
from records.case_acts import SubjectActs
from records.case_contents import CaseContents
from records.case_deliveries import Deliveries
from records.cases import Cases
from records.certificates import Certificates
from records.credentials import Credentials
from records.crls import Crls
from records.database import Database
from records.directory_authorities import AuthorityPublications
from records.directory_backfill import DirectoryBackfill
from records.directory_debts import DirectoryDebts
from records.directory_desk import DirectoryDesk
from records.erasure_work import ErasureWork
from records.erasures import Erasures
from records.errors import NotFound
from records.holder_notices import HolderNotices
from records.holders import Holders
from records.issuers import Issuers
from records.job_runs import AlarmBook, JobRuns
from records.letters import Letters
from records.mandates import Mandates
from records.ocsp_responses import OcspResponses
from records.officers import Officers
from records.orders import Orders
from records.person_files import PersonFiles
from records.personal_data import PersonalData
from records.publication_consents import Consents
from records.publications import Publications
from records.revocation_duties import RevocationDuties
from records.revocation_secrets import RevocationSecrets
from records.schema import check_schema
from records.sealing import Vault
from records.search_index import SearchIndex, WrappingKey, index_database
from records.statuses import Statuses
from records.visibility import Visibility
from revocation.publication import COMPLETE, DELTA, CrlPolicy, IssuingKey
from server.clock import utc_now
from server.clock_watch import ClockWatch
from server.crl_work import CrlWork
from server.decisions import Decisions, read_decisions
from server.delivery_ports import DeliveryPorts, fake_ports
from server.directory_collector import DirectoryCollector
from server.directory_work import DirectoryWork
from server.erasure_rules import erasure_rules
from server.errors import IssuerOffline, NoRegisters
from server.held_pins import AskPin
from server.notices import NoNotifier
from server.person_parts import PersonParts, joined, kept_catalogue, person_parts
from server.processors import require_processors
from server.published_watch import PublishedWatch
from server.replica import ReplicaResponses
from server.settings import Settings
from server.tokens import Tokens, wrapping_key_of
from server.vault import SealPace, key_store_of, vault_of

if TYPE_CHECKING:
    from publish_ldap.directory import Directory

AUDIT_ORIGIN = "tillid/audit"


@dataclass(frozen=True, slots=True)
class Assembly:
    """Every part of one installation, joined."""

    settings: Settings
    database: Database
    personal: PersonalData
    tokens: Tokens
    issuers: Issuers
    certificates: Certificates
    statuses: Statuses
    bulk_revocations: BulkRevocations
    crls: Crls
    visible: Visibility
    ocsp_responses: OcspResponses
    officers: Officers
    applications: Applications
    holders: Holders
    holder_notices: HolderNotices
    mandates: Mandates
    associations: Associations
    credentials: Credentials
    revocation_secrets: RevocationSecrets
    letters: Letters
    publications: Publications
    directory_desk: DirectoryDesk
    directory_backfill: DirectoryBackfill
    directory_authorities: AuthorityPublications
    erasures: Erasures
    erasure_work: ErasureWork
    orders: Orders
    debts: DirectoryDebts
    vault: Vault
    consents: Consents
    person_files: PersonFiles
    search: SearchIndex
    job_runs: JobRuns
    alarm_book: AlarmBook
    cases: Cases
    case_contents: CaseContents
    deliveries: Deliveries
    subject_acts: SubjectActs
    duties: RevocationDuties
    persons: PersonParts
    policy: ProofingPolicy
    clock: ClockWatch
    seal_pace: SealPace
    published: PublishedWatch = field(default_factory=PublishedWatch)
    crl_work: CrlWork = field(default_factory=CrlWork)
    directory_work: DirectoryWork = field(default_factory=DirectoryWork)
    delivery_ports: DeliveryPorts | None = None
    """Addresses, attestation, logins and notices; None where no adapters are configured."""
    decisions: Decisions = field(default_factory=Decisions)
    """Whose signatures count at High, and what was assessed; kept outside the database."""

    @property
    def notifier(self) -> Notifier:
        """What carries notices to people: of deliveries and of cases alike."""
        return NoNotifier() if self.delivery_ports is None else self.delivery_ports.notifier

    def issuer(self, name: str) -> Issuer:
        """An issuer with its key; that of a root only while its token is online (`Tokens.online`).

        Raises: IssuerOffline when token or key is not there, KeyUnfit for another key and for one
        that could leave its token, ClockBehind while the clock lies behind the audit log.
        """
        self.clock.check(utc_now())
        record = self.issuers.get(name)
        issuer = self._able(record)
        self.tokens.check_for_use(record.token, record.key_label)
        return self._with_crls(issuer)

    def crl_signer(self, record: IssuerRecord) -> IssuingKey:
        """An issuer as the signer of its CRLs, whose dates never go back: the clock may lie behind.

        A key that is not fit to certify still revokes what it certified.

        Raises: as `issuer`, but for ClockBehind; NotFound while it has no certificate.
        """
        if record.certificate is None:
            raise NotFound("certificate of issuer", record.name)
        return IssuingKey(record.name, record.certificate, self._able(record).key)

    def _able(self, record: IssuerRecord) -> Issuer:
        """The issuer with its key, if that is at hand. Raises: as `issuer`, BackupRefused."""
        self.published.check(record, self.crl_file(record.name), self.crls)
        if record.is_root and not self.tokens.is_online(record.token):
            raise IssuerOffline(record.name, record.token)
        try:
            key = self.tokens.find(record.token, record.key_label)
        except TokenLocked:
            raise  # it is there, and custodians can open it
        except TokenNotFound:
            raise IssuerOffline(record.name, record.token) from None
        if key is None:
            raise IssuerOffline(record.name, record.token)
        certified = record.certificate
        if certified is not None and certified.public_key() != key.public_key():
            raise KeyUnfit(record.key_label, "it is not the key of the issuer's certificate")
        return record.with_key(key)

    def _with_crls(self, issuer: Issuer) -> Issuer:
        """The issuer with the complete CRL and the shards of it that relying parties can fetch."""
        found = self.crl_work.in_force(
            issuer.name, issuer.shards, lambda: self._in_force(issuer.name)
        )
        return replace(issuer, in_force=found)

    def _in_force(self, name: IssuerName) -> frozenset[int]:
        now = utc_now()
        return frozenset(
            each.shard
            for each in self.crls.lists(name)
            if each.shard != DELTA
            and each.next_update > now
            and (each.shard == COMPLETE or self.crl_file(name, each.shard).is_file())
        )

    def issuing(self, profile: Profile | None = None, authority: str | None = None) -> Issuer:
        """The issuer that certifies under a profile, or any, able to sign."""
        return self.issuer(self.issuing_record(profile, authority).name)

    def issuing_record(
        self, profile: Profile | None = None, authority: str | None = None
    ) -> IssuerRecord:
        """The current issuer of the authority named, or else of the first that may issue it.

        Raises:
            NotFound: there is no authority of that name.
            Conflict: it has no issuer that signs.
            IssuerOffline: no authority has a certificate and may issue under the profile.
        """
        records = self.issuers.all()
        if authority is None:
            found = issuer_for(records, profile)
        else:
            named = find_issuer(records, authority)
            if named is None:
                raise NotFound("issuer", authority)
            found = current_issuer(records, named.authority)
            if found is None:
                raise Conflict(f"authority {named.authority}", "without an issuer that signs")
        if found is None:
            raise IssuerOffline(IssuerName("issuing"), self.settings.hsm.issuing_token)
        return found

    def crl_policy(self, record: IssuerRecord) -> CrlPolicy:
        """How long a CRL of the issuer is valid, and when the next is made."""
        return crl_policy(self.settings, record)

    def crl_file(self, name: IssuerName, shard: int = COMPLETE) -> Path:
        """Where a CRL of an issuer is served from: as in its address."""
        return self.settings.state / "public" / "crl" / crl_place(name, shard)

    def directory(self, name: str) -> "Directory":
        """A directory of the settings, not connected yet.

        Raises: NotFound.
        """
        return directory_of(self.settings, name)

    def registers(self) -> tuple[Registers, SourceCatalogue]:
        """The registers that are asked; NoRegisters when none is configured."""
        if self.settings.registers.adapter == "fake":
            opened = self.settings.registers.fakes_opened(utc_now())
            known = joined(fake_catalogue(date(2020, 1, 1)), kept_catalogue(self.settings))
            return Registers(FakeCpr(opened), FakeDocumentStatus()), known
        raise NoRegisters

    def companies(self) -> tuple[CompanyRegister, SourceCatalogue]:
        """The register of legal persons that is asked; NoRegisters when none is configured."""
        if self.settings.registers.adapter == "fake":
            opened = self.settings.registers.fakes_opened(utc_now())
            return FakeCvr(opened), fake_catalogue(date(2020, 1, 1))
        raise NoRegisters

    def close(self) -> None:
        """Give back connections and tokens, when what is being published is."""
        self.directory_work.close()
        self.database.close()
        self.vault.keys.database.close()
        if self.search.database is not self.database:
            self.search.database.close()
        self.tokens.close()


def directory_of(settings: Settings, name: str) -> "Directory":
    """A directory of the settings, not connected yet. Raises: NotFound."""
    from publish_ldap.directory import Directory  # noqa: PLC0415 - slow

    table = settings.directories.get(name)
    if table is None:
        raise NotFound("directory", name)
    return Directory(table.settings(name))


def crl_place(name: IssuerName, shard: int) -> Path:
    """Where a CRL lies below the folder of CRLs, as below /crl/ in its address."""
    if shard == COMPLETE:
        return Path(f"{name}.crl")
    return Path(name) / ("delta.crl" if shard == DELTA else f"{shard}.crl")


def crl_policy(settings: Settings, record: IssuerRecord) -> CrlPolicy:
    """The issuer's own, or the settings'; a root's is a month, for its key is seldom at hand."""
    of, crl = record.policy, settings.crl
    times = (timedelta(hours=crl.validity_hours), timedelta(hours=crl.renew_margin_hours))
    if of.crl_validity is not None and of.crl_renew_margin is not None:
        times = (of.crl_validity, of.crl_renew_margin)
    elif record.is_root:
        times = (timedelta(days=31), timedelta(days=10))
    return CrlPolicy(*times, of.crl_keep_expired)


@contextmanager
def assembled(
    settings: Settings, *, checked: bool = True, ask_pin: AskPin | None = None
) -> Iterator[Assembly]:
    """Join the parts and take them apart again; `ask_pin` opens tokens that custodians hold.

    Raises:
        MalformedRequest: the list of compromised keys cannot be read.
        DatabaseUnavailable: the database is not there, not durable, or of another schema.
        SettingsRefused: the register of processors lacks who runs a directory.
    """
    run_by = {name: table.processor for name, table in settings.directories.items()}
    require_processors(run_by, settings.controller.processors_file)
    assembly = _join(
        settings, Database(settings.database.url.reveal()), Tokens(settings.hsm, ask_pin)
    )
    try:
        if checked:
            assembly.database.check_durable()
            check_schema(assembly.database)
        # What is there by now stays, so the collector need not look at it again and again.
        gc.freeze()
        yield assembly
    finally:
        assembly.close()


def _responses(settings: Settings, database: Database) -> OcspResponses:
    """Those of a node that may read from a replica tell when it lags."""
    if not settings.public.only:
        return OcspResponses(database)
    return ReplicaResponses(database, timedelta(seconds=settings.public.replica_seconds))


def _index_key(settings: Settings, tokens: Tokens) -> WrappingKey:
    """The key in the token that wraps the key of the search index."""
    return wrapping_key_of(tokens.open(settings.hsm.service_token), SEARCH_KEY)


def _decisions(settings: Settings) -> Decisions:
    file = settings.delivery.decisions_file
    return Decisions() if file is None else read_decisions(file)


def _join(settings: Settings, database: Database, tokens: Tokens) -> Assembly:
    file = settings.keys.compromised_file
    compromised = frozenset[str]() if file is None else read_compromised(file)
    key_store = key_store_of(settings, tokens)
    personal = PersonalData(key_store)
    search = SearchIndex(
        index_database(database, settings.state), partial(_index_key, settings, tokens)
    )
    crls = Crls(database)
    alone = settings.revocation.alone_per_hour
    tables = settings.directories.items()
    directories = {name: table.devices() for name, table in tables if table.certificates}
    issuers = Issuers(database)
    certificates = Certificates(database, personal, directories, compromised)
    further = [
        DirectoryCollector(each, partial(directory_of, settings, each), certificates, issuers)
        for each in directories
    ]
    return Assembly(
        settings=settings,
        database=database,
        personal=personal,
        tokens=tokens,
        issuers=issuers,
        certificates=certificates,
        statuses=Statuses(database, alone),
        bulk_revocations=BulkRevocations(database, alone),
        crls=crls,
        visible=Visibility(database),
        ocsp_responses=_responses(settings, database),
        officers=Officers(database, personal),
        applications=Applications(database, personal),
        holders=Holders(database),
        holder_notices=HolderNotices(database),
        mandates=Mandates(database, personal),
        associations=Associations(database),
        credentials=Credentials(database, personal),
        revocation_secrets=RevocationSecrets(database),
        letters=Letters(database),
        publications=Publications(database, personal),
        directory_desk=DirectoryDesk(database),
        directory_backfill=DirectoryBackfill(database, directories),
        directory_authorities=AuthorityPublications(database),
        erasures=Erasures(database, crls, erasure_rules(settings), search.forget),
        erasure_work=ErasureWork(database),
        orders=Orders(database),
        debts=DirectoryDebts(database),
        vault=vault_of(settings, database, key_store),
        consents=Consents(database, personal, tuple(directories)),
        person_files=PersonFiles(database, personal, further),
        search=search,
        job_runs=JobRuns(database),
        alarm_book=AlarmBook(database),
        policy=ProofingPolicy(read_terms_library(), shipped_policy(STANDARD)),
        cases=Cases(database, personal),
        case_contents=CaseContents(database, personal),
        deliveries=Deliveries(database, personal),
        subject_acts=SubjectActs(database),
        duties=RevocationDuties(database),
        persons=person_parts(settings, database, personal),
        clock=ClockWatch(database),
        delivery_ports=fake_ports(utc_now()) if settings.registers.adapter == "fake" else None,
        decisions=_decisions(settings),
        seal_pace=SealPace(settings.keystore.seal_minutes * 60, settings.keystore.seal_at_once),
    )

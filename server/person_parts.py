"""The parts that proofing natural persons needs beside applications: stores, ports, catalogue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from ra.biometrics import BiometricComparator
from ra.fake_services import FakeComparator, FakeLogins, FakeNotifier
from ra.logins import LoginProvider
from ra.notices import Notifier
from ra.source_catalogue import parse_catalogue
from ra.sources import SourceCatalogue
from records.database import Database
from records.derivations import Derivations
from records.failed_attempts import FailedAttempts
from records.personal_data import PersonalData
from records.presentations import Presentations
from records.proofing_nonces import ProofingNonces
from records.trainings import Trainings
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class PersonPorts:
    """Whom a proofing asks beside registers; what is not there is refused when it is needed."""

    logins: Mapping[str, LoginProvider] = field(default_factory=lambda: MappingProxyType({}))
    """By the id of the source."""
    comparator: Callable[[datetime], BiometricComparator] | None = None
    """The comparator as it is at a moment."""
    post: Notifier | None = None


@dataclass(frozen=True, slots=True)
class PersonParts:
    """Stores and ports."""

    trainings: Trainings
    presentations: Presentations
    nonces: ProofingNonces
    attempts: FailedAttempts
    derivations: Derivations
    ports: PersonPorts


def person_parts(settings: Settings, database: Database, personal: PersonalData) -> PersonParts:
    """The parts on one database; the ports are test equipment where the registers are."""
    return PersonParts(
        trainings=Trainings(database),
        presentations=Presentations(database),
        nonces=ProofingNonces(database),
        attempts=FailedAttempts(database, personal),
        derivations=Derivations(database),
        ports=_fakes() if settings.registers.adapter == "fake" else PersonPorts(),
    )


def _fakes() -> PersonPorts:
    login = FakeLogins(MappingProxyType({}), MappingProxyType({}))
    return PersonPorts(
        logins=MappingProxyType({login.source_id: login}),
        comparator=FakeComparator,
        post=FakeNotifier(),
    )


def kept_catalogue(settings: Settings) -> SourceCatalogue:
    """The catalogue that the issuer keeps in a file; an empty one without a file.

    Raises:
        CatalogueFaulty: the file is not of its form.
        OSError: it cannot be read.
    """
    file = settings.registers.catalogue_file
    return SourceCatalogue() if file is None else parse_catalogue(file.read_bytes())


def joined(first: SourceCatalogue, second: SourceCatalogue) -> SourceCatalogue:
    """What either catalogue approves."""
    return SourceCatalogue(
        (*first.sources, *second.sources),
        first.allows_test_equipment,
        (*first.equivalences, *second.equivalences),
        (*first.telephones, *second.telephones),
    )

"""What the database holds in the middle of proofings of natural persons."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from ra.applications import Application, ApplicationId
from ra.assessment import conclude
from ra.evidence import Officer as RaOfficer
from ra.further_evidence import Deviation
from ra.levels import AssuranceLevel
from ra.package import package_hash
from ra.persons import digest, refer, resolve_by_officer
from ra.terms import FOR_APPLICANTS
from records.derivations import Derivations, credential_digest, edge
from records.failed_attempts import FailedAttempts
from records.officers import Officer, Role
from records.presentations import Presentations
from records.proofing_nonces import ProofingNonces
from records.proofing_records import add_resolution
from records.trainings import Trainings
from tests.support.ra_builders import CATALOGUE, NOW, examined, policy
from tests.support.stores import Stores, in_proofing, package_of, submitted

_LATER = NOW + timedelta(minutes=1)
TRAINED_UNTIL = date(2099, 1, 1)


def referred(stores: Stores, officer: Officer) -> Application:
    """A name that is not the document's, referred by the officer who saw it."""
    taken = in_proofing(stores, officer, submitted(surname="Nyborg"))
    seen = examined(taken)
    stores.applications.update(taken, seen, officer.id, NOW)
    after = refer(seen, CATALOGUE, policy(), NOW)
    stores.applications.update(seen, after, officer.id, NOW)
    return after


def resolved(stores: Stores, officer: Officer, second: Officer) -> Application:
    """The same, resolved by a second officer and verified by the first."""
    before = referred(stores, officer)
    who = RaOfficer(second.id, second.person_id, trained_until=TRAINED_UNTIL)
    note = "the register shows the earlier name"
    after = resolve_by_officer(before, who, Deviation.CHANGED_NAME, note, _LATER)
    stores.applications.update(
        before, after, second.id, _LATER, also=lambda tx: add_resolution(tx, before, after)
    )
    found = conclude(after, CATALOGUE, policy(), _LATER)
    found = replace(found, package_hash=package_hash(package_of(found)))
    stores.applications.update(after, found, officer.id, _LATER)
    return found


def tell_persons(stores: Stores, people: dict[str, Officer], now: datetime) -> dict[str, object]:
    """Everything of it; gives the names of what stands there.

    `people` holds two registration officers, `proofer` and `other`.
    """
    administrator = stores.officer(Role.SECURITY_ADMINISTRATOR, now)
    manager = stores.officer(Role.SECURITY_ADMINISTRATOR, now)
    days = (now.date(), now.date() + timedelta(days=300))
    training = Trainings(stores.database).record(people["proofer"].id, days, manager, now)
    young = replace(submitted(), id=ApplicationId.random(), created_at=now)
    stores.applications.add(young, "secret", now)
    nonces = ProofingNonces(stores.database)
    used, open_ = (nonces.ask(young.id, "login", now, timedelta(hours=1)) for _ in range(2))
    nonces.use(used, young.id, "login", now)
    _show(stores, now)
    attempts = FailedAttempts(stores.database, stores.personal)
    derivations = Derivations(stores.database)
    with stores.database.write() as tx:
        attempts.add(tx, young.id, young.applicant.claim, now)
        for credential in ("decided", "open"):
            of = credential_digest("test:login", credential)
            edge(young.id, of, AssuranceLevel.HIGH, now)(tx)
    derivations.open_reviews("test:login", "decided", manager, now)
    derivations.decide(young.id, "stands", administrator, now)
    derivations.open_reviews("test:login", "open", manager, now)
    waiting = referred(stores, people["other"])
    done = resolved(stores, people["other"], people["proofer"])
    return {
        "training": training.id,
        "manager": manager.id,
        "manager_person": manager.person_id,
        "administrator": administrator.id,
        "administrator_person": administrator.person_id,
        "young_application": str(young.id),
        "open_credential": credential_digest("test:login", "open"),
        "decided_credential": credential_digest("test:login", "decided"),
        "referred_application": str(waiting.id),
        "resolved_application": str(done.id),
        "resolved_package": done.package_hash,
        "used_nonce": digest(used),
        "open_nonce": digest(open_),
    }


def _show(stores: Stores, now: datetime) -> None:
    """A session that came to the end of one text, and not of the other."""
    presentations = Presentations(stores.database)
    texts = [policy().terms.in_force(kind, now)[0] for kind in FOR_APPLICANTS]
    session = presentations.begin(texts, now)
    presentations.complete(session, texts[0].sha256, now)

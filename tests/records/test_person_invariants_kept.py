"""The same invariants with every change kept in a database, on both engines; and many at once."""

import json
import secrets
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from threading import Barrier

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import text

from ra.applications import Application, ApplicationId, ApplicationState, start_proofing
from ra.approvals import ApprovedApplication
from ra.assessment import conclude
from ra.errors import Conflict, Refused
from ra.evidence import Officer as RaOfficer
from ra.package import package_hash
from records.audit_log import audit_log
from records.database import Database
from records.officers import Officer, Role
from records.proofing_records import add_resolution
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.person_machine import Cast, PersonMachine, staff_of
from tests.support.person_story import TRAINED_UNTIL
from tests.support.ra_builders import (
    CATALOGUE,
    NOW,
    PROFILE,
    SigningOfficer,
    examined,
    policy,
)
from tests.support.stores import (
    ISSUING,
    SECRET,
    Stores,
    approval_by,
    package_of,
    staff_order,
    submitted,
)
from tests.support.story_sql import copied

APPLICATIONS, PEOPLE = 200, 4


@dataclass(frozen=True)
class Kept:
    """The machine's store, on a database."""

    stores: Stores

    def add(self, application: Application) -> None:
        self.stores.applications.add(application, SECRET, NOW)

    def get(self, of: ApplicationId) -> Application:
        return self.stores.applications.get(of)

    def update(self, before: Application, after: Application, actor: str) -> None:
        resolved = len(after.further.resolutions) > len(before.further.resolutions)
        also = partial(add_resolution, before=before, after=after) if resolved else None
        self.stores.applications.update(before, after, actor, after.updated_at, also)

    def approve(self, before: Application, approved: ApprovedApplication) -> None:
        self.stores.applications.approve(before, approved, approved.approval.at)

    def events(self) -> int:
        with audit_log(self.stores.database) as log:
            return log.size()


def test_no_step_that_is_kept_breaks_an_invariant(database: Database) -> None:
    stores, now = Stores(database), utc_now()
    staff = [stores.officer(Role.REGISTRATION_OFFICER, now) for _ in range(3)]
    approvers = [stores.officer(Role.APPROVING_OFFICER, now) for _ in range(2)]
    cast = Cast(
        staff_of({each.id: each.person_id for each in staff}, staff[-1].id, NOW),
        tuple(SigningOfficer(RaOfficer(each.id, each.person_id)) for each in approvers),
        lambda: f"subject-{secrets.token_hex(8)}",
        PROFILE,
    )

    reached = Counter[ApplicationState]()

    class Machine(PersonMachine):
        def __init__(self) -> None:
            super().__init__()
            self.reached = reached
            self.store = Kept(stores)
            self.cast = cast

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=6,
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
    assert reached[ApplicationState.PROOFING]


@dataclass(frozen=True)
class Colleague:
    """One person with two accounts: one that vets and one that approves."""

    vetting: Officer
    approving: Officer


def test_two_hundred_applications_pass_four_people_at_once(database: Database) -> None:
    stores, start = Stores(database), Barrier(PEOPLE)
    stores.issuer()
    people = [_colleague(stores) for _ in range(PEOPLE)]
    made: dict[int, ApplicationId] = {}
    refused = Counter[type[Exception]]()

    def work(own: int) -> None:
        try:
            work_through(own)
        except BaseException:
            start.abort()  # the others would wait for ever
            raise

    def work_through(own: int) -> None:
        me = people[own]
        for number in range(own, APPLICATIONS, PEOPLE):
            new = submitted()
            stores.applications.add(new, SECRET, NOW)
            made[number] = new.id
        start.wait()
        for number in _to_vet(own):
            _count(refused, partial(_vet, stores, made[number], me.vetting))
        start.wait()
        for number in _to_approve(own):
            _count(refused, partial(_approve, stores, made[number], me.approving))

    at_once([partial(work, own) for own in range(PEOPLE)])

    told = _events(database)
    for of in made.values():
        found = stores.applications.get(of)
        approval, _ = stores.applications.approval(found)
        assert found.state is ApplicationState.APPROVED
        assert found.officer is not None
        assert approval.person_id != found.officer.person_id
        assert told[of] == Counter(
            {
                f"application.{state}": 1
                for state in ("submitted", "proofing", "verified", "approved")
            }
        )
    # Where two reach for one, one of them is late, or had vetted what is to be approved.
    assert refused.total() == 2 * APPLICATIONS // 5
    assert set(refused) <= {Conflict, Refused}


def _to_vet(own: int) -> list[int]:
    """Those of this person; for every fifth somebody else reaches, too."""
    turns = range(APPLICATIONS)
    return [n for n in turns if n % PEOPLE == own or (n % 5 == 0 and (n + 1) % PEOPLE == own)]


def _to_approve(own: int) -> list[int]:
    """Those of another one; for every fifth two people reach, and one may have vetted it."""
    turns = range(APPLICATIONS)
    return [n for n in turns if (n + 2) % PEOPLE == own or (n % 5 == 0 and n % PEOPLE == own)]


def _count(refused: "Counter[type[Exception]]", act: partial[None]) -> None:
    try:
        act()
    except (Conflict, Refused) as error:
        refused[type(error)] += 1


def _vet(stores: Stores, of: ApplicationId, officer: Officer) -> None:
    before = stores.applications.get(of)
    who = RaOfficer(officer.id, officer.person_id, trained_until=TRAINED_UNTIL)
    taken = examined(start_proofing(before, who, NOW))
    stores.applications.update(before, taken, officer.id, NOW)
    found = conclude(taken, CATALOGUE, policy(), NOW)
    found = replace(found, package_hash=package_hash(package_of(found)))
    stores.applications.update(taken, found, officer.id, NOW)


def _approve(stores: Stores, of: ApplicationId, officer: Officer) -> None:
    before = stores.applications.get(of)
    stores.applications.approve(before, approval_by(officer, before), NOW)


def _events(database: Database) -> dict[str, "Counter[str]"]:
    told: dict[str, Counter[str]] = {}
    with audit_log(database) as log:
        for entry in log.page(0, log.size()):
            header = json.loads(entry.header)
            told.setdefault(header["o"], Counter()).update([header["e"]])
    return told


def _colleague(stores: Stores) -> Colleague:
    now = utc_now()
    vetting = stores.officer(Role.REGISTRATION_OFFICER, now)
    invited = stores.officers.invite("Ole Officer", Role.APPROVING_OFFICER, now)
    second = Officer(
        f"officer-{secrets.token_hex(8)}",
        vetting.person_id,
        Role.APPROVING_OFFICER,
        invited.subject_id,
        "invited",
    )
    with stores.database.write() as tx:
        statement = copied("officer", "id = :old", id=":id", person_id=":person")
        values = {"old": invited.id, "id": second.id, "person": second.person_id}
        tx.execute(text(statement), values)
    stores.officers.enrol(second.id, ISSUING, stores.issue(staff_order(second), now), now)
    return Colleague(vetting, second)

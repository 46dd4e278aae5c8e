"""Duties to revoke in the database: opened once, done by any revocation, dismissed by two."""

from datetime import datetime, timedelta
from functools import partial

import pytest

from ra.revocation_duties import Credential, DutyCause, DutyState, NoReason
from records.database import Database
from records.errors import Conflict, NotFound, RuleBroken
from records.officers import Officer, Role
from records.revocation_duties import QUIET, open_duties_of
from revocation.causes import Cause, Grounds
from revocation.reasons import Reason
from revocation.selections import Selection
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.duties import credential_of, opened
from tests.support.organisation_story import PROPOSED, REGISTERED, OrganisationStory
from tests.support.stores import Person, Stores, a_person

DEATH, MISSING = DutyCause.DEATH, DutyCause.MISSING
WHY = NoReason.REGISTER_WRONG


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


@pytest.fixture
def person(stores: Stores) -> Person:
    return a_person(stores)


@pytest.fixture
def now() -> datetime:
    return utc_now()


@pytest.fixture
def two(stores: Stores, now: datetime) -> list[Officer]:
    return [stores.officer(Role.SECURITY_ADMINISTRATOR, now) for _ in range(2)]


def test_a_duty_is_opened_once_and_its_deadline_follows_from_its_cause(
    stores: Stores, person: Person, now: datetime
) -> None:
    duty = stores.duties.get(opened(stores, person, DEATH, now))

    assert (duty.state, duty.deadline) == (DutyState.OPEN, now + DEATH.time_to_act)
    assert stores.duties.open(credential_of(person), DEATH, "system:registers", now) is None
    assert stores.duties.open(credential_of(person), MISSING, "system:registers", now)
    assert [each.cause for each in stores.duties.all(DutyState.OPEN)].count(DEATH) == 1


def test_two_who_open_the_same_duty_at_once_open_one(
    stores: Stores, person: Person, now: datetime
) -> None:
    credential = credential_of(person)

    opening = partial(stores.duties.open, credential, DEATH, "system:registers", now)
    outcomes = at_once([opening] * 4)

    assert len([each for each in outcomes if isinstance(each, str)]) == 1
    assert stores.count("revocation_duty") == 1


def test_a_revocation_by_any_way_does_every_duty_of_its_certificate(
    stores: Stores, person: Person, two: list[Officer], now: datetime
) -> None:
    duties = [opened(stores, person, cause, now) for cause in (DEATH, MISSING)]
    stores.statuses.hold(*person.place, "system:x", now)
    assert stores.duties.get(duties[0]).state is DutyState.OPEN

    stores.statuses.revoke(*person.place, Grounds(Cause.DEATH), two[0].id, now)

    for each in duties:
        done = stores.duties.get(each)
        assert (done.state, done.decided_by, done.decided_at) == ("revoked", two[0].id, now)
    assert stores.certificates.record(*person.place).reason is Reason.CESSATION_OF_OPERATION


def test_a_bulk_revocation_does_the_duty(
    stores: Stores, person: Person, two: list[Officer], now: datetime
) -> None:
    duty = opened(stores, person, DEATH, now)
    plan = stores.bulk.plan(Selection({person.place: 1}), Grounds(Cause.REPLACED), two[0].id, now)
    stores.bulk.begin(plan.id, plan.sha256, two[1].id, now)
    stores.bulk.carry_on(plan.id, now)

    assert stores.duties.get(duty).state is DutyState.REVOKED


def test_a_dismissal_takes_two_persons_who_say_the_same(
    stores: Stores, person: Person, two: list[Officer], now: datetime
) -> None:
    duty = opened(stores, person, DEATH, now)
    first, second = two

    assert stores.duties.dismiss(duty, WHY, first, now).state is DutyState.OPEN
    with pytest.raises(RuleBroken, match="DTR05"):
        stores.duties.dismiss(duty, WHY, first, now)
    with pytest.raises(Conflict):
        stores.duties.dismiss(duty, NoReason.OTHER_PERSON, second, now)
    done = stores.duties.dismiss(duty, WHY, second, now)

    assert (done.state, done.proposed_by, done.decided_by) == ("dismissed", first.id, second.id)
    with pytest.raises(Conflict):
        stores.duties.dismiss(duty, WHY, second, now)


def test_only_a_security_administrator_proposes_a_dismissal(
    stores: Stores, person: Person, now: datetime
) -> None:
    duty = opened(stores, person, DEATH, now)

    with pytest.raises(RuleBroken, match="DTR04"):
        stores.duties.dismiss(duty, WHY, stores.officer(Role.AUDITOR, now), now)
    with pytest.raises(NotFound):
        stores.duties.dismiss("D-0", WHY, stores.officer(Role.AUDITOR, now), now)


def test_a_dismissed_cause_rests_for_a_while_and_then_counts_again(
    stores: Stores, person: Person, two: list[Officer], now: datetime
) -> None:
    duty = opened(stores, person, DEATH, now)
    for officer in two:
        stores.duties.dismiss(duty, WHY, officer, now)
    credential = credential_of(person)

    assert stores.duties.open(credential, DEATH, "system:registers", now) is None
    later = now + QUIET + timedelta(days=1)
    assert stores.duties.open(credential, DEATH, "system:registers", later) is not None


def test_the_end_of_an_association_opens_a_duty_for_each_live_credential(
    stores: Stores, person: Person, now: datetime
) -> None:
    def ended() -> tuple[str, ...]:
        with stores.database.write() as tx:
            return open_duties_of(
                tx, person.subject_id, DutyCause.ASSOCIATION_ENDED, "system:registers", now
            )

    (duty,) = ended()
    assert stores.duties.get(duty).credential == credential_of(person)
    assert ended() == ()
    stores.revoked(person.certificate, now)
    assert ended() == ()


def test_a_duty_is_about_a_certificate_of_the_subject_that_is_in_force(
    stores: Stores, person: Person, now: datetime
) -> None:
    credential = credential_of(person)
    other = Credential(credential.issuer, credential.serial, "subject-0")
    with pytest.raises(RuleBroken, match="DTR01"):
        stores.duties.open(other, DEATH, "system:registers", now)
    assert [each for each, _ in stores.duties.live(now)].count(credential) == 1
    stores.revoked(person.certificate, now)
    assert stores.duties.live(now) == ()
    with pytest.raises(RuleBroken, match="DTR01"):
        stores.duties.open(credential, DEATH, "system:registers", now)


def test_what_no_mandate_carries_is_found(stores: Stores, now: datetime) -> None:
    roles = (Role.REGISTRATION_OFFICER, Role.APPROVING_OFFICER)
    checker, approver = (stores.officer(role, now) for role in roles)
    told = OrganisationStory(stores, (checker, approver), now)
    names = told.tell()
    # The company is registered by a mandate; that nobody administers its people ends a role.
    (found,) = stores.duties.without_mandate(now)
    assert found.serial == names["carrying"]
    assert stores.duties.without_mandate(now, REGISTERED) == (found,)
    assert stores.duties.without_mandate(now, PROPOSED) == ()
    told.administered()
    assert stores.duties.without_mandate(now) == ()

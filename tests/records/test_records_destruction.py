"""The one transaction that deletes a person, what it leaves, and what follows it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

import ra.errors
from gdpr_erasure.erasures import (
    DirectoryPolicy,
    DirectorySeen,
    Erasure,
    ErasureRules,
    ErasureState,
)
from gdpr_erasure.policies import BUILT_IN
from ra.applications import ApplicationState
from records.database import Database
from records.erasures import Erasures
from records.errors import NotFound, RuleBroken
from records.officers import Officer
from records.orders import NewOrder
from revocation.publication import NewPieces
from revocation.status import Revoked
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.erasures import (
    administrators,
    ready,
    requested,
    to_sealed,
)
from tests.support.stores import (
    DIRECTORY,
    Person,
    Stores,
    a_person,
    contents,
)

NOW = utc_now()
NSIS = (BUILT_IN["nsis"],)
UNTIL_EXPIRY = (BUILT_IN["keep_until_expiry"],)


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


@pytest.fixture
def two(stores: Stores) -> tuple[Officer, Officer]:
    return administrators(stores, NOW)


@pytest.fixture
def person(stores: Stores) -> Person:
    """Revoked, seen to be revoked, and withdrawn."""
    found = a_person(stores, NOW)
    stores.publish_all(NOW)
    place = stores.revoked(found.certificate, NOW)
    stores.crl(NOW)
    stores.observe_all(place, NOW)
    stores.withdraw_all(NOW)
    return found


def destroyed(stores: Stores, case: Erasure, now: datetime = NOW) -> Erasure:
    after = stores.erasures.destroy(case, now)
    assert after is not None
    return after


def test_destruction_deletes_everything_and_leaves_the_residue(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    done = destroyed(stores, ready(stores, person.subject_id, two, NOW))

    assert (done.state, done.epoch, done.subject_id) == (ErasureState.DESTROYED, None, None)
    assert stores.erasures.note_epoch(done, 7).epoch == 7
    assert stores.erasures.note_epoch(done, 8).epoch == 7
    assert done.places == (person.place,)
    assert done.evidence["destroyed"] == {
        "applications": 1,
        "approvals": 1,
        "cases": 0,
        "proofings": 0,
        "certificates": 1,
        "consents": 1,
        "duties": 0,
        "keys": 3,
        "left": 0,
        "owed": 0,
        "payloads_dropped": 1,
        "publications": 1,
    }
    assert isinstance(stores.statuses.status_of(*person.place), Revoked)
    left = [row for row in contents(stores.database) if person.subject_id in row]
    assert left == []
    assert stores.count("revocation_residue") == 1


def test_the_places_are_forgotten_once_they_were_seen_again(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = to_sealed(stores, destroyed(stores, ready(stores, person.subject_id, two, NOW)), NOW)

    done = stores.erasures.finish(case, "the receipt", NOW)

    assert case.places == ()
    assert (done.state, done.receipts) == (ErasureState.DONE, ("the receipt",))
    assert stores.erasures.open_erasures() == ()


def test_what_a_duty_keeps_stays_under_its_own_key_and_goes_later(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = ready(stores, person.subject_id, two, NOW, NSIS)
    end = date(NOW.year + 5, 12, 31)
    assert case.final_on == end

    part = destroyed(stores, case)
    assert part.subject_id == person.subject_id
    assert part.evidence["destroyed"] == {
        "applications": 0,
        "approvals": 0,
        "certificates": 1,
        "cases": 0,
        "proofings": 0,
        "consents": 0,
        "duties": 0,
        "keys": 2,
        "left": 1,
        "owed": 0,
        "payloads_dropped": 1,
        "publications": 1,
    }
    part = stores.erasures.finish(to_sealed(stores, part, NOW), "the first", NOW)
    assert part.state is ErasureState.SCHEDULED
    with pytest.raises(ra.errors.NotFound):
        stores.applications.get(person.application.id)
    assert stores.applications.in_state(ApplicationState.FULFILLED, ApplicationState.APPROVED) == ()
    for statement in (
        f"DELETE FROM application WHERE subject_id = '{person.subject_id}'",  # noqa: S608
        f"UPDATE application SET keep_until = NULL WHERE subject_id = '{person.subject_id}'",  # noqa: S608
    ):
        with pytest.raises(RuleBroken) as refusal, stores.database.write() as tx:
            tx.exec_driver_sql(statement)
        assert refusal.value.code == "PKI33"

    order = stores.orders.ask(
        NewOrder("shorten", "GDPR 5(1)(e)", person.subject_id, until_at=NOW - timedelta(days=1)),
        two[0].id,
        NOW,
    )
    with pytest.raises(RuleBroken) as refusal:
        stores.orders.approve(order.id, two[0].id, NOW)
    assert refusal.value.code == "RET03"
    stores.orders.approve(order.id, two[1].id, NOW)
    rest = destroyed(stores, part, NOW + timedelta(seconds=1))
    assert (rest.subject_id, rest.evidence["destroyed"]["applications"]) == (None, 1)  # type: ignore[index]
    done = stores.erasures.finish(to_sealed(stores, rest, NOW), "the second", NOW)
    assert (done.state, done.receipts) == (ErasureState.DONE, ("the first", "the second"))
    assert [row for row in contents(stores.database) if person.subject_id in row] == []


def test_a_certificate_that_is_kept_until_its_expiry_stays_revoked(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    part = destroyed(stores, ready(stores, person.subject_id, two, NOW, UNTIL_EXPIRY))

    assert part.places == (person.place,)
    assert part.evidence["destroyed"] == {
        "applications": 1,
        "approvals": 1,
        "certificates": 0,
        "cases": 0,
        "proofings": 0,
        "consents": 0,
        "duties": 0,
        "keys": 2,
        "left": 1,
        "owed": 0,
        "payloads_dropped": 1,
        "publications": 1,
    }
    assert isinstance(stores.statuses.status_of(*person.place), Revoked)
    with pytest.raises(RuleBroken) as refusal, stores.database.write() as tx:
        tx.exec_driver_sql(f"DELETE FROM data_key WHERE subject_id = '{person.subject_id}'")  # noqa: S608
    assert refusal.value.code == "PKI15"


def test_nothing_is_destroyed_under_a_legal_hold(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = ready(stores, person.subject_id, two, NOW)
    hold = stores.orders.ask(NewOrder("hold", "BS 1/26", person.subject_id), two[0].id, NOW)
    stores.orders.approve(hold.id, two[1].id, NOW)
    before = contents(stores.database)

    assert stores.erasures.destroy(case, NOW) is None
    assert contents(stores.database) == before
    with pytest.raises(RuleBroken) as refusal, stores.database.write() as tx:
        tx.exec_driver_sql(f"DELETE FROM certificate WHERE subject_id = '{person.subject_id}'")  # noqa: S608
    assert refusal.value.code == "PKI34"

    ends = stores.orders.ask(NewOrder("release", "BS 1/26", hold_id=hold.id), two[1].id, NOW)
    assert stores.erasures.destroy(case, NOW) is None
    stores.orders.approve(ends.id, two[0].id, NOW)
    destroyed(stores, case)


def test_a_destruction_that_is_refused_leaves_everything(
    stores: Stores, two: tuple[Officer, Officer]
) -> None:
    person = a_person(stores, NOW)
    stores.publish_all(NOW)
    place = stores.revoked(person.certificate, NOW)
    stores.observe_all(place, NOW)
    case = ready(stores, person.subject_id, two, NOW)
    before = contents(stores.database)

    with pytest.raises(RuleBroken) as refusal:
        stores.erasures.destroy(case, NOW)
    assert refusal.value.code == "PKI05"
    assert contents(stores.database) == before


def test_a_directory_in_debt_lets_the_destruction_go_on_and_still_owes(
    stores: Stores, two: tuple[Officer, Officer]
) -> None:
    stores.erasures = Erasures(
        stores.database, stores.crls, ErasureRules(directories={DIRECTORY: DirectoryPolicy.DEBT})
    )
    person = a_person(stores, NOW)
    stores.publish_all(NOW)
    stores.observe_all(stores.revoked(person.certificate, NOW), NOW)
    case = ready(stores, person.subject_id, two, NOW)
    assert stores.erasures.directories(case) == (DirectorySeen(DIRECTORY, "owed", None, 1),)

    case = to_sealed(stores, destroyed(stores, case), NOW)
    case = stores.erasures.finish(case, "the first", NOW)

    (debt,) = stores.debts.due(DIRECTORY, 10, NOW)
    assert (debt.issuer, debt.serial) == person.place
    assert stores.debts.settled() == ()
    stores.debts.failed(debt, "down", NOW + timedelta(hours=1))
    assert stores.debts.due(DIRECTORY, 10, NOW) == ()
    stores.debts.paid(debt, NOW)
    assert stores.debts.settled() == (case,)
    stores.debts.settle(case, "the second", NOW)
    assert stores.debts.settled() == ()
    assert stores.erasures.erasure(case.id).receipts == ("the first", "the second")
    assert stores.count("directory_debt") == 0


def test_two_persons_write_off_a_directory_that_is_gone(
    stores: Stores, two: tuple[Officer, Officer]
) -> None:
    person = a_person(stores, NOW)
    stores.publish_all(NOW)
    stores.observe_all(stores.revoked(person.certificate, NOW), NOW)
    case = ready(stores, person.subject_id, two, NOW)
    assert stores.erasures.directories(case)[0].holds_up
    new = NewOrder("write_off", "decommissioned", directory=DIRECTORY)
    order = stores.orders.ask(new, two[0].id, NOW)
    assert stores.erasures.directories(case)[0].holds_up

    stores.orders.approve(order.id, two[1].id, NOW)

    assert stores.erasures.directories(case)[0].outcome == "written_off"
    destroyed(stores, case)


def test_a_certificate_revoked_after_the_request_is_looked_at_too(stores: Stores) -> None:
    person = a_person(stores, NOW)
    case = requested(stores, person.subject_id, NOW)
    stores.revoked(person.certificate, NOW)

    assert stores.erasures.erasure(case.id).places == (person.place,)


def test_a_certificate_that_crls_no_longer_show_is_not_looked_for(
    stores: Stores, person: Person
) -> None:
    case = requested(stores, person.subject_id, NOW)
    stores.crl(stores.certificates.record(*person.place).not_after + timedelta(days=1))

    assert stores.erasures.erasure(case.id).places == ()


def test_what_a_shard_no_longer_shows_is_looked_for_while_the_complete_crl_does(
    stores: Stores, person: Person
) -> None:
    case = requested(stores, person.subject_id, NOW)
    later = stores.certificates.record(*person.place).not_after + timedelta(days=1)
    of_shard = replace(stores.crl(NOW), shard=1, number=1, this_update=later)
    stores.crls.record_crl((of_shard, NewPieces([])))

    assert stores.erasures.erasure(case.id).places == (person.place,)


def test_an_erased_certificate_that_expires_is_not_looked_for_again(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    expiry = stores.certificates.record(*person.place).not_after
    case = destroyed(stores, ready(stores, person.subject_id, two, NOW))
    stores.crl(expiry + timedelta(days=1))

    assert stores.erasures.erasure(case.id).places == ()


def test_residue_that_is_still_listed_is_not_purged(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    destroyed(stores, ready(stores, person.subject_id, two, NOW))
    far = datetime(2060, 1, 1, tzinfo=UTC)

    assert stores.debts.purge_residue(10, far) == 0
    assert stores.count("revocation_residue") == 1
    (erased,) = stores.debts.erased_since(DIRECTORY, NOW - timedelta(hours=1))
    assert (erased.issuer, erased.serial) == person.place


def test_the_night_finds_only_whose_everything_ended_a_while_ago(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    good = a_person(stores, NOW)
    with stores.database.write() as tx:
        tx.exec_driver_sql("UPDATE application SET state = 'fulfilled'")

    assert stores.orders.ended_subjects(NOW) == ()
    later = NOW + timedelta(days=40)
    assert stores.orders.ended_subjects(later) == (person.subject_id,)
    assert good.subject_id not in stores.orders.ended_subjects(later)
    requested(stores, person.subject_id, later)
    assert stores.orders.ended_subjects(later) == ()
    assert two[0].subject_id not in stores.orders.ended_subjects(NOW + timedelta(days=9000))


def test_a_race_between_a_hold_and_the_destruction_loses_nothing_that_is_held(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = ready(stores, person.subject_id, two, NOW)
    hold = stores.orders.ask(NewOrder("hold", "BS 1/26", person.subject_id), two[0].id, NOW)
    before = stores.count("certificate")

    held, gone = at_once(
        [
            partial(was_held, stores, hold.id, two[1].id),
            partial(stores.erasures.destroy, case, NOW),
        ]
    )

    assert held is (gone is None)
    assert stores.count("certificate") == before - (gone is not None)


def was_held(stores: Stores, order: str, officer: str) -> bool:
    try:
        stores.orders.approve(order, officer, NOW)
    except NotFound:
        return False
    return True


def test_a_person_is_forgotten_outside_before_the_rows_are_deleted(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    there: list[tuple[str, int]] = []
    erasures = Erasures(
        stores.database,
        stores.crls,
        forget=lambda of: there.append((of, stores.count("subject"))),
    )
    case = ready(stores, person.subject_id, two, NOW)
    before = stores.count("subject")
    erasures.destroy(case, NOW)

    assert there == [(person.subject_id, before)]
    assert stores.count("consent") == 0
    assert stores.count("disclosure") == 0

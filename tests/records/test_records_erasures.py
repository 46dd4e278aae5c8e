"""Erasure cases, and the one transaction that deletes a person."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from gdpr_erasure.errors import Conflict
from gdpr_erasure.saga import Erasure, ErasureState
from records.database import Database
from records.errors import NotFound, RuleBroken
from revocation.publication import NewPieces
from revocation.status import Revoked
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.stores import Person, Stores, a_person, contents

NOW = utc_now()
ADMINISTRATOR = "officer-0123456789abcdef"


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


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


def advanced(stores: Stores, case: Erasure, *states: ErasureState) -> Erasure:
    for state in states:
        case = stores.erasures.advance(case, state, {str(state): True}, NOW)
    return case


def ready(stores: Stores, person: Person) -> Erasure:
    case = stores.erasures.open_erasure(person.subject_id, NOW)
    case = stores.erasures.approve(case, ADMINISTRATOR, NOW)
    return advanced(stores, case, ErasureState.FROZEN, ErasureState.VISIBLE, ErasureState.WITHDRAWN)


def test_a_case_is_opened_once_and_names_the_certificates(stores: Stores, person: Person) -> None:
    case = stores.erasures.open_erasure(person.subject_id, NOW)

    assert stores.erasures.open_erasure(person.subject_id, NOW) == case
    assert case.places == (person.place,)
    assert stores.erasures.all() == (case,)
    assert stores.erasures.open_erasures() == ()


def test_two_requests_at_once_open_one_case(stores: Stores, person: Person) -> None:
    open_one = partial(stores.erasures.open_erasure, person.subject_id, NOW)

    one, other = at_once([open_one] * 2)

    assert one == other


def test_nobody_is_erased_who_is_not_there(stores: Stores) -> None:
    with pytest.raises(NotFound):
        stores.erasures.open_erasure("subject-0000000000000000", NOW)
    with pytest.raises(NotFound):
        stores.erasures.erasure("E-0000000000000000")


def test_a_valid_certificate_is_told(stores: Stores) -> None:
    person = a_person(stores, NOW)

    assert stores.erasures.unrevoked(person.subject_id, NOW) == (person.place,)
    stores.revoked(person.certificate, NOW)
    assert stores.erasures.unrevoked(person.subject_id, NOW) == ()


def test_a_step_from_a_state_that_has_passed_is_a_conflict(stores: Stores, person: Person) -> None:
    case = stores.erasures.open_erasure(person.subject_id, NOW)
    stores.erasures.approve(case, ADMINISTRATOR, NOW)

    with pytest.raises(Conflict):
        stores.erasures.approve(case, ADMINISTRATOR, NOW)
    with pytest.raises(Conflict):
        stores.erasures.advance(case, ErasureState.FROZEN, {}, NOW)


def test_of_two_workers_one_takes_the_step(stores: Stores, person: Person) -> None:
    case = stores.erasures.open_erasure(person.subject_id, NOW)
    case = stores.erasures.approve(case, ADMINISTRATOR, NOW)

    outcomes = at_once([partial(stepped, stores, case)] * 2)

    assert sorted(outcomes) == [False, True]


def stepped(stores: Stores, case: Erasure) -> bool:
    try:
        stores.erasures.advance(case, ErasureState.FROZEN, {}, NOW)
    except Conflict:
        return False
    return True


def test_what_was_seen_is_kept_from_step_to_step(stores: Stores, person: Person) -> None:
    case = ready(stores, person)

    assert case.evidence == {"frozen": True, "visible": True, "withdrawn": True}
    assert stores.erasures.open_erasures() == (case,)


def test_the_directories_must_be_seen_without_the_person(stores: Stores) -> None:
    person = a_person(stores, NOW)
    stores.publish_all(NOW)
    stores.revoked(person.certificate, NOW)
    case = stores.erasures.open_erasure(person.subject_id, NOW)

    assert not stores.erasures.unpublished(case)
    stores.withdraw_all(NOW)
    assert stores.erasures.unpublished(case)


def test_destruction_deletes_everything_and_leaves_the_residue(
    stores: Stores, person: Person
) -> None:
    done = stores.erasures.destroy(ready(stores, person), NOW)

    assert done.state is ErasureState.DESTROYED
    assert done.subject_id is None
    assert done.places == (person.place,)
    assert done.evidence["destroyed"] == {
        "applications": 1,
        "approvals": 1,
        "proofings": 0,
        "certificates": 1,
        "keys": 3,
        "payloads_dropped": 1,
        "publications": 1,
    }
    assert isinstance(stores.statuses.status_of(*person.place), Revoked)
    left = [row for row in contents(stores.database) if person.subject_id in row]
    assert left == []
    assert stores.count("revocation_residue") == 1


def test_the_places_are_forgotten_once_they_were_seen_again(stores: Stores, person: Person) -> None:
    case = stores.erasures.destroy(ready(stores, person), NOW)

    case = advanced(stores, case, ErasureState.RECHECKED)
    done = stores.erasures.finish(case, "the receipt", NOW)

    assert case.places == ()
    assert done.receipt == "the receipt"
    assert stores.erasures.open_erasures() == ()


def test_a_destruction_that_is_refused_leaves_everything(stores: Stores) -> None:
    person = a_person(stores, NOW)
    stores.publish_all(NOW)
    place = stores.revoked(person.certificate, NOW)
    stores.observe_all(place, NOW)
    case = ready(stores, person)
    before = contents(stores.database)

    with pytest.raises(RuleBroken) as refusal:
        stores.erasures.destroy(case, NOW)
    assert refusal.value.code == "PKI05"
    assert contents(stores.database) == before


def test_a_destruction_of_a_stale_case_leaves_everything(stores: Stores, person: Person) -> None:
    case = ready(stores, person)
    advanced(stores, case, ErasureState.VISIBLE)
    before = contents(stores.database)

    with pytest.raises(Conflict):
        stores.erasures.destroy(case, NOW)
    assert contents(stores.database) == before


def test_a_certificate_revoked_after_the_request_is_looked_at_too(stores: Stores) -> None:
    person = a_person(stores, NOW)
    case = stores.erasures.open_erasure(person.subject_id, NOW)
    stores.revoked(person.certificate, NOW)

    assert stores.erasures.erasure(case.id).places == (person.place,)


def test_a_certificate_that_crls_no_longer_show_is_not_looked_for(
    stores: Stores, person: Person
) -> None:
    case = stores.erasures.open_erasure(person.subject_id, NOW)
    stores.crl(stores.certificates.record(*person.place).not_after + timedelta(days=1))

    assert stores.erasures.erasure(case.id).places == ()


def test_what_a_shard_no_longer_shows_is_looked_for_while_the_complete_crl_does(
    stores: Stores, person: Person
) -> None:
    case = stores.erasures.open_erasure(person.subject_id, NOW)
    later = stores.certificates.record(*person.place).not_after + timedelta(days=1)
    of_shard = replace(stores.crl(NOW), shard=1, number=1, this_update=later)
    stores.crls.record_crl((of_shard, NewPieces([])))

    assert stores.erasures.erasure(case.id).places == (person.place,)


def test_an_erased_certificate_that_expires_is_not_looked_for_again(
    stores: Stores, person: Person
) -> None:
    expiry = stores.certificates.record(*person.place).not_after
    case = stores.erasures.destroy(ready(stores, person), NOW)
    stores.crl(expiry + timedelta(days=1))

    assert stores.erasures.erasure(case.id).places == ()

"""Erasure cases from the request to the destruction; who may take them on, and when."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from gdpr_erasure.erasures import (
    Approval,
    DirectorySeen,
    Erasure,
    ErasureRules,
    ErasureState,
    NewErasure,
    Told,
)
from gdpr_erasure.errors import Conflict, Refused
from gdpr_erasure.policies import BUILT_IN
from gdpr_erasure.record_classes import RecordClass
from gdpr_erasure.saga import ERASE_ALL, approve_erasure, cancel_erasure, request_erasure
from records.database import Database
from records.erasures import Erasures
from records.errors import NotFound, RuleBroken
from records.officers import Officer
from revocation.reasons import Reason
from revocation.status import Revoked
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.erasures import (
    TO_NOTIFIED,
    administrators,
    approved,
    frozen,
    ready,
    requested,
)
from tests.support.stores import (
    DIRECTORY,
    Person,
    Stores,
    a_person,
    contents,
    order_of,
    signed,
)
from tests.support.stores import approved as approved_application

pytestmark = pytest.mark.served

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


def test_a_case_is_opened_once_and_names_the_certificates(stores: Stores, person: Person) -> None:
    case = requested(stores, person.subject_id, NOW)

    assert requested(stores, person.subject_id, NOW) == case
    assert case.places == (person.place,)
    assert case.due_at > NOW + timedelta(days=27)
    assert {of: case.assessment.counts[of] for of in case.assessment.counts} == {
        RecordClass.CERTIFICATE_BODY: 1,
        RecordClass.PROOFING_EVIDENCE: 1,
        RecordClass.AGREEMENT_FILE: 1,
        RecordClass.PUBLICATION: 1,
    }
    assert stores.erasures.all() == (case,)
    assert stores.erasures.open_erasures() == ()


def test_two_requests_at_once_open_one_case(stores: Stores, person: Person) -> None:
    open_one = partial(requested, stores, person.subject_id, NOW)

    one, other = at_once([open_one] * 2)

    assert one == other


def test_nobody_is_erased_who_is_not_there(stores: Stores) -> None:
    with pytest.raises(NotFound):
        requested(stores, "subject-0000000000000000", NOW)
    with pytest.raises(NotFound):
        stores.erasures.erasure("E-0000000000000000")


def test_a_case_begins_when_two_persons_approved_the_same_rulings(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = requested(stores, person.subject_id, NOW)
    by = Approval(two[0].id, case.assessment.sha256)
    rules = (ERASE_ALL, ErasureRules(cooling_off_hours=1))

    once = approve_erasure(stores.erasures, rules, case.id, by, NOW)
    assert (once.state, once.approvals) == (ErasureState.REQUESTED, 1)
    with pytest.raises(Refused, match="ERA03"):
        approve_erasure(stores.erasures, rules, case.id, by, NOW)
    other = Approval(two[1].id, "0" * 64)
    with pytest.raises(Refused, match="ERA06"):
        approve_erasure(stores.erasures, rules, case.id, other, NOW)
    other = replace(other, sha256=case.assessment.sha256)
    twice = approve_erasure(stores.erasures, rules, case.id, other, NOW)
    assert (twice.state, twice.approvals) == (ErasureState.APPROVED, 2)
    assert twice.begins_at == NOW + timedelta(hours=1)
    with pytest.raises(Conflict):
        approve_erasure(stores.erasures, rules, case.id, other, NOW)


def test_two_approvals_at_once_by_one_person_count_once(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = requested(stores, person.subject_id, NOW)

    outcomes = at_once([partial(was_done, partial(approved, stores, case, two[:1], NOW))] * 2)

    assert sorted(outcomes) == [False, True]
    assert stores.erasures.erasure(case.id).approvals == 1


def was_done(act: "partial[object]") -> bool:
    try:
        act()
    except (Conflict, Refused, RuleBroken):
        return False
    return True


def test_whoever_opened_a_case_does_not_approve_it(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    new = NewErasure(person.subject_id, actor=two[0].id)
    case = request_erasure(stores.erasures, ERASE_ALL, new, NOW)

    with pytest.raises(RuleBroken) as refusal:
        approved(stores, case, two[:1], NOW)
    assert refusal.value.code == "ERA06"


def test_what_was_added_since_is_ruled_on_and_approved_anew(
    stores: Stores, two: tuple[Officer, Officer]
) -> None:
    person = a_person(stores, NOW)
    case = requested(stores, person.subject_id, NOW, NSIS)
    approved(stores, case, two[:1], NOW)
    later = NOW + timedelta(days=400)
    stores.revoked(person.certificate, later)

    by = Approval(two[1].id, case.assessment.sha256)
    with pytest.raises(Refused, match="ERA06"):
        approve_erasure(stores.erasures, (NSIS, ErasureRules()), case.id, by, later)
    again = stores.erasures.erasure(case.id)
    assert (again.approvals, again.state) == (0, ErasureState.REQUESTED)
    assert again.assessment.sha256 != case.assessment.sha256


def test_a_case_is_cancelled_until_it_is_frozen_and_can_be_asked_for_again(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = approved(stores, requested(stores, person.subject_id, NOW), two, NOW)

    cancelled = cancel_erasure(stores.erasures, case.id, two[0].id, NOW)
    assert (cancelled.state, cancelled.subject_id, cancelled.places) == ("cancelled", None, ())
    again = requested(stores, person.subject_id, NOW)
    assert again.id != case.id
    frozen(stores, again, two, NOW)
    with pytest.raises(Conflict):
        cancel_erasure(stores.erasures, again.id, two[0].id, NOW)


def test_a_step_from_a_state_that_has_passed_is_a_conflict(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = frozen(stores, requested(stores, person.subject_id, NOW), two, NOW)
    stores.erasures.advance(case, ErasureState.REVOKED, {}, NOW)

    with pytest.raises(Conflict):
        stores.erasures.advance(case, ErasureState.REVOKED, {}, NOW)


def test_of_two_workers_one_takes_the_step(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = frozen(stores, requested(stores, person.subject_id, NOW), two, NOW)
    step = partial(stores.erasures.advance, case, ErasureState.REVOKED, {}, NOW)

    outcomes = at_once([partial(was_done, step)] * 2)

    assert sorted(outcomes) == [False, True]


def test_the_saga_revokes_what_is_in_force_and_on_hold(
    stores: Stores, two: tuple[Officer, Officer]
) -> None:
    person = a_person(stores, NOW)
    stores.publish_all(NOW)
    stores.statuses.hold(*person.place, "system:operator", NOW)
    case = frozen(stores, requested(stores, person.subject_id, NOW), two, NOW)

    after = stores.erasures.revoke(case, NOW + timedelta(seconds=2))

    assert after is not None
    status = stores.statuses.status_of(*person.place)
    assert isinstance(status, Revoked)
    assert (status.reason, status.at) == (
        Reason.CESSATION_OF_OPERATION,
        NOW.replace(microsecond=0),
    )
    assert after.evidence["revoked"] == {
        "certificates": 1,
        "last": (NOW + timedelta(seconds=2)).isoformat(),
    }
    assert stores.erasures.directories(after) == (DirectorySeen(DIRECTORY, "open", None, 1),)


def test_a_certificate_that_is_being_made_is_waited_for(
    stores: Stores, two: tuple[Officer, Officer]
) -> None:
    application = approved_application(stores)
    made = stores.intend(order_of(application), NOW)
    case = frozen(stores, requested(stores, application.subject_id, NOW), two, NOW)

    assert stores.erasures.revoke(case, NOW) is None
    stores.certificates.record_certificates([(made, signed(made))], NOW)
    after = stores.erasures.revoke(case, NOW)
    assert after is not None
    assert after.evidence["revoked"]["certificates"] == 1  # type: ignore[index]


def test_two_persons_who_approve_at_once_let_it_begin(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = requested(stores, person.subject_id, NOW)

    at_once([partial(approved, stores, case, [officer], NOW) for officer in two])

    assert stores.erasures.erasure(case.id).state is ErasureState.APPROVED


def test_what_was_seen_is_kept_from_step_to_step(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = ready(stores, person.subject_id, two, NOW)

    assert case.evidence == {str(state): True for state in TO_NOTIFIED}
    assert stores.erasures.open_erasures() == (case,)


def test_recipients_are_told_once_each(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    stores.erasures = Erasures(
        stores.database, stores.crls, ErasureRules(recipients=("payroll", "registry"))
    )
    case = frozen(stores, requested(stores, person.subject_id, NOW), two, NOW)

    first, second = stores.erasures.notices(case)
    assert (first.recipient, second.recipient) == ("payroll", "registry")
    assert first.places == (person.place,)
    stores.erasures.told(first, Told("delivered"), NOW)
    assert stores.erasures.notices(case) == (second,)
    stores.erasures.told(second, Told("impossible", "gone"), NOW)
    assert stores.erasures.notices(case) == ()
    assert stores.erasures.told_of(case) == {"delivered": 1, "impossible": 1}


def test_a_destruction_of_a_stale_case_leaves_everything(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = ready(stores, person.subject_id, two, NOW)
    destroyed(stores, case)
    before = contents(stores.database)

    with pytest.raises(Conflict):
        stores.erasures.destroy(case, NOW)
    assert contents(stores.database) == before


def test_one_worker_at_a_time_has_a_case_and_another_one_after_the_lease(
    stores: Stores, person: Person, two: tuple[Officer, Officer]
) -> None:
    case = approved(stores, requested(stores, person.subject_id, NOW), two, NOW)
    assert stores.work.due(NOW, 9) == (case.id,)

    first, second = at_once([partial(stores.work.claim, case.id, f"w-{n}", NOW) for n in range(2)])
    assert [first, second].count(None) == 1
    holder = "w-0" if second is None else "w-1"
    assert stores.work.due(NOW, 9) == ()
    assert stores.work.due(NOW + timedelta(minutes=3), 9) == (case.id,)

    again = NOW + timedelta(minutes=10)
    stores.work.give_back(case.id, holder, "DirectoryUnavailable down", lambda *_: again)
    assert stores.work.due(NOW + timedelta(minutes=9), 9) == ()
    assert stores.work.due(again, 9) == (case.id,)
    assert stores.erasures.erasure(case.id).error == "DirectoryUnavailable down"

"""Applications: what is kept comes back, and of two changes at once one is refused."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import text

from ra.applications import Application, ApplicationState, withdraw
from ra.errors import Conflict, NotFound
from records import applications
from records.audit_payloads import Told
from records.database import Database
from records.errors import Conflict as RowConflict
from records.errors import RuleBroken
from records.officers import Officer, Role
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.ra_builders import NOW, examined
from tests.support.stores import (
    SECRET,
    Stores,
    approval_by,
    contents,
    in_proofing,
    package_of,
    submitted,
    verified,
)


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


@pytest.fixture
def first(stores: Stores) -> Officer:
    return stores.officer(Role.REGISTRATION_OFFICER, utc_now())


@pytest.fixture
def second(stores: Stores) -> Officer:
    return stores.officer(Role.APPROVING_OFFICER, utc_now())


def test_an_application_comes_back_as_it_was(stores: Stores) -> None:
    application = submitted()
    stores.applications.add(application, SECRET, NOW)

    assert stores.applications.get(application.id) == application
    with pytest.raises(NotFound):
        stores.applications.get("A-AAAAAAAAAA")


def test_an_application_is_added_once(stores: Stores) -> None:
    application = submitted()
    stores.applications.add(application, SECRET, NOW)

    with pytest.raises((RuleBroken, RowConflict)):
        stores.applications.add(application, SECRET, NOW)


def test_only_who_has_the_secret_is_the_applicant(stores: Stores) -> None:
    application = submitted()
    stores.applications.add(application, SECRET, NOW)

    assert stores.applications.is_applicant(application.id, SECRET)
    assert not stores.applications.is_applicant(application.id, SECRET + "x")
    assert not stores.applications.is_applicant("A-AAAAAAAAAA", SECRET)


def test_applications_are_found_by_state_the_oldest_first(stores: Stores, first: Officer) -> None:
    taken = in_proofing(stores, first, submitted())
    new = submitted()
    stores.applications.add(new, SECRET, NOW)

    found = stores.applications.in_state(ApplicationState.SUBMITTED, ApplicationState.PROOFING)

    assert {each.id for each in found} == {taken.id, new.id}
    assert stores.applications.in_state(ApplicationState.APPROVED) == ()


def test_of_two_changes_from_one_state_the_second_is_refused(
    stores: Stores, first: Officer
) -> None:
    """Also when the clock stood still between them."""
    before = in_proofing(stores, first, submitted())
    one, other = examined(before), examined(before)
    assert one.updated_at == other.updated_at == before.updated_at
    stores.applications.update(before, one, first.id, NOW)

    with pytest.raises(Conflict):
        stores.applications.update(before, other, first.id, NOW)
    assert stores.applications.get(before.id) == one


def test_of_four_changes_at_once_one_is_kept(stores: Stores, first: Officer) -> None:
    before = in_proofing(stores, first, submitted())
    changes = [examined(before) for _ in range(4)]

    outcomes = at_once([partial(updated, stores, before, after) for after in changes])

    assert outcomes.count(True) == 1
    assert stores.applications.get(before.id) == changes[outcomes.index(True)]


def updated(stores: Stores, before: Application, after: Application) -> bool:
    try:
        stores.applications.update(before, after, "system:operator", NOW)
    except Conflict:
        return False
    return True


def test_an_application_that_is_not_there_is_not_changed(stores: Stores) -> None:
    application = submitted()

    with pytest.raises(NotFound):
        stores.applications.update(application, withdraw(application, NOW), "system:job", NOW)


def test_an_approval_is_kept_with_its_package(
    stores: Stores, first: Officer, second: Officer
) -> None:
    before = verified(stores, first, submitted())
    found = approval_by(second, before)
    stores.applications.approve(before, found, NOW)

    after = stores.applications.get(before.id)
    approval, signed = stores.applications.approval(after)

    assert after == found.application
    assert approval == found.approval
    assert signed.package == package_of(before)


def test_an_application_without_an_approval_says_so(stores: Stores, first: Officer) -> None:
    application = verified(stores, first, submitted())

    with pytest.raises(NotFound):
        stores.applications.approval(application)


def test_two_officers_cannot_both_approve(stores: Stores, first: Officer, second: Officer) -> None:
    before = verified(stores, first, submitted())
    third = stores.officer(Role.APPROVING_OFFICER, utc_now())

    outcomes = at_once(
        [partial(approved_by, stores, officer, before) for officer in (second, third)]
    )

    assert sorted(outcomes) == [False, True]
    approval, _ = stores.applications.approval(before)
    assert approval.officer == (second, third)[outcomes.index(True)].id


def approved_by(stores: Stores, officer: Officer, before: Application) -> bool:
    try:
        stores.applications.approve(before, approval_by(officer, before), NOW)
    except Conflict:
        return False
    return True


def test_an_approval_of_what_has_changed_leaves_nothing(
    stores: Stores, first: Officer, second: Officer
) -> None:
    before = verified(stores, first, submitted())
    found = approval_by(second, before)
    stores.applications.update(before, withdraw(before, NOW), "system:applicant", NOW)
    kept = contents(stores.database)

    with pytest.raises(Conflict):
        stores.applications.approve(before, found, NOW)
    assert contents(stores.database) == kept


def test_an_approval_whose_event_cannot_be_told_leaves_nothing(
    stores: Stores, first: Officer, second: Officer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = verified(stores, first, submitted())
    found = approval_by(second, before)
    kept = contents(stores.database)

    def refuse(_: object, told: Sequence[Told], *__: object) -> int:
        raise LookupError(told[0].event.type)

    monkeypatch.setattr(applications, "append_told", refuse)
    with pytest.raises(LookupError):
        stores.applications.approve(before, found, NOW)

    assert contents(stores.database) == kept


@pytest.mark.parametrize(
    ("role", "code"), [(Role.REGISTRATION_OFFICER, "RA03"), (Role.AUDITOR, "RA03")]
)
def test_only_an_approving_officer_approves(
    stores: Stores, first: Officer, role: Role, code: str
) -> None:
    before = verified(stores, first, submitted())
    other = stores.officer(role, utc_now())

    with pytest.raises(RuleBroken) as refusal:
        stores.applications.approve(before, approval_by(other, before), NOW)
    assert refusal.value.code == code
    assert stores.applications.get(before.id) == before


def test_an_application_whose_columns_were_exchanged_does_not_come_back(
    stores: Stores, first: Officer
) -> None:
    one = in_proofing(stores, first, submitted())
    other = submitted()
    stores.applications.add(other, SECRET, NOW)
    with stores.database.write() as tx:
        body = text("UPDATE application SET sealed_body = :body WHERE id = :id")
        (sealed,) = tx.execute(
            text("SELECT sealed_body FROM application WHERE id = :id"), {"id": one.id}
        ).scalars()
        tx.execute(body, {"body": sealed, "id": other.id})

    with pytest.raises(Exception, match="does not open"):
        stores.applications.get(other.id)


def test_evidence_that_is_added_stays(stores: Stores, first: Officer) -> None:
    before = in_proofing(stores, first, submitted())
    after = examined(before)
    stores.applications.update(before, after, first.id, NOW)

    assert stores.applications.get(before.id) == replace(after)
    assert len(after.evidence) == 1

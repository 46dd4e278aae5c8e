"""Consents: a ledger that only grows, and publications that follow it in the same transaction."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from gdpr_erasure.consents import (
    ConsentKind,
    ConsentState,
    IdentityLevel,
    consent_texts,
    text_for,
    text_read,
    texts_in_force,
)
from gdpr_erasure.errors import ConsentRefused
from records.database import Database
from records.errors import NotFound, RuleBroken
from records.tables import consent, publication
from server.clock import utc_now
from tests.support.consents import said
from tests.support.stores import DIRECTORY, Person, Stores, a_person, approved, order_of

pytestmark = pytest.mark.served

GIVEN, WITHDRAWN = ConsentState.GIVEN, ConsentState.WITHDRAWN


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


def states(stores: Stores, person: Person) -> list[tuple[str, int]]:
    with stores.database.read() as tx:
        query = select(publication.c.state, publication.c.returns).where(
            publication.c.subject_id == person.subject_id
        )
        return [(row.state, row.returns) for row in tx.execute(query)]


def test_an_application_with_consent_begins_the_ledger(stores: Stores) -> None:
    person = a_person(stores)

    (first,) = stores.consents.history(person.subject_id)

    assert (first.kind, first.number, first.state) == (ConsentKind.PUBLICATION, 1, GIVEN)
    assert first.actor == "system:applicant"
    assert first.text_sha256 == text_for(ConsentKind.PUBLICATION, "en", utc_now()).sha256


def test_a_withdrawal_takes_every_publication_back_at_once(stores: Stores) -> None:
    now = utc_now()
    person = a_person(stores, now)
    stores.publish_all(now)

    stores.consents.say(person.subject_id, said(WITHDRAWN), now)
    assert states(stores, person) == [("withdrawing", 0)]
    stores.withdraw_all(now)

    assert states(stores, person) == [("withdrawn", 0)]
    assert [one.state for one in stores.consents.history(person.subject_id)] == [GIVEN, WITHDRAWN]


def test_a_consent_given_again_makes_the_publication_due_again(stores: Stores) -> None:
    now = utc_now()
    person = a_person(stores, now)
    for state in (WITHDRAWN, GIVEN):
        stores.consents.say(person.subject_id, said(state), now)

    assert states(stores, person) == [("pending", 0)]


def test_a_hold_lifted_after_the_withdrawal_publishes_nothing(stores: Stores) -> None:
    now = utc_now()
    person = a_person(stores, now)
    stores.publish_all(now)
    stores.statuses.hold(*person.place, "system:x", now)
    stores.consents.say(person.subject_id, said(WITHDRAWN), now)

    assert states(stores, person) == [("withdrawing", 0)]


def test_a_consent_given_during_a_hold_waits_for_its_end(stores: Stores) -> None:
    now = utc_now()
    person = a_person(stores, now)
    stores.publish_all(now)
    stores.consents.say(person.subject_id, said(WITHDRAWN), now)
    stores.statuses.hold(*person.place, "system:x", now)
    stores.consents.say(person.subject_id, said(GIVEN), now)

    assert states(stores, person) == [("withdrawing", 1)]


def test_a_revoked_certificate_is_not_published_by_a_new_consent(stores: Stores) -> None:
    now = utc_now()
    person = a_person(stores, now)
    stores.revoked(person.certificate, now)
    for state in (WITHDRAWN, GIVEN):
        stores.consents.say(person.subject_id, said(state), now)

    assert states(stores, person) == [("withdrawing", 0)]


def test_a_consent_withdrawn_before_the_issue_is_respected_by_the_issue(stores: Stores) -> None:
    now = utc_now()
    application = approved(stores)
    stores.consents.say(application.subject_id, said(WITHDRAWN), now)
    person = Person(application, stores.issue(order_of(application), now))

    assert states(stores, person) == []
    stores.consents.say(person.subject_id, said(GIVEN), now)
    assert states(stores, person) == [("pending", 0)]


def test_what_is_no_change_is_refused_and_changes_nothing(stores: Stores) -> None:
    now = utc_now()
    person = a_person(stores, now)

    with pytest.raises(ConsentRefused, match="given already"):
        stores.consents.say(person.subject_id, said(GIVEN), now)
    with pytest.raises(NotFound):
        stores.consents.say("subject-0000000000000000", said(GIVEN), now)
    assert len(stores.consents.history(person.subject_id)) == 1


def test_nobody_withdraws_what_was_never_given(stores: Stores) -> None:
    person = a_person(stores)
    with stores.database.write() as tx:
        tx.execute(
            text(
                "INSERT INTO subject (id, kind, state, created_at)"
                " VALUES ('subject-1', 'natural_person', 'active', 0)"
            )
        )

    with pytest.raises(ConsentRefused, match="no consent to withdraw"):
        stores.consents.say("subject-1", said(WITHDRAWN), utc_now())
    assert states(stores, person) == [("pending", 0)]


def test_a_person_who_is_being_erased_consents_to_nothing(stores: Stores) -> None:
    person = a_person(stores)
    with stores.database.write() as tx:
        tx.execute(
            text("UPDATE subject SET state = 'erasing' WHERE id = :id"), {"id": person.subject_id}
        )

    with pytest.raises(RuleBroken, match="CON01"):
        stores.consents.say(person.subject_id, said(WITHDRAWN), utc_now())


def test_details_are_sealed_and_the_level_is_kept(stores: Stores) -> None:
    now = utc_now()
    person = a_person(stores, now)
    by_letter = said(
        WITHDRAWN,
        "officer-00000000000000a1",
        level=IdentityLevel.SUBSTANTIAL,
        details="letter in binder 7",
    )
    entry = stores.consents.say(person.subject_id, by_letter, now)

    with stores.database.read() as tx:
        row = tx.execute(select(consent).where(consent.c.number == 2)).one()
        opened = stores.personal.open(tx, person.subject_id, "contact", row.sealed_details)

    assert (entry.level, entry.actor) == (IdentityLevel.SUBSTANTIAL, "officer-00000000000000a1")
    assert b"binder 7" in opened
    assert b"binder" not in row.sealed_details


def test_texts_are_there_in_three_languages_each_with_its_digest() -> None:
    now = utc_now()
    in_force = texts_in_force(ConsentKind.PUBLICATION, now)

    assert set(in_force) == {"da", "sv", "en"}
    assert len({one.sha256 for one in consent_texts()}) == len(consent_texts())
    for each in in_force.values():
        assert text_read(ConsentKind.PUBLICATION, each.sha256, now) == each
    with pytest.raises(ConsentRefused, match="digest of the text in force"):
        text_read(ConsentKind.PUBLICATION, "00" * 32, now)
    with pytest.raises(ConsentRefused, match="da, en, sv"):
        text_for(ConsentKind.PUBLICATION, "no", now)


def test_the_publisher_sees_a_withdrawal_that_comes_while_it_publishes(stores: Stores) -> None:
    now = utc_now()
    person = a_person(stores, now)
    (task,) = stores.publications.pending(DIRECTORY, 10, now)
    stores.consents.say(person.subject_id, said(WITHDRAWN), now)
    stores.publications.done(task.id, "8f1c0ad0-7a4f-103f-8f5c-5bcd7a0a9e4e", now)

    assert states(stores, person) == [("withdrawing", 0)]
    (again,) = stores.publications.pending(DIRECTORY, 10, now + timedelta(seconds=1))
    assert again.certificate_der is None

"""The outbox of publication: what is due, and what stays due."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import delete, select

from ca.store_hashes import store_hashes
from gdpr_erasure.consents import ConsentState
from publish_ldap.publication import TRIES, Failed
from records.certificates import Certificates
from records.database import Database
from records.errors import NotFound
from records.tables import data_key, disclosure
from server.clock import utc_now
from tests.support.consents import said
from tests.support.databases import take_away
from tests.support.set_aside import set_aside
from tests.support.stores import DIRECTORY, ENTRY_UUID, Stores, a_person, place_of, server_order

NOW = utc_now()


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


def test_a_person_who_consented_is_to_be_published(stores: Stores) -> None:
    person = a_person(stores, NOW)
    claim = person.application.applicant.claim

    (task,) = stores.publications.pending(DIRECTORY, 10, NOW)

    assert task.serial == person.place[1]
    assert task.holder is not None
    assert task.holder.profile == person.application.requested.profile
    assert task.holder.value("SN") == claim.surname.value
    assert task.holder.value("serialNumber") == person.application.applicant.serial_number
    assert stores.publications.pending("another", 10, NOW) == []


def test_a_certificate_about_nobody_is_not_published(stores: Stores) -> None:
    stores.issue(server_order(), NOW)

    assert stores.publications.pending(DIRECTORY, 10, NOW) == []


def test_a_host_is_published_where_the_directory_shows_its_profile_and_tells_of_nobody(
    stores: Stores,
) -> None:
    shown = {DIRECTORY: ("tls-server",), "another": ("device",)}
    stores.certificates = Certificates(stores.database, stores.personal, shown)
    host = stores.issue(server_order(), NOW)
    place = place_of(host)
    assert stores.publications.pending("another", 10, NOW) == []
    (task,) = stores.publications.pending(DIRECTORY, 10, NOW)
    assert task.certificate_der == host.public_bytes(Encoding.DER)
    stores.publish_all(NOW)
    sha1 = store_hashes(host).certificate
    assert stores.publications.published_as("cert_sha1", sha1, 2, NOW) == [task.certificate_der]
    stores.revoked(host, NOW)
    (task,) = stores.publications.pending(DIRECTORY, 10, NOW)
    assert (task.action, task.serial) == ("withdraw", place[1])
    stores.withdraw_all(NOW)
    assert stores.publications.counts() == {"withdrawn": 1}
    with stores.database.read() as tx:
        assert tx.scalars(select(disclosure.c.serial)).all() == []


def test_a_withdrawal_asked_for_during_the_fifth_try_is_not_set_aside(stores: Stores) -> None:
    person = a_person(stores, NOW)
    (task,) = stores.publications.pending(DIRECTORY, 10, NOW)
    failed = Failed(task.id, "objectClassViolation", NOW, set_aside=True)
    for _ in range(TRIES - 1):
        stores.publications.failed_all([failed], NOW)
    stores.revoked(person.certificate, NOW)
    for _ in range(TRIES):
        stores.publications.failed_all([failed], NOW)
    assert stores.publications.pending(DIRECTORY, 10, NOW)


def test_what_was_set_aside_is_due_when_a_consent_is_given_anew(stores: Stores) -> None:
    person = a_person(stores, NOW)
    (task,) = stores.publications.pending(DIRECTORY, 10, NOW)
    set_aside(stores.publications, task.id, NOW)
    assert stores.publications.pending(DIRECTORY, 10, NOW) == []
    for state in (ConsentState.WITHDRAWN, ConsentState.GIVEN):
        stores.consents.say(person.subject_id, said(state), NOW)
        assert stores.publications.pending(DIRECTORY, 10, NOW)


def test_what_is_done_is_no_longer_due(stores: Stores) -> None:
    a_person(stores, NOW)
    stores.publish_all(NOW)

    assert stores.publications.pending(DIRECTORY, 10, NOW) == []
    assert stores.publications.counts() == {"published": 1}


def test_what_failed_is_due_again_later(stores: Stores) -> None:
    a_person(stores, NOW)
    (task,) = stores.publications.pending(DIRECTORY, 10, NOW)
    later = NOW + timedelta(minutes=1)
    stores.publications.failed(task.id, "x" * 100, later)

    assert stores.publications.pending(DIRECTORY, 10, NOW) == []
    (again,) = stores.publications.pending(DIRECTORY, 10, later)
    assert again.attempts == 1


def test_a_revocation_asks_for_the_withdrawal_and_names_nobody(stores: Stores) -> None:
    person = a_person(stores, NOW)
    stores.publish_all(NOW)
    stores.revoked(person.certificate, NOW)

    (task,) = stores.publications.pending(DIRECTORY, 10, NOW)

    assert task.action == "withdraw"
    assert (task.holder, task.certificate_der) == (None, None)
    assert task.entry_uuid == ENTRY_UUID
    stores.withdraw_all(NOW)
    assert stores.publications.counts() == {"withdrawn": 1}


def test_a_withdrawal_asked_for_during_the_publication_stays_due(stores: Stores) -> None:
    person = a_person(stores, NOW)
    (publishing,) = stores.publications.pending(DIRECTORY, 10, NOW)
    stores.revoked(person.certificate, NOW)
    stores.publications.done(publishing.id, ENTRY_UUID, NOW)

    (task,) = stores.publications.pending(DIRECTORY, 10, NOW)

    assert task.action == "withdraw"
    assert task.entry_uuid == ENTRY_UUID


def test_a_publication_that_ends_after_the_withdrawal_is_withdrawn_again(stores: Stores) -> None:
    person = a_person(stores, NOW)
    (publishing,) = stores.publications.pending(DIRECTORY, 10, NOW)
    stores.revoked(person.certificate, NOW)
    stores.withdraw_all(NOW)
    stores.publications.done(publishing.id, ENTRY_UUID, NOW)

    (task,) = stores.publications.pending(DIRECTORY, 10, NOW)

    assert task.action == "withdraw"


def test_a_task_that_was_erased_is_not_found(stores: Stores) -> None:
    with pytest.raises(NotFound):
        stores.publications.done(99, None, NOW)


def test_a_publication_that_cannot_be_read_does_not_hold_up_the_next(stores: Stores) -> None:
    unreadable, readable = (a_person(stores, NOW) for _ in range(2))
    of = unreadable.application.subject_id
    with stores.database.write() as tx:
        take_away(tx, "pki15")
        take_away(tx, "pki35")
        tx.execute(delete(data_key).where(data_key.c.subject_id == of))

    (task,) = stores.publications.pending(DIRECTORY, 10, NOW)

    assert task.serial == readable.place[1]
    assert stores.publications.pending(DIRECTORY, 10, NOW) == [task]

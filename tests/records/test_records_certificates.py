"""Certificates from intent to revocation, and what is told about them afterwards."""

from datetime import timedelta
from functools import partial

import pytest
from cryptography import x509
from sqlalchemy import text

from ca.errors import Conflict
from ca.identifiers import SerialNumber
from ca.issuance import CertificateOrder, PreparedCertificate
from gdpr_erasure.erasures import Erasure
from ra.applications import Application
from records.database import Database
from records.errors import Erased, NotFound, RuleBroken
from records.officers import Role
from revocation.errors import StatusUnavailable
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Unknown
from server.clock import utc_now
from tests.support import erasures
from tests.support.at_once import at_once
from tests.support.databases import Databases, take_away
from tests.support.stores import (
    DIRECTORY,
    ISSUING,
    Stores,
    a_person,
    approved,
    order_of,
    place_of,
    server_order,
    signed,
    staff_order,
)

NOW = utc_now()


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


def test_a_serial_nobody_intended_is_unknown(stores: Stores) -> None:
    serial = SerialNumber.random()

    assert stores.statuses.status_of(ISSUING, serial) == Unknown()
    with pytest.raises(NotFound):
        stores.certificates.record(ISSUING, serial)


def test_an_intent_is_on_hold_and_has_no_body(stores: Stores) -> None:
    content = stores.intend(server_order(), NOW).content

    status = stores.statuses.status_of(ISSUING, content.serial_number)

    assert isinstance(status, Revoked)
    assert status.reason is Reason.CERTIFICATE_HOLD
    with pytest.raises(NotFound):
        stores.certificates.body(ISSUING, content.serial_number)


def test_an_issued_certificate_is_good_and_its_body_comes_back(stores: Stores) -> None:
    certificate = stores.issue(server_order(), NOW)
    place = place_of(certificate)

    assert stores.statuses.status_of(*place) == Good()
    assert stores.certificates.body(*place) == certificate
    assert stores.certificates.record(*place).issued_at == NOW


def test_an_intent_becomes_a_certificate_once(stores: Stores) -> None:
    prepared = stores.intend(server_order(), NOW)
    stores.certificates.record_certificates([(prepared, signed(prepared))], NOW)

    with pytest.raises(Conflict):
        stores.certificates.record_certificates([(prepared, signed(prepared))], NOW)


def test_a_serial_is_intended_once(stores: Stores) -> None:
    content = stores.intend(server_order(), NOW).content

    with pytest.raises(Conflict):
        stores.intend(server_order(), NOW, content.serial_number)


def test_a_revocation_is_final_and_counts_in_whole_seconds(stores: Stores) -> None:
    certificate = stores.issue(server_order(), NOW)
    place = stores.revoked(certificate, NOW)

    assert stores.statuses.status_of(*place) == Revoked(
        Reason.CESSATION_OF_OPERATION, NOW.replace(microsecond=0)
    )
    with pytest.raises(Conflict):
        stores.revoked(certificate, NOW + timedelta(seconds=1))
    assert stores.count("revocation_residue") == 0


@pytest.mark.parametrize("reason", [Reason.CERTIFICATE_HOLD, Reason.REMOVE_FROM_CRL])
def test_a_certificate_is_not_revoked_for_a_while(stores: Stores, reason: Reason) -> None:
    certificate = stores.issue(server_order(), NOW)
    place = place_of(certificate)

    with pytest.raises((RuleBroken, ValueError)):
        stores.statuses.revoke(*place, reason, "system:operator", NOW)
    assert stores.statuses.status_of(*place) == Good()


def test_an_intent_is_not_revoked_like_a_certificate(stores: Stores) -> None:
    content = stores.intend(server_order(), NOW).content

    with pytest.raises(Conflict):
        stores.statuses.revoke(
            ISSUING, content.serial_number, Reason.SUPERSEDED, "system:operator", NOW
        )


def test_a_certificate_that_is_not_there_is_not_revoked(stores: Stores) -> None:
    with pytest.raises(NotFound):
        stores.statuses.revoke(
            ISSUING, SerialNumber.random(), Reason.SUPERSEDED, "system:operator", NOW
        )


def test_an_orphan_is_revoked_and_never_issued(stores: Stores) -> None:
    prepared = stores.intend(server_order(), NOW)
    place = ISSUING, prepared.content.serial_number

    assert stores.certificates.open_intents(NOW) == []
    assert stores.certificates.open_intents(NOW + timedelta(seconds=1)) == [place]
    assert stores.certificates.revoke_orphan(*place, NOW)
    assert not stores.certificates.revoke_orphan(*place, NOW)

    with pytest.raises(Conflict):
        stores.certificates.record_certificates([(prepared, signed(prepared))], NOW)
    status = stores.statuses.status_of(*place)
    assert isinstance(status, Revoked)
    assert status.reason is Reason.SUPERSEDED


def test_either_the_certificate_or_its_orphan_wins_never_both(stores: Stores) -> None:
    for _ in range(5):
        prepared = stores.intend(server_order(), NOW)
        certificate = signed(prepared)
        place = place_of(certificate)
        outcomes = at_once(
            [
                partial(issued, stores, prepared, certificate),
                partial(stores.certificates.revoke_orphan, *place, NOW),
            ]
        )
        good = stores.statuses.status_of(*place) == Good()

        assert sorted(outcomes) == [False, True]
        assert outcomes == [good, not good]


def issued(stores: Stores, prepared: PreparedCertificate, certificate: x509.Certificate) -> bool:
    try:
        stores.certificates.record_certificates([(prepared, certificate)], NOW)
    except Conflict:
        return False
    return True


def test_an_application_leads_to_one_certificate_however_many_ask(stores: Stores) -> None:
    application = approved(stores)
    order = order_of(application)
    stores.issuer()

    outcomes = at_once([partial(intended, stores, order, "RA13")] * 4)

    assert sorted(outcomes) == [False, False, False, True]
    assert len(stores.certificates.find(application_id=application.id)) == 1


def intended(stores: Stores, order: CertificateOrder, *rules: str) -> bool:
    try:
        stores.intend(order, NOW)
    except RuleBroken as error:
        if error.code not in rules:
            raise
        return False
    return True


def test_an_orphan_makes_room_for_the_certificate_of_its_application(stores: Stores) -> None:
    order = order_of(approved(stores))
    orphan = stores.intend(order, NOW)
    stores.certificates.revoke_orphan(ISSUING, orphan.content.serial_number, NOW)

    assert stores.statuses.status_of(*place_of(stores.issue(order, NOW))) == Good()


def test_nothing_is_issued_to_a_subject_once_it_is_frozen(stores: Stores) -> None:
    """The freeze and the intent meet in the database: one of them sees the other."""
    two = erasures.administrators(stores, NOW)
    for _ in range(3):
        application = approved(stores)
        order = order_of(application)
        stores.issuer()
        case = erasures.requested(stores, application.subject_id, NOW)
        case = erasures.approved(stores, case, two, NOW)
        outcomes = at_once(
            [
                partial(intended, stores, order, "PKI13", "PKI18"),
                partial(frozen, stores, case),
            ]
        )
        seen = stores.erasures.erasure(case.id).places

        assert len(seen) == (1 if outcomes[0] else 0)


def frozen(stores: Stores, case: Erasure) -> bool:
    return stores.erasures.freeze(case, case.assessment, NOW).state == "frozen"


def test_a_person_gets_no_certificate_for_another_key_than_the_approved(stores: Stores) -> None:
    application: Application = approved(stores)
    other = CertificateOrder(
        order_of(application).profile,
        order_of(application).subject,
        server_order().public_key,
        subject_id=application.subject_id,
        application_id=application.id,
    )

    with pytest.raises(RuleBroken) as refusal:
        stores.intend(other, NOW)
    assert refusal.value.code == "RA12"


def test_publication_is_due_once_the_certificate_is_issued(stores: Stores) -> None:
    person = a_person(stores, NOW)

    (task,) = stores.publications.pending(DIRECTORY, 10, NOW)

    assert task.serial == person.place[1]


def test_status_survives_the_certificate(stores: Stores) -> None:
    person = a_person(stores, NOW)
    place = stores.revoked(person.certificate, NOW)
    before = stores.statuses.status_of(*place)
    stores.observe_all(place, NOW)
    stores.withdraw_all(NOW)
    with stores.database.write() as tx:
        tx.execute(text("DELETE FROM certificate WHERE application_id IS NOT NULL"))

    assert stores.statuses.status_of(*place) == before
    with pytest.raises(NotFound):
        stores.certificates.body(*place)


def test_a_body_whose_key_is_gone_is_erased(stores: Stores) -> None:
    person = a_person(stores, NOW)
    with stores.database.write() as tx:
        take_away(tx, "pki15")
        take_away(tx, "pki35")
        stores.personal.destroy(tx, person.subject_id)

    with pytest.raises(Erased):
        stores.certificates.body(*person.place)


def test_status_is_unavailable_when_the_database_is(databases: Databases) -> None:
    with databases.migrated("sqlite") as database:
        stores = Stores(database)
        stores.issuer()
        database.close()
        path = databases.folder / f"{database.engine.url.database}".rsplit("/", 1)[-1]
        for each in path.parent.glob(f"{path.name}*"):
            each.write_bytes(b"overwritten by something else entirely" * 100)

        with pytest.raises(StatusUnavailable):
            stores.statuses.status_of(ISSUING, SerialNumber.random())


def test_an_approving_officer_is_one_only_with_a_good_certificate(stores: Stores) -> None:
    invited = stores.officers.invite("Ole", Role.APPROVING_OFFICER, NOW)
    certificate = stores.issue(staff_order(invited), NOW)

    assert stores.certificates.approving_person(certificate) is None
    stores.officers.enrol(invited.id, ISSUING, certificate, NOW)
    assert stores.certificates.approving_person(certificate) == invited.person_id
    stores.revoked(certificate, NOW)
    assert stores.certificates.approving_person(certificate) is None


def test_a_registration_officer_is_no_approving_officer(stores: Stores) -> None:
    invited = stores.officers.invite("Rie", Role.REGISTRATION_OFFICER, NOW)
    certificate = stores.issue(staff_order(invited), NOW)
    stores.officers.enrol(invited.id, ISSUING, certificate, NOW)

    assert stores.certificates.approving_person(certificate) is None

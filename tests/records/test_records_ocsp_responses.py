"""OCSP responses made ahead: due when a status is settled, gone when it changes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from cryptography.hazmat.primitives import hashes
from sqlalchemy import text

from ca.identifiers import SerialNumber
from records.database import Database
from records.ocsp_responses import OcspResponses, Waiting
from revocation.cert_ids import CertIdHash
from revocation.preproduction import DueResponse, Life, PreproducedResponse, ProducedResponses
from revocation.reasons import Reason
from revocation.status import Good, Revoked
from server.clock import utc_now
from tests.support.stores import ISSUING, Place, Stores, place_of, server_order

NOW = utc_now().replace(microsecond=0)
LATER = NOW + timedelta(minutes=1)
LIFE = Life(NOW, NOW + timedelta(hours=1))


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


@pytest.fixture
def responses(stores: Stores) -> OcspResponses:
    stores.issuer()
    return OcspResponses(stores.database)


def issued(stores: Stores) -> Place:
    return place_of(stores.issue(server_order(), NOW))


def the_due(responses: OcspResponses) -> DueResponse:
    (due,) = responses.due(ISSUING, NOW, 10)
    return due


def digest_of(stores: Stores, serial: SerialNumber) -> bytes:
    """Of the certificate itself, which the responses may show (certHash)."""
    return stores.certificates.body(ISSUING, serial).fingerprint(hashes.SHA256())


def produced(due: DueResponse, life: Life = LIFE) -> ProducedResponses:
    bodies = {each: f"{each} {due.status}".encode() for each in CertIdHash}
    return ProducedResponses(due.serial, due.version, life, bodies)


def kept(responses: OcspResponses) -> DueResponse:
    due = the_due(responses)
    responses.keep(ISSUING, [produced(due)])
    return due


def test_an_issued_certificate_is_due_and_an_intent_is_not(
    stores: Stores, responses: OcspResponses
) -> None:
    stores.intend(server_order(), NOW)
    assert responses.due(ISSUING, NOW, 10) == []
    _, serial = issued(stores)

    assert the_due(responses) == DueResponse(serial, 0, Good(), digest_of(stores, serial))
    assert responses.count_due(ISSUING, NOW) == 1


def test_what_was_kept_is_found_by_its_hash_and_due_again_at_half_life(
    stores: Stores, responses: OcspResponses
) -> None:
    issued(stores)
    due = kept(responses)

    for each in CertIdHash:
        found = responses.find(ISSUING, due.serial, each)
        assert found == PreproducedResponse(LIFE, f"{each} {Good()}".encode())
    moment = LIFE.due_for(due.serial)
    assert responses.due(ISSUING, moment - timedelta(seconds=1), 10) == []
    assert [again.serial for again in responses.due(ISSUING, moment, 10)] == [due.serial]


def test_a_revocation_takes_the_response_away_in_its_own_transaction(
    stores: Stores, responses: OcspResponses
) -> None:
    name, serial = issued(stores)
    kept(responses)
    stores.statuses.revoke(name, serial, Reason.KEY_COMPROMISE, "system:operator", LATER)

    assert responses.find(ISSUING, serial, CertIdHash.SHA1) is None
    revoked = Revoked(Reason.KEY_COMPROMISE, LATER)
    assert the_due(responses) == DueResponse(serial, 1, revoked, digest_of(stores, serial))


def test_a_response_signed_before_a_revocation_is_not_kept_after_it(
    stores: Stores, responses: OcspResponses
) -> None:
    name, serial = issued(stores)
    signed = produced(the_due(responses))
    stores.statuses.revoke(name, serial, Reason.SUPERSEDED, "system:operator", LATER)
    responses.keep(ISSUING, [signed])

    assert responses.find(ISSUING, serial, CertIdHash.SHA256) is None
    assert isinstance(the_due(responses).status, Revoked)


def test_a_serial_whose_certificate_never_came_is_due_as_revoked(
    stores: Stores, responses: OcspResponses
) -> None:
    serial = stores.intend(server_order(), NOW).content.serial_number
    stores.certificates.revoke_orphan(ISSUING, serial, LATER)

    assert the_due(responses) == DueResponse(serial, 1, Revoked(Reason.SUPERSEDED, LATER))


def test_what_remains_of_an_erased_certificate_is_answered_anew(
    stores: Stores, responses: OcspResponses
) -> None:
    serial = stores.intend(server_order(), NOW).content.serial_number
    stores.certificates.revoke_orphan(ISSUING, serial, LATER)
    kept(responses)
    stores.crls.observe((ISSUING, serial), "crl", b"\x00" * 32, utc_now() + timedelta(minutes=2))
    with stores.database.write() as tx:
        tx.execute(text("DELETE FROM certificate WHERE serial = :serial"), {"serial": serial.hex})

    assert responses.find(ISSUING, serial, CertIdHash.SHA1) is None
    assert the_due(responses) == DueResponse(serial, 2, Revoked(Reason.SUPERSEDED, LATER))
    kept(responses)
    assert responses.find(ISSUING, serial, CertIdHash.SHA1) is not None


def test_a_row_without_a_certificate_is_never_answered_as_good(
    stores: Stores, responses: OcspResponses
) -> None:
    with stores.database.write() as tx:
        tx.execute(
            text(
                "INSERT INTO ocsp_response (issuer, serial, version, not_after, due_at)"
                " VALUES (:issuer, 'ab', 0, :not_after, 0)"
            ),
            {"issuer": ISSUING, "not_after": 10**17},
        )

    assert responses.due(ISSUING, NOW, 10) == []


def test_expired_certificates_are_neither_due_nor_kept(
    stores: Stores, responses: OcspResponses
) -> None:
    place = issued(stores)
    expired = stores.certificates.record(*place).not_after

    assert responses.due(ISSUING, expired, 10) == []
    assert responses.forget_expired(ISSUING, expired - timedelta(seconds=1)) == 0
    assert responses.forget_expired(ISSUING, expired) == 1


def test_the_longest_due_come_first_and_no_more_than_asked(
    stores: Stores, responses: OcspResponses
) -> None:
    serials = {issued(stores)[1] for _ in range(3)}
    first, second, _ = responses.due(ISSUING, NOW, 10)
    life = Life(NOW - timedelta(minutes=30), NOW)
    responses.keep(ISSUING, [produced(first, life), produced(second, LIFE)])

    ahead = [due.serial for due in responses.due(ISSUING, NOW, 2)]
    assert len(ahead) == 2
    assert ahead[0] == next(iter(serials - {first.serial, second.serial}))
    assert ahead[1] == first.serial


def test_what_a_clock_that_was_ahead_left_behind_is_due_now(
    stores: Stores, responses: OcspResponses
) -> None:
    ahead, usual = issued(stores)[1], issued(stores)[1]
    for due in responses.due(ISSUING, NOW, 10):
        days = timedelta(days=3 if due.serial == ahead else 0)
        responses.keep(ISSUING, [produced(due, Life(NOW + days, NOW + days + timedelta(hours=1)))])
    assert responses.due(ISSUING, NOW, 10) == []
    latest = NOW + timedelta(hours=1)

    assert [responses.make_due(ISSUING, latest, NOW) for _ in range(2)] == [1, 0]
    assert [due.serial for due in responses.due(ISSUING, NOW, 10)] == [ahead]
    assert usual != ahead


def test_what_waits_is_told_in_one_look(stores: Stores, responses: OcspResponses) -> None:
    issued(stores)
    latest = NOW + timedelta(hours=2)
    assert responses.waiting(ISSUING, latest, NOW) == Waiting(1, ahead=False, ended=False)
    (due,) = responses.due(ISSUING, NOW, 10)
    responses.keep(ISSUING, [produced(due, Life(NOW, NOW + timedelta(hours=1)))])
    assert responses.waiting(ISSUING, latest, NOW) == Waiting(0, ahead=False, ended=False)
    assert responses.waiting(ISSUING, NOW, NOW) == Waiting(0, ahead=True, ended=False)
    years = timedelta(days=3650)
    assert responses.waiting(ISSUING, latest + years, NOW + years) == Waiting(
        0, ahead=False, ended=True
    )


def test_changes_are_told_by_issuer_and_serial(stores: Stores, responses: OcspResponses) -> None:
    name, serial = issued(stores)
    other = issued(stores)[1]

    assert responses.changed({}) == {ISSUING: (0, [])}
    assert responses.changed({ISSUING: 0}) == {}
    stores.statuses.revoke(name, serial, Reason.SUPERSEDED, "system:operator", LATER)
    assert responses.changed({ISSUING: 0}) == {ISSUING: (1, [serial])}
    stores.statuses.revoke(name, other, Reason.SUPERSEDED, "system:operator", LATER)
    assert responses.changed({ISSUING: 1}) == {ISSUING: (2, [other])}
    assert responses.find(name, SerialNumber(77), CertIdHash.SHA1) is None


def test_keeping_locks_rows_in_the_order_of_their_serials(
    stores: Stores, responses: OcspResponses
) -> None:
    """A bulk revocation has that order too, and neither waits for the other in a circle."""
    for _ in range(2):
        issued(stores)
    low, high = sorted(responses.due(ISSUING, NOW, 10), key=lambda due: due.serial.hex)
    touch = text("UPDATE ocsp_response SET due_at = due_at WHERE serial = :serial")
    with ThreadPoolExecutor(1) as threads:
        with stores.database.write() as tx:
            tx.execute(touch, {"serial": low.serial.hex})
            keeping = threads.submit(responses.keep, ISSUING, [produced(high), produced(low)])
            Event().wait(0.5)  # the other has begun, and waits
            tx.execute(touch, {"serial": high.serial.hex})
        keeping.result()
    assert responses.count_due(ISSUING, NOW) == 0

"""Many certificates in one transaction: whole or not at all, and two batches at once."""

from dataclasses import replace
from functools import partial

import pytest
from cryptography import x509
from sqlalchemy import select

from ca.errors import Conflict, Refused
from ca.issuance import CertificateOrder, issue_all, prepare
from ca.names import SubjectName
from records.audit_log import audit_log
from records.database import Database
from records.tables import certificate
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.stores import Stores, place_of, server_order, signed

NOW = utc_now()
ACTOR = "system:test"


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


def for_host(order: CertificateOrder, host: str) -> CertificateOrder:
    return replace(order, subject=SubjectName.of([("CN", host)]), host_names=(host,))


def issued(stores: Stores, orders: list[CertificateOrder]) -> list[x509.Certificate | Exception]:
    issuer = stores.issuer()
    batch = [prepare(order, issuer, utc_now()) for order in orders]
    return issue_all(batch, stores.certificates, ACTOR, utc_now())


def statuses(stores: Stores) -> list[str]:
    with stores.database.read() as tx:
        return sorted(tx.execute(select(certificate.c.status)).scalars())


def test_a_batch_is_recorded_with_an_intent_and_an_event_for_each(stores: Stores) -> None:
    outcomes = issued(stores, [server_order() for _ in range(7)])
    given = [o for o in outcomes if not isinstance(o, Exception)]
    assert [stores.certificates.body(*place_of(each)) for each in given] == outcomes
    with audit_log(stores.database) as log:
        events = [entry.header.decode() for entry in log.entries(0)]
    assert sum("certificate.intended" in event for event in events) == 7
    assert sum("certificate.issued" in event for event in events) == 7


def test_of_one_batch_two_subjects_do_not_get_the_same_key(stores: Stores) -> None:
    order = server_order()
    outcomes = issued(stores, [server_order(), order, for_host(order, "other.example")])
    assert [type(o) is Refused for o in outcomes] == [False, False, True]
    assert statuses(stores) == ["issued", "issued"]


def test_a_serial_in_use_refuses_its_own_certificate_alone(stores: Stores) -> None:
    issuer = stores.issuer()
    now = utc_now()  # after the issuer's certificate began
    batch = [prepare(server_order(), issuer, now) for _ in range(4)]
    stores.certificates.record_intents([batch[2]], ACTOR, now)
    outcomes = issue_all(batch, stores.certificates, ACTOR, now)
    assert [index for index, o in enumerate(outcomes) if isinstance(o, Conflict)] == [2]
    assert statuses(stores) == ["intent", "issued", "issued", "issued"]


def test_certificates_are_recorded_whole_or_not_at_all(stores: Stores) -> None:
    batch = [stores.intend(server_order(), NOW) for _ in range(3)]
    place = batch[1].content.issuer.name, batch[1].content.serial_number
    assert stores.certificates.revoke_orphan(*place, NOW)
    with pytest.raises(Conflict):
        stores.certificates.record_certificates([(each, signed(each)) for each in batch], NOW)
    assert statuses(stores) == ["intent", "intent", "revoked"]


def test_two_batches_at_once_with_the_same_keys_do_not_wait_for_each_other(
    stores: Stores,
) -> None:
    stores.issuer()
    orders = [server_order() for _ in range(12)]
    turned = list(reversed(orders))
    for outcomes in at_once([partial(issued, stores, orders), partial(issued, stores, turned)]):
        assert not [o for o in outcomes if isinstance(o, Exception)]
    assert statuses(stores) == ["issued"] * 24

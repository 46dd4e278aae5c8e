"""What the records know of a key: whose it is, and whether it leaked, past erasures, too."""

from dataclasses import replace
from functools import partial

import pytest
from cryptography import x509
from sqlalchemy import text

from ca.errors import Refused
from ca.issuance import CertificateOrder
from ca.key_quality import spki_sha256
from ca.key_uses import KeyUse, KeyUses
from ca.names import SubjectName
from ca.profiles import load_profile
from records.certificates import Certificates
from records.database import Database
from records.errors import RuleBroken
from revocation.reasons import Reason
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.stores import ISSUING, Stores, a_person, order_of, place_of, server_order

NOW = utc_now()


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


def for_host(order: CertificateOrder, host: str) -> CertificateOrder:
    return replace(order, subject=SubjectName.of([("CN", host)]), host_names=(host,))


def refused_rule(stores: Stores, order: CertificateOrder) -> str:
    with pytest.raises(Refused) as refused:
        stores.intend(order, NOW)
    return refused.value.findings[0].rule


def compromise(stores: Stores, certificate: x509.Certificate) -> None:
    place = place_of(certificate)
    stores.statuses.revoke(*place, Reason.KEY_COMPROMISE, "system:operator", NOW)


def test_a_key_nobody_has_used_has_no_uses(stores: Stores) -> None:
    key = spki_sha256(server_order().public_key)
    assert stores.certificates.uses_of_key(key) == KeyUses()


def test_a_key_is_known_by_the_name_it_was_certified_for(stores: Stores) -> None:
    order = server_order()
    stores.issue(order, NOW)
    uses = stores.certificates.uses_of_key(spki_sha256(order.public_key))
    assert uses == KeyUses(certified=(KeyUse(order.holder, None, may_exist=True),))


def test_a_persons_key_is_known_by_the_id_of_the_subject(stores: Stores) -> None:
    person = a_person(stores, NOW)
    uses = stores.certificates.uses_of_key(spki_sha256(order_of(person.application).public_key))
    assert uses.certified == (KeyUse(person.subject_id, person.application.id, may_exist=True),)


def test_a_server_renews_with_its_key_and_another_host_does_not_get_it(stores: Stores) -> None:
    order = server_order()
    stores.issue(order, NOW)
    stores.issue(order, NOW)
    assert refused_rule(stores, for_host(order, "other.example")) == "request.key-in-use"


def test_the_issuers_own_key_is_certified_for_nobody_else(stores: Stores) -> None:
    issuer = stores.issuer()
    root = CertificateOrder(
        load_profile("root"), SubjectName.from_x509(issuer.subject), issuer.key.public_key()
    )
    stores.issue(root, NOW)
    order = replace(server_order(), public_key=issuer.key.public_key())
    assert refused_rule(stores, order) == "request.key-in-use"


def test_an_orphan_leaves_the_key_to_its_holder_only(stores: Stores) -> None:
    order = replace(server_order(), profile=replace(server_order().profile, reuse_key=False))
    orphan = stores.intend(order, NOW).content.serial_number
    assert refused_rule(stores, order) == "request.key-in-use"
    stores.certificates.revoke_orphan(ISSUING, orphan, NOW)
    assert refused_rule(stores, for_host(order, "other.example")) == "request.key-in-use"
    stores.issue(order, NOW)


def test_of_two_subjects_at_once_one_gets_the_key(stores: Stores) -> None:
    stores.issuer()
    order = server_order()
    hosts = [f"h{number}.example" for number in range(4)]
    outcomes = at_once([partial(intended, stores, for_host(order, host)) for host in hosts])
    assert sorted(outcomes) == [False, False, False, True]


def intended(stores: Stores, order: CertificateOrder) -> bool:
    try:
        stores.intend(order, NOW)
    except Refused:
        return False
    return True


def test_a_compromised_key_is_never_certified_again(stores: Stores) -> None:
    order = server_order()
    first, second = stores.issue(order, NOW), stores.issue(order, NOW)
    compromise(stores, first)
    assert refused_rule(stores, order) == "request.key-compromised"
    compromise(stores, second)
    assert stores.count("compromised_key") == 1


def test_a_key_revoked_for_another_reason_is_not_compromised(stores: Stores) -> None:
    order = server_order()
    stores.revoked(stores.issue(order, NOW), NOW)
    assert not stores.certificates.uses_of_key(spki_sha256(order.public_key)).compromised
    assert stores.count("compromised_key") == 0


def test_a_key_on_the_list_of_others_is_compromised(stores: Stores) -> None:
    order = server_order()
    listed = frozenset({spki_sha256(order.public_key)})
    certificates = Certificates(stores.database, stores.personal, {}, listed)
    assert certificates.uses_of_key(spki_sha256(order.public_key)).compromised


@pytest.mark.parametrize("reason", [Reason.KEY_COMPROMISE, Reason.CESSATION_OF_OPERATION])
def test_after_an_erasure_only_the_digest_of_a_compromised_key_is_left(
    stores: Stores, reason: Reason
) -> None:
    person = a_person(stores, NOW)
    key = spki_sha256(order_of(person.application).public_key)
    stores.statuses.revoke(*person.place, reason, "system:operator", NOW)
    stores.observe_all(person.place, NOW)
    stores.withdraw_all(NOW)
    with stores.database.write() as tx:
        tx.execute(text("DELETE FROM certificate WHERE application_id IS NOT NULL"))
    compromised = reason is Reason.KEY_COMPROMISE
    assert stores.certificates.uses_of_key(key) == KeyUses(compromised=compromised)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE compromised_key SET spki_sha256 = 'x'",
        "DELETE FROM compromised_key",
        "INSERT INTO compromised_key SELECT spki_sha256 FROM compromised_key",
    ],
)
def test_what_is_compromised_stays_so(stores: Stores, statement: str) -> None:
    compromise(stores, stores.issue(server_order(), NOW))
    with pytest.raises(RuleBroken) as broken, stores.database.write() as tx:
        tx.execute(text(statement))
    assert broken.value.code == "PKI23"

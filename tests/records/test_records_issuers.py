"""Issuers in the records: bound to their keys, and ended only after all that they issued."""

from datetime import timedelta
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import insert, text

from ca.identifiers import IssuerName
from ca.issuers import CertificateKind, IssuerCertificate, IssuerPolicy, IssuerState
from records.database import Database
from records.errors import Conflict, NotFound, RuleBroken
from records.tables import issuer_certificate
from revocation.publication import NEVER
from server.clock import utc_now
from tests.support.attacks_pki import AS_INTENT
from tests.support.ca_builders import a_root
from tests.support.stores import ISSUING, Stores, place_of, server_order
from tests.support.story_sql import copied

SECOND = IssuerName("issuing-2")


@pytest.fixture
def stores(database: Database) -> Stores:
    made = Stores(database)
    made.issuer()
    return made


def test_a_certificate_over_another_key_is_not_taken_for_an_issuers_own(stores: Stores) -> None:
    forged = a_root().certificate
    assert forged is not None
    with stores.database.write() as tx:
        tx.execute(
            insert(issuer_certificate).values(
                issuer=ISSUING,
                number=2,
                kind="own",
                signer=ISSUING,
                fingerprint="00",
                der=forged.public_bytes(Encoding.DER),
                chain=b"",
                installed_at=utc_now(),
            )
        )
    with pytest.raises(RuleBroken, match="PKI24"):
        stores.issuers.all()


def test_a_key_that_is_not_the_issuers_signs_nothing(stores: Stores) -> None:
    with pytest.raises(Exception, match="is not that of issuing"):
        stores.issuers.get(ISSUING).with_key(ec.generate_private_key(ec.SECP256R1()))


def test_a_certificate_that_is_there_is_not_added_twice(stores: Stores) -> None:
    there = stores.issuers.get(ISSUING).certificates
    added = IssuerCertificate(CertificateKind.CROSS, there[0].certificate, None)
    stores.issuers.install(ISSUING, added, utc_now())
    assert stores.issuers.get(ISSUING).certificates == there


def test_a_policy_is_read_as_it_was_written(stores: Stores) -> None:
    policy = IssuerPolicy(
        ("staff", "device"),
        timedelta(hours=7),
        timedelta(minutes=90),
        ocsp_validity=timedelta(hours=8),
    )
    stores.issuers.configure(ISSUING, policy, utc_now())
    assert stores.issuers.get(ISSUING).policy == policy
    with pytest.raises(NotFound):
        stores.issuers.configure(IssuerName("nobody"), policy, utc_now())


@pytest.mark.parametrize("seconds", [0, 59, 61, 864_060])
def test_a_validity_of_ocsp_responses_is_whole_minutes_up_to_ten_days(seconds: int) -> None:
    with pytest.raises(ValueError, match="up to ten days"):
        IssuerPolicy(ocsp_validity=timedelta(seconds=seconds))


def test_the_states_of_an_issuer_go_one_way(stores: Stores) -> None:
    now = utc_now()
    stores.further_issuer(2, now)
    stores.issuers.supersede(SECOND, now)
    with pytest.raises(Conflict):
        stores.issuers.supersede(SECOND, now)
    with pytest.raises(Conflict):
        stores.issuers.record_destruction(SECOND, now)
    stores.issuers.retire(SECOND, now)
    with pytest.raises(Conflict):
        stores.issuers.retire(SECOND, now)
    stores.issuers.record_destruction(SECOND, now)
    with pytest.raises(Conflict):
        stores.issuers.record_destruction(SECOND, now)
    assert stores.issuers.get(SECOND).state is IssuerState.RETIRED


def test_an_issuer_ends_only_after_an_intent_that_another_is_writing(stores: Stores) -> None:
    stores.revoked(stores.issue(server_order(), utc_now()), utc_now())
    refused: list[str] = []

    def retire() -> None:
        try:
            stores.issuers.retire(ISSUING, utc_now())
        except RuleBroken as error:
            refused.append(error.code)

    ending = Thread(target=retire)
    with stores.database.write() as tx:
        tx.execute(text(copied("certificate", "1 = 1", serial="'01ff'", **AS_INTENT)))
        ending.start()
        ending.join(0.5)
        assert ending.is_alive()
    ending.join()
    assert refused == ["PKI27"]
    assert stores.issuers.get(ISSUING).state is IssuerState.ACTIVE


def test_the_last_crl_is_the_last(stores: Stores) -> None:
    now = utc_now()
    stores.further_issuer(2, now)
    with pytest.raises(RuleBroken, match="PKI28"):
        stores.last_crl(SECOND, now)
    stores.issuers.retire(SECOND, now)
    assert stores.last_crl(SECOND, now).next_update == NEVER
    with pytest.raises(RuleBroken, match="PKI28"):
        stores.last_crl(SECOND, now)


def test_after_a_retirement_the_last_crl_is_enough_for_an_erasure(stores: Stores) -> None:
    now = utc_now()
    place = stores.revoked(stores.issue(server_order(), now), now)
    stores.crls.observe(place, "crl", bytes(32), now)
    delete = text("DELETE FROM certificate WHERE serial = :serial")
    with pytest.raises(RuleBroken, match="PKI04"), stores.database.write() as tx:
        tx.execute(delete, {"serial": place[1].hex})
    stores.issuers.retire(ISSUING, now)
    with stores.database.write() as tx:
        tx.execute(delete, {"serial": place[1].hex})
    assert stores.count("certificate") == 0


def test_what_an_issuer_has_not_ended_is_told(stores: Stores) -> None:
    now = utc_now()
    alive = stores.issue(server_order(), now)
    stores.revoked(stores.issue(server_order(), now), now)
    (told,) = stores.issuers.unended(ISSUING, now, 10)
    assert (ISSUING, told.serial_number) == place_of(alive)
    assert stores.issuers.unended(ISSUING, told.not_after + timedelta(seconds=1), 10) == []

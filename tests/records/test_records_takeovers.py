"""What was taken over, on both engines: the same guards hold, and a batch is whole or not there."""

from datetime import datetime, timedelta

import pytest
from cryptography import x509
from sqlalchemy import select

from ca.identifiers import SerialNumber
from records.database import Database
from records.errors import RuleBroken
from records.tables import crl
from records.takeovers import Takeovers
from revocation.crl import CrlHeader, build_crl, check_crl
from revocation.crl_issue import issue_crl
from revocation.foreign_crls import MAX_NUMBER, ForeignCrl
from revocation.publication import CrlPolicy, IssuingKey
from revocation.reasons import Reason
from revocation.status import Good, Revoked, Unknown
from revocation.takeover import Decision, Held, Row
from server.clock import utc_now
from tests.support.ca_builders import a_key, self_signed
from tests.support.revocation_pki import issuer_certificate
from tests.support.stores import ISSUING, Stores, server_order

ACTOR = "system:test"


@pytest.fixture
def now() -> datetime:
    return utc_now().replace(microsecond=0)


@pytest.fixture
def stores(database: Database) -> Stores:
    made = Stores(database)
    made.issuer()
    return made


def a_row(serial: int, revoked: datetime | None = None, **more: object) -> Row:
    certificate = self_signed(a_key(), serial=serial)
    return Row(
        f"{serial}.pem",
        Decision.WILL_IMPORT,
        serial_number=SerialNumber(serial),
        certificate=certificate,
        not_after=certificate.not_valid_after_utc,
        revoked=revoked and (Reason.SUPERSEDED, revoked),
        **more,  # type: ignore[arg-type]
    )


def test_what_is_taken_over_has_its_status(stores: Stores, now: datetime) -> None:
    then = now - timedelta(days=400)
    takeovers = Takeovers(stores.database)
    good, revoked = a_row(101), a_row(102, then)
    lost = Row("CRL", Decision.WILL_IMPORT, "", SerialNumber(103), None,
               now + timedelta(days=1), (Reason.KEY_COMPROMISE, then))  # fmt: skip
    takeovers.add(ISSUING, [good, revoked, lost], ACTOR, now)
    statuses = [stores.statuses.status_of(ISSUING, SerialNumber(n)) for n in range(101, 105)]

    assert statuses == [
        Good(),
        Revoked(Reason.SUPERSEDED, then),
        Revoked(Reason.KEY_COMPROMISE, then),
        Unknown(),
    ]
    assert takeovers.held(ISSUING) == {
        101: Held(good.fingerprint, None),
        102: Held(revoked.fingerprint, (Reason.SUPERSEDED, then)),
        103: Held(None, (Reason.KEY_COMPROMISE, then)),
    }
    listed = x509.load_der_x509_crl(stores.crl_octets(now))
    assert [entry.serial_number for entry in listed] == [102, 103]


def test_what_was_issued_here_is_not_taken_over(stores: Stores, now: datetime) -> None:
    takeovers = Takeovers(stores.database)
    takeovers.add(ISSUING, [a_row(101)], ACTOR, now)
    own = SerialNumber(stores.issue(server_order(), now).serial_number)
    known = takeovers.held(ISSUING)
    assert (known[SerialNumber(101)].is_taken_over, known[own].is_taken_over) == (True, False)


def test_a_batch_with_one_that_the_guards_refuse_leaves_nothing(
    stores: Stores, now: datetime
) -> None:
    takeovers = Takeovers(stores.database)
    takeovers.add(ISSUING, [a_row(101)], ACTOR, now)
    with pytest.raises(RuleBroken):
        takeovers.add(ISSUING, [a_row(104), a_row(101)], ACTOR, now)
    assert set(takeovers.held(ISSUING)) == {101}


def test_the_last_crl_of_another_signer_is_kept_once(stores: Stores, now: datetime) -> None:
    takeovers = Takeovers(stores.database)
    taken = ForeignCrl(MAX_NUMBER, now, now + timedelta(days=1), {}, b"der")
    kept = [takeovers.keep_crl(ISSUING, taken, ACTOR, now) for _ in range(2)]
    with stores.database.read() as tx:
        numbers = list(tx.execute(select(crl.c.number)).scalars())
    assert (kept, numbers) == ([True, False], [MAX_NUMBER])


def test_a_crl_does_not_claim_what_expired_in_other_hands(stores: Stores, now: datetime) -> None:
    taken_at, certificate = now - timedelta(days=2), issuer_certificate(stores.issuer_key)
    header = CrlHeader(7, taken_at, now + timedelta(days=1))
    der = build_crl(certificate, stores.issuer_key, header, [])
    taken = ForeignCrl(header.number, taken_at, header.next_update, {}, der)
    Takeovers(stores.database).keep_crl(ISSUING, taken, ACTOR, now)
    policy = CrlPolicy(timedelta(days=2), timedelta(hours=1), timedelta(days=30))
    issuing = IssuingKey(ISSUING, certificate, stores.issuer_key)
    record = issue_crl(stores.crls, issuing, now, policy)
    found = check_crl(stores.crls.whole(ISSUING), certificate, now)
    assert record.number == header.number + 1
    assert found.expired_since == taken_at > certificate.not_valid_before_utc


def test_a_crl_without_number_is_not_kept(stores: Stores, now: datetime) -> None:
    taken = ForeignCrl(None, now, now + timedelta(days=1), {}, b"der")
    assert not Takeovers(stores.database).keep_crl(ISSUING, taken, ACTOR, now)

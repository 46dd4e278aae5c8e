"""CRLs: what the next one is made from, who gets its number, and how long an entry stays."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from cryptography import x509
from sqlalchemy import delete, insert, text

from ca.identifiers import SerialNumber
from records.database import Database
from records.errors import RuleBroken
from records.tables import revocation_residue
from revocation.crl_entries import Piece, encode_entry
from revocation.errors import CrlNumberTaken
from revocation.publication import COMPLETE, NOTHING_LEFT, CrlRecord, CrlScope, NewPieces
from revocation.reasons import Reason
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.stores import ISSUING, Place, Stores, place_of, server_order

NOW = utc_now().replace(microsecond=0)
SCOPE = CrlScope(ISSUING)
NO_PIECES = NewPieces([Piece(b"", b"")])


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


def revoked(stores: Stores, now: datetime = NOW) -> Place:
    return stores.revoked(stores.issue(server_order(), now), now)


def listed(stores: Stores, now: datetime = NOW) -> list[int]:
    """The serials on the next CRL, in its order."""
    return [entry.serial_number for entry in x509.load_der_x509_crl(stores.crl_octets(now))]


def test_entries_are_in_the_order_of_their_serials(stores: Stores) -> None:
    places = [revoked(stores) for _ in range(5)]

    assert listed(stores) == sorted(serial for _, serial in places)


def test_short_serials_come_before_long_ones(stores: Stores) -> None:
    for value in (0x1000, 0xFF, 0x0A, 1 << 140):
        content = stores.intend(server_order(), NOW, SerialNumber(value)).content
        stores.certificates.revoke_orphan(ISSUING, content.serial_number, NOW)

    assert listed(stores) == [0x0A, 0xFF, 0x1000, 1 << 140]


def test_only_what_was_revoked_is_in_it(stores: Stores) -> None:
    stores.issue(server_order(), NOW)
    stores.intend(server_order(), NOW)
    _, serial = revoked(stores)

    assert listed(stores) == [serial]


def test_every_revocation_makes_the_version_rise(stores: Stores) -> None:
    stores.issuer()
    versions = [stores.crls.crl_heading(SCOPE).version]
    for _ in range(2):
        revoked(stores)
        versions.append(stores.crls.crl_heading(SCOPE).version)

    assert versions == [0, 1, 2]


def test_an_entry_leaves_only_after_a_crl_younger_than_its_certificate(stores: Stores) -> None:
    place = revoked(stores)
    expired = stores.certificates.record(*place).not_after + timedelta(days=1)

    found = [listed(stores, NOW), listed(stores, expired), listed(stores, expired)]

    assert found == [[place[1]], [place[1]], []]


def test_only_what_expired_or_is_held_no_more_may_leave(stores: Stores) -> None:
    place = revoked(stores)
    ends = stores.certificates.record(*place).not_after
    held = place_of(stores.issue(server_order(), NOW))
    stores.statuses.hold(*held, "system:test", NOW)
    both = frozenset({place[1], held[1]})

    with stores.crls.next_crl(SCOPE) as source:
        assert source.may_leave(both, ends - timedelta(seconds=1)) == frozenset()
        assert source.may_leave(both, ends) == both
    stores.statuses.release(*held, "system:x", NOW)
    with stores.crls.next_crl(SCOPE) as source:
        assert source.may_leave(both, ends - timedelta(seconds=1)) == {held[1]}


def test_an_erased_certificate_stays_in_the_crl(stores: Stores) -> None:
    place = revoked(stores)
    before = stores.crl(NOW)
    stores.observe_all(place, NOW)
    with stores.database.write() as tx:
        tx.execute(text("DELETE FROM certificate WHERE status = 'revoked'"))
    after = stores.crl(NOW)

    assert listed(stores) == [place[1]]
    assert after.version == before.version + 1
    assert stores.count("revocation_residue") == 1


def test_what_remains_is_kept_until_the_latest_of_each_list_is_without_it(stores: Stores) -> None:
    stores.issuer()
    ended, serial = NOW - timedelta(days=3), SerialNumber(77)
    entry = encode_entry(serial, ended, Reason.SUPERSEDED)
    row = {"issuer": ISSUING, "serial": serial.hex, "shard": 1, "reason": 4, "revoked_at": ended,
           "not_after": ended, "crl_entry": entry}  # fmt: skip
    with stores.database.write() as tx:
        tx.execute(insert(revocation_residue), row)
    before, after = ended - timedelta(seconds=1), ended
    for shard, number, left_until, refusal in (
        (1, 1, after, "PKI17"),
        (0, 1, before, "PKI17"),  # the complete one lists it still
        (1, 2, before, "PKI17"),
        (0, 2, after, "PKI17"),  # its shard lists it again: a clock was ahead
        (1, 3, after, None),
    ):
        record = replace(of_number(number, 1), shard=shard, left_until=left_until)
        stores.crls.record_crl((record, NO_PIECES))
        assert refusal_to_forget(stores) == refusal


def refusal_to_forget(stores: Stores) -> str | None:
    try:
        with stores.database.write() as tx:
            tx.execute(delete(revocation_residue))
    except RuleBroken as refusal:
        return refusal.code
    return None


def test_a_number_is_given_once(stores: Stores) -> None:
    record = stores.crl(NOW)

    with pytest.raises(CrlNumberTaken):
        stores.crls.record_crl((record, NO_PIECES))
    assert stores.crls.latest(ISSUING) == record


def test_of_two_writers_of_one_number_one_wins(stores: Stores) -> None:
    stores.issuer()
    for number in range(1, 6):
        records = [of_number(number, octet) for octet in (1, 2)]
        outcomes = at_once([partial(recorded, stores, record) for record in records])

        assert sorted(outcomes) == [False, True]
        assert stores.crls.latest(ISSUING) == records[outcomes.index(True)]


def test_no_number_is_left_out(stores: Stores) -> None:
    with pytest.raises(CrlNumberTaken):
        stores.crls.record_crl((of_number(2, 1), NO_PIECES))


def test_nothing_is_seen_to_be_revoked_before_it_is(stores: Stores) -> None:
    place = revoked(stores)

    with pytest.raises(RuleBroken) as refusal:
        stores.crls.observe(place, "crl", bytes(32), NOW - timedelta(seconds=1))
    assert refusal.value.code == "PKI21"


def recorded(stores: Stores, record: CrlRecord) -> bool:
    try:
        stores.crls.record_crl((record, NO_PIECES))
    except CrlNumberTaken:
        return False
    return True


def of_number(number: int, octet: int) -> CrlRecord:
    octets = bytes([octet])
    return CrlRecord(
        issuer=ISSUING,
        shard=COMPLETE,
        number=number,
        version=0,
        this_update=NOW,
        next_update=NOW + timedelta(hours=1),
        sha256=octets * 32,
        tbs_digest=octets * 32,
        entries=0,
        left_until=NOTHING_LEFT,
        rebuilt_at=NOW,
        oldest_base=1,
    )

"""Since when a change of status is seen: written once, in ranges, and counted from the decision."""

from datetime import timedelta

import pytest

from ca.identifiers import SerialNumber
from records.database import Database
from records.errors import RuleBroken
from records.visibility import Channel, Latencies, Unseen
from server.clock import utc_now
from tests.support.stores import ISSUING, Person, Stores, a_person, place_of, server_order

NOW = utc_now()
SECOND = timedelta(seconds=1)


@pytest.fixture
def stores(database: Database) -> Stores:
    made = Stores(database)
    made.issuer()
    return made


def revoke(stores: Stores, number: int) -> list[SerialNumber]:
    """So many revocations, a second apart."""
    return [
        stores.revoked(stores.issue(server_order(), NOW), NOW + SECOND * count)[1]
        for count in range(number)
    ]


def test_without_a_change_there_is_nothing_to_be_seen(stores: Stores) -> None:
    assert stores.visible.unseen(ISSUING, Channel.CRL) is None
    assert stores.visible.latencies(Channel.CRL, NOW) is None


def test_what_was_seen_is_counted_from_the_decision_and_what_follows_is_open(
    stores: Stores,
) -> None:
    revoke(stores, 3)
    unseen = stores.visible.unseen(ISSUING, Channel.OCSP)
    assert unseen == Unseen(ISSUING, 1, 3, NOW)
    took = stores.visible.see(unseen, Channel.OCSP, NOW + 5 * SECOND)

    assert sorted(took) == [3 * SECOND, 4 * SECOND, 5 * SECOND]
    assert stores.visible.unseen(ISSUING, Channel.OCSP) is None
    assert stores.visible.unseen(ISSUING, Channel.CRL) == unseen
    later = NOW + timedelta(hours=1)
    stores.revoked(stores.issue(server_order(), NOW), later)
    assert stores.visible.unseen(ISSUING, Channel.OCSP) == Unseen(ISSUING, 4, 4, later)


def test_issuers_are_behind_where_changes_were_not_seen(stores: Stores) -> None:
    assert stores.visible.behind() == set()
    revoke(stores, 2)
    assert stores.visible.behind() == {(ISSUING, Channel.CRL), (ISSUING, Channel.OCSP)}
    first, second = Unseen(ISSUING, 1, 1, NOW), Unseen(ISSUING, 2, 2, NOW)
    stores.visible.see(first, Channel.OCSP, NOW)
    assert (ISSUING, Channel.OCSP) in stores.visible.behind()
    stores.visible.see(second, Channel.OCSP, NOW)
    assert stores.visible.behind() == {(ISSUING, Channel.CRL)}


def test_a_change_that_is_overtaken_is_closed_with_the_later_one(stores: Stores) -> None:
    place = place_of(stores.issue(server_order(), NOW))
    stores.statuses.hold(*place, "system:operator", NOW)
    stores.statuses.release(*place, "system:x", NOW + SECOND)
    unseen = stores.visible.unseen(ISSUING, Channel.CRL)

    assert unseen == Unseen(ISSUING, 1, 2, NOW)
    stores.visible.see(unseen, Channel.CRL, NOW + 2 * SECOND)
    assert stores.visible.unseen(ISSUING, Channel.CRL) is None


def test_nobody_sees_the_same_change_twice(stores: Stores) -> None:
    revoke(stores, 3)
    stores.visible.see(Unseen(ISSUING, 1, 2, NOW), Channel.CRL, NOW + SECOND)
    for first, last in ((1, 3), (2, 3), (1, 1), (3, 4)):
        with pytest.raises(RuleBroken, match="PKI40"):
            stores.visible.see(Unseen(ISSUING, first, last, NOW), Channel.CRL, NOW + SECOND)
    assert stores.visible.unseen(ISSUING, Channel.CRL) == Unseen(ISSUING, 3, 3, NOW + 2 * SECOND)


def test_the_figures_are_median_p99_and_worst_of_what_was_seen_in_that_time(
    stores: Stores,
) -> None:
    revoke(stores, 4)
    for version, seconds in enumerate((1, 12, 4, 6), 1):
        seen_at = NOW + SECOND * (version - 1 + seconds)
        stores.visible.see(Unseen(ISSUING, version, version, NOW), Channel.CRL, seen_at)

    assert stores.visible.latencies(Channel.CRL, NOW) == Latencies(
        4, 6 * SECOND, 12 * SECOND, 12 * SECOND
    )
    recent = NOW + 9 * SECOND
    assert stores.visible.latencies(Channel.CRL, recent) == Latencies(
        2, 12 * SECOND, 12 * SECOND, 12 * SECOND
    )
    assert sorted(stores.visible.seen_since(Channel.CRL, recent)) == [6 * SECOND, 12 * SECOND]
    assert stores.visible.latencies(Channel.OCSP, NOW) is None


@pytest.mark.parametrize(("number", "most"), [(1, 5), (2, 5), (5, 5), (23, 5)])
def test_a_sample_has_both_ends_and_is_small(stores: Stores, number: int, most: int) -> None:
    serials = revoke(stores, number)
    unseen = stores.visible.unseen(ISSUING, Channel.OCSP)
    assert unseen is not None
    found = stores.visible.sample(unseen, most, NOW)

    assert {serials[0], serials[-1]} <= set(found) <= set(serials)
    assert len(found) == len(set(found)) <= most
    assert stores.visible.sample(unseen, most, NOW + timedelta(days=4000)) == []


def test_what_has_changed_again_is_no_part_of_a_sample(stores: Stores) -> None:
    place = place_of(stores.issue(server_order(), NOW))
    stores.statuses.hold(*place, "system:operator", NOW)
    (kept,) = revoke(stores, 1)
    unseen = stores.visible.unseen(ISSUING, Channel.CRL)
    assert unseen is not None
    assert set(stores.visible.sample(unseen, 5, NOW)) == {place[1], kept}
    stores.statuses.release(*place, "system:x", NOW)
    assert stores.visible.sample(unseen, 5, NOW) == [kept]


def test_the_version_of_a_crl_is_known_by_its_digest(stores: Stores) -> None:
    revoke(stores, 2)
    assert not stores.visible.has_crl_of(ISSUING, 1)
    crl = stores.crl(NOW + timedelta(minutes=1))
    assert stores.visible.version_of_crl(ISSUING, crl.sha256) == 2
    assert stores.visible.version_of_crl(ISSUING, bytes(32)) is None
    assert stores.visible.has_crl_of(ISSUING, 2)
    assert not stores.visible.has_crl_of(ISSUING, 3)


@pytest.fixture
def person(stores: Stores) -> Person:
    found = a_person(stores, NOW)
    stores.publish_all(NOW)
    return found


def test_what_the_search_of_the_publisher_said_is_when_the_directory_showed_it(
    stores: Stores, person: Person
) -> None:
    assert stores.visible.latencies(Channel.DIRECTORY, NOW - SECOND) is None
    stores.revoked(person.certificate, NOW + SECOND)
    assert stores.visible.unseen_in_directory() == (1, NOW + SECOND)

    stores.withdraw_all(NOW + 8 * SECOND)
    assert stores.visible.unseen_in_directory() == (0, None)
    assert stores.visible.seen_since(Channel.DIRECTORY, NOW) == [7 * SECOND]


def test_a_withdrawal_that_is_repeated_keeps_the_first_sight(
    stores: Stores, person: Person
) -> None:
    (task,) = rows_of_publication(stores)
    stores.revoked(person.certificate, NOW + SECOND)
    stores.withdraw_all(NOW + 2 * SECOND)
    # A publication that was under way ends after it, and puts back what was taken away.
    stores.publications.done(task, "8f1c0ad0-7a4f-103f-8f5c-5bcd7a0a9e4e", NOW + 3 * SECOND)
    assert stores.visible.unseen_in_directory() == (1, NOW + SECOND)
    stores.withdraw_all(NOW + 9 * SECOND)

    assert stores.visible.seen_since(Channel.DIRECTORY, NOW) == [SECOND]


def rows_of_publication(stores: Stores) -> list[int]:
    with stores.database.read() as tx:
        return list(tx.exec_driver_sql("SELECT id FROM publication").scalars())


def test_what_is_looked_at_each_second_is_found_by_an_index(stores: Stores) -> None:
    """Among millions of rows a look that reads them all would be all that the database does."""
    if stores.database.dialect == "sqlite":
        wanted = {
            "ix_certificate_ocsp_signer": "SELECT not_before FROM certificate WHERE issuer = 'x'"
            " AND profile = 'ocsp-signer' AND status = 'issued' ORDER BY intended_at DESC LIMIT 1",
            "ix_publication_state": "SELECT id FROM publication WHERE state IN ('pending',"
            " 'withdrawing')",
        }
        with stores.database.read() as tx:
            for index, query in wanted.items():
                plan = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
                assert index in str(plan)
    assert stores.visible.newest_signer(ISSUING) is None

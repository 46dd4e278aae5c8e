"""The brake: what one person holds and revokes alone in an hour, counted on the records."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text

from records.database import Database
from records.officers import Role
from records.statuses import Statuses
from revocation.causes import Cause, Grounds
from revocation.errors import RevocationRefused, RevocationRule
from revocation.reasons import Reason
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.stores import ISSUING, Place, Stores, place_of, server_order
from tests.support.story_sql import copied

LIMIT = 5
NOW = utc_now()
OFFICER = "officer-0123456789abcdef"


@pytest.fixture
def stores(database: Database) -> Stores:
    made = Stores(database)
    made.statuses = Statuses(database, LIMIT)
    return made


def places(stores: Stores, count: int) -> list[Place]:
    return [place_of(stores.issue(server_order(), NOW)) for _ in range(count)]


def revoked(stores: Stores, place: Place, actor: str = OFFICER, now: datetime = NOW) -> bool:
    """Whether the brake let it happen."""
    return _let(lambda: stores.statuses.revoke(*place, Reason.SUPERSEDED, actor, now))


def held(stores: Stores, place: Place, actor: str = OFFICER) -> bool:
    return _let(lambda: stores.statuses.hold(*place, actor, NOW))


def _let(act: Callable[[], object]) -> bool:
    try:
        act()
    except RevocationRefused as refused:
        return (refused.rule, refused.facts) != (RevocationRule.RATE_LIMITED, (str(LIMIT),))
    return True


def ended(stores: Stores) -> int:
    with stores.database.read() as tx:
        query = "SELECT count(*) FROM certificate WHERE status IN ('held', 'revoked')"
        return int(tx.execute(text(query)).scalar_one())


def test_a_script_that_revokes_500_stops_at_the_limit_and_loses_none_before(
    stores: Stores,
) -> None:
    some = places(stores, LIMIT + 3)
    let = [revoked(stores, some[number % len(some)]) for number in range(LIMIT)]
    let += [revoked(stores, some[LIMIT + number % 3]) for number in range(500 - LIMIT)]

    assert let == [True] * LIMIT + [False] * (500 - LIMIT)
    assert ended(stores) == LIMIT
    with stores.database.read() as tx:
        headers = [bytes(h) for (h,) in tx.execute(text("SELECT header FROM audit_event"))]
    assert sum(b'"certificate.revoked"' in header for header in headers) == LIMIT
    braked = [header for header in headers if b'"certificate.braked"' in header]
    assert len(braked) == 500 - LIMIT
    assert all(b'"limit":5' in header and OFFICER.encode() in header for header in braked)


@pytest.mark.parametrize("actor", [OFFICER, "system:operator"])
def test_holds_count_with_revocations(stores: Stores, actor: str) -> None:
    some = places(stores, LIMIT + 1)
    assert all(held(stores, place, actor) for place in some[:3])
    assert all(revoked(stores, place, actor) for place in some[3:LIMIT])
    assert not held(stores, some[LIMIT], actor)
    assert not revoked(stores, some[LIMIT], actor)


def test_an_hour_later_it_goes_on(stores: Stores) -> None:
    some = places(stores, LIMIT + 2)
    assert all(revoked(stores, place) for place in some[:LIMIT])
    assert not revoked(stores, some[LIMIT], now=NOW + timedelta(minutes=59))
    assert revoked(stores, some[LIMIT], now=NOW + timedelta(minutes=61))


def test_another_officer_and_the_system_are_counted_for_themselves(stores: Stores) -> None:
    some = places(stores, LIMIT + 2)
    assert all(revoked(stores, place) for place in some[:LIMIT])
    assert revoked(stores, some[LIMIT], "officer-fedcba9876543210")
    assert revoked(stores, some[LIMIT + 1], "system:job")


@pytest.mark.parametrize("actor", ["holder-0123456789abcdef", "system:job"])
def test_holders_and_the_system_are_not_braked(stores: Stores, actor: str) -> None:
    assert all(revoked(stores, place, actor) for place in places(stores, LIMIT + 2))


def test_the_end_of_an_issuer_is_not_braked(stores: Stores) -> None:
    for place in places(stores, LIMIT + 2):
        grounds = Grounds(Cause.ISSUER_ENDED)
        stores.statuses.revoke(*place, grounds, "system:operator", NOW)
    assert ended(stores) == LIMIT + 2


def test_two_roles_of_one_person_count_as_one(stores: Stores) -> None:
    first = stores.officer(Role.SECURITY_ADMINISTRATOR, NOW)
    second = "officer-feedfeedfeedfeed"
    with stores.database.write() as tx:
        same_person = copied("officer", "id = :old", id=":id", state="'invited'")
        tx.execute(text(same_person), {"old": first.id, "id": second})
    some = places(stores, LIMIT + 1)
    assert all(revoked(stores, place, first.id) for place in some[:3])
    assert all(revoked(stores, place, second) for place in some[3:LIMIT])
    assert not revoked(stores, some[LIMIT], first.id)
    assert not revoked(stores, some[LIMIT], second)


def test_two_nodes_at_once_count_together(stores: Stores) -> None:
    some = places(stores, 2 * LIMIT)
    stores.issuers.get(ISSUING)
    outcomes = at_once([partial(revoked, stores, place) for place in some])
    assert sorted(outcomes) == [False] * LIMIT + [True] * LIMIT
    assert ended(stores) == LIMIT

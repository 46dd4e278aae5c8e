"""Hold, return and revocation: what relying parties are told, and what is written down of it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from sqlalchemy import text

from ca.errors import Conflict
from ca.identifiers import SerialNumber
from records.certificate_rows import CertificateRecord
from records.database import Database
from records.errors import NotFound
from records.ocsp_responses import OcspResponses
from revocation.publication import CrlScope
from revocation.reasons import Reason
from revocation.status import Good, Revoked
from server.clock import utc_now
from tests.support.stores import ISSUING, Place, Stores, a_person, place_of, server_order

NOW = utc_now()
SECOND = NOW.replace(microsecond=0)
LATER = NOW + timedelta(hours=1)
ACTOR = "system:operator"
Change = Callable[[Stores, Place], CertificateRecord]
HELD = Revoked(Reason.CERTIFICATE_HOLD, SECOND)

HOLD: Change = lambda stores, place: stores.statuses.hold(*place, ACTOR, NOW)  # noqa: E731
RELEASE: Change = lambda stores, place: stores.statuses.release(*place, ACTOR, LATER)  # noqa: E731
REVOKE: Change = lambda stores, place: stores.statuses.revoke(  # noqa: E731
    *place, Reason.KEY_COMPROMISE, ACTOR, LATER
)


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


@pytest.fixture
def place(stores: Stores) -> Place:
    return place_of(stores.issue(server_order(), NOW))


def changes(stores: Stores) -> list[str]:
    """The serials of the status changes of the issuer, in the order of their versions."""
    with stores.database.read() as tx:
        rows = tx.execute(text("SELECT version, serial FROM status_change ORDER BY version")).all()
    assert [row.version for row in rows] == list(range(1, len(rows) + 1))
    return [row.serial for row in rows]


def test_a_hold_says_so_and_its_return_makes_it_good_again(stores: Stores, place: Place) -> None:
    assert HOLD(stores, place).status == "held"
    assert stores.statuses.status_of(*place) == HELD

    assert RELEASE(stores, place).status == "issued"
    assert stores.statuses.status_of(*place) == Good()


def test_a_hold_that_ends_in_revocation_keeps_its_date(stores: Stores, place: Place) -> None:
    HOLD(stores, place)
    record = REVOKE(stores, place)

    assert (record.status, record.revoked_at) == ("revoked", SECOND)
    assert stores.statuses.status_of(*place) == Revoked(Reason.KEY_COMPROMISE, SECOND)


@pytest.mark.parametrize(
    ("before", "change"),
    [((), RELEASE), ((HOLD,), HOLD), ((REVOKE,), HOLD), ((REVOKE,), RELEASE), ((REVOKE,), REVOKE)],
    ids=["release of good", "hold twice", "hold of revoked", "release of revoked", "revoke twice"],
)
def test_no_other_change_is_made(
    stores: Stores, place: Place, before: tuple[Change, ...], change: Change
) -> None:
    for each in before:
        each(stores, place)
    told = stores.statuses.status_of(*place)

    with pytest.raises(Conflict):
        change(stores, place)
    assert stores.statuses.status_of(*place) == told
    assert changes(stores) == [place[1].hex] * len(before)


@pytest.mark.parametrize("change", [HOLD, RELEASE, REVOKE])
def test_what_was_never_issued_has_no_status_to_change(stores: Stores, change: Change) -> None:
    stores.issuer()
    with pytest.raises(NotFound):
        change(stores, (ISSUING, SerialNumber.random()))


@pytest.mark.parametrize("change", [HOLD, RELEASE])
def test_an_intent_is_neither_held_nor_released(stores: Stores, change: Change) -> None:
    content = stores.intend(server_order(), NOW).content
    with pytest.raises(Conflict):
        change(stores, (ISSUING, content.serial_number))


def test_each_change_is_written_down_under_its_version_and_empties_the_responses(
    stores: Stores, place: Place
) -> None:
    responses = OcspResponses(stores.database)
    for number, change in enumerate((HOLD, RELEASE, HOLD, REVOKE), 1):
        change(stores, place)
        (due,) = responses.due(ISSUING, LATER, 10)
        assert due.version == number
    assert responses.changed({ISSUING: 2}) == {ISSUING: (4, [place[1], place[1]])}


def test_the_crl_lists_a_hold_and_lets_it_go_when_it_is_lifted(
    stores: Stores, place: Place
) -> None:
    HOLD(stores, place)
    stores.crl(NOW)
    RELEASE(stores, place)

    assert list(x509.load_der_x509_crl(stores.crl_octets(NOW))) == []
    assert stores.crl(LATER).number == 3


def test_a_certificate_on_hold_may_not_leave_the_crl(stores: Stores, place: Place) -> None:
    HOLD(stores, place)
    stores.crl(NOW)

    with stores.crls.next_crl(CrlScope(ISSUING)) as source:
        assert source.may_leave(frozenset({place[1]}), NOW) == frozenset()


def test_a_hold_withdraws_from_the_directories(stores: Stores) -> None:
    person = a_person(stores, NOW)
    stores.publish_all(NOW)
    stores.statuses.hold(*person.place, ACTOR, NOW)

    (found,) = stores.publications.of_certificate(*person.place)
    assert found.state == "withdrawing"

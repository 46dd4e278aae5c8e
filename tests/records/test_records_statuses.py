"""Hold, return and revocation: what relying parties are told, and what is written down of it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from sqlalchemy import text

from ca.errors import Conflict
from ca.identifiers import SerialNumber
from records.certificate_rows import CertificateRecord
from records.database import Database
from records.errors import NotFound
from records.ocsp_responses import OcspResponses
from records.officers import Role
from revocation.causes import Cause, Grounds
from revocation.errors import RevocationRefused, RevocationRule
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
RELEASE: Change = lambda stores, place: stores.statuses.release(*place, "system:x", LATER)  # noqa: E731
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


def published_as(stores: Stores, place: Place) -> str:
    (found,) = stores.publications.of_certificate(*place)
    return found.state


@pytest.mark.parametrize("seen", [True, False], ids=["withdrawn", "withdrawal asked for"])
def test_a_hold_withdraws_from_the_directories_and_its_release_gives_back(
    stores: Stores, *, seen: bool
) -> None:
    person = a_person(stores, NOW)
    stores.publish_all(NOW)
    stores.statuses.hold(*person.place, ACTOR, NOW)
    assert published_as(stores, person.place) == "withdrawing"
    if seen:
        stores.withdraw_all(NOW)
        assert published_as(stores, person.place) == "withdrawn"

    stores.statuses.release(*person.place, "system:x", LATER)
    assert published_as(stores, person.place) == "pending"
    stores.publish_all(LATER)
    assert published_as(stores, person.place) == "published"


def test_what_was_withdrawn_before_a_hold_stays_so_after_it(stores: Stores) -> None:
    person = a_person(stores, NOW)
    with stores.database.write() as tx:
        tx.execute(text("UPDATE publication SET state = 'withdrawing'"))
    stores.statuses.hold(*person.place, ACTOR, NOW)
    stores.withdraw_all(NOW)
    stores.statuses.release(*person.place, "system:x", LATER)

    assert published_as(stores, person.place) == "withdrawn"


def test_a_withdrawal_that_ends_after_the_release_is_made_good(stores: Stores) -> None:
    person = a_person(stores, NOW)
    stores.publish_all(NOW)
    stores.statuses.hold(*person.place, ACTOR, NOW)
    (late,) = stores.publications.pending("main", 1, NOW)
    stores.statuses.release(*person.place, "system:x", LATER)
    stores.publish_all(LATER)

    stores.publications.done(late.id, None, LATER)
    assert published_as(stores, person.place) == "pending"


def test_a_hold_that_ends_in_revocation_gives_nothing_back(stores: Stores) -> None:
    person = a_person(stores, NOW)
    stores.publish_all(NOW)
    HOLD(stores, person.place)
    stores.withdraw_all(NOW)
    REVOKE(stores, person.place)
    stores.withdraw_all(LATER)

    with stores.database.read() as tx:
        (row,) = tx.execute(text("SELECT state, returns FROM publication")).all()
    assert tuple(row) == ("withdrawn", 0)


def test_who_held_does_not_release_and_another_does(stores: Stores, place: Place) -> None:
    first, second = (stores.officer(Role.SECURITY_ADMINISTRATOR, NOW) for _ in range(2))
    stores.statuses.hold(*place, first.id, NOW, Cause.COMPROMISE_SUSPECTED)
    for actor in (first.id, ACTOR):
        with pytest.raises(RevocationRefused) as refused:
            stores.statuses.release(*place, actor, LATER)
        assert refused.value.rule is RevocationRule.UNDER_INVESTIGATION
    assert stores.statuses.status_of(*place) == HELD

    assert stores.statuses.release(*place, second.id, LATER).cause is None
    assert stores.statuses.status_of(*place) == Good()


def test_a_key_that_turned_out_compromised_meanwhile_stays_on_hold(
    stores: Stores, place: Place
) -> None:
    HOLD(stores, place)
    key = "INSERT INTO compromised_key SELECT spki_sha256 FROM certificate WHERE serial = :serial"
    with stores.database.write() as tx:
        tx.execute(text(key), {"serial": place[1].hex})
    with pytest.raises(RevocationRefused) as refused:
        RELEASE(stores, place)
    assert refused.value.rule is RevocationRule.REQUIREMENTS_NOT_MET


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (Cause.COMPROMISE_SUSPECTED, Reason.KEY_COMPROMISE),
        (Cause.KEY_LOST, Reason.KEY_COMPROMISE),
        (Cause.NOT_NEEDED, Reason.CESSATION_OF_OPERATION),
    ],
)
def test_a_hold_that_lasts_too_long_becomes_a_revocation_for_its_cause(
    stores: Stores, place: Place, cause: Cause, reason: Reason
) -> None:
    stores.statuses.hold(*place, ACTOR, NOW, cause)

    assert stores.statuses.end_holds(NOW, 10, LATER) == 0
    assert stores.statuses.end_holds(NOW + timedelta(microseconds=1), 10, LATER) == 1
    assert stores.statuses.status_of(*place) == Revoked(reason, SECOND)
    assert stores.statuses.end_holds(LATER, 10, LATER) == 0


def test_a_hold_that_outlives_its_certificate_stays_what_it_was(
    stores: Stores, place: Place
) -> None:
    HOLD(stores, place)
    after = stores.certificates.record(*place).not_after + timedelta(seconds=1)
    assert stores.statuses.end_holds(LATER, 10, after) == 0
    assert stores.statuses.status_of(*place) == HELD


def test_a_revocation_keeps_its_cause_and_the_date_of_the_compromise(
    stores: Stores, place: Place
) -> None:
    since = SECOND + timedelta(minutes=30)
    grounds = Grounds(Cause.KEY_LOST, since)
    record = stores.statuses.revoke(*place, grounds, ACTOR, LATER)

    assert (record.cause, record.invalid_since, record.decided_by) == (Cause.KEY_LOST, since, ACTOR)
    assert record.reason is Reason.KEY_COMPROMISE
    crl = x509.load_der_x509_crl(stores.crl_octets(LATER))
    (entry,) = crl
    date = entry.extensions.get_extension_for_class(x509.InvalidityDate).value
    assert date.invalidity_date_utc == since


def test_a_cause_that_is_not_the_actors_changes_nothing(stores: Stores, place: Place) -> None:
    with pytest.raises(RevocationRefused):
        stores.statuses.revoke(*place, Grounds(Cause.ORPHAN), ACTOR, NOW)
    with pytest.raises(RevocationRefused):
        stores.statuses.hold(*place, ACTOR, NOW, Cause.DEATH)
    assert stores.statuses.status_of(*place) == Good()
    assert changes(stores) == []


def test_the_digest_of_a_certificate_is_known_and_of_no_other_serial(
    stores: Stores, place: Place
) -> None:
    digest = stores.certificates.body(*place).fingerprint(hashes.SHA256())

    assert stores.statuses.sha256_of(*place) == digest
    HOLD(stores, place)
    assert stores.statuses.sha256_of(*place) == digest
    orphan = stores.intend(server_order(), NOW).content.serial_number
    for other in (orphan, SerialNumber.random()):
        assert stores.statuses.sha256_of(ISSUING, other) is None

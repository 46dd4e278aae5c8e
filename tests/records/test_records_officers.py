"""Officers: one-time links, sessions, and the certificate by which one is known."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text

from records.database import Database
from records.errors import NotFound, RuleBroken
from records.officers import LinkUsed, Officer, Role
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.stores import ISSUING, Stores, server_order, staff_order

NOW = utc_now()
HOUR = timedelta(hours=1)


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


@pytest.fixture
def invited(stores: Stores) -> Officer:
    return stores.officers.invite("Ina Inviteret", Role.APPROVING_OFFICER, NOW)


def end(stores: Stores, officer: Officer) -> None:
    with stores.database.write() as tx:
        tx.execute(text("UPDATE officer SET state = 'ended' WHERE id = :id"), {"id": officer.id})


def test_an_invited_officer_is_known_by_a_pseudonym(stores: Stores, invited: Officer) -> None:
    assert stores.officers.get(invited.id) == invited
    assert stores.officers.all() == [(invited, "Ina Inviteret")]
    with pytest.raises(NotFound):
        stores.officers.get("officer-0000000000000000")


def test_a_link_works_once(stores: Stores, invited: Officer) -> None:
    token = stores.officers.make_link(invited.id, "enrolment", NOW, HOUR)

    assert stores.officers.redeem(token, "enrolment", NOW) == invited
    with pytest.raises(LinkUsed):
        stores.officers.redeem(token, "enrolment", NOW)


def test_of_twenty_who_use_a_link_at_once_exactly_one_gets_in(
    stores: Stores, invited: Officer
) -> None:
    token = stores.officers.make_link(invited.id, "enrolment", NOW, HOUR)

    outcomes = at_once([partial(redeemed, stores, token)] * 20)

    assert outcomes.count(True) == 1


def redeemed(stores: Stores, token: str) -> bool:
    try:
        stores.officers.redeem(token, "enrolment", NOW)
    except LinkUsed:
        return False
    return True


def test_a_link_ends_with_its_time(stores: Stores, invited: Officer) -> None:
    token = stores.officers.make_link(invited.id, "enrolment", NOW, HOUR)

    with pytest.raises(LinkUsed):
        stores.officers.redeem(token, "enrolment", NOW + HOUR)


def test_a_link_is_for_one_purpose(stores: Stores, invited: Officer) -> None:
    token = stores.officers.make_link(invited.id, "enrolment", NOW, HOUR)

    with pytest.raises(LinkUsed):
        stores.officers.redeem(token, "sign-in", NOW)


def test_an_unknown_link_is_like_a_used_one(stores: Stores) -> None:
    with pytest.raises(LinkUsed):
        stores.officers.redeem("anything", "enrolment", NOW)


def test_nobody_gets_a_link_for_an_officer_who_is_not_there(stores: Stores) -> None:
    with pytest.raises(NotFound):
        stores.officers.make_link("officer-0000000000000000", "enrolment", NOW, HOUR)


def test_an_officer_who_has_ended_does_not_come_back_by_a_link(
    stores: Stores, invited: Officer
) -> None:
    token = stores.officers.make_link(invited.id, "enrolment", NOW, HOUR)
    certificate = stores.issue(staff_order(invited), NOW)
    end(stores, invited)

    with pytest.raises(LinkUsed):
        stores.officers.redeem(token, "enrolment", NOW)
    with pytest.raises(RuleBroken) as refusal:
        stores.officers.enrol(invited.id, ISSUING, certificate, NOW)
    assert refusal.value.code == "RA15"


def test_enrolment_makes_an_officer_active(stores: Stores, invited: Officer) -> None:
    certificate = stores.issue(staff_order(invited), NOW)
    stores.officers.enrol(invited.id, ISSUING, certificate, NOW)

    found = stores.officers.by_certificate(certificate)

    assert found is not None
    assert (found.id, found.state) == (invited.id, "active")


def test_an_officer_is_not_bound_to_the_certificate_of_another(
    stores: Stores, invited: Officer
) -> None:
    other = stores.officers.invite("Anden", Role.AUDITOR, NOW)
    certificate = stores.issue(staff_order(other), NOW)

    with pytest.raises(RuleBroken) as refusal:
        stores.officers.enrol(invited.id, ISSUING, certificate, NOW)
    assert refusal.value.code == "RA15"
    assert stores.officers.get(invited.id).state == "invited"


def test_a_revoked_certificate_is_nobodys(stores: Stores, invited: Officer) -> None:
    certificate = stores.issue(staff_order(invited), NOW)
    stores.officers.enrol(invited.id, ISSUING, certificate, NOW)
    stores.revoked(certificate, NOW)

    assert stores.officers.by_certificate(certificate) is None


def test_the_certificate_of_an_officer_who_has_ended_is_nobodys(
    stores: Stores, invited: Officer
) -> None:
    certificate = stores.issue(staff_order(invited), NOW)
    stores.officers.enrol(invited.id, ISSUING, certificate, NOW)
    end(stores, invited)

    assert stores.officers.by_certificate(certificate) is None


def test_a_certificate_that_was_never_bound_is_nobodys(stores: Stores) -> None:
    assert stores.officers.by_certificate(stores.issue(server_order(), NOW)) is None


def enrolled(stores: Stores, invited: Officer) -> Officer:
    """The officer as who acts with a certificate of their own."""
    certificate = stores.issue(staff_order(invited), NOW)
    stores.officers.enrol(invited.id, ISSUING, certificate, NOW)
    found = stores.officers.by_certificate(certificate)
    assert found is not None
    return found


def test_a_session_lasts_until_it_ends(stores: Stores, invited: Officer) -> None:
    officer = enrolled(stores, invited)
    token = stores.officers.start_session(officer, NOW, HOUR)

    found = stores.officers.by_session(token, NOW)
    assert found is not None
    assert (found, found.certificate) == (officer, officer.certificate)
    assert stores.officers.by_session(token, NOW + HOUR) is None
    stores.officers.end_session(token, NOW)
    assert stores.officers.by_session(token, NOW) is None


def test_a_session_ends_with_its_officer(stores: Stores, invited: Officer) -> None:
    token = stores.officers.start_session(enrolled(stores, invited), NOW, HOUR)
    end(stores, invited)

    assert stores.officers.by_session(token, NOW) is None


def test_a_session_ends_with_the_certificate_that_began_it(
    stores: Stores, invited: Officer
) -> None:
    certificate = stores.issue(staff_order(invited), NOW)
    stores.officers.enrol(invited.id, ISSUING, certificate, NOW)
    officer = stores.officers.by_certificate(certificate)
    assert officer is not None
    token = stores.officers.start_session(officer, NOW, HOUR)
    stores.revoked(certificate, NOW)

    assert stores.officers.by_session(token, NOW) is None


def test_no_session_is_anybodys_without_a_certificate_of_that_officer(
    stores: Stores, invited: Officer
) -> None:
    officer = enrolled(stores, invited)
    other = enrolled(stores, stores.officers.invite("Anden", Role.AUDITOR, NOW))
    for certificate in (None, other.certificate, "0" * 64):
        forged = replace(officer, certificate=certificate)
        token = stores.officers.start_session(forged, NOW, HOUR)
        assert stores.officers.by_session(token, NOW) is None


def test_neither_links_nor_sessions_are_kept_readable(stores: Stores, invited: Officer) -> None:
    officer = enrolled(stores, invited)
    secrets = (
        stores.officers.make_link(officer.id, "sign-in", NOW, HOUR, officer.certificate),
        stores.officers.start_session(officer, NOW, HOUR),
    )

    with stores.database.read() as tx:
        kept = [
            *tx.execute(text("SELECT token_sha256 FROM one_time_link")).scalars(),
            *tx.execute(text("SELECT token_sha256 FROM officer_session")).scalars(),
        ]
    assert not set(secrets) & set(kept)

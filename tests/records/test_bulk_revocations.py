"""Bulk revocations: planned, begun by two persons, carried on whatever happens in between."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from threading import Event

import pytest
from cryptography import x509
from sqlalchemy import text

from audit.events import Event as AuditEvent
from ca.identifiers import SerialNumber
from ca.profiles import load_profile
from records.audit_log import append
from records.brake import OPEN_PLANS
from records.bulk_revocations import BulkRevocation, BulkRevocations
from records.database import Database
from records.errors import Conflict, NotFound
from records.officers import Role
from revocation.causes import Cause, Grounds
from revocation.errors import (
    RevocationRefused,
    RevocationRule,
    SelectionAltered,
    SelectionFaulty,
)
from revocation.reasons import Reason
from revocation.selections import Selection
from revocation.status import Good, Revoked
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.stores import ALONE, ISSUING, Place, Stores, a_person, place_of, server_order
from tests.support.story_sql import copied

pytestmark = pytest.mark.served

NOW = utc_now()
SECOND = NOW.replace(microsecond=0)
LATER = NOW + timedelta(minutes=10)
REPLACED = Grounds(Cause.REPLACED)
SERVERS = Selection(profile="tls-server")


@dataclass
class Desk:
    """The stores, and two security administrators."""

    stores: Stores
    first: str
    second: str

    @property
    def bulk(self) -> BulkRevocations:
        return self.stores.bulk

    def issued(self, count: int) -> list[Place]:
        certificates = [self.stores.issue(server_order(), NOW) for _ in range(count)]
        return sorted(place_of(each) for each in certificates)

    def plan(self, selection: Selection = SERVERS, grounds: Grounds = REPLACED) -> BulkRevocation:
        return self.bulk.plan(selection, grounds, self.first, NOW)

    def begun(self, plan: BulkRevocation) -> BulkRevocation:
        return self.bulk.begin(plan.id, plan.sha256, self.second, NOW)

    def ended(self, plan: BulkRevocation, now: datetime = LATER) -> BulkRevocation:
        """Begun, and carried on to its end in small batches."""
        job = self.begun(plan)
        while job.ended_at is None:
            job = self.bulk.carry_on(job.id, now, limit=2)
        return job

    def told(self, place: Place) -> object:
        return self.stores.statuses.status_of(*place)

    def events(self, job: BulkRevocation) -> list[dict[str, object]]:
        with self.stores.database.read() as tx:
            rows = tx.execute(text("SELECT header FROM audit_event ORDER BY sequence")).all()
        read = [json.loads(bytes(header)) for (header,) in rows]
        return [event for event in read if event["o"] == job.id]


@pytest.fixture
def desk(database: Database) -> Desk:
    stores = Stores(database)
    officers = [stores.officer(Role.SECURITY_ADMINISTRATOR, NOW).id for _ in range(2)]
    return Desk(stores, *officers)


def refusal(act: Callable[[], object]) -> RevocationRule:
    with pytest.raises(RevocationRefused) as refused:
        act()
    return refused.value.rule


def test_a_plan_counts_by_issuer_and_profile_and_revokes_nothing(desk: Desk) -> None:
    places = desk.issued(ALONE + 1)
    plan = desk.plan(Selection(issuer=ISSUING))

    assert (plan.total, plan.left_out, plan.state) == (ALONE + 3, 0, "waiting")
    assert desk.bulk.counts(plan.id) == [("issuing", "staff", 2), ("issuing", "tls-server", 4)]
    assert desk.bulk.carry_on(plan.id, NOW) == plan
    assert [desk.told(place) for place in places] == [Good()] * len(places)


def test_a_second_person_begins_it_and_every_one_is_revoked(desk: Desk) -> None:
    places = desk.issued(ALONE + 2)
    job = desk.ended(desk.plan())

    assert (job.done, job.revoked, job.ended_at) == (ALONE + 2, ALONE + 2, LATER)
    assert job.state == "done"
    told = Revoked(Reason.SUPERSEDED, LATER.replace(microsecond=0))
    assert [desk.told(place) for place in places] == [told] * len(places)
    record = desk.stores.certificates.record(*places[0])
    assert (record.cause, record.decided_by) == (Cause.REPLACED, job.id)
    assert desk.bulk.counts(job.id) == [("issuing", "tls-server", ALONE + 2)]
    listed = x509.load_der_x509_crl(desk.stores.crl_octets(LATER))
    assert sorted(entry.serial_number for entry in listed) == [serial for _, serial in places]


def test_who_planned_begins_alone_only_what_is_small(desk: Desk) -> None:
    desk.issued(ALONE + 1)
    plan = desk.plan()
    own = partial(desk.bulk.begin, plan.id, plan.sha256, desk.first, NOW)
    assert refusal(own) is RevocationRule.SECOND_OFFICER
    assert desk.bulk.get(plan.id) == plan

    small = desk.plan(Selection(dict.fromkeys(desk.issued(ALONE), 1)))
    assert small.state == "planned"
    assert desk.bulk.begin(small.id, small.sha256, desk.first, NOW).begun_by == desk.first


def test_another_role_of_the_same_person_is_no_second_person(desk: Desk) -> None:
    desk.issued(ALONE + 1)
    plan, other = desk.plan(), "officer-feedfeedfeedfeed"
    with desk.stores.database.write() as tx:
        again = copied("officer", "id = :old", id=":id", state="'invited'")
        tx.execute(text(again), {"old": desk.first, "id": other})
    own = partial(desk.bulk.begin, plan.id, plan.sha256, other, NOW)
    assert refusal(own) is RevocationRule.SECOND_OFFICER


def test_many_small_plans_of_ones_own_are_braked_like_one(desk: Desk) -> None:
    half = ALONE // 2 + 1
    plans = [desk.plan(Selection(dict.fromkeys(desk.issued(half), 1))) for _ in range(2)]
    desk.bulk.begin(plans[0].id, plans[0].sha256, desk.first, NOW)
    again = partial(desk.bulk.begin, plans[1].id, plans[1].sha256, desk.first, NOW)
    assert refusal(again) is RevocationRule.RATE_LIMITED
    assert desk.bulk.get(plans[1].id).begun_by is None
    (_, braked) = desk.events(plans[1])
    assert (braked["e"], braked["a"], braked["d"]) == (
        "certificate.braked",
        desk.first,
        {"limit": ALONE},
    )
    assert desk.begun(plans[1]).begun_by == desk.second


def test_another_digest_than_that_of_the_plan_begins_nothing(desk: Desk) -> None:
    desk.issued(2)
    plan = desk.plan()
    desk.issued(1)
    changed = desk.plan()
    assert changed.sha256 != plan.sha256
    wrong = partial(desk.bulk.begin, plan.id, changed.sha256, desk.second, NOW)
    assert refusal(wrong) is RevocationRule.SELECTION_CHANGED
    assert desk.bulk.get(plan.id).begun_by is None


def test_of_two_who_begin_at_once_one_does(desk: Desk) -> None:
    desk.issued(2)
    plan = desk.plan()

    def begin(officer: str) -> bool:
        try:
            desk.bulk.begin(plan.id, plan.sha256, officer, NOW)
        except Conflict:
            return False
        return True

    acts = [partial(begin, officer) for officer in (desk.first, desk.second) * 2]
    assert sorted(at_once(acts)) == [False, False, False, True]
    assert len(desk.events(plan)) == 2


def test_two_nodes_that_carry_on_revoke_each_once(desk: Desk) -> None:
    places = desk.issued(12)
    job = desk.begun(desk.plan())

    def carry_on() -> None:
        while desk.bulk.carry_on(job.id, LATER, limit=2).ended_at is None:
            pass

    at_once([carry_on] * 3)
    assert desk.bulk.get(job.id).revoked == len(places)
    assert desk.stores.count("status_change") == len(places)


def test_every_batch_is_in_the_audit_log_with_the_digest_of_what_it_revoked(desk: Desk) -> None:
    desk.issued(5)
    job = desk.ended(desk.plan())
    planned, begun, *batches = desk.events(job)

    assert (planned["e"], planned["a"]) == ("revocation.planned", desk.first)
    assert (begun["e"], begun["a"], begun["d"]) == (
        "revocation.begun",
        desk.second,
        {"sha256": job.sha256},
    )
    details = [batch["d"] for batch in batches]
    assert [(d["first"], d["done"], d["revoked"]) for d in details] == [  # type: ignore[index]
        (0, 2, 2),
        (2, 2, 2),
        (4, 1, 1),
    ]
    assert len({d["sha256"] for d in details}) == 3  # type: ignore[index]


def test_what_changed_since_the_plan_is_passed_over_or_keeps_its_date(desk: Desk) -> None:
    gone, held, left = desk.issued(3)
    plan = desk.plan()
    desk.stores.statuses.revoke(*gone, Reason.KEY_COMPROMISE, "system:operator", NOW)
    desk.stores.statuses.hold(*held, "system:operator", NOW)
    job = desk.ended(plan)

    assert (job.done, job.revoked) == (3, 2)
    assert desk.told(gone) == Revoked(Reason.KEY_COMPROMISE, SECOND)
    assert desk.told(held) == Revoked(Reason.SUPERSEDED, SECOND)
    assert desk.told(left) == Revoked(Reason.SUPERSEDED, LATER.replace(microsecond=0))


def test_keys_of_a_compromise_are_kept_and_dated_from_where_each_began(desk: Desk) -> None:
    (place,) = desk.issued(1)
    early = desk.stores.certificates.record(*place).not_before - timedelta(days=9)
    desk.ended(desk.plan(grounds=Grounds(Cause.KEY_COMPROMISED, early)))

    record = desk.stores.certificates.record(*place)
    assert record.invalid_since == record.not_before
    assert desk.stores.count("compromised_key") == 1


def test_directories_are_left_by_all(desk: Desk) -> None:
    person = a_person(desk.stores, NOW)
    desk.stores.publish_all(NOW)
    desk.ended(desk.plan(Selection(profile="natural-person-substantial")))
    (found,) = desk.stores.publications.of_certificate(*person.place)
    assert found.state == "withdrawing"


def test_a_key_and_a_time_select(desk: Desk) -> None:
    order = server_order()
    same = [place_of(desk.stores.issue(order, NOW)) for _ in range(2)]
    desk.issued(2)
    assert desk.plan(Selection(spki_sha256=order.spki_sha256)).total == len(same)

    desk.stores.issue(server_order(), LATER)
    assert desk.plan(Selection(issued_from=LATER)).total == 1
    assert desk.plan(Selection(profile="tls-server", issued_until=NOW)).total == 4
    assert desk.plan(Selection(profile="tls-server", issued_from=NOW, issued_until=NOW)).total == 4


def test_what_cannot_be_revoked_is_left_out_of_a_list(desk: Desk) -> None:
    live, revoked = desk.issued(2)
    desk.stores.statuses.revoke(*revoked, Reason.SUPERSEDED, "system:operator", NOW)
    intent = ISSUING, desk.stores.intend(server_order(), NOW).content.serial_number
    plan = desk.plan(Selection({live: 1, revoked: 2, intent: 3}))
    assert (plan.total, plan.left_out) == (1, 2)


def test_ocsp_signers_are_left_out_of_a_list_too(desk: Desk) -> None:
    (live,) = desk.issued(1)
    order = replace(server_order(), profile=load_profile("ocsp-signer"))
    signer = place_of(desk.stores.issue(order, NOW))
    plan = desk.plan(Selection({live: 1, signer: 2}))
    assert (plan.total, plan.left_out) == (1, 1)


def an_old_plan(desk: Desk) -> BulkRevocation:
    """One that nobody began for a week."""
    return desk.bulk.plan(SERVERS, REPLACED, desk.first, NOW - timedelta(days=7, seconds=1))


@pytest.mark.parametrize("put_back", [False, True])
def test_a_plan_whose_rows_were_altered_is_not_begun(desk: Desk, *, put_back: bool) -> None:
    desk.issued(3)
    (other,) = desk.issued(1)
    plan = an_old_plan(desk)
    with desk.stores.database.write() as tx:
        tx.execute(text("DELETE FROM bulk_certificate WHERE number = 0"))
        if put_back:
            forged = "INSERT INTO bulk_certificate VALUES (:bulk, 0, :issuer, :serial)"
            names = {"bulk": plan.id, "issuer": other[0], "serial": f"{other[1].hex}00"}
            tx.execute(text(forged), names)
    with pytest.raises(SelectionAltered):
        desk.begun(plan)
    assert desk.bulk.get(plan.id).begun_by is None


def test_lists_that_are_done_are_forgotten_in_pieces(desk: Desk) -> None:
    desk.issued(5)
    job = desk.ended(desk.plan())
    desk.issued(1)
    open_plan = desk.plan()
    assert [desk.bulk.forget(LATER, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert desk.bulk.get(job.id) == job
    assert desk.bulk.get(open_plan.id) == open_plan
    assert desk.stores.count("bulk_certificate") == 1


def test_a_plan_that_nobody_began_for_a_week_is_forgotten_and_told(desk: Desk) -> None:
    desk.issued(3)
    kept = desk.plan()
    plan = an_old_plan(desk)
    assert [desk.bulk.forget(NOW, limit=2) for _ in range(4)] == [2, 1, 1, 0]
    assert desk.bulk.all() == [kept]
    told = desk.events(plan)[-1]
    assert (told["e"], told["d"]) == (
        "revocation.forgotten",
        {"certificates": 3, "sha256": plan.sha256},
    )


def test_an_old_plan_that_was_begun_is_kept(desk: Desk) -> None:
    desk.issued(2)
    desk.begun(an_old_plan(desk))
    assert desk.bulk.forget(NOW) == 0
    assert desk.stores.count("bulk_certificate") == 2


def test_a_person_has_ten_plans_that_nobody_began_and_no_more(desk: Desk) -> None:
    desk.issued(1)
    plans = [desk.plan() for _ in range(OPEN_PLANS - 1)]

    def plan() -> RevocationRule | None:
        try:
            desk.plan()
        except RevocationRefused as refused:
            return refused.rule
        return None

    with ThreadPoolExecutor(2) as threads:
        with desk.stores.database.write() as tx:
            append(tx, AuditEvent("test.held", "system:test", "x", {}), NOW)
            planning = [threads.submit(plan) for _ in range(2)]
            Event().wait(0.5)  # both have begun, and wait for the audit log
        outcomes = {each.result() for each in planning}
    assert outcomes == {None, RevocationRule.TOO_MANY_PLANS}
    assert len(desk.bulk.all()) == OPEN_PLANS
    assert desk.bulk.plan(SERVERS, REPLACED, desk.second, NOW).state == "planned"
    desk.begun(plans[0])
    assert plan() is None


@pytest.mark.parametrize(
    "selection",
    [
        Selection(profile="smime"),
        Selection(spki_sha256="ab" * 32),
        Selection(profile="tls-server", issued_from=LATER),
    ],
)
def test_an_empty_selection_is_refused(desk: Desk, selection: Selection) -> None:
    desk.issued(1)
    assert refusal(partial(desk.plan, selection)) is RevocationRule.NOTHING_SELECTED
    assert desk.bulk.all() == []


def test_lines_that_name_nothing_of_ours_are_told_by_their_numbers(desk: Desk) -> None:
    (place,) = desk.issued(1)
    unknown = {(ISSUING, SerialNumber.random()): line for line in (2, 7)}
    with pytest.raises(SelectionFaulty) as refused:
        desk.plan(Selection({place: 1, **unknown}))
    assert [line for line, _ in refused.value.faults] == [2, 7]
    assert desk.bulk.all() == []


@pytest.mark.parametrize(
    ("grounds", "rule"),
    [
        (Grounds(Cause.ORPHAN), RevocationRule.NOT_AUTHORISED),
        (Grounds(Cause.REPLACED, NOW), RevocationRule.INVALIDITY_OF_COMPROMISE),
        (Grounds(Cause.KEY_LOST, LATER), RevocationRule.INVALIDITY_AHEAD),
    ],
)
def test_grounds_that_are_none_plan_nothing(
    desk: Desk, grounds: Grounds, rule: RevocationRule
) -> None:
    desk.issued(1)
    assert refusal(partial(desk.plan, grounds=grounds)) is rule
    assert desk.bulk.all() == []


def test_an_unknown_one_is_neither_shown_nor_begun_nor_carried_on(desk: Desk) -> None:
    for act in (
        partial(desk.bulk.get, "bulk-1"),
        partial(desk.bulk.counts, "bulk-1"),
        partial(desk.bulk.begin, "bulk-1", "ab", desk.second, NOW),
        partial(desk.bulk.carry_on, "bulk-1", NOW),
    ):
        with pytest.raises(NotFound):
            act()

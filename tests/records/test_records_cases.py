"""Data-subject cases in the database: what is kept, and what it refuses."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from gdpr_erasure.case_errors import CaseConflict
from gdpr_erasure.case_identity import IdentityProof, ProofMethod
from gdpr_erasure.cases import (
    Actor,
    Case,
    CaseKind,
    CaseState,
    CaseText,
    Refusal,
    assign,
    extend,
    step,
    submit,
)
from ra.levels import AssuranceLevel
from records.database import Database
from records.errors import Conflict, Erased, NotFound, RecordsError, RuleBroken
from server.clock import utc_now
from tests.support.at_once import at_once
from tests.support.case_records import (
    COLLECTOR,
    DAYS,
    ENVELOPE,
    FOUND,
    PACKAGE,
    SECRET,
    CaseRoom,
    sha256,
)
from tests.support.erasures import administrators, ready
from tests.support.stores import Person, Stores, a_person

pytestmark = pytest.mark.served

NOW = utc_now()
REFUSAL = Refusal("Ikke Dem", "Datatilsynet", "Byretten")


@pytest.fixture
def room(database: Database) -> CaseRoom:
    return CaseRoom(Stores(database), NOW)


@pytest.fixture
def person(room: CaseRoom) -> Person:
    return a_person(room.stores, NOW)


def purposes(room: CaseRoom, subject_id: str) -> set[str]:
    with room.stores.database.read() as tx:
        query = text("SELECT purpose FROM data_key WHERE subject_id = :id")
        return set(tx.execute(query, {"id": subject_id}).scalars())


def test_a_case_is_kept_as_it_was_opened_and_its_text_is_sealed(
    room: CaseRoom, person: Person
) -> None:
    case = room.received(person.subject_id)
    cases = room.stores.cases
    assert cases.get(case.id) == case
    assert cases.all() == cases.open_cases() == (case,)
    assert cases.text(case.id) == CaseText(request="Alt om mig")
    assert cases.is_requester(case.id, SECRET)
    assert not cases.is_requester(case.id, "another")
    assert not cases.is_requester("K0000000", SECRET)
    with pytest.raises(NotFound):
        cases.get("K0000000")


def test_somebody_unknown_has_a_stand_in_that_ends_when_the_person_is_known(
    room: CaseRoom, person: Person
) -> None:
    case = room.received(None)
    stand_in = str(case.subject_id)
    assert purposes(room, stand_in) == {"case"}
    found = room.assessing(person.subject_id, case)
    assert (found.state, found.subject_id) == (CaseState.ASSESSING, person.subject_id)
    assert purposes(room, stand_in) == set()
    with pytest.raises(NotFound):
        room.stores.cases.required_level(stand_in)
    assert room.stores.cases.text(case.id).request == "Alt om mig"


def test_the_level_that_is_asked_for_is_that_of_the_certificates(
    room: CaseRoom, person: Person
) -> None:
    level = room.stores.cases.required_level
    assert level(person.subject_id) is AssuranceLevel.SUBSTANTIAL
    case = room.received(None)
    assert level(str(case.subject_id)) is AssuranceLevel.SUBSTANTIAL


def test_whose_case_it_is_is_found_by_application_and_by_certificate(
    room: CaseRoom, person: Person
) -> None:
    cases, (issuer, serial) = room.stores.cases, person.place
    assert cases.subject_of_application(person.application.id) == person.subject_id
    assert cases.subject_of_certificate(issuer, serial.hex) == person.subject_id
    with pytest.raises(NotFound):
        cases.subject_of_certificate(issuer, "01ff")


def test_a_whole_case_to_its_confirmed_delivery(room: CaseRoom, person: Person) -> None:
    stores, case = room.stores, room.submitted(person.subject_id)
    assert stores.cases.package(case.id) == PACKAGE
    first = room.approve(case, 0)
    assert first.state is CaseState.AWAITING_APPROVAL
    approved = room.approve(first, 1)
    assert approved.state is CaseState.APPROVED
    both = {approver.officer_id for approver in room.approvers[:2]}
    assert set(stores.cases.approvers(approved)) == both
    delivered = room.deliver(approved)
    assert delivered.state is CaseState.DELIVERED
    with pytest.raises(NotFound):
        stores.cases.package(case.id)
    with pytest.raises(CaseConflict, match="not downloaded"):
        stores.deliveries.confirm(case.id, "system:requester", NOW)
    envelope, delivery = stores.deliveries.download(case.id, "system:requester", NOW)
    assert (envelope, delivery.downloaded_at) == (ENVELOPE, NOW)
    assert "delivery" in purposes(room, person.subject_id)
    closed = stores.deliveries.confirm(case.id, "system:requester", NOW)
    assert closed.state is CaseState.CLOSED
    left = purposes(room, person.subject_id)
    assert {"core", "evidence", "case"} <= left
    assert "delivery" not in left
    with pytest.raises(Erased):
        stores.deliveries.download(case.id, "system:requester", NOW)


@pytest.mark.parametrize(("fetched", "end"), [(True, CaseState.CLOSED), (False, CaseState.EXPIRED)])
def test_a_delivery_is_gone_after_its_days(
    room: CaseRoom,
    person: Person,
    fetched: bool,  # noqa: FBT001 - a parameter of the test
    end: CaseState,
) -> None:
    deliveries, case = room.stores.deliveries, room.deliver(room.approved(person.subject_id))
    if fetched:
        deliveries.download(case.id, "system:requester", NOW)
    early, late = NOW + DAYS - timedelta(seconds=1), NOW + DAYS
    assert deliveries.expired(early) == []
    assert not deliveries.expire(case.id, early)
    assert deliveries.expired(late) == [case.id]
    with pytest.raises(Erased):
        deliveries.download(case.id, "system:requester", late)
    assert deliveries.expire(case.id, late)
    assert not deliveries.expire(case.id, late)
    assert room.stores.cases.get(case.id).state is end
    assert "delivery" not in purposes(room, person.subject_id)


def test_the_key_of_deliveries_stays_for_another_case_that_needs_it(
    room: CaseRoom, person: Person
) -> None:
    first, second = (room.deliver(room.approved(person.subject_id)) for _ in range(2))
    late = NOW + DAYS
    room.stores.deliveries.expire(first.id, late)
    assert "delivery" in purposes(room, person.subject_id)
    room.stores.deliveries.expire(second.id, late)
    assert "delivery" not in purposes(room, person.subject_id)


def test_parts_are_resumed_and_a_missing_one_blocks_the_package(
    room: CaseRoom, person: Person
) -> None:
    contents, case = room.stores.case_contents, room.assessing(person.subject_id)
    contents.expect(case, [COLLECTOR, "publications"], NOW)
    room.collect(case)
    contents.failed(case, "publications", "DirectoryError", NOW)
    contents.expect(case, [COLLECTOR, "publications"], NOW)
    by_name = {status.name: status for status in contents.parts(case.id)}
    assert by_name[COLLECTOR].count == 1
    assert by_name["publications"].failure == "DirectoryError"
    assert contents.contents(case) == {COLLECTOR: FOUND.content}
    after = submit(case, sha256(PACKAGE), (), NOW)
    with pytest.raises(RuleBroken, match="CASE07"):
        room.stores.cases.submit((case, after), PACKAGE, room.manager.officer_id, NOW)
    assert room.stores.cases.get(case.id) == case


def test_files_are_numbered_and_their_names_are_sealed(room: CaseRoom, person: Person) -> None:
    contents, case = room.stores.case_contents, room.assessing(person.subject_id)
    assert [room.add_file(case, each).number for each in (b"1", b"2")] == [1, 2]
    assert contents.file(case, 2) == ("brev.txt", b"2")
    assert [file.octets for file in contents.files(case.id)] == [1, 1]
    with pytest.raises(NotFound):
        contents.file(case, 3)


@pytest.mark.parametrize("who", ["other_manager", "verifier", "manager"])
def test_whoever_had_a_hand_in_a_case_does_not_approve_it_under_another_account(
    room: CaseRoom, person: Person, who: str
) -> None:
    case = room.submitted(person.subject_id)
    hand: Actor = getattr(room, who)
    second = replace(room.approvers[0], person_id=hand.person_id)
    for approver in (hand, second):
        with pytest.raises(RuleBroken, match="CASE05"):
            room.stores.cases.approve(case, approver, str(case.package_sha256), NOW)


def test_one_person_approves_once_and_only_what_waits(room: CaseRoom, person: Person) -> None:
    case = room.submitted(person.subject_id)
    with pytest.raises(RuleBroken, match="CASE06"):
        room.stores.cases.approve(case, room.approvers[0], sha256(b"another"), NOW)
    room.approve(case, 0)
    with pytest.raises((Conflict, RuleBroken)):
        room.approve(case, 0)
    assert room.stores.cases.get(case.id).state is CaseState.AWAITING_APPROVAL


def test_an_approval_of_an_earlier_package_does_not_count(room: CaseRoom, person: Person) -> None:
    case = room.approve(room.submitted(person.subject_id), 0)
    back = room.move(case, step(case, CaseState.ASSESSING, NOW))
    other = b"another package"
    again = submit(back, sha256(other), (), NOW)
    case = room.stores.cases.submit((back, again), other, room.manager.officer_id, NOW)
    assert room.approve(case, 1).state is CaseState.AWAITING_APPROVAL
    assert room.approve(case, 0).state is CaseState.APPROVED


def test_an_identity_that_ended_meanwhile_stops_the_approval(
    room: CaseRoom, person: Person
) -> None:
    place = person.place[0], person.place[1].hex
    proof = IdentityProof(ProofMethod.CERTIFICATE, AssuranceLevel.SUBSTANTIAL, NOW, place=place)
    case = room.proved(room.mine(person.subject_id), person.subject_id, proof)
    after = submit(case, sha256(PACKAGE), (), NOW)
    case = room.stores.cases.submit((case, after), PACKAGE, room.manager.officer_id, NOW)
    room.approve(case, 0)
    room.stores.revoked(person.certificate, NOW)
    with pytest.raises(RuleBroken, match="CASE06"):
        room.approve(case, 1)


def test_two_approvers_at_once_approve_the_case(room: CaseRoom, person: Person) -> None:
    case = room.submitted(person.subject_id)
    at_once([partial(room.approve, case, number) for number in (0, 1)])
    assert room.stores.cases.get(case.id).state is CaseState.APPROVED


def test_of_two_who_move_a_case_at_once_one_is_told_of_the_other(
    room: CaseRoom, person: Person
) -> None:
    case = room.received(person.subject_id)
    both = [assign(case, who, NOW) for who in (room.manager, room.other_manager)]

    def won(after: Case) -> bool:
        try:
            room.move(case, after)
        except CaseConflict:
            return False
        return True

    assert sorted(at_once([partial(won, after) for after in both])) == [False, True]


def test_a_refusal_and_an_extension_keep_their_reasons(room: CaseRoom, person: Person) -> None:
    cases, case = room.stores.cases, room.assessing(person.subject_id)
    assert cases.extension(case.id) is None
    case = cases.extend((case, extend(case, NOW)), "Tolv arkiver", "officer-0123456789abcdef", NOW)
    assert cases.extension(case.id) == "Tolv arkiver"
    refused = step(case, CaseState.REFUSED, NOW)
    with pytest.raises(RuleBroken, match="CASE09"):
        room.move(case, refused)
    cases.refuse((case, refused), REFUSAL, "officer-0123456789abcdef", NOW)
    assert cases.refusal(case.id) == REFUSAL


def test_what_was_told_before_the_person_was_known_goes_over_to_the_person(
    room: CaseRoom, person: Person
) -> None:
    cases, case = room.stores.cases, room.received(None)
    told = cases.extend((case, extend(case, NOW)), "Tolv arkiver", "system:requester", NOW)
    room.assessing(person.subject_id, told)
    assert cases.extension(case.id) == "Tolv arkiver"


def test_a_cancelled_case_keeps_no_package(room: CaseRoom, person: Person) -> None:
    case = room.cancelled(room.approved(person.subject_id))
    with pytest.raises(NotFound):
        room.stores.cases.package(case.id)
    assert "delivery" not in purposes(room, person.subject_id)


def test_repetitions_of_a_kind_are_counted_for_a_year(room: CaseRoom, person: Person) -> None:
    room.cancelled(room.received(person.subject_id))
    room.received(person.subject_id, CaseKind.ERASURE)
    room.now += timedelta(days=364)
    assert room.received(person.subject_id).repetition == 1
    room.now += timedelta(days=364)
    assert room.received(person.subject_id).repetition == 1


def test_every_change_is_one_event_and_says_nothing_about_anybody(
    room: CaseRoom, person: Person
) -> None:
    before = room.stores.count("audit_event")
    room.deliver(room.approved(person.subject_id))
    with room.stores.database.read() as tx:
        query = text("SELECT header FROM audit_event WHERE sequence >= :n ORDER BY sequence")
        headers = [bytes(each).decode() for each in tx.execute(query, {"n": before}).scalars()]
    kinds = [header.split('"e":"')[1].split('"')[0] for header in headers]
    assert kinds == [
        "case.opened",
        "case.moved",
        "case.asked",
        "case.identified",
        "case.collected",
        "case.file_added",
        "case.submitted",
        "case.approval",
        "case.approval",
        "case.approved",
        "case.delivered",
    ]
    assert not [h for h in headers if "Alt om mig" in h or "brev" in h or person.subject_id in h]


def test_the_erasure_of_a_person_leaves_cases_that_name_nobody(
    room: CaseRoom, person: Person
) -> None:
    stores, case = room.stores, room.deliver(room.approved(person.subject_id))
    stores.publish_all(NOW)
    place = stores.revoked(person.certificate, NOW)
    stores.crl(NOW)
    stores.observe_all(place, NOW)
    stores.withdraw_all(NOW)
    erasure = ready(stores, person.subject_id, administrators(stores, NOW), NOW)
    stores.erasures.destroy(erasure, NOW)
    left = stores.cases.get(case.id)
    assert (left.subject_id, left.state) == (None, CaseState.DELIVERED)
    with pytest.raises(Erased):
        stores.cases.text(case.id)
    for table in ("case_file", "case_part", "case_approval", "case_delivery"):
        assert stores.count(table) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
def test_nothing_that_was_written_in_a_case_stands_in_the_file(
    room: CaseRoom, person: Person, database: Database
) -> None:
    room.gathered(person.subject_id)
    path = Path(str(database.engine.url.database))
    written = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    for word in (b"Alt om mig", b"pas, bord 4", b"brev.txt", b"et brev", SECRET.encode()):
        assert word not in written


def test_a_case_about_nobody_is_not_opened(room: CaseRoom) -> None:
    with pytest.raises(NotFound):
        room.received("subject-0123456789abcdef")
    assert room.stores.count("subject_case") == 0


def test_a_step_that_leaves_one_out_is_refused_by_the_database_itself(
    room: CaseRoom, person: Person
) -> None:
    case: Case = room.received(person.subject_id)
    with pytest.raises(RecordsError, match="CASE02"):
        room.move(case, replace(case, state=CaseState.APPROVED))

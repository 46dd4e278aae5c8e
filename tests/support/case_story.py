"""Cases in every state for attacks by direct SQL."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import text

from gdpr_erasure.case_identity import IdentityProof, ProofMethod
from gdpr_erasure.cases import Case, Refusal, ask_identity, extend, step, submit
from gdpr_erasure.cases import CaseState as State
from ra.levels import AssuranceLevel
from records.officers import Officer, Role
from tests.support.case_records import PACKAGE, CaseRoom, actor_of, sha256
from tests.support.stores import ISSUING, Person, Stores, a_person, staff_order
from tests.support.story_sql import copied


def tell_cases(
    stores: Stores, subject_id: str, verifier: Officer, now: datetime
) -> dict[str, object]:
    """Cases about one person; gives their names, and those of approvers."""
    room = CaseRoom(stores, now)
    room.verifier = actor_of(verifier)
    case = room.received(subject_id)
    asked = room.received(subject_id)
    extended = room.assessing(subject_id)
    partial = room.gathered(subject_id)
    stores.case_contents.expect(partial, ["publications"], now)
    refused = room.assessing(subject_id)
    approved, delivered, fetched = (room.approved(subject_id) for _ in range(3))
    helper = stores.officer(Role.CASE_MANAGER, now)
    helper_account = _second_account(stores, helper, now, "officer-facefacefaceface")
    waiting = room.approve(room.submitted(subject_id, added_by=helper.id), 0)
    stores.deliveries.download(room.deliver(fetched).id, "system:requester", now)
    ended = room.deliver(room.approved(subject_id))
    stores.deliveries.download(ended.id, "system:requester", now)
    stores.deliveries.confirm(ended.id, "system:requester", now)
    reminded = room.deliver(room.approved(subject_id))
    stores.deliveries.reminded(reminded.id, now, sent=True)
    refusal = Refusal("Ikke Dem", "Datatilsynet", "Byretten")
    actor = room.manager.officer_id
    stores.cases.refuse((refused, step(refused, State.REFUSED, now)), refusal, actor, now)
    stores.cases.extend((extended, extend(extended, now)), "Tolv arkiver", actor, now)
    names = {
        "received": case,
        "asked": room.move(asked, ask_identity(asked, now), "asked"),
        "assessed": room.gathered(subject_id),
        "extended": extended,
        "partial": partial,
        "waiting": waiting,
        "lapsed": _lapsed(room, a_person(stores, now)),
        "approved": approved,
        "delivered": room.deliver(delivered),
        "fetched": fetched,
        "ended": ended,
        "reminded": reminded,
        "refused": refused,
    }
    found: dict[str, object] = {f"{name}_case": each.id for name, each in names.items()}
    first, _, spare = room.approvers
    return found | {
        "first_person": first.person_id,
        "spare_approver": spare.officer_id,
        "spare_person": spare.person_id,
        "helper_approver": helper_account,
        "helper_person": helper.person_id,
        "verifying_approver": _second_account(stores, verifier, now, "officer-beefbeefbeefbeef"),
    }


def _lapsed(room: CaseRoom, person: Person) -> Case:
    """One approval, and then the certificate that proved the identity is revoked."""
    place = person.place[0], person.place[1].hex
    level = AssuranceLevel.SUBSTANTIAL
    proof = IdentityProof(ProofMethod.CERTIFICATE, level, room.now, place=place)
    case = room.proved(room.mine(person.subject_id), person.subject_id, proof)
    after = submit(case, sha256(PACKAGE), (), room.now)
    manager, cases = room.manager.officer_id, room.stores.cases
    case = cases.submit((case, after), PACKAGE, manager, room.now)
    room.approve(case, 0)
    room.stores.revoked(person.certificate, room.now)
    return case


def _second_account(stores: Stores, officer: Officer, now: datetime, name: str) -> str:
    """The officer's own second role, as an approver of cases."""
    invited = stores.officers.invite("Ole Officer", Role.CASE_APPROVER, now)
    second = replace(invited, id=name, person_id=officer.person_id)
    with stores.database.write() as tx:
        row = {"old": invited.id, "id": second.id, "person": second.person_id}
        copy = copied("officer", "id = :old", id=":id", person_id=":person")
        tx.execute(text(copy), row)
    stores.officers.enrol(second.id, ISSUING, stores.issue(staff_order(second), now), now)
    return second.id

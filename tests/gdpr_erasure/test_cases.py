"""The steps of a data-subject case, and who may take them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from gdpr_erasure.case_errors import CaseConflict, CaseRefused
from gdpr_erasure.case_identity import (
    IdentityProof,
    ProofMethod,
    check_evidence,
    required_level,
)
from gdpr_erasure.case_parts import CollectorStatus, manifest, pack
from gdpr_erasure.cases import (
    OPEN,
    PROVED,
    STEPS,
    Actor,
    Case,
    CaseKind,
    CaseState,
    Refusal,
    ask_identity,
    assign,
    check_approver,
    extend,
    prove_identity,
    step,
    submit,
)
from gdpr_erasure.person_file import Collection, Record
from gdpr_erasure.record_classes import RecordClass
from ra.levels import AssuranceLevel

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
HIGH, SUBSTANTIAL, LOW = AssuranceLevel.HIGH, AssuranceLevel.SUBSTANTIAL, AssuranceLevel.LOW
TAKER, MANAGER, VERIFIER, APPROVER = (
    Actor(f"officer-{n}", f"person-{n}") for n in ("taker", "manager", "verifier", "approver")
)
PROOF = IdentityProof(ProofMethod.DESK, SUBSTANTIAL, NOW, by=VERIFIER.person_id)


def a_case(state: CaseState = CaseState.RECEIVED, **changes: object) -> Case:
    case = Case(
        id="K7F2M9QX",
        kind=CaseKind.ACCESS,
        state=state,
        subject_id="subject-1",
        language="da",
        scopes=frozenset(),
        received_at=NOW,
        updated_at=NOW,
        opened_by=TAKER,
        assignee=MANAGER,
        proof=PROOF if state in PROVED else None,
    )
    return replace(case, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("before", "after"), list(product(CaseState, CaseState)))
def test_a_case_takes_the_steps_of_the_table_and_no_other(
    before: CaseState, after: CaseState
) -> None:
    if after in STEPS[before]:
        assert step(a_case(before), after, NOW).state is after
    else:
        with pytest.raises(CaseConflict, match=before):
            step(a_case(before), after, NOW)


def test_every_state_but_the_first_is_reached_and_every_end_is_one_of_four() -> None:
    assert set().union(*STEPS.values()) == set(CaseState) - {CaseState.RECEIVED}
    ends = {state for state, further in STEPS.items() if not further}
    assert ends == {
        CaseState.CLOSED,
        CaseState.REFUSED,
        CaseState.CANCELLED,
        CaseState.EXPIRED,
    }


def test_nothing_is_sent_or_done_without_a_proved_identity() -> None:
    entrances = {after for before, after in _steps() if before not in PROVED and after in PROVED}
    assert entrances == {CaseState.ASSESSING}


def test_nothing_that_was_answered_is_taken_back() -> None:
    taken_back = {CaseState.CANCELLED, CaseState.REFUSED}
    assert not taken_back & (STEPS[CaseState.DELIVERED] | STEPS[CaseState.CARRIED_OUT])


@pytest.mark.parametrize("kind", CaseKind)
def test_every_kind_names_its_article(kind: CaseKind) -> None:
    assert kind.article


@pytest.mark.parametrize(
    ("levels", "required"),
    [({HIGH, LOW}, HIGH), ({LOW}, LOW), ({SUBSTANTIAL}, SUBSTANTIAL), (set(), SUBSTANTIAL)],
)
def test_the_strongest_certificate_says_how_well_an_identity_is_proved(
    levels: set[AssuranceLevel], required: AssuranceLevel
) -> None:
    assert required_level(frozenset(levels)) is required


def test_a_weaker_proof_is_refused_and_a_stronger_one_is_taken() -> None:
    case = ask_identity(a_case(subject_id=None), NOW)
    with pytest.raises(CaseRefused, match="proved at Substantial"):
        prove_identity(case, "subject-1", PROOF, HIGH)
    proved = prove_identity(case, "subject-1", PROOF, LOW)
    assert (proved.state, proved.subject_id, proved.proof) == (
        CaseState.ASSESSING,
        "subject-1",
        PROOF,
    )


def test_a_proof_that_lapsed_is_given_anew_by_the_same_person_only() -> None:
    case = a_case(CaseState.ASSESSING)
    again = replace(PROOF, at=NOW + timedelta(days=1))
    assert prove_identity(case, "subject-1", again, LOW).proof == again
    with pytest.raises(CaseRefused, match="another person"):
        prove_identity(case, "subject-2", again, LOW)


@pytest.mark.parametrize("reference", ["", "  \t"])
@pytest.mark.parametrize("method", [ProofMethod.DESK, ProofMethod.CREDENTIAL])
def test_an_officers_proof_names_what_was_seen(method: ProofMethod, reference: str) -> None:
    with pytest.raises(CaseRefused, match="names the evidence"):
        check_evidence(method, reference)
    check_evidence(method, "passport, checked at desk 4")
    check_evidence(ProofMethod.CERTIFICATE, reference)


@pytest.mark.parametrize("who", [TAKER, MANAGER, VERIFIER])
def test_whoever_had_a_hand_in_it_does_not_approve(who: Actor) -> None:
    second_account = Actor("officer-other", who.person_id)
    with pytest.raises(CaseRefused, match="does not approve"):
        check_approver(a_case(CaseState.AWAITING_APPROVAL), second_account, "subject-9")


def test_nobody_approves_a_case_about_oneself() -> None:
    case = a_case(CaseState.AWAITING_APPROVAL)
    with pytest.raises(CaseRefused, match="it is about"):
        check_approver(case, APPROVER, "subject-1")
    check_approver(case, APPROVER, "subject-9")


def test_a_part_that_is_missing_blocks_the_package() -> None:
    with pytest.raises(CaseRefused, match="directory, payloads"):
        submit(a_case(CaseState.ASSESSING), "ab" * 32, ["payloads", "directory"], NOW)
    assert submit(a_case(CaseState.ASSESSING), "ab" * 32, [], NOW).package_sha256 == "ab" * 32


@pytest.mark.parametrize("lacking", ["reasons", "complaint", "court"])
@pytest.mark.parametrize("text", ["", " \n"])
def test_a_refusal_lacks_nothing_that_the_law_asks_for(lacking: str, text: str) -> None:
    whole = {"reasons": "r", "complaint": "c", "court": "t"}
    Refusal(**whole)
    with pytest.raises(CaseRefused, match=lacking):
        Refusal(**whole | {lacking: text})


@pytest.mark.parametrize("state", set(CaseState) - set(OPEN))
def test_what_is_answered_is_not_extended_and_not_handed_over(state: CaseState) -> None:
    changes: list[Callable[[], Case]] = [
        lambda: extend(a_case(state), NOW),
        lambda: assign(a_case(state), APPROVER, NOW),
    ]
    for change in changes:
        with pytest.raises(CaseConflict):
            change()


@pytest.mark.parametrize("state", [CaseState.AWAITING_APPROVAL, CaseState.APPROVED])
def test_a_case_is_not_handed_over_while_approvers_read_what_another_made(
    state: CaseState,
) -> None:
    with pytest.raises(CaseConflict):
        assign(a_case(state), APPROVER, NOW)


def test_no_scope_named_means_everything() -> None:
    assert all(a_case().covers(each) for each in RecordClass)
    narrow = a_case(scopes=frozenset({RecordClass.CONSENT}))
    assert [each for each in RecordClass if narrow.covers(each)] == [RecordClass.CONSENT]


def test_the_same_files_are_the_same_package_and_one_octet_makes_another() -> None:
    files = {"b.json": b"{}", "a.html": b"<p>"}
    assert pack(files) == pack(dict(reversed(files.items())))
    assert pack(files) != pack(files | {"b.json": b"{ }"})


def test_what_was_collected_is_counted_and_has_a_digest() -> None:
    found = Collection("records", (Record("certificate", "01", ()),))
    assert found.count == 1
    status = CollectorStatus("records", found.count, found.checksum)
    assert status.is_done
    assert found.checksum.encode() in manifest("K7F2M9QX", "access", [status])
    assert not CollectorStatus("ldap-main", failure="DirectoryError").is_done


def _steps() -> list[tuple[CaseState, CaseState]]:
    return [(before, after) for before, further in STEPS.items() for after in further]

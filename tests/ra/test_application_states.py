"""Applications: which step leads where, and what each step demands."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from ra.applications import (
    STEPS,
    Application,
    ApplicationId,
    ApplicationState,
    RequestedCertificate,
    fulfil,
    lapse,
    record_acceptance,
    record_evidence,
    refuse,
    start_proofing,
    step,
    withdraw,
)
from ra.assessment import conclude, submit
from ra.errors import Conflict, MalformedField, RaError, Refused
from ra.evidence import Officer
from ra.levels import AssuranceLevel
from ra.requirements import finding
from tests.support.ra_builders import (
    CATALOGUE,
    NOW,
    PROOFER,
    drafted,
    examined,
    in_proofing,
    policy,
    request_der,
    verified,
)

State = ApplicationState
_FINAL = {State.FULFILLED, State.REJECTED, State.WITHDRAWN, State.LAPSED}
_REASON = (finding("REG-IDN-L1", "EVIDENCE_MISSING"),)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("target", State)
def test_a_step_outside_the_table_is_a_conflict(
    state: ApplicationState, target: ApplicationState
) -> None:
    application = replace(drafted(), state=state)
    if target in STEPS[state]:
        assert step(application, target, NOW).state is target
        return
    with pytest.raises(Conflict) as conflict:
        step(application, target, NOW)
    assert conflict.value.state == state


def test_exactly_the_four_endings_are_final() -> None:
    assert {state for state in State if replace(drafted(), state=state).is_final} == _FINAL


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    "end", [withdraw, lapse, lambda application, now: refuse(application, _REASON, now)]
)
def test_any_open_application_can_be_ended(
    state: ApplicationState, end: Callable[..., Application]
) -> None:
    application = replace(drafted(), state=state)
    if state in _FINAL:
        with pytest.raises(Conflict):
            end(application, NOW)
    else:
        assert end(application, NOW).is_final


@pytest.mark.parametrize("state", set(State) - {State.PROOFING})
def test_evidence_is_recorded_and_concluded_only_during_proofing(
    state: ApplicationState,
) -> None:
    full = examined()
    application = replace(full, state=state)
    with pytest.raises(Conflict):
        record_evidence(application, full.evidence[0], full.checks, NOW)
    with pytest.raises(Conflict):
        conclude(application, CATALOGUE, policy(), NOW)
    with pytest.raises(Conflict):
        examined(application)


def test_only_an_approved_application_is_fulfilled() -> None:
    with pytest.raises(Conflict):
        fulfil(verified(), NOW)
    assert fulfil(replace(verified(), state=State.APPROVED), NOW).state is State.FULFILLED


def test_an_answer_to_the_terms_belongs_to_the_draft() -> None:
    application = in_proofing()
    with pytest.raises(Conflict):
        record_acceptance(application, application.acceptances[0], NOW)
    with pytest.raises(Conflict):
        submit(application, policy(), NOW)


@pytest.mark.parametrize("officer", [Officer("o", "S-1"), Officer("o", "P-9", "key-1")])
def test_an_officer_cannot_take_up_an_application_in_the_officers_own_name(
    officer: Officer,
) -> None:
    submitted = submit(drafted(), policy(), NOW)
    with pytest.raises(Refused) as refusal:
        start_proofing(submitted, officer, NOW)
    assert refusal.value.findings[0].requirement == "REG-IDN-L7"


def test_two_persons_without_a_keyed_value_are_not_one_person() -> None:
    assert not Officer("o", "P-1").is_same_person("P-2", None)


def test_a_refusal_needs_a_reason_and_keeps_it() -> None:
    with pytest.raises(MalformedField):
        refuse(in_proofing(), (), NOW)
    assert refuse(in_proofing(), _REASON, NOW).findings == _REASON


def test_results_of_other_evidence_are_not_recorded_with_this_one() -> None:
    first, second = examined(), examined()
    with pytest.raises(MalformedField):
        record_evidence(in_proofing(), first.evidence[0], second.checks, NOW)


def test_each_step_keeps_the_time_it_was_made() -> None:
    later = NOW + timedelta(minutes=5)
    application = submit(drafted(), policy(), later)
    assert (application.created_at, application.updated_at) == (NOW, later)


def test_starting_needs_an_officer_who_is_then_on_record() -> None:
    assert in_proofing().officer == PROOFER


def test_ids_are_random_and_of_one_form() -> None:
    ids = {ApplicationId.random() for _ in range(50)}
    assert len(ids) == 50
    for text in ("A-123", "B-ABCDEFGHIJ", "A-ABCDEFGHI1", "A-abcdefghij", "A-ABCDEFGHIJ\n"):
        with pytest.raises(MalformedField):
            ApplicationId(text)


def test_the_public_key_is_taken_from_the_request() -> None:
    assert len(drafted().spki_sha256) == 64
    for octets in (b"", b"0", request_der()[:-1]):
        with pytest.raises(RaError):
            RequestedCertificate.read(
                "natural-person", AssuranceLevel.LOW, octets, publication_consent=False
            )


@pytest.mark.parametrize("state", sorted(set(State) - {State.SUBMITTED, State.REFERRED}))
def test_nobody_takes_up_what_another_has_in_hand_or_has_vetted(state: ApplicationState) -> None:
    with pytest.raises(Conflict):
        start_proofing(replace(drafted(), state=state), PROOFER, NOW)

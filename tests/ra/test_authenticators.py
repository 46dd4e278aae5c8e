"""What is recorded of an authenticator, judged by the catalogue of the day."""

from dataclasses import replace

from ra.assessment import submit
from ra.attestations import device_part
from ra.case import Factor
from ra.levels import AssuranceLevel
from tests.support.authenticator_examples import (
    ANALYSED,
    CARD,
    UNCERTIFIED,
    judged,
    telephone,
    with_key,
)
from tests.support.ra_builders import CATALOGUE, NOW, at_level, drafted, policy


def test_an_analysed_device_without_a_certificate_reaches_high() -> None:
    assert judged(with_key(UNCERTIFIED), ANALYSED) == ()


def test_a_device_with_neither_certificate_nor_analysis_stays_below_high() -> None:
    for catalogue in (CATALOGUE, replace(ANALYSED, equivalences=())):
        found = judged(with_key(UNCERTIFIED), catalogue)
        assert {each.code for each in found} == {"DEVICE_CERTIFICATION_INVALID"}
    other = replace(UNCERTIFIED, version="2")
    assert {each.code for each in judged(with_key(other), ANALYSED)} == {
        "DEVICE_CERTIFICATION_INVALID"
    }


def test_no_analysis_makes_test_equipment_reach_high() -> None:
    test_token = with_key(replace(UNCERTIFIED, is_test_equipment=True))
    found = {each.code for each in judged(test_token, ANALYSED)}
    assert found == {"TEST_TOKEN_NOT_ALLOWED", "DEVICE_CERTIFICATION_INVALID"}


def test_a_certificate_stands_even_where_a_telephone_lacks_evidence() -> None:
    assert judged(with_key(CARD), telephone()) == ()


def test_what_the_catalogue_says_is_not_asked_before_it_is_known() -> None:
    held = with_key(UNCERTIFIED).authenticator
    draft = replace(at_level(drafted(), AssuranceLevel.HIGH), authenticator=held)
    assert submit(draft, policy(), NOW).authenticator == held


def test_a_key_that_leaves_counts_as_possession_only_where_its_holder_is_asked() -> None:
    leaves = replace(CARD, can_leave_device=True)
    assert device_part(leaves, NOW).factors == (Factor.POSSESSION, Factor.KNOWLEDGE)
    assert device_part(replace(leaves, asks_holder=False), NOW).factors == ()

"""Every requirement enforced here has one example that passes it and one that it refuses.

Those that other packages enforce name their two tests in the table itself.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from ra.approvals import approve, require_level_carried
from ra.assessment import Accepted, assess_natural_person, submit
from ra.claims import natural_person_schema, read_claim
from ra.errors import Refused
from ra.evidence import Check, Officer, Presence
from ra.levels import AssuranceLevel
from ra.package import build_package
from ra.registers import DocumentStatus
from ra.requirements import Finding, How, finding, requirements
from ra.sources import SourceCatalogue
from ra.terms import TermsKind, accept, parse_terms, require_agreement
from tests.support.authenticator_examples import AUTHENTICATOR_EXAMPLES
from tests.support.person_examples import PERSON_EXAMPLES
from tests.support.ra_builders import (
    CATALOGUE,
    NOW,
    PROFILE,
    PROOFER,
    SigningOfficer,
    at_level,
    claimed,
    drafted,
    examined,
    in_proofing,
    passport_of,
    policy,
    registers,
    verified,
)
from tests.support.renewal_examples import RENEWAL_EXAMPLES

_HIGH = AssuranceLevel.HIGH
_NOTHING: tuple[Finding, ...] = ()
Example = Callable[[], tuple[Finding, ...]]


def _refusal(act: Callable[[], object]) -> tuple[Finding, ...]:
    try:
        act()
    except Refused as refusal:
        return refusal.findings
    return _NOTHING


def _assessed(application: Any, catalogue: SourceCatalogue = CATALOGUE) -> tuple[Finding, ...]:
    outcome = assess_natural_person(application, catalogue, policy(), NOW)
    return _NOTHING if isinstance(outcome, Accepted) else outcome.findings


def _submitted(**changes: Any) -> tuple[Finding, ...]:
    return _refusal(lambda: submit(replace(drafted(), **changes), policy(), NOW))


def _without_answer_to(kind: TermsKind) -> tuple[Finding, ...]:
    kept = tuple(each for each in drafted().acceptances if each.kind is not kind)
    return _submitted(acceptances=kept)


def _accepted(**statement: object) -> tuple[Finding, ...]:
    text = policy().terms.versions[0]
    return _refusal(lambda: accept({"sha256": text.sha256} | statement, text, NOW))


def _notice(head: str) -> tuple[Finding, ...]:
    text = "# Notice\n\n1. Keep the key to yourself.\n"
    head = f"kind: security_notice\nversion: 2\nlanguage: en\nvalid_from: 2026-02-01\n{head}"
    return _refusal(lambda: parse_terms(f"{head}\n{text}"))


def _agreed(*, accepted: bool) -> tuple[Finding, ...]:
    answers = tuple(replace(each, accepted=accepted) for each in drafted().acceptances)
    return _refusal(lambda: require_agreement(answers, by_statute=False))


def _stated(level: AssuranceLevel) -> tuple[Finding, ...]:
    return _refusal(lambda: require_level_carried(verified(), level))


def _claimed(**attributes: str) -> tuple[Finding, ...]:
    schema = natural_person_schema(AssuranceLevel.SUBSTANTIAL)
    return _refusal(lambda: read_claim(claimed() | attributes, schema, NOW.date()))


def _presented(**changes: Any) -> tuple[Finding, ...]:
    return _assessed(examined(presented=replace(passport_of(), **changes)))


def _with_status(status: DocumentStatus) -> tuple[Finding, ...]:
    return _assessed(examined(asked=registers({"UT1234567": status})))


def _persona(number: str) -> tuple[Finding, ...]:
    return _assessed(examined(in_proofing(claimed(number)), passport_of(number)))


def _without_check(check: Check) -> tuple[Finding, ...]:
    full = examined()
    return _assessed(
        replace(full, checks=tuple(each for each in full.checks if each.check is not check))
    )


def _at_high(**changes: Any) -> tuple[Finding, ...]:
    presented = replace(passport_of(), **changes)
    return _assessed(at_level(examined(presented=presented), _HIGH))


def _approved_by(
    officer: Officer, added: bytes = b"", later: timedelta = timedelta(0)
) -> tuple[Finding, ...]:
    application, signer = verified(), SigningOfficer(officer)
    package = build_package(application, PROFILE)
    approval = signer.approval_of(application, package)
    return _refusal(lambda: approve(application, package + added, approval, signer, NOW + later))


_SECOND = Officer("officer-8", "P-8")
_SUBJECT = Officer("officer-9", "S-1")


def _passing() -> tuple[Finding, ...]:
    return _assessed(examined())


# id: what passes, what is refused.
EXAMPLES: dict[str, tuple[Example, Example]] = {
    **AUTHENTICATOR_EXAMPLES,
    **PERSON_EXAMPLES,
    **RENEWAL_EXAMPLES,
    "REG-APP-L1": (_submitted, lambda: _without_answer_to(TermsKind.TERMS)),
    "REG-APP-L2": (_submitted, lambda: _without_answer_to(TermsKind.SECURITY_NOTICE)),
    "REG-APP-L3": (_claimed, lambda: _claimed(shoe_size="44")),
    "REG-APP-L7": (lambda: _agreed(accepted=True), lambda: _agreed(accepted=False)),
    "BRK-L1": (lambda: _stated(AssuranceLevel.SUBSTANTIAL), lambda: _stated(_HIGH)),
    "REG-APP-S4a": (
        _submitted,
        lambda: _refusal(lambda: submit(drafted(read=False), policy(), NOW)),
    ),
    "REG-APP-S4b": (
        lambda: _accepted(read=True, accepted=True),
        lambda: _accepted(read=True),
    ),
    "REG-IDN-L1": (_passing, lambda: _assessed(in_proofing())),
    "REG-IDN-L2": (_passing, lambda: _presented(mrz_lines=("P<UTO", "1"))),
    "REG-IDN-L3": (_passing, lambda: _presented(face_matches=False)),
    "REG-IDN-L4": (_passing, lambda: _assessed(examined(), SourceCatalogue())),
    "REG-IDN-L5": (_passing, lambda: _without_check(Check.DATA_MATCH)),
    "REG-IDN-L7": (lambda: _approved_by(_SECOND), lambda: _approved_by(_SUBJECT)),
    "REG-IDN-L12": (
        lambda: _approved_by(_SECOND, later=timedelta(days=30)),
        lambda: _approved_by(_SECOND, later=timedelta(days=30, seconds=1)),
    ),
    "REG-IDN-S6a": (_passing, lambda: _with_status(DocumentStatus.STOLEN)),
    "REG-IDN-S6b": (_passing, lambda: _persona("0107729995")),
    "REG-IDN-S6c": (_passing, lambda: _presented(face_matches=None)),
    "REG-IDN-S6e": (
        _passing,
        lambda: _assessed(
            examined(
                in_proofing(claimed("0201609996") | {"cpr_number": "0201609995"}),
                passport_of("0201609996"),
            )
        ),
    ),
    "REG-IDN-S6f": (_passing, lambda: _without_check(Check.REGISTER_STATUS)),
    "REG-IDN-S7": (_passing, lambda: _presented(features_seen=("uv_print",))),
    "REG-IDN-H9a": (_at_high, lambda: _at_high(face_matches=None)),
    "REG-IDN-H9b": (_at_high, lambda: _at_high(presence=Presence.ONLINE)),
    "ISS-STR-L2": (lambda: _notice("kept_to_oneself: 1\n"), lambda: _notice("")),
    "ISS-STR-L6": (_claimed, lambda: _claimed(email="nancy.251248-9996@example.test")),
    "ISS-DEL-L1": (lambda: _approved_by(_SECOND), lambda: _approved_by(_SECOND, added=b" ")),
    "ISS-DEL-H4b": (lambda: _approved_by(_SECOND), lambda: _approved_by(PROOFER)),
}


def test_every_requirement_that_is_enforced_has_both_examples() -> None:
    enforced = {each.id for each in requirements().values() if each.met.how is How.ENFORCED}
    elsewhere = {each.id for each in requirements().values() if each.met.refusing}
    assert EXAMPLES.keys() == enforced - elsewhere


@pytest.mark.parametrize("requirement", EXAMPLES)
def test_the_passing_example_passes(requirement: str) -> None:
    passing, _ = EXAMPLES[requirement]
    assert requirement not in {each.requirement for each in passing()}


@pytest.mark.parametrize("requirement", EXAMPLES)
def test_the_refusing_example_is_refused(requirement: str) -> None:
    _, refusing = EXAMPLES[requirement]
    assert requirement in {each.requirement for each in refusing()}


def test_every_requirement_says_what_it_demands_and_where_it_comes_from() -> None:
    for requirement in requirements().values():
        assert requirement.levels
        assert requirement.source
        assert requirement.sentence.endswith(".")
        for reason in requirement.errors:
            assert reason.sentence.endswith(".")
            assert reason.way_out.endswith(".")


def test_levels_are_cumulative_in_the_table() -> None:
    for requirement in requirements().values():
        lowest = min(requirement.levels)
        assert requirement.levels == {each for each in AssuranceLevel if each >= lowest}


def test_the_applicant_never_reads_what_a_register_said() -> None:
    for requirement in requirements().values():
        for reason in requirement.errors:
            discloses = reason.code.startswith(("PERSON_", "EVIDENCE_REPORTED_"))
            is_about_registers = requirement.id in {"REG-IDN-S6a", "REG-IDN-S6b"}
            if discloses and is_about_registers:
                shown = finding(requirement.id, reason.code).applicant_sentence
                assert shown != reason.sentence


def test_a_finding_outside_the_table_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        finding("REG-IDN-L1", "IDENTITY_MISMATCH")
    with pytest.raises(KeyError):
        finding("REG-IDN-X1", "IDENTITY_MISMATCH")


def test_an_expired_passport_names_the_rule_and_the_way_out() -> None:
    findings = _assessed(examined(presented=passport_of(expiry=date(2025, 1, 1))))
    assert [(each.requirement, each.code) for each in findings] == [
        ("REG-IDN-L2", "EVIDENCE_EXPIRED")
    ]
    assert findings[0].way_out == "Ask for evidence that is in force."

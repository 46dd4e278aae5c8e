"""Causes: what is published for each, who may give which, and what may lift a hold."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from revocation.causes import FOR_HOLD, MAY_GIVE, Cause, Grounds, Party, party_of
from revocation.errors import RevocationRefused, RevocationRule
from revocation.holds import HeldCertificate, check_hold, check_release
from revocation.reasons import Reason

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
BEGAN = NOW - timedelta(days=30)
SOUND = HeldCertificate(
    cause=Cause.KEY_LOST,
    not_after=NOW + timedelta(days=1),
    key_compromised=False,
    subject_active=True,
    issuer_retired=False,
)


def rule_of(refused: "pytest.ExceptionInfo[RevocationRefused]") -> RevocationRule:
    return refused.value.rule


def test_every_cause_publishes_a_reason_of_a_revocation() -> None:
    never = {Reason.CERTIFICATE_HOLD, Reason.REMOVE_FROM_CRL, Reason.AA_COMPROMISE}
    assert not {cause.reason for cause in Cause} & never


@pytest.mark.parametrize(
    "cause",
    [Cause.DEATH, Cause.ERASURE, Cause.COMPANY_CEASED, Cause.AGREEMENT_ENDED, Cause.NOT_NEEDED],
)
def test_what_is_published_does_not_tell_a_death_from_a_card_that_is_not_needed(
    cause: Cause,
) -> None:
    assert cause.reason is Reason.CESSATION_OF_OPERATION


def test_a_reason_alone_stands_for_a_cause_that_publishes_the_same() -> None:
    told = {Grounds.told(reason).cause.reason: reason for reason in _revoking()}
    assert all(published is reason for published, reason in told.items())


def _revoking() -> list[Reason]:
    return [reason for reason in Reason if reason in {cause.reason for cause in Cause}]


@pytest.mark.parametrize("reason", sorted(set(Reason) - {cause.reason for cause in Cause}))
def test_a_reason_that_ends_nothing_stands_for_no_cause(reason: Reason) -> None:
    with pytest.raises(ValueError, match="not a reason for a revocation"):
        Grounds.told(reason)


@pytest.mark.parametrize("party", Party)
@pytest.mark.parametrize("cause", Cause)
def test_each_party_gives_its_own_causes_and_no_other(party: Party, cause: Cause) -> None:
    grounds = Grounds(cause)
    if cause in MAY_GIVE[party]:
        grounds.check(party, BEGAN, NOW)
        return
    with pytest.raises(RevocationRefused) as refused:
        grounds.check(party, BEGAN, NOW)
    assert rule_of(refused) is RevocationRule.NOT_AUTHORISED


@pytest.mark.parametrize("party", [Party.OFFICER, Party.OPERATOR])
def test_people_on_the_staff_say_why(party: Party) -> None:
    assert Cause.NOT_TOLD not in MAY_GIVE[party]


def test_an_orphan_is_the_systems_own_and_every_cause_is_somebodys() -> None:
    assert [party for party in Party if Cause.ORPHAN in MAY_GIVE[party]] == [Party.SYSTEM]
    assert frozenset().union(*MAY_GIVE.values()) == set(Cause)


@pytest.mark.parametrize(
    ("grounds", "rule"),
    [
        (Grounds(Cause.REPLACED, BEGAN), RevocationRule.INVALIDITY_OF_COMPROMISE),
        (Grounds(Cause.KEY_LOST, NOW + timedelta(seconds=1)), RevocationRule.INVALIDITY_AHEAD),
        (
            Grounds(Cause.KEY_COMPROMISED, BEGAN - timedelta(seconds=1)),
            RevocationRule.INVALIDITY_BEFORE,
        ),
        (
            Grounds(Cause.KEY_COMPROMISED, datetime(1, 1, 1, tzinfo=UTC)),
            RevocationRule.INVALIDITY_BEFORE,
        ),
    ],
)
def test_an_invalidity_date_is_of_a_compromise_in_the_validity(
    grounds: Grounds, rule: RevocationRule
) -> None:
    with pytest.raises(RevocationRefused) as refused:
        grounds.check(Party.OFFICER, BEGAN, NOW)
    assert rule_of(refused) is rule


@pytest.mark.parametrize("since", [BEGAN, NOW])
def test_a_compromise_may_be_dated_from_the_first_to_the_last_moment(since: datetime) -> None:
    Grounds(Cause.KEY_COMPROMISED, since).check(Party.OFFICER, BEGAN, NOW)


@pytest.mark.parametrize("cause", sorted(MAY_GIVE[Party.OFFICER] - FOR_HOLD))
def test_what_will_not_turn_out_otherwise_is_no_cause_of_a_hold(cause: Cause) -> None:
    with pytest.raises(RevocationRefused) as refused:
        check_hold(cause, Party.OFFICER)
    assert rule_of(refused) is RevocationRule.NOT_FOR_HOLD


@pytest.mark.parametrize(
    ("actor", "party"),
    [
        ("officer-0123456789abcdef", Party.OFFICER),
        ("system:operator", Party.OPERATOR),
        ("system:job", Party.SYSTEM),
        ("holder-0123456789abcdef", Party.HOLDER),
    ],
)
def test_a_pseudonym_tells_the_party(actor: str, party: Party) -> None:
    assert party_of(actor) is party


@pytest.mark.parametrize("party", [Party.OFFICER, Party.OPERATOR])
def test_another_person_lifts_a_hold(party: Party) -> None:
    check_release(SOUND, party, same_person=False, now=NOW)


@pytest.mark.parametrize("party", Party)
def test_nobody_lifts_a_hold_of_their_own_and_no_holder_any(party: Party) -> None:
    with pytest.raises(RevocationRefused) as refused:
        check_release(SOUND, party, same_person=party is not Party.HOLDER, now=NOW)
    assert rule_of(refused) is RevocationRule.RELEASE_NOT_AUTHORISED


@pytest.mark.parametrize(
    ("party", "same_person"),
    [(Party.OPERATOR, False), (Party.SYSTEM, False), (Party.HOLDER, False), (Party.OFFICER, True)],
)
def test_a_suspicion_is_closed_by_a_second_officer_only(party: Party, *, same_person: bool) -> None:
    suspected = replace(SOUND, cause=Cause.COMPROMISE_SUSPECTED)
    check_release(suspected, Party.OFFICER, same_person=False, now=NOW)
    with pytest.raises(RevocationRefused) as refused:
        check_release(suspected, party, same_person=same_person, now=NOW)
    assert rule_of(refused) is RevocationRule.UNDER_INVESTIGATION


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (replace(SOUND, not_after=NOW - timedelta(seconds=1)), "expired"),
        (replace(SOUND, key_compromised=True), "compromised"),
        (replace(SOUND, subject_active=False), "erased"),
        (replace(SOUND, issuer_retired=True), "retired"),
    ],
)
def test_what_was_required_before_a_hold_still_holds_when_it_is_lifted(
    held: HeldCertificate, said: str
) -> None:
    with pytest.raises(RevocationRefused) as refused:
        check_release(held, Party.OFFICER, same_person=False, now=NOW)
    assert rule_of(refused) is RevocationRule.REQUIREMENTS_NOT_MET
    assert said in refused.value.facts[0]

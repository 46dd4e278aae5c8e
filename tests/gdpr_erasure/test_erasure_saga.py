"""The saga with a store in memory and a scripted look from outside."""

import base64
import json
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import gdpr_erasure.saga
from gdpr_erasure.erasures import ErasureRules, ErasureState, evidence_text
from gdpr_erasure.errors import Conflict, ReceiptInvalid, Refused
from gdpr_erasure.policies import BUILT_IN
from gdpr_erasure.receipt import is_holder, new_holder, verify_receipt
from gdpr_erasure.record_classes import RecordClass
from gdpr_erasure.retention import Context, Item, Ruling
from gdpr_erasure.saga import cancel_erasure
from tests.support.memory_erasures import (
    KEY,
    NAME,
    NOW,
    OFFICERS,
    ORIGIN,
    SUBJECT,
    MemoryErasures,
    MemoryVault,
    Scene,
    a_place,
)

STEPS = (
    *("frozen", "revoked", "visible", "withdrawn", "told", "notified"),
    *("deleted", "destroyed", "rechecked", "sealed", "done"),
)


def test_nothing_happens_before_two_persons_approved_the_rulings() -> None:
    scene = Scene(MemoryErasures(good={a_place()}))
    scene.ask()
    assert scene.carry_on() is ErasureState.REQUESTED
    assert scene.approve(OFFICERS[0]).state is ErasureState.REQUESTED
    assert scene.carry_on() is ErasureState.REQUESTED
    assert not scene.store.revoked
    assert scene.approve(OFFICERS[1]).state is ErasureState.APPROVED
    with pytest.raises(Conflict):
        scene.approve(OFFICERS[1])


def test_a_case_waits_until_its_cooling_off_has_ended_and_can_be_cancelled() -> None:
    scene = Scene.approved(a_place(), rules=ErasureRules(cooling_off_hours=24))
    assert scene.carry_on() is ErasureState.APPROVED
    scene.now += timedelta(hours=24)
    assert scene.carry_on() is not ErasureState.APPROVED
    with pytest.raises(Conflict):
        cancel_erasure(scene.store, "E-1", OFFICERS[0], scene.now)

    scene = Scene.approved(a_place(), rules=ErasureRules(cooling_off_hours=24))
    assert cancel_erasure(scene.store, "E-1", OFFICERS[0], NOW).state is ErasureState.CANCELLED
    assert scene.carry_on() is ErasureState.CANCELLED


def test_what_comes_between_approval_and_freezing_is_approved_anew() -> None:
    scene = Scene.approved(a_place(), rules=ErasureRules(cooling_off_hours=1))
    scene.store.items.append(Item(RecordClass.CONTACT, NOW.date()))
    scene.now += timedelta(hours=2)

    assert scene.carry_on() is ErasureState.REQUESTED
    assert not scene.store.frozen


def test_each_state_waits_for_what_it_must_see() -> None:
    scene = Scene.approved(a_place(), a_place())
    first, second = sorted(scene.store.revoked)
    scene.store.published = scene.store.making = True
    assert scene.carry_on() is ErasureState.FROZEN
    scene.store.making = False
    scene.probe.crl = {first, second}
    assert scene.carry_on() is ErasureState.REVOKED  # OCSP does not show it
    scene.probe.ocsp = {first}
    assert scene.carry_on() is ErasureState.REVOKED  # not of both
    scene.probe.crl, scene.probe.ocsp = {first}, {first, second}
    assert scene.carry_on() is ErasureState.REVOKED  # nor the CRL
    assert scene.store.observed == []
    scene.show()
    assert scene.carry_on() is ErasureState.VISIBLE
    scene.store.held = True
    scene.store.published, scene.store.recipients = False, ("fast", "slow")
    assert scene.carry_on() is ErasureState.WITHDRAWN
    assert scene.store.notes == {"fast": "delivered"}
    scene.store.recipients = ("fast",)
    assert scene.carry_on() is ErasureState.NOTIFIED
    assert scene.store.destroyed is None
    scene.store.held, scene.vault.by_itself, scene.store.sealed = False, False, False
    assert scene.carry_on() is ErasureState.DESTROYED
    assert scene.carry_on() is ErasureState.DESTROYED  # no CRL since
    scene.probe.renew(scene.now)
    scene.probe.ocsp = set()
    assert scene.carry_on() is ErasureState.DESTROYED  # OCSP forgot it
    scene.show()
    assert scene.carry_on() is ErasureState.RECHECKED  # no seal
    scene.vault.seal(scene.now)
    assert scene.carry_on() is ErasureState.SEALED  # no head over the event
    scene.store.sealed = True
    assert scene.carry_on() is ErasureState.DONE


def test_good_certificates_are_revoked_by_the_saga_itself() -> None:
    scene = Scene(MemoryErasures(good={a_place(), a_place()}))
    scene.ask()
    for officer in OFFICERS:
        scene.approve(officer)

    assert scene.carry_on() is ErasureState.REVOKED
    assert not scene.store.good


def test_an_answer_that_a_cache_may_hold_is_waited_for() -> None:
    scene = Scene.approved(a_place(), rules=ErasureRules(cached_answer_minutes=60))
    scene.show()
    assert scene.carry_on() is ErasureState.REVOKED
    scene.now += timedelta(minutes=59)
    assert scene.carry_on() is ErasureState.REVOKED
    scene.now += timedelta(minutes=1)
    assert scene.carry_on() is ErasureState.DESTROYED


def test_a_crl_of_the_same_second_that_was_seen_before_proves_nothing() -> None:
    scene = Scene.approved(a_place())
    scene.show()
    scene.probe.renew(scene.now + timedelta(seconds=1))
    assert scene.carry_on() is ErasureState.DESTROYED
    assert scene.probe.this_update >= scene.case.updated_at.replace(microsecond=0)
    assert scene.carry_on() is ErasureState.DESTROYED
    scene.probe.renew(scene.now)
    assert scene.carry_on() is ErasureState.DONE


def test_after_the_last_crl_of_an_issuer_nothing_newer_is_waited_for() -> None:
    place = a_place()
    scene = Scene.approved(place)
    scene.probe.crl, scene.probe.last, scene.store.retired = {place}, True, True
    assert scene.carry_on() is ErasureState.DONE
    assert {channel for _, channel in scene.store.observed} == {"crl"}


def test_a_person_without_certificates_needs_no_look() -> None:
    assert Scene.approved().carry_on() is ErasureState.DONE


def test_two_that_carry_on_at_once_do_not_do_it_twice() -> None:
    scene = Scene.approved(a_place())
    scene.show()
    case = scene.case
    scene.saga.carry_on(case, lambda: NOW)
    with pytest.raises(Conflict):
        scene.saga.carry_on(case, lambda: NOW)


@dataclass
class SealsMeanwhile(MemoryVault):
    """A vault in which a seal begins, without our keys, just before their deletion is committed."""

    store: MemoryErasures = field(default_factory=MemoryErasures)

    def current_epoch(self) -> int:
        if self.store.destroyed is None:
            self.seal(NOW)
            return self.epoch - 1
        return self.epoch


def test_a_seal_that_began_before_the_deletion_was_committed_is_not_taken_for_its_own() -> None:
    scene = Scene.approved(a_place())
    scene.vault = SealsMeanwhile(by_itself=False, store=scene.store)
    scene.show()
    scene.carry_on()
    scene.probe.renew(scene.now)

    assert scene.carry_on() is ErasureState.RECHECKED
    assert scene.case.epoch == scene.vault.epoch
    scene.vault.seal(scene.now)
    assert scene.carry_on() is ErasureState.DONE


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("second", ["", *STEPS])
@pytest.mark.parametrize("first", STEPS)
def test_a_crash_at_any_step_and_another_in_the_recovery_end_with_one_receipt(
    first: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes = [f"erase.{point}" for point in (first, second) if point]
    scene = Scene(MemoryErasures(good={a_place()}, recipients=("payroll",)))

    def reach(point: str, scope: str = "") -> None:
        del scope
        if crashes and point == crashes[0]:
            crashes.pop(0)
            raise Crash

    monkeypatch.setattr(gdpr_erasure.saga, "reach", reach)
    scene.ask()
    for officer in OFFICERS:
        scene.approve(officer)
    for _ in range(16):
        try:
            scene.carry_on()
        except Crash:
            continue
        scene.show()
        if scene.store.destroyed is not None:
            scene.probe.renew(scene.now)

    assert scene.case.state is ErasureState.DONE
    assert len(scene.case.receipts) == 1
    assert scene.store.told_to == ["payroll"]
    verify_receipt(scene.case.receipts[0], KEY.public_key(), ORIGIN)


def partial_scene() -> Scene:
    scene = Scene.approved(policies=(BUILT_IN["nsis"],))
    place = a_place()
    scene = Scene(MemoryErasures(good={place}), policies=(BUILT_IN["nsis"],))
    scene.store.items.append(Item(RecordClass.PROOFING_EVIDENCE, date(2025, 1, 1)))
    scene.ask()
    for officer in OFFICERS:
        scene.approve(officer)
    return scene


def test_what_a_duty_keeps_is_answered_with_reasons_and_erased_by_itself_later() -> None:
    scene = partial_scene()
    told = verify_receipt(scene.to_done(), KEY.public_key(), ORIGIN)
    (kept,) = told["kept"]
    assert (scene.case.state, kept["class"], kept["until"]) == (
        ErasureState.SCHEDULED,
        "proofing_evidence",
        "2031-12-31",
    )
    assert "17(3)(b)" in kept["basis"]
    assert set(kept["text"]) == {"da", "sv", "en"}

    assert scene.carry_on() is ErasureState.SCHEDULED
    scene.now = NOW.replace(year=2031, month=12, day=31)
    assert scene.carry_on() is ErasureState.SCHEDULED
    scene.now = NOW.replace(year=2032, month=1, day=1)
    assert scene.carry_on() is ErasureState.DESTROYED
    scene.probe.renew(scene.now)
    assert scene.carry_on() is ErasureState.DONE
    first, second = scene.case.receipts
    told = verify_receipt(second, KEY.public_key(), ORIGIN)
    assert (told["number"], told["kept"]) == (2, [])
    assert first != second


class Unwell:
    """A policy of others that fails."""

    name, version = "unwell", "1"

    def rule(self, item: Item, context: Context) -> Ruling:
        raise KeyError(item.record_class, context)


def test_a_case_is_not_approved_while_a_policy_does_not_rule() -> None:
    scene = Scene(MemoryErasures(), policies=(Unwell(),))
    scene.ask()

    with pytest.raises(Refused, match="unwell"):
        scene.approve(OFFICERS[0])


def test_a_receipt_stands_offline_and_every_octet_counts() -> None:
    receipt = Scene.approved(a_place(), a_place()).to_done()
    assert verify_receipt(receipt, KEY.public_key(), ORIGIN)["receipt"] == "E-1"
    body, signature, _ = receipt.split("\n")
    other = base64.b64encode(b"1" + base64.b64decode(signature)[1:]).decode()
    for altered in (
        receipt.replace("E-1", "E-2", 1),
        receipt[:-1],
        f"{body}\n{other}\n",
        f"{body} \n{signature}\n",
        "\n\n",
        "",
    ):
        with pytest.raises(ReceiptInvalid):
            verify_receipt(altered, KEY.public_key(), ORIGIN)
    with pytest.raises(ReceiptInvalid, match="proof"):
        verify_receipt(receipt, KEY.public_key(), "another/log")


def test_a_receipt_says_what_was_done_and_what_remains_and_not_of_whom() -> None:
    scene = Scene.approved(a_place(), a_place())
    receipt = scene.to_done()
    told = json.loads(receipt.split("\n")[0])
    assert (told["receipt"], told["number"], told["pending"]) == ("E-1", 1, 0)
    assert told["policies"] == ["erase_now/1"]
    done = {"revoked", "before", "directories", "notified", "destroyed", "after", "epochs"}
    assert set(told["done"]) == done
    assert told["done"]["before"]["certificates"] == told["done"]["after"]["certificates"] == 2
    seen = [(one["channel"], one["number"]) for one in told["done"]["after"]["seen"]]
    assert sorted(seen, key=str) == [("crl", 2), ("crl", 2), ("ocsp", None), ("ocsp", None)]
    assert told["done"]["epochs"] == {
        "destroyed": 4,
        "now": 5,
        "tokens": ["a1", "b2"],
        "at": NOW.isoformat(),
    }
    assert {"revocation", "audit"} == set(told["remains"])
    for personal in (SUBJECT, *OFFICERS, NAME, *(place[1].hex for place in scene.store.revoked)):
        assert personal.lower() not in receipt.lower()
        assert personal not in evidence_text(scene.case.evidence)
    assert all(str(int(place[1])) not in receipt for place in scene.store.revoked)


def test_only_who_kept_the_key_shows_whose_a_receipt_is() -> None:
    key, holder = new_holder(NAME)

    assert is_holder(holder, key, f"  {NAME.upper()} ")
    assert not is_holder(holder, key, "Nancy Berggren")
    assert not is_holder(holder, new_holder(NAME)[0], NAME)
    assert not is_holder(holder, "no key", NAME)
    assert new_holder(NAME)[1] != holder


class AnyOrder(RuleBasedStateMachine):
    """The world changes in any order; `MemoryErasures.destroy` asserts what must hold before it."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene.approved(a_place(), a_place())
        self.states = [ErasureState.APPROVED]

    @rule(published=st.booleans(), held=st.booleans(), making=st.booleans())
    def inside(self, published: bool, held: bool, making: bool) -> None:  # noqa: FBT001 - hypothesis passes them by name
        # A revoked certificate is never published again.
        self.scene.store.published &= published
        self.scene.store.held, self.scene.store.making = held, making

    @rule(crl=st.booleans(), ocsp=st.booleans())
    def outside(self, crl: bool, ocsp: bool) -> None:  # noqa: FBT001 - as above
        self.scene.probe.crl = set(self.scene.store.revoked) if crl else set()
        self.scene.probe.ocsp = set(self.scene.store.revoked) if ocsp else set()

    @precondition(
        lambda self: self.scene.case.state in {ErasureState.APPROVED, ErasureState.FROZEN}
    )
    @rule()
    def issued_meanwhile(self) -> None:
        self.scene.store.good.add(a_place())

    @rule()
    def new_crl(self) -> None:
        self.scene.probe.renew(self.scene.now)

    @rule()
    def carried_on(self) -> None:
        self.states.append(self.scene.carry_on())

    @invariant()
    def no_step_back(self) -> None:
        order = list(ErasureState)
        places = [order.index(state) for state in self.states]
        assert places == sorted(places)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=25)

"""The saga with a store in memory and a scripted look from outside."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ca.identifiers import IssuerName, SerialNumber
from gdpr_erasure.errors import Conflict, Refused
from gdpr_erasure.saga import (
    Erasure,
    ErasureState,
    Observation,
    Place,
    Saga,
    approve_erasure,
    evidence_text,
    request_erasure,
)

NOW = datetime(2026, 11, 22, 8, 30, 0, 500_000, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
ISSUING = IssuerName("issuing")
NAME = "Nancy Ann Test Berggren"
SUBJECT = "subject-0123456789abcdef"
OFFICER = "officer-0123456789abcdef"


@dataclass
class MemoryErasures:
    """One data subject and at most one case, with what a database would refuse."""

    good: set[Place] = field(default_factory=set)
    revoked: set[Place] = field(default_factory=set)
    published: bool = False
    cases: dict[str, Erasure] = field(default_factory=dict)
    observed: list[tuple[Place, str]] = field(default_factory=list)
    destroyed: set[Place] | None = None
    retired: bool = False
    frozen: bool = False

    def unrevoked(self, subject_id: str, now: datetime) -> tuple[Place, ...]:
        assert (subject_id, now) == (SUBJECT, now)
        return tuple(self.good)

    def open_erasure(self, subject_id: str, now: datetime) -> Erasure:
        case = Erasure(
            "E-1", ErasureState.REQUESTED, subject_id, tuple(sorted(self.revoked)), {}, now, now
        )
        return self.cases.setdefault(case.id, case)

    def erasure(self, case_id: str) -> Erasure:
        places = self.destroyed if self.destroyed is not None else self.good | self.revoked
        case = self.cases[case_id]
        finished = case.state in {ErasureState.RECHECKED, ErasureState.DONE}
        return replace(case, places=() if finished else tuple(sorted(places)))

    def open_erasures(self) -> tuple[Erasure, ...]:
        closed = {ErasureState.REQUESTED, ErasureState.DONE}
        return tuple(self.erasure(c.id) for c in self.cases.values() if c.state not in closed)

    def advance(
        self, case: Erasure, state: ErasureState, evidence: Mapping[str, object], now: datetime
    ) -> Erasure:
        self.frozen |= state is ErasureState.FROZEN
        return self._move(case, now, state=state, evidence={**case.evidence, **evidence})

    def approve(self, case: Erasure, officer_id: str, now: datetime) -> Erasure:
        assert officer_id == OFFICER
        return self._move(case, now, state=ErasureState.APPROVED)

    def observe(self, place: Place, seen: Observation) -> None:
        self.observed.append((place, seen.channel))

    def unpublished(self, case: Erasure) -> bool:
        assert case.state is ErasureState.VISIBLE
        return not self.published

    def destroy(self, case: Erasure, now: datetime) -> Erasure:
        # What the guards of the database ask for before a delete (PKI01, PKI04, PKI05).
        assert not self.good
        assert not self.published
        assert self.frozen
        channels = ("crl",) if self.retired else ("crl", "ocsp")
        for place in self.revoked:
            assert {(place, channel) for channel in channels} <= set(self.observed)
        self.destroyed = set(self.revoked)
        evidence = {**case.evidence, "destroyed": {"certificates": len(self.revoked)}}
        return self._move(
            case, now, state=ErasureState.DESTROYED, subject_id=None, evidence=evidence
        )

    def finish(self, case: Erasure, receipt: str, now: datetime) -> Erasure:
        return self._move(case, now, state=ErasureState.DONE, receipt=receipt)

    def _move(self, case: Erasure, now: datetime, **changes: object) -> Erasure:
        if self.cases[case.id].state is not case.state:
            raise Conflict(case.id, "further already")
        self.cases[case.id] = replace(self.cases[case.id], updated_at=now, **changes)  # type: ignore[arg-type]
        return self.erasure(case.id)


@dataclass
class ScriptedProbe:
    """What relying parties would see: which places each channel shows, and which CRL."""

    crl: set[Place] = field(default_factory=set)
    ocsp: set[Place] = field(default_factory=set)
    this_update: datetime = NOW - timedelta(minutes=1)
    number: int = 1
    answers: int = 0
    last: bool = False

    def revoked_in_crl(self, place: Place, since: datetime) -> Observation | None:
        if place not in self.crl or (self.this_update < since and not self.last):
            return None
        digest = sha256(b"crl %d" % self.number).digest()
        return Observation("crl", digest, NOW, self.number, last=self.last)

    def revoked_in_ocsp(self, place: Place) -> Observation | None:
        if place not in self.ocsp:
            return None
        self.answers += 1
        return Observation("ocsp", sha256(b"answer %d" % self.answers).digest(), NOW)

    def renew(self, at: datetime) -> None:
        self.this_update, self.number = at.replace(microsecond=0), self.number + 1


def a_place() -> Place:
    return ISSUING, SerialNumber.random()


@dataclass
class Scene:
    """A case that was approved, its store and its probe."""

    store: MemoryErasures
    probe: ScriptedProbe
    now: datetime = NOW

    @classmethod
    def approved(cls, *revoked: Place) -> "Scene":
        scene = cls(MemoryErasures(revoked=set(revoked)), ScriptedProbe())
        case = request_erasure(scene.store, SUBJECT, NOW)
        approve_erasure(scene.store, case.id, OFFICER, NOW)
        return scene

    def carry_on(self) -> ErasureState:
        self.now += timedelta(seconds=1)
        saga = Saga(self.store, self.probe, KEY)
        return saga.carry_on(self.store.erasure("E-1"), lambda: self.now).state

    def show(self) -> None:
        self.probe.crl = self.probe.ocsp = set(self.store.revoked)


def test_an_erasure_is_refused_while_a_certificate_is_good() -> None:
    store = MemoryErasures(good={a_place()}, revoked={a_place()})
    with pytest.raises(Refused) as refused:
        request_erasure(store, SUBJECT, NOW)
    assert (refused.value.rule, store.cases) == ("PKI01", {})
    assert refused.value.way_out


def test_a_case_is_approved_once() -> None:
    scene = Scene.approved(a_place())
    with pytest.raises(Conflict):
        approve_erasure(scene.store, "E-1", OFFICER, NOW)


def test_nothing_happens_before_an_approval() -> None:
    store = MemoryErasures(revoked={a_place()})
    case = request_erasure(store, SUBJECT, NOW)
    assert store.open_erasures() == ()
    assert Saga(store, ScriptedProbe(), KEY).carry_on(case, lambda: NOW) == case


def test_each_state_waits_for_what_it_must_see() -> None:
    scene = Scene.approved(a_place(), a_place())
    first, second = sorted(scene.store.revoked)
    scene.store.published = True
    assert scene.carry_on() is ErasureState.FROZEN
    scene.probe.crl = {first, second}
    assert scene.carry_on() is ErasureState.FROZEN  # OCSP does not show it
    scene.probe.ocsp = {first}
    assert scene.carry_on() is ErasureState.FROZEN  # not of both
    scene.probe.crl, scene.probe.ocsp = {first}, {first, second}
    assert scene.carry_on() is ErasureState.FROZEN  # nor the CRL
    assert scene.store.observed == []
    scene.show()
    assert scene.carry_on() is ErasureState.VISIBLE
    assert scene.store.destroyed is None
    scene.store.published = False
    assert scene.carry_on() is ErasureState.DESTROYED
    assert scene.carry_on() is ErasureState.DESTROYED  # no CRL since
    scene.probe.renew(scene.now)
    scene.probe.ocsp = set()
    assert scene.carry_on() is ErasureState.DESTROYED  # OCSP forgot it
    scene.show()
    assert scene.carry_on() is ErasureState.DONE


def test_a_crl_of_the_same_second_that_was_seen_before_proves_nothing() -> None:
    scene = Scene.approved(a_place())
    scene.show()
    scene.probe.renew(scene.now + timedelta(seconds=1))
    assert scene.carry_on() is ErasureState.DESTROYED
    assert scene.probe.this_update >= scene.store.erasure("E-1").updated_at.replace(microsecond=0)
    assert scene.carry_on() is ErasureState.DESTROYED
    scene.probe.renew(scene.now)
    assert scene.carry_on() is ErasureState.DONE


def test_after_the_last_crl_of_an_issuer_nothing_newer_is_waited_for() -> None:
    place = a_place()
    scene = Scene.approved(place)
    scene.probe.crl, scene.probe.last, scene.store.retired = {place}, True, True
    assert scene.carry_on() is ErasureState.DONE
    assert {channel for _, channel in scene.store.observed} == {"crl"}


def test_a_certificate_issued_after_the_request_is_waited_for() -> None:
    scene = Scene.approved(a_place())
    scene.show()
    late = a_place()
    scene.store.good = {late}
    assert scene.carry_on() is ErasureState.FROZEN
    scene.store.good, scene.store.revoked = set(), {*scene.store.revoked, late}
    assert scene.carry_on() is ErasureState.FROZEN
    scene.show()
    assert scene.carry_on() is ErasureState.DESTROYED
    assert scene.store.destroyed == scene.store.revoked


def test_a_person_without_certificates_needs_no_look() -> None:
    scene = Scene.approved()
    assert scene.carry_on() is ErasureState.DONE


def test_two_that_carry_on_at_once_do_not_do_it_twice() -> None:
    scene = Scene.approved(a_place())
    scene.show()
    saga, case = Saga(scene.store, scene.probe, KEY), scene.store.erasure("E-1")
    saga.carry_on(case, lambda: NOW)
    with pytest.raises(Conflict):
        saga.carry_on(case, lambda: NOW)


def a_receipt() -> tuple[Scene, str]:
    scene = Scene.approved(a_place(), a_place())
    scene.show()
    scene.carry_on()
    scene.probe.renew(scene.now)
    assert scene.carry_on() is ErasureState.DONE
    receipt = scene.store.erasure("E-1").receipt
    assert receipt is not None
    return scene, receipt


def test_a_receipt_is_signed_and_every_octet_counts() -> None:
    _, receipt = a_receipt()
    body, signature, end = receipt.split("\n")
    assert end == ""
    octets = base64.b64decode(signature, validate=True)
    KEY.public_key().verify(octets, body.encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        KEY.public_key().verify(octets, body.encode() + b" ", ec.ECDSA(hashes.SHA256()))


def test_a_receipt_says_what_was_done_and_what_remains_and_not_of_whom() -> None:
    scene, receipt = a_receipt()
    told = json.loads(receipt.split("\n")[0])
    assert told["receipt"] == "E-1"
    assert {"before", "destroyed", "after"} == set(told["done"])
    assert told["done"]["before"]["certificates"] == told["done"]["after"]["certificates"] == 2
    seen = [(one["channel"], one["number"]) for one in told["done"]["after"]["seen"]]
    assert sorted(seen, key=str) == [("crl", 2), ("crl", 2), ("ocsp", None), ("ocsp", None)]
    assert {"revocation", "audit"} == set(told["remains"])
    for personal in (SUBJECT, OFFICER, NAME, *(place[1].hex for place in scene.store.revoked)):
        assert personal.lower() not in receipt.lower()
        assert personal not in evidence_text(scene.store.erasure("E-1").evidence)
    assert all(str(int(place[1])) not in receipt for place in scene.store.revoked)


class AnyOrder(RuleBasedStateMachine):
    """The world changes in any order; `MemoryErasures.destroy` asserts what must hold before it."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene.approved(a_place(), a_place())
        self.states = [ErasureState.APPROVED]

    @rule(published=st.booleans())
    def directory(self, published: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
        # A revoked certificate is never published again.
        self.scene.store.published &= published

    @rule(crl=st.booleans(), ocsp=st.booleans())
    def outside(self, crl: bool, ocsp: bool) -> None:  # noqa: FBT001 - as above
        self.scene.probe.crl = set(self.scene.store.revoked) if crl else set()
        self.scene.probe.ocsp = set(self.scene.store.revoked) if ocsp else set()

    @precondition(lambda self: not self.scene.store.frozen)
    @rule()
    def issued_meanwhile(self) -> None:
        self.scene.store.good.add(a_place())

    @rule()
    def revoked(self) -> None:
        self.scene.store.revoked |= self.scene.store.good
        self.scene.store.good.clear()

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
TestAnyOrder.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)

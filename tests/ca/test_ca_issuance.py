"""Issuance: nothing is signed that is not recorded, nothing handed out that is not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ca.certificates import Issuer
from ca.errors import Conflict, Refused, SigningFailed
from ca.issuance import (
    INTENT_LIFETIME,
    PreparedCertificate,
    issue,
    prepare,
    resolve_open_intents,
)
from tests.support.ca_builders import (
    ACTOR,
    NOW,
    MemoryIssuance,
    StoreBroken,
    a_prepared,
    an_issuer,
    an_order,
)
from tests.support.recording_key import Answer, RecordingKey

SECOND = timedelta(seconds=1)


class TokenGone(Exception):
    """What the key raises when its token is not there."""


def recording(store: MemoryIssuance, answer: Answer | None = None) -> tuple[Issuer, RecordingKey]:
    """The issuing authority with a key that writes into the steps of the store."""
    issuer = an_issuer()
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    key = RecordingKey(issuer.key, store.steps, answer)
    return replace(issuer, key=key), key


def refused_prepared(issuer: Issuer | None = None) -> PreparedCertificate:
    """A certificate that the gate refuses."""
    return prepare(an_order("staff", "EC-P384"), issuer or an_issuer(), NOW)


class ChangedMeanwhile(MemoryIssuance):
    """A store that puts another copy, of another serial, in the place of what the gate saw."""

    def record_intents(
        self, batch: Sequence[PreparedCertificate], actor: str, now: datetime
    ) -> None:
        super().record_intents(batch, actor, now)
        for prepared in batch:
            object.__setattr__(prepared, "copy", a_prepared().copy)


def states(store: MemoryIssuance) -> list[str]:
    return list(store.states.values())


def test_preparing_stores_nothing_and_signs_nothing() -> None:
    store = MemoryIssuance()
    issuer, _ = recording(store)
    prepare(an_order(), issuer, NOW)
    assert store.steps == []


def test_the_intent_comes_before_the_signature_and_the_record_after_it() -> None:
    store = MemoryIssuance()
    issuer, key = recording(store)
    prepared = a_prepared("staff", issuer)
    certificate = issue(prepared, store, ACTOR, NOW)
    assert store.steps == ["intent", "sign", "record"]
    ((tbs, at),) = store.intended.values()
    assert key.signed == tbs == prepared.tbs_certificate == certificate.tbs_certificate_bytes
    assert at == NOW
    assert store.issued == [certificate]
    certificate.verify_directly_issued_by(issuer.certificate)


def test_what_the_gate_refuses_leaves_nothing() -> None:
    store = MemoryIssuance()
    issuer, _ = recording(store)
    with pytest.raises(Refused, match="EC-P384 is not allowed"):
        issue(refused_prepared(issuer), store, ACTOR, NOW)
    assert store.steps == []
    assert states(store) == []


def test_the_gate_stands_between_the_intent_and_the_signature_too() -> None:
    store = ChangedMeanwhile()
    issuer, _ = recording(store)
    with pytest.raises(Refused, match="not the one that was reserved"):
        issue(a_prepared("staff", issuer), store, ACTOR, NOW)
    assert store.steps == ["intent", "revoke"]
    assert states(store) == ["revoked"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: b"",
        lambda _: b"\0" * 71,
        lambda signature: signature[:-1] + bytes((signature[-1] ^ 1,)),
        lambda signature: signature + b"\0",
    ],
    ids=["nothing", "zeros", "one bit", "one octet more"],
)
def test_a_key_that_returns_garbage_gives_no_certificate(answer: Answer) -> None:
    store = MemoryIssuance()
    issuer, _ = recording(store, answer)
    with pytest.raises(SigningFailed):
        issue(a_prepared("staff", issuer), store, ACTOR, NOW)
    assert store.steps == ["intent", "sign", "revoke"]
    assert states(store) == ["revoked"]


def test_a_key_that_raises_leaves_an_intent_for_recovery() -> None:
    def gone(_: bytes) -> bytes:
        raise TokenGone

    store = MemoryIssuance()
    issuer, _ = recording(store, gone)
    with pytest.raises(TokenGone):
        issue(a_prepared("staff", issuer), store, ACTOR, NOW)
    assert states(store) == ["intent"]
    resolve_open_intents(store, NOW + INTENT_LIFETIME + SECOND)
    assert states(store) == ["revoked"]


def test_without_a_recorded_intent_nothing_is_signed() -> None:
    store = MemoryIssuance(fails_at="intent")
    issuer, _ = recording(store)
    with pytest.raises(StoreBroken):
        issue(a_prepared("staff", issuer), store, ACTOR, NOW)
    assert store.steps == []


def test_an_intent_whose_answer_was_lost_is_not_signed() -> None:
    store = MemoryIssuance(fails_after="intent")
    issuer, _ = recording(store)
    with pytest.raises(StoreBroken):
        issue(a_prepared("staff", issuer), store, ACTOR, NOW)
    assert store.steps == ["intent"]


def test_a_certificate_that_could_not_be_recorded_is_not_handed_out_but_revoked() -> None:
    store = MemoryIssuance(fails_at="record")
    issuer, _ = recording(store)
    with pytest.raises(StoreBroken):
        issue(a_prepared("staff", issuer), store, ACTOR, NOW)
    assert store.steps == ["intent", "sign"]
    resolve_open_intents(store, NOW + INTENT_LIFETIME + SECOND)
    assert states(store) == ["revoked"]
    assert store.issued == []


def test_a_certificate_whose_record_was_acknowledged_too_late_stays_issued() -> None:
    store = MemoryIssuance(fails_after="record")
    with pytest.raises(StoreBroken):
        issue(a_prepared(), store, ACTOR, NOW)
    resolve_open_intents(store, NOW + INTENT_LIFETIME + SECOND)
    assert states(store) == ["issued"]


def test_a_refusal_that_could_not_be_recorded_leaves_an_intent_for_recovery() -> None:
    store = ChangedMeanwhile(fails_at="revoke")
    with pytest.raises(StoreBroken):
        issue(a_prepared(), store, ACTOR, NOW)
    assert states(store) == ["intent"]


@pytest.mark.parametrize("make", [MemoryIssuance, ChangedMeanwhile], ids=["issued", "refused"])
def test_a_prepared_certificate_is_not_issued_twice(make: Callable[[], MemoryIssuance]) -> None:
    store, prepared = make(), a_prepared()
    again = replace(prepared)
    try:
        issue(prepared, store, ACTOR, NOW)
    except Refused:
        assert make is ChangedMeanwhile
    steps = len(store.steps)
    with pytest.raises(Conflict):
        issue(again, store, ACTOR, NOW)
    assert len(store.steps) == steps


def test_an_intent_closed_while_the_token_was_slow_is_not_handed_out() -> None:
    store = MemoryIssuance()

    def slow(signature: bytes) -> bytes:
        resolve_open_intents(store, NOW + INTENT_LIFETIME + SECOND)
        return signature

    issuer, _ = recording(store, slow)
    with pytest.raises(Conflict, match="revoked"):
        issue(a_prepared("staff", issuer), store, ACTOR, NOW)
    assert states(store) == ["revoked"]
    assert store.issued == []


def test_an_open_intent_is_resolved_only_after_its_lifetime() -> None:
    store, prepared = MemoryIssuance(), a_prepared()
    store.record_intents([prepared], ACTOR, NOW)
    named = (prepared.content.issuer.name, prepared.content.serial_number)
    for age in (timedelta(0), INTENT_LIFETIME - SECOND, INTENT_LIFETIME):
        assert resolve_open_intents(store, NOW + age) == []
    assert resolve_open_intents(store, NOW + INTENT_LIFETIME + SECOND) == [named]
    assert resolve_open_intents(store, NOW + INTENT_LIFETIME + SECOND) == []


def test_an_intent_closed_by_another_process_is_not_counted() -> None:
    class ClosedMeanwhile(MemoryIssuance):
        def revoke_orphan(self, *_: object) -> bool:
            return False

    store = ClosedMeanwhile()
    store.record_intents([a_prepared()], ACTOR, NOW)
    assert resolve_open_intents(store, NOW + 2 * INTENT_LIFETIME) == []


def test_a_name_that_is_not_the_profiles_is_refused_before_anything_is_made() -> None:
    order = replace(an_order("staff"), subject=an_order("tls-server").subject)
    with pytest.raises(Refused, match="in this order"):
        prepare(order, an_issuer(), NOW)


def test_two_prepared_certificates_of_one_order_have_two_serial_numbers() -> None:
    order = an_order()
    one, other = (prepare(order, an_issuer(), NOW).content.serial_number for _ in range(2))
    assert one != other

"""Issuance of many at once: two transactions for all, and what befalls one is its own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ca.errors import Conflict, Refused, SigningFailed
from ca.issuance import (
    INTENT_LIFETIME,
    PreparedCertificate,
    Signed,
    issue_all,
    prepare,
    resolve_open_intents,
)
from hsm.errors import TokenUnavailable
from tests.support.ca_builders import (
    ACTOR,
    NOW,
    MemoryIssuance,
    StoreBroken,
    a_prepared,
    an_issuer,
    an_order,
    place_of,
)
from tests.support.recording_key import RecordingKey

Answer = Callable[[bytes], bytes]


def nth(number: int, answer: Answer) -> Answer:
    """An answer to that signature alone, counted from one; the others are as they are."""
    calls = count(1)
    return lambda signature: answer(signature) if next(calls) == number else signature


def gone(_: bytes) -> bytes:
    raise TokenUnavailable("issuing", "CKR_DEVICE_REMOVED")


def recording(store: MemoryIssuance, answer: Answer | None = None) -> list[PreparedCertificate]:
    issuer = an_issuer()
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    key = RecordingKey(issuer.key, store.steps, answer)
    keyed = replace(issuer, key=key)
    return [prepare(an_order("staff"), keyed, NOW) for _ in range(4)]


def words(outcomes: list[x509.Certificate | Exception]) -> list[str]:
    return ["issued" if isinstance(o, x509.Certificate) else type(o).__name__ for o in outcomes]


def test_a_batch_shares_one_commit_before_and_one_after_its_signatures() -> None:
    store = MemoryIssuance()
    batch = recording(store)
    outcomes = issue_all(batch, store, ACTOR, NOW)
    assert store.steps == ["intent", "sign", "sign", "sign", "sign", "record"]
    assert store.issued == outcomes
    octets = [o.tbs_certificate_bytes for o in outcomes if isinstance(o, x509.Certificate)]
    assert octets == [prepared.tbs_certificate for prepared in batch]


def test_an_empty_batch_does_nothing() -> None:
    store = MemoryIssuance()
    assert issue_all([], store, ACTOR, NOW) == []
    assert store.steps == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [(lambda _: b"", SigningFailed), (gone, TokenUnavailable)],
    ids=["garbage", "token gone"],
)
def test_a_signature_that_fails_revokes_its_own_serial_and_no_other(
    answer: Answer, error: type[Exception]
) -> None:
    store = MemoryIssuance()
    batch = recording(store, nth(2, answer))
    outcomes = issue_all(batch, store, ACTOR, NOW)
    assert words(outcomes) == ["issued", error.__name__, "issued", "issued"]
    assert list(store.states.values()) == ["issued", "revoked", "issued", "issued"]
    assert store.steps[-2:] == ["record", "revoke"]


def test_the_gate_refuses_one_and_the_others_are_signed() -> None:
    store = MemoryIssuance()
    refused = a_prepared("staff", kind="EC-P384")
    batch = [a_prepared(), refused, a_prepared()]
    outcomes = issue_all(batch, store, ACTOR, NOW)
    assert words(outcomes) == ["issued", "Refused", "issued"]
    assert place_of(refused) not in store.states


@pytest.mark.parametrize("place", range(5))
def test_a_serial_that_was_used_before_stops_itself_alone(place: int) -> None:
    store = MemoryIssuance()
    batch = [a_prepared() for _ in range(5)]
    store.states[place_of(batch[place])] = "revoked"
    outcomes = issue_all(batch, store, ACTOR, NOW)
    assert [index for index, o in enumerate(outcomes) if isinstance(o, Conflict)] == [place]
    assert len(store.issued) == 4


def test_one_without_an_approval_is_not_even_intended() -> None:
    store = MemoryIssuance()
    batch = [a_prepared(), prepare(an_order("natural-person-high"), an_issuer(), NOW)]
    outcomes = issue_all(batch, store, ACTOR, NOW)
    assert words(outcomes) == ["issued", "Refused"]
    assert place_of(batch[1]) not in store.states
    assert isinstance(outcomes[1], Refused)


def test_an_intent_that_was_closed_meanwhile_gives_no_certificate() -> None:
    closed = a_prepared()
    batch = [a_prepared(), closed]

    class Late(MemoryIssuance):
        def record_certificates(self, batch: Sequence[Signed], now: datetime) -> None:
            self.states[place_of(closed)] = "revoked"
            super().record_certificates(batch, now)

    store = Late()
    assert words(issue_all(batch, store, ACTOR, NOW)) == ["issued", "Conflict"]
    assert store.states[place_of(closed)] == "revoked"


@pytest.mark.parametrize(("step", "signed"), [("intent", 0), ("record", 4)])
def test_a_store_that_fails_hands_out_nothing_and_recovery_revokes_the_rest(
    step: str, signed: int
) -> None:
    store = MemoryIssuance(fails_at=step)
    batch = recording(store)
    with pytest.raises(StoreBroken):
        issue_all(batch, store, ACTOR, NOW)
    assert store.steps.count("sign") == signed
    store.fails_at = ""
    resolve_open_intents(store, NOW + 2 * INTENT_LIFETIME)
    assert set(store.states.values()) <= {"revoked"}
    assert store.issued == []

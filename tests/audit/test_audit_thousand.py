"""A thousand random tamperings with a log about persons: all of them found, each at its place."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from audit.errors import Break, ChainBroken
from audit.events import Event, parse_header, seal_event
from audit.log import Extent, make_head, verify_log
from audit.payloads import Payload, SealedPayload, seal_payloads
from tests.support.audit_store import (
    ORIGIN,
    SCHEMA,
    MemoryAuditStore,
    an_event,
    key_of,
    time_of,
)

KEY = ec.generate_private_key(ec.SECP256R1())
HEADS = (7, 16, 30, 40)
SIZE = HEADS[-1]
ERASED_AT = 25
TRIALS = 1000
SEED = 20261126


def a_log_about_persons() -> MemoryAuditStore:
    """Forty events, every other one about one person or two; one of them is erased on the way."""
    store = MemoryAuditStore()
    for sequence in range(SIZE):
        now = time_of(sequence)
        if sequence == ERASED_AT:
            store.erase("anne", now)
        elif sequence % 2:
            store.append(an_event(count=sequence), now)
        else:
            store.append_with(an_event(count=sequence), now, **subjects_of(sequence))
        if sequence + 1 in HEADS:
            make_head(store, KEY, now, SCHEMA, ORIGIN)
    return store


def subjects_of(sequence: int) -> dict[str, dict[str, str | int | bool | None]]:
    names = ["bent", "carl"] if sequence > ERASED_AT else ["anne", "bent", "carl"]
    return {name: {"said": f"{name} {sequence}"} for name in names[: 1 + sequence % 3]}


PRISTINE = a_log_about_persons()


@dataclass
class Trial:
    """One tampering with a copy of the log."""

    store: MemoryAuditStore
    lot: random.Random

    def entry(self) -> int:
        return self.lot.randrange(SIZE)

    def payload(self) -> int:
        return self.lot.randrange(len(self.store.payload_rows))

    def other(self, row: int) -> int:
        """A payload of another event, with other octets."""
        rows = self.store.payload_rows
        return self.lot.choice(
            [n for n, each in enumerate(rows) if each.sequence != rows[row].sequence]
        )

    def flipped(self, octets: bytes) -> bytes:
        changed = bytearray(octets)
        changed[self.lot.randrange(len(octets))] ^= 1 << self.lot.randrange(8)
        return bytes(changed)


def edit(trial: Trial) -> int:
    at, rows = trial.entry(), trial.store.rows
    rows[at] = replace(rows[at], header=trial.flipped(rows[at].header))
    return at


def edit_leaf(trial: Trial) -> int:
    at, rows = trial.entry(), trial.store.rows
    rows[at] = replace(rows[at], leaf_hash=trial.flipped(rows[at].leaf_hash))
    return at


def empty(trial: Trial) -> int:
    at, rows = trial.entry(), trial.store.rows
    rows[at] = replace(rows[at], header=b"")
    return at


def delete(trial: Trial) -> int:
    at = trial.entry()
    del trial.store.rows[at]
    return at


def reorder(trial: Trial) -> int:
    rows = trial.store.rows
    first, second = sorted(trial.lot.sample(range(SIZE), 2))
    rows[first], rows[second] = rows[second], rows[first]
    return first


def rewrite(trial: Trial) -> int:
    """Another event under the old number and time, its payloads kept: only the root shows it."""
    at, rows = trial.entry(), trial.store.rows
    header = parse_header(rows[at].header)
    other = Event("case.other", header.event.actor, header.event.object_id, header.event.details)
    rows[at] = seal_event(other, at, header.time, header.commitment)
    return at


def truncate(trial: Trial) -> int:
    at = trial.entry()
    del trial.store.rows[at:]
    return at


def forge_a_head(trial: Trial) -> int:
    texts = trial.store.head_texts
    index = trial.lot.randrange(len(texts))
    texts[index] = texts[index].replace("schema 0", "schema f")
    return HEADS[index] - 1


def alter_a_payload(trial: Trial) -> int:
    rows, at = trial.store.payload_rows, trial.payload()
    rows[at] = replace(rows[at], sealed=trial.flipped(rows[at].sealed))
    return rows[at].sequence


def swap_payloads(trial: Trial) -> int:
    rows, at = trial.store.payload_rows, trial.payload()
    other = trial.other(at)
    rows[at], rows[other] = (
        replace(rows[at], sealed=rows[other].sealed),
        replace(rows[other], sealed=rows[at].sealed),
    )
    return min(rows[at].sequence, rows[other].sequence)


def put_another_payload(trial: Trial) -> int:
    """Sealed under the right key, as only whoever has the keys can."""
    rows, at = trial.store.payload_rows, trial.payload()
    row = rows[at]
    payload = Payload(row.subject_id, {"said": "something else"})
    _, (forged,) = seal_payloads(row.sequence, [payload], [key_of(row.subject_id)])
    commitment = parse_header(trial.store.rows[row.sequence].header).commitment
    assert commitment is not None
    openings = row.sealed[: 32 * commitment.count]
    rows[at] = replace(row, sealed=openings + forged[32:])
    return row.sequence


def add_a_payload(trial: Trial) -> int:
    """To an event that has none."""
    rows, at = trial.store.payload_rows, trial.lot.randrange(1, SIZE, 2)
    rows.append(replace(rows[0], sequence=at))
    rows.sort(key=lambda row: (row.sequence, row.number))
    return at


def bring_back_the_erased(trial: Trial) -> int:
    """From a backup, without the key: it was never told to whoever verifies."""
    rows, at = trial.store.payload_rows, trial.lot.randrange(0, ERASED_AT, 2)
    rows.append(SealedPayload(at, 0, "anne", bytes(200), has_key=False))
    rows.sort(key=lambda row: (row.sequence, row.number))
    return at


def steal_a_payload(trial: Trial) -> int:
    rows, at = trial.store.payload_rows, trial.payload()
    return rows.pop(at).sequence


def destroy_a_key(trial: Trial) -> int:
    rows = trial.store.payload_rows
    name = rows[trial.payload()].subject_id
    rows[:] = [replace(row, has_key=row.subject_id != name) for row in rows]
    return min(row.sequence for row in rows if not row.has_key)


AT_THE_ENTRY = (edit, edit_leaf, empty, delete, reorder, alter_a_payload, swap_payloads)
TAMPERINGS: tuple[Callable[[Trial], int], ...] = (
    *AT_THE_ENTRY,
    put_another_payload,
    add_a_payload,
    bring_back_the_erased,
    destroy_a_key,
    rewrite,
    truncate,
    forge_a_head,
    steal_a_payload,
)


def test_the_log_about_persons_verifies_as_it_was_made() -> None:
    watch = PRISTINE.watch()
    verify_log(PRISTINE, KEY.public_key(), ORIGIN, Extent(payloads=watch))
    assert watch.missing == watch.declared > 5
    assert watch.present > 20


def test_a_thousand_random_tamperings_are_all_found_at_their_place() -> None:
    lot = random.Random(SEED)  # noqa: S311 - the same trials every time
    for number in range(TRIALS):
        tamper = TAMPERINGS[number % len(TAMPERINGS)]
        store = MemoryAuditStore(
            list(PRISTINE.rows),
            list(PRISTINE.head_texts),
            payload_rows=list(PRISTINE.payload_rows),
        )
        at = tamper(Trial(store, lot))
        with pytest.raises(ChainBroken) as broken:
            verify_log(store, KEY.public_key(), ORIGIN, Extent(payloads=store.watch()))
        assert is_located(broken.value, at), (number, tamper.__name__, at, str(broken.value))


def is_located(broken: ChainBroken, at: int) -> bool:
    """At the entry that shows it; else where the last good head ends; or where counts part."""
    good = max((size for size in HEADS if size <= at), default=0)
    if broken.reason in {Break.ROOT, Break.HEAD_SIGNATURE}:
        return broken.position == good
    if broken.reason is Break.PAYLOAD_GONE and at < ERASED_AT:
        return broken.position <= at
    return broken.position == at

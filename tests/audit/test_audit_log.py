import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import reduce
from itertools import islice

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from audit.errors import Break, ChainBroken, ClockBehind, HeadConflict, HeadForged, HeadMalformed
from audit.events import Entry, seal_event
from audit.heads import Checkpoint, sign_head
from audit.log import TIME_TOLERANCE, Extent, make_head, verify_log
from audit.tree import CompactRange, tree_root
from tests.support.audit_store import (
    ORIGIN,
    SCHEMA,
    START,
    MemoryAuditStore,
    a_log,
    an_event,
    time_of,
)

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key()


class CountingStore(MemoryAuditStore):
    """Tells how many entries were read."""

    entries_read = 0

    def entries(self, start: int) -> Iterator[Entry]:
        for entry in super().entries(start):
            self.entries_read += 1
            yield entry


class LongStore(MemoryAuditStore):
    """Makes its entries while they are read, so that nothing but the reader holds them."""

    def entries(self, start: int) -> Iterator[Entry]:
        return (seal_event(an_event(), number, START) for number in range(start, 4_000))


def test_an_empty_log_gets_no_head_and_verifies() -> None:
    store = a_log(KEY)
    assert make_head(store, KEY, START, SCHEMA, ORIGIN) is None
    verification = verify_log(store, PUBLIC, ORIGIN)
    assert (verification.size, verification.heads, verification.latest) == (0, 0, None)


def test_an_untouched_log_verifies_up_to_its_last_entry() -> None:
    store = a_log(KEY, 3, 8, 20, tail=2)
    verification = verify_log(store, PUBLIC, ORIGIN)
    assert (verification.size, verification.heads) == (22, 3)
    assert verification.root == tree_root([entry.leaf_hash for entry in store.rows])
    assert verification.latest == store.latest_head()
    assert verification.latest is not None
    assert (verification.latest.size, verification.latest.schema_digest) == (20, SCHEMA)


def test_there_is_no_new_head_without_new_entries() -> None:
    store = a_log(KEY, 3)
    assert make_head(store, KEY, time_of(9), SCHEMA, ORIGIN) is None
    assert len(store.head_texts) == 1


def test_a_new_head_costs_only_the_new_entries() -> None:
    made = a_log(KEY, 20, tail=5)
    store = CountingStore(made.rows, made.head_texts, made.frontier_octets)
    head = make_head(store, KEY, time_of(25), SCHEMA, ORIGIN)
    assert store.entries_read == 5
    assert head is not None
    assert head.root == tree_root([entry.leaf_hash for entry in store.rows])


@pytest.mark.parametrize("frontier", [None, b"junk", CompactRange().serialise()])
def test_a_lost_frontier_is_made_anew_from_the_entries(frontier: bytes | None) -> None:
    store = a_log(KEY, 20, tail=5)
    store.frontier_octets = frontier
    assert make_head(store, KEY, time_of(25), SCHEMA, ORIGIN)
    assert verify_log(store, PUBLIC, ORIGIN).heads == 2


def test_a_frontier_of_other_entries_never_gets_signed() -> None:
    store = a_log(KEY, 20, tail=5)
    for sequence in range(20):
        store.rows[sequence] = seal_event(an_event("a.b"), sequence, time_of(sequence))
    leaves = (entry.leaf_hash for entry in store.rows[:20])
    store.frontier_octets = reduce(CompactRange.append, leaves, CompactRange()).serialise()
    with pytest.raises(ChainBroken) as broken:
        make_head(store, KEY, time_of(25), SCHEMA, ORIGIN)
    assert broken.value.reason is Break.ROOT


def test_no_head_is_signed_on_top_of_a_forged_one() -> None:
    store = a_log(ec.generate_private_key(ec.SECP256R1()), 20, tail=5)
    with pytest.raises(HeadForged):
        make_head(store, KEY, time_of(25), SCHEMA, ORIGIN)


def test_no_head_is_signed_over_entries_that_do_not_stand() -> None:
    store = a_log(KEY, 5, tail=5)
    del store.rows[7]
    with pytest.raises(ChainBroken) as broken:
        make_head(store, KEY, time_of(10), SCHEMA, ORIGIN)
    assert (broken.value.position, broken.value.reason) == (7, Break.SEQUENCE)


def test_no_head_is_signed_over_a_log_that_was_cut_below_the_latest() -> None:
    store = a_log(KEY, 5, 10)
    del store.rows[8:]
    with pytest.raises(ChainBroken) as broken:
        make_head(store, KEY, time_of(10), SCHEMA, ORIGIN)
    assert (broken.value.position, broken.value.reason) == (8, Break.SHORTER)


def test_no_head_is_signed_over_fewer_entries_than_the_store_counts() -> None:
    class Miscounting(MemoryAuditStore):
        def size(self) -> int:
            return len(self.rows) + 1

    with pytest.raises(ChainBroken) as broken:
        make_head(Miscounting(a_log(KEY, tail=4).rows), KEY, time_of(4), SCHEMA, ORIGIN)
    assert (broken.value.position, broken.value.reason) == (4, Break.SEQUENCE)


def test_two_makers_cannot_both_record_the_same_head() -> None:
    class Raced(MemoryAuditStore):
        def frontier(self, size: int) -> bytes | None:
            make_head(other, KEY, time_of(25), SCHEMA, ORIGIN)
            return super().frontier(size)

    other = a_log(KEY, 20, tail=5)
    store = Raced(other.rows, other.head_texts, other.frontier_octets)
    with pytest.raises(HeadConflict):
        make_head(store, KEY, time_of(25), SCHEMA, ORIGIN)
    assert verify_log(other, PUBLIC, ORIGIN).heads == 2


def test_no_head_is_signed_while_the_clock_stands_before_the_latest() -> None:
    store = a_log(KEY, 5, tail=1)
    with pytest.raises(ClockBehind):
        make_head(store, KEY, time_of(4), SCHEMA, ORIGIN)


@pytest.mark.parametrize("sequence", [5, 6, 9])
@pytest.mark.parametrize("wrong_time", [time_of(0), time_of(30)])
def test_an_entry_cannot_lie_outside_the_heads_around_it(
    sequence: int, wrong_time: datetime
) -> None:
    store = a_log(KEY, 5, tail=5)
    store.rows[sequence] = seal_event(an_event(), sequence, wrong_time)
    with pytest.raises(ChainBroken) as broken:
        make_head(store, KEY, time_of(10), SCHEMA, ORIGIN)
    assert (broken.value.position, broken.value.reason) == (sequence, Break.TIME)
    _sign_anyway(store, 10)
    with pytest.raises(ChainBroken) as broken:
        verify_log(store, PUBLIC, ORIGIN)
    assert (broken.value.position, broken.value.reason) == (sequence, Break.TIME)


def test_times_may_run_backwards_within_the_tolerance() -> None:
    store = a_log(KEY, 5)
    head_time = time_of(5)
    store.append(an_event(), head_time - TIME_TOLERANCE)
    assert make_head(store, KEY, head_time - TIME_TOLERANCE, SCHEMA, ORIGIN)
    assert verify_log(store, PUBLIC, ORIGIN).heads == 2


def test_a_head_cannot_be_earlier_than_the_one_before() -> None:
    store = a_log(KEY, 5, tail=1)
    _sign_anyway(store, 4)
    with pytest.raises(ChainBroken) as broken:
        verify_log(store, PUBLIC, ORIGIN)
    assert (broken.value.position, broken.value.reason) == (5, Break.HEAD_ORDER)


def test_the_log_is_read_in_constant_memory() -> None:
    store = LongStore()
    tracemalloc.start()
    try:
        assert verify_log(store, PUBLIC, ORIGIN).size == 4_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200_000


def test_a_witness_that_agrees_changes_nothing() -> None:
    store = a_log(KEY, 3, 8, 20, tail=2)
    for witness in list(store.heads()):
        assert verify_log(store, PUBLIC, ORIGIN, Extent((witness,))) == verify_log(
            store, PUBLIC, ORIGIN
        )


def test_a_witness_need_not_be_among_the_stored_heads() -> None:
    store = a_log(KEY, 3, 8, 20)
    witness = next(islice(store.heads(), 1, None))
    del store.head_texts[1]
    assert verify_log(store, PUBLIC, ORIGIN, Extent((witness,))).heads == 2


def test_cutting_log_and_heads_together_shows_only_against_a_witness() -> None:
    store = a_log(KEY, 3, 8, 20)
    witness = store.latest_head()
    assert witness is not None
    del store.rows[8:], store.head_texts[2:]
    assert verify_log(store, PUBLIC, ORIGIN).size == 8
    with pytest.raises(ChainBroken) as broken:
        verify_log(store, PUBLIC, ORIGIN, Extent((witness,)))
    assert (broken.value.position, broken.value.reason) == (8, Break.SHORTER)


@pytest.mark.parametrize("sizes", [(8, 20), (8, 22), (8,)])
def test_a_log_rewritten_with_the_key_shows_against_a_witness(sizes: tuple[int, ...]) -> None:
    witness = a_log(KEY, 8, 20).latest_head()
    assert witness is not None
    rewritten = a_log(KEY, 8)
    for size in range(9, 23):
        rewritten.append(an_event("case.closed"), time_of(size - 1))
        if size in sizes:
            make_head(rewritten, KEY, time_of(size), SCHEMA, ORIGIN)
    assert verify_log(rewritten, PUBLIC, ORIGIN).heads == len(sizes)
    with pytest.raises(ChainBroken) as broken:
        verify_log(rewritten, PUBLIC, ORIGIN, Extent((witness,)))
    assert (broken.value.position, broken.value.reason) == (8, Break.ROOT)


def test_a_witness_of_another_log_is_no_witness() -> None:
    store = a_log(KEY, 3)
    stranger = a_log(ec.generate_private_key(ec.SECP256R1()), 3).latest_head()
    assert stranger is not None
    with pytest.raises(HeadForged):
        verify_log(store, PUBLIC, ORIGIN, Extent((stranger,)))


def test_a_log_does_not_verify_under_another_origin() -> None:
    with pytest.raises(ChainBroken) as broken:
        verify_log(a_log(KEY, 3), PUBLIC, "other.example/audit")
    assert (broken.value.position, broken.value.reason) == (0, Break.HEAD_SIGNATURE)


def test_an_unreadable_latest_head_stops_the_making_of_heads() -> None:
    store = a_log(KEY, 3, tail=1)
    store.head_texts[-1] = "junk"
    with pytest.raises(HeadMalformed):
        make_head(store, KEY, time_of(4) + timedelta(hours=1), SCHEMA, ORIGIN)


def _sign_anyway(store: MemoryAuditStore, hours: int) -> None:
    """Sign the log as it is, past all checks."""
    root = tree_root([entry.leaf_hash for entry in store.rows])
    checkpoint = Checkpoint(ORIGIN, len(store.rows), root, time_of(hours), SCHEMA)
    store.record_head(sign_head(KEY, checkpoint), b"")

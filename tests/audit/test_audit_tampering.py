"""Everything that can be done to the rows of a log without its key, and that it shows where."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import Break, ChainBroken
from audit.events import Entry, parse_header, seal_event
from audit.heads import Checkpoint, parse_head, sign_head
from audit.log import verify_log
from audit.tree import tree_root
from tests.support.audit_store import ORIGIN, MemoryAuditStore, a_log, an_event, time_of

KEY = ec.generate_private_key(ec.SECP256R1())
HEAD_SIZES = (4, 9, 10, 17, 30)
SIZE = HEAD_SIZES[-1]
PRISTINE = a_log(KEY, *HEAD_SIZES)

Tampering = Callable[[MemoryAuditStore, int], int]
"""Tampers at an entry, and gives the first entry that is no longer what was sealed."""


def edit_header(store: MemoryAuditStore, at: int) -> int:
    store.rows[at] = replace(_another(at), leaf_hash=store.rows[at].leaf_hash)
    return at


def edit_header_and_leaf(store: MemoryAuditStore, at: int) -> int:
    store.rows[at] = _another(at)
    return at


def edit_leaf(store: MemoryAuditStore, at: int) -> int:
    store.rows[at] = replace(store.rows[at], leaf_hash=bytes(32))
    return at


def flip_a_bit_of_the_header(store: MemoryAuditStore, at: int) -> int:
    header = bytearray(store.rows[at].header)
    header[at * 7 % len(header)] ^= 1 << at % 8
    store.rows[at] = replace(store.rows[at], header=bytes(header))
    return at


def delete(store: MemoryAuditStore, at: int) -> int:
    del store.rows[at]
    return at


def delete_and_number_anew(store: MemoryAuditStore, at: int) -> int:
    del store.rows[at]
    store.rows[at:] = _sealed_from(store, at)
    return at


def cut_the_tail(store: MemoryAuditStore, at: int) -> int:
    del store.rows[at:]
    return at


def swap_with_the_next(store: MemoryAuditStore, at: int) -> int:
    here, there = _neighbours(at)
    store.rows[here], store.rows[there] = store.rows[there], store.rows[here]
    return here


def swap_under_the_old_numbers(store: MemoryAuditStore, at: int) -> int:
    here, there = _neighbours(at)
    first, second = store.rows[here], store.rows[there]
    store.rows[here], store.rows[there] = (
        replace(second, sequence=here),
        replace(first, sequence=there),
    )
    return here


def insert(store: MemoryAuditStore, at: int) -> int:
    """A second entry of the same number: the one after it is out of place."""
    store.rows.insert(at, store.rows[at])
    return at + 1


def insert_and_number_anew(store: MemoryAuditStore, at: int) -> int:
    store.rows.insert(at, _another(at))
    store.rows[at:] = _sealed_from(store, at)
    return at


def number_anew(store: MemoryAuditStore, at: int) -> int:
    store.rows[at:] = [replace(row, sequence=row.sequence + 1) for row in store.rows[at:]]
    return at


def forge_a_head(store: MemoryAuditStore, at: int) -> int:
    """Rewrite an entry, and sign all heads anew, with another key under the old key hash."""
    store.rows[at] = _another(at)
    stranger = ec.generate_private_key(ec.SECP256R1())
    for index, text in enumerate(store.head_texts):
        head = parse_head(text)
        root = tree_root([row.leaf_hash for row in store.rows[: head.size]])
        if root != head.root:
            forged = Checkpoint(ORIGIN, head.size, root, head.time, head.schema_digest)
            signed = replace(sign_head(stranger, forged), key_hash=head.key_hash)
            store.head_texts[index] = signed.text
    return at


def put_the_root_into_a_head(store: MemoryAuditStore, at: int) -> int:
    """Rewrite an entry, and the root of the head over it, under the old signature."""
    store.rows[at] = _another(at)
    index = _heads_within(at)
    head = parse_head(store.head_texts[index])
    root = tree_root([row.leaf_hash for row in store.rows[: head.size]])
    store.head_texts[index] = replace(head, root=root).text
    return at


def spoil_a_head(store: MemoryAuditStore, at: int) -> int:
    store.head_texts[_heads_within(at)] = "junk"
    return at


def swap_heads(store: MemoryAuditStore, at: int) -> int:
    index = min(_heads_within(at), len(HEAD_SIZES) - 2)
    texts = store.head_texts
    texts[index], texts[index + 1] = texts[index + 1], texts[index]
    return HEAD_SIZES[index + 1]


def double_a_head(store: MemoryAuditStore, at: int) -> int:
    index = _heads_within(at)
    store.head_texts.insert(index, store.head_texts[index])
    return HEAD_SIZES[index]


TAMPERINGS: dict[Tampering, set[Break]] = {
    edit_header: {Break.LEAF},
    edit_header_and_leaf: {Break.ROOT},
    edit_leaf: {Break.LEAF},
    flip_a_bit_of_the_header: {Break.HEADER, Break.NUMBER, Break.LEAF},
    delete: {Break.SEQUENCE, Break.SHORTER},
    delete_and_number_anew: {Break.ROOT, Break.SHORTER},
    cut_the_tail: {Break.SHORTER},
    swap_with_the_next: {Break.SEQUENCE},
    swap_under_the_old_numbers: {Break.NUMBER},
    insert: {Break.SEQUENCE},
    insert_and_number_anew: {Break.ROOT},
    number_anew: {Break.SEQUENCE},
    forge_a_head: {Break.HEAD_SIGNATURE},
    put_the_root_into_a_head: {Break.HEAD_SIGNATURE},
    spoil_a_head: {Break.HEAD_SIGNATURE},
    swap_heads: {Break.HEAD_ORDER},
    double_a_head: {Break.HEAD_ORDER},
}


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: str(tamper.__name__))
@pytest.mark.parametrize("at", [0, 8, 9, 12, SIZE - 1])
def test_each_tampering_is_detected_at_its_position(tamper: Tampering, at: int) -> None:
    _assert_detected(tamper, at)


@given(tamper=st.sampled_from(list(TAMPERINGS)), at=st.integers(0, SIZE - 1))
@settings(max_examples=200)
def test_two_hundred_random_tamperings_are_all_detected(tamper: Tampering, at: int) -> None:
    _assert_detected(tamper, at)


@given(at=st.integers(0, SIZE - 1), bit=st.integers(0, 10**6), of_leaf=st.booleans())
@settings(max_examples=200)
def test_each_flipped_bit_is_found_at_its_entry(at: int, bit: int, of_leaf: bool) -> None:  # noqa: FBT001
    store, row = _copy(), PRISTINE.rows[at]
    octets = bytearray(row.leaf_hash if of_leaf else row.header)
    octets[bit // 8 % len(octets)] ^= 1 << bit % 8
    field = "leaf_hash" if of_leaf else "header"
    store.rows[at] = replace(row, **{field: bytes(octets)})  # type: ignore[arg-type]
    with pytest.raises(ChainBroken) as broken:
        verify_log(store, KEY.public_key(), ORIGIN)
    assert broken.value.position == at


def _assert_detected(tamper: Tampering, at: int) -> None:
    store = _copy()
    first = tamper(store, at)
    with pytest.raises(ChainBroken) as broken:
        verify_log(store, KEY.public_key(), ORIGIN)
    assert broken.value.reason in TAMPERINGS[tamper]
    _assert_located(broken.value, first)


def _assert_located(broken: ChainBroken, first: int) -> None:
    """A fault that a row shows is found at the row; else it is where the last good head ends."""
    if broken.reason in {Break.ROOT, Break.HEAD_SIGNATURE}:
        assert broken.position == _end_of_good_heads(first)
    elif broken.reason is Break.SHORTER:
        assert _end_of_good_heads(broken.position) <= first <= broken.position
    else:
        assert broken.position == first
    assert str(broken.position) in str(broken)


def _end_of_good_heads(first: int) -> int:
    return max((size for size in HEAD_SIZES if size <= first), default=0)


def _copy() -> MemoryAuditStore:
    return MemoryAuditStore(list(PRISTINE.rows), list(PRISTINE.head_texts))


def _another(at: int) -> Entry:
    return seal_event(an_event("case.closed"), at, time_of(at))


def _sealed_from(store: MemoryAuditStore, start: int) -> list[Entry]:
    """The events of all rows from `start` on, sealed again under their present places."""
    headers = [parse_header(row.header) for row in store.rows[start:]]
    return [
        seal_event(header.event, sequence, header.time)
        for sequence, header in enumerate(headers, start)
    ]


def _neighbours(at: int) -> tuple[int, int]:
    return (at, at + 1) if at + 1 < SIZE else (at - 1, at)


def _heads_within(at: int) -> int:
    """The index of the first head that covers the entry."""
    return sum(size <= at for size in HEAD_SIZES)

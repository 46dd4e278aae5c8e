import hashlib
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import ProofInvalid, RangeMalformed
from audit.tree import (
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(bytes([index])) for index in range(200)]
SIZES = st.integers(1, 200)


def naive_root(inputs: list[bytes]) -> bytes:
    """MTH as RFC 9162 section 2.1.1 writes it, over the inputs and not their hashes."""
    if not inputs:
        return hashlib.sha256(b"").digest()
    if len(inputs) == 1:
        return hashlib.sha256(b"\x00" + inputs[0]).digest()
    split = 1
    while split * 2 < len(inputs):
        split *= 2
    left, right = naive_root(inputs[:split]), naive_root(inputs[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def range_of(size: int) -> CompactRange:
    return reduce(CompactRange.append, LEAVES[:size], CompactRange())


def flipped(octets: bytes, bit: int) -> bytes:
    return (int.from_bytes(octets) ^ 1 << bit % 256).to_bytes(32)


@pytest.mark.parametrize("size", range(201))
def test_a_compact_range_has_the_root_of_the_naive_tree(size: int) -> None:
    assert range_of(size).root() == naive_root([bytes([index]) for index in range(size)])


@given(inputs=st.lists(st.binary(max_size=8), max_size=200))
def test_a_compact_range_has_the_root_of_the_naive_tree_over_any_leaves(
    inputs: list[bytes],
) -> None:
    assert tree_root([leaf_hash(octets) for octets in inputs]) == naive_root(inputs)


@given(size=st.integers(0, 200))
def test_a_compact_range_reads_back_from_its_octets(size: int) -> None:
    assert CompactRange.parse(range_of(size).serialise()) == range_of(size)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        bytes(7),
        bytes(9),
        bytes(7) + b"\x01",
        bytes(7) + b"\x01" + bytes(31),
        bytes(7) + b"\x01" + bytes(64),
        b"\xff" * 8 + bytes(64 * 32),
    ],
)
def test_octets_that_are_no_compact_range_are_refused(octets: bytes) -> None:
    with pytest.raises(RangeMalformed):
        CompactRange.parse(octets)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 31, 64, 100])
def test_each_leaf_is_proved_to_be_in_its_tree(size: int) -> None:
    leaves = LEAVES[:size]
    for index in range(size):
        path = inclusion_proof(leaves, index)
        verify_inclusion(leaves[index], index, size, path, tree_root(leaves))


@given(
    size=SIZES, pick=st.integers(0, 10**6), bit=st.integers(0, 255), alteration=st.integers(0, 5)
)
@settings(max_examples=300)
def test_an_altered_inclusion_proof_fails(size: int, pick: int, bit: int, alteration: int) -> None:
    index = pick % size
    leaf, root = LEAVES[index], tree_root(LEAVES[:size])
    path = list(inclusion_proof(LEAVES[:size], index))
    verify_inclusion(leaf, index, size, path, root)
    match alteration:
        case 0:
            leaf = flipped(leaf, bit)
        case 1:
            root = flipped(root, bit)
        case 2:
            index = (index + 1 + bit % size) % (size + 1)
            index = size if index == pick % size else index
        case 3:
            path.append(flipped(root, bit))
        case 4 if path:
            path.pop(bit % len(path))
        case _ if path:
            path[bit % len(path)] = flipped(path[bit % len(path)], bit)
        case _:
            leaf = flipped(leaf, bit)
    with pytest.raises(ProofInvalid):
        verify_inclusion(leaf, index, size, path, root)


@given(sizes=st.tuples(SIZES, SIZES).map(sorted), bit=st.integers(0, 255))
def test_a_tree_is_proved_to_begin_with_an_older_one(sizes: list[int], bit: int) -> None:
    old_size, new_size = sizes
    old, new = tree_root(LEAVES[:old_size]), tree_root(LEAVES[:new_size])
    path = consistency_proof(LEAVES[:new_size], old_size)
    verify_consistency(old_size, old, new_size, new, path)
    altered = [
        (flipped(old, bit), new, path),
        (old, flipped(new, bit), path),
        (old, new, (*path, new)),
        *[(old, new, (*path[:i], flipped(path[i], bit), *path[i + 1 :])) for i in range(len(path))],
        *[(old, new, path[:i]) for i in range(len(path))],
    ]
    for old_root, new_root, nodes in altered:
        with pytest.raises(ProofInvalid):
            verify_consistency(old_size, old_root, new_size, new_root, nodes)


def test_there_is_no_proof_about_what_is_not_in_the_tree() -> None:
    with pytest.raises(ProofInvalid):
        inclusion_proof(LEAVES[:3], 3)
    with pytest.raises(ProofInvalid):
        inclusion_proof([], 0)
    with pytest.raises(ProofInvalid):
        verify_inclusion(LEAVES[0], 1, 1, (), LEAVES[0])
    with pytest.raises(ProofInvalid):
        consistency_proof(LEAVES[:3], 0)
    with pytest.raises(ProofInvalid):
        verify_consistency(4, LEAVES[0], 3, LEAVES[0], ())

"""The Merkle tree over the log: hashes, the compact range, inclusion and consistency proofs.

RFC 9162 section 2.1 with SHA-256. A compact range is the frontier of a growing tree: the roots of
its complete subtrees, largest first, one for each bit set in its size.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Self

from audit.errors import ProofInvalid, RangeMalformed

HASH_OCTETS = 32
_SIZE_OCTETS = 8


def leaf_hash(octets: bytes) -> bytes:
    """The hash of a leaf (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\x00" + octets).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class CompactRange:
    """The frontier of a tree of `size` leaves; a new root costs only the leaves that are new.

    Raises:
        RangeMalformed: the hashes do not fit the size.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size < 1 << 63 or len(self.hashes) != self.size.bit_count():
            raise RangeMalformed("one hash for each bit set in the size")
        if not set(map(len, self.hashes)) <= {HASH_OCTETS}:
            raise RangeMalformed(f"hashes of {HASH_OCTETS} octets")

    def append(self, leaf: bytes) -> Self:
        """The range with one more leaf, given by its hash."""
        hashes, size = list(self.hashes), self.size
        while size & 1:
            leaf = node_hash(hashes.pop(), leaf)
            size >>= 1
        return type(self)(self.size + 1, (*hashes, leaf))

    def root(self) -> bytes:
        """The root of the tree; that of the empty tree is the hash of nothing."""
        if not self.hashes:
            return hashlib.sha256().digest()
        return reduce(lambda right, left: node_hash(left, right), reversed(self.hashes))

    def serialise(self) -> bytes:
        """The size in 8 octets, big-endian, and the hashes."""
        return self.size.to_bytes(_SIZE_OCTETS) + b"".join(self.hashes)

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """The inverse of `serialise`.

        Raises:
            RangeMalformed: the octets are no compact range.
        """
        if len(octets) < _SIZE_OCTETS:
            raise RangeMalformed(f"a size of {_SIZE_OCTETS} octets")
        starts = range(_SIZE_OCTETS, len(octets), HASH_OCTETS)
        hashes = tuple(octets[start : start + HASH_OCTETS] for start in starts)
        return cls(int.from_bytes(octets[:_SIZE_OCTETS]), hashes)


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes (RFC 9162 section 2.1.1, MTH)."""
    return reduce(CompactRange.append, leaves, CompactRange()).root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The path from a leaf to the root, lowest first (RFC 9162 section 2.1.3.1, PATH).

    Raises:
        ProofInvalid: the tree has no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise ProofInvalid(f"no leaf {index} in a tree of {len(leaves)}")
    if len(leaves) == 1:
        return ()
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if index < split:
        return (*inclusion_proof(left, index), tree_root(right))
    return (*inclusion_proof(right, index - split), tree_root(left))


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf hash stands at `index` of the tree (RFC 9162 section 2.1.3.2).

    Raises:
        ProofInvalid: it does not.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"no leaf {index} in a tree of {size}")
    node = leaf
    for sibling, on_left in _climb(index, size - 1, path):
        node = node_hash(sibling, node) if on_left else node_hash(node, sibling)
    if node != root:
        raise ProofInvalid("the path does not lead to the root")


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """The nodes that tie the tree to its first `old_size` leaves (RFC 9162 section 2.1.4.1).

    Raises:
        ProofInvalid: the old tree is empty or larger than the new one.
    """
    if not 0 < old_size <= len(leaves):
        raise ProofInvalid(f"no consistency of {old_size} with {len(leaves)} leaves")
    return _subproof(leaves, old_size, known=True)


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the new tree begins with the whole old one (RFC 9162 section 2.1.4.2).

    Raises:
        ProofInvalid: it does not.
    """
    if not 0 < old_size <= new_size:
        raise ProofInvalid(f"no consistency of {old_size} with {new_size} leaves")
    if old_size == new_size:
        if path or old_root != new_root:
            raise ProofInvalid("trees of one size have one root and need no path")
        return
    # A complete old tree is itself the lowest node, and so left out of the path.
    nodes = [old_root, *path] if old_size.bit_count() == 1 else list(path)
    if not nodes:
        raise ProofInvalid("the path is too short")
    level = (old_size & -old_size).bit_length() - 1
    old = new = nodes[0]
    for sibling, on_left in _climb(old_size - 1 >> level, new_size - 1 >> level, nodes[1:]):
        if on_left:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    if (old, new) != (old_root, new_root):
        raise ProofInvalid("the path does not lead to both roots")


def _climb(position: int, last: int, path: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each sibling on the way to the root, and whether it stands on the left.

    `position` is that of the node in its level, `last` that of the last node there.
    """
    for sibling in path:
        if last == 0:
            raise ProofInvalid("the path is too long")
        on_left = position & 1 == 1 or position == last
        yield sibling, on_left
        # The last node of a level may have no sibling there: it is its own parent.
        while on_left and position and not position & 1:
            position, last = position >> 1, last >> 1
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the path is too short")


def _subproof(leaves: Sequence[bytes], old_size: int, *, known: bool) -> tuple[bytes, ...]:
    """SUBPROOF; `known` while the verifier holds the root of the old leaves."""
    if old_size == len(leaves):
        return () if known else (tree_root(leaves),)
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if old_size <= split:
        return (*_subproof(left, old_size, known=known), tree_root(right))
    return (*_subproof(right, old_size - split, known=False), tree_root(left))


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1

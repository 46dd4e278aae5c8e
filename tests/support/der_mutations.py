"""Hostile octets: DER that was good, changed in its structure or in single octets, from a seed."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_CONSTRUCTED = 0x20
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_TAGS = (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A, 0x0C, 0x13, 0x16, 0x17, 0x18, 0x1E, 0x30, 0x31,
         0x80, 0x82, 0x86, 0xA0, 0xA1, 0xA3, 0x1F, 0xFF)  # fmt: skip
_VALUES = (
    b"", b"\0", b"\1", b"\x7f", b"\x80", b"\xff", b"\0\0", b"\0\x80", b"\xff" * 9, b"\0" * 40,
    b"\x80" * 12 + b"\1", b"9" * 15 + b"Z", b"20261301000000Z", b"\xed\xa0\x80", b"\0" * 4000,
    b"\x05\0", b"\x30\x80\0\0", b"\x30\x84\xff\xff\xff\xff",
)  # fmt: skip
_DEPTHS = (40, 400, 4000)
_DEEPEST = 24  # what lies deeper stays as it is: walking it is the readers' trouble, not ours


@dataclass
class Node:
    """One element: its tag octet, and either parts or octets."""

    tag: int
    octets: bytes = b""
    parts: list["Node"] = field(default_factory=list)

    def encoded(self) -> bytes:
        content = b"".join(part.encoded() for part in self.parts) or self.octets
        return bytes((self.tag,)) + _length(len(content)) + content

    def all(self) -> list["Node"]:
        return [self, *(node for part in self.parts for node in part.all())]


def tree(octets: bytes) -> Node:
    """The element that DER consists of; DER inside an OCTET STRING is taken apart, too."""
    return _read(octets, 0, _DEEPEST)[0]


def mutated(good: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """The octets with one to three changes."""
    octets = good
    for _ in range(chance.randint(1, 3)):
        change = chance.choice(_CHANGES)
        octets = change(octets, others, chance)
    return octets


def signed_again(octets: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The first of three parts signed anew, so that a change in it is looked at, not only refused.

    As it was, where there are no three parts.
    """
    try:
        root = tree(octets)
    except (IndexError, ValueError):
        return octets
    if len(root.parts) != 3:  # to be signed, algorithm, signature
        return octets
    signature = key.sign(root.parts[0].encoded(), ec.ECDSA(hashes.SHA256()))
    root.parts[1] = tree(_ECDSA_WITH_SHA256)
    root.parts[2] = Node(0x03, b"\0" + signature)
    return root.encoded()


def _flipped(octets: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    changed = bytearray(octets or b"\0")
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _spliced(octets: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    other = chance.choice(others)
    cut, from_ = chance.randrange(len(octets) + 1), chance.randrange(len(other))
    return octets[:cut] + other[from_ : from_ + chance.randrange(64)] + octets[cut:]


def _shortened(octets: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    start = chance.randrange(len(octets) + 1)
    return octets[:start] + octets[start + chance.randrange(32) :]


def _restructured(octets: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    try:
        root = tree(octets)
        donors = tree(chance.choice(others)).all()
    except (IndexError, ValueError):
        return _flipped(octets, others, chance)
    node = chance.choice(root.all())
    chance.choice(_EDITS)(node, chance.choice(donors), chance)
    return root.encoded()


def _retag(node: Node, _: Node, chance: random.Random) -> None:
    node.tag = chance.choice(_TAGS)


def _revalue(node: Node, _: Node, chance: random.Random) -> None:
    node.parts, node.octets = [], chance.choice(_VALUES)


def _remove(node: Node, _: Node, chance: random.Random) -> None:
    if node.parts:
        node.parts.pop(chance.randrange(len(node.parts)))
        node.octets = b""


def _double(node: Node, _: Node, chance: random.Random) -> None:
    if node.parts:
        place = chance.randrange(len(node.parts))
        node.parts[place:place] = [node.parts[place]] * chance.choice((1, 2, 50))


def _shuffle(node: Node, _: Node, chance: random.Random) -> None:
    chance.shuffle(node.parts)


def _transplant(node: Node, donor: Node, _: random.Random) -> None:
    node.tag, node.octets, node.parts = donor.tag, donor.octets, donor.parts


def _deepen(node: Node, _: Node, chance: random.Random) -> None:
    node.parts, node.octets = [], _nested(chance.choice(_DEPTHS))


@cache
def _nested(depth: int) -> bytes:
    octets = b""
    for _ in range(depth):
        octets = b"\x30" + _length(len(octets)) + octets
    return octets


_EDITS: tuple[Callable[[Node, Node, random.Random], None], ...] = (
    _retag, _revalue, _remove, _double, _shuffle, _transplant, _deepen,
)  # fmt: skip
_CHANGES = (_flipped, _spliced, _shortened, *(_restructured,) * 6)


def _length(count: int) -> bytes:
    if count < 0x80:
        return bytes((count,))
    octets = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def _read(octets: bytes, start: int, deep: int) -> tuple[Node, int]:
    """The element that begins there, and its end; IndexError or ValueError if there is none."""
    tag, length, place = octets[start], octets[start + 1], start + 2
    if length >= 0x80:
        count = length & 0x7F
        length = int.from_bytes(octets[place : place + count], "big")
        place += count
    end = place + length
    if end > len(octets):
        raise ValueError("cut short")
    node = Node(tag, octets[place:end])
    if tag & _CONSTRUCTED and deep:
        node.parts = _parts(octets, (place, end), deep - 1)
    elif deep:
        _look_inside(node, deep)
    return node, end


def _look_inside(node: Node, deep: int) -> None:
    """Extensions are DER in an OCTET STRING; a string that is no DER stays as it is."""
    if node.tag != 0x04 or node.octets[:1] not in {b"\x30", b"\x04", b"\x03"}:
        return
    try:
        node.parts = _parts(node.octets, (0, len(node.octets)), deep - 1)
    except (IndexError, ValueError):
        node.parts = []


def _parts(octets: bytes, place: tuple[int, int], deep: int) -> list[Node]:
    parts, (start, end) = [], place
    while start < end:
        part, start = _read(octets, start, deep)
        parts.append(part)
    if start != end:
        raise ValueError("overlapping")
    return parts

"""Proofs that stand alone: that an event is in the log, and that a log begins with an older one.

A proof holds all that its check needs but the trust in the key: whoever checks it has the key from
elsewhere, or compares its digest (RFC 9162 section 2.1.3 and 2.1.4 over C2SP checkpoints).
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from audit.errors import HeaderMalformed, HeadMalformed, ProofInvalid, ProofMalformed
from audit.events import parse_header
from audit.heads import Head, parse_head, verify_head
from audit.tree import (
    HASH_OCTETS,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)

_MOST_NODES = 128


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That the log which a head signs has this leaf at this place."""

    sequence: int
    leaf: bytes
    header: bytes
    """The header of the event; empty when it was dropped, and the leaf hash alone is proved."""
    path: tuple[bytes, ...]
    head: Head

    @classmethod
    def of(cls, header: bytes, sequence: int, leaves: list[bytes], head: Head) -> "InclusionProof":
        """Prove one of the leaves that the head covers.

        Raises:
            ProofInvalid: the head does not cover it.
        """
        path = inclusion_proof(leaves[: head.size], sequence)
        return cls(sequence, leaves[sequence], header, path, head)

    def check(self, public_key: ec.EllipticCurvePublicKey, origin: str) -> None:
        """Check it under the key of the log.

        Raises:
            HeadForged: the head is not signed by this key for this log.
            ProofInvalid: the event is not what the head covers at this place.
        """
        verify_head(self.head, public_key, origin)
        verify_inclusion(self.leaf, self.sequence, self.head.size, self.path, self.head.root)
        if not self.header:
            return
        try:
            header = parse_header(self.header)
        except HeaderMalformed as error:
            raise ProofInvalid("the event is no header of a log") from error
        if leaf_hash(self.header) != self.leaf or header.sequence != self.sequence:
            raise ProofInvalid("the event is not the one that the proof leads from")

    def document(self) -> dict[str, object]:
        """The proof as JSON."""
        return {
            "sequence": self.sequence,
            "event": self.header.decode(),
            "leaf_sha256": self.leaf.hex(),
            "path": _text_of(self.path),
            "head": self.head.text,
        }

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> "InclusionProof":
        """The inverse of `document`; nothing is checked.

        Raises:
            ProofMalformed: it is no such document.
        """
        try:
            sequence, leaf = document["sequence"], bytes.fromhex(str(document["leaf_sha256"]))
            header = str(document["event"]).encode()
            path, head = _path_of(document["path"]), parse_head(str(document["head"]))
        except (HeadMalformed, KeyError, TypeError, ValueError) as error:
            raise ProofMalformed from error
        if type(sequence) is not int or sequence < 0 or len(leaf) != HASH_OCTETS:
            raise ProofMalformed
        return cls(sequence, leaf, header, path, head)


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That the log which the newer head signs begins with all that the older one covers."""

    path: tuple[bytes, ...]
    old: Head
    new: Head

    @classmethod
    def of(cls, leaves: list[bytes], old: Head, new: Head) -> "ConsistencyProof":
        """Prove it from the leaves that the newer head covers.

        Raises:
            ProofInvalid: the older head is empty or the larger one.
        """
        return cls(consistency_proof(leaves[: new.size], old.size), old, new)

    def check(self, public_key: ec.EllipticCurvePublicKey, origin: str) -> None:
        """Check it under the key of the log.

        Raises:
            HeadForged: a head is not signed by this key for this log.
            ProofInvalid: the newer log does not begin with the older one.
        """
        verify_head(self.old, public_key, origin)
        verify_head(self.new, public_key, origin)
        verify_consistency(self.old.size, self.old.root, self.new.size, self.new.root, self.path)

    def document(self) -> dict[str, object]:
        """The proof as JSON."""
        return {
            "path": _text_of(self.path),
            "old_head": self.old.text,
            "head": self.new.text,
        }

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> "ConsistencyProof":
        """The inverse of `document`; nothing is checked.

        Raises:
            ProofMalformed: it is no such document.
        """
        try:
            path = _path_of(document["path"])
            old, new = parse_head(str(document["old_head"])), parse_head(str(document["head"]))
        except (HeadMalformed, KeyError, TypeError, ValueError) as error:
            raise ProofMalformed from error
        return cls(path, old, new)


Proof = InclusionProof | ConsistencyProof


def parse_proof(text: str) -> tuple[Proof, str]:
    """A proof of either kind, and the public key in PEM that stands beside it (or nothing).

    Raises:
        ProofMalformed: the text is no proof.
    """
    try:
        document = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise ProofMalformed from error
    if not isinstance(document, dict):
        raise ProofMalformed
    if document.get("ok") is True and isinstance(document.get("result"), dict):
        document = document["result"]  # as the command line prints it
    key = document.get("public_key", "")
    kind = ConsistencyProof if "old_head" in document else InclusionProof
    return kind.parse(document), key if isinstance(key, str) else ""


def _text_of(path: tuple[bytes, ...]) -> list[str]:
    return [b64encode(node).decode() for node in path]


def _path_of(nodes: object) -> tuple[bytes, ...]:
    if not isinstance(nodes, list) or len(nodes) > _MOST_NODES:
        raise ValueError("no list of nodes")
    path = tuple(b64decode(node, validate=True) for node in nodes)
    if {len(node) for node in path} - {HASH_OCTETS}:
        raise ValueError("a node of another length")
    return path

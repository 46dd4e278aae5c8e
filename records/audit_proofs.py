"""Inclusion proofs of events under the latest signed head, for many events at once.

The tree is built once for a head and kept, so that a proof costs a walk from leaf to root
(RFC 9162 section 2.1.3.1).
"""

from itertools import islice
from threading import Lock

from audit.tree import node_hash
from gdpr_erasure.erasures import AuditProof
from records.audit_log import audit_log
from records.database import Database


class AuditProofs:
    """Proofs from one database."""

    def __init__(self, database: Database) -> None:
        """Use the database; the tree of the latest head is kept between two questions."""
        self._database = database
        self._levels: list[list[bytes]] = []
        self._lock = Lock()

    def proof(self, sequence: int) -> AuditProof | None:
        """That the event stands in the log; None until a signed head covers it."""
        with self._lock, audit_log(self._database) as log:
            head = log.latest_head()
            if head is None or head.size <= sequence:
                return None
            known = len(self._levels[0]) if self._levels else 0
            if known != head.size:
                fresh = islice(log.entries(known), max(head.size - known, 0))
                leaves = self._levels[0] if 0 < known < head.size else []
                if not leaves:
                    fresh = islice(log.entries(0), head.size)
                self._levels = _levels([*leaves, *(entry.leaf_hash for entry in fresh)])
            (entry,) = log.page(sequence, sequence + 1)
            return AuditProof(entry.header, sequence, _path(self._levels, sequence), head.text)


def _levels(leaves: list[bytes]) -> list[list[bytes]]:
    """The tree from its leaves to its root; the last node of a level may go up as it is."""
    levels = [leaves]
    while len(level := levels[-1]) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [node_hash(left, right) for left, right in pairs]
        levels.append(above + level[len(above) * 2 :])
    return levels


def _path(levels: list[list[bytes]], index: int) -> tuple[bytes, ...]:
    path = []
    for level in levels[:-1]:
        if (sibling := index ^ 1) < len(level):
            path.append(level[sibling])
        index >>= 1
    return tuple(path)

"""The latest head of the audit log, as anybody may fetch and keep it (C2SP tlog-checkpoint).

An outside copy is what shows a log that was cut or rewritten together with its heads. A head says
how many events there are, and nothing of any of them.
"""

import time
from threading import Lock

from records.audit_log import audit_log
from records.database import Database
from server.assembly import Assembly
from server.public_answer import NOT_FOUND, Answer

CHECKPOINT = "checkpoint"
_KNOWN_SECONDS = 1.0
_KIND = "text/plain; charset=utf-8"


def latest_checkpoint(database: Database) -> bytes | None:
    """The octets of the latest head; None before the first."""
    with audit_log(database) as log:
        head = log.latest_head()
    return None if head is None else head.text.encode()


class PublicCheckpoint:
    """Answers at /audit/checkpoint; however many ask, the database is asked once in a second."""

    def __init__(self, parts: Assembly) -> None:
        """Nothing is known yet."""
        self._parts, self._lock = parts, Lock()
        self._asked_at, self._octets = float("-inf"), b""

    def __call__(self, _: object, rest: str) -> Answer:
        """The head, or 404 at other addresses and while there is none."""
        if rest != CHECKPOINT:
            return NOT_FOUND
        with self._lock:
            if time.monotonic() - self._asked_at > _KNOWN_SECONDS:
                self._octets = latest_checkpoint(self._parts.database) or b""
                self._asked_at = time.monotonic()
            octets = self._octets
        return Answer("200 OK", octets, _KIND, _FRESH) if octets else NOT_FOUND


_FRESH = (("Cache-Control", "max-age=60"),)

"""OCSP responses in the memory of a public worker: found by the very octets of the question.

A thread follows the status versions of the issuers, and drops what has changed. Without news
nothing is served from here: a revocation that another node acknowledged must be seen in time.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event, Lock
from typing import Protocol, Self

from ca.identifiers import IssuerName, SerialNumber
from records.errors import RecordsError
from revocation.preproduction import Life, PreproducedResponse
from server.logs import get_logger

FOLLOW_SECONDS = 0.2
NEWS_SECONDS = 3.0
"""How old the last look at the status versions may be."""
_MOST = 50_000

Question = tuple[str, str | bytes]


class StatusChanges(Protocol):
    """Where changes of status are read."""

    def changed(
        self, known: Mapping[IssuerName, int]
    ) -> dict[IssuerName, tuple[int, list[SerialNumber]]]:
        """Issuers whose status version is not the one known, with the serials changed since."""


@dataclass(frozen=True, slots=True)
class Held:
    """One response with what stands around it in HTTP."""

    body: bytes
    life: Life
    tag: str

    @classmethod
    def of(cls, response: PreproducedResponse) -> Self:
        """The response, with the tag that tells it from every other."""
        return cls(response.body, response.life, hashlib.sha256(response.body).hexdigest())


@dataclass(slots=True)
class HeldResponses:
    """The responses that this worker holds."""

    _held: dict[Question, Held] = field(default_factory=dict)
    _of: defaultdict[tuple[str, SerialNumber], set[Question]] = field(
        default_factory=lambda: defaultdict(set)
    )
    _versions: dict[IssuerName, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _news_at: float = float("-inf")

    def get(self, question: Question, now: datetime) -> Held | None:
        """What is held for these octets, while it is certainly still true."""
        held = self._held.get(question)
        if held is None or time.monotonic() - self._news_at > NEWS_SECONDS:
            return None
        return held if held.life.this_update <= now < held.life.due_at else None

    def version(self, issuer: IssuerName) -> int | None:
        """The status version that was seen last; read it before the response that is to be held."""
        return self._versions.get(issuer)

    def hold(
        self, question: Question, of: tuple[IssuerName, SerialNumber], held: Held, seen: int | None
    ) -> None:
        """Hold a response, unless the status version is no longer the one that was `seen`."""
        with self._lock:
            if seen is None or self._versions.get(of[0]) != seen:
                return
            if len(self._held) >= _MOST:  # cheaper than to know which was asked for longest ago
                self._held.clear()
                self._of.clear()
            self._held[question] = held
            self._of[of].add(question)

    def look(self, changes: StatusChanges) -> None:
        """Drop what has changed since the last look. Raises: RecordsError."""
        before = time.monotonic()
        changed = changes.changed(self._versions)
        with self._lock:
            for issuer, (version, serials) in changed.items():
                self._versions[issuer] = version
                for serial in serials:
                    for question in self._of.pop((issuer, serial), ()):
                        self._held.pop(question, None)
        self._news_at = before

    def follow(self, changes: StatusChanges, stop: Event) -> None:
        """Look again and again until told to stop; what fails is told once, and tried again."""
        failing = False
        while not stop.wait(FOLLOW_SECONDS):
            try:
                self.look(changes)
            except RecordsError as error:
                if not failing:
                    get_logger("public").error("public.no_news", exc_info=error)
                failing = True
            else:
                failing = False

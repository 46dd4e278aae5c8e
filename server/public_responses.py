"""OCSP responses in the memory of a public worker: found by the very octets of the question.

A thread follows the status versions of the issuers, and withdraws what has changed. Without news
nothing is served from here: a revocation that another node acknowledged must be seen in time.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, Lock
from typing import Final, Protocol

from ca.identifiers import IssuerName, SerialNumber
from records.errors import RecordsError
from revocation.cert_ids import CertIdHash
from revocation.ocsp_gate import Statement
from revocation.preproduction import Life, PreproducedResponse
from server.logs import get_logger
from server.public_answer import http_date

FOLLOW_SECONDS = 0.2
NEWS_SECONDS = 3.0
"""How old the last look at the status versions may be."""
_HELD_OCTETS: Final = 2000
"""What one response takes beside its body and its question: about 1.6 kB were measured."""
_NEVER = datetime.min.replace(tzinfo=UTC)
_TAG_DIGITS = 32

Question = str | tuple[str, bytes]
"""The path of a GET; path and body of a POST."""

Place = tuple[IssuerName, SerialNumber]


class StatusChanges(Protocol):
    """Where changes of status are read."""

    def changed(
        self, known: Mapping[IssuerName, int]
    ) -> dict[IssuerName, tuple[int, list[SerialNumber]]]:
        """Issuers whose status version is not the one known, with the serials changed since."""


@dataclass(slots=True, eq=False)
class Held:
    """One response with what stands around it in HTTP, ready to be sent; never to be altered.

    It is served from `since` to `until` (UTC), when the next one is there; `withdraw` ends that.
    """

    of: Place
    cert_id_hash: CertIdHash
    body: bytes
    headers: list[tuple[str, str]]
    since: datetime
    until: datetime
    life: Life
    statement: Statement | None = None
    """What it says, once somebody asked for that with a nonce."""
    is_anothers: bool = False
    """Whether a key that this worker has no use of signed it, so that it is not signed again."""

    @classmethod
    def of_response(
        cls, of: Place, cert_id_hash: CertIdHash, response: PreproducedResponse, now: datetime
    ) -> "Held":
        """The response as it is sent from now on, for the hash of its CertID."""
        headers = [*ocsp_headers(response, now), *ocsp_content(response.body)]
        life = response.life
        return cls(of, cert_id_hash, response.body, headers, life.this_update, life.due_at, life)

    def serves(self, now: datetime) -> bool:
        """Whether it is served now; not before thisUpdate, if the clock went back."""
        return self.since <= now < self.until

    def withdraw(self) -> None:
        """Serve it no more, under whichever question it is held."""
        self.until = _NEVER


def ocsp_content(body: bytes) -> tuple[tuple[str, str], tuple[str, str]]:
    """What an OCSP response is, and how long."""
    return ("Content-Type", "application/ocsp-response"), ("Content-Length", str(len(body)))


def ocsp_headers(response: PreproducedResponse, now: datetime) -> tuple[tuple[str, str], ...]:
    """The headers that let caches keep a response, well before it ends (RFC 5019 section 6.2).

    They may for half of what is left of it when the next is made, or now, if that is late. So one
    that is sent at the last moment and kept by a cache has not ended when the cache drops it.
    """
    life = response.life
    rest = life.next_update - max(life.due_at, now)
    seconds = max(int(rest.total_seconds() / 2), 0)
    tag = hashlib.sha256(response.body).hexdigest()[:_TAG_DIGITS]
    return (
        ("Cache-Control", f"max-age={seconds}, public, no-transform, must-revalidate"),
        ("Last-Modified", http_date(life.this_update)),
        ("Expires", http_date(life.next_update)),
        ("ETag", f'"{tag}"'),
    )


@dataclass(slots=True)
class _Generation:
    """What was asked for in one stretch of time."""

    by_question: dict[Question, Held] = field(default_factory=dict)
    by_place: dict[Place, list[Held]] = field(default_factory=dict)
    octets: int = 0

    def keep(self, question: Question, held: Held) -> None:
        there = self.by_place.setdefault(held.of, [])
        if held not in there:
            there.append(held)
        self.by_question[question] = held
        self.octets += len(held.body) + sum(map(len, question)) + _HELD_OCTETS


@dataclass(slots=True)
class HeldResponses:
    """The responses that this worker holds, in at most so many octets.

    There are two generations. When the young one has half of the room, the old one is forgotten and
    the young one takes its place; what is asked for again moves back. So what nobody asks for goes.
    """

    most_octets: int
    _young: _Generation = field(default_factory=_Generation)
    _old: _Generation = field(default_factory=_Generation)
    _versions: dict[IssuerName, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _news_at: float = float("-inf")

    def get(self, question: Question, now: datetime) -> Held | None:
        """What is held for these octets, while it is certainly still true."""
        held = self._young.by_question.get(question) or self._promoted(question)
        if held is None or not held.since <= now < held.until:
            return None
        return None if time.monotonic() - self._news_at > NEWS_SECONDS else held

    def find(self, of: Place, cert_id_hash: CertIdHash, now: datetime) -> Held | None:
        """What is held for this certificate under any other question."""
        if time.monotonic() - self._news_at > NEWS_SECONDS:
            return None
        there = [*self._young.by_place.get(of, ()), *self._old.by_place.get(of, ())]
        fits = (each for each in there if each.cert_id_hash is cert_id_hash and each.serves(now))
        return next(fits, None)

    def version(self, issuer: IssuerName) -> int | None:
        """The status version that was seen last; read it before the response that is to be held."""
        return self._versions.get(issuer)

    def hold(self, question: Question, held: Held, seen: int | None) -> None:
        """Hold a response, unless the status version is no longer the one that was `seen`."""
        with self._lock:
            if seen is not None and self._versions.get(held.of[0]) == seen:
                self._keep(question, held)

    def _promoted(self, question: Question) -> Held | None:
        if question not in self._old.by_question:
            return None
        with self._lock:  # where what was withdrawn meanwhile is not found any more
            held = self._old.by_question.get(question)
            if held is not None:
                self._keep(question, held)
        return held

    def _keep(self, question: Question, held: Held) -> None:
        if self._young.octets > self.most_octets / 2:
            self._old, self._young = self._young, _Generation()
        self._young.keep(question, held)

    def look(self, changes: StatusChanges) -> None:
        """Withdraw what has changed since the last look. Raises: RecordsError."""
        before = time.monotonic()
        changed = changes.changed(self._versions)
        with self._lock:
            for issuer, (version, serials) in changed.items():
                self._versions[issuer] = version
                for serial in serials:
                    for generation in (self._young, self._old):
                        for held in generation.by_place.pop((issuer, serial), ()):
                            held.withdraw()
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

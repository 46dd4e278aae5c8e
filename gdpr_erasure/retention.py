"""Retention: which records go at an erasure, which a duty keeps, until when and why.

A policy rules on one item and knows nothing else; all its rulings are joined, and the strictest
keep wins. What officers approve is the digest of all rulings together. A policy can only lengthen
what is kept: shortening needs two persons and goes past no policy (GDPR 17(3), NSIS 4.1.4).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import partial
from threading import Thread
from typing import Final, Protocol

from gdpr_erasure.record_classes import RecordClass

LANGUAGES: Final = frozenset({"da", "sv", "en"})
PATIENCE: Final = 2.0
"""Seconds that a policy has for one item."""


class Action(StrEnum):
    """What becomes of an item."""

    ERASE = "erase"
    SEAL = "seal"
    """Kept, and read by nobody but with two officers."""
    KEEP = "keep"


class Trigger(StrEnum):
    """Why an erasure is looked at."""

    REQUEST = "request"
    """The data subject asked (GDPR 17(1))."""
    RETENTION = "retention"
    """The time to keep it has ended (GDPR 5(1)(e))."""


@dataclass(frozen=True, slots=True)
class Item:
    """One record; days are UTC. `ended_on` is when what it was kept for ended, None while it lasts.

    `expires_on` is the certificate's own last day, whatever became of it.
    """

    record_class: RecordClass
    created_on: date
    ended_on: date | None = None
    expires_on: date | None = None
    by_consent: bool = False
    qualified: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """On which day the question is asked, and why."""

    today: date
    trigger: Trigger = Trigger.REQUEST


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of an item: kept through the day `until`, or without an end when that is None.

    `basis` names the clause; `text` says it to the data subject in Danish, Swedish and English.
    """

    action: Action
    until: date | None
    basis: str
    text: Mapping[str, str]

    def __post_init__(self) -> None:
        """ValueError for a ruling that says too little."""
        if self.action is Action.ERASE and self.until is not None:
            raise ValueError("what is erased is not kept until a day")
        if not self.basis or frozenset(self.text) != LANGUAGES or not all(self.text.values()):
            raise ValueError("a ruling names its basis, and says it in da, sv and en")

    @property
    def keeps(self) -> bool:
        """Whether the item stays for now."""
        return self.action is not Action.ERASE

    def has_ended(self, today: date) -> bool:
        """Whether the day until which the item is kept has passed."""
        return not self.keeps or (self.until is not None and self.until < today)


class RetentionPolicy(Protocol):
    """A plug-in (entry point group `tillid.retention`): pure, total, and without input or output.

    A later end never gives an earlier `until`.
    """

    @property
    def name(self) -> str:
        """By which the settings name it."""

    @property
    def version(self) -> str:
        """Changes whenever a ruling can differ."""

    def rule(self, item: Item, context: Context) -> Ruling:
        """What becomes of the item."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The rulings on everything that is kept about one person, one for each class of records."""

    policies: tuple[str, ...]
    """Each as NAME/VERSION."""
    rulings: Mapping[RecordClass, Ruling]
    counts: Mapping[RecordClass, int]
    failed: tuple[str, ...] = ()
    """Policies that did not rule; what they were asked about is kept."""

    @property
    def sha256(self) -> str:
        """The digest that officers approve, in hexadecimal."""
        return hashlib.sha256(assessment_text(self).encode()).hexdigest()

    def ruling(self, of: RecordClass) -> Ruling | None:
        """The ruling on a class, if there is anything of it."""
        return self.rulings.get(of)

    def kept(self, today: date) -> Mapping[RecordClass, Ruling]:
        """The classes that stay beyond that day."""
        return {of: each for of, each in self.rulings.items() if not each.has_ended(today)}


def join(rulings: Iterable[Ruling]) -> Ruling:
    """The strictest of them: what keeps longest, and of those the one that keeps most open.

    ValueError for none. The order of the rulings does not matter.
    """
    return max(rulings, key=_strictness)


def _strictness(ruling: Ruling) -> tuple[object, ...]:
    until = date.max if ruling.until is None else ruling.until
    order = list(Action).index(ruling.action)
    return ruling.keeps, until, order, ruling.basis, sorted(ruling.text.items())


def assess(
    items: Sequence[Item], policies: Sequence[RetentionPolicy], context: Context
) -> Assessment:
    """Ask every policy about every item; ValueError without a policy.

    A policy that raises, does not end in time or gives no ruling keeps the item, and is named.
    """
    if not policies:
        raise ValueError("without a policy nobody has ruled")
    failed: dict[str, None] = {}
    found: dict[RecordClass, list[Ruling]] = {}
    for item in dict.fromkeys(items):
        for policy in policies:
            ruling = _within(PATIENCE, partial(policy.rule, item, context))
            if ruling is None:
                failed[policy.name] = None
                ruling = _NOT_RULED
            found.setdefault(item.record_class, []).append(ruling)
    return Assessment(
        tuple(f"{policy.name}/{policy.version}" for policy in policies),
        {of: join(found[of]) for of in sorted(found)},
        {of: sum(item.record_class is of for item in items) for of in sorted(found)},
        tuple(failed),
    )


def strictest(one: Assessment, other: Assessment) -> Assessment:
    """Two assessments of one person in one: for each class the stricter ruling."""
    both = [of.rulings for of in (one, other)]
    classes = sorted({record_class for rulings in both for record_class in rulings})
    rulings = {of: join(each[of] for each in both if of in each) for of in classes}
    counts = {of: max(one.counts.get(of, 0), other.counts.get(of, 0)) for of in classes}
    failed = dict.fromkeys((*one.failed, *other.failed))
    return Assessment(one.policies, rulings, counts, tuple(failed))


_NOT_RULED = Ruling(
    Action.KEEP,
    None,
    "no ruling",
    {
        "da": "Opbevares, indtil der er taget stilling til det.",
        "sv": "Bevaras tills ett beslut har fattats.",
        "en": "Kept until a decision has been made about it.",
    },
)


def _within(seconds: float, rule: Callable[[], Ruling]) -> Ruling | None:
    """What the policy says, or None; one that hangs is left behind in a thread of its own."""
    said: list[object] = []

    def ask() -> None:
        try:
            said.append(rule())
        except Exception:  # noqa: BLE001 - whatever goes wrong in a plug-in, the record is kept
            said.clear()

    thread = Thread(target=ask, name="retention-policy", daemon=True)
    thread.start()
    thread.join(seconds)
    ruling = said[0] if said else None
    return ruling if isinstance(ruling, Ruling) else None


def assessment_text(of: Assessment) -> str:
    """An assessment as canonical JSON; nothing in it is about the person but counts and days."""
    return json.dumps(
        {
            "policies": list(of.policies),
            "failed": list(of.failed),
            "classes": [
                {
                    "class": record_class,
                    "count": of.counts[record_class],
                    "action": ruling.action,
                    "until": None if ruling.until is None else ruling.until.isoformat(),
                    "basis": ruling.basis,
                    "text": dict(sorted(ruling.text.items())),
                }
                for record_class, ruling in sorted(of.rulings.items())
            ],
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )


def read_assessment(text: str) -> Assessment:
    """The inverse of `assessment_text`."""
    told = json.loads(text)
    rulings = {
        RecordClass(each["class"]): Ruling(
            Action(each["action"]),
            None if each["until"] is None else date.fromisoformat(each["until"]),
            each["basis"],
            each["text"],
        )
        for each in told["classes"]
    }
    counts = {RecordClass(each["class"]): int(each["count"]) for each in told["classes"]}
    return Assessment(tuple(told["policies"]), rulings, counts, tuple(told["failed"]))

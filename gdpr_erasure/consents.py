"""Consents: which text was put to the person, and what the person said to it (GDPR Art. 7).

The texts are the files `gdpr_erasure/consent_texts/*.md`: four header lines, a blank line, and the
text that the SHA-256 digest covers. Withdrawing is as easy as giving (Art. 7(3)): giving names the
text that was read, withdrawing needs none.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from importlib.resources import files

from gdpr_erasure.errors import ConsentRefused


class ConsentKind(StrEnum):
    """What a person can consent to."""

    PUBLICATION = "publication"


class ConsentState(StrEnum):
    """What the person said last."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class IdentityLevel(StrEnum):
    """How well it was known who said it: the NSIS level, or that it was merely said."""

    NONE = "none"
    LOW = "low"
    SUBSTANTIAL = "substantial"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class ConsentText:
    """One version of one text in one language; `sha256` is over the text in UTF-8."""

    kind: ConsentKind
    version: int
    language: str
    valid_from: date
    text: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What a person says: to which text, as whom (an actor), and how well known."""

    text: ConsentText
    state: ConsentState
    actor: str
    level: IdentityLevel = IdentityLevel.NONE
    details: str | None = None
    """What else belongs to it, for example where the signed form lies; kept sealed."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One entry of the ledger; the number counts the entries of one person and kind from 1."""

    kind: ConsentKind
    number: int
    state: ConsentState
    text_version: int
    text_sha256: str
    language: str
    level: IdentityLevel
    actor: str
    at: datetime


@cache
def consent_texts() -> tuple[ConsentText, ...]:
    """Every version of every text that is shipped, in every language."""
    folder = files("gdpr_erasure").joinpath("consent_texts")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".md"))
    return tuple(_parsed(folder.joinpath(name).read_text(encoding="utf-8")) for name in names)


def _parsed(document: str) -> ConsentText:
    head, _, text = document.partition("\n\n")
    header = dict(line.split(": ", 1) for line in head.splitlines())
    return ConsentText(
        ConsentKind(header["kind"]),
        int(header["version"]),
        header["language"],
        date.fromisoformat(header["valid_from"]),
        text,
        sha256(text.encode()).hexdigest(),
    )


def texts_in_force(kind: ConsentKind, at: datetime) -> dict[str, ConsentText]:
    """The newest version of this kind at that time, by language."""
    day = at.astimezone(UTC).date()
    of_kind = [one for one in consent_texts() if one.kind.value == kind.value]
    begun = [one for one in of_kind if one.valid_from <= day]
    newest = max(one.version for one in begun)
    return {one.language: one for one in begun if one.version == newest}


def text_for(kind: ConsentKind, language: str, at: datetime) -> ConsentText:
    """The text in force in a language. Raises: ConsentRefused for a language it has not."""
    found = texts_in_force(kind, at)
    if language not in found:
        raise ConsentRefused(f"the text is written in {', '.join(sorted(found))}")
    return found[language]


def text_read(kind: ConsentKind, digest: str, at: datetime) -> ConsentText:
    """The text in force that has this digest: what the person says to have read.

    Raises: ConsentRefused when the text is another, or no longer in force.
    """
    for text in texts_in_force(kind, at).values():
        if text.sha256 == digest:
            return text
    raise ConsentRefused("a consent names the digest of the text in force, as it was shown")


def require_change(last: ConsentState | None, said: ConsentState) -> None:
    """Raises: ConsentRefused when what is said is no change (Art. 7: a consent is an act)."""
    if last is None and said is ConsentState.WITHDRAWN:
        raise ConsentRefused("there is no consent to withdraw")
    if last is said:
        raise ConsentRefused(f"the consent is {said} already")

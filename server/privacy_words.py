"""The words of access reports, privacy notice and record of processing, in three languages."""

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from gdpr_erasure.processing import Retention

_INDEX = re.compile(r"\[\d+\]")


class Language(StrEnum):
    """The languages in which people are answered."""

    DANISH = "da"
    SWEDISH = "sv"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Words:
    """The catalogue in one language."""

    language: Language

    def of(self, group: str, key: str) -> str:
        """What the key of a group is called; KeyError for one that the catalogue lacks."""
        return catalogue()[group][key][self.language]

    def text(self, key: str) -> str:
        """A sentence or heading."""
        return self.of("text", key)

    def known(self, group: str, key: str) -> str:
        """As `of`, or the key itself where there is no other word for it."""
        return catalogue()[group][key][self.language] if key in catalogue()[group] else key

    def field(self, name: str) -> str:
        """A field by the last part of its dotted name, with its number where there are several."""
        last = name.rsplit(".", 1)[-1]
        numbers = " ".join(each.strip("[]") for each in _INDEX.findall(last))
        word = self.known("field", _INDEX.sub("", last))
        return f"{word} {numbers}".strip()

    def retention(self, of: Retention) -> str:
        """How long, in words."""
        return self.of("rule", of.rule).format(number=of.number)


@cache
def catalogue() -> dict[str, dict[str, dict[str, str]]]:
    """All words: group, key, language."""
    text = files("server").joinpath("words", "privacy.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)

"""Personal values: CPR numbers, names and e-mail addresses, checked and never printed.

A CPR number is judged by format and calendar date alone. Numbers that fail modulus 11 have been
issued since 2007 and are fully valid (cpr.dk), so the checksum is only a typing hint.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Self

from ra.errors import MalformedField

NAME_LENGTH = 64
_CPR_WEIGHTS = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
_REPLACEMENT_DAYS = 60
_NAME_PUNCTUATION = frozenset(" -.'\u2019")
_NAME_CATEGORIES = frozenset({"Lu", "Ll", "Mn"})
_EMAIL_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_EMAIL_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])")


class CprKind(StrEnum):
    """A number of the register, or a stand-in for a person without one."""

    CPR = "cpr"
    REPLACEMENT = "replacement"


@dataclass(frozen=True, slots=True, repr=False)
class Personal:
    """A personal value: it compares and hashes, but printing it shows only its type."""

    value: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, repr=False)
class CprNumber(Personal):
    """Ten digits DDMMYYSSSS that hold a calendar date; day + 60 marks a replacement number."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{10}", self.value):
            raise MalformedField("cpr_number", "ten digits, DDMMYYSSSS")
        _ = self.birth_date

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read DDMMYYSSSS or DDMMYY-SSSS.

        Raises: MalformedField when the form or the calendar date is wrong.
        """
        return cls(re.sub(r"\A([0-9]{6})-([0-9]{4})\Z", r"\1\2", text.strip(" ")))

    @property
    def kind(self) -> CprKind:
        """Replacement numbers have the first digit of the day raised by six."""
        return CprKind.REPLACEMENT if int(self.value[:2]) > _REPLACEMENT_DAYS else CprKind.CPR

    @property
    def birth_date(self) -> date:
        """The date that the number holds, its century by digit 7."""
        day, month, year = int(self.value[:2]), int(self.value[2:4]), int(self.value[4:6])
        if day > _REPLACEMENT_DAYS:
            day -= _REPLACEMENT_DAYS
        try:
            return date(_century(int(self.value[6]), year) + year, month, day)
        except ValueError:
            # The cause would print the date, so it is cut off.
            raise MalformedField("cpr_number", "a date of the calendar") from None

    @property
    def checksum_ok(self) -> bool:
        """Whether modulus 11 holds: a hint about typing, never a reason to refuse."""
        digits = (int(digit) for digit in self.value)
        return sum(w * d for w, d in zip(_CPR_WEIGHTS, digits, strict=True)) % 11 == 0


def _century(digit_7: int, year: int) -> int:
    """The century table of the CPR office: digit 7 against the two-digit year."""
    if digit_7 <= 3:  # noqa: PLR2004 - the table's own numbers
        return 1900
    if digit_7 in {4, 9}:
        return 2000 if year <= 36 else 1900  # noqa: PLR2004 - as above
    return 2000 if year <= 57 else 1800  # noqa: PLR2004 - as above


@dataclass(frozen=True, slots=True, repr=False)
class PersonName(Personal):
    """One part of a name: 1 to 64 code points of Latin script in Unicode normal form C."""

    def __post_init__(self) -> None:
        rule = _broken_name_rule(self.value)
        if rule is not None:
            raise MalformedField("name", rule)

    @classmethod
    def parse(cls, text: str, field: str) -> Self:
        """Normalise `text` to form C, trim it and check it; `field` is named in the refusal.

        Raises: MalformedField.
        """
        try:
            return cls(unicodedata.normalize("NFC", text).strip(" "))
        except MalformedField as malformed:
            raise MalformedField(field, malformed.rule) from None


def _broken_name_rule(text: str) -> str | None:
    """The first rule of the table that the text breaks."""
    stray_accent = r"(\A|[^\w\u0300-\u036f])[\u0300-\u036f]|[\u0300-\u036f]{3}"
    rules = {
        "1 to 64 characters": 1 <= len(text) <= NAME_LENGTH,
        "plain characters, no ligatures or width variants": (
            unicodedata.normalize("NFKC", text) == text
        ),
        "single spaces between words": text == text.strip(" ") and "  " not in text,
        "at least one letter": any(map(str.isalpha, text)),
        "Latin letters, spaces, hyphens, apostrophes and full stops": (
            all(map(_is_name_character, text))
        ),
        "accents stand on letters, at most two on one": re.search(stray_accent, text) is None,
    }
    return next((rule for rule, holds in rules.items() if not holds), None)


def _is_name_character(character: str) -> bool:
    """Latin cased letters, combining diacritics and four marks; so no controls and no bidi."""
    if character in _NAME_PUNCTUATION:
        return True
    if unicodedata.category(character) not in _NAME_CATEGORIES:
        return False
    # The combining grapheme joiner is invisible although it is a mark of this block.
    is_diacritic = "\u0300" <= character <= "\u036f" and character != "\u034f"
    return is_diacritic or unicodedata.name(character, "").startswith("LATIN ")


@dataclass(frozen=True, slots=True, repr=False)
class EmailAddress(Personal):
    """An address of the plain form local@domain in ASCII (RFC 5321 dot-string and domain)."""

    def __post_init__(self) -> None:
        local, _, domain = self.value.rpartition("@")
        sizes = len(local) <= 64 and len(domain) <= 253 and len(self.value) <= 254  # noqa: PLR2004
        if not (sizes and _EMAIL_LOCAL.fullmatch(local) and _EMAIL_DOMAIN.fullmatch(domain)):
            raise MalformedField("email", "an address of the form local@domain")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Trim `text` and put its domain in lower case; MalformedField for anything unusual."""
        local, at, domain = text.strip(" ").rpartition("@")
        return cls(local + at + domain.lower())

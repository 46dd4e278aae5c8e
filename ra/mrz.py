"""The machine-readable zone of travel documents: TD1, TD2 and TD3 (ICAO 9303 parts 3 to 6).

Parsing refuses a zone unless every check digit holds. Comparing names follows the
transliteration table of ICAO 9303-3 section 6.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from ra.errors import MalformedField

_WEIGHTS = (7, 3, 1)
_PRIMARY = 0


class MrzFormat(StrEnum):
    """The three sizes of machine-readable travel documents."""

    TD1 = "TD1"
    TD2 = "TD2"
    TD3 = "TD3"


@dataclass(frozen=True, slots=True)
class MachineReadableZone:
    """What the zone says; names are in its own letters, `<` between their parts."""

    format: MrzFormat
    document_code: str
    issuer: str
    number: str
    nationality: str
    birth_date: date
    sex: str
    expiry_date: date
    surname: str
    given_names: str
    names_truncated: bool

    def __repr__(self) -> str:
        return f"MachineReadableZone({self.format}, {self.issuer}, ***)"


def check_digit(field: str) -> str:
    """The check digit of a field: weights 7 3 1, A = 10, `<` = 0, modulo 10."""
    values = (0 if character == "<" else int(character, 36) for character in field)
    return str(sum(value * _WEIGHTS[i % 3] for i, value in enumerate(values)) % 10)


def parse_mrz(lines: Sequence[str], today: date) -> MachineReadableZone:
    """Read two or three lines; `today` (UTC) decides the century of the birth date.

    Raises: MalformedField("mrz", rule) for a wrong length, letter, date or check digit.
    """
    if not all(re.fullmatch(r"[A-Z0-9<]+", line) for line in lines):
        raise MalformedField("mrz", "capital letters A to Z, digits and <")
    shape = [len(line) for line in lines]
    if shape == [44, 44]:
        return _parse_two_lines(MrzFormat.TD3, lines, today)
    if shape == [36, 36]:
        return _parse_two_lines(MrzFormat.TD2, lines, today)
    if shape == [30, 30, 30]:
        return _parse_td1(lines, today)
    raise MalformedField("mrz", "2 lines of 44 or 36 characters, or 3 lines of 30")


def _parse_two_lines(form: MrzFormat, lines: Sequence[str], today: date) -> MachineReadableZone:
    upper, lower = lines
    optional = lower[28:42] if form is MrzFormat.TD3 else lower[28:35]
    number = lower[:9]
    if form is MrzFormat.TD3:
        _require_check("number", number, lower[9])
        # The check digit of an empty optional field may itself be empty (ICAO 9303-4 4.2.2).
        if optional.strip("<") or lower[42] != "<":
            _require_check("optional", optional, lower[42])
    else:
        number = _checked_number(number, lower[9], optional)
    _require_dates(lower[13:28])
    _require_check("composite", lower[:10] + lower[13:20] + lower[21:-1], lower[-1])
    return _zone(form, upper[:5], number, (lower[13:28], lower[10:13], upper[5:]), today)


def _parse_td1(lines: Sequence[str], today: date) -> MachineReadableZone:
    upper, middle, names = lines
    number = _checked_number(upper[5:14], upper[14], upper[15:])
    _require_dates(middle[:15])
    composite = upper[5:] + middle[:7] + middle[8:15] + middle[18:29]
    _require_check("composite", composite, middle[29])
    return _zone(MrzFormat.TD1, upper[:5], number, (middle[:15], middle[15:18], names), today)


def _zone(
    form: MrzFormat, head: str, number: str, rest: tuple[str, str, str], today: date
) -> MachineReadableZone:
    """Join the fields; `rest` is birth-sex-expiry (15 characters), nationality and names."""
    person, nationality, names = rest
    if person[7] not in "MF<":
        raise MalformedField("mrz", "sex is M, F or <")
    surname, _, given_names = names.rstrip("<").partition("<<")
    return MachineReadableZone(
        format=form,
        document_code=head[:2].rstrip("<"),
        issuer=head[2:].rstrip("<"),
        number=number.rstrip("<"),
        nationality=nationality.rstrip("<"),
        birth_date=_birth_date(person[:6], today),
        sex=person[7],
        expiry_date=_date(person[8:14], 2000),
        surname=surname,
        given_names=given_names,
        names_truncated=not names.endswith("<"),
    )


def _checked_number(number: str, check: str, optional: str) -> str:
    """A document number; longer ones go on in the optional field (ICAO 9303-5 section 4.2.4)."""
    if check != "<":
        _require_check("number", number, check)
        return number
    tail = optional.split("<", 1)[0]
    if not tail:
        raise MalformedField("mrz", "the check digit of number is missing")
    _require_check("number", number + tail[:-1], tail[-1])
    return number + tail[:-1]


def _require_dates(person: str) -> None:
    """Birth date, sex and expiry date: 15 characters in every size."""
    _require_check("birth date", person[:6], person[6])
    _require_check("expiry date", person[8:14], person[14])


def _require_check(name: str, field: str, check: str) -> None:
    if check_digit(field) != check:
        raise MalformedField("mrz", f"the check digit of {name} holds")


def _birth_date(digits: str, today: date) -> date:
    """The latest century that does not lie ahead of `today`."""
    born = _date(digits, 2000)
    return born if born <= today else _date(digits, 1900)


def _date(digits: str, century: int) -> date:
    try:
        return date(century + int(digits[:2]), int(digits[2:4]), int(digits[4:]))
    except ValueError:
        # Also dates that an issuer left partly unknown: they cannot be compared with a register.
        raise MalformedField("mrz", "dates are full dates of the calendar") from None


def _renderings(letter: str) -> tuple[str, ...]:
    """How ICAO 9303-3 section 6 writes one letter; the first is the recommended one."""
    table = {
        "Æ": ("AE",), "Ø": ("OE",), "Å": ("AA",), "Ä": ("AE", "A"), "Ö": ("OE", "O"),
        "Ü": ("UE", "UXX", "U"), "Ñ": ("N", "NXX"), "Þ": ("TH",), "Ð": ("D",), "Đ": ("D",),
        "Œ": ("OE",), "Ł": ("L",), "Ħ": ("H",), "Ŧ": ("T",), "Ŋ": ("N",), "ĸ": ("K", "Q"),
        "ẞ": ("SS",), "ß": ("SS",),
    }  # fmt: skip
    if letter in table:
        return table[letter]
    if letter in " -":
        return ("<",)
    base = unicodedata.normalize("NFD", letter)[0].upper()
    # Apostrophes, full stops and lone accents vanish.
    return (base,) if "A" <= base <= "Z" else ("",)


def _letters(name: str) -> list[str]:
    """Capital letters of a name, with ß and ĸ, which have none, left as they are."""
    return [c if c in "ßĸ" else c.upper() for c in unicodedata.normalize("NFC", name)]


def transliterate(name: str) -> str:
    """The recommended machine-readable form of a name, `<` between its parts."""
    joined = "".join(_renderings(letter)[_PRIMARY] for letter in _letters(name))
    return re.sub(r"<+", "<", joined).strip("<")


def reads_as(name: str, mrz_text: str) -> bool:
    """Whether the zone's text is one of the permitted transliterations of the whole name."""
    pattern = "".join(
        "(?:" + "|".join(_renderings(letter)) + ")" for letter in _letters(name)
    ).replace("(?:<)", "<")
    return re.fullmatch(re.sub(r"<+", "<+", pattern), mrz_text) is not None

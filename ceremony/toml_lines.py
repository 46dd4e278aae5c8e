"""Reading TOML, with the line on which each key stands, so that a fault can be pointed at."""

import re
import tomllib
from dataclasses import dataclass
from typing import Any

from ceremony.errors import Fault, ScriptFaulty

_CEILING = 1 << 18
_HEADER = re.compile(r"\s*\[(\[?)\s*([A-Za-z0-9_.\s-]+?)\s*\]?\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=")

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file as it was read."""

    source: str
    text: str
    tables: dict[str, Any]
    lines: dict[Place, int]

    def line(self, place: Place) -> int:
        """The line of this place, or of the nearest thing around it."""
        around = (place[:length] for length in range(len(place), 0, -1))
        return next((self.lines[each] for each in around if each in self.lines), 1)


def read_toml(octets: bytes, source: str) -> Document:
    """Read a document. Raises: ScriptFaulty when it is no TOML."""
    if len(octets) > _CEILING:
        raise _no_toml(source, 1, "it is larger than 256 KiB")
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        raise _no_toml(source, octets.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
    try:
        return Document(source, text, tomllib.loads(text), _lines(text))
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        raise _no_toml(source, int(at[1]) if at else text.count("\n") + 1, str(error)) from None
    except (ValueError, RecursionError):
        raise _no_toml(source, 1, "it holds a value beyond all bounds") from None


def _no_toml(source: str, line: int, problem: str) -> ScriptFaulty:
    return ScriptFaulty(source, (Fault(line, "file", f"is no TOML: {problem}", "Correct it."),))


def _lines(text: str) -> dict[Place, int]:
    table: Place = ()
    counts: dict[Place, int] = {}
    found: dict[Place, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _parts(header[2])
            if header[1]:
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_parts(key[1])), number)
    return found


def _parts(dotted: str) -> Place:
    return tuple(part.strip() for part in dotted.split("."))

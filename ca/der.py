"""DER, as far as our own structures need it: elements, numbers, identifiers, times (X.690).

The writer is our own because cryptography's builders cost a multiple of the encoding itself, and
its builder of CRLs is quadratic. Nothing recurses, so that nesting costs nothing.
"""

import functools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
UTF8_STRING: Final = 0x0C
PRINTABLE_STRING: Final = 0x13
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

TRUE: Final = b"\x01\x01\xff"

LONG_FORM: Final = 0x80
_HIGH_TAG: Final = 0x1F
_CONSTRUCTED: Final = 0x20
_UTC_TIME_YEARS = range(1950, 2050)


def context(number: int) -> int:
    """The tag of a constructed context-specific element, `[number]`."""
    return 0xA0 | number


def header(tag: int, length: int) -> bytes:
    """Tag and length octets of an element of `length` content octets."""
    if length < LONG_FORM:
        return bytes((tag, length))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, LONG_FORM | len(octets))) + octets


def element(tag: int, *contents: bytes) -> bytes:
    """One element holding the contents, joined."""
    joined = contents[0] if len(contents) == 1 else b"".join(contents)
    return header(tag, len(joined)) + joined


def sequence(*contents: bytes) -> bytes:
    """SEQUENCE of ready elements."""
    return element(SEQUENCE, *contents)


def integer(value: int) -> bytes:
    """INTEGER in the fewest octets that keep its sign."""
    length = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return element(INTEGER, value.to_bytes(length, "big", signed=True))


def octet_string(content: bytes) -> bytes:
    """OCTET STRING."""
    return element(OCTET_STRING, content)


def bit_string(content: bytes) -> bytes:
    """BIT STRING without unused bits."""
    return element(BIT_STRING, b"\x00", content)


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER, from its dotted form."""
    first, second, *arcs = (int(arc) for arc in dotted.split("."))
    return element(OBJECT_IDENTIFIER, *(_base128(arc) for arc in (40 * first + second, *arcs)))


def children(octets: bytes) -> list[bytes]:
    """The elements inside a constructed element whose form a parser has accepted already."""
    _, position = _content(octets, 0)
    found = []
    while position < len(octets):
        end, _ = _content(octets, position)
        found.append(octets[position:end])
        position = end
    return found


def _content(octets: bytes, start: int) -> tuple[int, int]:
    """Where the element that starts there ends, and where its content begins."""
    length, begin = octets[start + 1], start + 2
    if length >= LONG_FORM:
        begin += length - LONG_FORM
        length = int.from_bytes(octets[start + 2 : begin], "big")
    return begin + length, begin


def _base128(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(value & 0x7F | 0x80)
    return bytes(reversed(octets))


def elements(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag octet and content of each element in a row. Raises: ValueError for anything else.

    A tag of several octets is anything else, too: nothing that is read here has one.
    """
    position = 0
    while position < len(octets):
        tag, start = octets[position], position + 2
        length = octets[position + 1] if start <= len(octets) else LONG_FORM
        if length > LONG_FORM:
            start += length & 0x7F
            length = int.from_bytes(octets[position + 2 : start], "big")
        elif length == LONG_FORM:
            raise ValueError("no length")
        position = start + length
        if tag & _HIGH_TAG == _HIGH_TAG or position > len(octets):
            raise ValueError("no element")
        yield tag, octets[start:position]


def is_armored(octets: bytes) -> bool:
    """Whether it is PEM (RFC 7468), after any text, and no SEQUENCE that has an armor in it."""
    is_long = octets[:1] == bytes([SEQUENCE]) and octets[1:2] > bytes([LONG_FORM])  # as no text is
    return not is_long and b"-----BEGIN" in octets


def is_nested_deeper(octets: bytes, levels: int) -> bool:
    """Whether elements in a row hold elements below so many levels. Raises: ValueError."""
    row = [octets]
    for _ in range(levels):
        row = [found for each in row for tag, found in elements(each) if tag & _CONSTRUCTED]
    return any(row)


def extension(identifier: bytes, value: bytes) -> bytes:
    """Extension that is not critical, from its OBJECT IDENTIFIER and its value's DER."""
    return sequence(identifier, octet_string(value))


def generalized_time(time: datetime) -> bytes:
    """GeneralizedTime in whole seconds, UTC (RFC 5280 section 4.1.2.5.2)."""
    return element(GENERALIZED_TIME, _in_utc(time).strftime("%Y%m%d%H%M%SZ").encode())


@functools.lru_cache(maxsize=256)
def choice_time(time: datetime) -> bytes:
    """UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 5.1.2.4)."""
    time = _in_utc(time)
    if time.year not in _UTC_TIME_YEARS:
        return generalized_time(time)
    return element(UTC_TIME, time.strftime("%y%m%d%H%M%SZ").encode())


def _in_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("a time is an aware UTC time")
    return time.astimezone(UTC)

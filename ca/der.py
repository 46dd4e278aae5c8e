"""DER, as far as our own structures need it: elements, numbers, identifiers, times (X.690).

The writer is our own because cryptography's builders cost a multiple of the encoding itself, and
its builder of CRLs is quadratic.
"""

from datetime import UTC, datetime
from typing import Final

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30

TRUE: Final = b"\x01\x01\xff"

LONG_FORM: Final = 0x80
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
    content = b"".join(contents)
    return header(tag, len(content)) + content


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


def _base128(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(value & 0x7F | 0x80)
    return bytes(reversed(octets))


def extension(identifier: bytes, value: bytes) -> bytes:
    """Extension that is not critical, from its OBJECT IDENTIFIER and its value's DER."""
    return sequence(identifier, octet_string(value))


def generalized_time(time: datetime) -> bytes:
    """GeneralizedTime in whole seconds, UTC (RFC 5280 section 4.1.2.5.2)."""
    return element(GENERALIZED_TIME, _in_utc(time).strftime("%Y%m%d%H%M%SZ").encode())


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

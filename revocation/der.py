"""DER, as far as CRL and OCSP need it: the writer of `ca.der` and strict reading (X.690).

The reader is our own because cryptography's OCSP codec takes a single CertID. It never recurses, so
nesting depth costs nothing.
"""

import mmap
import re
from datetime import UTC, datetime
from typing import Final, Self

from cryptography import x509

from ca.der import (
    BIT_STRING,
    GENERALIZED_TIME,
    INTEGER,
    LONG_FORM,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    TRUE,
    UTC_TIME,
    bit_string,
    choice_time,
    context,
    element,
    extension,
    generalized_time,
    header,
    integer,
    octet_string,
    oid,
    sequence,
)
from revocation.errors import NotDer

__all__ = [
    "BIT_STRING",
    "BOOLEAN",
    "ENUMERATED",
    "GENERALIZED_TIME",
    "INTEGER",
    "NULL",
    "OBJECT_IDENTIFIER",
    "OCTET_STRING",
    "SEQUENCE",
    "TRUE",
    "UTC_TIME",
    "Reader",
    "bit_string",
    "choice_time",
    "context",
    "element",
    "extension",
    "generalized_time",
    "header",
    "integer",
    "octet_string",
    "oid",
    "sequence",
    "subject_and_key",
]

BOOLEAN: Final = 0x01
ENUMERATED: Final = 0x0A

NULL: Final = b"\x05\x00"

_HIGH_TAG = 0x1F
_MAX_LENGTH_OCTETS = 4
_ARCS = re.compile(rb"(?:(?:[\x81-\xff][\x80-\xff]*+)?[\x00-\x7f])++")


class Reader:
    """Reads elements one after another; whatever is not DER raises NotDer."""

    __slots__ = ("_octets", "end", "position")

    def __init__(
        self, octets: bytes | mmap.mmap, position: int = 0, end: int | None = None
    ) -> None:
        self._octets = octets
        self.position = position
        self.end = len(octets) if end is None else end

    def _open(self, tag: int) -> tuple[int, int]:
        """Pass over the next element, which must have this tag; offsets of its content."""
        octets, start = self._octets, self.position + 2
        if start > self.end or octets[start - 2] != tag:
            raise NotDer(f"tag {tag:#04x} was expected, whole")
        length = octets[start - 1]
        if length >= LONG_FORM:
            start, length = self._long_form(start, length - LONG_FORM)
        self.position = start + length
        if self.position > self.end:
            raise NotDer("an element is cut short")
        return start, self.position

    def _long_form(self, start: int, count: int) -> tuple[int, int]:
        """Offset of the content, and its length, which stands in so many octets."""
        content = start + count
        length = int.from_bytes(self._octets[start:content], "big")
        is_shortest = length >= LONG_FORM and length >> 8 * (count - 1)
        if not 1 <= count <= _MAX_LENGTH_OCTETS or content > self.end or not is_shortest:
            raise NotDer("a length is not in its shortest definite form")
        return content, length

    def next_is(self, tag: int) -> bool:
        """Whether another element follows, and has this tag."""
        return self.position < self.end and self._octets[self.position] == tag

    def at_end(self) -> bool:
        """Whether everything was read."""
        return self.position == self.end

    def enter(self, tag: int) -> Self:
        """A reader of the content of the next element, which must have this tag."""
        start, end = self._open(tag)
        return type(self)(self._octets, start, end)

    def content(self, tag: int) -> bytes:
        """The content octets of the next element, which must have this tag."""
        start, end = self._open(tag)
        return self._octets[start:end]

    def whole(self, tag: int) -> bytes:
        """The next element, which must have this tag, with its tag and length octets."""
        start = self.position
        self._open(tag)
        return self.since(start)

    def since(self, start: int) -> bytes:
        """The octets from an earlier position up to the present one."""
        return bytes(self._octets[start : self.position])

    def skip(self) -> None:
        """Pass over one element of any low tag."""
        if self.at_end() or self._octets[self.position] & _HIGH_TAG == _HIGH_TAG:
            raise NotDer("an element is missing or of a high tag number")
        self._open(self._octets[self.position])

    def rest(self) -> bytes:
        """All octets not read yet."""
        return bytes(self._octets[self.position : self.end])

    def integer(self) -> int:
        """The next element as an INTEGER."""
        start = self.position
        value = int.from_bytes(self.content(INTEGER), "big", signed=True)
        if integer(value) != self.since(start):
            raise NotDer("an INTEGER is not in its shortest form")
        return value

    def oid(self) -> bytes:
        """The next element, an OBJECT IDENTIFIER, with its tag and length octets."""
        start = self.position
        if not _ARCS.fullmatch(self.content(OBJECT_IDENTIFIER)):
            raise NotDer("an OBJECT IDENTIFIER is not in its shortest form")
        return self.since(start)

    def time(self) -> datetime:
        """The next element as a time in the form that `choice_time` writes."""
        start = self.position
        form = "%y%m%d%H%M%SZ" if self.next_is(UTC_TIME) else "%Y%m%d%H%M%SZ"
        text = self.content(UTC_TIME if self.next_is(UTC_TIME) else GENERALIZED_TIME)
        try:
            time = datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC)
        except ValueError:
            raise NotDer("a time is not a date of the calendar") from None
        if choice_time(time) != self.since(start):
            raise NotDer("a time is not in the form of RFC 5280 section 5.1.2.4")
        return time

    def generalized_time(self) -> datetime:
        """The next element as a time in the form that `generalized_time` writes."""
        start = self.position
        text = self.content(GENERALIZED_TIME)
        try:
            time = datetime.strptime(text.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise NotDer("a time is not a date of the calendar") from None
        if generalized_time(time) != self.since(start):
            raise NotDer("a time is not in the form of RFC 5280 section 4.1.2.5.2")
        return time

    def finish(self) -> None:
        """Raise NotDer unless everything was read."""
        if not self.at_end():
            raise NotDer("octets follow the last element")


def subject_and_key(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    """The subject's DER as it stands in the certificate, and the octets of its public key.

    The key octets are the BIT STRING content without tag, length and unused bits: what the
    hashes of RFC 6960 section 4.1.1 (issuerKeyHash) and 4.2.1 (KeyHash) are made of.
    """
    tbs = Reader(certificate.tbs_certificate_bytes).enter(SEQUENCE)
    for _ in ("version", "serialNumber", "signature", "issuer", "validity"):
        tbs.skip()
    subject = tbs.whole(SEQUENCE)
    public_key = tbs.enter(SEQUENCE)
    public_key.skip()
    return subject, public_key.content(BIT_STRING)[1:]

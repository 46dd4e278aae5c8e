"""Identifiers of the certificate authority: serial numbers and issuer names."""

import re
import secrets
from typing import Self

SERIAL_RANDOM_BITS = 136
_SERIAL_CEILING = 1 << 159
_ISSUER_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


class SerialNumber(int):
    """A certificate serial number: positive and below 2^159 (RFC 5280 section 4.1.2.2)."""

    __slots__ = ()

    def __new__(cls, value: int) -> Self:
        """Check the bounds; ValueError outside them."""
        if not 0 < value < _SERIAL_CEILING:
            raise ValueError("a serial number is positive and below 2^159 (RFC 5280 4.1.2.2)")
        return super().__new__(cls, value)

    @classmethod
    def random(cls, node: int = 1) -> Self:
        """A new serial: one node octet (1 to 127) and 136 random bits, so always 18 octets."""
        if not 1 <= node <= 127:  # noqa: PLR2004 - the octet must not look negative or vanish in DER
            raise ValueError("the node octet of a serial number is 1 to 127")
        return cls(node << SERIAL_RANDOM_BITS | secrets.randbits(SERIAL_RANDOM_BITS))

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Read the hexadecimal form that `hex` writes; colons and upper case are accepted."""
        digits = text.replace(":", "").lower()
        if not re.fullmatch(r"[0-9a-f]{1,40}", digits):
            raise ValueError("a serial number is written as hexadecimal digits")
        return cls(int(digits, 16))

    @property
    def hex(self) -> str:
        """Lower-case hexadecimal digits, an even number of them."""
        digits = f"{int(self):x}"
        return digits if len(digits) % 2 == 0 else "0" + digits


class IssuerName(str):
    """The short stable name of an issuer, chosen at its ceremony and used in its URLs."""

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Check the form; ValueError for anything that would not stand in a URL or file name."""
        if not _ISSUER_NAME.fullmatch(value):
            raise ValueError(
                "an issuer name is 1 to 32 lower-case letters, digits or hyphens, letter first"
            )
        return super().__new__(cls, value)

"""How the applicant is reached beside the registered address, and what a change of it does.

A change between the approval and the activation sends the application back to proofing, so that
nobody leads a code elsewhere once the officers have looked away (ISS-DEL-S2j).
"""

import re
from dataclasses import dataclass
from typing import Self

from ra.errors import MalformedField
from ra.identity import EmailAddress, Personal

_FORM = re.compile(r"\+[1-9][0-9]{6,14}")


class PhoneNumber(Personal):
    """A telephone number in the international form: + and 7 to 15 digits (ITU-T E.164)."""

    def __post_init__(self) -> None:
        if not _FORM.fullmatch(self.value):
            raise MalformedField("phone", "+ and 7 to 15 digits, with the country code")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a number with blanks between its digits; MalformedField for another form."""
        return cls(text[:40].replace(" ", ""))


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a code can be sent; either may be missing."""

    email: EmailAddress | None = None
    phone: PhoneNumber | None = None

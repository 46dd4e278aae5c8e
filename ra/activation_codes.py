"""Activation codes and revocation secrets: made by chance, kept as salted digests, never shown.

Fifteen letters and digits out of thirty are 73 bits: nobody guesses them, so one keyed digest hides
them at rest. Each is bound to one application by its digest (NSIS 3.2.2, ISS-DEL-S2i; 3.2.3,
ISS-REV-L2c).
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Self

from ra.errors import MalformedField
from ra.identity import Personal

LETTERS = "23456789abcdefghjkmnpqrstvwxyz"
"""None that is mistaken for another on paper or on the telephone."""
GROUPS, GROUP = 3, 5
TRIES = 5
"""How often a code may be typed wrongly; then it is dead."""
_FORM = re.compile(rf"[{LETTERS}]{{{GROUPS * GROUP}}}")


class SecretUse(StrEnum):
    """What a secret is for; one for another purpose has another digest."""

    ACTIVATION = "activation"
    REVOCATION = "revocation"


@dataclass(frozen=True, slots=True, repr=False)
class HolderSecret(Personal):
    """Fifteen letters and digits in small letters, as the holder reads them from a letter."""

    def __post_init__(self) -> None:
        if not _FORM.fullmatch(self.value):
            raise MalformedField("code", "fifteen letters and digits, in three groups of five")

    @classmethod
    def random(cls) -> Self:
        """A new one."""
        return cls("".join(secrets.choice(LETTERS) for _ in range(GROUPS * GROUP)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a holder typed: case, hyphens and blanks make no difference.

        Raises: MalformedField; no attempt is counted for what cannot be a code.
        """
        return cls(re.sub(r"[\s-]", "", text[:100]).lower())

    @property
    def groups(self) -> str:
        """As it is printed: three groups with hyphens."""
        value = self.value
        return "-".join(value[at : at + GROUP] for at in range(0, len(value), GROUP))

    def digest(self, use: SecretUse, application_id: str, salt: str) -> str:
        """HMAC-SHA-256 under the salt, in hexadecimal, bound to use and application."""
        message = f"{use.value}|{application_id}|{self.value}".encode()
        return hmac.new(bytes.fromhex(salt), message, sha256).hexdigest()


def new_salt() -> str:
    """32 random octets in hexadecimal."""
    return secrets.token_hex(32)

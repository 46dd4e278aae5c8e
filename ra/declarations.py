"""The declaration of being authorised, as a versioned text in three languages (NSIS 3.1.3(4)).

A declaration is an active act: the registrant sends the digest of the text that was shown, and
says that it is so. It is bound to the person who logged in.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType

from ra.errors import Refused
from ra.mandates import Declaration
from ra.requirements import finding

DECLARATION_VERSION = 1
DECLARATION_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "da": "Jeg erklærer på tro og love, at jeg er bemyndiget til at handle for den juridiske"
        " person, og at jeg ved, at en urigtig erklæring kan straffes.",
        "en": "I declare on my honour that I am authorised to act for the legal person, and that I"
        " know that a false declaration can be punished.",
        "sv": "Jag försäkrar på heder och samvete att jag är behörig att handla för den juridiska"
        " personen, och att jag vet att en osann försäkran kan bestraffas.",
    }
)


def declaration_digests() -> dict[str, str]:
    """SHA-256 of each text in hexadecimal, by language."""
    return {name: sha256(text.encode()).hexdigest() for name, text in DECLARATION_TEXTS.items()}


def declare(digest: str, *, declared: bool, now: datetime) -> Declaration:
    """The registrant's own declaration.

    Raises: Refused (REG-IDL-L4) when it is not declared, or is about another text.
    """
    if not declared or digest not in declaration_digests().values():
        raise Refused((finding("REG-IDL-L4", "AUTHORISATION_DECLARATION_MISSING"),))
    return Declaration(DECLARATION_VERSION, digest, now)

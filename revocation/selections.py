"""Selections for a bulk revocation: a list of certificates, or what certificates have in common."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from ca.identifiers import IssuerName, SerialNumber
from revocation.errors import SelectionFaulty

Place = tuple[IssuerName, SerialNumber]
MOST = 1_000_000
"""Certificates in one selection."""
_NO_LINE = "it is neither ISSUER/SERIAL nor a serial number in hexadecimal"


@dataclass(frozen=True, slots=True)
class Selection:
    """Certificates with all that is named in common; `places` are a list of them, with its lines.

    `spki_sha256` is the digest of their key in hexadecimal; `issued_from` and `issued_until` (UTC)
    bound the moment they were issued, both inclusive. ValueError when nothing is named.
    """

    places: Mapping[Place, int] | None = None
    issuer: IssuerName | None = None
    spki_sha256: str | None = None
    profile: str | None = None
    issued_from: datetime | None = None
    issued_until: datetime | None = None

    def __post_init__(self) -> None:
        """Everything that was ever issued is not selected by saying nothing."""
        if all(getattr(self, field.name) is None for field in fields(self)):
            raise ValueError("a selection names at least one thing")

    def words(self) -> dict[str, str | int]:
        """What was asked for, to be kept and shown; of a list, how many lines."""
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "places"}
        words: dict[str, str | int] = {
            name: value.isoformat() if isinstance(value, datetime) else str(value)
            for name, value in named.items()
            if value is not None
        }
        return words if self.places is None else {"certificates": len(self.places), **words}


def read_list(lines: Iterable[str], issuer: IssuerName | None = None) -> dict[Place, int]:
    """The certificates of a list by their lines, from 1: ISSUER/SERIAL, or SERIAL of the issuer.

    Serial numbers are hexadecimal; empty lines and what follows a # are passed over, and so is
    what is listed again.

    Raises:
        SelectionFaulty: a line is none of this; every such line is named.
    """
    found: dict[Place, int] = {}
    faults = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        name, slash, serial = text.rpartition("/")
        try:
            place = IssuerName(name if slash else issuer or ""), SerialNumber.from_hex(serial)
        except ValueError:
            faults.append((number, _NO_LINE))
        else:
            found.setdefault(place, number)
    if faults:
        raise SelectionFaulty(tuple(faults))
    return found


def digest_of(places: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the lines ISSUER/SERIAL in their order: what a second person confirms."""
    digest = hashlib.sha256()
    for issuer, serial in places:
        digest.update(f"{issuer}/{serial}\n".encode())
    return digest.hexdigest()

"""Looking for a person in the raw files of a database, past everything that reads them as rows."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography import x509

from ra.fake_registers import persona_name
from ra.identity import CprNumber
from records.database import Database
from tests.support.ra_builders import NANCY
from tests.support.stores import contents

Canaries = Mapping[str, bytes]
"""Octets that stand for a person in plain, by what they are."""


def canaries(der: bytes, number: str = NANCY) -> Canaries:
    """What would betray the person of this certificate: name, number, and what was signed of it."""
    given_name, surname = persona_name(CprNumber(number))
    signed = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    return {
        "given name": given_name.encode(),
        "surname": surname.encode(),
        "surname in UTF-16": surname.encode("utf-16-le"),
        "CPR number": number.encode(),
        "CPR number with a hyphen": f"{number[:6]}-{number[6:]}".encode(),
        "certificate": signed[len(signed) // 2 :][:64],
    }


def found_in(files: Iterable[Path], wanted: Canaries) -> set[str]:
    """Which of them stand somewhere in the files."""
    found: set[str] = set()
    for path in files:
        octets = path.read_bytes()
        found |= {name for name, needle in wanted.items() if needle in octets}
    return found


def found_in_rows(database: Database, wanted: Canaries) -> set[str]:
    """Which of them stand in a value: pages of PostgreSQL may hold long ones compressed."""
    rows = "\n".join(contents(database))
    forms = {name: (each.decode(errors="replace"), each.hex()) for name, each in wanted.items()}
    return {name for name, each in forms.items() if any(form in rows for form in each)}

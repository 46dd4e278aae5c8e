"""The catalogue of sources as a file that the issuer keeps: TOML, every entry argued for.

    [[source]]
    id = "cpr"
    owner = "CPR-kontoret"
    rationale = "the population register, kept by law"
    risk_assessment_ref = "RA-2026-04"
    approved_by = "head of trust services"
    valid_from = 2026-01-01

    [[equivalence]]
    id = "EQ-1"
    subject = "video-ident-3.2"
    body = "a conformity assessment body"
    report_ref = "R-77"
    approved_by = "head of trust services"
    valid_from = 2026-01-01
    valid_until = 2027-12-31

    [[telephone]]
    id = "TEL-1"
    subject = "id-app/3"
    unlocked_by_holder_for_this_app = "R-80, chapter 1"
    approved_by = "head of trust services"
    valid_from = 2026-01-01
    valid_until = 2027-12-31

A device without a certificate is an equivalence, `subject` its product/version. A telephone names
the evidence of each of the six criteria (`ra.sources.TelephoneAssessment`); one that is not named
is not met. What is not in it is not approved, so without a file nothing reaches Substantial
(REG-IDN-L4).
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from datetime import date
from typing import Any, TypeVar

from ra.errors import CatalogueFaulty, PolicyFault
from ra.sources import (
    AuthoritativeSource,
    EquivalenceAssessment,
    SourceCatalogue,
    TelephoneAssessment,
)

_MAX_OCTETS = 256 * 1024
_LONGEST = 2000
_T = TypeVar("_T", AuthoritativeSource, EquivalenceAssessment, TelephoneAssessment)
_TABLES = ("source", "equivalence", "telephone")


def parse_catalogue(octets: bytes) -> SourceCatalogue:
    """The catalogue that a file holds; test equipment cannot be approved in it.

    Raises: CatalogueFaulty with every fault.
    """
    document = _document(octets)
    faults = [
        PolicyFault(name, f"one of {', '.join(_TABLES)}")
        for name in document
        if name not in _TABLES
    ]
    sources = _entries(AuthoritativeSource, document.get("source", []), "source", faults)
    equal = _entries(EquivalenceAssessment, document.get("equivalence", []), "equivalence", faults)
    telephones = _entries(TelephoneAssessment, document.get("telephone", []), "telephone", faults)
    ids = [[each.id for each in found] for found in (sources, equal, telephones)]
    for name, given in zip(_TABLES, ids, strict=True):
        faults += [PolicyFault(f"{name} {each}", "named once") for each in _twice(given)]
    if faults:
        raise CatalogueFaulty(tuple(faults))
    return SourceCatalogue(tuple(sources), equivalences=tuple(equal), telephones=tuple(telephones))


def _document(octets: bytes) -> Mapping[str, object]:
    if len(octets) > _MAX_OCTETS:
        raise CatalogueFaulty((PolicyFault("the file", "at most 256 KiB"),))
    try:
        return tomllib.loads(octets.decode())
    except (ValueError, RecursionError):
        raise CatalogueFaulty((PolicyFault("the file", "TOML in UTF-8"),)) from None


def _entries(kind: type[_T], found: object, name: str, faults: list[PolicyFault]) -> list[_T]:
    if not isinstance(found, list):
        faults.append(PolicyFault(name, f"an array of tables [[{name}]]"))
        return []
    read = [_entry(kind, each, f"{name}[{i}]", faults) for i, each in enumerate(found)]
    return [each for each in read if each is not None]


def _entry(kind: type[_T], found: object, key: str, faults: list[PolicyFault]) -> _T | None:
    """One entry: no field but those of the form, and none without a word in it."""
    if not isinstance(found, dict):
        faults.append(PolicyFault(key, "a table"))
        return None
    table: dict[str, Any] = found
    known = [each for each in fields(kind) if each.name != "test_equipment"]
    needed = {each.name for each in known if each.default is MISSING}
    given = set(table)
    missing: list[str] = sorted(needed - given)
    strange: list[str] = sorted(given - {each.name for each in known})
    wrong = [
        *(PolicyFault(f"{key}.{name}", "given") for name in missing),
        *(PolicyFault(f"{key}.{name}", "a field of the catalogue") for name in strange),
        *(PolicyFault(f"{key}.{name}", rule) for name, rule in _wrong_values(table)),
    ]
    if wrong:
        faults += wrong
        return None
    if table.get("valid_until", table["valid_from"]) < table["valid_from"]:
        faults.append(PolicyFault(f"{key}.valid_until", "a day after valid_from"))
    return kind(**table)


def _wrong_values(found: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        if name.startswith("valid_"):
            if type(value) is not date:
                yield name, "a date"
        elif not (isinstance(value, str) and value.strip() and len(value) <= _LONGEST):
            yield name, "text of 1 to 2,000 characters"


def _twice(ids: list[str]) -> list[str]:
    return sorted({each for each in ids if ids.count(each) > 1})

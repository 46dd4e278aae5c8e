"""TEST EQUIPMENT: registers and specimen passports that stand in for the real ones.

No person here exists: the numbers are MedCom's national test numbers and two of the CPR office's
demonstration numbers, and everything else about them is invented. The sources carry
`test_equipment=True`, so a catalogue that does not allow test equipment approves none of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType

from ra.fake_companies import TEST_CVR
from ra.fake_services import TEST_ATTESTATION, TEST_COMPARATOR, TEST_LOGIN
from ra.identity import CprNumber, PersonName
from ra.mrz import check_digit, transliterate
from ra.registers import (
    DocumentReference,
    DocumentStatus,
    NoAnswer,
    NotRegistered,
    PersonAnswer,
    PersonStatus,
    RegisteredPerson,
)
from ra.sources import AuthoritativeSource, SourceCatalogue

TEST_CPR = "test:cpr"
TEST_DOCUMENT_STATUS = "test:document-status"
TEST_PASSPORT = "passport:UTO"

_SILENT = "1502779995"
_DIES_ON_DAY_30 = "2103009996"
_PERSONAS = {
    "2512489996": ("01", "Nancy Ann Test", "Berggren"),
    "2911829996": ("01", "Kirsten Test", "Berggren"),
    "0108589995": ("01", "Søren Åge Test", "Lærkegård"),
    "0707614285": ("01", "Asta Test", "Vinterberg"),
    "0107729995": ("90", "Max Test", "Berggren"),
    "1509819996": ("70", "Brita Test", "Berggren"),
    "3103979995": ("80", "Anders Test", "Jensen"),
    "0201609995": ("20", "Jonas Test", "Sandholm"),
    "0201609996": ("60", "Ellen Test", "Dyrholm"),
    "0201919990": ("50", "Ida Test", "Dyrholm"),
    "0504909989": ("30", "Karl Test", "Ravnsborg"),
    "0504909995": ("10", "Gerda Test", "Ravnsborg"),
    "1310169995": ("01", "Liv Test", "Engelund"),
    _DIES_ON_DAY_30: ("01", "Holger Test", "Nygaard"),
}
_PROTECTED = "2911829996"
_SUCCESSOR = "0201919996"
_REPLACED = frozenset({"0201609996", "0201919990"})
_WITHOUT_ADDRESS = frozenset({PersonStatus.EMIGRATED, PersonStatus.NO_RESIDENCE})


@dataclass(frozen=True, slots=True)
class FakeCpr:
    """TEST EQUIPMENT: a register of invented persons that opened at `opened` (UTC)."""

    opened: datetime
    source_id: str = TEST_CPR

    def find(self, number: CprNumber, now: datetime) -> PersonAnswer:
        """Answer for a persona, stay silent for one of them, and know nobody else."""
        if number.value == _SILENT:
            return NoAnswer()
        if number.value not in _PERSONAS:
            return NotRegistered()
        code, given_name, surname = _PERSONAS[number.value]
        status = PersonStatus(code)
        if number.value == _DIES_ON_DAY_30 and now >= self.opened + timedelta(days=30):
            status = PersonStatus.DEAD
        return RegisteredPerson(
            status=status,
            given_name=PersonName(given_name),
            surname=PersonName(surname),
            birth_date=number.birth_date,
            has_address=status not in _WITHOUT_ADDRESS,
            protected=number.value == _PROTECTED,
            successor=CprNumber(_SUCCESSOR) if number.value in _REPLACED else None,
        )


def _no_statuses() -> Mapping[str, DocumentStatus]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FakeDocumentStatus:
    """TEST EQUIPMENT: every document is valid but those whose number is given another status."""

    statuses: Mapping[str, DocumentStatus] = field(default_factory=_no_statuses)
    source_id: str = TEST_DOCUMENT_STATUS

    def status_of(self, document: DocumentReference, now: datetime) -> DocumentStatus:
        """The status that was set for the number; the moment makes no difference here."""
        del now
        return self.statuses.get(document.number, DocumentStatus.VALID)


def fake_catalogue(valid_from: date) -> SourceCatalogue:
    """TEST EQUIPMENT: a catalogue that approves these fakes and passports of Utopia."""
    return SourceCatalogue(
        sources=tuple(
            AuthoritativeSource(
                id=source_id,
                owner="test equipment",
                rationale="invented persons, for demonstrations and tests only",
                risk_assessment_ref="none",
                approved_by="test equipment",
                valid_from=valid_from,
                test_equipment=True,
            )
            for source_id in (
                TEST_CPR,
                TEST_DOCUMENT_STATUS,
                TEST_PASSPORT,
                TEST_CVR,
                TEST_LOGIN,
                TEST_COMPARATOR,
                TEST_ATTESTATION,
            )
        ),
        allows_test_equipment=True,
    )


def persona_name(number: CprNumber) -> tuple[str, str]:
    """TEST EQUIPMENT: given names and surname of a persona; KeyError for another number."""
    _, given_name, surname = _PERSONAS[number.value]
    return given_name, surname


def specimen_passport(
    names: tuple[str, str], birth_date: date, number: str, expiry_date: date
) -> tuple[str, str]:
    """TEST EQUIPMENT: a sound TD3 zone of Utopia for given names and surname (ICAO 9303-4)."""
    given_name, surname = names
    upper = f"P<UTO{transliterate(surname)}<<{transliterate(given_name)}"[:44].ljust(44, "<")
    document = number.ljust(9, "<")
    document += check_digit(document)
    born = f"{birth_date:%y%m%d}"
    born += check_digit(born)
    expires = f"{expiry_date:%y%m%d}"
    expires += check_digit(expires)
    optional = "<" * 14 + "0"
    composite = check_digit(document + born + expires + optional)
    return upper, f"{document}UTO{born}<{expires}{optional}{composite}"

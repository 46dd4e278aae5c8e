"""The fake registers keep the contract of every adapter, and say that they are test equipment."""

from types import MappingProxyType

from ra.fake_registers import FakeCpr, FakeDocumentStatus
from ra.identity import CprNumber
from ra.registers import DocumentReference, DocumentStatus, RegisteredPerson
from tests.support.ra_builders import CATALOGUE, NOW
from tests.support.register_contract import (
    DocumentStatusRegisterContract,
    PersonRegisterContract,
)


class TestFakeCpr(PersonRegisterContract):
    known = CprNumber("2512489996")
    unknown = CprNumber("0104909995")
    silent = CprNumber("1502779995")

    def register(self) -> FakeCpr:
        return FakeCpr(opened=NOW)


class TestFakeDocumentStatus(DocumentStatusRegisterContract):
    examples = {  # noqa: RUF012 - the contract reads it only
        status: DocumentReference("passport", "UTO", status.name.replace("_", ""))
        for status in DocumentStatus
    }

    def register(self) -> FakeDocumentStatus:
        statuses = {each.number: status for status, each in self.examples.items()}
        return FakeDocumentStatus(MappingProxyType(statuses))


def test_every_source_of_the_fake_catalogue_is_marked_as_test_equipment() -> None:
    assert CATALOGUE.sources
    assert all(each.test_equipment for each in CATALOGUE.sources)


def test_a_replaced_number_points_to_its_successor_for_the_officer() -> None:
    for number in ("0201609996", "0201919990"):
        answer = FakeCpr(opened=NOW).find(CprNumber(number), NOW)
        assert isinstance(answer, RegisteredPerson)
        assert answer.successor == CprNumber("0201919996")


def test_a_protected_person_and_persons_without_address_are_marked() -> None:
    marks = {}
    for number in ("2911829996", "3103979995", "0201609995", "2512489996"):
        answer = FakeCpr(opened=NOW).find(CprNumber(number), NOW)
        assert isinstance(answer, RegisteredPerson)
        marks[number] = (answer.protected, answer.has_address)
    assert marks == {
        "2911829996": (True, True),
        "3103979995": (False, False),
        "0201609995": (False, False),
        "2512489996": (False, True),
    }

"""What every adapter to a register must do: subclass one of these with an adapter in it.

An adapter's test module subclasses the contract, gives its register and the examples that its
test environment holds, and inherits the cases.
"""

from datetime import UTC, datetime
from typing import Any, get_args

from ra.identity import CprNumber
from ra.registers import (
    DocumentReference,
    DocumentStatus,
    DocumentStatusRegister,
    NoAnswer,
    NotRegistered,
    PersonAnswer,
    PersonRegister,
    RegisteredPerson,
)

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)


class PersonRegisterContract:
    """Cases for an adapter to a register of persons."""

    known: CprNumber
    unknown: CprNumber
    silent: CprNumber
    """A number for which the test environment does not answer."""

    def register(self) -> PersonRegister:
        raise NotImplementedError

    def test_it_names_itself_as_a_source(self) -> None:
        assert self.register().source_id

    def test_a_known_number_brings_the_person_of_that_birth_date(self) -> None:
        answer = self.register().find(self.known, NOW)
        assert isinstance(answer, RegisteredPerson)
        assert answer.birth_date == self.known.birth_date

    def test_an_unknown_number_is_an_answer_of_its_own(self) -> None:
        assert self.register().find(self.unknown, NOW) == NotRegistered()

    def test_silence_is_an_answer_and_not_an_exception(self) -> None:
        assert self.register().find(self.silent, NOW) == NoAnswer()

    def test_the_answers_are_the_closed_set(self) -> None:
        for number in (self.known, self.unknown, self.silent):
            assert isinstance(self.register().find(number, NOW), get_args(PersonAnswer))

    def test_no_answer_prints_what_the_register_said(self) -> None:
        answer: Any = self.register().find(self.known, NOW)
        assert answer.surname.value not in repr(answer)
        assert self.known.value not in repr(answer)


class DocumentStatusRegisterContract:
    """Cases for an adapter to a register of the status of identity evidence."""

    examples: dict[DocumentStatus, DocumentReference]
    """One document for each status that the test environment can produce."""

    def register(self) -> DocumentStatusRegister:
        raise NotImplementedError

    def test_it_names_itself_as_a_source(self) -> None:
        assert self.register().source_id

    def test_valid_and_no_answer_can_both_be_produced(self) -> None:
        assert {DocumentStatus.VALID, DocumentStatus.NO_ANSWER} <= self.examples.keys()

    def test_each_example_has_its_status(self) -> None:
        for status, reference in self.examples.items():
            assert self.register().status_of(reference, NOW) is status
